"""Read config.toml; whatever is wrong with it is told with file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import platformdirs
from pydantic import ValidationError

from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError

_HEADER = re.compile(r"^\s*\[\s*([A-Za-z0-9_.\-\s]+?)\s*\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\-\s]+?)\s*=")
_MAX_BYTES = 1 << 20


def user_config_path() -> Path:
    """Return where a user's own config.toml lies if no other is named."""
    return Path(platformdirs.user_config_dir("vtbridge", appauthor=False), "config.toml")


def load_config(path: Path | None = None) -> Config:
    """Return the settings of ``path``, of the user's own file, or the defaults.

    A picture that lies beside the file may be named by its path from there.

    Raises:
        ConfigError: the file named cannot be read, is not TOML, or holds an unknown
            key, a wrong type or a value out of range.
    """
    chosen = path or user_config_path()
    if path is None and not chosen.exists():
        return Config()
    try:
        with chosen.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{chosen}: {error.strerror}; name another with --config") from error
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"{chosen}: larger than {_MAX_BYTES} bytes; this is no config.toml")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{chosen}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    return _with_picture_beside(chosen, parse_config(text, str(chosen)))


def parse_config(text: str, name: str) -> Config:
    """Parse and validate the text of a config.toml; ``name`` appears in errors.

    Raises:
        ConfigError: as ``load_config``.
    """
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{name}: {error}") from error
    try:
        return Config.model_validate(tables)
    except ValidationError as error:
        lines = [
            f"{name}:{_line_of(text, problem['loc'])}: "
            f"{'.'.join(map(str, problem['loc']))}: {_sentence(problem['type'], problem['msg'])}"
            for problem in error.errors(include_url=False)
        ]
        raise ConfigError("\n".join(lines)) from error


def _with_picture_beside(file: Path, config: Config) -> Config:
    value = config.avatar.picture
    if Path(value).name == value and not Path(value).suffix:  # the name of a character
        return config
    beside = file.parent / value
    try:
        if not beside.is_file():
            return config
    except OSError:  # such as a name too long for the system
        return config
    avatar = config.avatar.model_copy(update={"picture": str(beside)})
    return config.model_copy(update={"avatar": avatar})


def _sentence(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown setting; `vtbridge config show` prints all there are"
    return message[:1].lower() + message[1:]


def _line_of(text: str, location: Sequence[int | str]) -> int:
    """Return the line of the deepest part of ``location`` that stands in ``text``."""
    path = [str(part) for part in location if isinstance(part, str)]
    table: list[str] = []
    best_line, best_depth = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            here = table = _parts(header[1])
        elif key := _KEY.match(line):
            here = [*table, *_parts(key[1])]
        else:
            continue
        if len(here) > best_depth and here == path[: len(here)]:
            best_line, best_depth = number, len(here)
    return best_line


def _parts(key: str) -> list[str]:
    return [part.strip() for part in key.split(".")]
