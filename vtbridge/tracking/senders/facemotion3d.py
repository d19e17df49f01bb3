"""Write faces as Facemotion3d does."""

from __future__ import annotations

from vtbridge.datatypes import FaceFrame
from vtbridge.tracking.senders.ifacialmocap import encode_text


def encode_facemotion3d(face: FaceFrame) -> list[bytes]:
    """Return the one datagram of a face; weights are rounded to a percent."""
    return [encode_text(face, "&", lambda name: name)]
