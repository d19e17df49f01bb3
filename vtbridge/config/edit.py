"""Change settings in the text of a config.toml; whatever else stands in it stays as it is."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, MutableMapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from vtbridge.errors import ConfigError

Path = tuple[str, ...]


def edited(text: str, changes: Mapping[Path, object]) -> str:
    """Return ``text`` with settings changed.

    Args:
        text: of a config.toml; may be empty.
        changes: by path, such as ``("retarget", "smoothing", "mouth", "beta")``; None takes the
            setting out, so that its default holds.

    Raises:
        ConfigError: it is no TOML, or so written that a setting cannot be changed by itself.
    """
    try:
        wanted = tomllib.loads(text)
        document = tomlkit.parse(text)
    except (ValueError, TOMLKitError, RecursionError) as error:
        raise ConfigError(f"it is no TOML ({error}): correct it") from error
    names = ", ".join(".".join(path) for path in changes)
    by_hand = ConfigError(f"{names} cannot be changed in it by itself: change it by hand")
    try:
        for path, value in changes.items():
            _put(wanted, path, value)
            _write(document, path, value)
        changed = tomlkit.dumps(document)
        made = tomllib.loads(changed)
    except (ValueError, TypeError, TOMLKitError) as error:
        raise by_hand from error
    # The library knows many ways of writing tables; what it made of them was read again.
    if _without_empty(made) != _without_empty(wanted):
        raise by_hand
    return changed


def _write(document: tomlkit.TOMLDocument, path: Path, value: object) -> None:
    table: MutableMapping[str, Any] = document
    for depth, key in enumerate(path[:-1], 1):
        found = table.get(key)
        if not isinstance(found, MutableMapping):
            if value is None and found is None:
                return
            # A bare number in a table's place is the gain; see ``SensitivitySettings``.
            if found is None:
                table[key] = tomlkit.table(is_super_table=depth < len(path) - 1)
            else:
                table[key] = tomlkit.inline_table().append("gain", found)
        table = table[key]
    if value is None:
        table.pop(path[-1], None)
    else:
        table[path[-1]] = value


def _put(tables: dict[str, Any], path: Path, value: object) -> None:
    for key in path[:-1]:
        found = tables.setdefault(key, {})
        if not isinstance(found, dict):
            found = tables[key] = {"gain": found}
        tables = found
    if value is None:
        tables.pop(path[-1], None)
    else:
        tables[path[-1]] = value


def _without_empty(tables: dict[str, Any]) -> dict[str, Any]:
    kept = {
        key: _without_empty(value) if isinstance(value, dict) else value
        for key, value in tables.items()
    }
    return {key: value for key, value in kept.items() if value != {}}
