"""Tell listeners what was switched on and off, on a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from vtbridge.expressions.engine import ExpressionEngine, ExpressionState
from vtbridge.flow.service import ThreadService

log = logging.getLogger(__name__)

Listener = Callable[[tuple[ExpressionState, ...]], None]

_MAX_LISTENERS = 64
_PATIENCE_S = 0.25


class ExpressionNews(ThreadService):
    """Calls every listener with the newest states after each change.

    The render thread only leaves the states in a slot: a listener that is slow misses what
    lies between, delays the others, and nothing else.

    Args:
        engine: whose states are told.
    """

    def __init__(self, engine: ExpressionEngine) -> None:
        super().__init__("expression-news")
        self._engine = engine
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell ``listener`` of each change from now on, and return what ends that.

        Raises:
            RuntimeError: there are far more listeners than there should be.
        """
        with self._lock:
            if len(self._listeners) >= _MAX_LISTENERS:
                raise RuntimeError(
                    f"over {_MAX_LISTENERS} listeners; is one added again and again?"
                )
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        return unsubscribe

    def serve(self) -> None:
        """Tell until asked to stop."""
        seen = 0
        while not self.stopping.is_set():
            seen = self.tell(seen, timeout_s=_PATIENCE_S)

    def tell(self, seen: int, *, timeout_s: float) -> int:
        """Wait for a change newer than number ``seen``, tell it, and return its number."""
        news = self._engine.changes.wait_newer(seen, timeout_s=timeout_s)
        if news is None:
            return seen
        for listener in self._listeners:
            try:
                listener(news.value)
            except Exception:
                log.exception("a listener to expressions failed; the others go on")
        return news.seq
