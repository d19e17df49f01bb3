"""The password of obs-websocket: where it is kept, and that it is never shown.

Looked up in this order: the system's keyring, the environment variable
``VTBRIDGE_OBS_PASSWORD``, a file that only its owner can read. It never travels
in an argument list, a log line or a repr.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import platformdirs

from vtbridge.errors import ConfigError
from vtbridge.redaction import conceal

ENVIRONMENT_VARIABLE = "VTBRIDGE_OBS_PASSWORD"
KEYRING_SERVICE = "vtbridge"
KEYRING_USER = "obs-websocket"
MAX_LENGTH = 1024
"""Characters; longer files are no password."""

# A keyring without a desktop behind it may wait for ever for a dialog nobody sees;
# storing may rightly ask the user to unlock it.
_READ_TIMEOUT_S = 3.0
_STORE_TIMEOUT_S = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Password:
    """A secret and where it came from; only ``reveal`` shows it.

    Two are equal if the secret is, wherever it came from.
    """

    _text: str = field(repr=False)
    origin: str = field(default="the caller", compare=False)

    def __post_init__(self) -> None:
        """Keep it out of logs."""
        conceal(self._text)

    def reveal(self) -> str:
        """Return the secret itself; the caller keeps it out of every output."""
        return self._text

    def __str__(self) -> str:
        return f"password from {self.origin}"

    def __reduce__(self) -> str:
        raise TypeError("a password is not pickled")


class Keyring(Protocol):
    """The two calls of the ``keyring`` package that are used."""

    def get_password(self, service_name: str, username: str) -> str | None:
        """Return the stored password, None if there is none."""

    def set_password(self, service_name: str, username: str, password: str) -> None:
        """Store a password."""


def password_file() -> Path:
    """Return where the password lies if there is no keyring."""
    return Path(platformdirs.user_config_dir("vtbridge", appauthor=False), "obs-password")


def find_password(
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
    keyring: Keyring | None = None,
) -> Password | None:
    """Return the password of obs-websocket, None if none is kept anywhere.

    Args:
        environment: variables to look in; this process's own by default.
        file: file to look in; ``password_file()`` by default.
        keyring: keyring to ask; the system's by default.

    Raises:
        ConfigError: the file exists but others can read it, or it holds no password.
    """
    ring = keyring or system_keyring()
    if ring is not None:
        kept = _ask(lambda: ring.get_password(KEYRING_SERVICE, KEYRING_USER), _READ_TIMEOUT_S)
        if kept:
            return Password(kept, "the keyring")
    variables = os.environ if environment is None else environment
    if text := variables.get(ENVIRONMENT_VARIABLE):
        return Password(text, f"${ENVIRONMENT_VARIABLE}")
    return read_password_file(file or password_file())


def read_password_file(path: Path) -> Password | None:
    """Return the password in ``path``, None if there is no such file.

    Raises:
        ConfigError: it is no file of this user's own, others can read it, or it
            holds something else than one line.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; make it readable to you alone") from None
    with os.fdopen(descriptor, "rb") as opened:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ConfigError(f"{path}: is not a file; remove it and run `vtbridge obs password`")
        if os.name == "posix":
            if about.st_uid not in (os.getuid(), 0):
                raise ConfigError(f"{path}: belongs to another user; remove it")
            if about.st_mode & 0o077:
                raise ConfigError(
                    f"{path}: mode {stat.S_IMODE(about.st_mode):04o} lets others read the OBS "
                    f"password; run: chmod 600 {path}"
                )
        raw = opened.read(4 * MAX_LENGTH + 1)
    try:
        text = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8; run `vtbridge obs password` anew") from None
    if not text or len(text) > MAX_LENGTH or "\n" in text:
        raise ConfigError(f"{path}: holds no password; run `vtbridge obs password` anew")
    return Password(text, str(path))


def store_password(text: str, *, file: Path | None = None, keyring: Keyring | None = None) -> str:
    """Keep ``text`` in the keyring, or in a 0600 file where there is none.

    Returns:
        Where it is kept now, for the user to read.

    Raises:
        ConfigError: it is no password, or the file cannot be written.
    """
    if not text or len(text) > MAX_LENGTH or any(sign in text for sign in "\r\n\0"):
        raise ConfigError(f"a password is one line of 1 to {MAX_LENGTH} characters")
    ring = keyring or system_keyring()
    if ring is not None and _ask(lambda: _store_and_check(ring, text), _STORE_TIMEOUT_S):
        return "the keyring"
    path = file or password_file()
    try:
        _write_private(path, text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; the password was not stored") from None
    return str(path)


def system_keyring() -> Keyring | None:
    """Return the system's keyring, None where there is none that works."""
    return _ask(_load_keyring, _READ_TIMEOUT_S)


def _load_keyring() -> Keyring | None:
    import keyring
    from keyring.backends import fail, null

    backend = keyring.get_keyring()
    if isinstance(backend, (fail.Keyring, null.Keyring)):
        return None
    return backend


def _store_and_check(ring: Keyring, text: str) -> bool:
    ring.set_password(KEYRING_SERVICE, KEYRING_USER, text)
    return ring.get_password(KEYRING_SERVICE, KEYRING_USER) == text


def _ask(question: Callable[[], T], timeout_s: float) -> T | None:
    """Return the answer, or None if the keyring fails or does not answer in time."""
    answer: list[T] = []

    def run() -> None:
        # Backends raise errors of many libraries; all mean "no keyring".
        with contextlib.suppress(Exception):
            answer.append(question())

    thread = threading.Thread(target=run, name="obs-keyring", daemon=True)
    thread.start()
    thread.join(timeout_s)
    return answer[0] if answer else None


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".obs-password-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:  # mkstemp makes it 0600
            file.write(text + "\n")
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
