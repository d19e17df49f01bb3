"""Open any recording of a tracker: its content tells what it is, its name what it was to be."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vtbridge.clock import NS_PER_S
from vtbridge.errors import ConfigError, PacketError, VtbridgeError
from vtbridge.tracking.protocols.table import PROTOCOLS
from vtbridge.tracking.recordings.livelink_csv import iter_livelink_csv
from vtbridge.tracking.recordings.session import (
    Record,
    RecordedDatagram,
    RecordedFace,
    SessionHeader,
    is_session,
    iter_session,
    read_header,
)
from vtbridge.tracking.recordings.udpcap import iter_capture
from vtbridge.tracking.recordings.unpacked import UNPACKING_ERRORS, open_unpacked
from vtbridge.tracking.settings import TrackingSettings

_START_NS = NS_PER_S
_CSV_COLUMNS = (b"Timecode", b"BlendShapeCount", b",")
_LONGEST_HEADER = 8192
_JUDGED_DATAGRAMS = 256
"""So many, from the first on, decide what a capture holds."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that can be read any number of times.

    Attributes:
        path: the file.
        kind: what it is, for people.
        records: begins to read it anew; raises PacketError where the file is damaged and
            ConfigError where it cannot be read.
        header: what the file says about itself, None where the format has no header.
        faces_are: protocol in which its faces came, None where they came in none.
    """

    path: Path
    kind: str
    records: Callable[[], Iterator[Record]]
    header: SessionHeader | None = None
    faces_are: str | None = None


def open_recording(path: Path) -> Recording:
    """Return the recording at ``path``: a .vtbrec, a .udpcap or a Live Link CSV, or a .gz of it.

    A capture names no protocol: the one that recognises most of its first datagrams has it.

    Raises:
        ConfigError: the file is not there, is no file or cannot be read.
        PacketError: it is damaged at its start, or none of these.
        VtbridgeError: it holds nothing, or no protocol knows what it holds.
    """
    with _reading(path):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ConfigError(f"{path} is no file; name a recording")  # a pipe would be waited for
        header = None
        if is_session(path):
            header = read_header(path)
            kind, begin = "recording", iter_session
        elif _is_csv(path) or _is_named(path, ".csv"):
            kind, begin = "Live Link CSV", _records_of_csv
        else:
            protocol = _protocol_of_capture(path)
            kind, begin = f"capture of {protocol}", partial(_records_of_capture, protocol)

    def records() -> Iterator[Record]:
        with _reading(path):
            yield from begin(path)

    return Recording(
        path, kind, records, header, faces_are="livelink" if begin is _records_of_csv else None
    )


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ConfigError(f"there is no recording {path}; check its name") from error
    except OSError as error:
        raise ConfigError(
            f"the recording {path} cannot be read: {error.strerror or error}; check the file "
            "and its permissions"
        ) from error


def _is_csv(path: Path) -> bool:
    with open_unpacked(path) as file, contextlib.suppress(*UNPACKING_ERRORS):
        first_line = file.read(_LONGEST_HEADER).partition(b"\n")[0]
        return all(name in first_line for name in _CSV_COLUMNS)
    return False


def _is_named(path: Path, suffix: str) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(suffix)


def _protocol_of_capture(path: Path) -> str:
    protocols = {row.name: row.create(TrackingSettings()) for row in PROTOCOLS}
    votes: Counter[str] = Counter()
    datagrams = 0
    try:
        for captured in itertools.islice(iter_capture(path), _JUDGED_DATAGRAMS):
            datagrams += 1
            found = (name for name, known in protocols.items() if known.recognises(captured.data))
            votes.update(itertools.islice(found, 1))
    except PacketError as error:
        if not votes and _is_named(path, ".udpcap"):
            raise
        if not votes:  # else it is a capture, good up to here
            raise PacketError(
                f"{path} is no recording (.vtbrec, .udpcap, Live Link .csv)", reason="recording"
            ) from error
    if not datagrams:
        raise VtbridgeError(f"{path} holds no datagram; record it again")
    if not votes:
        raise VtbridgeError(
            f"{path} holds datagrams that no tracker known to vtbridge sends; "
            "`vtbridge send --help` lists the protocols"
        )
    return votes.most_common(1)[0][0]


def _records_of_capture(protocol: str, path: Path) -> Iterator[Record]:
    for captured in iter_capture(path):
        t_ns = _START_NS + round(captured.t_s * NS_PER_S)
        yield RecordedDatagram(t_ns, f"{protocol}:capture", protocol, captured.data)


def _records_of_csv(path: Path) -> Iterator[Record]:
    for face in iter_livelink_csv(path):
        yield RecordedFace(face.t_ns, face)
