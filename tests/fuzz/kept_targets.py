"""What the program itself keeps between runs, damaged by a crash, a disk or a curious hand."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.fuzz.target import Target, folder
from vtbridge.app.calibration_file import calibration_path, load_calibration
from vtbridge.app.vowel_file import load_vowels, vowel_path
from vtbridge.control.address import address_path, read_address
from vtbridge.control.vts.plugins import CustomParameter, PluginBook, PluginId
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.tracking.microphone.mfcc import COEFFICIENTS
from vtbridge.tracking.microphone.vowels import Vowel, VowelProfile

NAME = "fuzz"
CALIBRATIONS: tuple[dict[str, object], ...] = (
    {
        "version": 2,
        "trackers": {"vmc": {"head_rad": [0.1, 0, 0], "iris": [0, 0.1], "rest": {"jawOpen": 0.1}}},
    },
    {"head_rad": [0, 0.1, 0], "iris": [0, 0], "rest": {}},
    {},
)


def kept_targets() -> list[Target]:
    """Return the targets; none of these files may keep the program from starting."""
    return [
        Target("calibration", _with(_calibration_file, _calibration), _calibrations, ()),
        Target("vowels", _with(vowel_path, load_vowels), _vowels, ()),
        Target("control-address", _with(_address_file, _address), _addresses, ()),
        Target("plugin-book", _with(_book_file, _book), _books, ()),
    ]


def _with(path: Callable[[], Path], read: Callable[[], object]) -> Callable[[bytes], object]:
    """Return what reads a file that is under ``XDG_STATE_HOME`` as the program does."""

    def run(data: bytes) -> None:
        before = os.environ.get("XDG_STATE_HOME")
        os.environ["XDG_STATE_HOME"] = str(folder())
        quiet = logging.getLogger("vtbridge")
        level = quiet.level
        quiet.setLevel(logging.CRITICAL)
        try:
            file = path()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            read()
        finally:
            quiet.setLevel(level)
            if before is None:
                del os.environ["XDG_STATE_HOME"]
            else:
                os.environ["XDG_STATE_HOME"] = before

    return run


def _calibration_file() -> Path:
    return calibration_path(NAME)


def _calibration() -> None:
    """What is accepted can be saved and read again."""
    retargeter = Retargeter(RetargetSettings())
    load_calibration(retargeter, NAME)
    saved = retargeter.save_calibration()
    again = Retargeter(RetargetSettings())
    again.load_calibration(json.loads(json.dumps(saved)))
    assert again.save_calibration() == saved


def _calibrations() -> list[bytes]:
    return [json.dumps(one).encode() for one in CALIBRATIONS]


def _vowels() -> list[bytes]:
    rows = [[float(row + number) for number in range(COEFFICIENTS)] for row in range(len(Vowel))]
    profile = VowelProfile(np.array(rows), np.ones(COEFFICIENTS))
    return [json.dumps(profile.to_dict()).encode()]


def _address_file() -> Path:
    return address_path(NAME)


def _address() -> None:
    read_address(NAME)


def _addresses() -> list[bytes]:
    return [b'{"port": 39540, "token": "' + b"0" * 32 + b'"}']


def _book_file() -> Path:
    return folder() / "book.json"


def _book() -> None:
    book = PluginBook(_book_file(), now_s=lambda: 1e9)
    book.find(PluginId("Deck", "tests"), "token")


def _books() -> list[bytes]:
    path = folder() / "whole-book.json"
    path.unlink(missing_ok=True)
    book = PluginBook(path, now_s=lambda: 1e9)
    plugin = PluginId("Deck", "tests")
    book.ask(PluginId("Other", "tests"))
    book.grant(plugin)
    book.keep_parameters(plugin, (CustomParameter("MyParam", 0.0, 1.0, 0.5, ""),))
    return [path.read_bytes()]
