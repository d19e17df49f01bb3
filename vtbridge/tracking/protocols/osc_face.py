"""What all protocols share that say a face in many OSC messages.

Senders pack a face as one bundle, as several datagrams or as single messages. A face
is complete at the end of a bundle, at an end that the protocol knows, after 5 ms of
quiet, and 20 ms after its first value at the latest. What is left out keeps its last
value, for not every message comes with every face.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.osc import OscArgument, decode_packet
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

OscArguments: TypeAlias = tuple[OscArgument, ...]
Handler: TypeAlias = Callable[[OscArguments], bool]
"""Takes the arguments of one message; returns whether a value of the face came."""

_LARGEST_COMPONENT = 1e3
_BUNDLE_START = b"#bundle\0"
_BUNDLE_HEADER_BYTES = 16
_SIZE_BYTES = 4


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
        messages = decode_packet(datagram)
        for message in messages:
            if self._is_own(message.address):
                break
        else:
            raise PacketError(
                f"an OSC packet without a message of {self.name}", reason=f"not {self.name}"
            )
        frames = self.flush(t_ns) if self._open_since_ns is not None else []
        self._ended = False
        value_came = False
        takers = self._takers
        for address, arguments in messages:
            try:
                take = takers[address]
            except KeyError:
                take = self._taker(address)
            if take is not None and take(arguments):
                value_came = True
        if value_came:
            self._last_value_ns = t_ns
            if self._open_since_ns is None:
                self._open_since_ns = t_ns
        since_ns = self._open_since_ns
        complete = self._ended or (
            since_ns is not None
            and (
                t_ns - since_ns >= LONGEST_WAIT_NS
                or (datagram.startswith(_BUNDLE_START) and self._bundle_is_face)
            )
        )
        if complete:
            frames.append(self._complete_face(t_ns))
        return frames

    def flush(self, t_ns: int) -> list[FaceFrame]:
        """Return the face whose end nothing marked, once the sender has been quiet."""
        if self._open_since_ns is None or t_ns - self._last_value_ns < QUIET_NS:
            return []
        return [self._complete_face(self._last_value_ns)]

    @property
    def waiting(self) -> bool:
        """True while values wait for the end of their face."""
        return self._open_since_ns is not None

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
    if not datagram.startswith(_BUNDLE_START):
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
        elif datagram.startswith(_BUNDLE_START, start):
            offset = start + _BUNDLE_HEADER_BYTES  # a bundle in a bundle: its first messages
        else:
            return
