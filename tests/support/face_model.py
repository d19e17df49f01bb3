"""The face tracker's model, where a test needs the real one."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import skip_loudly
from vtbridge.render.weights import FACE_LANDMARKER, WeightStore


def face_model() -> Path:
    """Return the path of the model that ``vtbridge weights pull face-landmarker`` fetched."""
    store = WeightStore()
    if not store.is_ready(FACE_LANDMARKER):
        skip_loudly(
            f"{FACE_LANDMARKER} is not in {store.root}: run `vtbridge weights pull face-landmarker`"
        )
    return store.face_model(FACE_LANDMARKER)
