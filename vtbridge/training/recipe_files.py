"""Recipes: TOML files that come with vtbridge under a name, or are a user's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from vtbridge.errors import VtbridgeError

RecipeT = TypeVar("RecipeT", bound=BaseModel)
_SUFFIX = ".toml"


def names_in(folder: Traversable) -> list[str]:
    """Return the names of the recipes of a folder."""
    names = (file.name for file in folder.iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def recipe_text(name_or_path: str, folder: Traversable, error: type[VtbridgeError]) -> str:
    """Return the text of a recipe of ``folder`` by its name, or of a file by its path.

    Raises:
        VtbridgeError: there is none; it is an ``error``.
    """
    known = names_in(folder)
    try:
        if name_or_path in known:
            return (folder / f"{name_or_path}{_SUFFIX}").read_text("utf-8")
        return Path(name_or_path).read_text("utf-8")
    except FileNotFoundError as cause:
        raise error(f"there is no recipe {name_or_path}; those here: {', '.join(known)}") from cause
    except (OSError, UnicodeDecodeError) as cause:
        raise error(f"the recipe {name_or_path} cannot be read: {cause}") from cause


def parsed(
    text: str,
    name: str,
    model: type[RecipeT],
    error: type[VtbridgeError],
    changes: Mapping[str, Mapping[str, object]] = MappingProxyType({}),
) -> RecipeT:
    """Return the recipe that ``text`` is, with ``changes`` to its tables; messages say ``name``.

    Raises:
        VtbridgeError: it is wrong; it is an ``error`` that tells key and reason.
    """
    try:
        tables = tomllib.loads(text)
        for key, values in changes.items():
            if isinstance(table := tables.setdefault(key, {}), dict):
                table.update(values)
        return model.model_validate(tables)
    except ValidationError as cause:
        first = cause.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        raise error(f"recipe {name}: {key}: {first['msg']}") from cause
    except (ValueError, RecursionError) as cause:  # also a number with thousands of digits
        raise error(f"recipe {name}: {cause}") from cause
