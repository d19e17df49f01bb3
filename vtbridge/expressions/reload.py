"""Follow an expressions.toml: what is saved is shown, what is wrong is told and left out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from vtbridge.errors import ConfigError
from vtbridge.expressions.grammar import Name
from vtbridge.expressions.library import ExpressionLibrary, builtin_library, read_library
from vtbridge.flow.service import ThreadService

log = logging.getLogger(__name__)

_POLL_S = 0.5

_Signature = tuple[int, int, int]


class ExpressionFileWatch(ThreadService):
    """Look at a file twice a second and hand on each new version that is right.

    Args:
        path: the file; it may come later, and going away changes nothing. None = there is none.
        names: the words of conditions.
        use: takes a new set; called on the thread that looks.
        poll_s: from one look to the next.

    Attributes:
        trouble: what is wrong with the newest version, empty if nothing.
    """

    def __init__(
        self,
        path: Path | None,
        names: Mapping[str, Name],
        use: Callable[[ExpressionLibrary], None],
        *,
        poll_s: float = _POLL_S,
    ) -> None:
        super().__init__("expression-file")
        self.path = path
        self.trouble = ""
        self._names = names
        self._use = use
        self._poll_s = poll_s
        self._seen: _Signature | None = None
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Look until asked to stop."""
        while not self.stopping.wait(self._poll_s):
            self.look()

    def follow(self, path: Path | None) -> None:
        """Go over to another file; where it is not there or wrong, to the built-in set."""
        with self._lock:
            if path == self.path:
                return
            self.path, self._seen, self.trouble = path, None, ""
            if not self._look():
                self._use(builtin_library(self._names))

    def look(self) -> bool:
        """Read the file if it has changed, and return whether a new set was handed on.

        Safe from any thread: who has written the file need not wait for the next look.
        """
        with self._lock:
            return self._look()

    def _look(self) -> bool:
        path = self.path
        signature = None if path is None else _signature(path)
        if path is None or signature is None or signature == self._seen:
            return False
        self._seen = signature
        try:
            library = read_library(path, self._names)
        except ConfigError as error:
            self.trouble = str(error)
            log.warning("the expressions stay as they were: %s", error)
            return False
        self.trouble = ""
        self._use(library)
        log.info("%d expressions with those of %s", len(library.expressions), path)
        return True


def _signature(path: Path) -> _Signature | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
