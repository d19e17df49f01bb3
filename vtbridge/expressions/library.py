"""Sets of expressions out of TOML; whatever is wrong is told with file, line and remedy."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vtbridge.errors import ConfigError
from vtbridge.expressions.checks import problems_of
from vtbridge.expressions.grammar import Condition, Kind, Name, Reading, parse_condition
from vtbridge.expressions.layer import Expression, expression_from_table
from vtbridge.expressions.locate import line_of
from vtbridge.expressions.model import ExpressionFile, ExpressionTable
from vtbridge.expressions.parameters import PARAMETERS, suggestion
from vtbridge.pose_params import PoseParam

BUILTIN_FILE = Path(__file__).parent / "builtin.toml"
FILE_NAME = "expressions.toml"
"""What the file beside a character is called."""

MAX_BYTES = 1 << 17
_MAX_DOTS = 200
"""In one line: TOML's reader takes time by the square of the parts of a key."""
_MOST_TOLD = 10
_PLACE = re.compile(r"\(at line (\d+), column \d+\)$")

_EXPECTED: Mapping[str, str] = MappingProxyType(
    {
        "bool_type": "true or false",
        "dict_type": "a table",
        "enum": "{expected}",
        "finite_number": "a finite number",
        "float_type": "a number",
        "greater_than": "more than {gt:g}",
        "greater_than_equal": "at least {ge:g}",
        "int_type": "a whole number",
        "less_than_equal": "at most {le:g}",
        "list_type": "a list",
        "literal_error": "{expected}",
        "model_type": "a table",
        "string_too_long": "{max_length} or fewer characters",
        "string_type": "a text in quotes",
        "too_long": "{max_length} entries or fewer",
        "too_short": "{min_length} entries or more",
    }
)
"""By pydantic's kind of error, with the fields of its context."""


@dataclass(frozen=True, eq=False)
class RandomPlay:
    """What the character does by itself now and then.

    Attributes:
        name: for messages.
        choose: expressions and their shares.
        shortest_s: least pause.
        longest_s: longest pause.
        when: only while this holds.
    """

    name: str
    choose: Mapping[str, float]
    shortest_s: float
    longest_s: float
    when: Condition | None


@dataclass(frozen=True, eq=False)
class ExpressionLibrary:
    """A set of expressions, by name, ready to run."""

    expressions: Mapping[str, Expression]
    randoms: tuple[RandomPlay, ...] = ()


def condition_names(shapes: Iterable[str] = ()) -> Mapping[str, Name]:
    """Return the words of conditions: ``tracked``, pose parameters, and ``shapes`` of the face.

    A name for left and right together reads their mean.
    """
    words = {"tracked": Name(Kind.TRUTH, lambda sight: sight.tracked)}
    for shape in shapes:
        words[shape] = Name(Kind.NUMBER, _shape_reading(shape))
    for label, params in PARAMETERS.items():
        words[label] = Name(Kind.NUMBER, _pose_reading(params))
    return words


def parse_library(text: str, name: str, names: Mapping[str, Name]) -> ExpressionLibrary:
    """Parse the text of an expressions.toml.

    Args:
        text: the document.
        name: of the file, for messages.
        names: the words of conditions.

    Raises:
        ConfigError: it is too large, no TOML, or an entry is wrong; each with its line.
    """
    file = _parsed(text, name)
    base = builtin_file() if file.builtin else ExpressionFile()
    problems = list(problems_of(file, names, others=base.expressions))
    if problems:
        told = problems[:_MOST_TOLD]
        raise _refusal(text, name, told, left_out=len(problems) - len(told))
    tables = {**base.expressions, **file.expressions}
    randoms = {**base.random, **file.random}
    return ExpressionLibrary(
        MappingProxyType(
            {title: expression_from_table(title, table, names) for title, table in tables.items()}
        ),
        tuple(
            RandomPlay(
                title,
                # One of the built-in ones may be replaced by one that does not end.
                {one: share for one, share in table.choose.items() if _ends(tables[one])},
                table.every_s[0],
                table.every_s[1],
                None if table.when is None else parse_condition(table.when, names),
            )
            for title, table in randoms.items()
        ),
    )


def read_library(path: Path, names: Mapping[str, Name]) -> ExpressionLibrary:
    """Read an expressions.toml.

    Raises:
        ConfigError: it cannot be read, or as ``parse_library``.
    """
    return parse_library(read_text(path), str(path), names)


def read_text(path: Path) -> str:
    """Return the text of an expressions.toml with its line ends.

    Raises:
        ConfigError: it cannot be read, is too large or no UTF-8.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; name another in [expressions] file"
        ) from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES >> 10} KiB; this is no {FILE_NAME}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8; save it as UTF-8") from error


def tables_of(
    text: str, name: str
) -> tuple[Mapping[str, ExpressionTable], Mapping[str, ExpressionTable]]:
    """Return the expressions that ``text`` says itself, and those that it keeps of the built-in.

    Raises:
        ConfigError: it is no TOML, or an entry is not well formed; each with its line.
    """
    file = _parsed(text, name)
    return file.expressions, builtin_file().expressions if file.builtin else {}


@lru_cache(maxsize=1)
def builtin_text() -> str:
    """Return the text of the built-in expressions.toml."""
    return BUILTIN_FILE.read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def builtin_file() -> ExpressionFile:
    """Return the tables of the built-in expressions.toml."""
    return _parsed(builtin_text(), str(BUILTIN_FILE))


def builtin_library(names: Mapping[str, Name]) -> ExpressionLibrary:
    """Return the expressions that come with vtbridge."""
    return parse_library(builtin_text(), str(BUILTIN_FILE), names)


def _ends(table: ExpressionTable) -> bool:
    return table.mode in ("timed", "one_shot")


def _parsed(text: str, name: str) -> ExpressionFile:
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{name}: larger than {MAX_BYTES >> 10} KiB; this is no {FILE_NAME}")
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MAX_DOTS and not line.lstrip().startswith("#"):
            raise ConfigError(f"{name}:{number}: more than {_MAX_DOTS} dots; break the line")
    try:
        # Strict about types, yet it takes texts for choices: only JSON has that.
        return ExpressionFile.model_validate_json(json.dumps(tomllib.loads(text)), strict=True)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        last = text.count("\n") + 1 if place is None else int(place[1])
        raise ConfigError(f"{name}:{last}: {error}") from error
    except ValidationError as error:
        told = error.errors(include_url=False)
        problems = [(_path_of(one), _sentence_of(one)) for one in told[:_MOST_TOLD]]
        raise _refusal(text, name, problems, left_out=len(told) - len(problems)) from error
    except RecursionError as error:
        raise ConfigError(f"{name}: nested too deeply; expressions are flat tables") from error
    except (TypeError, ValueError) as error:  # a date, or thousands of digits
        raise ConfigError(
            f"{name}: it holds what no setting takes, such as a date or a number of thousands of "
            f"digits ({error!s:.80}); remove it"
        ) from error


def _refusal(
    text: str, name: str, problems: list[tuple[tuple[str | int, ...], str]], *, left_out: int
) -> ConfigError:
    lines = []
    for path, sentence in problems:
        entry = "".join(
            f"[{part + 1}]" if isinstance(part, int) else f".{part:.40}" for part in path
        )
        where = f" {entry.lstrip('.')}:" if entry else ""
        lines.append(f"{name}:{line_of(text, path)}:{where} {sentence}")
    if left_out > 0:
        lines.append(f"{name}: and {left_out} more")
    return ConfigError("\n".join(lines))


def _path_of(problem: ErrorDetails) -> tuple[str | int, ...]:
    return tuple(part for part in problem["loc"] if part != "[key]")


def _sentence_of(problem: ErrorDetails) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        known = [*ExpressionTable.model_fields, *ExpressionFile.model_fields, "choose", "every_s"]
        near = suggestion(str(problem["loc"][-1]), known)
        return f"unknown setting{near or '; `vtbridge expression show` prints examples of all'}"
    if kind == "missing":
        return "it is missing; add it"
    if kind == "string_pattern_mismatch":
        if problem["loc"][-1] == "label":
            return "expected a text of one line"
        return "expected a name: a small letter, then small letters, digits or _, at most 32 in all"
    expected = _EXPECTED.get(kind)
    if expected is None:  # a kind that only a newer pydantic has
        return problem["msg"]
    try:
        got = json.dumps(problem["input"], ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        got = "something else"
    got = got if len(got) <= 60 else got[:57] + "..."
    return f"expected {expected.format_map(context)}, got {got}"


def _shape_reading(shape: str) -> Reading:
    return lambda sight: sight.shapes.get(shape, 0.0)


def _pose_reading(params: tuple[PoseParam, ...]) -> Reading:
    indices = tuple(int(param) for param in params)
    if len(indices) == 1:
        (only,) = indices
        return lambda sight: sight.pose[only]
    return lambda sight: sum([sight.pose[index] for index in indices]) / len(indices)
