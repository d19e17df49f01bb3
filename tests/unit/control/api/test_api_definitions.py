"""Expressions as they are written, over the API: shown, saved, tried, removed and refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from tests.support.control_server import Served, with_server
from vtbridge.control.api.definitions import Definition
from vtbridge.expressions.model import ExpressionTable

PATH = "/api/v1/expressions/{}/definition"
SMALL = {"values": {"mouth_aaa": 0.5}}


def rules(kind: type[BaseModel]) -> dict[str, Any]:
    """Return what each field takes, by its path, without the words that describe it."""
    schema = kind.model_json_schema()
    words = {"title", "description", "maxProperties", "propertyNames"}

    def plain(node: object) -> Any:
        if isinstance(node, list):
            return [plain(one) for one in node]
        if not isinstance(node, dict):
            return node
        if reference := node.get("$ref"):
            node = {**schema["$defs"][reference.rsplit("/", 1)[1]], **node}
        kept = {key: plain(one) for key, one in node.items() if key not in {*words, "$ref"}}
        return {key: one for key, one in kept.items() if key != "$defs"}

    return {name: plain(one) for name, one in schema["properties"].items()}


def test_definitions_take_what_the_file_takes() -> None:
    api, file = rules(Definition), rules(ExpressionTable)
    for condition in ("when", "until"):  # bounded in the file by its grammar
        assert api[condition]["anyOf"][0].pop("maxLength") == 400
    assert api == file
    assert Definition().model_dump() == ExpressionTable().model_dump(mode="json")


def test_saved_definition_is_told_and_removed() -> None:
    async def body(served: Served) -> None:
        put = await served.session.put(PATH.format("wave"), json=SMALL)
        assert put.status == 202
        told = await (await served.session.get(PATH.format("wave"))).json()
        assert told["definition"]["values"] == SMALL["values"]
        assert (told["own"], told["builtin"], told["editable"]) == (True, False, True)
        assert (await served.session.delete(PATH.format("wave"))).status == 202
        assert (await served.session.get(PATH.format("wave"))).status == 404
        assert (await served.session.delete(PATH.format("wave"))).status == 404
        assert served.avatar.orders == ["save wave", "remove wave"]

    with_server(body)


@pytest.mark.parametrize(
    ("definition", "where"),
    [
        ({"values": {"nose": 1}}, "values.nose"),
        ({"values": {"mouth_aaa": 2}}, "values.mouth_aaa"),
        ({"keyframes": [{"at_s": -1, "values": {"head_x": 1}}]}, "keyframes.0.at_s"),
        ({"keyframes": [{"at_s": 1, "values": {"head_x": 0}}] * 201}, "keyframes"),
        ({"mode": "sometimes"}, "mode"),
        ({"path": "/etc/passwd"}, "path"),
    ],
)
def test_each_wrong_field_is_named(definition: object, where: str) -> None:
    async def body(served: Served) -> None:
        for answer in (
            await served.session.put(PATH.format("wave"), json=definition),
            await served.session.post(
                "/api/v1/expressions/wave/preview", json={"definition": definition}
            ),
        ):
            assert answer.status == 422
            problem = await answer.json()
            assert any(one["where"].endswith(where) for one in problem["errors"])
            assert problem["remedy"]
        assert served.avatar.orders == []

    with_server(body)


@pytest.mark.parametrize("name", ["Wave", "..%2f..%2fhome", "a" * 33, "a-b", "%00"])
def test_name_that_no_file_takes_is_refused(name: str) -> None:
    async def body(served: Served) -> None:
        answer = await served.session.put(PATH.format(name), json=SMALL)
        assert answer.status in (404, 422)
        assert served.avatar.orders == []

    with_server(body)


def test_definition_that_is_too_large_is_refused() -> None:
    async def body(served: Served) -> None:
        answer = await served.session.put(PATH.format("wave"), json={"when": "x" * 70_000})
        assert answer.status == 413
        assert served.avatar.orders == []

    with_server(body)


def test_file_that_is_broken_is_a_conflict_that_names_the_line() -> None:
    async def body(served: Served) -> None:
        assert served.avatar.definitions is not None
        served.avatar.definitions.broken = "my.toml:7: not TOML"
        for answer in (
            await served.session.get(PATH.format("smile")),
            await served.session.put(PATH.format("smile"), json=SMALL),
            await served.session.delete(PATH.format("smile")),
        ):
            assert answer.status == 409
            assert "my.toml:7" in (await answer.json())["detail"]

    with_server(body)


def test_preview_takes_a_definition_or_the_saved_one() -> None:
    async def body(served: Served) -> None:
        for order in ({}, {"definition": SMALL}):
            answer = await served.session.post("/api/v1/expressions/smile/preview", json=order)
            assert answer.status == 202
        assert served.avatar.orders == ["preview smile"] * 2

    with_server(body)


def test_nothing_is_edited_where_expressions_live_elsewhere() -> None:
    async def body(served: Served) -> None:
        served.avatar.definitions = None
        for answer in (
            await served.session.get(PATH.format("smile")),
            await served.session.put(PATH.format("smile"), json=SMALL),
            await served.session.delete(PATH.format("smile")),
            await served.session.post("/api/v1/expressions/smile/preview", json={}),
        ):
            assert answer.status == 409
            assert "computer that renders" in (await answer.json())["remedy"]

    with_server(body)
