"""Decode Open Sound Control packets from strangers, within hard bounds.

Everything that arrives goes through here; python-osc only builds messages, because
it hangs on a bundle element of negative size and on addresses full of wildcards.
Bundle time tags are read past and never honoured: senders write "now", 1970 or a
skewed clock. Addresses are plain text: a wildcard matches nothing but itself.

Trackers repeat the same messages with other numbers a thousand times a second, so the
beginnings of messages are remembered, in a bounded space, and so are whole bundles that
come again with nothing but other numbers.

Source: Open Sound Control 1.0 and 1.1 (opensoundcontrol.stanford.edu).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from vtbridge.errors import PacketError

OscArgument: TypeAlias = "int | float | str | bytes | bool | tuple[OscArgument, ...] | None"

MAX_PACKET_BYTES = 65_536
"""Longest packet looked at; no UDP datagram is longer."""
MAX_BUNDLE_DEPTH = 8
MAX_ELEMENTS = 512
"""Messages and bundles in one packet; a full VMC frame has about 130, with rare clips 400."""
MAX_ADDRESS_BYTES = 256
MAX_STRING_BYTES = 4096
MAX_ARGUMENTS = 256
"""Type tags of one message, brackets included; Visage sends 63."""
MAX_PACKET_ARGUMENTS = 8192
"""Type tags of all messages of a packet together; some tags cost no bytes."""
MAX_ARRAY_DEPTH = 4
MAX_HEADS = 1024
"""Beginnings of messages that are remembered; a VMC sender has about 130."""
MAX_HEAD_BYTES = 160
MAX_LAYOUTS = 16
"""Bundles, each of another size, whose layout is remembered."""

_BUNDLE = b"#bundle\0"
_BUNDLE_HEADER_BYTES = 16
_SIZE = struct.Struct(">i")
_BLOB_SIZE = struct.Struct(">i")
_CHAR = struct.Struct(">I")
_NO_NUMBERS = struct.Struct(">")
_PROVEN = 4
"""Times that a layout must come in a row before it is worth learning by heart."""
_NOTHING: dict[int, dict[bytes, MessageHead]] = {}
_MAX_TAILS = 8

_NUMBERS = {"i": "i", "f": "f", "h": "q", "d": "d", "t": "Q"}
_CONSTANTS: dict[str, bool | None] = {"T": True, "F": False, "I": True, "N": None}
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class OscMessage(NamedTuple):  # made in half the time of a dataclass, 5000 times a second
    """One message.

    Attributes:
        address: starts with ``/``; not a pattern, whatever it holds.
        arguments: by type tag: ``i h t`` int, ``f d`` finite float, ``s S c`` str,
            ``b r m`` bytes, ``T F I`` bool, ``N`` None, ``[...]`` a tuple. A float
            that is not finite is None, so that nobody mistakes it for a number;
            bytes of a string that are not UTF-8 are U+FFFD.
    """

    address: str
    arguments: tuple[OscArgument, ...] = ()


@dataclass(slots=True, eq=False)
class MessageHead:
    """What a message says before the numbers at its end; never changes what it says.

    Attributes:
        address: its address.
        leading: arguments before the numbers.
        tag_count: how many type tags it has.
        numbers: how to read the numbers.
        opening: the bytes before the numbers, after the size that they have in a bundle.
        follower: the message that came next in the last bundle; a guess.
    """

    address: str = ""
    leading: tuple[OscArgument, ...] = ()
    tag_count: int = 0
    numbers: struct.Struct = _NO_NUMBERS
    opening: bytes = b""
    follower: MessageHead | None = None

    def message(self, data: bytes, numbers_at: int) -> OscMessage:
        """Return the whole message whose numbers stand at ``numbers_at``."""
        return OscMessage(self.address, self.arguments(data, numbers_at))

    def arguments(self, data: bytes, numbers_at: int) -> tuple[OscArgument, ...]:
        """Return the arguments of the message whose numbers stand at ``numbers_at``."""
        numbers = self.numbers.unpack_from(data, numbers_at)
        if not math.isfinite(sum(numbers)):  # one test for the usual case
            numbers = _finite(numbers)
        return self.leading + numbers if self.leading else numbers

    @property
    def is_one_float(self) -> bool:
        """True if the numbers are a single 32-bit float."""
        return self.numbers.format == ">f"


class PacketLayout:
    """Where in a packet the messages stand, all of whose heads are known.

    Args:
        heads: of the messages, in order.
        places: where in the packet the numbers of each begin.
    """

    __slots__ = ("_expected", "_openings", "heads", "places", "times")

    def __init__(self, heads: list[MessageHead], places: list[int]) -> None:
        self.heads = heads
        self.places = places
        self.times = 1
        """How often it came in a row until it was learnt."""
        self._openings: struct.Struct | None = None
        self._expected: tuple[bytes, ...] = ()

    @property
    def learnt(self) -> bool:
        """True if ``fits`` can tell."""
        return self._openings is not None

    def learn(self) -> None:
        """Learn what every byte of such a bundle must be that is not of a number."""
        parts = [f">{len(_BUNDLE)}s{_BUNDLE_HEADER_BYTES - len(_BUNDLE)}x"]
        parts += [f"{len(head.opening)}s{head.numbers.size}x" for head in self.heads]
        self._expected = (_BUNDLE, *(head.opening for head in self.heads))
        self._openings = struct.Struct("".join(parts))

    def fits(self, data: bytes) -> bool:
        """Return whether ``data`` is such a bundle; False where nothing was learnt."""
        openings = self._openings
        return (
            openings is not None
            and openings.size == len(data)
            and openings.unpack(data) == self._expected
        )


class MessageHeads:
    """Remember how messages begin, so that of a repeated one only the numbers must be read.

    The bytes before the numbers at a message's end say all the rest of it, and how many
    bytes the numbers have, so nothing is taken on trust. Used from any thread.

    Args:
        capacity: how many are remembered; strangers can only make it forget.
    """

    def __init__(self, capacity: int = MAX_HEADS) -> None:
        self._capacity = capacity
        self.count = 0
        """How many are remembered."""
        # Length of a message -> length of the numbers at its end -> the bytes before them.
        self._known: dict[int, dict[int, dict[bytes, MessageHead]]] = {}
        self._start = MessageHead()
        """What the first message of a bundle follows."""
        self._layouts: dict[int, PacketLayout] = {}
        """The newest layout of a bundle of each size."""

    def decode(self, data: bytes) -> list[OscMessage] | None:
        """Return the messages of a message or of a bundle that holds only messages.

        None if one of them begins in a way that is not known, or if anything is amiss.
        """
        layout = self.locate(data)
        if layout is None:
            return None
        return [
            head.message(data, place)
            for head, place in zip(layout.heads, layout.places, strict=True)
        ]

    def locate(self, data: bytes) -> PacketLayout | None:
        """Return where the messages stand of a message or of a bundle of messages only.

        It is the same object for as long as a bundle repeats with nothing but other numbers.
        None as for ``decode``.
        """
        end = len(data)
        if end > MAX_PACKET_BYTES:
            return None
        if not data.startswith(_BUNDLE):
            known = self.find(data, 0, end)
            return None if known is None else PacketLayout([known], [end - known.numbers.size])
        before = self._layouts.get(end)
        if before is not None and before.fits(data):
            return before
        layout = self._walk(data)
        if layout is None or len(layout.heads) < 2:
            return layout
        if before is not None and not before.learnt and before.heads == layout.heads:
            before.times += 1
            if before.times >= _PROVEN:
                before.learn()
            return before
        if before is None and len(self._layouts) >= MAX_LAYOUTS:
            self._layouts = {}
        self._layouts[end] = layout
        return layout

    def _walk(self, data: bytes) -> PacketLayout | None:
        """Return where the messages of a bundle stand, going from one to the next."""
        end = len(data)
        heads: list[MessageHead] = []
        places: list[int] = []
        tag_count = 0
        offset = _BUNDLE_HEADER_BYTES
        before = self._start
        while offset < end:
            # Senders keep the order of their messages; a right guess saves half the time.
            head = before.follower
            if head is None or not data.startswith(head.opening, offset):
                (size,) = _SIZE.unpack_from(data, offset) if offset + _SIZE.size < end else (0,)
                head = self.find(data, offset + _SIZE.size, offset + _SIZE.size + size)
                if head is None:
                    return None
                before.follower = head
            numbers_at = offset + len(head.opening)
            offset = numbers_at + head.numbers.size
            if offset > end:
                return None
            heads.append(head)
            places.append(numbers_at)
            tag_count += head.tag_count
            before = head
        is_within = len(heads) < MAX_ELEMENTS and tag_count <= MAX_PACKET_ARGUMENTS
        return PacketLayout(heads, places) if is_within and end == offset else None

    def find(self, data: bytes, start: int, end: int) -> MessageHead | None:
        """Return the head of the message in ``data[start:end]``, None if it is not known."""
        for tail, heads in self._known.get(end - start, _NOTHING).items():
            head = heads.get(data[start : end - tail])
            if head is not None:
                return head
        return None

    def keep(self, data: bytes, start: int, end: int, head: MessageHead) -> None:
        """Remember ``head``, which was read from the whole, good message ``data[start:end]``."""
        size, tail = end - start, head.numbers.size
        if size - tail > MAX_HEAD_BYTES or not self._capacity:
            return
        if self.count >= self._capacity:
            self.count, self._known, self._start, self._layouts = 0, {}, MessageHead(), {}
        tails = self._known.get(size, {})
        if tail not in tails:
            if len(tails) >= _MAX_TAILS:
                return
            tails = self._known[size] = {**tails, tail: {}}  # others may be walking the old one
        self.count += 1
        opening = data[start : end - tail]
        head.opening = _SIZE.pack(size) + opening
        tails[tail][opening] = head


_HEADS = MessageHeads()


def known_head(data: bytes) -> MessageHead | None:
    """Return the head of a packet of one message, None if its like has not come before."""
    return _HEADS.find(data, 0, len(data))


def locate_messages(data: bytes) -> PacketLayout | None:
    """Return where the messages of a packet stand whose messages all came before.

    None if it is another: ``decode_packet`` says what it holds, or what is wrong with it.
    """
    return _HEADS.locate(data)


def decode_packet(data: bytes, heads: MessageHeads = _HEADS) -> list[OscMessage]:
    """Return the messages of a packet in order, its bundles flattened.

    Takes time linear in ``len(data)`` and holds nothing afterwards but ``heads``, which
    change how long it takes and nothing else.

    Raises:
        PacketError: the packet is malformed or exceeds a bound; ``reason`` tells which.
    """
    if len(data) > MAX_PACKET_BYTES:
        raise _refused("size", f"{len(data)} bytes are more than {MAX_PACKET_BYTES}")
    repeated = heads.decode(data)
    if repeated is not None:
        return repeated
    messages: list[OscMessage] = []
    pending = [(0, len(data), 0)]
    element_count = 1
    argument_count = 0
    while pending:
        start, end, depth = pending.pop()
        if data[start : start + 1] == b"/":
            message, tag_count = _decode_message(data, start, end, heads)
            argument_count += tag_count
            if argument_count > MAX_PACKET_ARGUMENTS:
                raise _refused("bounds", f"more than {MAX_PACKET_ARGUMENTS} arguments")
            messages.append(message)
            continue
        elements = _split_bundle(data, start, end, depth + 1)
        element_count += len(elements)
        if element_count > MAX_ELEMENTS:
            raise _refused("bounds", f"more than {MAX_ELEMENTS} messages and bundles")
        if elements and depth >= MAX_BUNDLE_DEPTH:
            raise _refused("bounds", f"bundles nest deeper than {MAX_BUNDLE_DEPTH}")
        pending += reversed(elements)
    return messages


def _split_bundle(data: bytes, start: int, end: int, depth: int) -> list[tuple[int, int, int]]:
    """Return start, end and ``depth`` of each element of the bundle in ``data[start:end]``."""
    header_end = start + _BUNDLE_HEADER_BYTES
    if data[start : start + len(_BUNDLE)] != _BUNDLE:
        raise _refused("start", f"neither a message nor a bundle: {data[start : start + 8]!r}")
    if header_end > end:
        raise _refused("truncated", "a bundle ends inside its time tag")
    elements: list[tuple[int, int, int]] = []
    offset = header_end
    while offset < end:
        first = offset + _SIZE.size
        if first > end:
            raise _refused("truncated", "a bundle ends inside the size of an element")
        (size,) = _SIZE.unpack_from(data, offset)
        offset = first + size
        if size <= 0 or size % 4 or offset > end:
            raise _refused("element size", f"a bundle element of {size} bytes")
        if len(elements) >= MAX_ELEMENTS:
            raise _refused("bounds", f"more than {MAX_ELEMENTS} messages and bundles")
        elements.append((first, offset, depth))
    return elements


def _decode_message(
    data: bytes, start: int, end: int, heads: MessageHeads
) -> tuple[OscMessage, int]:
    """Return the message in ``data[start:end]`` and the number of its type tags."""
    known = heads.find(data, start, end)
    if known is not None:
        return known.message(data, end - known.numbers.size), known.tag_count
    raw_address, offset = _read_padded(data, start, start, end, MAX_ADDRESS_BYTES)
    try:
        address = raw_address.decode()
    except UnicodeDecodeError:
        raise _refused("text", f"an address is not UTF-8: {raw_address[:40]!r}") from None
    if offset == end:
        return OscMessage(address), 0  # senders from before type tags became mandatory
    tags, offset = _read_padded(data, start, offset, end, MAX_ARGUMENTS + 1)
    if not tags.startswith(b","):
        raise _refused("type tags", f"type tags start with {tags[:8]!r} instead of a comma")
    steps = _steps(tags[1:])
    arguments, offset = _read_arguments(data, start, offset, end, steps)
    if offset != end:
        raise _refused("size", f"{end - offset} bytes too many after the arguments")
    tag_count = len(tags) - 1
    if all(step.numbers is None for step in steps[:-1]):
        numbers = (steps[-1].numbers if steps else None) or _NO_NUMBERS
        leading = arguments[: len(arguments) - len(numbers.unpack(bytes(numbers.size)))]
        heads.keep(data, start, end, MessageHead(address, leading, tag_count, numbers))
    return OscMessage(address, arguments), tag_count


@dataclass(frozen=True, slots=True)
class _Step:
    """What to read for one type tag, or for a run of numbers.

    ``kind`` is the tag itself, ``#`` for a run of numbers, ``=`` for a constant.
    """

    kind: str
    numbers: struct.Struct | None = None
    constant: bool | None = None


@lru_cache(maxsize=256)  # senders repeat a handful; strangers can only make it forget
def _steps(tags: bytes) -> tuple[_Step, ...]:
    """Return how to read arguments of these type tags (without the comma)."""
    steps: list[_Step] = []
    run = ""
    depth = 0
    for tag in tags.decode("latin-1"):
        if tag in _NUMBERS:
            run += _NUMBERS[tag]
            continue
        if run:
            steps.append(_Step("#", struct.Struct(">" + run)))
            run = ""
        if tag in _CONSTANTS:
            steps.append(_Step("=", constant=_CONSTANTS[tag]))
            continue
        if tag not in "sSbcrm[]":
            raise _refused("type tags", f"unknown type tag {tag!r}")
        depth += (tag == "[") - (tag == "]")
        if not 0 <= depth <= MAX_ARRAY_DEPTH:
            raise _refused("type tags", "brackets do not match or nest too deep")
        steps.append(_Step(tag))
    if run:
        steps.append(_Step("#", struct.Struct(">" + run)))
    if depth:
        raise _refused("type tags", "a bracket is not closed")
    return tuple(steps)


def _read_arguments(
    data: bytes, start: int, offset: int, end: int, steps: tuple[_Step, ...]
) -> tuple[tuple[OscArgument, ...], int]:
    """Return the arguments and the offset behind them; ``start`` is the message's."""
    values: list[OscArgument] = []
    outer: list[list[OscArgument]] = []
    for step in steps:
        kind = step.kind
        if step.numbers is not None:
            after = _behind(offset, step.numbers.size, end)
            numbers = step.numbers.unpack_from(data, offset)
            values += numbers if math.isfinite(sum(numbers)) else _finite(numbers)
            offset = after
        elif kind in "sS":
            raw, offset = _read_padded(data, start, offset, end, MAX_STRING_BYTES)
            values.append(raw.decode(errors="replace"))
        elif kind == "=":
            values.append(step.constant)
        elif kind == "[":
            outer.append(values)
            values = []
        elif kind == "]":
            array = tuple(values)
            values = outer.pop()
            values.append(array)
        elif kind == "b":
            blob, offset = _read_blob(data, offset, end)
            values.append(blob)
        else:
            after = _behind(offset, 4, end)
            values.append(_read_char(data, offset) if kind == "c" else data[offset:after])
            offset = after
    return tuple(values), offset


def _finite(numbers: tuple[int | float, ...]) -> tuple[int | float | None, ...]:
    """Return ``numbers`` with None for what is not finite."""
    return tuple(number if math.isfinite(number) else None for number in numbers)


def _read_padded(
    data: bytes, start: int, offset: int, end: int, max_bytes: int
) -> tuple[bytes, int]:
    """Return the string at ``offset`` and the offset behind its padding.

    Padding is counted from ``start``, where the message begins.
    """
    terminator = data.find(b"\0", offset, min(end, offset + max_bytes + 1))
    if terminator < 0:
        reason = "bounds" if end - offset > max_bytes else "truncated"
        raise _refused(reason, f"a string does not end within {min(end - offset, max_bytes)} bytes")
    after = terminator + 4 - (terminator - start) % 4
    if after > end:
        raise _refused("truncated", "a string lacks its padding")
    return data[offset:terminator], after


def _read_blob(data: bytes, offset: int, end: int) -> tuple[bytes, int]:
    """Return the blob at ``offset`` and the offset behind its padding."""
    content = _behind(offset, _BLOB_SIZE.size, end)
    (size,) = _BLOB_SIZE.unpack_from(data, offset)
    if size < 0:
        raise _refused("element size", f"a blob of {size} bytes")
    after = _behind(content, size + -size % 4, end)
    return data[content : content + size], after


def _read_char(data: bytes, offset: int) -> str:
    (code_point,) = _CHAR.unpack_from(data, offset)
    if code_point > _LAST_CODE_POINT or code_point in _SURROGATES:
        raise _refused("text", f"no character has the number {code_point}")
    return chr(code_point)


def _behind(offset: int, size: int, end: int) -> int:
    """Return ``offset + size`` if that much is there."""
    if offset + size > end:
        raise _refused("truncated", f"{size} bytes of arguments wanted, {end - offset} there")
    return offset + size


def _refused(reason: str, detail: str) -> PacketError:
    return PacketError(f"OSC packet refused: {detail}", reason=f"osc {reason}")
