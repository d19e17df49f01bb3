"""Key combinations as people write them: ``ctrl+alt+1``, ``f9``."""

from __future__ import annotations

import re

from vtbridge.expressions.parameters import suggestion

MODIFIERS = frozenset({"alt", "cmd", "ctrl", "shift"})
_OTHERS = frozenset(
    {
        *(f"f{number}" for number in range(1, 25)),
        *("down", "end", "esc", "home", "insert", "left", "page_down", "page_up", "pause"),
        *("plus", "right", "scroll_lock", "space", "tab", "up"),
    }
)
_CHARACTER = re.compile(r"[^\s+A-Z]")


def parse_combination(text: str) -> frozenset[str]:
    """Return the names of the keys that are down together.

    Raises:
        ValueError: it names an unknown key, none, or several beside modifiers; or it is a plain
            letter or digit, which would be typed all the time.
    """
    keys = [part.strip().lower() for part in text.split("+")]
    for key in keys:
        if key not in MODIFIERS | _OTHERS and not _CHARACTER.fullmatch(key):
            near = suggestion(key, [*MODIFIERS, *_OTHERS])
            raise ValueError(f"no key is called {key!r:.40}{near or '; write it as ctrl+alt+1'}")
    combination = frozenset(keys)
    plain = combination - MODIFIERS
    if len(plain) != 1 or len(keys) != len(combination):
        raise ValueError("expected one key, behind ctrl, alt, shift or cmd, such as ctrl+alt+1")
    if len(combination - {"shift"}) == 1 and not plain <= _OTHERS:
        raise ValueError(f"{text!r:.40} is typed all the time; add ctrl or alt, or take f1 to f24")
    return combination
