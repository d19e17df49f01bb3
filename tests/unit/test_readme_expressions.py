"""What the README shows of expressions.toml is right, and what it promises is there."""

from __future__ import annotations

from pathlib import Path

from vtbridge.app.expressions import known_names
from vtbridge.expressions.library import builtin_library, parse_library

README = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
CHAPTER = README.partition("## Expressions")[2].partition("\n## ")[0]


def test_the_example_can_be_copied_as_it_stands() -> None:
    example = CHAPTER.partition("```toml\n")[2].partition("```")[0]
    library = parse_library(example, "README.md", known_names())
    assert {"cat", "bow", "smile"} <= set(library.expressions)


def test_every_built_in_expression_is_named() -> None:
    listed = CHAPTER.partition("`vtbridge expression list`")[0].lower()
    for name in builtin_library(known_names()).expressions:
        assert name.removesuffix("_left").removesuffix("_right").replace("_", " ") in listed, name
