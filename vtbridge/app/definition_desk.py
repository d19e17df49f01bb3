"""Expressions as they are written, for the control API: shown, saved, removed and tried."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vtbridge.app.expressions import known_names
from vtbridge.atomic_file import write_atomically
from vtbridge.control.api.definitions import Definition, ShownDefinition, WrongDefinition
from vtbridge.control.api.models import Wrong
from vtbridge.errors import ConfigError
from vtbridge.expressions.checks import problems_of
from vtbridge.expressions.edit import with_expression, without_expression
from vtbridge.expressions.engine import ExpressionEngine
from vtbridge.expressions.layer import Expression, expression_from_table
from vtbridge.expressions.library import (
    FILE_NAME,
    builtin_file,
    parse_library,
    read_text,
    tables_of,
)
from vtbridge.expressions.model import ExpressionFile, ExpressionTable
from vtbridge.expressions.parameters import suggestion
from vtbridge.expressions.reload import ExpressionFileWatch

_HELD_S = 1.5
"""How long a preview shows what would not end by itself."""
_LONGEST_S = 60.0
_WRITING = threading.Lock()


class RunningDefinitions:
    """One daemon, as ``control.api.definitions.DefinitionDesk`` has it.

    Args:
        engine: shows them.
        watch: follows their file, that of the character that is shown.
    """

    def __init__(self, engine: ExpressionEngine, watch: ExpressionFileWatch) -> None:
        self._engine = engine
        self._watch = watch
        self._names = known_names()

    def definition(self, name: str) -> ShownDefinition:
        """Return an expression as it stands; raises KeyError, or ConfigError with the line."""
        path = self._watch.path
        text = "" if path is None else _text_of(path)
        own, builtin = tables_of(text, str(path or FILE_NAME))
        known = {**builtin, **own}
        if name not in known:
            raise _unknown(name, known)
        return ShownDefinition(
            name=name,
            definition=_definition(known[name]),
            own=name in own,
            builtin=name in builtin_file().expressions,
            editable=path is not None,
        )

    def save(self, name: str, definition: Definition) -> None:
        """Write an expression and show it; raises WrongDefinition, ConfigError."""
        table = self._checked(name, definition)
        self._write(lambda text: with_expression(text, name, table))

    def remove(self, name: str) -> None:
        """Take an expression out of the file; raises KeyError, ConfigError."""
        self._write(lambda text: without_expression(text, name))

    def preview(self, name: str, definition: Definition | None) -> None:
        """Play a definition once; raises KeyError, WrongDefinition."""
        known = self._engine.library.expressions
        if definition is not None:
            table = self._checked(name, definition)
        elif name in known:
            table = known[name].table
        else:
            raise _unknown(name, known)
        expression = expression_from_table(name, table, self._names)
        self._engine.preview(dataclasses.replace(expression, length_s=_preview_s(expression)))

    def _checked(self, name: str, definition: Definition) -> ExpressionTable:
        table = ExpressionTable.model_validate_json(definition.model_dump_json(), strict=True)
        file = ExpressionFile(expressions={name: table})
        wrong = [
            Wrong(where=".".join(str(part) for part in path[2:]), wrong=sentence)
            for path, sentence in problems_of(file, self._names, others={})
        ]
        if wrong:
            raise WrongDefinition(wrong[:20])
        return table

    def _write(self, edit: Callable[[str], str]) -> None:
        """Change the file if it can be read before and after, and show what it says."""
        path = self._watch.path
        if path is None:
            raise ConfigError(
                "this character has no file of expressions; name one in [expressions] file"
            )
        with _WRITING:
            text = _text_of(path)
            parse_library(text, str(path), self._names)
            with _named(path):
                edited = edit(text)
            if edited == text:
                return
            parse_library(edited, f"{path} as it would be", self._names)
            _put(path, edited)
            self._watch.look()


def _definition(table: ExpressionTable) -> Definition:
    return Definition.model_validate_json(table.model_dump_json(), strict=True)


def _preview_s(expression: Expression) -> float:
    """Return how long a preview shows ``expression`` before it fades."""
    if expression.length_s is not None:
        return min(expression.length_s, _LONGEST_S)
    if expression.timeline is not None:
        return expression.timeline.length_s
    return expression.table.fade_in_s + _HELD_S


def _text_of(path: Path) -> str:
    """Return what stands in ``path``, nothing while it is not there."""
    return read_text(path) if path.exists() else ""


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _put(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What the path leads to is written, so that a link stays one.
        write_atomically(path.resolve(), text.encode())
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror}); let vtbridge write there, or "
            "name another in [expressions] file"
        ) from error


def _unknown(name: str, known: Mapping[str, Any]) -> KeyError:
    return KeyError(f"no expression is called {name!r:.60}{suggestion(name, known)}")
