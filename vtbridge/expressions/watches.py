"""What decides by itself when expressions begin: conditions that held, and chance."""

from __future__ import annotations

import random
from collections.abc import Callable

from vtbridge.clock import NS_PER_S
from vtbridge.expressions.grammar import Condition, Sight
from vtbridge.expressions.layer import Expression
from vtbridge.expressions.library import RandomPlay


class ConditionWatch:
    """Whether an expression's condition keeps it on; never flickers with a trembling face.

    It must hold for ``on_after_s`` to switch on, and be over for ``off_after_s`` to switch off.

    Attributes:
        on: the decision.
    """

    def __init__(self, expression: Expression) -> None:
        self._expression = expression
        table = expression.table
        self._on_after_ns = round(table.on_after_s * NS_PER_S)
        self._off_after_ns = round(table.off_after_s * NS_PER_S)
        self._differs_since_ns: int | None = None
        self.on = False

    def look(self, sight: Sight, now_ns: int) -> bool:
        """Take one more look and return ``on``."""
        if self._wanted(sight) == self.on:
            self._differs_since_ns = None
            return self.on
        if self._differs_since_ns is None:
            self._differs_since_ns = now_ns
        patience_ns = self._off_after_ns if self.on else self._on_after_ns
        if now_ns - self._differs_since_ns >= patience_ns:
            self.on = not self.on
            self._differs_since_ns = None
        return self.on

    def _wanted(self, sight: Sight) -> bool:
        expression = self._expression
        if self.on and expression.until is not None:
            return not holds(expression.until, sight)
        return expression.when is not None and holds(expression.when, sight)


class RandomWatch:
    """Draws the moments and the choices of one ``[random]`` table."""

    def __init__(self, play: RandomPlay, rng: random.Random) -> None:
        self._play = play
        self._rng = rng
        self._due_ns: int | None = None

    def draw(self, sight: Sight, now_ns: int, playing: Callable[[str], bool]) -> str | None:
        """Return what is to begin now, None in nearly every moment.

        Nothing begins while one of the choices still plays, or while its condition is false.
        """
        if self._due_ns is None:
            self._due_ns = now_ns + self._pause_ns()
        if now_ns < self._due_ns:
            return None
        self._due_ns = now_ns + self._pause_ns()
        play = self._play
        if not play.choose or any(playing(name) for name in play.choose):
            return None
        if play.when is not None and not holds(play.when, sight):
            return None
        names = list(play.choose)
        return self._rng.choices(names, [play.choose[name] for name in names])[0]

    def _pause_ns(self) -> int:
        return round(self._rng.uniform(self._play.shortest_s, self._play.longest_s) * NS_PER_S)


def holds(condition: Condition, sight: Sight) -> bool:
    """Return whether ``condition`` holds; one that is silent about ``tracked`` wants a face."""
    return (sight.tracked or "tracked" in condition.names) and condition.holds(sight)
