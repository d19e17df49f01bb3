"""Characters that are opened, shown and lost as a test says; no networks, no threads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.support.blank_frames import BlankFrames
from vtbridge.app.cast import Cast
from vtbridge.app.character_switch import CharacterSwitch
from vtbridge.app.opened_character import OpenedCharacter
from vtbridge.app.picture_watch import PictureWatch
from vtbridge.config.schema import AvatarSettings
from vtbridge.datatypes import Picture
from vtbridge.errors import RuntimeUnavailable
from vtbridge.render.live.crossing import Outcome, Told
from vtbridge.render.live.live_frames import LiveFrames

NAMES = ("michi", "momo", "ren", "sumi")


def picture_called(name: str, digest: str = "") -> Picture:
    """Return a small picture whose digest is its name unless told otherwise."""
    return Picture(np.zeros((8, 8, 4), np.uint8), name, (digest or name).ljust(64, "0"))


def opened(name: str, picture: Picture | None = None) -> OpenedCharacter:
    """Return a character that needs no networks."""
    return OpenedCharacter(name, picture or picture_called(name), BlankFrames())


class Display:
    """Shows what a test lets it: the promises of ``CrossingLive``, one step at a time.

    Attributes:
        current: what it shows.
        coming: what fades in, None if nothing does.
    """

    def __init__(self, first: LiveFrames) -> None:
        self.current = first
        self.coming: tuple[LiveFrames, Told] | None = None
        self._offered: tuple[LiveFrames, Told] | None = None

    def offer(self, other: LiveFrames, told: Told) -> None:
        """Take ``other`` once nothing else is coming."""
        before, self._offered = self._offered, (other, told)
        if before is not None:
            before[0].close()
            before[1](Outcome.DROPPED)

    def begin(self) -> None:
        """Let what was offered last fade in, if nothing does."""
        if self.coming is None:
            self.coming, self._offered = self._offered, None

    def end(self, outcome: Outcome) -> None:
        """Let what fades in be there, or fail."""
        self.begin()
        if self.coming is None:
            return
        (live, told), self.coming = self.coming, None
        if outcome is Outcome.SHOWN:
            self.current.close()
            self.current = live
        else:
            live.close()
        told(outcome)


class Stage:
    """A switch between ``NAMES`` that turns only when a test says so.

    Attributes:
        broken: names that cannot be opened.
        while_opening: called while one is opened.
        lives: all that was ever opened.
    """

    def __init__(self, follow: Callable[[str], PictureWatch | None] = lambda name: None) -> None:
        self.broken: set[str] = set()
        self.while_opening: Callable[[], None] = lambda: None
        self.opened: list[str] = []
        self.lives: list[OpenedCharacter] = []
        self.changed: list[str] = []
        self.looks = 0
        first = opened("michi")
        self.lives.append(first)
        self.display = Display(first.live)
        self.switch = CharacterSwitch(
            first,
            cast=Cast(AvatarSettings(), lambda: [(name, "built-in") for name in NAMES]),
            display=self.display,
            open_character=self._open,
            follow=follow,
            changed=lambda character: self.changed.append(character.name),
            look=self._look,
        )

    @property
    def shown(self) -> str:
        """The name of what is on the screen."""
        (name,) = [one.name for one in self.lives if one.live is self.display.current]
        return name

    def settle(self) -> None:
        """Let all that is coming come."""
        for _ in range(4):
            self.switch.tend()
            self.display.end(Outcome.SHOWN)
        self.switch.tend()

    def _open(self, name: str, picture: Picture | None) -> OpenedCharacter:
        self.opened.append(name)
        act, self.while_opening = self.while_opening, lambda: None
        act()
        if name in self.broken:
            raise RuntimeUnavailable(f"{name} is broken")
        found = opened(name, picture)
        self.lives.append(found)
        return found

    def _look(self) -> None:
        self.looks += 1
