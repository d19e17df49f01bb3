"""From one character to another while the avatar is live: the newest one asked for wins.

The new one is opened on this service's thread while the old one goes on, and fades in when its
frames are there. One that cannot be opened, or gives no frames, leaves the old one on the screen.
What was asked for before the newest wish is dropped, opened or not.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from vtbridge.app.cast import Cast
from vtbridge.app.opened_character import OpenedCharacter
from vtbridge.app.picture_watch import PictureWatch
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import Picture
from vtbridge.flow.service import ThreadService
from vtbridge.render.live.crossing import Outcome, Told
from vtbridge.render.live.live_frames import LiveFrames

log = logging.getLogger(__name__)

FADE_NS: Final = 2 * NS_PER_S // 5
"""How long one character fades into another."""

_LOOK_EVERY_S = 0.5
_REST_S = 0.05
"""After each turn: whoever asks without end cannot keep a core busy, nor fill the log."""


class Display(Protocol):
    """What shows the characters; a ``CrossingLive`` is one."""

    def offer(self, other: LiveFrames, told: Told) -> None:
        """Go over to ``other``, and tell what became of it."""


Open = Callable[[str, Picture | None], OpenedCharacter]
"""Opens a character by name; with a picture where that was read already. May take seconds."""


@dataclass(frozen=True, slots=True)
class Casting:
    """Who is on the screen.

    Attributes:
        shown: the character's name.
        coming: the one that is being gone over to, empty if none is.
        trouble: why the newest one asked for is not shown, or the newest version of the shown
            one's file; empty if nothing is wrong.
    """

    shown: str
    coming: str
    trouble: str


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    name: str
    epoch: int
    picture: Picture | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Coming:
    character: OpenedCharacter
    watch: PictureWatch | None


class CharacterSwitch(ThreadService):
    """Own who is shown: open, offer, look after what makes it better, follow its picture.

    Args:
        first: the one that the display shows; its ``first_use`` is started with this service.
        cast: who may be shown.
        display: where others are offered.
        open_character: opens them, on this thread.
        follow: returns what follows a character's picture, None if nothing shall.
        changed: told of each one that is shown, on this thread.
        look: has frames made though nobody looks, so that a change does not wait for that.
    """

    def __init__(
        self,
        first: OpenedCharacter,
        *,
        cast: Cast,
        display: Display,
        open_character: Open,
        follow: Callable[[str], PictureWatch | None] = lambda name: None,
        changed: Callable[[OpenedCharacter], None] = lambda character: None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__("characters")
        self.cast = cast
        self._shown = first
        self._display = display
        self._open = open_character
        self._follow = follow
        self._changed = changed
        self._look = look
        self._watch = self._followed(first.name, first.picture)
        self._coming: list[_Coming] = []
        self._outcomes: deque[tuple[_Coming, Outcome]] = deque()
        self._lock = threading.Lock()
        self._epoch = 0
        self._asked: tuple[str, int] | None = None
        self._wish = _Wish(first.name, 0)
        self._done_epoch = 0
        self._wake = threading.Event()
        self._trouble = ""

    @property
    def shown(self) -> OpenedCharacter:
        """The character on the screen; safe from any thread, as the next ones."""
        return self._shown

    @property
    def services(self) -> list[ThreadService]:
        """What runs for the one that is shown; it is started and stopped here."""
        first_use = self._shown.first_use
        return [] if first_use is None else [first_use]

    def casting(self) -> Casting:
        """Return who is shown, and who shall be."""
        wish, coming = self._wish, list(self._coming)
        if wish.epoch != self._done_epoch:
            name = wish.name
        else:
            name = coming[-1].character.name if coming else ""
        watch = self._watch
        trouble = self._trouble or ("" if watch is None else watch.trouble)
        return Casting(self._shown.name, name, trouble)

    def show(self, name: str) -> None:
        """Go over to a character of the cast as soon as it can be shown; reads the disk.

        Raises:
            KeyError: there is none of that name.
        """
        with self._lock:
            self._epoch = epoch = self._epoch + 1
        self._want(name, epoch)
        self._wake.set()

    def ask(self, name: str) -> None:
        """Do as ``show``, but return at once; that there is none of that name is logged."""
        with self._lock:
            self._epoch += 1
            self._asked = name, self._epoch
        self._wake.set()

    def serve(self) -> None:
        """Go over to whoever is asked for until stopped."""
        self._start_first_use()
        try:
            while not self.stopping.is_set():
                self._wake.wait(_LOOK_EVERY_S)
                self._wake.clear()
                self.tend()
                self.stopping.wait(_REST_S)
        finally:
            self._stop_first_use()

    def interrupt(self) -> None:
        """Wake up, and let go of what makes the shown one better, which may take longer."""
        self._stop_first_use()
        self._wake.set()

    def tend(self) -> None:
        """Take up what became of those that were offered, then the newest wish."""
        while self._outcomes:
            self._settle(*self._outcomes.popleft())
        self._take_asked()
        with self._lock:
            wish = self._wish
        if wish.epoch != self._done_epoch:
            self._go_over(wish)
            self._done_epoch = wish.epoch
        elif not self._coming and self._watch is not None:
            picture = self._watch.look()
            if picture is not None:
                log.info("the picture of %s has changed", self._shown.name)
                self._go_over(_Wish(self._shown.name, wish.epoch, picture))

    def _go_over(self, wish: _Wish) -> None:
        target = self._coming[-1].character if self._coming else self._shown
        self._trouble = ""
        if wish.picture is not None:
            watch = self._watch  # goes on from the version that it read
        elif wish.name == target.name:
            return
        else:
            watch = self._follow(wish.name)  # knows the file before it is read
        try:
            character = self._open(wish.name, wish.picture)
        except Exception as error:  # noqa: BLE001 - one that is broken must not take the other
            self._failed(wish, f"{wish.name} cannot be shown, {target.name} stays: {error}")
            return
        if watch is not None:
            watch.digest = character.picture.digest
        if self._is_outdated(wish) or self.stopping.is_set():
            character.live.close()
            if wish.picture is not None and watch is not None:
                watch.forget(self._shown.picture.digest)
            return
        coming = _Coming(character, watch)
        self._coming.append(coming)
        self._display.offer(character.live, partial(self._heard, coming))
        self._look()

    def _heard(self, coming: _Coming, outcome: Outcome) -> None:
        self._outcomes.append((coming, outcome))
        self._wake.set()

    def _settle(self, coming: _Coming, outcome: Outcome) -> None:
        self._coming.remove(coming)
        character = coming.character
        if outcome is Outcome.SHOWN:
            self._stop_first_use()
            self._shown, self._watch = character, coming.watch
            self._start_first_use()
            log.info("%s is shown now", character.name)
            self._changed(character)
        elif outcome is Outcome.FAILED and not self._coming:
            self._failed(self._wish, f"{character.name} gave no frames, {self._shown.name} stays")

    def _failed(self, wish: _Wish, trouble: str) -> None:
        log.warning("%s", trouble)
        if not self._is_outdated(wish):
            self._trouble = trouble

    def _take_asked(self) -> None:
        with self._lock:
            asked, self._asked = self._asked, None
        if asked is None:
            return
        try:
            self._want(*asked)
        except KeyError as error:
            log.warning("%s", error.args[0])

    def _want(self, name: str, epoch: int) -> None:
        """Wish for a character, unless a newer wish came while the disk was read."""
        listed = self.cast.named(name)
        with self._lock:
            if epoch > self._wish.epoch:
                self._wish = _Wish(listed, epoch)

    def _is_outdated(self, wish: _Wish) -> bool:
        self._take_asked()
        with self._lock:
            return self._wish.epoch != wish.epoch

    def _followed(self, name: str, picture: Picture) -> PictureWatch | None:
        watch = self._follow(name)
        if watch is not None:
            watch.digest = picture.digest
        return watch

    def _start_first_use(self) -> None:
        first_use = self._shown.first_use
        if first_use is not None and not self.stopping.is_set():
            first_use.start()

    def _stop_first_use(self) -> None:
        """Let it end by itself: a process that has learnt something writes that first."""
        first_use = self._shown.first_use
        if first_use is not None:
            first_use.stop(timeout_s=0.0)
