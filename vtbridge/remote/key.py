"""The key that two computers share: short enough to type once, kept in a file of its owner's."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from vtbridge.errors import ConfigError, VtbridgeError
from vtbridge.redaction import conceal

ENVIRONMENT_VARIABLE = "VTBRIDGE_REMOTE_KEY"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: nothing that looks like something else."""
_LOOKALIKES = str.maketrans({"o": "0", "i": "1", "l": "1", "-": "", " ": ""})
_LENGTH, _GROUP = 20, 4
_MOST_BYTES = 256


@dataclass(frozen=True, slots=True)
class RemoteKey:
    """95 random bits and a check character; only ``text`` shows them."""

    _characters: str = field(repr=False)

    def __post_init__(self) -> None:
        """Keep it out of logs, with and without its groups."""
        conceal(self._characters)
        conceal(self.text)

    @property
    def text(self) -> str:
        """What people type: five groups of four."""
        groups = range(0, _LENGTH, _GROUP)
        return "-".join(self._characters[at : at + _GROUP] for at in groups)

    @property
    def secret(self) -> bytes:
        """32 bytes for signing."""
        return hashlib.sha256(b"vtbridge remote key " + self._characters.encode()).digest()


def new_key() -> RemoteKey:
    """Return a key that nobody else has."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH - 1))
    return RemoteKey(body + _check(body))


def parse_key(text: str) -> RemoteKey:
    """Return the key that was typed.

    Raises:
        ConfigError: it is none, or a character is wrong; the text is not repeated.
    """
    characters = text.strip().lower().translate(_LOOKALIKES)
    if len(characters) != _LENGTH or not set(characters) <= set(_ALPHABET):
        raise ConfigError(
            f"a key has {_LENGTH} letters and digits in groups of {_GROUP}, as the renderer shows "
            f"it; this has {len(characters)} and maybe others"
        )
    if _check(characters[:-1]) != characters[-1]:
        raise ConfigError("a character of the key is wrong; type it again as the renderer shows it")
    return RemoteKey(characters)


def key_file() -> Path:
    """Return where this computer keeps the key."""
    return Path(platformdirs.user_config_dir("vtbridge", appauthor=False), "remote-key")


def find_key(environment: Mapping[str, str] | None = None) -> RemoteKey | None:
    """Return the key of the environment or of the file, None if there is neither.

    Raises:
        ConfigError: it is none, or others may read the file.
    """
    typed = (os.environ if environment is None else environment).get(ENVIRONMENT_VARIABLE)
    if typed:
        return parse_key(typed)
    path = key_file()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); remove it") from error
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"{path} can be read by others; run: chmod 600 {path}")
    try:
        return parse_key(raw.decode("ascii"))
    except (ConfigError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} holds no key; remove it, and type the key again") from error


def keep_key(key: RemoteKey) -> Path:
    """Write ``key`` to the file, which nobody else can read, and return its path.

    Raises:
        VtbridgeError: the file cannot be written.
    """
    path = key_file()
    fresh = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.text + "\n")
        fresh.replace(path)
    except OSError as error:
        raise VtbridgeError(
            f"{path} cannot be written ({error.strerror}); make its folder writable"
        ) from error
    return path


def _check(body: str) -> str:
    return _ALPHABET[hashlib.sha256(body.encode()).digest()[0] % len(_ALPHABET)]
