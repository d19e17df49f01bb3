"""Keep secrets out of what is logged or handed on: known ones by value, others by their form."""

from __future__ import annotations

import re

HIDDEN = "[hidden]"
_SHORTEST = 4
"""A shorter secret is not looked for by value: it would hide every other word."""

_values: frozenset[str] = frozenset()

_FORMS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)\boauth:\w+"), f"oauth:{HIDDEN}"),
    (re.compile(r"(?i)(://[^\s/:@]*:)[^\s/@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\btoken\.[\w-]{16,}"), f"token.{HIDDEN}"),
    (
        re.compile(
            r"(?i)((?:[\w-]*(?:passwor[dt]|passwd|secret|token|api_?key)|[\w-]*remote[_-]?key)"
            r"[\"']?\s*[=:]\s*)(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\"',;&}\])]+)"
        ),
        rf"\1{HIDDEN}",
    ),
    # The remote key: five groups of four, as people type it.
    (re.compile(r"(?i)\b(?:[0-9a-z]{4}-){4}[0-9a-z]{4}\b"), HIDDEN),
    # 128 bits in hexadecimal, which is a token of the control API.
    (re.compile(r"(?i)(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"), HIDDEN),
)


def conceal(secret: str) -> None:
    """Hide ``secret`` from now on wherever ``redacted`` is used; safe from any thread."""
    global _values
    if len(secret) >= _SHORTEST:
        _values |= {secret}


def redacted(text: str) -> str:
    """Return ``text`` without secrets; where one was it says so."""
    for secret in sorted(_values, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text
