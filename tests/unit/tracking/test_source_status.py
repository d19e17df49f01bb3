"""A source is told by the arrival of its faces, and as JSON can hold it."""

from __future__ import annotations

import json

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, HeadPose
from vtbridge.tracking.source_status import (
    RateMeter,
    SourceState,
    SourceStatus,
    plain_face,
    plain_status,
)

T0 = NS_PER_S


def test_even_faces_have_a_rate_and_no_jitter() -> None:
    rate = RateMeter()
    assert rate.fps == 0.0
    for frame in range(120):
        rate.saw(T0 + frame * NS_PER_S // 50)
    assert rate.fps == pytest.approx(50)
    assert rate.jitter_ms == pytest.approx(0, abs=0.01)


def test_uneven_faces_have_jitter() -> None:
    rate = RateMeter()
    for frame in range(300):
        rate.saw(T0 + frame * NS_PER_S // 50 + (frame % 2) * 4_000_000)
    assert rate.fps == pytest.approx(50, rel=0.05)
    assert rate.jitter_ms == pytest.approx(4, rel=0.1)


def test_silence_begins_the_measurement_anew() -> None:
    rate = RateMeter()
    for t_ns in (T0, T0 + NS_PER_S // 50, T0 + 60 * NS_PER_S):
        rate.saw(t_ns)
    assert (rate.fps, rate.jitter_ms) == (0.0, 0.0)
    rate.saw(T0 + 60 * NS_PER_S + NS_PER_S // 25)
    assert rate.fps == pytest.approx(25)


def test_status_is_plain_and_leaves_the_face_out_unless_asked() -> None:
    face = FaceFrame(T0, "vmc:1", blendshapes={"jawOpen": 1 / 3}, head=HeadPose(0.1, 0.0, 0.0))
    status = SourceStatus(
        "vmc:1", "VMC", "here", SourceState.LIVE, rejects={"x": 2}, last_ns=T0, face=face
    )
    plain = plain_status(status, T0 + NS_PER_S // 2)
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["state"], plain["age_s"], plain["rejects"]) == ("live", 0.5, {"x": 2})
    assert "face" not in plain
    with_face = plain_status(status, T0, with_face=True)
    assert with_face["face"] == plain_face(face, T0)
    assert plain_face(face, T0)["blendshapes"] == {"jawOpen": 0.333}
    assert plain_face(face, T0)["head_deg"] == {"pitch": 5.7, "yaw": 0.0, "roll": 0.0}
    assert plain_face(face, T0)["left_eye_deg"] is None
