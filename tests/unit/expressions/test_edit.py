"""One expression is changed in a file; comments, order and everybody else's lines stay."""

from __future__ import annotations

import difflib

import pytest

from tests.support.expressions import NAMES
from vtbridge.errors import ConfigError
from vtbridge.expressions.edit import expression_text, with_expression, without_expression
from vtbridge.expressions.library import builtin_file, builtin_text, parse_library
from vtbridge.expressions.model import ExpressionTable

FILE = """\
# mine
version = 1

[expressions.cat]  # meow
label = "Cat"
# wide open
values = { mouth_aaa = 1, eye_wink = 0.5 } # both eyes
fade_in_s = 0.1

# about the dog
[expressions.dog]
values = { head_x = 1 }

[random.idle]
every_s = [12, 30]
choose = { nod = 1 }
# the end
"""
DOG = ExpressionTable(values={"head_x": -0.5}, fade_out_s=1.0)


def changes(before: str, after: str) -> list[str]:
    """Return the lines that went and came."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[:2] not in ("--", "++", "@@")]


def table_of(text: str, name: str) -> ExpressionTable:
    return parse_library(text, "my.toml", NAMES).expressions[name].table


def test_only_the_line_that_changes_is_written() -> None:
    cat = table_of(FILE, "cat").model_copy(update={"fade_in_s": 0.4})
    edited = with_expression(FILE, "cat", cat)
    assert changes(FILE, edited) == ["-fade_in_s = 0.1", "+fade_in_s = 0.4"]


def test_what_is_saved_as_it_was_changes_nothing() -> None:
    text = builtin_text()
    for name, table in builtin_file().expressions.items():
        assert with_expression(text, name, table) == text


def test_comment_of_the_neighbour_stays_when_an_expression_goes() -> None:
    edited = without_expression(FILE, "cat")
    assert edited == FILE[: FILE.index("\n[expressions.cat]")] + FILE[FILE.index("\n# about") :]


def test_new_expression_comes_last_and_goes_again() -> None:
    edited = with_expression(FILE, "bird", DOG)
    assert edited.startswith(FILE)
    assert edited[len(FILE) :] == "\n" + expression_text("bird", DOG)
    assert without_expression(edited, "bird") == FILE


@pytest.mark.parametrize("text", ["", "builtin = false", "# nothing yet\n", FILE.rstrip("\n")])
def test_any_beginning_of_a_file_takes_an_expression(text: str) -> None:
    edited = with_expression(text, "bird", DOG)
    assert edited.startswith(text)
    assert table_of(edited, "bird") == DOG


@pytest.mark.parametrize(
    "text",
    [
        "[expressions]\ndog.values = {head_x = 1}\ncat.values = {head_y = 1}\n",
        "expressions.dog.values.head_x = 1\nexpressions.cat.values = {head_y = 1}\n",
        "['expressions'.\"dog\"]\nvalues.head_x = 1\n[expressions.cat]\nvalues = {head_y = 1}\n",
        "[expressions.dog.values]\nhead_x = 1\n[expressions.cat.values]\nhead_y = 1\n",
        "[expressions.dog]\n[expressions.cat]\nvalues.head_y=1\n[expressions.dog.values]\nhead_x=1\n",
        "[[expressions.dog.keyframes]]\nat_s=1\nvalues={head_x=1}\n"
        "[expressions.cat]\nvalues={head_y=1}\n",
        '[expressions.cat]\nvalues={head_y=1}\nlabel="""\n[expressions.dog]"""\n'
        "[expressions.dog]\nvalues={head_x=1}\n",
    ],
)
def test_every_way_to_write_an_expression_is_replaced_and_removed(text: str) -> None:
    cat = table_of(text, "cat")
    edited = with_expression(text, "dog", DOG)
    assert (table_of(edited, "dog"), table_of(edited, "cat")) == (DOG, cat)
    gone = parse_library(without_expression(edited, "dog"), "my.toml", NAMES).expressions
    assert "dog" not in gone
    assert gone["cat"].table == cat


def test_lines_keep_their_ends() -> None:
    text = FILE.replace("\n", "\r\n")
    for name in ("cat", "bird"):
        edited = with_expression(text, name, DOG)
        assert edited.count("\n") == edited.count("\r\n")
    assert without_expression(with_expression(text, "bird", DOG), "bird") == text


def test_one_inline_table_of_all_is_refused_with_its_line() -> None:
    text = "# x\nexpressions = { cat = { values = { head_x = 1 } }, dog = { values = {} } }\n"
    with pytest.raises(ConfigError, match=r"line 2: .*\[expressions.bird\]"):
        with_expression(text, "bird", DOG)


def test_what_is_not_there_cannot_go() -> None:
    with pytest.raises(KeyError, match="bird"):
        without_expression(FILE, "bird")
