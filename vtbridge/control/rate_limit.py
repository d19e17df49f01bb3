"""How often a thing may be asked for."""

from __future__ import annotations

from collections import deque

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.control.api.problem import refusal


class RateLimit:
    """Let so many through in any second, whoever asks.

    Args:
        what: for people: ``orders``.
        per_s: so many.
        clock: measures the second.
    """

    def __init__(self, what: str, per_s: int, clock: Clock) -> None:
        self._what = what
        self._clock = clock
        self._recent_ns: deque[int] = deque(maxlen=per_s)

    def take(self) -> None:
        """Let one through.

        Raises:
            Refusal: it is one too many.
        """
        now_ns, per_s = self._clock.now_ns(), self._recent_ns.maxlen
        if len(self._recent_ns) == per_s and now_ns - self._recent_ns[0] < NS_PER_S:
            raise refusal(
                429,
                "too-many",
                "Too many in one second",
                f"at most {per_s} {self._what} a second are taken",
                "wait a second and try again",
                headers={"Retry-After": "1"},
            )
        self._recent_ns.append(now_ns)
