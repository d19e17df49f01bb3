"""One run of an expression: how far it has faded in or out, and where its timeline is."""

from __future__ import annotations

from vtbridge.clock import NS_PER_S
from vtbridge.expressions.easing import Easing, eased, progress_of
from vtbridge.expressions.layer import Expression

_LEAVE_WITHIN_S = 0.3


class Play:
    """Fades in from the moment it is made, and stays until it falls or its time is over.

    The amount is continuous whatever happens: a fade that turns back goes on from where it is.

    Args:
        expression: what plays.
        order: its place among those of the same priority, the later one on top.
        now_ns: its beginning.

    Attributes:
        amount: how much of it is seen, 0..1.
        rising: False once it fades out.
    """

    def __init__(self, expression: Expression, order: int, now_ns: int) -> None:
        self.expression = expression
        self.order = order
        self.rising = True
        self.amount = 0.0
        self._begun_ns = self._counted_ns = self._turned_ns = now_ns
        self._turned_at = 0.0
        self._fade_out_s = expression.table.fade_out_s

    @property
    def over(self) -> bool:
        """True once nothing of it is left."""
        return not self.rising and self.amount <= 0.0

    def rise(self, now_ns: int) -> None:
        """Fade in again, or count its time anew."""
        self._counted_ns = now_ns
        if not self.rising:
            self.rising = True
            self._turn(now_ns, progress_of(self.expression.table.easing, self.amount))

    def fall(self, now_ns: int) -> None:
        """Fade out."""
        if self.rising:
            self.rising = False
            self._turn(now_ns, progress_of(self.expression.easing_out, 1.0 - self.amount))

    def leave_soon(self, now_ns: int) -> None:
        """Fade out, quickly: another version of it takes over."""
        if self._fade_out_s > _LEAVE_WITHIN_S:
            self._fade_out_s = _LEAVE_WITHIN_S
            self.rising = True
        self.fall(now_ns)

    def advance(self, now_ns: int) -> None:
        """Go on to ``now_ns``."""
        length_s = self.expression.length_s
        if self.rising and length_s is not None:
            end_ns = self._counted_ns + round(length_s * NS_PER_S)
            if now_ns >= end_ns:
                self._fade(end_ns)
                self.fall(end_ns)
        self._fade(now_ns)

    def lay_over(self, values: list[float], now_ns: int) -> None:
        """Change the 45 ``values`` by what it is at ``now_ns``."""
        if self.amount > 0.0:
            t_s = max(now_ns - self._begun_ns, 0) / NS_PER_S
            self.expression.lay_over(values, self.amount, t_s)

    def _turn(self, now_ns: int, progress: float) -> None:
        self._turned_ns, self._turned_at = now_ns, progress

    def _fade(self, now_ns: int) -> None:
        elapsed_s = max(now_ns - self._turned_ns, 0) / NS_PER_S
        if self.rising:
            self.amount = _faded(
                self.expression.table.easing,
                self._turned_at,
                elapsed_s,
                self.expression.table.fade_in_s,
            )
        else:
            self.amount = 1.0 - _faded(
                self.expression.easing_out, self._turned_at, elapsed_s, self._fade_out_s
            )


def _faded(easing: Easing, progress: float, elapsed_s: float, fade_s: float) -> float:
    if fade_s <= 0.0:
        return 1.0
    return eased(easing, progress + elapsed_s / fade_s)
