"""Which expressions the keys that are down mean; knows no keyboard and no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vtbridge.clock import NS_PER_S
from vtbridge.expressions.triggers.combination import MODIFIERS

Switch = Callable[[str, bool | None], None]

_REPEAT_NS = NS_PER_S // 20
"""A key that is held repeats as if it were let go and pressed again within this time."""


@dataclass(frozen=True, slots=True)
class Hotkey:
    """One binding.

    Attributes:
        name: of the expression.
        keys: the combination, modifiers exactly as they must be.
        hold: True to switch it off when the key is let go.
    """

    name: str
    keys: frozenset[str]
    hold: bool


class Hotkeys:
    """Follow keys going down and up, and switch what they are bound to.

    Args:
        bindings: returns those that hold just now.
        switch: takes a name, and True, False or None = the other way; may raise KeyError.
    """

    def __init__(self, bindings: Callable[[], Iterable[Hotkey]], switch: Switch) -> None:
        self._bindings = bindings
        self._switch = switch
        self._down: set[str] = set()
        self._leaving: dict[str, int] = {}
        self._held: dict[str, str] = {}

    @property
    def waiting(self) -> bool:
        """Whether a key that went up is still to be believed; ``settle`` does."""
        return bool(self._leaving)

    def press(self, key: str, now_ns: int) -> None:
        """Note that ``key`` went down."""
        self.settle(now_ns)
        if self._leaving.pop(key, None) is not None or key in self._down:
            return  # it repeats
        self._down.add(key)
        if key in MODIFIERS:
            return
        wanted = {*(self._down & MODIFIERS), key}
        for hotkey in self._bindings():
            if hotkey.keys == wanted:
                self._set(hotkey.name, True if hotkey.hold else None)
                if hotkey.hold:
                    self._held[key] = hotkey.name

    def release(self, key: str, now_ns: int) -> None:
        """Note that ``key`` went up; believed a moment later, of modifiers at once."""
        if key in MODIFIERS:  # they do not repeat, and the next key may follow closely
            self._down.discard(key)
        elif key in self._down:
            self._leaving[key] = now_ns

    def settle(self, now_ns: int) -> None:
        """Believe that keys are up which went up a moment ago."""
        for key, since_ns in list(self._leaving.items()):
            if now_ns - since_ns >= _REPEAT_NS:
                del self._leaving[key]
                self._down.discard(key)
                if (name := self._held.pop(key, None)) is not None:
                    self._set(name, False)

    def _set(self, name: str, on: bool | None) -> None:
        try:
            self._switch(name, on)
        except KeyError:
            return  # gone with the file's newest version
