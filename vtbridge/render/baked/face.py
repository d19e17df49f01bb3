"""The face of a prepared character: 39 numbers in, the posed face out, on one thread.

Each part of the face (brows and eyes of either side, mouth, and the whole) has its parameters
bent and scaled so that poses near each other look alike. How alike the pose is to some thousand
known ones gives the weights of some hundred pictures of differences, whose sum with the face at
rest is the posed face:

::

    e_g = linear[g] @ pose + bent[g] @ tanh(bend[g] @ pose + bend_bias[g])
    r_gn = sqrt(3) * |e_g - points[g, n]|
    alike_n = sum_g shares[g] * (1 + r_gn) * exp(-r_gn)
    level = neutral + (weights @ alike) @ basis

in 8-bit sRGB levels, at the places that move at all. There is no cache of faces: it would hit
1-4 % of the frames of a live stream, and a face takes about 1 ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, U8Array, read_only
from vtbridge.errors import WeightsError
from vtbridge.pose_params import FACE_SLICE
from vtbridge.render.alpha import CHANNELS, network_from_straight
from vtbridge.render.baked import _face
from vtbridge.render.models.crops import FACE_CROP

PREFIX: Final = "face."
"""What the names of a face's tensors begin with."""

POSE_SIZE: Final = FACE_SLICE.stop
"""Pose parameters that move the face: the first of a pose."""

_SIDE: Final = FACE_CROP.size
_COLOURS: Final = (CHANNELS - 1) * _SIDE * _SIDE
_VALUES: Final = CHANNELS * _SIDE * _SIDE
_PACKED: Final = 4

# A hostile file may be large; an honest one holds far less.
_MOST_PARTS: Final = 16
_MOST_BENDS: Final = 256
_MOST_WIDTH: Final = 64
_MOST_POINTS: Final = 8192
_MOST_ROWS: Final = 1024
_MOST_VALUES: Final = 16 << 20

_TYPES: Final[Mapping[str, tuple[type[np.generic], str]]] = {
    "neutral": (np.uint8, "YXC"),
    "places": (np.int32, "E"),
    "basis": (np.int8, "KE"),
    "linear": (np.float32, "GDP"),
    "bend": (np.float32, "GBP"),
    "bend_bias": (np.float32, "GB"),
    "bent": (np.float32, "GDB"),
    "shares": (np.float32, "G"),
    "points": (np.float32, "GND"),
    "weights": (np.float32, "KN"),
}


class BakedFace:
    """Pose the face that was learnt. It belongs to one thread at a time.

    Args:
        tensors: those whose names begin with ``face.``, each copied, with the sizes E places,
            K rows, G parts, D dimensions, B bends, N points:

            - ``neutral`` uint8 [192, 192, 4]: the face at rest, straight sRGB;
            - ``places`` int32 [E]: what moves, rising indices into [4, 192, 192];
            - ``basis`` int8 [K, E];
            - ``linear`` [G, D, 39], ``bend`` [G, B, 39], ``bend_bias`` [G, B],
              ``bent`` [G, D, B], ``shares`` [G], ``points`` [G, N, D], ``weights`` [K, N],
              float32.

            Others are not looked at.

    Raises:
        WeightsError: a tensor is absent, unknown, of another type or shape, or not finite.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        own = _checked(tensors)
        self._linear, self._bent, self._shares = own["linear"], own["bent"], own["shares"]
        self._bend, self._bend_bias = own["bend"], own["bend_bias"]
        self._points, self._weights = own["points"], own["weights"]
        neutral: U8Array = own["neutral"]
        self._places: NDArray[np.int32] = own["places"]
        self._colours = int(np.searchsorted(self._places, _COLOURS))
        at_rest: U8Array = neutral.transpose(2, 0, 1).reshape(-1)[self._places]
        self._start: F32Array = at_rest.astype(np.float32)
        self._basis = _packed(own["basis"])
        self._face = network_from_straight(neutral)
        self._shown = self._face.view()
        read_only(self._shown)
        self._pose: bytes | None = None

    def face(self, face_pose: F32Array) -> F32Array:
        """Return the posed face, a network signal, [4, 192, 192].

        Args:
            face_pose: float32 [39], in the parameters' ranges.

        Returns:
            the same read-only array each time, in -1..1, valid until the next call; nothing is
            computed for the pose that it shows already.

        Raises:
            ValueError: ``face_pose`` is not float32 [39] or not finite.
        """
        if face_pose.shape != (POSE_SIZE,) or face_pose.dtype != np.float32:
            raise ValueError(
                f"a face's pose is float32 [{POSE_SIZE}], not {face_pose.dtype} {face_pose.shape}"
            )
        key = face_pose.tobytes()
        if key == self._pose:
            return self._shown
        if not np.isfinite(face_pose).all():
            raise ValueError("a face's pose holds a value that is not finite")
        self._pose = None
        weights = self._weights_of(face_pose)
        _face.expand(self._basis, weights, self._start, self._places, self._colours, self._face)
        self._pose = key
        return self._shown

    def _weights_of(self, face_pose: F32Array) -> F32Array:
        """Return the weights of the basis' rows, [K].

        ``einsum`` and no product of matrices, which would wake BLAS's threads.
        """
        # Hostile tensors may overflow; what is not a number is shown as 0 in the end.
        with np.errstate(all="ignore"):
            bends = np.tanh(np.einsum("gbp,p->gb", self._bend, face_pose) + self._bend_bias)
            placed = np.einsum("gdp,p->gd", self._linear, face_pose)
            placed += np.einsum("gdb,gb->gd", self._bent, bends)
            apart = self._points - placed[:, None]
            root = np.sqrt(3 * np.einsum("gnd,gnd->gn", apart, apart))
            alike = np.einsum("g,gn->n", self._shares, (1 + root) * np.exp(-root))
            weights: F32Array = np.einsum("kn,n->k", self._weights, alike)
        return weights


def _packed(basis: NDArray[np.int8]) -> NDArray[np.uint32]:
    """Return the basis in blocks of places, four values a word, as ``_face.c`` reads it."""
    rows, size = basis.shape
    blocks = -(-size // _face.BLOCK)
    padded = np.zeros((rows, blocks * _face.BLOCK), np.uint8)
    padded[:, :size] = basis.view(np.uint8)
    quarters = padded.reshape(rows, blocks, _PACKED, -1).transpose(1, 0, 2, 3).astype(np.uint32)
    words: NDArray[np.uint32] = quarters[:, :, 0].copy()
    for quarter in range(1, _PACKED):
        words |= quarters[:, :, quarter] << np.uint32(8 * quarter)
    return words


def _checked(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return copies of a face's tensors, by their names less the prefix.

    Raises:
        WeightsError: see ``BakedFace``.
    """
    names = {name.removeprefix(PREFIX) for name in tensors if name.startswith(PREFIX)}
    if names != _TYPES.keys():
        absent, unknown = sorted(_TYPES.keys() - names), sorted(names - _TYPES.keys())
        raise _refused(f"it lacks {absent} and holds {unknown[:8]} besides")
    own = {name: tensors[PREFIX + name] for name in _TYPES}
    sizes = {"Y": _SIDE, "X": _SIDE, "C": CHANNELS, "P": POSE_SIZE}
    for name, (dtype, axes) in _TYPES.items():
        array = own[name]
        if array.dtype != dtype or array.ndim != len(axes):
            raise _refused(f"{name} is {array.dtype} {array.shape}")
        for axis, size in zip(axes, array.shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise _refused(f"{name} is {array.shape}, which does not fit the others")
    if not (
        1 <= sizes["G"] <= _MOST_PARTS
        and 1 <= sizes["B"] <= _MOST_BENDS
        and 1 <= sizes["D"] <= _MOST_WIDTH
        and 1 <= sizes["N"] <= _MOST_POINTS
        and 1 <= sizes["K"] <= _MOST_ROWS
        and 1 <= sizes["E"] <= _VALUES
        and sizes["K"] * max(sizes["E"], sizes["N"]) <= _MOST_VALUES
    ):
        raise _refused(f"its sizes are {sizes}")
    places = own["places"]
    if places[0] < 0 or places[-1] >= _VALUES or not (np.diff(places) > 0).all():
        raise _refused("its places do not rise within a face")
    for name, array in own.items():
        if array.dtype == np.float32 and not np.isfinite(array).all():
            raise _refused(f"{name} holds a value that is not finite")
    return {name: np.array(array, order="C") for name, array in own.items()}


def _refused(what: str) -> WeightsError:
    return WeightsError(
        f"the prepared face cannot be used: {what}. Make it anew with `vtbridge character bake`"
    )
