"""Where a posed face comes from: the networks, or what they said of the same pose before."""

from __future__ import annotations

from typing import Any

from vtbridge.datatypes import F32Array
from vtbridge.pose_params import BROW_SLICE, FACE_SLICE
from vtbridge.render.cache import CacheMemory, Region
from vtbridge.render.quality.networks import PictureNetworks

_UP_TO_FACE = slice(BROW_SLICE.start, FACE_SLICE.stop)


class Faces:
    """Give what the networks say of a pose, computed once for each one held in memory.

    Brows and faces are looked up by the bytes of their part of the pose, so that a frame is
    the same whichever came before it. Only poses that differ from the last one are looked up
    and counted.

    Args:
        networks: of the shown picture.
        memory: holds brows (256 KiB each) and faces (576 KiB each).
    """

    def __init__(self, networks: PictureNetworks[Any], memory: CacheMemory) -> None:
        self._networks = networks
        self._memory = memory
        self._brows: Region[F32Array] = Region(memory, "brows")
        self._faces: Region[F32Array] = Region(memory, "face")
        self._last_brows: tuple[bytes, F32Array] | None = None
        self._last_face: tuple[bytes, F32Array] | None = None

    def face(self, pose: F32Array) -> F32Array:
        """Return the face crop of ``pose`` [45], [4, 192, 192].

        The same array comes again for as long as the face stays the same, and no array is
        ever changed.

        Raises:
            InferenceError: a network failed.
        """
        key = pose[_UP_TO_FACE].tobytes()
        if self._last_face is not None and self._last_face[0] == key:
            return self._last_face[1]
        face = self._faces.get(key)
        if face is None:
            face = self._networks.face(self._brows_of(pose), pose)
            self._faces.put(key, face)
        self._last_face = key, face
        return face

    def forget(self) -> None:
        """Forget everything, because the picture is another or a network failed."""
        self._last_brows = self._last_face = None
        self._memory.clear()

    def _brows_of(self, pose: F32Array) -> F32Array:
        key = pose[BROW_SLICE].tobytes()
        if self._last_brows is not None and self._last_brows[0] == key:
            return self._last_brows[1]
        brows = self._brows.get(key)
        if brows is None:
            brows = self._networks.brows(pose)
            self._brows.put(key, brows)
        self._last_brows = key, brows
        return brows
