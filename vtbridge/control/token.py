"""The secret that a program must know to command the daemon."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import platformdirs

_TOKEN_BYTES = 16


def token_path() -> Path:
    """Return the file that holds the token of the running daemon."""
    return Path(platformdirs.user_state_dir("vtbridge", appauthor=False), "control.token")


def create_token() -> str:
    """Make a new 128-bit token and store it where only this user can read it."""
    token = secrets.token_hex(_TOKEN_BYTES)
    path = token_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token)
    fresh.replace(path)
    return token
