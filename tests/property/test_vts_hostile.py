"""Whatever a plugin sends, it gets one answer of the right form, and the avatar stays a face."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.vts import Desk, FakePlugin, message_of
from vtbridge.control.vts.dispatch import _HANDLERS
from vtbridge.control.vts.overlay import Injection, ParameterOverlay
from vtbridge.control.vts.parameters import DEFAULT_PARAMETERS
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.tracking.arkit import ARKIT_NAMES

KINDS = sorted({*_HANDLERS, "EventSubscription"})
FIELDS = sorted(
    {
        *("modelID", "hotkeyID", "itemInstanceID", "expressionFile", "active", "name", "details"),
        *("parameterName", "explanation", "min", "max", "defaultValue", "parameterValues", "mode"),
        *("faceFound", "eventName", "subscribe", "config", "colorTint", "artMeshMatcher", "colorR"),
        *("timeInSeconds", "valuesAreRelativeToModel", "positionX", "itemsToMove", "fileName"),
        *("id", "value", "weight", "testMessageForEvent", "onlyForAction", "pluginName"),
        *("pluginDeveloper", "authenticationToken", "requestedPermission"),
    }
)
TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["smile", "smile.exp3.json", "MouthOpen", "FaceAngleX", "MyParam", "set", "add", "f" * 32]
    ),
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.sampled_from([10**400, -1])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=6),
    ),
    max_leaves=12,
)
PAYLOADS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6)


def answer_of(plugin: FakePlugin, text: str) -> dict[str, Any]:
    answer = plugin.send(text)
    assert answer["apiName"] == "VTubeStudioPublicAPI"
    assert isinstance(answer["requestID"], str)
    assert answer["requestID"]
    assert isinstance(answer["data"], dict)
    return answer


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=200) | VALUES.map(json.dumps))
def test_any_text_is_answered(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        answer = answer_of(Desk(Path(folder)).stranger(), text)
    assert answer["messageType"] == "APIError"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), PAYLOADS), max_size=8))
def test_any_payloads_are_answered_and_leave_the_avatar_a_face(
    requests: list[tuple[str, dict[str, Any]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        plugin = desk.plugin()
        for kind, data in requests:
            answer = answer_of(plugin, message_of(kind, data))
            assert answer["messageType"] in (f"{kind}Response", "APIError")
            desk.clock.advance(0.2)
            desk.events.look()
            desk.faces.fill()
            if kind == "Authentication":
                plugin = desk.plugin()
    newest = desk.faces.peek()
    if newest is not None:
        assert_is_a_face(newest.value)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(DEFAULT_PARAMETERS)),
            st.floats(-1e6, 1e6),
            st.floats(0, 1),
            st.booleans(),
        ),
        max_size=8,
    ),
    st.dictionaries(st.sampled_from(ARKIT_NAMES), st.floats(0, 1), max_size=8),
    st.dictionaries(st.sampled_from(["aa", "happy", "blink", "lookUp"]), st.floats(0, 1)),
    st.none() | st.builds(HeadPose, *[st.floats(-1, 1)] * 3),
    st.none() | st.builds(Gaze, *[st.floats(-1, 1)] * 2),
    st.integers(0, 3_000_000_000),
)
def test_overlaid_face_is_a_face(
    injected: list[tuple[str, float, float, bool]],
    shapes: dict[str, float],
    presets: dict[str, float],
    head: HeadPose | None,
    eye: Gaze | None,
    later_ns: int,
) -> None:
    overlay = ParameterOverlay(0.5)
    for name, value, weight, add in injected:
        overlay.inject("p", [Injection(name, value, weight)], add=add, now_ns=0)
    face = FaceFrame(
        later_ns, "vmc:h", blendshapes=shapes, presets=presets, head=head, left_eye=eye
    )
    assert_is_a_face(overlay.blended(face, later_ns))
    alone = overlay.alone(later_ns)
    if alone is not None:
        assert_is_a_face(alone)


def assert_is_a_face(face: FaceFrame) -> None:
    for weight in (*face.blendshapes.values(), *face.presets.values()):
        assert 0.0 <= weight <= 1.0
    angles = [] if face.head is None else [face.head.pitch_rad, face.head.yaw_rad]
    for eye in (face.left_eye, face.right_eye):
        angles += [] if eye is None else [eye.pitch_rad, eye.yaw_rad]
    assert all(abs(angle) <= math.pi / 2 for angle in angles)
