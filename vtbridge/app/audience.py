"""Who looks at the avatar: while nobody does, the networks may rest."""

from __future__ import annotations

import threading
from collections.abc import Callable

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.obs.sight import Sight

LINGER_S = 3.0
"""How long after the last look the networks go on."""


class Audience:
    """Tell the render loop whether anybody looks, and everyone else why.

    It says no only when OBS was asked and says that none of the sources it has of this avatar
    is shown, and nobody who joined looks either: what is not known counts as a look.

    Args:
        clock: for how long ago the last look was.
        linger_s: see ``LINGER_S``.
    """

    def __init__(self, clock: Clock, *, linger_s: float = LINGER_S) -> None:
        self._clock = clock
        self._linger_ns = round(linger_s * NS_PER_S)
        self._sight: Callable[[], Sight] | None = None
        self._lock = threading.Lock()
        self._watchers: dict[str, Callable[[], bool]] = {}
        self._looked_ns = clock.now_ns()
        self.shown = True

    def idle_by(self, sight: Callable[[], Sight]) -> None:
        """Let OBS decide from now on; without this somebody always looks."""
        self._sight = sight

    def join(self, name: str, watching: Callable[[], bool]) -> Callable[[], None]:
        """Count somebody else than OBS, and return what ends that.

        Args:
            name: shown in the state: ``page``, ``recorder``, ``virtual camera``.
            watching: whether it looks just now; asked at each beat on the render thread, so it
                must return at once and never raise.

        Raises:
            ValueError: that name has joined already.
        """
        with self._lock:
            if name in self._watchers:
                raise ValueError(f"{name!r} looks already; leave first")
            self._watchers = {**self._watchers, name: watching}

        def leave() -> None:
            with self._lock:
                self._watchers = {
                    key: one for key, one in self._watchers.items() if one is not watching
                }

        return leave

    def look(self) -> None:
        """Note that somebody looks or is about to; safe from any thread."""
        self._looked_ns = self._clock.now_ns()

    def looks(self) -> bool:
        """Return whether frames are worth making; for the render loop, once a beat."""
        sight = Sight.UNKNOWN if self._sight is None else self._sight()
        if sight is not Sight.HIDDEN or any(watching() for watching in self._watchers.values()):
            self.look()
        self.shown = self._clock.now_ns() - self._looked_ns <= self._linger_ns
        return self.shown

    def status(self) -> dict[str, object]:
        """Return the part of the daemon's status that is its own."""
        sight = Sight.UNKNOWN if self._sight is None else self._sight()
        watchers = {"obs": sight.value if self._sight is not None else "not asked"}
        return {
            "shown": self.shown,
            "watchers": watchers
            | {name: "yes" if watching() else "no" for name, watching in self._watchers.items()},
        }
