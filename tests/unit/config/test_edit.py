"""A setting changed in config.toml leaves everything else as its user wrote it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vtbridge.config.document import documented_defaults
from vtbridge.config.edit import edited
from vtbridge.config.load import parse_config
from vtbridge.errors import ConfigError

BETA = ("retarget", "smoothing", "mouth", "beta")
OWN = """\
# my stream
[publish]
name = "me"   # as in OBS

[retarget.smoothing.mouth]
beta = 3.0 # was too slow
min_cutoff_hz=2
"""


def test_comments_order_and_spacing_stay() -> None:
    assert edited(OWN, {BETA: 4.5}) == OWN.replace("beta = 3.0 #", "beta = 4.5 #")


def test_setting_taken_out_leaves_its_default() -> None:
    changed = edited(OWN, {BETA: None})
    assert "beta" not in changed
    assert parse_config(changed, "it").retarget.smoothing.mouth.beta == 3.0
    assert edited(OWN, {("idle", "sway"): None}) == OWN


def test_table_that_is_missing_is_added() -> None:
    changed = edited(OWN, {("idle", "sway"): 0.5, ("retarget", "sensitivity", "head", "gain"): 2.0})
    assert changed.startswith(OWN)
    config = parse_config(changed, "it")
    assert (config.idle.sway, config.retarget.sensitivity.head.gain) == (0.5, 2.0)
    assert edited("", {BETA: 1.5}).split() == ["[retarget.smoothing.mouth]", "beta", "=", "1.5"]


def test_bare_gain_becomes_a_table_that_keeps_it() -> None:
    text = "[retarget.sensitivity]\nmouth = 1.4 # iPhone\n"
    changed = edited(text, {("retarget", "sensitivity", "mouth", "gamma"): 0.8})
    mouth = parse_config(changed, "it").retarget.sensitivity.mouth
    assert (mouth.gain, mouth.gamma) == (1.4, 0.8)


def test_documented_defaults_can_be_edited_in_place() -> None:
    text = documented_defaults()
    changed = edited(text, {BETA: 7.25})
    lines = [(old, new) for old, new in zip(text.splitlines(), changed.splitlines(), strict=True)]
    assert [pair for pair in lines if pair[0] != pair[1]] == [("beta = 3.0", "beta = 7.25")]


@pytest.mark.parametrize("text", ["[retarget", "retarget = 3\nretarget = 4", "a = \x00"])
def test_text_that_is_no_toml_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no TOML"):
        edited(text, {BETA: 1.0})


_KEY = st.sampled_from(["a", "b", "idle", "x-y"])


def at(tables: Any, path: tuple[str, ...]) -> Any:
    """Return what stands at a path, None if nothing does."""
    for key in path:
        tables = tables.get(key) if isinstance(tables, dict) else None
    return tables


@example(["b = {a = 1}"], ("b", "b", "a"), 0)
@example(["[b.a]", "# words"], ("b",), None)
@given(
    st.lists(
        st.sampled_from(
            [
                "# words",
                "",
                "[a]",
                "[a.b]",
                "[b.a]",
                "[idle]",
                'x-y = "1"',
                "a.b = 2",
                "b = {a = 1}",
                "b = [1, 2]",
            ]
        ),
        max_size=8,
    ),
    st.lists(_KEY, min_size=1, max_size=4).map(tuple),
    st.integers(0, 9) | st.none(),
)
def test_any_text_is_changed_rightly_or_refused(
    lines: list[str], path: tuple[str, ...], value: int | None
) -> None:
    text = "\n".join(lines)
    try:
        changed = edited(text, {path: value})
    except ConfigError:
        return
    assert at(tomllib.loads(changed), path) == value
    if not isinstance(at(tomllib.loads(text), path), dict):  # a table goes with what it explains
        assert changed.count("# words") == text.count("# words")
