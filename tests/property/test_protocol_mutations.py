"""Whatever is done to a datagram, a protocol gives sound faces or PacketError, soon and small.

Every row of the table of protocols is tried; a new row needs nothing here. Datagrams are
what the row's own encoder writes for the performance, and those captures that the row
recognises.
"""

from __future__ import annotations

import gc
import math
import random
import struct
import sys
import time
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES, PRESET_NAMES
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow
from vtbridge.tracking.recordings.udpcap import iter_capture
from vtbridge.tracking.senders.performance import PERIOD_S, face_at
from vtbridge.tracking.settings import TrackingSettings

WRITTEN_MUTATIONS = 70_000
CAPTURED_MUTATIONS = 30_000
LONGEST_DATAGRAM = 65_507
MOST_CPU_S = 1.0
"""Ten thousand times what a datagram usually costs: no pause of the interpreter is so long."""
MOST_BYTES_KEPT = 1 << 20
HANDSHAKE = 3
"""No sender needs more datagrams before its first face."""
SHAPES, PRESETS = frozenset(ARKIT_NAMES), frozenset(PRESET_NAMES)

NUMBERS = (0, 1, 2, 7, 52, 61, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000)
PIECES = (
    *(struct.pack(form, math.nan) for form in ("<f", ">f", "<d", ">d")),
    *(struct.pack(form, math.inf) for form in ("<f", ">f", "<d", ">d")),
    *(struct.pack(form, 3e38) for form in ("<f", ">f")),
    *(b"#bundle\0", b",[[[", b"/*?*\0\0\0\0", b"FMV3", b"\0\0\0\0", b"\xff\xff\xff\xff"),
    *(b"nan", b"-inf", b"1e999", b"-", b"9" * 400, b"0x1p3", "٣".encode(), "\ufeff".encode()),
    *(b"|", b"#", b"&", b"=", b"|=|", b",,,", b"{", b"[" * 200, b'"', b"\\ud800", b"null", b"\xc3"),
    *(b'{"a":' * 100, b"true", b'"BlendShapes":[]', b"___iFacialMocap"),
)

Mutator = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def flip_bits(source: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    for _number in range(source.choice((1, 1, 2, 8, 40))):
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)


def overwrite_bytes(source: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = source.randrange(len(data))
    count = min(source.randrange(1, 40), len(data) - place)
    data[place : place + count] = source.randbytes(count)


def truncate(source: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[source.randrange(len(data)) :]


def cut_out(source: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = source.randrange(len(data))
    del data[place : place + source.choice((1, 2, 4, 8, 44))]


def insert_bytes(source: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = source.randrange(len(data) + 1)
    data[place:place] = source.randbytes(source.choice((1, 2, 4, 16, 300)))


def insert_piece(source: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = source.randrange(len(data) + 1)
    data[place:place] = source.choice(PIECES)


def overwrite_with_piece(source: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    piece = source.choice(PIECES)
    place = source.randrange(len(data))
    if source.random() < 0.7:
        place -= place % 4
    data[place : place + len(piece)] = piece


def splice(source: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    other = source.choice(others)
    data[source.randrange(len(data) + 1) :] = other[source.randrange(len(other) + 1) :]


def set_length_field(source: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    form = source.choice(("B", "<H", ">H", "<I", ">I"))
    size = struct.calcsize(form)
    if len(data) < size:
        return
    place = source.randrange(len(data) - size + 1)
    if source.random() < 0.5:
        (number,) = struct.unpack_from(form, data, place)
        number += source.choice((-4, -1, 1, 4))
    else:
        number = source.choice((*NUMBERS, len(data), len(data) - place))
    struct.pack_into(form, data, place, number % (1 << 8 * size))


def duplicate_chunk(source: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    start = source.randrange(len(data))
    chunk = data[start : start + source.choice((1, 4, 20, 200, 2000))]
    times = source.choice((1, 1, 2, 5, LONGEST_DATAGRAM // len(chunk)))
    place = source.randrange(len(data) + 1)
    data[place:place] = chunk * times


def change_number_in_text(source: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    digits = [place for place, byte in enumerate(data) if 0x30 <= byte <= 0x39]
    if digits:
        place = source.choice(digits)
        data[place : place + 1] = source.choice((b"", b"-1", b"1e400", b"99999", b".", b"nan"))


MUTATORS: tuple[Mutator, ...] = (
    *(flip_bits, overwrite_bytes, truncate, cut_out, insert_bytes, insert_piece),
    *(overwrite_with_piece, splice, set_length_field, duplicate_chunk, change_number_in_text),
)


def mutated(source: random.Random, datagram: bytes, others: Sequence[bytes]) -> bytes:
    """Return ``datagram`` damaged in one way, sometimes in several."""
    data = bytearray(datagram)
    for _ in range(source.choice((1, 1, 1, 2, 4))):
        if not data:
            break
        source.choice(MUTATORS)(source, data, others)
    return bytes(data[:LONGEST_DATAGRAM])


@dataclass
class Trial:
    """One protocol at work, watched."""

    row: ProtocolRow
    protocol: TrackerProtocol = field(init=False)
    t_ns: int = 1_000_000_000
    faces: int = 0
    refused: int = 0
    worst_cpu_ns: int = 0
    most_bytes: int = 0

    def __post_init__(self) -> None:
        self.protocol = self.row.create(TrackingSettings())
        self.protocol.reset(f"{self.row.name}:test")

    def feed(self, datagram: bytes) -> None:
        """Give the protocol ``datagram`` as a receiver would, and look at what comes out."""
        refusal: PacketError | None = None
        faces: list[FaceFrame] = []
        start_ns = time.thread_time_ns()
        try:
            self.protocol.recognises(datagram)
            if self.protocol.waiting:
                faces += self.protocol.flush(self.t_ns)
            faces += self.protocol.feed(datagram, self.t_ns)
        except PacketError as error:
            refusal = error
        self.worst_cpu_ns = max(self.worst_cpu_ns, time.thread_time_ns() - start_ns)
        if refusal is not None:
            self.refused += 1
            assert 0 < len(refusal.reason) < 40, "reasons are counted by"
            assert len(str(refusal)) < 2000, "messages are logged"
        replies = self.protocol.replies()
        assert all(replies)
        assert sum(map(len, replies)) <= max(len(datagram), 256), "no amplifier"
        self.protocol.greeting(self.t_ns)
        for face in faces:
            self.check(face)
        self.faces += len(faces)

    def check(self, face: FaceFrame) -> None:
        """Fail unless ``face`` could be shown."""
        assert face.source == f"{self.row.name}:test" or face.source.startswith(
            f"{self.row.name}:test#"
        )
        assert face.t_ns <= self.t_ns
        assert face.blendshapes.keys() <= SHAPES
        assert face.presets.keys() <= PRESETS
        for weight in (*face.blendshapes.values(), *face.presets.values()):
            assert 0.0 <= weight <= 1.0  # false for NaN
        angles: list[float] = []
        if face.head is not None:
            angles += (face.head.pitch_rad, face.head.yaw_rad, face.head.roll_rad)
        for eye in (face.left_eye, face.right_eye):
            if eye is not None:
                angles += (eye.pitch_rad, eye.yaw_rad)
        assert all(abs(angle) <= 2 * math.pi for angle in angles)

    def weigh(self) -> None:
        """Note how much memory the protocol holds on to."""
        self.most_bytes = max(self.most_bytes, held_bytes(self.protocol))

    def report(self, mutations: int) -> str:
        """Return what happened in a line."""
        return (
            f"{self.row.name:14} {mutations:6} mutations: {self.refused:6} refused, "
            f"{self.faces:6} faces, worst {self.worst_cpu_ns / 1e6:6.2f} CPU-ms, "
            f"holds {self.most_bytes / 1024:5.1f} KiB"
        )


def held_bytes(root: object) -> int:
    """Return the size of everything reachable from ``root`` that is not code."""
    code = (type, types.ModuleType, types.FunctionType, types.MethodType, types.BuiltinMethodType)
    seen: set[int] = set()
    waiting: list[object] = [root]
    total = 0
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, code):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        waiting += gc.get_referents(thing)
    return total


def fuzz(row: ProtocolRow, datagrams: Sequence[bytes], mutations: int) -> Trial:
    """Feed ``mutations`` damaged datagrams among whole ones, and return what was seen."""
    source = random.Random(f"{row.name} 20240501")
    trial = Trial(row)
    others = (*datagrams[:50], *FOREIGN)
    for number in range(mutations):
        whole = datagrams[number % len(datagrams)]
        trial.t_ns += source.choice((0, 1_000_000, 16_000_000, 40_000_000, 3_000_000_000))
        if source.random() < 0.25:  # what takes several datagrams gets somewhere
            trial.feed(whole)
        trial.feed(mutated(source, whole, others))
        if number % len(datagrams) == len(datagrams) - 1:
            trial.weigh()
            trial.protocol.reset(f"{row.name}:test")
            for greeted in datagrams[:HANDSHAKE]:  # else frames without a beginning are refused
                trial.feed(greeted)
    trial.weigh()
    assert trial.worst_cpu_ns < MOST_CPU_S * 1e9
    assert trial.most_bytes < MOST_BYTES_KEPT
    return trial


def written_by(row: ProtocolRow, seconds: Iterable[float]) -> list[bytes]:
    """Return what the row's encoder writes for these moments of the performance."""
    encode = row.encoder()
    return [
        datagram
        for t_s in seconds
        for datagram in encode(face_at(t_s, round(t_s * 1e9)))
        if datagram
    ]


MOMENTS = [PERIOD_S * number / 48 for number in range(48)]
FOREIGN = tuple(datagram for row in PROTOCOLS for datagram in written_by(row, [1.0])[-3:])
ROWS = pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: row.name)


@pytest.mark.timeout(600)
@ROWS
def test_mutated_datagrams_are_refused_or_give_sound_faces(row: ProtocolRow) -> None:
    mutations = math.ceil(WRITTEN_MUTATIONS / len(PROTOCOLS))
    trial = fuzz(row, written_by(row, MOMENTS), mutations)
    print(trial.report(mutations))
    assert trial.faces > mutations // 100, "much of it is still understood"
    assert trial.refused > mutations // 100, "and much is not"


@pytest.fixture(scope="module")
def captured(captures: Path) -> dict[str, list[bytes]]:
    """Return, row by row, datagrams of the captures that the row recognises."""
    found: dict[str, list[bytes]] = {row.name: [] for row in PROTOCOLS}
    for path in sorted(captures.glob("*.udpcap")):
        datagrams = [datagram.data for datagram in iter_capture(path)]
        for datagram in datagrams[:: max(1, len(datagrams) // 300)]:
            for row in PROTOCOLS:
                if row.create(TrackingSettings()).recognises(datagram):
                    found[row.name].append(datagram)
                    break
    return {name: datagrams for name, datagrams in found.items() if datagrams}


@pytest.mark.timeout(600)
def test_mutated_captures_are_refused_or_give_sound_faces(
    captured: dict[str, list[bytes]],
) -> None:
    assert {"vmc", "ifacialmocap"} <= captured.keys()
    mutations = math.ceil(CAPTURED_MUTATIONS / len(captured))
    for row in PROTOCOLS:
        if row.name in captured:
            trial = fuzz(row, captured[row.name], mutations)
            print(trial.report(mutations))
            assert trial.faces


@ROWS
def test_every_prefix_of_a_datagram_is_refused_or_gives_sound_faces(row: ProtocolRow) -> None:
    datagrams = written_by(row, [1.0])
    longest = max(datagrams, key=len)
    trial = Trial(row)
    for datagram in datagrams:  # handshakes first
        trial.feed(datagram)
    whole_faces = trial.faces
    assert whole_faces >= 1
    for size in range(len(longest)):
        trial.t_ns += 16_000_000
        trial.feed(longest[:size])
    assert trial.refused > 0
