"""Raw frames over TCP: whole, the newest, and nobody waits for a slow reader."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from vtbridge.datatypes import Frame, U8Array
from vtbridge.errors import PortInUse
from vtbridge.publish.media_tcp import MAX_CLIENTS, MediaServer, straight_from_premultiplied
from vtbridge.telemetry import Telemetry

SIDE = 64
FRAME_BYTES = SIDE * SIDE * 4


def frame(value: int, side: int = SIDE) -> Frame:
    """Return an opaque frame in which every colour is ``value``."""
    rgba = np.full((side, side, 4), value, np.uint8)
    rgba[..., 3] = 255
    return Frame(rgba, 1)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 10 s"
        time.sleep(0.002)


def read_frame(client: socket.socket, frame_bytes: int = FRAME_BYTES) -> U8Array:
    data = bytearray()
    while len(data) < frame_bytes:
        chunk = client.recv(frame_bytes - len(data))
        assert chunk, "the server closed the connection"
        data += chunk
    return np.frombuffer(bytes(data), np.uint8).reshape(-1, 4)


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def server(telemetry: Telemetry) -> Iterator[MediaServer]:
    server = MediaServer(width=SIDE, height=SIDE, telemetry=telemetry)
    server.start()
    yield server
    assert server.stop(timeout_s=5)
    assert server.failure is None


def connect(server: MediaServer) -> socket.socket:
    """Return one more client that the server knows of: frames are for nobody else."""
    known = server.clients
    client = socket.create_connection(server.address, timeout=10)
    wait_for(lambda: server.clients == known + 1)
    return client


def test_straight_alpha_is_exact_for_every_pair_of_colour_and_alpha() -> None:
    alpha, colour = np.mgrid[0:256, 0:256]
    premultiplied = np.zeros((256, 256, 4), np.uint8)
    premultiplied[..., :3] = colour[..., None]
    premultiplied[..., 3] = alpha
    straight = np.full_like(premultiplied, 77)
    straight_from_premultiplied(premultiplied, straight)
    exact = np.where(alpha > 0, np.floor(255 * colour / np.maximum(alpha, 1) + 0.5), 0)
    expected = np.minimum(exact, 255)
    for channel in range(3):
        np.testing.assert_array_equal(straight[..., channel], expected)
    np.testing.assert_array_equal(straight[..., 3], alpha)


def test_straight_alpha_of_a_premultiplied_picture_is_the_picture_again() -> None:
    random = np.random.default_rng(1)
    straight = random.integers(0, 256, (64, 64, 4), dtype=np.uint8)
    straight[..., 3] = random.integers(128, 256, (64, 64))
    premultiplied = straight.copy()
    share = straight[..., 3:] / 255
    premultiplied[..., :3] = np.rint(straight[..., :3] * share).astype(np.uint8)
    again = np.empty_like(straight)
    straight_from_premultiplied(premultiplied, again)
    assert np.abs(again.astype(int) - straight).max() <= 1


def test_client_that_comes_late_gets_the_newest_frame_at_once(server: MediaServer) -> None:
    with connect(server):
        for value in (1, 2, 3):
            server.offer(frame(value))
        with connect(server) as late:
            assert (read_frame(late) == (3, 3, 3, 255)).all()


def test_frames_that_nobody_wants_are_not_copied(
    server: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[object] = []
    monkeypatch.setattr("vtbridge.publish.media_tcp.np.copyto", lambda *_: copied.append(1))
    for value in (1, 2, 3):
        server.offer(frame(value))
    assert copied == []
    with connect(server):
        server.offer(frame(4))
        assert copied == [1]


def test_client_gets_the_next_frame_and_none_from_before_it_came(server: MediaServer) -> None:
    for value in (10, 20, 30):
        server.offer(frame(value))
        with connect(server) as one, connect(server) as two:
            server.offer(frame(value + 1))
            for client in (one, two):
                assert (read_frame(client)[:, 0] == value + 1).all()
        wait_for(lambda: server.clients == 0)


def test_client_gone_before_it_was_accepted_harms_nobody(
    server: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EINVAL, "as macOS does after a reset")

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "setsockopt", refuse)
        with socket.create_connection(server.address, timeout=10) as gone:
            assert gone.recv(1) == b""
    with connect(server) as client:
        server.offer(frame(2))
        assert (read_frame(client)[:, 0] == 2).all()


def test_half_transparent_colours_arrive_straight(server: MediaServer) -> None:
    rgba = np.full((SIDE, SIDE, 4), (64, 32, 0, 128), np.uint8)
    with connect(server) as client:
        server.offer(Frame(rgba, 1))
        assert (read_frame(client) == (128, 64, 0, 128)).all()


def test_frame_is_copied_so_the_poser_may_overwrite_it(server: MediaServer) -> None:
    offered = frame(9)
    with connect(server) as client:
        server.offer(offered)
        offered.rgba[:] = 0
        assert (read_frame(client) == (9, 9, 9, 255)).all()


def test_every_client_sees_each_frame_whole_and_in_order(server: MediaServer) -> None:
    with connect(server) as one, connect(server) as two:
        for value in range(1, 20):
            server.offer(frame(value))
            for client in (one, two):
                assert (read_frame(client) == (value, value, value, 255)).all()


def test_slow_client_misses_frames_but_never_parts_of_one(telemetry: Telemetry) -> None:
    side = 512  # a frame larger than what the sockets hold
    server = MediaServer(width=side, height=side, telemetry=telemetry)
    server.start()
    try:
        with connect(server) as slow, connect(server) as quick:
            for value in range(1, 61):
                server.offer(frame(value, side))
                assert (read_frame(quick, side * side * 4)[:, 0] == value).all()
            seen: list[int] = []
            while not seen or seen[-1] != 60:
                picture = read_frame(slow, side * side * 4)
                assert (picture[:, 0] == picture[0, 0]).all(), "parts of two frames"
                seen.append(int(picture[0, 0]))
        assert seen == sorted(set(seen))
        assert len(seen) < 60
    finally:
        assert server.stop(timeout_s=5)


def test_offer_does_not_wait_for_a_client_that_never_reads(server: MediaServer) -> None:
    with connect(server):
        for value in range(2000):
            server.offer(frame(value % 256))


def test_client_that_leaves_makes_room(server: MediaServer) -> None:
    for _ in range(3 * MAX_CLIENTS):
        with connect(server) as client:
            server.offer(frame(1))
            read_frame(client)
        wait_for(lambda: server.clients == 0)


def test_too_many_clients_are_turned_away(server: MediaServer) -> None:
    accepted = [connect(server) for _ in range(MAX_CLIENTS)]
    with socket.create_connection(server.address, timeout=10) as refused:
        assert refused.recv(1) == b""
    server.offer(frame(5))
    for client in accepted:
        assert (read_frame(client)[:, 0] == 5).all()
        client.close()


def test_client_that_talks_is_ignored(server: MediaServer) -> None:
    with connect(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n" * 1000)
        server.offer(frame(6))
        assert (read_frame(client)[:, 0] == 6).all()


def test_frame_of_another_size_is_dropped_and_counted(
    server: MediaServer, telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(server) as client:
        server.offer(frame(7))
        for _ in range(3):
            server.offer(frame(8, SIDE * 2))
        assert (read_frame(client)[:, 0] == 7).all()
    assert telemetry.counters()["media.wrong_size"] == 3
    assert caplog.text.count("are not served") == 1


def test_taken_port_is_named(server: MediaServer) -> None:
    with pytest.raises(PortInUse, match=str(server.address[1])):
        MediaServer(port=server.address[1])


def test_server_listens_on_loopback_only(server: MediaServer) -> None:
    assert server.address[0] == "127.0.0.1"


def test_server_that_was_never_started_gives_its_port_back() -> None:
    server = MediaServer(width=SIDE, height=SIDE)
    port = server.address[1]
    assert server.stop()
    again = MediaServer(port=port, width=SIDE, height=SIDE)
    assert again.address[1] == port
    assert again.stop()
