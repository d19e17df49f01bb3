"""Read the .csv that Live Link Face records on an iPhone, plain or gzipped.

Columns are found by their names. Each row has the time of day as a time code
``HH:MM:SS:FF.fff``; FF counts 60 a second whatever the app films (an app at 30 has every
other number), or 24, 25, 30, 48 or 50 where the clock of a camera is followed. A row
without a face has a blendshape count of 0.
"""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.livelink import (
    ANGLE_NAMES,
    SHAPE_NAMES,
    gaze_from_livelink,
    head_from_livelink,
)
from vtbridge.tracking.protocols.protocol import weight_from_number
from vtbridge.tracking.recordings.unpacked import UNPACKING_ERRORS, open_unpacked

log = logging.getLogger(__name__)

SOURCE = "livelink:recording"
MAX_BYTES = 1 << 30
"""Longest file read, unpacked: more than a day."""
MAX_LINE = 8192

_START_NS = NS_PER_S
_USUAL_RATE = 60
_RATES = (24, 25, 30, 48, 50, 60, 100, 120, 240)
_LARGEST_ANGLE_RAD = math.tau
_COLUMNS_NAMED = 4
_DAY_S = 24 * 3600.0
_TIMECODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:\.\d{1,9})?)", re.ASCII)


def iter_livelink_csv(
    path: Path, on_bad_row: Callable[[str], object] | None = None
) -> Iterator[FaceFrame]:
    """Yield the faces of a recording, the first at 1 s, the others as far behind it as filmed.

    Args:
        path: the file.
        on_bad_row: told of each row that is left out, with its line; None = a warning of
            the first and of how many there were.

    Raises:
        PacketError: it is no such recording, holds not one good row, or is cut short where
            it was packed; the message names the file and the line.
        OSError: it cannot be read.
    """
    rows = _Rows(_rate_of(path))
    good = bad = 0
    first_trouble = "it has no row"
    for line, row in _rows_of(path):
        try:
            face = rows.face(row)
        except ValueError as error:
            trouble = f"line {line}: {error}"
            if not bad:
                first_trouble = trouble
            bad += 1
            if on_bad_row is not None:
                on_bad_row(f"{path}, {trouble}")
            elif bad == 1:
                log.warning("%s, %s; the row is left out", path, trouble)
            continue
        good += 1
        yield face
    if not good:
        raise _not_a_recording(path, first_trouble)
    if bad > 1 and on_bad_row is None:
        log.warning("%s: %d rows of %d were left out", path, bad, good + bad)


class _Rows:
    """Turn rows into faces, one after the other."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._first_s: float | None = None
        self._last_s = 0.0
        self._last = FaceFrame(0)

    def face(self, row: dict[str, str]) -> FaceFrame:
        """Return the face of a row.

        Raises:
            ValueError: the row makes no sense; nothing of it was used.
        """
        since_first_s = self._since_first_s(_time_of_day_s(row["Timecode"], self._rate))
        t_ns = _START_NS + round(since_first_s * NS_PER_S)
        last = self._last
        if row["BlendShapeCount"].strip() == "0":
            face = FaceFrame(
                t_ns, SOURCE, False, last.blendshapes, {}, last.head, last.left_eye, last.right_eye
            )
        else:
            head, left, right = _angles(row)
            face = FaceFrame(
                t_ns, SOURCE, True, MappingProxyType(_weights(row)), {}, head, left, right
            )
        self._last_s = since_first_s
        self._last = face
        return face

    def _since_first_s(self, time_s: float) -> float:
        if self._first_s is None:
            self._first_s = time_s
        since_s = time_s - self._first_s
        if since_s < self._last_s - _DAY_S / 2:
            since_s += _DAY_S * math.ceil((self._last_s - _DAY_S / 2 - since_s) / _DAY_S)
        if since_s < self._last_s:
            raise ValueError(f"its time code runs back by {self._last_s - since_s:.3f} s")
        return since_s


def _rate_of(path: Path) -> int:
    """Return how many frames a second the time codes count."""
    highest, seconds = 0.0, set[str]()
    with contextlib.suppress(PacketError):  # told again, behind the good rows before it
        for _line, row in _rows_of(path):
            if (code := _TIMECODE.fullmatch(row["Timecode"].strip())) is not None:
                highest = max(highest, float(code[4]))
                if len(seconds) < 3:
                    seconds.add(code[3])
    if len(seconds) < 3:
        return _USUAL_RATE  # no whole second from which to tell
    return next((rate for rate in _RATES if highest < rate), _RATES[-1])


def _rows_of(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and row, missing cells empty."""
    with contextlib.closing(open_unpacked(path)) as binary:
        text = io.TextIOWrapper(binary, "utf-8-sig", errors="replace", newline="")
        reader = csv.reader(_bounded_lines(text, path))
        header: list[str] | None = None
        try:
            for cells in reader:
                if header is None:
                    header = [cell.strip() for cell in cells]
                    _check_header(path, header)
                elif cells:
                    cells += [""] * (len(header) - len(cells))
                    yield reader.line_num, dict(zip(header, cells, strict=False))
        except csv.Error as error:
            raise _not_a_recording(path, f"line {reader.line_num}: {error}") from error
        except UNPACKING_ERRORS as error:
            raise _not_a_recording(
                path, f"it cannot be unpacked behind line {reader.line_num}"
            ) from error
        if header is None:
            raise _not_a_recording(path, "it is empty")


def _bounded_lines(text: io.TextIOWrapper, path: Path) -> Iterator[str]:
    read = 0
    for number, line in enumerate(iter(lambda: text.readline(MAX_LINE + 1), ""), 1):
        read += len(line)
        if len(line) > MAX_LINE or read > MAX_BYTES:
            raise _not_a_recording(path, f"at line {number} it grows beyond any recording")
        yield line


def _check_header(path: Path, header: list[str]) -> None:
    wanted = {"Timecode", "BlendShapeCount", *_COLUMNS.values(), *ANGLE_NAMES}
    if missing := sorted(wanted - set(header)):
        named = ", ".join(missing[:_COLUMNS_NAMED])
        more = f" and {len(missing) - _COLUMNS_NAMED} more" * (len(missing) > _COLUMNS_NAMED)
        are = f"column {named} is" if len(missing) == 1 else f"columns {named}{more} are"
        raise _not_a_recording(path, f"the {are} missing in line 1")


def _time_of_day_s(code: str, rate: int) -> float:
    parts = _TIMECODE.fullmatch(code.strip())
    if parts is None:
        raise ValueError(f"{code[:20]!r} is no time code")
    hours, minutes, seconds, frames = (float(part) for part in parts.groups())
    return hours * 3600 + minutes * 60 + seconds + frames / rate


def _weights(row: dict[str, str]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for name, column in _COLUMNS.items():
        weight = weight_from_number(_number(row, column))
        if weight is None:
            raise ValueError(f"{column} is {row[column][:20]!r}")
        weights[name] = weight
    return weights


def _angles(row: dict[str, str]) -> tuple[HeadPose, Gaze, Gaze]:
    angles = {name: _number(row, name) for name in ANGLE_NAMES}
    for name, angle in angles.items():
        if not abs(angle) <= _LARGEST_ANGLE_RAD:
            raise ValueError(f"{name} is {row[name][:20]!r}")
    return (
        head_from_livelink(angles["HeadYaw"], angles["HeadPitch"], angles["HeadRoll"]),
        gaze_from_livelink(angles["LeftEyeYaw"], angles["LeftEyePitch"]),
        gaze_from_livelink(angles["RightEyeYaw"], angles["RightEyePitch"]),
    )


def _number(row: dict[str, str], column: str) -> float:
    try:
        return float(row[column])
    except ValueError:
        raise ValueError(f"{column} is {row[column][:20]!r}, no number") from None


def _not_a_recording(path: Path, trouble: str) -> PacketError:
    return PacketError(
        f"{path} is no whole Live Link Face recording: {trouble}; export it again",
        reason="livelink recording",
    )


_COLUMNS: dict[str, str] = {name: name[0].upper() + name[1:] for name in SHAPE_NAMES}
