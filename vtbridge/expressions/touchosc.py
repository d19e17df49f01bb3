"""A TouchOSC layout with a button for every expression, which lights up while it is on.

A ``.tosc`` file is one zlib stream of XML: nodes with properties, values, messages and
children. Buttons have no text, so a label lies over each. The address of the computer is not
in it: TouchOSC keeps connections by itself. Source: layouts written by TouchOSC's editor.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

from vtbridge.expressions.layer import Expression
from vtbridge.expressions.model import Mode

_WIDTH, _HEIGHT, _GAP, _COLUMNS = 1024, 768, 16, 4
_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/vtbridge/vtbridge#touchosc")
_MOMENTARY, _TOGGLE = 0, 2
_CENTRE = 2
_FIRST_CONNECTION = "00001"
_BEHIND, _WHITE, _CLEAR = (0.08, 0.08, 0.11, 1.0), (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.0)
_COLOURS: Mapping[Mode, tuple[float, float, float, float]] = {
    Mode.TOGGLE: (0.45, 0.42, 0.85, 1.0),
    Mode.HOLD: (0.25, 0.62, 0.60, 1.0),
    Mode.TIMED: (0.85, 0.45, 0.55, 1.0),
    Mode.ONE_SHOT: (0.80, 0.58, 0.25, 1.0),
}

_Frame = tuple[int, int, int, int]
_Colour = tuple[float, float, float, float]


def layout_of(expressions: Iterable[Expression], osc_prefix: str) -> bytes:
    """Return a ``.tosc`` file whose buttons send to ``osc_prefix`` and an expression's name."""
    return zlib.compress(xml_of(expressions, osc_prefix))


def xml_of(expressions: Iterable[Expression], osc_prefix: str) -> bytes:
    """Return what a ``.tosc`` file holds, UTF-8; the same for the same expressions."""
    buttons = list(expressions)
    rows = max(-(-len(buttons) // _COLUMNS), 1)
    width = (_WIDTH - _GAP * (_COLUMNS + 1)) // _COLUMNS
    height = (_HEIGHT - _GAP * (rows + 1)) // rows
    document = Element("lexml", version="3")
    root = _node(document, "GROUP", "vtbridge", (0, 0, _WIDTH, _HEIGHT), _BEHIND)
    _values(root, touch="false")
    children = SubElement(root, "children")
    for place, expression in enumerate(buttons):
        row, column = divmod(place, _COLUMNS)
        frame = (
            _GAP + column * (width + _GAP),
            _GAP + row * (height + _GAP),
            width,
            height,
        )
        _button(children, expression, frame, osc_prefix + expression.name)
        _label(children, expression, frame)
    content: bytes = tostring(document, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + content


def _button(parent: Element, expression: Expression, frame: _Frame, address: str) -> None:
    mode = expression.table.mode
    node = _node(parent, "BUTTON", expression.name, frame, _COLOURS[mode])
    properties = node[0]
    stays = mode is Mode.TOGGLE
    _property(properties, "i", "buttonType", _TOGGLE if stays else _MOMENTARY)
    _property(properties, "b", "press", 1)
    _property(properties, "b", "release", 1)
    _property(properties, "b", "valuePosition", 0)
    _values(node, touch="false", x="0")
    osc = SubElement(SubElement(node, "messages"), "osc")
    for key, text in (
        ("enabled", "1"),
        ("send", "1"),
        ("receive", "1"),
        ("feedback", "0"),
        ("connections", _FIRST_CONNECTION),
    ):
        SubElement(osc, key).text = text
    trigger = SubElement(SubElement(osc, "triggers"), "trigger")
    SubElement(trigger, "var").text = "x"
    SubElement(trigger, "condition").text = "ANY"
    path = SubElement(osc, "path")
    for part in address.strip("/").split("/"):
        _partial(path, "CONSTANT", "STRING", "/")
        _partial(path, "CONSTANT", "STRING", part)
    _partial(SubElement(osc, "arguments"), "VALUE", "FLOAT", "x")


def _label(parent: Element, expression: Expression, frame: _Frame) -> None:
    node = _node(parent, "LABEL", f"{expression.name} label", frame, _CLEAR, solid=False)
    properties = node[0]
    for key in ("textAlignH", "textAlignV"):
        _property(properties, "i", key, _CENTRE)
    _property(properties, "i", "textSize", 30)
    _property(properties, "b", "textClip", 1)
    _colour(properties, "textColor", _WHITE)
    _values(node, text=expression.label, touch="false")


def _node(
    parent: Element, kind: str, name: str, frame: _Frame, colour: _Colour, *, solid: bool = True
) -> Element:
    node = SubElement(parent, "node", ID=str(uuid.uuid5(_IDS, f"{kind} {name}")), type=kind)
    properties = SubElement(node, "properties")
    _property(properties, "s", "name", name)
    value = SubElement(_keyed(properties, "r", "frame"), "value")
    for axis, number in zip("xywh", frame, strict=True):
        SubElement(value, axis).text = str(number)
    _colour(properties, "color", colour)
    _property(properties, "b", "visible", 1)
    _property(properties, "i", "shape", 1)
    _property(properties, "f", "cornerRadius", 8)
    for key in ("background", "interactive", "outline", "grabFocus"):
        _property(properties, "b", key, int(solid))
    return node


def _keyed(properties: Element, kind: str, key: str) -> Element:
    entry = SubElement(properties, "property", type=kind)
    SubElement(entry, "key").text = key
    return entry


def _property(properties: Element, kind: str, key: str, value: object) -> None:
    SubElement(_keyed(properties, kind, key), "value").text = str(value)


def _colour(properties: Element, key: str, colour: _Colour) -> None:
    value = SubElement(_keyed(properties, "c", key), "value")
    for channel, number in zip("rgba", colour, strict=True):
        SubElement(value, channel).text = f"{number:g}"


def _values(node: Element, **defaults: str) -> None:
    values = SubElement(node, "values")
    for key, default in defaults.items():
        value = SubElement(values, "value")
        SubElement(value, "key").text = key
        SubElement(value, "locked").text = "0"
        SubElement(value, "lockedDefaultCurrent").text = "1" if key == "text" else "0"
        SubElement(value, "default").text = default
        SubElement(value, "defaultPull").text = "0"


def _partial(parent: Element, kind: str, conversion: str, value: str) -> None:
    partial = SubElement(parent, "partial")
    for key, text in (
        ("type", kind),
        ("conversion", conversion),
        ("value", value),
        ("scaleMin", "0"),
        ("scaleMax", "1"),
    ):
        SubElement(partial, key).text = text
