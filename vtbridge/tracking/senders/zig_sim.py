"""Write faces as ZIG SIM Pro does."""

from __future__ import annotations

from collections.abc import Iterator

from pythonosc.osc_message import OscMessage

from vtbridge.datatypes import FaceFrame
from vtbridge.tracking.face_axes import face_axes_from_head_pose
from vtbridge.tracking.senders.osc_build import build_bundle, build_message

PHONE = "vtbridge"
"""Name of the phone, with which each address begins."""


def encode_zig_sim(face: FaceFrame) -> list[bytes]:
    """Return one bundle with head and ARKit blendshapes, no gaze; nothing for a lost face."""
    if not face.tracked:
        return []
    return [build_bundle(_zig_sim_messages(face))]


def _zig_sim_messages(face: FaceFrame) -> Iterator[OscMessage]:
    yield build_message(f"/{PHONE}/faceposition", 0.0, 0.0, 0.0)
    if face.head is not None:
        yield build_message(f"/{PHONE}/facerotation", *face_axes_from_head_pose(face.head))
    for name, weight in face.blendshapes.items():
        yield build_message(f"/{PHONE}/face{name}", float(weight))
