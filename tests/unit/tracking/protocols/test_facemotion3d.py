"""Facemotion3d's own greeting and spelling; its text is iFacialMocap's."""

from __future__ import annotations

import math

import pytest

from vtbridge.tracking.protocols.facemotion3d import Facemotion3dProtocol
from vtbridge.tracking.protocols.protocol import Greeting

T0 = 1_000_000_000
# The beginning and the end of the example of facemotion3d.net/for-developer.
TEXT = (
    b"eyeLookOutLeft&3|mouthPressRight&14|jawLeft&4|eyeBlinkLeft&29|FM_SAD&0|FM_browUpLeft&0|"
    b"=head#-22.167973,0.45402408,-4.8798294,-0.039975993,-0.048437987,-0.45562273|"
    b"rightEye#12.759762,5.527712,1.2244859|leftEye#12.862795,1.264116,0.28145725|"
)


def test_its_text_is_read_and_its_own_shapes_ignored() -> None:
    protocol = Facemotion3dProtocol()
    protocol.reset("facemotion3d:test")
    (face,) = protocol.feed(TEXT, T0)
    assert face.source == "facemotion3d:test"
    assert face.blendshapes == {
        "eyeLookOutLeft": 0.03,
        "mouthPressRight": 0.14,
        "jawLeft": 0.04,
        "eyeBlinkLeft": 0.29,
    }
    assert face.head is not None
    assert face.left_eye is not None
    assert math.degrees(face.head.pitch_rad) == pytest.approx(22.167973)
    assert math.degrees(face.left_eye.yaw_rad) == pytest.approx(-1.264116)
    assert protocol.values_dropped == 0


def test_it_is_greeted_in_its_own_words() -> None:
    greeting = Facemotion3dProtocol("192.168.1.20").greeting(T0)
    assert greeting == Greeting(b"FACEMOTION3D_OtherStreaming", "192.168.1.20", 49993)


def test_its_spelling_tells_it_from_ifacialmocap() -> None:
    assert Facemotion3dProtocol.recognises(TEXT)
    assert not Facemotion3dProtocol.recognises(b"trackingStatus-1|eyeBlink_L-29|jawLeft-3|")
    assert not Facemotion3dProtocol.recognises(b"eyeBlink_L&29|jawLeft&3|mouthLeft&1|")
    assert not Facemotion3dProtocol.recognises(b"FMV3")
