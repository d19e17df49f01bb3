"""Keys pressed anywhere, by pynput; X11, Windows, macOS. Wayland shows programs only their own.

Only the bound combinations are acted on; nothing that is typed is kept or told.
"""

from __future__ import annotations

import logging
import queue
from typing import Any

from vtbridge.clock import Clock
from vtbridge.errors import RuntimeUnavailable
from vtbridge.expressions.triggers.hotkeys import Hotkeys
from vtbridge.flow.service import ThreadService

log = logging.getLogger(__name__)

_PATIENCE_S = 0.5
_SETTLE_S = 0.03
_MAX_WAITING = 64
_REMEDY = "; `pip install vtbridge[hotkeys]`, or set [control] keyboard = false"


class KeyboardTrigger(ThreadService):
    """Hears the keyboard and hands each key to ``hotkeys``, on this thread alone.

    Args:
        hotkeys: what keys mean.
        clock: the monotonic clock.

    Raises:
        RuntimeUnavailable: pynput is absent, or the system shows no keyboard.
    """

    def __init__(self, hotkeys: Hotkeys, clock: Clock) -> None:
        super().__init__("keyboard")
        self._hotkeys = hotkeys
        self._clock = clock
        self._events: queue.Queue[tuple[str, bool]] = queue.Queue(_MAX_WAITING)
        self._listener = self._open()

    def serve(self) -> None:
        """Listen until asked to stop."""
        self._listener.start()
        try:
            while not self.stopping.is_set():
                self._step()
                if not self._listener.is_alive():
                    raise RuntimeUnavailable("the system took the keyboard away" + _REMEDY)
        finally:
            self._listener.stop()

    def _step(self) -> None:
        patience_s = _SETTLE_S if self._hotkeys.waiting else _PATIENCE_S
        try:
            key, down = self._events.get(timeout=patience_s)
        except queue.Empty:
            self._hotkeys.settle(self._clock.now_ns())
            return
        if down:
            self._hotkeys.press(key, self._clock.now_ns())
        else:
            self._hotkeys.release(key, self._clock.now_ns())

    def _open(self) -> Any:
        try:
            from pynput import keyboard
        except Exception as error:
            raise RuntimeUnavailable(f"keys cannot be heard ({error!s:.200}){_REMEDY}") from error

        def hear(key: Any, down: bool) -> None:
            # Left and right ctrl become one, but what has no character loses its name.
            name = key_name(listener.canonical(key)) or key_name(key)
            if name:
                try:
                    self._events.put_nowait((name, down))
                except queue.Full:
                    log.debug("keys come faster than they can be heard")

        listener = keyboard.Listener(
            on_press=lambda key: hear(key, True), on_release=lambda key: hear(key, False)
        )
        return listener


def key_name(key: Any) -> str:
    """Return what ``parse_combination`` calls one of pynput's keys, empty if nothing."""
    character = getattr(key, "char", None)
    if isinstance(character, str):
        return {"+": "plus", " ": "space"}.get(character, character.lower())
    name = getattr(key, "name", None)
    return name if isinstance(name, str) else ""
