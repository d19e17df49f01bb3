"""Who may speak on a channel, and how much: the pinned sender and the token bucket.

No tracker protocol authenticates, so each protocol at a port listens to one sender at a
time: the first that sends something valid, until it falls silent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from vtbridge.clock import NS_PER_S

Address = tuple[str, int]

TOKENS_PER_S = 10_000
"""Tokens a second for one sender; VMC in single messages at 60 fps needs 7 740."""
BYTES_PER_TOKEN = 64
"""A datagram costs one token per this many bytes, at least one: as much as a single message."""
SAME_HOST_SILENCE_NS = NS_PER_S // 4
"""Silence after which another port of the owner's host may take its place."""
_PORTS_REMEMBERED = 64


class TokenBucket:
    """Let through ``rate_per_s`` tokens a second, saved up for at most one second."""

    def __init__(self, rate_per_s: float) -> None:
        self._rate_per_ns = rate_per_s / NS_PER_S
        self._capacity = rate_per_s
        self._tokens = rate_per_s
        self._last_ns: int | None = None

    def take(self, cost: float, t_ns: int) -> bool:
        """Take ``cost`` tokens at ``t_ns``; return False, taking none, if they are not there."""
        if self._last_ns is not None:
            earned = (t_ns - self._last_ns) * self._rate_per_ns
            self._tokens = min(self._capacity, self._tokens + earned)
        self._last_ns = t_ns
        if self._tokens < cost:
            return False
        self._tokens -= cost
        return True


class Verdict(Enum):
    """What to do with a datagram before looking inside."""

    OWNER = "owner"
    SUCCESSOR = "successor"
    """The owner's host goes on from another port; what was received so far still holds."""
    CANDIDATE = "candidate"
    """A new sender; nothing that was received before holds for it."""
    NOT_ALLOWED = "not_allowed"
    OTHER_SENDER = "other_sender"
    THROTTLED = "throttled"


class Admission:
    """Choose one sender and hold it to its share.

    A host that sends each message from a new port, as liblo's ``oscsend`` does, is one
    sender: a port never heard before succeeds one that spoke only once, at once. If it
    speaks again after all, it is a program of its own and begins anew.

    Attributes:
        owner: the pinned sender, None if there is none.

    Args:
        allow: networks that may speak; empty = any.
        release_ns: silence after which the owner loses its place.
        loopback_only: whether only this computer may speak, whatever ``allow`` says.
    """

    def __init__(
        self, allow: Sequence[IPv4Network], release_ns: int, *, loopback_only: bool = False
    ) -> None:
        self.owner: Address | None = None
        self._allow = tuple(allow)
        self._release_ns = release_ns
        self._loopback_only = loopback_only
        self._last_heard_ns = 0
        self._spoke_once = False
        self._succeeded = False
        self._ports: deque[int] = deque(maxlen=_PORTS_REMEMBERED)
        self._owner_bucket = TokenBucket(TOKENS_PER_S)
        self._stranger_bucket = TokenBucket(TOKENS_PER_S)

    def judge(self, sender: Address, size: int, t_ns: int) -> Verdict:
        """Return what to do with ``size`` bytes from ``sender``."""
        cost = max(1, size // BYTES_PER_TOKEN)
        if sender == self.owner:
            if not self._owner_bucket.take(cost, t_ns):
                return Verdict.THROTTLED
            return Verdict.CANDIDATE if self._succeeded else Verdict.OWNER
        verdict = self._judge_stranger(sender, t_ns)
        if verdict is Verdict.SUCCESSOR:
            return verdict if self._owner_bucket.take(cost, t_ns) else Verdict.THROTTLED
        if verdict is Verdict.CANDIDATE:
            return verdict if self._stranger_bucket.take(cost, t_ns) else Verdict.THROTTLED
        return verdict

    def accept(self, sender: Address, t_ns: int) -> None:
        """Note that ``sender`` sent something valid; a successor or candidate becomes the owner."""
        if sender == self.owner:
            self._spoke_once = self._succeeded = False
        else:
            self._succeeded = self._succeeds(sender, t_ns)
            if self.owner is None or sender[0] != self.owner[0]:
                self._owner_bucket = TokenBucket(TOKENS_PER_S)
                self._ports.clear()
            self.owner = sender
            self._spoke_once = True
            self._ports.append(sender[1])
        self._last_heard_ns = t_ns

    def release(self) -> None:
        """Take the owner's place away; the next valid datagram decides."""
        self.owner = None

    def allows(self, host: str) -> bool:
        """Return whether ``host`` may speak at all, be it its turn or not."""
        try:
            address = IPv4Address(host)
        except AddressValueError:
            return False
        if self._loopback_only and not address.is_loopback:
            return False
        return not self._allow or any(address in network for network in self._allow)

    def _judge_stranger(self, sender: Address, t_ns: int) -> Verdict:
        if self._succeeds(sender, t_ns):
            return Verdict.SUCCESSOR
        if self.owner is not None:
            is_same_host = sender[0] == self.owner[0]
            release_ns = SAME_HOST_SILENCE_NS if is_same_host else self._release_ns
            if t_ns - self._last_heard_ns < release_ns:
                return Verdict.OTHER_SENDER
        return Verdict.CANDIDATE if self.allows(sender[0]) else Verdict.NOT_ALLOWED

    def _succeeds(self, sender: Address, t_ns: int) -> bool:
        """Return whether ``sender`` is the owner, which takes a new port for each message."""
        return (
            self.owner is not None
            and sender[0] == self.owner[0]
            and sender[1] not in self._ports
            and self._spoke_once
            and t_ns - self._last_heard_ns < self._release_ns
        )
