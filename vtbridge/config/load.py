"""Read config.toml; whatever is wrong with it is told with file, line and key."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import platformdirs
from pydantic import ValidationError

from vtbridge.config.problems import key_of, sentence_of
from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError
from vtbridge.settings import StageSettings

Table = TypeVar("Table", bound=StageSettings)

_HEADER = re.compile(r"^\s*\[\s*([A-Za-z0-9_.\-\s]+?)\s*\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\-\s]+?)\s*=")
_MAX_BYTES = 1 << 20


def user_config_path() -> Path:
    """Return where a user's own config.toml lies if no other is named."""
    return Path(platformdirs.user_config_dir("vtbridge", appauthor=False), "config.toml")


def load_config(path: Path | None = None) -> Config:
    """Return the settings of ``path``, of the user's own file, or the defaults.

    The files that it names (pictures, expressions, video, sound) may be named by their path from
    its own folder, or from the user's with ``~``.

    Raises:
        ConfigError: the file named cannot be read, is not TOML, or holds an unknown
            key, a wrong type, a value out of range or one port twice.
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
    return _with_whole_paths(chosen, parse_config(text, str(chosen)))


def parse_config(text: str, name: str) -> Config:
    """Parse and validate the text of a config.toml; ``name`` appears in errors.

    Raises:
        ConfigError: as ``load_config``.
    """
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number with thousands of digits
        raise ConfigError(f"{name}: {error}") from error
    try:
        return config_from_tables(tables)
    except ValidationError as error:
        lines = [
            f"{name}:{_line_of(text, key)}: {'.'.join(key)}: {sentence_of(problem)}"
            for problem in error.errors(include_url=False)
            for key in [key_of(problem)]
        ]
        raise ConfigError("\n".join(lines)) from error


def config_from_tables(tables: Mapping[str, object]) -> Config:
    """Return the settings of TOML tables; ``true`` and ``"30"`` are no numbers, nor 1 a yes.

    Raises:
        ValidationError: a setting is unknown, of a wrong type, or out of range.
    """
    try:
        # Strict about types, yet it takes texts for addresses and choices: only JSON has that.
        return Config.model_validate_json(json.dumps(tables), strict=True)
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] != "json_invalid":
            raise
    except (TypeError, ValueError):
        pass
    # A date, thousands of digits, or lists nested without end: no setting takes it.
    return Config.model_validate(tables)


def _with_whole_paths(file: Path, config: Config) -> Config:
    """Return ``config`` with the whole path of each file that it names, as ``file`` means it."""
    avatar, tracking = _with_whole_path(config.avatar, "picture", file.parent), config.tracking
    characters = tuple(_whole_path(one, file.parent) for one in avatar.characters)
    webcam, microphone = tracking.webcam, tracking.microphone
    tracking = tracking.model_copy(
        update={
            "webcam": _with_whole_path(webcam, "device", file.parent),
            "microphone": _with_whole_path(microphone, "device", file.parent),
        }
    )
    return config.model_copy(
        update={
            "avatar": avatar.model_copy(update={"characters": characters}),
            "expressions": _with_whole_path(config.expressions, "file", file.parent),
            "publish": _with_whole_path(config.publish, "camera_background", file.parent),
            "tracking": tracking,
        }
    )


def _with_whole_path(table: Table, name: str, folder: Path) -> Table:
    """Return ``table`` with the setting ``name`` whole, if it is a path from home or ``folder``."""
    value = getattr(table, name)
    if not isinstance(value, str):  # the number of a device
        return table
    whole = _whole_path(value, folder)
    return table if whole == value else table.model_copy(update={name: whole})


def _whole_path(value: str, folder: Path) -> str:
    path = Path(value)
    if path.name == value and not path.suffix:  # the name of a character or a microphone
        return value
    if value.startswith("~") and path.name != value:
        try:
            return str(path.expanduser())
        except RuntimeError:  # nobody of that name: a folder that is called so
            pass
    beside = folder / value
    try:
        return str(beside) if beside.is_file() else value
    except OSError:  # such as a name too long for the system
        return value


def _line_of(text: str, key: Sequence[str]) -> int:
    """Return the line of the deepest part of ``key`` that stands in ``text``."""
    path = list(key)
    table: list[str] = []
    best_line, best_depth = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            here = table = _parts(header[1])
        elif setting := _KEY.match(line):
            here = [*table, *_parts(setting[1])]
        else:
            continue
        if len(here) > best_depth and here == path[: len(here)]:
            best_line, best_depth = number, len(here)
    return best_line


def _parts(key: str) -> list[str]:
    return [part.strip() for part in key.split(".")]
