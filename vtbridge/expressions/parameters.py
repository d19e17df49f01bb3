"""The names that expressions.toml may use for pose parameters, singly and in pairs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from vtbridge.pose_params import PoseParam


def _named() -> dict[str, tuple[PoseParam, ...]]:
    names: dict[str, tuple[PoseParam, ...]] = {param.label: (param,) for param in PoseParam}
    for param in PoseParam:
        for side in ("_left", "_right"):
            if param.label.endswith(side):
                stem = param.label.removesuffix(side)
                names[stem] = (*names.get(stem, ()), param)
    return names


PARAMETERS: Mapping[str, tuple[PoseParam, ...]] = MappingProxyType(_named())
"""Each parameter by its own name, and left and right together by the name without its side."""


def spread(values: Mapping[str, float]) -> dict[PoseParam, float]:
    """Return ``values`` by parameter; what names one side wins over what names both.

    Raises:
        KeyError: a name is unknown; the message suggests near ones.
    """
    by_parameter: dict[PoseParam, float] = {}
    for name in sorted(values, key=lambda name: -len(members(name))):
        for param in members(name):
            by_parameter[param] = values[name]
    return by_parameter


def members(name: str) -> tuple[PoseParam, ...]:
    """Return the parameters that ``name`` stands for.

    Raises:
        KeyError: it is unknown; the message suggests near ones.
    """
    try:
        return PARAMETERS[name]
    except KeyError:
        raise KeyError(
            f"no pose parameter is called {name!r:.60}{suggestion(name, PARAMETERS)}"
        ) from None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` for a misspelt name, empty if nothing is near."""
    near = difflib.get_close_matches(name[:60], known, n=3)
    return f"; did you mean {', '.join(near)}?" if near else ""
