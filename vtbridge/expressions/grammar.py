"""Conditions over the face: ``mouth_aaa > 0.6 and not tracked``; a grammar, never Python.

::

    condition  = both, { "or", both }
    both       = negation, { "and", negation }
    negation   = "not", negation | comparison
    comparison = sum, [ ( "<" | "<=" | ">" | ">=" ), sum ]
    sum        = product, { ( "+" | "-" ), product }
    product    = signed, { "*", signed }
    signed     = "-", signed | primary
    primary    = number | name | function, "(", condition, { ",", condition }, ")"
               | "(", condition, ")"
    function   = "abs" | "min" | "max"

Length, depth and the number of parts are bounded, there are no loops and no division, and
numbers are small: whatever is accepted takes microseconds and gives finite values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from vtbridge.expressions.parameters import suggestion

MAX_LENGTH = 400
MAX_DEPTH = 16
MAX_PARTS = 64
MAX_NUMBER = 1000.0

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*|\.\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign><=|>=|[<>+\-*(),]))",
    re.ASCII,
)
_WORDS = frozenset({"and", "or", "not"})
_FUNCTIONS: Mapping[str, tuple[Callable[..., float], int, int]] = {
    "abs": (abs, 1, 1),
    "min": (min, 2, 8),
    "max": (max, 2, 8),
}
"""What it does, and the least and the most numbers that it takes."""


class Kind(Enum):
    """What a part of a condition is."""

    NUMBER = "a number"
    TRUTH = "yes or no"


@dataclass(frozen=True, slots=True)
class Sight:
    """What conditions can see of one moment.

    Attributes:
        pose: the 45 values as the face drives them, 0 where no face does.
        shapes: the tracked face's blendshapes by ARKit name; absent = 0.
        tracked: whether a face is seen.
    """

    pose: tuple[float, ...] | list[float]
    shapes: Mapping[str, float]
    tracked: bool


Reading = Callable[[Sight], float]


class Name(NamedTuple):
    """A word that conditions may use: what it is, and how it is read off a ``Sight``."""

    kind: Kind
    read: Reading


class ConditionError(ValueError):
    """A condition does not follow the grammar; the message tells where and the remedy."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was parsed.

    Attributes:
        text: as it was written.
        names: the words it uses.
    """

    text: str
    names: frozenset[str]
    _read: Reading = field(repr=False, compare=False)

    def holds(self, sight: Sight) -> bool:
        """Return whether it is true of ``sight``; never raises for finite values."""
        return bool(self._read(sight))


def parse_condition(text: str, names: Mapping[str, Name]) -> Condition:
    """Parse a condition over ``names``.

    Raises:
        ConditionError: it is too long, too deep, or not in the grammar.
    """
    if len(text) > MAX_LENGTH:
        raise ConditionError(
            f"the condition has {len(text)} characters; at most {MAX_LENGTH}: split it over "
            "several expressions"
        )
    parser = _Parser(text, names)
    read = parser.parse()
    return Condition(text, frozenset(parser.used), read)


class _Token(NamedTuple):
    kind: str
    text: str
    column: int


class _Part(NamedTuple):
    kind: Kind
    read: Reading
    column: int


class _Parser:
    """Recursive descent; each method parses what the grammar above calls by its name."""

    def __init__(self, text: str, names: Mapping[str, Name]) -> None:
        self._names = names
        self._tokens = _tokens(text)
        self._place = 0
        self._depth = 0
        self._parts = 0
        self.used: set[str] = set()

    def parse(self) -> Reading:
        part = self._condition()
        token = self._peek()
        if token.kind != "end":
            raise _error(token, "did not expect", "join conditions by `and` or `or`")
        self._want(part, Kind.TRUTH, "compare it, such as mouth_aaa > 0.6")
        return part.read

    def _peek(self) -> _Token:
        return self._tokens[self._place]

    def _next(self) -> _Token:
        token = self._tokens[self._place]
        self._place += token.kind != "end"
        return token

    def _took(self, *texts: str) -> _Token | None:
        return self._next() if self._peek().text in texts else None

    def _part(self, kind: Kind, read: Reading, column: int) -> _Part:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise ConditionError(
                f"column {column}: more than {MAX_PARTS} parts; split it over several expressions"
            )
        return _Part(kind, read, column)

    def _want(self, part: _Part, kind: Kind, remedy: str) -> None:
        if part.kind is not kind:
            raise ConditionError(
                f"column {part.column}: this is {part.kind.value}, not {kind.value}; {remedy}"
            )

    def _condition(self) -> _Part:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConditionError(
                f"column {self._peek().column}: nested deeper than {MAX_DEPTH}; leave brackets out"
            )
        part = self._both()
        while word := self._took("or"):
            other = self._both()
            self._want_truths(part, other)
            part = self._part(Kind.TRUTH, _either(part.read, other.read), word.column)
        self._depth -= 1
        return part

    def _both(self) -> _Part:
        part = self._negation()
        while word := self._took("and"):
            other = self._negation()
            self._want_truths(part, other)
            part = self._part(Kind.TRUTH, _all_of(part.read, other.read), word.column)
        return part

    def _want_truths(self, *parts: _Part) -> None:
        for part in parts:
            self._want(part, Kind.TRUTH, "compare it, such as mouth_aaa > 0.6")

    def _negation(self) -> _Part:
        negations: list[_Token] = []
        while word := self._took("not"):
            negations.append(word)
        part = self._comparison()
        for word in reversed(negations):
            self._want_truths(part)
            part = self._part(Kind.TRUTH, _negated(part.read), word.column)
        return part

    def _comparison(self) -> _Part:
        left = self._sum()
        sign = self._took("<", "<=", ">", ">=")
        if sign is None:
            return left
        right = self._sum()
        for part in (left, right):
            self._want(part, Kind.NUMBER, "only numbers can be compared")
        if (again := self._peek()).text in ("<", "<=", ">", ">="):
            raise _error(again, "did not expect", "write 0.2 < x and x < 0.5")
        return self._part(Kind.TRUTH, _COMPARISONS[sign.text](left.read, right.read), left.column)

    def _sum(self) -> _Part:
        part = self._product()
        while sign := self._took("+", "-"):
            part = self._calculated(part, self._product(), sign)
        return part

    def _product(self) -> _Part:
        part = self._signed()
        while sign := self._took("*"):
            part = self._calculated(part, self._signed(), sign)
        return part

    def _calculated(self, left: _Part, right: _Part, sign: _Token) -> _Part:
        for part in (left, right):
            self._want(part, Kind.NUMBER, f"{sign.text} takes numbers")
        return self._part(Kind.NUMBER, _CALCULATIONS[sign.text](left.read, right.read), left.column)

    def _signed(self) -> _Part:
        signs: list[_Token] = []
        while sign := self._took("-"):
            signs.append(sign)
        part = self._primary()
        for sign in reversed(signs):
            self._want(part, Kind.NUMBER, "- takes a number")
            part = self._part(Kind.NUMBER, _minus(part.read), sign.column)
        return part

    def _primary(self) -> _Part:
        token = self._next()
        if token.text == "(":
            part = self._condition()
            self._close()
            return part
        if token.kind == "number":
            return self._part(Kind.NUMBER, _constant(_number(token)), token.column)
        if token.kind == "name" and token.text not in _WORDS:
            if token.text in _FUNCTIONS and self._took("("):
                return self._call(token)
            return self._named(token)
        raise _error(token, "expected a name or a number, not", "such as mouth_aaa > 0.6")

    def _call(self, function: _Token) -> _Part:
        calculate, least, most = _FUNCTIONS[function.text]
        numbers = [self._condition()]
        while self._took(","):
            numbers.append(self._condition())
        self._close()
        for part in numbers:
            self._want(part, Kind.NUMBER, f"{function.text}() takes numbers")
        if not least <= len(numbers) <= most:
            wanted = "one number" if most == 1 else f"{least} to {most} numbers"
            raise ConditionError(
                f"column {function.column}: {function.text}() takes {wanted}, not {len(numbers)}"
            )
        reads = tuple(part.read for part in numbers)
        return self._part(Kind.NUMBER, _called(calculate, reads), function.column)

    def _named(self, token: _Token) -> _Part:
        name = self._names.get(token.text)
        if name is None:
            near = suggestion(token.text, [*self._names, *_FUNCTIONS])
            raise ConditionError(f"column {token.column}: nothing is called {token.text!r}{near}")
        self.used.add(token.text)
        return self._part(name.kind, name.read, token.column)

    def _close(self) -> None:
        token = self._next()
        if token.text != ")":
            raise _error(token, "expected ), not", "close the bracket")


def _tokens(text: str) -> list[_Token]:
    tokens, place = [], 0
    end = len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            rest = text[place:].lstrip()
            token = _Token("sign", rest[:1], len(text) - len(rest) + 1)
            remedy = (
                "compare by < or >; measured numbers are never quite equal"
                if rest[:1] in "=!"
                else "there are names, numbers, < > + - * ( ), and, or, not, abs, min and max"
            )
            raise _error(token, "did not expect", remedy)
        kind = match.lastgroup or ""
        tokens.append(_Token(kind, match[kind], match.start(kind) + 1))
        place = match.end()
    tokens.append(_Token("end", "", end + 1))
    return tokens


def _error(token: _Token, what: str, remedy: str) -> ConditionError:
    found = repr(token.text) if token.text else "the end"
    return ConditionError(f"column {token.column}: {what} {found}; {remedy}")


def _number(token: _Token) -> float:
    number = float(token.text)
    if number > MAX_NUMBER:
        raise ConditionError(
            f"column {token.column}: {token.text:.20} is too large; at most {MAX_NUMBER:g}"
        )
    return number


def _constant(value: float) -> Reading:
    return lambda sight: value


def _minus(read: Reading) -> Reading:
    return lambda sight: -read(sight)


def _negated(read: Reading) -> Reading:
    return lambda sight: not read(sight)


def _either(left: Reading, right: Reading) -> Reading:
    return lambda sight: left(sight) or right(sight)


def _all_of(left: Reading, right: Reading) -> Reading:
    return lambda sight: left(sight) and right(sight)


def _called(calculate: Callable[..., float], reads: tuple[Reading, ...]) -> Reading:
    return lambda sight: calculate(*[read(sight) for read in reads])


_COMPARISONS: Mapping[str, Callable[[Reading, Reading], Reading]] = {
    "<": lambda left, right: lambda sight: left(sight) < right(sight),
    "<=": lambda left, right: lambda sight: left(sight) <= right(sight),
    ">": lambda left, right: lambda sight: left(sight) > right(sight),
    ">=": lambda left, right: lambda sight: left(sight) >= right(sight),
}
_CALCULATIONS: Mapping[str, Callable[[Reading, Reading], Reading]] = {
    "+": lambda left, right: lambda sight: left(sight) + right(sight),
    "-": lambda left, right: lambda sight: left(sight) - right(sight),
    "*": lambda left, right: lambda sight: left(sight) * right(sight),
}
