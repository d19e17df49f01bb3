"""A real daemon goes from one character to another in the same segment; no frame is missed."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from tests.support.daemon import DaemonProcess, running, status_of, wait_until
from vtbridge.app.characters import open_picture
from vtbridge.characters import BUILTIN
from vtbridge.characters.package import PICTURE_FILE
from vtbridge.datatypes import F32Array, FrameFlag
from vtbridge.publish.vtbf import FrameReader, Liveness, ReceivedFrame

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("weight_store")]

PATIENCE_S = 90.0
RENDER = '[render]\nruntime = "native"\nlearn = false\n'


class Viewer:
    """Reads each frame as OBS would, for as long as the block runs.

    Attributes:
        newest: the last frame.
        alive: what the segment said of its writer.
        uuids: of the segments that frames came from.
        flags: of all frames.
    """

    def __init__(self, name: str) -> None:
        self.newest: ReceivedFrame | None = None
        self.frames = 0
        self.missing = 0
        self.alive: set[Liveness] = set()
        self.uuids: set[object] = set()
        self.flags = FrameFlag.NONE
        self._name = name
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Viewer:
        self._thread.start()
        wait_until(lambda: self.newest is not None, PATIENCE_S, "frames come")
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(PATIENCE_S)

    def _look(self) -> None:
        with FrameReader.attach(self._name) as reader:
            seen = 0
            while not self._ended.is_set():
                frame, status = reader.read_newer(seen, timeout_s=5), reader.status()
                self.alive.add(reader.liveness())
                if status is not None:
                    self.uuids.add(status.uuid)
                if frame is None:
                    self.missing += 1
                    continue
                seen = frame.frame_no
                self.frames += 1
                self.flags |= frame.flags
                self.newest = frame

    def looks_like(self) -> str:
        """Return which of the built-in characters the newest frame is nearest to."""
        assert self.newest is not None
        frame = _mean_colours(self.newest.rgba)
        apart = {
            name: float(np.abs(_mean_colours(_premultiplied(name)) - frame).mean())
            for name in ("michi", "momo")
        }
        return min(apart, key=apart.__getitem__)


def _premultiplied(name: str) -> F32Array:
    rgba = open_picture(name).rgba.astype(np.float32)
    rgba[..., :3] *= rgba[..., 3:] / 255
    return rgba


def _mean_colours(rgba: Any) -> F32Array:
    """Return the mean of each 32x32 block: a face that moves changes it little."""
    blocks = np.asarray(rgba, np.float32).reshape(16, 32, 16, 32, 4)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def asked(daemon: DaemonProcess, method: str, path: str, **words: str) -> tuple[int, Any]:
    """Return the status and the content of an answer."""
    address, token = daemon.url.removeprefix("http://").split("/#token=")
    connection = HTTPConnection(address, timeout=PATIENCE_S)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = json.dumps(words) if words else None
        connection.request(method, f"/api/v1/{path}", body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer)
    finally:
        connection.close()


def test_characters_take_each_others_place_in_one_segment(
    prepared_michi: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "characters" / "mine"
    shutil.copytree(prepared_michi, mine)

    def shown_is(name: str) -> Callable[[], bool]:
        return lambda: asked(daemon, "GET", "character")[1]["name"] == name

    def switched(count: int) -> Callable[[], bool]:
        return lambda: status_of(daemon)["counters"].get("render.switched", 0) == count

    with (
        running(tmp_path, "run", inputs=("vmc",), extra=RENDER, package=mine) as daemon,
        Viewer(daemon.name) as viewer,
    ):
        assert viewer.looks_like() == "michi"
        assert asked(daemon, "PUT", "character", name="momo") == (202, {"accepted": True})
        wait_until(shown_is("momo"), PATIENCE_S, "the networks of another one are shown")
        frames = viewer.frames
        wait_until(lambda: viewer.frames > frames + 2, PATIENCE_S, "its frames come")
        assert viewer.looks_like() == "momo"
        listed = asked(daemon, "GET", "characters")[1]
        assert listed["shown"] == "momo"
        assert [one["name"] for one in listed["characters"] if one["shown"]] == ["momo"]
        assert status_of(daemon)["picture"] == "momo"

        assert asked(daemon, "PUT", "character", name="sumi")[0] == 202
        order = OscMessageBuilder("/vtbridge/character")
        order.add_arg("mine")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as osc:
            osc.sendto(order.build().dgram, ("127.0.0.1", daemon.ports["osc"]))
        wait_until(shown_is(str(mine)), PATIENCE_S, "the last one asked for is shown, prepared")
        assert status_of(daemon)["live"]["quality"] == "baked"
        wait_until(lambda: viewer.looks_like() == "michi", PATIENCE_S, "its frames come")
        assert asked(daemon, "PUT", "character", name=str(tmp_path / "config.toml"))[0] == 404

        count = status_of(daemon)["counters"]["render.switched"]
        picture = mine / PICTURE_FILE
        momo = BUILTIN["momo"].read_bytes()
        picture.write_bytes(momo[: len(momo) // 2])
        picture.write_bytes(momo)
        wait_until(switched(count + 1), PATIENCE_S, "the picture that was saved is shown")
        wait_until(lambda: viewer.looks_like() == "momo", PATIENCE_S, "its frames come")
        status = status_of(daemon)
        assert asked(daemon, "GET", "character")[1] == {
            "name": str(mine),
            "coming": "",
            "trouble": "",
        }
    assert not [one for one in status["warnings"] if one["about"] != "tracking"]
    assert status["stopped"] == []
    assert viewer.missing == 0
    assert viewer.alive == {Liveness.LIVE}
    assert len(viewer.uuids) == 1
    assert not viewer.flags & FrameFlag.PLACEHOLDER
    assert not [line for line in daemon.log if "Traceback" in line]
