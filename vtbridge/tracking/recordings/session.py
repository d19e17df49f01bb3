"""Our own recording of all that trackers sent, a ``.vtbrec`` file: it replays a bug report.

Little-endian, optionally gzipped as a whole::

    magic      8 bytes   89 "VTBREC" 0A
    version    u16       1
    size       u32       of the header
    crc        u32       CRC-32 of the header
    header     JSON      see SessionHeader

    then, until the file ends:
    crc        u32       CRC-32 of the rest of the record
    kind       u8        see RecordKind
    source     u8        bytes of the source's name
    protocol   u8        bytes of the protocol's name
    flags      u8        1: the sender is new, what came before from it no longer holds
    t_ns       i64       monotonic time of arrival, never less than in the record before
    size       u32       bytes of data
    source, protocol (UTF-8), data

A file cut short by a crash is read up to the cut.
"""

from __future__ import annotations

import contextlib
import json
import logging
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError, VtbridgeError
from vtbridge.tracking.protocols import fmv3_messages as fmv3
from vtbridge.tracking.recordings.face_json import encode_face, parse_face
from vtbridge.tracking.recordings.udpcap import MAX_DATAGRAM_BYTES
from vtbridge.tracking.recordings.unpacked import UNPACKING_ERRORS, open_unpacked

log = logging.getLogger(__name__)

MAGIC = b"\x89VTBREC\n"
VERSION = 1
MAX_HEADER_BYTES = 1 << 18
MAX_DATA_BYTES = max(MAX_DATAGRAM_BYTES, fmv3.HEADER.size + fmv3.MAX_SCHEMA_BYTES)
"""The most that a tracker sends at once: a datagram, or FMV3's names over TCP."""
MAX_NAME_BYTES = 255
MAX_SESSION_BYTES = 1 << 34
"""Longest file written or read, unpacked: some ten hours of VMC in single messages."""
LONGEST_SESSION_NS = 7 * 24 * 3600 * NS_PER_S
"""A week."""

_PREAMBLE = struct.Struct("<8sHII")
_RECORD = struct.Struct("<IBBBBqI")
_CRC_BYTES = 4
_FRESH = 1
_LOSS = struct.Struct("<Q")


class RecordKind(IntEnum):
    """What a record holds."""

    DATAGRAM = 1
    FACE = 2
    LOSS = 3
    CALIBRATION = 4


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """What a recording says about itself.

    Attributes:
        vtbridge: version that recorded it.
        settings: tables of config.toml that poses depend on, as JSON.
        idle_seed: of the character's own motion.
        calibration: the neutral face as the retargeter saves it, empty if there was none.
        started: wall-clock time in ISO 8601, for people only.
    """

    vtbridge: str
    settings: Mapping[str, object] = field(default_factory=dict)
    idle_seed: int = 0
    calibration: Mapping[str, object] = field(default_factory=dict)
    started: str = ""


@dataclass(frozen=True, slots=True)
class RecordedDatagram:
    """What a tracker's socket brought.

    Attributes:
        t_ns: when it came, monotonic.
        source: as in ``FaceFrame.source``.
        protocol: name of its row in the table of protocols.
        data: the datagram, or one record of a TCP stream.
        fresh: True where the receiver forgot what it had from this source before.
    """

    t_ns: int
    source: str
    protocol: str
    data: bytes
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class RecordedFace:
    """What webcam or microphone saw or heard.

    Attributes:
        t_ns: when it came; what is tracked here was seen some time before, at ``face.t_ns``.
        face: the face.
    """

    t_ns: int
    face: FaceFrame


@dataclass(frozen=True, slots=True)
class RecordedLoss:
    """How many records are missing here because the disk was too slow."""

    t_ns: int
    count: int


@dataclass(frozen=True, slots=True)
class RecordedCalibration:
    """The user asked to take the face of the coming moments as neutral."""

    t_ns: int


Record = RecordedDatagram | RecordedFace | RecordedLoss | RecordedCalibration


def encode_header(header: SessionHeader) -> bytes:
    """Return the start of a file.

    Raises:
        VtbridgeError: the settings are more than any settings.
    """
    content = json.dumps(asdict(header), separators=(",", ":")).encode()
    if len(content) > MAX_HEADER_BYTES:
        raise VtbridgeError(
            f"the settings of {len(content)} bytes do not fit into a recording "
            f"({MAX_HEADER_BYTES}); shorten config.toml"
        )
    return _PREAMBLE.pack(MAGIC, VERSION, len(content), zlib.crc32(content)) + content


def encode_record(record: Record) -> bytes:
    """Return one record as it stands in the file.

    Raises:
        ValueError: a name or the data is longer than the format can hold.
    """
    flags = 0
    match record:
        case RecordedDatagram(t_ns, source_name, protocol_name, data, fresh):
            kind, flags = RecordKind.DATAGRAM, _FRESH * fresh
        case RecordedFace(t_ns, face):
            kind, source_name, protocol_name = RecordKind.FACE, face.source, ""
            data = encode_face(face, age_ns=t_ns - face.t_ns)
        case RecordedLoss(t_ns, count):
            kind, source_name, protocol_name, data = RecordKind.LOSS, "", "", _LOSS.pack(count)
        case RecordedCalibration(t_ns):
            kind, source_name, protocol_name, data = RecordKind.CALIBRATION, "", "", b""
    source, protocol = source_name.encode(), protocol_name.encode()
    if max(len(source), len(protocol)) > MAX_NAME_BYTES or len(data) > MAX_DATA_BYTES:
        raise ValueError(f"{source_name!r:.80} with {len(data)} bytes does not fit into a record")
    head = _RECORD.pack(0, kind, len(source), len(protocol), flags, t_ns, len(data))
    rest = head[_CRC_BYTES:] + source + protocol + data
    return struct.pack("<I", zlib.crc32(rest)) + rest


def is_session(path: Path) -> bool:
    """Return whether the file at ``path`` begins as a recording of ours does.

    Raises:
        OSError: it cannot be read.
    """
    with open_unpacked(path) as file, contextlib.suppress(*UNPACKING_ERRORS):
        return file.read(len(MAGIC)) == MAGIC
    return False


def read_header(path: Path) -> SessionHeader:
    """Return what a recording says about itself.

    Raises:
        PacketError: it is no recording, or its header is damaged.
        VtbridgeError: a newer vtbridge wrote it.
        OSError: it cannot be read.
    """
    with open_unpacked(path) as file:
        return _Reader(path, file).header()


def iter_session(path: Path) -> Iterator[Record]:
    """Yield the records of a recording, holding one at a time.

    Times never run backwards. What a crash cut off is left out with a warning.

    Raises:
        PacketError: the file is damaged; the message names the place. What was yielded
            before is good.
        VtbridgeError: a newer vtbridge wrote it.
        OSError: it cannot be read.
    """
    with open_unpacked(path) as file:
        reader = _Reader(path, file)
        reader.header()
        yield from reader.records()


class _Reader:
    """Reads one file from its beginning; every size is checked before it is asked for."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._offset = 0
        self._cut_short = False
        self._first_ns: int | None = None
        self._newest_ns = 0

    def header(self) -> SessionHeader:
        preamble = self._read(_PREAMBLE.size)
        if not preamble.startswith(MAGIC):
            raise self._damaged(0, "it does not begin as one")
        if len(preamble) < _PREAMBLE.size:
            raise self._damaged(0, "the file ends inside the header")
        _, version, size, crc = _PREAMBLE.unpack(preamble)
        if version != VERSION:
            raise VtbridgeError(
                f"{self._path} is a recording of format {version}, and this vtbridge reads "
                f"format {VERSION}; use the vtbridge that recorded it, or a newer one"
            )
        if size > MAX_HEADER_BYTES:
            raise self._damaged(_PREAMBLE.size, f"a header of {size} bytes")
        content = self._read(size)
        if len(content) < size:
            raise self._damaged(_PREAMBLE.size, "the file ends inside the header")
        if zlib.crc32(content) != crc:
            raise self._damaged(_PREAMBLE.size, "the header's checksum is wrong")
        return self._header_from_json(content)

    def records(self) -> Iterator[Record]:
        while True:
            offset = self._offset
            head = self._read(_RECORD.size)
            if not head and not self._cut_short:
                return
            if not any(head) and not any(self._read(MAX_DATA_BYTES)):
                self._warn_of_cut(offset)  # a crash of the system may leave zeros behind
                return
            if len(head) < _RECORD.size:
                self._warn_of_cut(offset)
                return
            crc, kind, source_size, protocol_size, flags, t_ns, size = _RECORD.unpack(head)
            if size > MAX_DATA_BYTES:
                raise self._damaged(offset, f"a record of {size} bytes")
            body = self._read(source_size + protocol_size + size)
            if len(body) < source_size + protocol_size + size:
                self._warn_of_cut(offset)
                return
            if zlib.crc32(body, zlib.crc32(head[_CRC_BYTES:])) != crc or flags & ~_FRESH:
                raise self._damaged(offset, "a record's checksum is wrong")
            self._check_size(offset)
            try:
                source = body[:source_size].decode()
                protocol = body[source_size : source_size + protocol_size].decode()
            except UnicodeDecodeError as error:
                raise self._damaged(offset, "a name that is not UTF-8") from error
            self._check_time(offset, t_ns)
            data = body[source_size + protocol_size :]
            match kind:
                case RecordKind.DATAGRAM:
                    yield RecordedDatagram(t_ns, source, protocol, data, fresh=bool(flags))
                case RecordKind.FACE:
                    yield RecordedFace(t_ns, self._face(offset, data, t_ns, source))
                case RecordKind.LOSS if len(data) == _LOSS.size:
                    yield RecordedLoss(t_ns, _LOSS.unpack(data)[0])
                case RecordKind.CALIBRATION if not data:
                    yield RecordedCalibration(t_ns)
                case _:
                    raise self._damaged(offset, f"a record of kind {kind}")

    def _face(self, offset: int, data: bytes, t_ns: int, source: str) -> FaceFrame:
        try:
            return parse_face(data, t_ns, source)
        except PacketError as error:
            raise self._damaged(offset, str(error)) from error

    def _check_time(self, offset: int, t_ns: int) -> None:
        first_ns = t_ns if self._first_ns is None else self._first_ns
        if not max(self._newest_ns, 0) <= t_ns <= first_ns + LONGEST_SESSION_NS:
            after_s = (t_ns - self._newest_ns) / NS_PER_S
            raise self._damaged(offset, f"a time of {after_s} s after the one before")
        self._first_ns, self._newest_ns = first_ns, t_ns

    def _check_size(self, offset: int) -> None:
        if self._offset > MAX_SESSION_BYTES:
            raise self._damaged(offset, f"more than {MAX_SESSION_BYTES} bytes")

    def _header_from_json(self, content: bytes) -> SessionHeader:
        try:
            match json.loads(content):
                case {
                    "vtbridge": str(vtbridge),
                    "settings": dict(settings),
                    "idle_seed": int(idle_seed),
                    "calibration": dict(calibration),
                    "started": str(started),
                }:
                    return SessionHeader(vtbridge, settings, idle_seed, calibration, started)
        except (ValueError, RecursionError) as error:
            raise self._damaged(_PREAMBLE.size, f"a header that is no JSON ({error})") from error
        raise self._damaged(_PREAMBLE.size, "a header that lacks a field")

    def _read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only where the file ends or was cut."""
        try:
            data = self._file.read(size)
        except EOFError:  # a gzip stream that does not end
            self._cut_short = True
            return b""
        except UNPACKING_ERRORS as error:
            raise self._damaged(self._offset, f"gzip says: {error}") from error
        self._offset += len(data)
        return data

    def _warn_of_cut(self, offset: int) -> None:
        log.warning(
            "%s was cut short at byte %d, as by a crash; what comes before is whole",
            self._path,
            offset,
        )

    def _damaged(self, offset: int, trouble: str) -> PacketError:
        return PacketError(
            f"{self._path} is not a whole recording: {trouble} at byte {offset}; "
            "copy it again from where it came, or record again",
            reason="recording",
        )
