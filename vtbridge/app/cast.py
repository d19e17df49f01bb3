"""The characters that an avatar may show while it runs, and the names that orders give them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vtbridge.app.characters import known_characters
from vtbridge.config.schema import AvatarSettings
from vtbridge.expressions.parameters import suggestion

Known = Callable[[], list[tuple[str, str]]]


class Cast:
    """Those on this computer and those of the settings; nothing else is ever opened by an order.

    Args:
        avatar: names the first one, and pictures and folders of its user's own.
        known: returns those on this computer, each with its kind; reads the disk.
    """

    def __init__(self, avatar: AvatarSettings, known: Known = known_characters) -> None:
        self._own = tuple(dict.fromkeys((avatar.picture, *avatar.characters)))
        self._known = known

    def listed(self) -> list[tuple[str, str]]:
        """Return each with its kind, as ``known_characters`` does; reads the disk."""
        known = self._known()
        names = {name for name, _ in known}
        return [*known, *((name, "own") for name in self._own if _plain(name) not in names)]

    def named(self, wanted: str) -> str:
        """Return the one that an order means, as it is listed; reads the disk.

        By its name, or by that of its file or folder without the ending, where only one is
        called so.

        Raises:
            KeyError: none is, or several are; the message tells which.
        """
        names = [name for name, _ in self.listed()]
        if wanted in names:
            return wanted
        called = [name for name in names if title_of(name) == wanted.lower()]
        if len(called) == 1:
            return called[0]
        if called:
            raise KeyError(f"{wanted!r:.60} may be {', '.join(called)}; write it in full")
        near = suggestion(wanted.lower(), sorted({title_of(name) for name in names}))
        raise KeyError(f"no character is called {wanted!r:.60}{near}")


def title_of(name: str) -> str:
    """Return what a character is called by people who do not write paths, in small letters."""
    path = Path(name)
    if path.name == name and not path.suffix:
        return name.lower()
    return (path.name if path.is_dir() else path.stem).lower()


def _plain(name: str) -> str:
    """Return ``name`` as a built-in character is listed, a path as it is."""
    return name.lower() if Path(name).name == name else name
