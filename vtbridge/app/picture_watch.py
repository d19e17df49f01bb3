"""Follow the picture of the character that is shown: what an editor saves is shown anew."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from vtbridge.app.characters import open_picture, picture_file
from vtbridge.characters.package import picture_in
from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import Picture
from vtbridge.errors import PictureError, VtbridgeError, WeightsError

log = logging.getLogger(__name__)

PATIENCE_NS = 2 * NS_PER_S
"""For how long a picture that cannot be read may still be one that is being written."""

_Signature = tuple[int, int, int]


class PictureWatch:
    """Look at one picture now and then; what was there at the beginning is known already.

    Args:
        name: of the character, as ``open_picture`` takes it.
        clock: the monotonic clock.
        read: opens the picture.

    Attributes:
        name: as it was given.
        digest: of the newest picture.
        trouble: why the newest version cannot be shown, empty if it can.
    """

    def __init__(
        self, name: str, clock: Clock, read: Callable[[str], Picture] = open_picture
    ) -> None:
        self.name = name
        self.digest = ""
        self.trouble = ""
        self._clock = clock
        self._read = read
        self._source = _source(name)
        self._seen = _signature(self._source)
        self._since_ns: int | None = None

    def look(self) -> Picture | None:
        """Return the picture if there is another one than before.

        One that is gone changes nothing: an editor may be about to put it back.
        """
        signature, now_ns = _signature(self._source), self._clock.now_ns()
        if signature is None:
            return None
        if signature != self._seen:
            self._seen, self._since_ns = signature, now_ns
        if self._since_ns is None:
            return None
        try:
            picture = self._read(self.name)
        except (PictureError, WeightsError) as error:
            if now_ns - self._since_ns >= PATIENCE_NS:
                self._since_ns, self.trouble = None, str(error)
                log.warning("the character stays as it was: %s", error)
            return None
        self._since_ns, self.trouble = None, ""
        if picture.digest == self.digest:
            return None
        self.digest = picture.digest
        return picture

    def forget(self, digest: str) -> None:
        """Read the picture once more, for that of ``digest`` is shown still."""
        self.digest, self._seen = digest, None


def _source(name: str) -> Path | None:
    try:
        return picture_file(name)
    except VtbridgeError:  # a fetched one that is damaged: nobody edits that
        return None


def _signature(source: Path | None) -> _Signature | None:
    if source is None:
        return None
    try:
        found = (picture_in(source) if source.is_dir() else source).stat()
    except (OSError, ValueError, VtbridgeError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
