"""Who takes what of an OSC packet, remembered for the packets that a sender repeats.

A sender's messages are the same in every face but for their numbers. So what each says is
found out once for each beginning of a message, and of a bundle that repeats as a whole it
is not even asked again: its numbers are read from where they always stand.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from vtbridge.osc import MessageHead, OscArgument, PacketLayout, known_head, locate_messages

MOST_HEADS = 512
"""Beginnings of one sender's messages for which it is remembered who takes them."""
MOST_LAYOUTS = 32
"""Layouts of one sender's bundles for which it is remembered who takes what."""

FLOAT = struct.Struct(">f")
BUNDLE_START = b"#bundle\0"

OscArguments: TypeAlias = tuple[OscArgument, ...]
Handler: TypeAlias = Callable[[OscArguments], bool]
"""Takes the arguments of one message, among which a float that is not finite may be itself
or None and is refused either way; returns whether a value of the face came."""


class NumberKey(NamedTuple):
    """What the number of a message says that holds but one.

    Attributes:
        group: what is taken together; each protocol has its own.
        name: of the number in its group.
    """

    group: Hashable
    name: str


Taker: TypeAlias = NumberKey | Handler | None
"""Who takes a message: with others of its group, alone, or nobody."""


@dataclass(slots=True)
class Numbers:
    """Numbers of a packet that are taken together: their names, and where they stand."""

    names: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


class Reading:
    """Who takes what of a packet.

    Attributes:
        heads: of all its messages.
        numbers: the messages of one float, by group.
        others: the other messages of use: who takes it, its head, where its numbers begin.
    """

    __slots__ = ("heads", "numbers", "others")

    def __init__(self, heads: list[MessageHead]) -> None:
        self.heads = heads
        self.numbers: dict[Hashable, Numbers] = {}
        self.others: list[tuple[Handler, MessageHead, int]] = []


class PacketReader:
    """Find out who takes what; of one sender, used by one thread.

    Args:
        taker_of: returns who takes the messages with a head; asked once for each, more often
            where there are very many.
    """

    def __init__(self, taker_of: Callable[[MessageHead], Taker]) -> None:
        self._taker_of = taker_of
        self._takers: dict[MessageHead, Taker] = {}
        self._readings: dict[PacketLayout, Reading] = {}
        self._alone: dict[MessageHead, Reading] = {}  # a head says how long its message is
        self.singles: dict[bytes, NumberKey] = {}
        """What the float says that ends a packet of one message, by all the bytes before it."""

    def reading(self, packet: bytes) -> Reading | None:
        """Return who takes what of ``packet``, None unless all its messages came before."""
        if not packet.startswith(BUNDLE_START):
            head = known_head(packet)
            if head is None:
                return None
            return self._alone.get(head) or self._single(head, packet)
        layout = locate_messages(packet)
        if layout is None:
            return None
        reading = self._readings.get(layout)
        if reading is None:
            reading = self._read(layout.heads, layout.places)
            if layout.learnt:
                if len(self._readings) >= MOST_LAYOUTS:
                    self._readings.clear()
                self._readings[layout] = reading
        return reading

    def _single(self, head: MessageHead, packet: bytes) -> Reading:
        place = len(packet) - head.numbers.size
        reading = self._read([head], [place])
        if len(self._alone) >= MOST_HEADS:
            self._alone.clear()
            self.singles.clear()
        self._alone[head] = reading
        for group, numbers in reading.numbers.items():
            self.singles[packet[:place]] = NumberKey(group, numbers.names[0])
        return reading

    def _read(self, heads: list[MessageHead], places: list[int]) -> Reading:
        reading = Reading(heads)
        for head, place in zip(heads, places, strict=True):
            try:
                taker = self._takers[head]
            except KeyError:
                taker = self._found(head)
            if taker is None:
                continue
            if not isinstance(taker, NumberKey):
                reading.others.append((taker, head, place))
                continue
            numbers = reading.numbers.get(taker.group)
            if numbers is None:
                numbers = reading.numbers[taker.group] = Numbers()
            numbers.names.append(taker.name)
            numbers.places.append(place)
        return reading

    def _found(self, head: MessageHead) -> Taker:
        if len(self._takers) >= MOST_HEADS:
            self._takers.clear()
        taker = self._takers[head] = self._taker_of(head)
        return taker
