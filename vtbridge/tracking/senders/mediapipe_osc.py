"""Write faces as MediaPipe-OSC does."""

from __future__ import annotations

from vtbridge.datatypes import FaceFrame
from vtbridge.tracking.protocols.mediapipe_osc import NEUTRAL, NOT_SENT
from vtbridge.tracking.senders.osc_build import build_message


def encode_mediapipe_osc(face: FaceFrame) -> list[bytes]:
    """Return a datagram for each ARKit blendshape but tongueOut; nothing for a lost face."""
    if not face.tracked:
        return []
    weights = {f"/{n}": float(w) for n, w in face.blendshapes.items() if n != NOT_SENT}
    weights = {NEUTRAL: 0.0, **weights}
    return [build_message(address, weight).dgram for address, weight in weights.items()]
