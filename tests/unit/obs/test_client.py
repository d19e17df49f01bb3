"""One connection to obs-websocket: right answers or none, and no password anywhere."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support.fake_obs import Drop, FakeObs, Refuse
from vtbridge.errors import ObsAuthError, ObsUnreachable
from vtbridge.obs.client import (
    MAX_EVENTS,
    EventKinds,
    ObsClient,
    ObsEvent,
    ObsKicked,
    ObsRefused,
)
from vtbridge.obs.password import Password

CANARY = "canary-5f0c3b"


def connect(port: int, password: str | None = None, *, timeout_s: float = 5.0) -> ObsClient:
    given = None if password is None else Password(password, "the test")
    return ObsClient("127.0.0.1", port, given, timeout_s=timeout_s)


@pytest.fixture
def fake() -> Iterator[FakeObs]:
    with FakeObs() as server:
        yield server


def test_answer_is_the_response_data(fake: FakeObs) -> None:
    fake.handlers["Echo"] = lambda data: {"got": dict(data)}
    with connect(fake.port) as client:
        assert client.request("Echo", {"a": 1}) == {"got": {"a": 1}}
        assert client.request("GetVersion") == {"obsVersion": "99.0"}
        assert client.auth_required is False


def test_refusal_tells_code_and_comment_and_keeps_the_connection(fake: FakeObs) -> None:
    def refuse(_: object) -> dict[str, object]:
        raise Refuse(600, "no source of that name")

    fake.handlers["GetInputSettings"] = refuse
    with connect(fake.port) as client:
        with pytest.raises(ObsRefused, match="600: no source of that name") as caught:
            client.request("GetInputSettings", {"inputName": "x"})
        assert (caught.value.code, caught.value.comment) == (600, "no source of that name")
        assert client.request("GetVersion")


def test_answer_that_comes_too_late_never_becomes_that_of_the_next_request(fake: FakeObs) -> None:
    fake.handlers["Slow"] = lambda _: {"slow": True}
    fake.delays["Slow"] = 0.4
    with connect(fake.port) as client:
        with pytest.raises(ObsUnreachable, match=r"Slow: .*in time"):
            client.request("Slow", timeout_s=0.1)
        with pytest.raises(ObsUnreachable, match="closed before GetVersion"):
            client.request("GetVersion")
    with connect(fake.port) as client:
        assert "obsVersion" in client.request("GetVersion")


@pytest.mark.parametrize(
    "noise",
    [
        '{"op":5,"d":{"eventType":"X","eventIntent":1}}]',
        '{"op":5,"d":{"eventIntent":1}}',
        '{"op":0,"d":{}}',
        '{"op":7,"d":{"requestType":"Other","requestId":"1","requestStatus":'
        '{"result":true,"code":100}}}',
        '{"op":7,"d":{"requestType":"GetVersion","requestStatus":{"result":true,"code":100},'
        '"responseData":[1]}}',
        '{"op":7,"d":{"requestType":"GetVersion","requestStatus":null}}',
        '{"op":7,"d":7}',
        "[]",
        "7",
        "not json",
    ],
)
def test_unexpected_message_ends_the_connection(fake: FakeObs, noise: str) -> None:
    fake.noise = noise
    with connect(fake.port) as client:
        with pytest.raises(ObsUnreachable):
            client.request("GetVersion")
        with pytest.raises(ObsUnreachable, match="closed"):
            client.request("GetVersion")


def test_connection_that_breaks_is_unreachable(fake: FakeObs) -> None:
    def drop(_: object) -> dict[str, object]:
        raise Drop

    fake.handlers["Quit"] = drop
    with connect(fake.port) as client, pytest.raises(ObsUnreachable, match="Quit"):
        client.request("Quit")


def test_right_password_is_let_in() -> None:
    with FakeObs(password=CANARY) as fake, connect(fake.port, CANARY) as client:
        assert client.auth_required is True
        assert client.request("GetVersion")


@pytest.mark.parametrize(
    ("given", "sentence"), [("wrong", "refused the password"), (None, "wants a password")]
)
def test_wrong_or_missing_password_is_told_and_tried_once(given: str | None, sentence: str) -> None:
    with FakeObs(password=CANARY) as fake:
        with pytest.raises(ObsAuthError, match=sentence):
            connect(fake.port, given)
        assert fake.connections == 1


def test_closed_port_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ObsUnreachable, match="nothing listens there"):
            connect(taken.getsockname()[1])


def test_mute_peer_is_given_up_after_the_timeout() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises(ObsUnreachable, match="in time"):
            connect(mute.getsockname()[1], timeout_s=0.2)


@pytest.mark.parametrize(
    "speech", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"220 mail ready\r\n", b""]
)
def test_something_else_than_obs_is_unreachable(speech: bytes) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def speak() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(speech)

        speaker = threading.Thread(target=speak)
        speaker.start()
        with pytest.raises(ObsUnreachable):
            connect(server.getsockname()[1], timeout_s=2)
        speaker.join(5)


def test_password_shows_in_no_log_message_or_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = []
    with FakeObs(password=CANARY) as fake:
        with connect(fake.port, CANARY) as client:
            shown += [repr(client), str(client), repr(vars(client).get("address"))]
            client.request("GetVersion")
            with pytest.raises(ObsRefused) as refused:
                client.request("Nothing")
            shown.append(repr(refused.value))
        fake.password = "another"
        with pytest.raises(ObsAuthError) as denied:
            connect(fake.port, CANARY)
        shown += [repr(denied.value), str(denied.value.__cause__)]
    with pytest.raises(ObsUnreachable) as absent:
        connect(fake.port, CANARY)
    shown.append(repr(absent.value))
    assert CANARY not in "\n".join([*shown, caplog.text])


def test_json_too_deep_to_read_ends_the_connection_and_no_more(fake: FakeObs) -> None:
    with connect(fake.port) as client:
        fake.noise = "[" * 100_000
        with pytest.raises(ObsUnreachable, match="GetVersion"):
            client.request("GetVersion")


def test_code_that_is_no_whole_number_ends_the_connection_and_no_more(fake: FakeObs) -> None:
    def refuse(_: object) -> dict[str, object]:
        refusal = Refuse(0)
        refusal.code = float("inf")  # type: ignore[assignment]
        raise refusal

    fake.handlers["Odd"] = refuse
    with connect(fake.port) as client, pytest.raises(ObsUnreachable, match="Odd"):
        client.request("Odd")


def test_event_before_an_answer_is_kept_and_the_answer_is_found(fake: FakeObs) -> None:
    fake.noise = '{"op":5,"d":{"eventType":"X","eventIntent":1,"eventData":{"a":1}}}'
    with connect(fake.port) as client:
        assert client.request("GetVersion") == {"obsVersion": "99.0"}
        assert client.take_events() == [ObsEvent("X", {"a": 1})]
        assert client.take_events() == []
        assert not client.has_events


def test_only_events_that_were_asked_for_come(fake: FakeObs) -> None:
    with connect(fake.port) as client:
        fake.emit("Before", EventKinds.SCENES)
        client.subscribe(EventKinds.SCENES)
        assert fake.subscriptions == [0, EventKinds.SCENES]
        fake.emit("Other", EventKinds.OUTPUTS)
        fake.emit("Wanted", EventKinds.SCENES, sceneName="x")
        client.receive()
        assert client.take_events() == [ObsEvent("Wanted", {"sceneName": "x"})]


def test_flood_of_events_keeps_the_newest_and_is_told(fake: FakeObs) -> None:
    with connect(fake.port) as client:
        fake.emit("X", times=MAX_EVENTS)
        client.request("GetVersion")
        before = client.overrun
        fake.emit("Y", times=3)
        client.request("GetVersion")
        assert (before, client.overrun) == (False, True)
        taken = [event.name for event in client.take_events()]
        assert len(taken) == MAX_EVENTS
        assert taken[-4:] == ["X", "Y", "Y", "Y"]


def test_events_without_end_do_not_put_off_the_end_of_a_wait(fake: FakeObs) -> None:
    fake.handlers["Slow"] = lambda _: {}
    fake.delays["Slow"] = 1.0
    ended = threading.Event()

    def pour() -> None:
        while not ended.wait(0.02):
            fake.emit("X")

    pouring = threading.Thread(target=pour)
    with connect(fake.port) as client:
        pouring.start()
        try:
            with pytest.raises(ObsUnreachable, match="in time"):
                client.request("Slow", timeout_s=0.2)
        finally:
            ended.set()
            pouring.join(5)


def test_kick_is_told_apart_from_a_lost_connection(fake: FakeObs) -> None:
    with connect(fake.port) as client:
        fake.kick()
        with pytest.raises(ObsKicked, match="Kick"):
            client.receive()
        with pytest.raises(ObsUnreachable, match="closed"):
            client.fileno()


def test_event_whose_data_is_no_object_is_one_without_data(fake: FakeObs) -> None:
    fake.noise = '{"op":5,"d":{"eventType":"X","eventData":[1]}}'
    with connect(fake.port) as client:
        client.request("GetVersion")
        assert client.take_events() == [ObsEvent("X", {})]
