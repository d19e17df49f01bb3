"""The datagrams between tracker and renderer, byte by byte; pure functions.

Numbers are big-endian. Every datagram is a header, a payload, and a signature::

    0   4  magic "VTBR"
    4   1  version, 1
    5   1  kind
    6   2  reserved, 0
    8   8  session, chosen by the tracker
    16  4  sequence, from 1; of each side and session its own, never used twice
    20  8  when it was sent, microseconds of the sender's monotonic clock
    28  .  payload
    -16 16 the first half of HMAC-SHA256 over all before it

Kinds and their payloads; T and R are tracker and renderer::

    1 HELLO    T>R   16 nonce of the tracker
    2 WELCOME  R>T   16 nonce of the renderer
    3 POSE     T>R   4  id of the renderer's newest command that was taken, 0 = none
                     1  flags: 1 a face is seen, 2 coverage follows, 4 shapes follow
                     2  presence, 0..65535 = 0..1
                     4  age of the face behind the pose, microseconds; 0xffffffff = no face
                     90 45 pose parameters in the order of ``PoseParam``, 2 bytes each: those of
                        -1..1 as value * 32767, signed; those of 0..1 as value * 65535, unsigned
                     45 coverage of each parameter, 0..255 = 0..1; else all are 1
                     52 ARKit shapes in the order of ``ARKIT_NAMES``, 0..254 = 0..1, 255 = not sent
    4 REPORT   R>T   4  id of the tracker's newest command that was taken, 0 = none
                     4  newest sequence that came
                     4  how many poses of the session came
    5 ASK      T>R   a command, see below
    6 TELL     R>T   a command
    command:         4  id, from 1
                     1  code: 1 calibrate, 2 switch, 3 press, 4 release, 5 clear,
                        6 character
                     1  how: 0 off or up, 1 on or down, 2 the other way
                     .  name of the expression or character, UTF-8, at most 64 bytes

Signing keys come from the shared secret: ``derive(secret, b"hello")`` signs a HELLO,
``derive(secret, b"welcome" + T's nonce)`` the WELCOME, and ``derive(secret, b"session" + session
+ T's nonce + R's nonce)`` all that follows, so that nothing recorded in one session is valid in
another. Poses and commands are signed, not encrypted.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.errors import PacketError
from vtbridge.pose_params import POSE_SIZE, PoseParam

MAGIC, VERSION = b"VTBR", 1
NONCE_BYTES = 16
SIGNATURE_BYTES = 16
SHAPES = 52
MAX_NAME_BYTES = 64
MAX_DATAGRAM = 512
"""More than any message; longer ones are refused unread."""

_HEADER = struct.Struct("!4sBBHQIQ")
_POSE = struct.Struct("!IBHI")
_REPORT = struct.Struct("!III")
_COMMAND = struct.Struct("!IBB")
_SMALLEST = _HEADER.size + SIGNATURE_BYTES

_TRACKED, _HAS_COVERAGE, _HAS_SHAPES = 1, 2, 4
_NO_AGE = 0xFFFF_FFFF
_NO_SHAPE = 255
_SHAPE_STEPS = 254
_SIGNED: NDArray[np.bool_] = np.array([param.signed for param in PoseParam])
_LOW: NDArray[np.float64] = np.where(_SIGNED, -1.0, 0.0)
_STEPS: NDArray[np.float64] = np.where(_SIGNED, 32767.0, 65535.0)


class Kind(IntEnum):
    """What a datagram is."""

    HELLO = 1
    WELCOME = 2
    POSE = 3
    REPORT = 4
    ASK = 5
    TELL = 6


class Code(IntEnum):
    """What a command asks for."""

    CALIBRATE = 1
    SWITCH = 2
    PRESS = 3
    RELEASE = 4
    CLEAR = 5
    CHARACTER = 6


@dataclass(frozen=True, slots=True)
class Envelope:
    """A datagram whose signature has not been looked at yet.

    Attributes:
        kind: what the payload is.
        session: whose it is.
        sequence: its number.
        sent_us: when it was sent, the sender's clock.
        payload: what to parse once the signature is right.
        signed: all that the signature is over.
        signature: as it came.
    """

    kind: Kind
    session: int
    sequence: int
    sent_us: int
    payload: bytes
    signed: bytes
    signature: bytes

    def is_signed_with(self, key: bytes) -> bool:
        """Return whether whoever sent it has ``key``."""
        return hmac.compare_digest(_signature(key, self.signed), self.signature)


@dataclass(frozen=True, slots=True, eq=False)
class PoseMessage:
    """What a tracker knows at one moment.

    Attributes:
        values: float32 [45], in the ranges of the parameters.
        presence: how far a tracker vouches for them, 0..1.
        tracked: whether a face is seen.
        age_us: of the face behind the pose, microseconds; None = no face.
        coverage: float32 [45], 0..1; None = all 1.
        shapes: the 52 ARKit shapes, None for each that is not sent; empty = none at all.
        taken: id of the renderer's newest command that was taken.
    """

    values: F32Array
    presence: float = 1.0
    tracked: bool = True
    age_us: int | None = 0
    coverage: F32Array | None = None
    shapes: tuple[float | None, ...] = ()
    taken: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What a renderer has received.

    Attributes:
        taken: id of the tracker's newest command that was taken.
        newest: highest sequence that came.
        poses: how many poses came.
    """

    taken: int
    newest: int
    poses: int


@dataclass(frozen=True, slots=True)
class Command:
    """Something to do at the other end.

    Attributes:
        code: what.
        name: of the expression or character, empty where none belongs to it.
        on: on or down, off or up, None = the other way.
    """

    code: Code
    name: str = ""
    on: bool | None = None


def derive(secret: bytes, purpose: bytes) -> bytes:
    """Return the 32 bytes that sign for ``purpose``."""
    return hmac.digest(secret, purpose, hashlib.sha256)


def session_key(secret: bytes, session: int, tracker: bytes, renderer: bytes) -> bytes:
    """Return what signs a session after its two nonces are known."""
    return derive(secret, b"session" + session.to_bytes(8, "big") + tracker + renderer)


def encode(
    kind: Kind, session: int, sequence: int, sent_us: int, payload: bytes, key: bytes
) -> bytes:
    """Return a signed datagram."""
    header = _HEADER.pack(MAGIC, VERSION, kind, 0, session, sequence, sent_us)
    signed = header + payload
    return signed + _signature(key, signed)


def parse(datagram: bytes) -> Envelope:
    """Take a datagram apart; its payload is for whoever has checked the signature.

    Raises:
        PacketError: it is none of these.
    """
    if len(datagram) > MAX_DATAGRAM or len(datagram) < _SMALLEST:
        raise PacketError(f"{len(datagram)} bytes are no message", reason="size")
    magic, version, kind, reserved, session, sequence, sent_us = _HEADER.unpack_from(datagram)
    if magic != MAGIC:
        raise PacketError(f"it begins with {magic!r}, not {MAGIC!r}", reason="not recognised")
    if version != VERSION:
        raise PacketError(
            f"version {version} of the wire, not {VERSION}; use the same vtbridge on both",
            reason="version",
        )
    if reserved or sequence == 0:
        raise PacketError("a reserved field is used, or the sequence is 0", reason="header")
    try:
        known = Kind(kind)
    except ValueError:
        raise PacketError(f"kind {kind} is unknown", reason="kind") from None
    signed = datagram[:-SIGNATURE_BYTES]
    return Envelope(
        known,
        session,
        sequence,
        sent_us,
        signed[_HEADER.size :],
        signed,
        datagram[-SIGNATURE_BYTES:],
    )


def encode_pose(message: PoseMessage) -> bytes:
    """Return the payload of a POSE; what is out of range is clamped."""
    flags = _TRACKED if message.tracked else 0
    parts = [_steps_of(message.values)]
    if message.coverage is not None:
        flags |= _HAS_COVERAGE
        parts.append(_bytes_of(message.coverage))
    if message.shapes:
        flags |= _HAS_SHAPES
        parts.append(bytes(_byte_of(shape) for shape in message.shapes))
    age = _NO_AGE if message.age_us is None else min(max(message.age_us, 0), _NO_AGE - 1)
    presence = round(_bounded(message.presence) * 65535)
    return _POSE.pack(message.taken, flags, presence, age) + b"".join(parts)


def parse_pose(payload: bytes) -> PoseMessage:
    """Parse the payload of a POSE.

    Raises:
        PacketError: its length is not that of its flags, or a flag is unknown.
    """
    if len(payload) < _POSE.size:
        raise PacketError(f"a pose of {len(payload)} bytes", reason="size")
    taken, flags, presence, age = _POSE.unpack_from(payload)
    if flags & ~(_TRACKED | _HAS_COVERAGE | _HAS_SHAPES):
        raise PacketError(f"unknown flags {flags:#x} of a pose", reason="flags")
    wanted = _POSE.size + 2 * POSE_SIZE
    wanted += POSE_SIZE * bool(flags & _HAS_COVERAGE) + SHAPES * bool(flags & _HAS_SHAPES)
    if len(payload) != wanted:
        raise PacketError(f"a pose of {len(payload)} bytes, not {wanted}", reason="size")
    at = _POSE.size + 2 * POSE_SIZE
    values = _values_from(payload[_POSE.size : at])
    coverage = None
    if flags & _HAS_COVERAGE:
        raw = np.frombuffer(payload, np.uint8, POSE_SIZE, at)
        coverage = (raw / 255.0).astype(np.float32)
        at += POSE_SIZE
    shapes: tuple[float | None, ...] = ()
    if flags & _HAS_SHAPES:
        shapes = tuple(None if one == _NO_SHAPE else one / _SHAPE_STEPS for one in payload[at:])
    return PoseMessage(
        values,
        presence / 65535,
        bool(flags & _TRACKED),
        None if age == _NO_AGE else age,
        coverage,
        shapes,
        taken,
    )


def encode_report(report: Report) -> bytes:
    """Return the payload of a REPORT."""
    return _REPORT.pack(report.taken, report.newest, report.poses)


def parse_report(payload: bytes) -> Report:
    """Parse the payload of a REPORT.

    Raises:
        PacketError: it has another length.
    """
    if len(payload) != _REPORT.size:
        raise PacketError(f"a report of {len(payload)} bytes", reason="size")
    return Report(*_REPORT.unpack(payload))


def encode_command(number: int, command: Command) -> bytes:
    """Return the payload of an ASK or TELL.

    Raises:
        ValueError: the name is too long.
    """
    name = command.name.encode()
    if len(name) > MAX_NAME_BYTES:
        raise ValueError(f"the name {command.name!r:.80} is longer than {MAX_NAME_BYTES} bytes")
    how = 2 if command.on is None else int(command.on)
    return _COMMAND.pack(number, command.code, how) + name


def parse_command(payload: bytes) -> tuple[int, Command]:
    """Parse the payload of an ASK or TELL: its id and what to do.

    Raises:
        PacketError: it is none.
    """
    if not _COMMAND.size <= len(payload) <= _COMMAND.size + MAX_NAME_BYTES:
        raise PacketError(f"a command of {len(payload)} bytes", reason="size")
    number, code, how = _COMMAND.unpack_from(payload)
    try:
        name = payload[_COMMAND.size :].decode("utf-8")
        known = Code(code)
    except ValueError as error:
        raise PacketError(f"no command: {error!s:.80}", reason="command") from None
    if how > 2 or number == 0:
        raise PacketError(f"command {number} with how = {how}", reason="command")
    return number, Command(known, name, None if how == 2 else bool(how))


def _signature(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, hashlib.sha256)[:SIGNATURE_BYTES]


def _bounded(value: float) -> float:
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0


def _byte_of(shape: float | None) -> int:
    return _NO_SHAPE if shape is None else round(_bounded(shape) * _SHAPE_STEPS)


def _bytes_of(shares: Sequence[float] | F32Array) -> bytes:
    bounded = np.clip(np.nan_to_num(np.asarray(shares, np.float64)), 0.0, 1.0)
    return np.rint(bounded * 255.0).astype(np.uint8).tobytes()


def _steps_of(values: F32Array) -> bytes:
    finite = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    steps = np.rint(np.clip(finite, _LOW, 1.0) * _STEPS)
    return (steps.astype(np.int64) & 0xFFFF).astype(">u2").tobytes()


def _values_from(raw: bytes) -> F32Array:
    steps = np.frombuffer(raw, ">u2").astype(np.int64)
    steps = np.where(_SIGNED & (steps > 32767), steps - 65536, steps)
    # -32768 is never sent; whoever sends it means the end of the range.
    values: F32Array = np.maximum(steps / _STEPS, -1.0).astype(np.float32)
    return values
