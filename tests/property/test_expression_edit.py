"""Whatever is saved is read again as it was, and no other byte of the file moves."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.expression_tables import tables
from tests.support.expressions import NAMES
from vtbridge.expressions.edit import with_expression, without_expression
from vtbridge.expressions.library import builtin_text, parse_library
from vtbridge.expressions.model import ExpressionTable

pytestmark = pytest.mark.property

MANY = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])

labels = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)
names = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
comments = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20).map("# {}\n".format)


def tables_in(text: str) -> dict[str, ExpressionTable]:
    found = parse_library(text, "my.toml", NAMES).expressions
    return {name: one.table for name, one in found.items()}


@MANY
@given(names, tables(), labels, comments)
def test_new_definition_is_read_as_it_was_written(
    name: str, table: ExpressionTable, label: str, comment: str
) -> None:
    table = table.model_copy(update={"label": label})
    before = "builtin = false\n" + comment
    text = with_expression(before, name, table)
    assert text.startswith(before)
    assert tables_in(text) == {name: table}
    assert without_expression(text, name) == before


@MANY
@given(st.sampled_from(["cat", "dog"]), tables(), tables(), labels, st.tuples(comments, comments))
def test_change_touches_only_its_own_lines(
    name: str, old: ExpressionTable, new: ExpressionTable, label: str, around: tuple[str, str]
) -> None:
    before = "builtin = false\n\n[expressions.bird]\nvalues.head_x = 1 # up\n" + around[0]
    own = with_expression("", name, old).removeprefix("version = 1\n\n")
    after = around[1] + "[expressions.last]\nvalues = { head_y = 0.50 }"
    new = new.model_copy(update={"label": label})
    text = with_expression(before + own + after, name, new)
    assert text.startswith(before)
    assert text.endswith(after)
    assert tables_in(text)[name] == new
    assert without_expression(text, name) == before + after


@MANY
@given(st.data())
def test_built_in_file_survives_a_change_of_any_of_its_expressions(data: st.DataObject) -> None:
    text = builtin_text()
    name = data.draw(st.sampled_from(sorted(tables_in(text))))
    edited = with_expression(text, name, data.draw(tables()))
    header = text.index(f"[expressions.{name}]")
    rest = text.find("\n\n", header)
    assert edited.startswith(text[:header])
    assert edited.endswith(text[rest:])
