"""Posed faces that the teacher gave, held in a file that survives being killed."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, Picture, U8Array
from vtbridge.pose_params import FACE_SLICE
from vtbridge.render.alpha import straight_from_network
from vtbridge.render.models.crops import FACE_CROP

log = logging.getLogger(__name__)

POSE_SIZE: Final = FACE_SLICE.stop
"""Pose parameters that move the face: the first of a pose."""

SHAPE: Final = (FACE_CROP.size, FACE_CROP.size, 4)
"""Of a face as it is held: uint8, straight sRGB."""

_MAGIC: Final = b"vtbface1"
_RECORD: Final = struct.Struct("<II")
_POSE_BYTES: Final = 4 * POSE_SIZE
_FACE_BYTES: Final = SHAPE[0] * SHAPE[1] * SHAPE[2]
_MOST_BYTES: Final = _POSE_BYTES + 2 * _FACE_BYTES


class FaceSamples:
    """Faces by their pose, each written before ``add`` returns.

    The file is a log: its head names the picture, and each record has its length and CRC-32
    before it, so that one cut off by a kill is told from a whole one and left out. Faces are
    held as 8-bit sRGB less the picture's own face, deflated: 4 to 12 KiB each. What rounding
    takes is 59 dB below the picture, and less after many are averaged.

    One process at a time writes a file.

    Args:
        path: of the file; made when the first face is added. One that is another picture's,
            or none of this form, is replaced.
        picture: whose faces these are.
    """

    def __init__(self, path: Path, picture: Picture) -> None:
        self._path = path
        self._head = _MAGIC + bytes.fromhex(picture.digest)
        self._reference = picture.rgba[FACE_CROP.rows, FACE_CROP.columns].reshape(-1)
        self._poses: list[F32Array] = []
        self._deflated: list[bytes] = []
        self._known: dict[bytes, int] = {}
        self._least = np.full(_FACE_BYTES, 255, np.uint8)
        self._most = np.zeros(_FACE_BYTES, np.uint8)
        self._read()

    def __len__(self) -> int:
        return len(self._poses)

    @property
    def poses(self) -> F32Array:
        """Poses of all faces in the order they came, [n, 39]."""
        if not self._poses:
            return np.empty((0, POSE_SIZE), np.float32)
        return np.stack(self._poses)

    @property
    def span(self) -> NDArray[np.int16]:
        """How much each value of a face differs among the samples, [192 * 192 * 4], 0..255."""
        span: NDArray[np.int16] = self._most.astype(np.int16) - self._least
        return np.maximum(span, 0, out=span)

    @property
    def most(self) -> U8Array:
        """The largest value of each place among the samples, [192 * 192 * 4]."""
        return self._most.copy()

    def add(self, face_pose: F32Array, face: F32Array) -> bool:
        """Hold the face of a pose; return False if that pose is held already.

        Args:
            face_pose: float32 [39].
            face: network signal, float32 [4, 192, 192].

        Raises:
            InferenceError: ``face`` is not finite.
            ValueError: a shape or type is another, or ``face_pose`` is not finite.
            OSError: the file cannot be written.
        """
        if face_pose.shape != (POSE_SIZE,) or face_pose.dtype != np.float32:
            raise ValueError(
                f"a face's pose is float32 [{POSE_SIZE}], not {face_pose.dtype} {face_pose.shape}"
            )
        if not np.isfinite(face_pose).all():
            raise ValueError("a face's pose holds a value that is not finite")
        pose = face_pose + np.float32(0.0)  # so that -0 is 0
        if pose.tobytes() in self._known:
            return False
        levels = np.empty(SHAPE, np.uint8)
        straight_from_network(np.ascontiguousarray(face), levels)
        flat = levels.reshape(-1)
        deflated = zlib.compress((flat - self._reference).tobytes(), 1)
        self._write(pose.tobytes() + deflated)
        self._hold(pose, deflated, flat)
        return True

    def index_of(self, face_pose: F32Array) -> int | None:
        """Return which face has this pose; None if there is none."""
        return self._known.get((face_pose + np.float32(0.0)).tobytes())

    def face(self, index: int) -> U8Array:
        """Return one face, straight sRGB, [192, 192, 4]."""
        return self._inflated(self._deflated[index]).reshape(SHAPE)

    def levels(self, places: NDArray[np.intp], first: int = 0) -> U8Array:
        """Return the values at ``places`` of a flat face, of every face from the ``first`` on.

        Returns:
            [n - first, len(places)].
        """
        values = np.empty((len(self) - first, len(places)), np.uint8)
        for row, deflated in zip(values, self._deflated[first:], strict=True):
            np.take(self._inflated(deflated), places, out=row)
        return values

    def _inflated(self, deflated: bytes) -> U8Array:
        return np.frombuffer(zlib.decompress(deflated), np.uint8) + self._reference

    def _hold(self, pose: F32Array, deflated: bytes, flat: U8Array) -> None:
        self._known[pose.tobytes()] = len(self._poses)
        self._poses.append(pose)
        self._deflated.append(deflated)
        np.minimum(self._least, flat, out=self._least)
        np.maximum(self._most, flat, out=self._most)

    def _write(self, payload: bytes) -> None:
        if not self._poses:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(self._head)
        with self._path.open("ab") as file:
            file.write(_RECORD.pack(len(payload), zlib.crc32(payload)) + payload)

    def _read(self) -> None:
        """Take what an earlier process left, and cut off what it did not finish."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        if not data.startswith(self._head):
            log.warning("%s holds no faces of this picture and is begun anew", self._path)
            return
        end = len(self._head)
        for payload in _payloads(data, end):
            pose = np.frombuffer(payload, np.float32, POSE_SIZE)
            deflated = payload[_POSE_BYTES:]
            self._hold(pose, deflated, self._inflated(deflated))
            end += _RECORD.size + len(payload)
        if self._poses and end < len(data):
            log.warning("%s was cut off; what it holds up to there is used", self._path)
            with self._path.open("r+b") as file:
                file.truncate(end)


def _payloads(data: bytes, start: int) -> Iterator[bytes]:
    """Return the whole records of a log up to the first that is not."""
    while start + _RECORD.size <= len(data):
        length, crc = _RECORD.unpack_from(data, start)
        start += _RECORD.size
        payload = data[start : start + length]
        if length > _MOST_BYTES or len(payload) != length or zlib.crc32(payload) != crc:
            return
        if not _is_face(payload):
            return
        yield payload
        start += length


def _is_face(payload: bytes) -> bool:
    if len(payload) < _POSE_BYTES:
        return False
    if not np.isfinite(np.frombuffer(payload, np.float32, POSE_SIZE)).all():
        return False
    try:
        # Asking for one byte more than a face tells a larger one without unpacking it.
        return len(zlib.decompressobj().decompress(payload[_POSE_BYTES:], _FACE_BYTES + 1)) == (
            _FACE_BYTES
        )
    except zlib.error:
        return False
