"""Keep secrets out of what is logged or handed on: known ones by value, others by their form."""

from __future__ import annotations

import re
from collections.abc import Iterator

HIDDEN = "[hidden]"
_SHORTEST = 4
"""A shorter secret is not looked for by value: it would hide every other word."""

_values: frozenset[str] = frozenset()

_FORMS: tuple[re.Pattern[str], ...] = (
    re.compile(r"(?i)\b(?:bearer|basic)\s+(?P<secret>[\w.~+/=-]+)"),
    re.compile(r"(?i)\boauth:(?P<secret>\w+)"),
    re.compile(r"(?i)://[^\s/:@]*:(?P<secret>[^\s/@]+)@"),
    re.compile(r"\btoken\.(?P<secret>[\w-]{16,})"),
    re.compile(
        r"(?i)(?:[\w-]*(?:passwor[dt]|passwd|secret|token|api_?key)|[\w-]*remote[_-]?key)"
        r"[\"']?\s*[=:]\s*(?P<secret>\"[^\"\n]*\"|'[^'\n]*'|[^\s\"',;&}\])]+)"
    ),
    # The remote key: five groups of four, as people type it.
    re.compile(r"(?i)\b(?P<secret>(?:[0-9a-z]{4}-){4}[0-9a-z]{4})\b"),
    # 128 bits in hexadecimal, which is a token of the control API.
    re.compile(r"(?i)(?<![0-9a-f])(?P<secret>[0-9a-f]{32})(?![0-9a-f])"),
)


def conceal(secret: str) -> None:
    """Hide ``secret`` from now on wherever ``redacted`` is used; safe from any thread."""
    global _values
    if len(secret) >= _SHORTEST:
        _values |= {secret}


def redacted(text: str) -> str:
    """Return ``text`` without secrets; where one was it says so."""
    # All are looked for in the text as it came: hiding one must not change the form that
    # betrays another, as a password "token" would.
    told: list[str] = []
    end = 0
    for first, last in sorted([*_known(text), *_formed(text)]):
        if first >= end:
            told += [text[end:first], HIDDEN]
        end = max(end, last)
    return "".join([*told, text[end:]])


def _known(text: str) -> Iterator[tuple[int, int]]:
    for secret in _values:
        first = text.find(secret)
        while first >= 0:
            yield first, first + len(secret)
            first = text.find(secret, first + 1)


def _formed(text: str) -> Iterator[tuple[int, int]]:
    for form in _FORMS:
        for found in form.finditer(text):
            first, last = found.span("secret")
            if not text.startswith(HIDDEN, first):
                yield first, last
