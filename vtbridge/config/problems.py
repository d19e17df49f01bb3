"""What pydantic finds wrong with a setting, in words for whoever wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

from pydantic_core import ErrorDetails

EXPECTATIONS: Mapping[str, str] = MappingProxyType(
    {
        "bool_type": "true or false",
        "dict_type": "a table",
        "enum": "{expected}",
        "float_type": "a number",
        "greater_than": "more than {gt:g}",
        "greater_than_equal": "at least {ge:g}",
        "int_type": "a whole number",
        "less_than_equal": "at most {le:g}",
        "literal_error": "{expected}",
        "model_type": "a table",
        "multiple_of": "a multiple of {multiple_of:g}",
        "string_too_long": "{max_length} or fewer characters",
        "string_too_short": "{min_length} or more characters",
        "string_type": "a text in quotes",
        "too_long": "{max_length} entries or fewer",
        "tuple_type": "a list",
    }
)
"""By pydantic's kind of error, with the fields of its context."""

_SPELLINGS: Mapping[tuple[str, ...], str] = MappingProxyType(
    {
        ("publish", "name"): "1 to 16 letters, digits, '-' or '_', a letter or digit first",
        ("retarget", "calibration", "person"): (
            "1 to 40 letters, digits, spaces, '_', '-' or '.', a letter, digit or '_' first"
        ),
    }
)
"""What the settings that have a pattern may look like."""

_UNQUOTED: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "bool_type": re.compile(r"true|false"),
        "float_type": re.compile(r"-?(0|[1-9]\d{0,9})(\.\d{1,9})?"),
        "int_type": re.compile(r"-?(0|[1-9]\d{0,9})"),
    }
)
"""What is right but for its quotes, by pydantic's kind of error."""

_LONGEST_VALUE = 60


def key_of(problem: ErrorDetails) -> tuple[str, ...]:
    """Return the names of the tables and of the setting, without places in a list."""
    return tuple(part for part in problem["loc"] if isinstance(part, str))


def sentence_of(problem: ErrorDetails) -> str:
    """Return what is expected, what stands there instead, and the remedy if it is simple.

    A validator of ours raises ``ValueError`` with a whole sentence, or ``PydanticCustomError``
    of kind "expected" with what the value should be.
    """
    kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return "unknown setting; `vtbridge config show` prints all there are"
    if kind == "value_error":
        return str(context["error"])
    if kind == "expected":
        expected: str | None = problem["msg"]
    elif kind == "string_pattern_mismatch":
        expected = _SPELLINGS.get(key_of(problem))
    else:
        expected = EXPECTATIONS.get(kind)
    if expected is None:  # a kind that only a newer pydantic has
        return problem["msg"]
    sentence = f"expected {expected.format_map(context)}, got {_written(value)}"
    if kind == "tuple_type" and isinstance(value, str) and value:
        sentence += f"; write [{_written(value)}]"
    if kind in _UNQUOTED and isinstance(value, str) and _UNQUOTED[kind].fullmatch(value):
        sentence += f"; write {value}"
    return sentence


def _written(value: object) -> str:
    """Return a value as it stands in TOML, cut if it is long."""
    if isinstance(value, dict):
        return "a table"
    try:
        plain = isinstance(value, bool | str | list)
        text = json.dumps(value, ensure_ascii=False, default=str) if plain else str(value)
    except ValueError:
        return "a number with thousands of digits"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
