"""The messages of FMV3: header, pieces, and the bodies of both sides.

Every message is a 40-byte header and a body; over UDP the bodies of SCHEMA and FRAME
may come in pieces, over TCP never. All numbers are little-endian without padding.

Source: PROTOCOL_V3.md, contract revision 5, of
github.com/emoto-yasushi/iFacialMocap_Facemotion3d_udp-tcp_v3.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from vtbridge.errors import PacketError

MAGIC = b"FMV3"
REVISION = 5
LARGEST_FPS = 60
SMALLEST_DATAGRAM, LARGEST_DATAGRAM = 576, 1200
"""What a receiver may ask for as the size of a FRAME's datagram, header included."""
SCHEMA_DATAGRAM = 576
"""Size of each datagram of a SCHEMA: it is sent before a size is agreed."""
MAX_SCHEMA_BYTES = 65_536
MAX_NAMES = 512
"""Both far below what the specification allows, so that no schema delays another tracker's
face: a phone names about 60 blendshapes in 1.5 kB."""
MAX_PIECES = 128
"""As many as the largest SCHEMA has, or a few more."""
LEASE_MS = 10_000
SHORTEST_LEASE_MS, LONGEST_LEASE_MS = 5_000, 60_000

POSE = struct.Struct("<12f")
"""Head rx ry rz px py pz, right eye rx ry rz, left eye rx ry rz; degrees and metres."""
HEADER = struct.Struct("<4sBBHQIIIIHHI")

MAX_FRAME_BYTES = MAX_NAMES * 4 + POSE.size

_HELLO = struct.Struct("<HHI")
_START = struct.Struct("<QHHII")
_MAX_ERROR_BYTES = 512
_MAX_NAME_BYTES = 255
_POSE_LAYOUT = "head_rxyz_pxyz_rightEye_rxyz_leftEye_rxyz"
_FIXED = {
    "blend_unit": "percent",
    "pose_layout": _POSE_LAYOUT,
    "rotation_unit": "degree",
    "position_unit": "meter",
}
_PROFILES = {"iFacialMocap": "ifacialmocap-stream", "Facemotion3d": "facemotion3d-other"}
_LETTERS = {"i16": "h", "i32": "i"}


class Kind(IntEnum):
    """What a message is."""

    HELLO = 1
    SCHEMA = 2
    SCHEMA_ACK = 3
    FRAME = 4
    GET_SCHEMA = 5
    PING = 6
    PONG = 7
    STOP = 8
    ERROR = 9


class FrameState(IntFlag):
    """The flags of a FRAME."""

    TRACKED = 1
    PLAYBACK = 2


NO_STATE = FrameState(0)

_BODY_BYTES: dict[Kind, tuple[int, int]] = {
    Kind.HELLO: (_HELLO.size, _HELLO.size),
    Kind.SCHEMA: (_START.size, MAX_SCHEMA_BYTES),
    Kind.FRAME: (POSE.size, MAX_FRAME_BYTES),
    Kind.ERROR: (1, _MAX_ERROR_BYTES),
}
"""Least and most bytes of a body; the other kinds have none."""
_IN_PIECES = (Kind.SCHEMA, Kind.FRAME)


@dataclass(frozen=True, slots=True)
class Message:
    """One message, or one piece of it.

    Attributes:
        kind: what it is.
        session: of the phone; of a HELLO and its refusal the receiver's nonce. Never 0.
        schema: which SCHEMA it is about, 0 = none.
        sequence: number of a FRAME or PING.
        flags: state of a FRAME.
        token: of a FRAME, for the app's own use.
        body: this piece's bytes.
        total: bytes of the whole body.
        piece: number of this piece.
        pieces: how many there are.
    """

    kind: Kind
    session: int
    schema: int = 0
    sequence: int = 0
    flags: FrameState = NO_STATE
    token: int = 0
    body: bytes = b""
    total: int = 0
    piece: int = 0
    pieces: int = 1


@dataclass(frozen=True, slots=True)
class Hello:
    """What a receiver asks for."""

    fps: int = LARGEST_FPS
    datagram: int = LARGEST_DATAGRAM


@dataclass(frozen=True, slots=True)
class Start:
    """What holds for a whole session.

    Attributes:
        nonce: that of the HELLO, 0 if the stream was started on the phone.
        fps: most frames a second.
        datagram: most bytes of a FRAME's datagram.
        lease_ms: silence of the receiver after which the phone stops.
    """

    nonce: int
    fps: int = LARGEST_FPS
    datagram: int = LARGEST_DATAGRAM
    lease_ms: int = LEASE_MS


@dataclass(frozen=True, slots=True)
class Schema:
    """How the numbers of a FRAME are read.

    Attributes:
        names: of the blendshapes, in the order of the numbers.
        encoding: ``i16`` or ``i32``.
    """

    names: tuple[str, ...]
    encoding: str = "i16"

    @property
    def values(self) -> struct.Struct:
        """The blendshapes of a FRAME, integer percent."""
        return struct.Struct(f"<{len(self.names)}{_LETTERS[self.encoding]}")


def message_bytes(header: bytes) -> int:
    """Return the size of the message of a stream that begins with ``header``.

    Args:
        header: at least its first 40 bytes.

    Raises:
        PacketError: it is no header of a whole message.
    """
    message = _parse_header(header)
    if message.pieces != 1:
        raise _malformed("a piece of a message in a stream")
    return HEADER.size + message.total


def parse_message(data: bytes) -> Message:
    """Parse one datagram, or one message of a stream.

    Raises:
        PacketError: a field breaks the rules of its kind.
    """
    message = _parse_header(data)
    body = data[HEADER.size :]
    if len(body) != int.from_bytes(data[36:40], "little"):
        raise _malformed(f"{len(body)} bytes follow a header that says otherwise")
    return Message(
        message.kind,
        message.session,
        message.schema,
        message.sequence,
        message.flags,
        message.token,
        body,
        message.total,
        message.piece,
        message.pieces,
    )


def encode_message(message: Message, *, datagram: int | None = None) -> list[bytes]:
    """Return the datagrams of a whole message, or its bytes in a stream.

    Args:
        message: with its whole body.
        datagram: size of a FRAME's datagram; None = a stream, which has no pieces.
    """
    size = SCHEMA_DATAGRAM if message.kind is Kind.SCHEMA and datagram else datagram
    capacity = size - HEADER.size if size and message.kind in _IN_PIECES else len(message.body)
    chunks = [
        message.body[start : start + capacity]
        for start in range(0, len(message.body), max(capacity, 1))
    ] or [b""]
    return [
        HEADER.pack(
            MAGIC,
            message.kind,
            message.flags,
            HEADER.size,
            message.session,
            message.schema,
            message.sequence,
            message.token,
            len(message.body),
            piece,
            len(chunks),
            len(chunk),
        )
        + chunk
        for piece, chunk in enumerate(chunks)
    ]


def encode_hello(hello: Hello) -> bytes:
    """Return the body of a HELLO."""
    return _HELLO.pack(hello.fps, hello.datagram, REVISION)


def parse_hello(body: bytes) -> Hello:
    """Parse the body of a HELLO.

    Raises:
        PacketError: another revision, or values that may not be asked for.
    """
    if len(body) != _HELLO.size:
        raise _malformed(f"a HELLO of {len(body)} bytes")
    fps, datagram, revision = _HELLO.unpack(body)
    _check_revision(revision)
    _check_limits(fps, datagram)
    return Hello(fps, datagram)


def encode_schema(start: Start, schema: Schema, app: str = "iFacialMocap") -> bytes:
    """Return the body of a SCHEMA, its JSON without spaces as the phone writes it."""
    fields = {
        "schema_version": 1,
        "app": app,
        "profile": _PROFILES[app],
        "blend_names": schema.names,
        "blend_encoding": schema.encoding,
        **_FIXED,
    }
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    numbers = _START.pack(start.nonce, start.fps, start.datagram, start.lease_ms, REVISION)
    return numbers + text.encode()


def parse_schema(body: bytes) -> tuple[Start, Schema]:
    """Parse the whole body of a SCHEMA.

    Raises:
        PacketError: another revision, or its numbers could not be read rightly.
    """
    start = _parse_start(body)
    fields = _parse_json(body[_START.size :])
    if fields.get("schema_version") != 1 or any(fields.get(k) != v for k, v in _FIXED.items()):
        raise _malformed("a schema of another version, unit or order")
    encoding = fields.get("blend_encoding")
    if encoding not in ("i16", "i32"):
        raise _malformed(f"numbers of type {str(encoding)[:20]!r}")
    names = fields.get("blend_names")
    if not isinstance(names, list):
        raise _malformed("a schema without a list of names")
    if len(names) > MAX_NAMES:
        raise _malformed(f"a schema of {len(names)} names; {MAX_NAMES} are the most")
    known: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not _is_a_name(name) or name in known:
            raise _malformed(f"the blendshape {str(name)[:40]!r}")
        known.add(name)
    return start, Schema(tuple(names), encoding)


def encode_frame(schema: Schema, percents: Sequence[int], pose: Sequence[float]) -> bytes:
    """Return the body of a FRAME of that many integer percents and 12 pose numbers."""
    return schema.values.pack(*percents) + POSE.pack(*pose)


def _parse_header(data: bytes) -> Message:
    """Return the message whose header this is, without its body."""
    if len(data) < HEADER.size:
        raise _malformed(f"{len(data)} bytes, less than a header")
    magic, number, flags, size, session, schema, sequence, token, total, piece, pieces, chunk = (
        HEADER.unpack_from(data)
    )
    if magic != MAGIC or size != HEADER.size:
        raise PacketError(f"{data[:8]!r} is no header of FMV3", reason="not fmv3")
    try:
        kind = Kind(number)
    except ValueError as error:
        raise _malformed(f"a message of type {number}") from error
    if kind is Kind.SCHEMA_ACK and total:
        raise PacketError(
            "the app speaks FMV3 revision 4, an old beta; update the app", reason="fmv3 revision"
        )
    least, most = _BODY_BYTES.get(kind, (0, 0))
    whole = pieces == 1 and chunk == total
    in_pieces = kind in _IN_PIECES and 1 < pieces <= MAX_PIECES and 0 < chunk <= total
    if not least <= total <= most or piece >= pieces or not (whole or in_pieces):
        raise _malformed(f"a {kind.name} of {chunk} in {total} bytes, piece {piece} of {pieces}")
    if session == 0 or (schema == 0 and kind in (Kind.SCHEMA, Kind.FRAME, Kind.SCHEMA_ACK)):
        raise _malformed(f"a {kind.name} without a session or a schema")
    if kind is not Kind.FRAME and (flags or token):
        raise _malformed(f"a {kind.name} with the flags of a FRAME")
    if flags > FrameState.TRACKED | FrameState.PLAYBACK:
        raise _malformed(f"a FRAME with flags {flags}")
    return Message(
        kind, session, schema, sequence, FrameState(flags), token, b"", total, piece, pieces
    )


def _parse_start(body: bytes) -> Start:
    if len(body) < _START.size:
        raise _malformed(f"a SCHEMA of {len(body)} bytes")
    nonce, fps, datagram, lease_ms, revision = _START.unpack_from(body)
    _check_revision(revision)
    _check_limits(fps, datagram)
    if not SHORTEST_LEASE_MS <= lease_ms <= LONGEST_LEASE_MS:
        raise _malformed(f"a lease of {lease_ms} ms")
    return Start(nonce, fps, datagram, lease_ms)


def _check_revision(revision: int) -> None:
    if revision != REVISION:
        raise PacketError(
            f"the app speaks FMV3 revision {revision}, not {REVISION}; update the older of the two",
            reason="fmv3 revision",
        )


def _check_limits(fps: int, datagram: int) -> None:
    if not 1 <= fps <= LARGEST_FPS or not SMALLEST_DATAGRAM <= datagram <= LARGEST_DATAGRAM:
        raise _malformed(f"{fps} frames a second in datagrams of {datagram} bytes")


def _parse_json(text: bytes) -> dict[str, object]:
    try:
        fields = json.loads(text.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _malformed("a schema that is no JSON") from error
    if not isinstance(fields, dict):
        raise _malformed("a schema that is no JSON object")
    return fields


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key stands twice")
    return fields


def _is_a_name(name: str) -> bool:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False  # half of a surrogate pair
    return 1 <= size <= _MAX_NAME_BYTES and min(name) >= " "


def _malformed(what: str) -> PacketError:
    return PacketError(f"FMV3: {what}", reason="malformed fmv3")
