"""Expressions as they are written, for the control API; nothing is on a disk."""

from __future__ import annotations

from vtbridge.control.api.definitions import Definition, ShownDefinition, WrongDefinition
from vtbridge.control.api.models import Wrong
from vtbridge.errors import ConfigError
from vtbridge.expressions.parameters import PARAMETERS


class FakeDefinitions:
    """See ``vtbridge.control.api.definitions.DefinitionDesk``.

    Args:
        orders: gets what it was told to do, newest last.

    Attributes:
        own: what was saved.
        broken: what is wrong with the file, empty = nothing.
    """

    def __init__(self, orders: list[str]) -> None:
        self.orders = orders
        self.own: dict[str, Definition] = {}
        self.broken = ""

    def definition(self, name: str) -> ShownDefinition:
        self._check()
        if name not in {"smile", "cat", *self.own}:
            raise KeyError(f"no expression is called {name!r}")
        return ShownDefinition(
            name=name,
            definition=self.own.get(name, Definition(values={"mouth_aaa": 1.0})),
            own=name in self.own,
            builtin=name == "smile",
            editable=True,
        )

    def save(self, name: str, definition: Definition) -> None:
        self._check()
        _check_values(definition)
        self.orders.append(f"save {name}")
        self.own[name] = definition

    def remove(self, name: str) -> None:
        self._check()
        del self.own[name]
        self.orders.append(f"remove {name}")

    def preview(self, name: str, definition: Definition | None) -> None:
        if definition is not None:
            _check_values(definition)
        self.orders.append(f"preview {name}")

    def _check(self) -> None:
        if self.broken:
            raise ConfigError(self.broken)


def _check_values(definition: Definition) -> None:
    named = [("values", definition.values), ("weights", definition.weights)]
    named += [(f"keyframes.{i}.values", key.values) for i, key in enumerate(definition.keyframes)]
    wrong = [
        Wrong(where=f"{where}.{name}", wrong="no pose parameter is called that")
        for where, values in named
        for name in values
        if name not in PARAMETERS
    ]
    if wrong:
        raise WrongDefinition(wrong)
