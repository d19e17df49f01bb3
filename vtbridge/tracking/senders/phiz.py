"""Write faces as Phiz's desktop app does."""

from __future__ import annotations

from collections.abc import Iterator

from pythonosc.osc_message import OscMessage

from vtbridge.datatypes import FaceFrame, Gaze
from vtbridge.tracking.face_axes import direction_from_gaze, face_axes_from_head_pose
from vtbridge.tracking.protocols.phiz import BLENDSHAPES, HEAD, LEFT_EYE, RIGHT_EYE, SHAPES
from vtbridge.tracking.senders.osc_build import build_message


def encode_phiz(face: FaceFrame) -> list[bytes]:
    """Return the datagrams of one face, a message each; nothing for a lost face."""
    return [message.dgram for message in _phiz_messages(face)] if face.tracked else []


def _phiz_messages(face: FaceFrame) -> Iterator[OscMessage]:
    weights = (float(face.blendshapes.get(name, 0.0)) for name in SHAPES)
    yield build_message(BLENDSHAPES, *weights)
    eyes: tuple[tuple[str, Gaze | None], ...] = (
        (LEFT_EYE, face.left_eye),
        (RIGHT_EYE, face.right_eye),
    )
    for address, gaze in eyes:
        if gaze is not None:
            yield build_message(address, *direction_from_gaze(gaze), 0.0)
    if face.head is not None:
        yield build_message(HEAD, *face_axes_from_head_pose(face.head))
