"""What all protocols share that say a face in many OSC messages.

Senders pack a face as one bundle, as several datagrams or as single messages. A face
is complete at the end of a bundle, at an end that the protocol knows, after 5 ms of
quiet, and 20 ms after its first value at the latest. What is left out keeps its last
value, for not every message comes with every face.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from types import MappingProxyType
from typing import cast

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.osc import MessageHead, OscArgument, OscMessage, decode_packet
from vtbridge.tracking.protocols.osc_reading import (
    BUNDLE_START,
    FLOAT,
    NumberKey,
    PacketReader,
    Reading,
    Taker,
)
from vtbridge.tracking.protocols.osc_reading import Handler as Handler
from vtbridge.tracking.protocols.osc_reading import OscArguments as OscArguments
from vtbridge.tracking.protocols.protocol import (
    QUIET_NS,
    TrackerProtocol,
    finite_or_none,
    weight_from_number,
)
from vtbridge.tracking.rotation import Quaternion, normalised

LONGEST_WAIT_NS = 20_000_000
"""A face whose end nothing marks is complete this long after its first value, where a sender
never pauses for ``QUIET_NS``."""
MOST_ADDRESSES = 512
"""Addresses of one sender whose handler is remembered; the rest are looked up each time."""
LOOKED_AT = 8
"""Addresses of a datagram that a recogniser looks at."""

_LARGEST_COMPONENT = 1e3
_BUNDLE_HEADER_BYTES = 16
_SIZE_BYTES = 4
_FLOATS = {float}


class OscFaceProtocol(TrackerProtocol):
    """One sender; memory is bounded by the names a protocol knows, not by what arrives.

    A protocol says in ``_handlers_by_address`` (or ``_find_handler``) who takes which
    message. Handlers keep values in ``_blendshapes``, ``_presets``, ``_head``,
    ``_left_eye``, ``_right_eye`` and ``_tracked``, or keep them raw and settle them in
    ``_settle``; they count what they refuse with ``_drop``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handlers: Mapping[str, Handler] = self._handlers_by_address()
        self.reset("")

    @abstractmethod
    def _handlers_by_address(self) -> Mapping[str, Handler]:
        """Return who takes the messages of each fixed address; asked once."""

    def _find_handler(self, address: str) -> Handler | None:
        """Return who takes ``address`` where it is none of the fixed ones."""
        return None

    def _number_key(self, address: str, leading: OscArguments) -> NumberKey | None:
        """Return what a message of one float says, None if its handler must be asked.

        Such numbers are taken together by ``_take_numbers`` and do what the handler would do.

        Args:
            address: of the message.
            leading: its arguments before the float.
        """
        return None

    def _take_number(self, key: NumberKey, number: float) -> bool:
        """Take the one number of a datagram as ``_take_numbers`` does."""
        return self._take_numbers(key.group, (key.name,), (number,))

    def _take_numbers(
        self, group: Hashable, names: Sequence[str], numbers: Sequence[float]
    ) -> bool:
        """Take numbers of one group, finite or not; return whether a value of the face came."""
        return self._take_weights(self._blendshapes, names, numbers)

    def _take_weights(
        self, known: dict[str, float], names: Sequence[str], weights: Sequence[float]
    ) -> bool:
        """Keep in ``known`` those of ``weights`` that are one; return whether any was."""
        # One look at all of them; the sum is for NaN, which hides from min and max.
        if min(weights) >= 0.0 and max(weights) <= 1.0 and isfinite(sum(weights)):
            known.update(zip(names, weights, strict=True))
            return True
        value_came = False
        for name, number in zip(names, weights, strict=True):
            weight = weight_from_number(number)
            if weight is None:
                self._drop()
            else:
                known[name] = weight
                value_came = True
        return value_came

    def _is_own(self, address: str) -> bool:
        """Return whether ``address`` is one of this protocol, used or not."""
        return address in self._handlers or self._find_handler(address) is not None

    @property
    def _bundle_is_face(self) -> bool:
        """Whether the end of a bundle completes the face."""
        return True

    def _settle(self) -> None:
        """Work out what the raw values mean, once before each face; see the class."""

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        self._source = source
        self._takers: dict[str, Handler | None] = {}
        self._reader = PacketReader(self._taker_of)
        self._tracked = True
        self._blendshapes: dict[str, float] = {}
        self._presets: dict[str, float] = {}
        self._head: HeadPose | None = None
        self._left_eye: Gaze | None = None
        self._right_eye: Gaze | None = None
        self._ended = False
        self._open_since_ns: int | None = None
        self._last_value_ns = 0

    def feed(self, datagram: bytes, t_ns: int) -> list[FaceFrame]:
        """Take one datagram and return the faces it completes.

        They are the one that waited for quiet, if there was enough, and the datagram's own.

        Raises:
            PacketError: it is not OSC, or holds no message of this protocol.
        """
        # A message of one float is wholly told by the bytes before it.
        single = self._reader.singles.get(datagram[: -FLOAT.size])
        since_ns = self._open_since_ns
        if single is not None and since_ns is not None and t_ns - self._last_value_ns < QUIET_NS:
            return self._feed_more(single, datagram, t_ns, since_ns)
        packet = None if single is not None else self._packet(datagram)
        frames: list[FaceFrame] = []
        if since_ns is not None and t_ns - self._last_value_ns >= QUIET_NS:
            frames, since_ns = self.flush(t_ns), None
        self._ended = is_bundle = False
        if single is not None:
            (number,) = FLOAT.unpack_from(datagram, len(datagram) - FLOAT.size)
            value_came = self._take_number(single, number)
        else:
            is_bundle = datagram.startswith(BUNDLE_START)
            if isinstance(packet, Reading):
                value_came = self._take_reading(packet, datagram)
            else:
                value_came = self._take_messages(packet or [])
        if value_came:
            self._last_value_ns = t_ns
            if since_ns is None:
                self._open_since_ns = since_ns = t_ns
        if self._ended or (
            since_ns is not None
            and (t_ns - since_ns >= LONGEST_WAIT_NS or (is_bundle and self._bundle_is_face))
        ):
            frames.append(self._complete_face(t_ns))
        return frames

    def _feed_more(
        self, key: NumberKey, datagram: bytes, t_ns: int, since_ns: int
    ) -> list[FaceFrame]:
        """Take one number more of an open face, as ``feed`` does; some faces have fifty."""
        (number,) = FLOAT.unpack_from(datagram, len(datagram) - FLOAT.size)
        self._ended = False
        if self._take_number(key, number):
            self._last_value_ns = t_ns
        if self._ended or t_ns - since_ns >= LONGEST_WAIT_NS:
            return [self._complete_face(t_ns)]
        return []

    def flush(self, t_ns: int) -> list[FaceFrame]:
        """Return the face whose end nothing marked, once the sender has been quiet."""
        if self._open_since_ns is None or t_ns - self._last_value_ns < QUIET_NS:
            return []
        return [self._complete_face(self._last_value_ns)]

    @property
    def waiting(self) -> bool:
        """True while values wait for the end of their face."""
        return self._open_since_ns is not None

    def _packet(self, datagram: bytes) -> Reading | list[OscMessage]:
        """Return what a packet holds that has a message of this protocol.

        Who takes what of it where all of its messages came before, else the messages.
        """
        reading = self._reader.reading(datagram)
        if reading is not None:
            if not (reading.numbers or reading.others):
                self._require_own(head.address for head in reading.heads)
            return reading
        messages = decode_packet(datagram)
        self._require_own(message.address for message in messages)
        return messages

    def _require_own(self, addresses: Iterable[str]) -> None:
        if not any(map(self._is_own, addresses)):
            raise PacketError(
                f"an OSC packet without a message of {self.name}", reason=f"not {self.name}"
            )

    def _take_messages(self, messages: list[OscMessage]) -> bool:
        """Take ``messages`` one by one; return whether a value of the face came."""
        value_came = False
        takers = self._takers
        for address, arguments in messages:
            try:
                take = takers[address]
            except KeyError:
                take = self._taker(address)
            if take is not None and take(arguments):
                value_came = True
        return value_came

    def _take_reading(self, reading: Reading, datagram: bytes) -> bool:
        """Take what ``reading`` says is there; return whether a value of the face came."""
        value_came = False
        for take, head, place in reading.others:
            # A handler takes a number that is not finite for none, as it does None.
            numbers = head.numbers.unpack_from(datagram, place)
            if take(head.leading + numbers if head.leading else numbers):
                value_came = True
        unpack = FLOAT.unpack_from
        for group, known in reading.numbers.items():
            values = [unpack(datagram, place)[0] for place in known.places]
            if self._take_numbers(group, known.names, values):
                value_came = True
        return value_came

    def _taker_of(self, head: MessageHead) -> Taker:
        """Return who takes the messages that begin with ``head``."""
        key = self._number_key(head.address, head.leading) if head.is_one_float else None
        return key or self._handlers.get(head.address) or self._find_handler(head.address)

    def _taker(self, address: str) -> Handler | None:
        """Return who takes the messages of ``address``, and remember it."""
        take = self._handlers.get(address) or self._find_handler(address)
        if len(self._takers) < MOST_ADDRESSES:
            self._takers[address] = take
        return take

    def _complete_face(self, t_ns: int) -> FaceFrame:
        self._open_since_ns = None
        self._settle()
        # A sender of hands or of room sensors alone must not hold the avatar.
        parts = (self._head, self._left_eye, self._right_eye)
        has_face = bool(self._blendshapes or self._presets) or any(
            part is not None for part in parts
        )
        return FaceFrame(
            t_ns=t_ns,
            source=self._source,
            tracked=self._tracked and has_face,
            blendshapes=MappingProxyType(dict(self._blendshapes)),
            presets=MappingProxyType(dict(self._presets)),
            head=self._head,
            left_eye=self._left_eye,
            right_eye=self._right_eye,
        )

    def _take_nothing(self, arguments: OscArguments) -> bool:
        """Take a message of the protocol that says nothing about the face."""
        return False

    def _take_weight(self, name: str, arguments: OscArguments) -> bool:
        """Take a message that says nothing but the weight of the blendshape ``name``."""
        return self._keep_weight(name, arguments[0] if arguments else None)

    def _take_shapes(self, names: Sequence[str], arguments: OscArguments) -> None:
        """Keep the weights of ``names`` that ``arguments`` begin with, dropping what is none."""
        weights = arguments[: len(names)]
        if set(map(type, weights)) == _FLOATS:
            self._take_weights(self._blendshapes, names, cast("tuple[float, ...]", weights))
            return
        for name, value in zip(names, weights, strict=True):
            self._keep_weight(name, value)

    def _keep_weight(self, name: str, value: OscArgument) -> bool:
        """Keep a blendshape's weight if it is one; return whether it was."""
        weight = weight_from_number(value)
        if weight is None:
            return self._drop()
        self._blendshapes[name] = weight
        return True

    def _drop(self) -> bool:
        """Count a refused value; False, as a handler returns then."""
        self.values_dropped += 1
        return False


def numbers_from(arguments: OscArguments, count: int, limit: float) -> tuple[float, ...] | None:
    """Return the first ``count`` arguments if each is a number within ``±limit``, else None."""
    numbers: list[float] = []
    for argument in arguments[:count]:
        number = finite_or_none(argument, limit)
        if number is None:
            return None
        numbers.append(number)
    return tuple(numbers) if len(numbers) == count else None


def quaternion_from(arguments: OscArguments) -> Quaternion | None:
    """Return the rotation that the first four arguments x y z w are, of norm 1, else None."""
    numbers = numbers_from(arguments, 4, _LARGEST_COMPONENT)
    return None if numbers is None else normalised(Quaternion(*numbers))


def leading_addresses(datagram: bytes) -> Iterator[bytes]:
    """Yield the first few addresses of an OSC packet; nothing, never an error, if it is none."""
    if not datagram.startswith(BUNDLE_START):
        if datagram.startswith(b"/"):
            yield datagram[: datagram.find(b"\0")]
        return
    offset = _BUNDLE_HEADER_BYTES
    for _ in range(LOOKED_AT):
        start = offset + _SIZE_BYTES
        if start >= len(datagram):
            return
        if datagram[start : start + 1] == b"/":
            yield datagram[start : datagram.find(b"\0", start)]
            offset = start + int.from_bytes(datagram[offset:start], "big")
        elif datagram.startswith(BUNDLE_START, start):
            offset = start + _BUNDLE_HEADER_BYTES  # a bundle in a bundle: its first messages
        else:
            return
