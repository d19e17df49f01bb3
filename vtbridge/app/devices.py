"""The webcams and microphones of this computer, and what config.toml calls each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtbridge.errors import VtbridgeError
from vtbridge.tracking.microphone.portaudio import microphones
from vtbridge.tracking.webcam.camera import Camera, device_files, open_camera

_SYSFS = Path("/sys/class/video4linux")
_FPS = 30.0
_WIDTH = 640
_MOST_WEBCAMS = 8


@dataclass(frozen=True, slots=True)
class Device:
    """One webcam or microphone.

    Attributes:
        name: what the system calls it.
        device: what to type behind ``device =`` in config.toml.
        is_default: True for the one that is used where nothing is typed.
        trouble: why it cannot be used now, None if it can.
    """

    name: str
    device: int | str
    is_default: bool = False
    trouble: str | None = None

    @property
    def setting(self) -> str:
        """The whole line for config.toml."""
        return f"device = {json.dumps(self.device, ensure_ascii=False)}"


def list_webcams(
    *,
    open_camera: Callable[[int, float, int], Camera] = open_camera,
    sysfs: Path = _SYSFS,
    numbers: Sequence[int] | None = None,
) -> list[Device]:
    """Return the webcams, each tried; one that another program uses comes with its trouble.

    Args:
        open_camera: opens the webcam of a number with a rate and a width.
        sysfs: where Linux tells names.
        numbers: to try; None = those that Linux knows, elsewhere up to the first that fails.
    """
    if numbers is None and sys.platform == "linux":
        numbers = [int(path.name.removeprefix("video")) for path in device_files()]
    until_first_failure = numbers is None
    found = []
    for number in range(_MOST_WEBCAMS) if numbers is None else numbers:
        device = _webcam(number, open_camera, sysfs)
        if device.trouble is None:
            found.append(device)
        elif until_first_failure:
            break
        elif _takes_pictures(number, sysfs):
            found.append(device)
    return found


def list_microphones() -> list[Device]:
    """Return the microphones, by name where it is the only one of that name.

    Raises:
        VtbridgeError: PortAudio is missing or does not start; the message tells the remedy.
    """
    found = microphones()
    return [
        Device(
            name=microphone.name,
            # PortAudio takes a part of the name, and refuses one that fits several.
            device=microphone.number
            if sum(microphone.name.lower() in other.name.lower() for other in found) > 1
            else microphone.name,
            is_default=microphone.is_default,
        )
        for microphone in found
    ]


def plain_device(device: Device) -> dict[str, Any]:
    """Return ``device`` as JSON can hold it."""
    return {
        "name": device.name,
        "device": device.device,
        "default": device.is_default,
        "trouble": device.trouble,
    }


def _webcam(number: int, open_camera: Callable[[int, float, int], Camera], sysfs: Path) -> Device:
    trouble = None
    try:
        open_camera(number, _FPS, _WIDTH).close()
    except VtbridgeError as error:
        trouble = str(error)
    name = _told(sysfs / f"video{number}" / "name") or f"webcam {number}"
    return Device(name, number, is_default=number == 0, trouble=trouble)


def _takes_pictures(number: int, sysfs: Path) -> bool:
    """Return False for the second file that Linux makes for one webcam, for data only."""
    return _told(sysfs / f"video{number}" / "index") in {"", "0"}


def _told(path: Path) -> str:
    """Return what a file of the system says, empty if it says nothing."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
