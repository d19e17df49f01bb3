"""Change one expression in the text of an expressions.toml; every other byte stays.

A text is cut into headers and statements by its brackets and quotes alone, for it was read
before and is known to be TOML. What is written is read again before it is handed on.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from vtbridge.errors import ConfigError
from vtbridge.expressions.model import ExpressionTable

_TABLE = "expressions"
_MAX_LIST = 80
"""Characters of a list in one line."""
_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[{]|[\]}]|\n",
    re.DOTALL,
)
"""What may hold or balance a bracket, and the end of a line."""


@dataclass(frozen=True, slots=True)
class _Statement:
    """A header or ``key = value``, with all of its lines.

    Attributes:
        start: of its first line, in the text.
        end: after its last line.
        path: the names of what it opens or sets, the deepest last.
        header: whether it opens a table.
    """

    start: int
    end: int
    path: tuple[str, ...]
    header: bool

    def of(self, name: str) -> bool:
        """Return whether it belongs to the expression ``name``."""
        return self.path[:2] == (_TABLE, name)


def with_expression(text: str, name: str, table: ExpressionTable) -> str:
    """Return ``text`` with ``table`` as the expression ``name``.

    It takes the place of one of that name, comments at what did not change included; a new
    one comes last.

    Args:
        text: an expressions.toml that can be read, or nothing.
        name: of the expression.
        table: was checked.

    Raises:
        ConfigError: the text is written in a way that leaves no room for it.
    """
    runs = _runs_of(name, text)
    fresh = expression_text(name, table)
    if "\r\n" in text:
        fresh = fresh.replace("\n", "\r\n")
    if runs and runs[0][0].header:
        first = runs[0]
        old = text[first[0].start : first[-1].end]
        kept = None if len(runs) > 1 else _updated(old, name, table)
        rest = _without(text[first[-1].end :], runs[1:], first[-1].end)
        edited = text[: first[0].start] + (kept or fresh) + rest
    else:
        before = _without(text, runs, 0) or f"version = 1{_newline(text)}"
        if not before.endswith("\n"):
            before += _newline(text)
        edited = before + _newline(text) + fresh
    return _proved(text, edited, name, table)


def without_expression(text: str, name: str) -> str:
    """Return ``text`` without the expression ``name``.

    Raises:
        ConfigError: it stands in one inline table with others.
        KeyError: it does not stand there.
    """
    runs = _runs_of(name, text)
    if not runs:
        raise KeyError(f"no expression {name!r:.60} stands there")
    return _proved(text, _without(text, runs, 0), name, None)


def expression_text(name: str, table: ExpressionTable) -> str:
    """Return the lines of an expression, without what is as it is by default."""
    lines = [f"{key} = {_value_text(value)}" for key, value in _told(table).items()]
    return "\n".join([f"[{_TABLE}.{name}]", *lines, ""])


def _told(table: ExpressionTable) -> dict[str, Any]:
    return table.model_dump(mode="json", exclude_defaults=True)


def _value_text(value: object) -> str:
    match value:
        case dict():
            pairs = [f"{key} = {_value_text(one)}" for key, one in value.items()]
            return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
        case list():
            texts = [_value_text(one) for one in value]
            line = "[" + ", ".join(texts) + "]"
            if len(line) <= _MAX_LIST and not any(isinstance(one, dict) for one in value):
                return line
            return "[\n" + "".join(f"    {one},\n" for one in texts) + "]"
    return tomlkit.item(value).as_string()


def _updated(old: str, name: str, table: ExpressionTable) -> str | None:
    """Return the lines ``old`` with what changed, None where they cannot be kept."""
    try:
        before = tomllib.loads(old)[_TABLE][name]
        document = tomlkit.parse(old)
    except (ValueError, KeyError):
        return None
    whole, told = table.model_dump(mode="json"), _told(table)
    was = ExpressionTable.model_validate_json(json.dumps(before), strict=True)
    was_whole = was.model_dump(mode="json")
    try:
        entries = cast("Table", cast("Table", document[_TABLE])[name])
        for key in before:
            if was_whole[key] != whole[key] and key not in told:
                entries.remove(key)
        for key, value in told.items():
            if key not in before or was_whole[key] != whole[key]:
                entries[key] = tomlkit.value(_value_text(value))
        new = document.as_string()
    except (TOMLKitError, TypeError, ValueError):
        return None
    if "\r\n" in old:
        new = re.sub(r"(?<!\r)\n", "\r\n", new)
    return new if _read(new).get(name) == whole and new.endswith("\n") else None


def _proved(text: str, edited: str, name: str, table: ExpressionTable | None) -> str:
    """Return ``edited`` if it says of everything else what ``text`` says.

    Raises:
        ConfigError: it does not.
    """
    try:
        before, after = tomllib.loads(text), tomllib.loads(edited)
        own = after.get(_TABLE, {}).pop(name, None)
        before.get(_TABLE, {}).pop(name, None)
        for document in (before, after):
            document.setdefault("version", 1)
            document.setdefault(_TABLE, {})
        told = None if own is None else _whole(own)
        if before == after and told == (None if table is None else _whole(_told(table))):
            return edited
    except (ValueError, TypeError):
        pass
    raise ConfigError(
        f"{name} cannot be written into it without touching other entries; give each expression "
        f"a table of its own, [{_TABLE}.{name}]"
    )


def _read(text: str) -> dict[str, Any]:
    """Return the expressions of ``text``, with all of their settings; none if it cannot be read."""
    try:
        return {name: _whole(one) for name, one in tomllib.loads(text)[_TABLE].items()}
    except (ValueError, KeyError, AttributeError):
        return {}


def _whole(entries: dict[str, Any]) -> dict[str, Any]:
    read = ExpressionTable.model_validate_json(json.dumps(entries), strict=True)
    return read.model_dump(mode="json")


def _runs_of(name: str, text: str) -> list[list[_Statement]]:
    """Return the statements of an expression, by stretches that lie together.

    Raises:
        ConfigError: it may stand in an inline table with others.
    """
    runs: list[list[_Statement]] = []
    together = False
    for statement in _statements(text):
        if not statement.header and len(statement.path) < 2 and statement.path[0] == _TABLE:
            line = text.count("\n", 0, statement.start) + 1
            raise ConfigError(
                f"line {line}: all expressions stand in one inline table; give each a table of "
                f"its own, [{_TABLE}.{name}]"
            )
        if statement.of(name):
            if not together:
                runs.append([])
            runs[-1].append(statement)
        together = statement.of(name)
    return runs


def _without(text: str, runs: Sequence[Sequence[_Statement]], offset: int) -> str:
    """Return ``text``, which begins at ``offset``, without ``runs``.

    A blank line before each goes with it; comments before it stay.
    """
    cut = [0]
    for run in runs:
        start, end = run[0].start - offset, run[-1].end - offset
        before = text[:start]
        for blank in ("\r\n\r\n", "\n\n"):
            if before.endswith(blank):
                start -= len(blank) // 2
                break
        cut += [start, end]
    cut.append(len(text))
    return "".join(text[a:b] for a, b in list(pairwise(cut))[::2])


def _statements(text: str) -> Iterator[_Statement]:
    table: tuple[str, ...] = ()
    start = depth = 0
    for piece in _PIECE.finditer(text + "\n"):
        if piece[0] in "[{":
            depth += 1
        elif piece[0] in "]}":
            depth -= 1
        elif piece[0] == "\n" and depth == 0:
            line, begun, start = text[start : piece.end()], start, piece.end()
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            end, path = min(piece.end(), len(text)), _path(tomllib.loads(line))
            if line.lstrip().startswith("["):
                table = path
                yield _Statement(begun, end, path, header=True)
            else:
                yield _Statement(begun, end, (*table, *path), header=False)


def _path(parsed: dict[str, Any]) -> tuple[str, ...]:
    """Return the names down to where ``parsed`` says more than one thing."""
    path: list[str] = []
    value: object = parsed
    while isinstance(value, dict) and len(value) == 1:
        ((key, value),) = value.items()
        path.append(key)
    return tuple(path)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
