"""Which plugins the user allows: a file only the user can read, which holds no token itself.

The daemon and ``vtbridge plugins`` both read and change it, so consent needs no connection
between them, and holds without a running avatar too.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

from vtbridge.errors import VtbridgeError
from vtbridge.flow.file_lock import FileLock

log = logging.getLogger(__name__)

ANSWER_HOLDS_S = 600.0
"""An answer that was given before the plugin asked serves it for this long."""
_VERSION = 1
_MAX_BYTES = 4_000_000
# What reading such a file raises if it is no JSON, too deep, or holds other things or numbers.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError)
_MAX_PLUGINS = 200
_MAX_WAITING = 20
_LOCK_PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class PluginId:
    """A plugin as it names itself."""

    name: str
    developer: str

    def __str__(self) -> str:
        return f"{self.name} ({self.developer})"

    @property
    def key(self) -> str:
        """What tells it from others."""
        return f"{self.name}\0{self.developer}"


@dataclass(frozen=True, slots=True)
class CustomParameter:
    """A parameter that a plugin added."""

    name: str
    low: float
    high: float
    default: float
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin that was allowed.

    Attributes:
        plugin: who it is.
        token_sha256: of its token, hexadecimal.
        allowed_s: when, seconds since 1970.
        parameters: those that it added.
    """

    plugin: PluginId
    token_sha256: str
    allowed_s: float
    parameters: tuple[CustomParameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A plugin that asks, or an answer to one that has not asked yet.

    Attributes:
        name: of the plugin.
        developer: of the plugin, empty in an answer given beforehand.
        since_s: since when, seconds since 1970.
        allowed: the user's answer, None while there is none.
        asked: False for an answer given beforehand.
        origin: the web page or other computer it comes from, empty for a program of this one.
    """

    name: str
    developer: str
    since_s: float
    allowed: bool | None = None
    asked: bool = True
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """What the file holds."""

    plugins: tuple[Plugin, ...] = ()
    waiting: tuple[Waiting, ...] = ()

    def find(self, plugin: PluginId) -> Plugin | None:
        """Return the entry of ``plugin``, None if it is not allowed."""
        return next((one for one in self.plugins if one.plugin == plugin), None)


def plugins_path() -> Path:
    """Return the file of this user's plugins."""
    return Path(platformdirs.user_state_dir("vtbridge", appauthor=False), "vts-plugins.json")


class PluginBook:
    """The file of allowed plugins; each call may take as long as a disk does.

    Args:
        path: the file; it and its folder are made when there is something to keep.
        now_s: the wall clock, seconds since 1970.
    """

    def __init__(self, path: Path, now_s: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now_s = now_s
        self._seen: tuple[int, int, int] | None = None
        self._book = Book()

    def read(self) -> Book:
        """Return what the file holds now; a file that is absent or damaged holds nothing."""
        try:
            status = self._path.stat()
        except OSError:
            self._seen, self._book = None, Book()
            return self._book
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen != self._seen:
            self._book = self._parsed()
            self._seen = seen
        return self._book

    def find(self, plugin: PluginId, token: str) -> Plugin | None:
        """Return the entry of ``plugin`` if ``token`` is the one that it was given and has."""
        known = self.read().find(plugin)
        if known is None or not _same(known.token_sha256, _digest(token)):
            return None
        return known

    def ask(self, plugin: PluginId, *, origin: str = "") -> bool | None:
        """Note that ``plugin`` asks and return the answer if the user has given one."""
        answer: bool | None = None

        def change(book: Book) -> Book:
            nonlocal answer
            rest = []
            for one in self._still_waiting(book):
                if _means(one, plugin):
                    answer = one.allowed if answer is None else answer
                else:
                    rest.append(one)
            if answer is None:
                rest.append(Waiting(plugin.name, plugin.developer, self._now_s(), origin=origin))
            return replace(book, waiting=tuple(rest[-_MAX_WAITING:]))

        self._change(change)
        return answer

    def answer_to(self, plugin: PluginId) -> bool | None:
        """Return the user's answer to a plugin that asked, None while there is none."""
        for one in self.read().waiting:
            if one.asked and _means(one, plugin):
                return one.allowed
        return None

    def settle(self, plugin: PluginId) -> None:
        """Take ``plugin`` from those who wait."""
        self._change(
            lambda book: replace(
                book, waiting=tuple(one for one in book.waiting if not _means(one, plugin))
            )
        )

    def grant(self, plugin: PluginId) -> str:
        """Return a new token for ``plugin``; one that it had before is worth nothing then."""
        token = secrets.token_hex(32)

        def change(book: Book) -> Book:
            older = book.find(plugin)
            kept = () if older is None else older.parameters
            others = [one for one in book.plugins if one.plugin != plugin]
            entry = Plugin(plugin, _digest(token), self._now_s(), kept)
            waiting = tuple(one for one in book.waiting if not _means(one, plugin))
            return Book((*others[-_MAX_PLUGINS + 1 :], entry), waiting)

        self._change(change)
        return token

    def answer(self, name: str | None, *, allowed: bool) -> list[str]:
        """Answer the plugin that waits, or those called ``name``, without regard to case.

        If none of that name waits the answer is kept for a while for the one to come.

        Returns:
            Who was answered; empty if nobody waits and no name was given.

        Raises:
            VtbridgeError: several wait and no name was given, or the file cannot be changed.
        """
        answered: list[str] = []

        def change(book: Book) -> Book:
            waiting = []
            asking = [one for one in self._still_waiting(book) if one.asked and one.allowed is None]
            if name is None and len(asking) > 1:
                names = ", ".join(f'"{one.name}"' for one in asking)
                raise VtbridgeError(f"several plugins ask; say which: {names}")
            for one in self._still_waiting(book):
                wanted = name is None or one.name.casefold() == name.casefold()
                if one.asked and one.allowed is None and wanted:
                    answered.append(str(PluginId(one.name, one.developer)))
                    waiting.append(replace(one, allowed=allowed))
                else:
                    waiting.append(one)
            if not answered and name is not None:
                waiting.append(Waiting(name, "", self._now_s(), allowed, asked=False))
            return replace(book, waiting=tuple(waiting[-_MAX_WAITING:]))

        self._change(change)
        return answered

    def revoke(self, name: str) -> list[str]:
        """Take the tokens and parameters of all plugins called ``name``; return who they were."""
        gone: list[str] = []

        def change(book: Book) -> Book:
            kept = []
            for one in book.plugins:
                if one.plugin.name.casefold() == name.casefold():
                    gone.append(str(one.plugin))
                else:
                    kept.append(one)
            return replace(book, plugins=tuple(kept))

        self._change(change)
        return gone

    def keep_parameters(self, plugin: PluginId, parameters: tuple[CustomParameter, ...]) -> None:
        """Remember the parameters that ``plugin`` has added."""
        self._change(
            lambda book: replace(
                book,
                plugins=tuple(
                    replace(one, parameters=parameters) if one.plugin == plugin else one
                    for one in book.plugins
                ),
            )
        )

    def _still_waiting(self, book: Book) -> list[Waiting]:
        since_s = self._now_s() - ANSWER_HOLDS_S
        return [one for one in book.waiting if one.since_s >= since_s]

    def _change(self, change: Callable[[Book], Book]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._seen = None
                book = self.read()
                changed = change(book)
                if changed != book:
                    self._write(changed)
        except OSError as error:
            raise VtbridgeError(
                f"{self._path} cannot be changed ({error.strerror or error}); "
                "make it and its folder writable"
            ) from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(self._path.with_suffix(".lock"))
        deadline_s = time.monotonic() + _LOCK_PATIENCE_S
        while not lock.acquire():
            if time.monotonic() > deadline_s:
                raise OSError(f"held by {lock.holder()}")
            time.sleep(0.01)
        with lock:
            yield

    def _write(self, book: Book) -> None:
        content = json.dumps({"version": _VERSION, **asdict(book)}, indent=1)
        fresh = self._path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(content)
        fresh.replace(self._path)

    def _parsed(self) -> Book:
        try:
            with self._path.open("rb") as file:
                return _book_from(json.loads(file.read(_MAX_BYTES)))
        except _DAMAGE as error:
            log.warning("%s cannot be read (%r); no plugin counts as allowed", self._path, error)
            return Book()


def _digest(token: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _same(kept: str, digest: str) -> bool:
    # As bytes: texts are compared only if they are ASCII, which a damaged file's may not be.
    return hmac.compare_digest(kept.encode("utf-8", "surrogatepass"), digest.encode())


def _means(one: Waiting, plugin: PluginId) -> bool:
    if one.asked:
        return (one.name, one.developer) == (plugin.name, plugin.developer)
    return one.name.casefold() == plugin.name.casefold()


def _book_from(saved: Mapping[str, Any]) -> Book:
    if saved["version"] != _VERSION:
        raise ValueError(f"version {saved['version']!r:.20} is unknown")
    return Book(
        tuple(
            Plugin(
                PluginId(str(one["plugin"]["name"]), str(one["plugin"]["developer"])),
                str(one["token_sha256"]),
                float(one["allowed_s"]),
                tuple(
                    CustomParameter(
                        str(row["name"]),
                        float(row["low"]),
                        float(row["high"]),
                        float(row["default"]),
                        str(row["explanation"]),
                    )
                    for row in one["parameters"]
                ),
            )
            for one in saved["plugins"]
        ),
        tuple(
            Waiting(
                str(one["name"]),
                str(one["developer"]),
                float(one["since_s"]),
                None if one["allowed"] is None else bool(one["allowed"]),
                bool(one["asked"]),
                str(one["origin"]),
            )
            for one in saved["waiting"]
        ),
    )
