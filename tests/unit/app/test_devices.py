"""Each webcam and microphone is listed with what config.toml calls it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from vtbridge.app import devices
from vtbridge.app.devices import Device, list_microphones, list_webcams
from vtbridge.datatypes import U8Array
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.microphone.portaudio import Microphone


class OpenCamera:
    """Opens the numbers it was given, and remembers what it gave back."""

    def __init__(self, *there: int) -> None:
        self.there = there
        self.closed = 0

    def __call__(self, number: int, fps: float, width: int) -> OpenCamera:
        if number not in self.there:
            raise VtbridgeError(f"webcam {number} is taken")
        return self

    def read(self) -> U8Array | None:
        raise AssertionError("nothing is filmed")

    def close(self) -> None:
        self.closed += 1


def sysfs(folder: Path, entries: dict[int, tuple[str, int]]) -> Path:
    """Write names and indices as Linux does."""
    for number, (name, index) in entries.items():
        place = folder / f"video{number}"
        place.mkdir()
        (place / "name").write_text(f"{name}\n")
        (place / "index").write_text(f"{index}\n")
    return folder


def test_webcams_come_with_their_names_and_numbers(tmp_path: Path) -> None:
    camera = OpenCamera(0, 2)
    told = sysfs(tmp_path, {0: ("C920", 0), 1: ("C920", 1), 2: ("OBS Virtual Camera", 0)})
    found = list_webcams(open_camera=camera, sysfs=told, numbers=[0, 1, 2])
    assert found == [
        Device("C920", 0, is_default=True),
        Device("OBS Virtual Camera", 2),
    ]
    assert camera.closed == 2


def test_webcam_that_cannot_be_opened_is_told_with_the_reason(tmp_path: Path) -> None:
    told = sysfs(tmp_path, {0: ("C920", 0)})
    (found,) = list_webcams(open_camera=OpenCamera(), sysfs=told, numbers=[0])
    assert found.trouble == "webcam 0 is taken"


def test_without_names_numbers_are_tried_up_to_the_first_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    found = list_webcams(open_camera=OpenCamera(0, 1, 3), sysfs=tmp_path)
    assert found == [Device("webcam 0", 0, is_default=True), Device("webcam 1", 1)]


@pytest.mark.parametrize(
    ("names", "typed"),
    [
        (["USB Mic", "Webcam"], ["USB Mic", "Webcam"]),
        (["Mic", "USB Mic"], [4, "USB Mic"]),
        (["Mic", "mic"], [4, 5]),
    ],
)
def test_microphone_is_typed_by_name_where_that_is_the_only_one(
    monkeypatch: pytest.MonkeyPatch, names: Sequence[str], typed: Sequence[int | str]
) -> None:
    found = [Microphone(4 + i, name, is_default=i == 1) for i, name in enumerate(names)]
    monkeypatch.setattr(devices, "microphones", lambda: found)
    listed = list_microphones()
    assert [device.device for device in listed] == typed
    assert [device.is_default for device in listed] == [False, True]


@pytest.mark.parametrize("device", [0, "USB Mic", 'Mic "front"', r"Mic (C:\x)", "Mikrofon (Größe)"])
def test_line_is_what_config_toml_reads_back(device: int | str) -> None:
    assert tomllib.loads(Device("x", device).setting) == {"device": device}
