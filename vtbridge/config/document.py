"""The documented config.toml, written out of the schema, so that it cannot be wrong."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vtbridge.config.schema import Config

_WIDTH = 100
_INTRODUCTION = """\
# Every setting of vtbridge with its default. Copy what you change into your own file:
# `vtbridge config init` writes this one where `vtbridge run` looks for it, and
# `vtbridge config check` says which line is wrong.
"""


def documented_defaults() -> str:
    """Return the text of a config.toml that holds each setting, its default and its meaning."""
    return _INTRODUCTION + "".join(_table(Config(), "", ()))


def _table(model: BaseModel, meaning: str, path: tuple[str, ...]) -> Iterator[str]:
    fields = type(model).model_fields
    nested = {name for name in fields if isinstance(getattr(model, name), BaseModel | Mapping)}
    if path:
        yield "\n" + _comment(meaning or (type(model).__doc__ or "").split("\n\n")[0])
        yield f"[{'.'.join(path)}]\n"
    for name, field in fields.items():
        if name not in nested:
            yield _comment(field.description or "")
            yield from _setting(name, field, model)
    for name in fields:
        if name in nested:
            value, meaning = getattr(model, name), fields[name].description or ""
            if isinstance(value, BaseModel):
                yield from _table(value, meaning, (*path, name))
            else:
                yield from _tables(fields[name], meaning, (*path, name))


def _tables(field: FieldInfo, meaning: str, path: tuple[str, ...]) -> Iterator[str]:
    """Yield an example of the tables of a field that has none until its user writes them."""
    yield "\n" + _comment(meaning)
    for name, table in (field.examples or [{}])[0].items():
        yield f"# [{'.'.join((*path, name))}]\n"
        for key, value in table.items():
            yield f"# {key} = {_written(value)}\n"


def _setting(name: str, field: FieldInfo, model: BaseModel) -> Iterator[str]:
    for example in field.examples or ():
        yield f"# {name} = {_written(example)}\n"
    value = model.model_dump(mode="json")[name]
    if value is not None:
        yield f"{name} = {_written(value)}\n"
    elif not field.examples:
        raise ValueError(f"{name} has neither a default nor an example to write")


def _written(value: object) -> str:
    # Strings, numbers, booleans and lists of them read the same in JSON and in TOML.
    return json.dumps(value, ensure_ascii=False)


def _comment(text: str) -> str:
    words = " ".join(text.split())
    return "".join(f"# {line}\n" for line in textwrap.wrap(words, _WIDTH - 2))
