from __future__ import annotations

import zlib
from pathlib import Path
from xml.etree import ElementTree

from tests.support.expressions import NAMES, library_of
from vtbridge.expressions.library import builtin_library
from vtbridge.expressions.touchosc import layout_of, xml_of

PREFIX = "/vtbridge/expression/"
SHIPPED = Path(__file__).parents[3] / "integrations" / "touchosc" / "vtbridge.tosc"


def value_of(node: ElementTree.Element, key: str) -> str | None:
    return next(
        (one.findtext("value") for one in node.iter("property") if one.findtext("key") == key), None
    )


def test_every_expression_has_a_button_that_sends_its_address_and_hears_it() -> None:
    expressions = builtin_library(NAMES).expressions
    xml = zlib.decompress(layout_of(expressions.values(), PREFIX))
    document = ElementTree.fromstring(xml)  # noqa: S314 - our own
    buttons = [node for node in document.iter("node") if node.get("type") == "BUTTON"]
    paths = ["".join(p.findtext("value") or "" for p in b.iterfind(".//path/*")) for b in buttons]
    assert paths == [PREFIX + name for name in expressions]
    for button in buttons:
        assert [button.findtext(f".//osc/{key}") for key in ("send", "receive")] == ["1", "1"]
        kind = {"toggle": "2", "timed": "0", "one_shot": "0"}
        mode = expressions[value_of(button, "name") or ""].table.mode
        assert value_of(button, "buttonType") == kind[mode]
    corners = [
        [int(entry.findtext(f"value/{axis}") or 0) for axis in "xywh"]
        for button in buttons
        for entry in button.iter("property")
        if entry.findtext("key") == "frame"
    ]
    assert len({(x, y) for x, y, _, _ in corners}) == len(buttons), "none covers another"
    assert all(w > 100 and h > 100 and x + w < 1024 and y + h < 768 for x, y, w, h in corners)
    assert len({node.get("ID") for node in document.iter("node")}) == 2 * len(expressions) + 1


def test_labels_are_escaped_and_an_empty_set_is_a_layout_too() -> None:
    library = library_of("[expressions.a]\nlabel = '<a & b>'\nvalues = {head_x = 1}")
    assert b"&lt;a &amp; b&gt;" in xml_of(library.expressions.values(), PREFIX)
    ElementTree.fromstring(xml_of([], PREFIX))  # noqa: S314 - our own


def test_the_layout_that_is_shipped_has_the_built_in_expressions() -> None:
    written = zlib.decompress(SHIPPED.read_bytes())
    assert written == xml_of(builtin_library(NAMES).expressions.values(), PREFIX), (
        "run `vtbridge expression layout integrations/touchosc/vtbridge.tosc`"
    )
