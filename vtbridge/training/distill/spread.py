"""Points that are known, those that may be asked for, and those to be judged by."""

from __future__ import annotations

from typing import Final

import numpy as np

from vtbridge.datatypes import F32Array

_HELD_OUT_RADIUS: Final = 0.01
_SAME: Final = 1e-4
_ROOM: Final = 256
_MOST_WAITING: Final = 4096


class Spread:
    """Of points that may be asked for always the one farthest from all that are known.

    Args:
        waiting: points that may be asked for, float32 [n, d].
        held_out: points to be judged by, which are never asked for, [m, d].
        known: points that are known already, [k, d].
        weights: how much each coordinate counts in a distance, [d].
    """

    def __init__(
        self, waiting: F32Array, held_out: F32Array, known: F32Array, weights: F32Array
    ) -> None:
        self._held_out = held_out
        self._weights = weights
        self._known = np.empty((max(2 * len(known), _ROOM), len(weights)), np.float32)
        self._count = 0
        near = np.zeros(len(waiting), bool)
        for point in held_out:
            near |= _near(waiting, point, _HELD_OUT_RADIUS)
        self._waiting = waiting[~near]
        self._distance = np.full(len(self._waiting), np.inf, np.float32)
        for point in known:
            self._note(point)

    def take(self, point: F32Array) -> bool:
        """Make ``point`` known; return False if it was, or if it is too near a held-out one."""
        if _near(self._held_out, point, _HELD_OUT_RADIUS).any():
            return False
        if _near(self._known[: self._count], point, _SAME).any():
            return False
        self._note(point)
        return True

    def farthest(self, least: float) -> F32Array | None:
        """Make the waiting point farthest from all known ones known, and return it.

        None if it is nearer than ``least``.
        """
        if not len(self._waiting):
            return None
        place = int(self._distance.argmax())
        if self._distance[place] < least:
            return None
        point: F32Array = self._waiting[place].copy()
        self._note(point)
        return point

    def wait(self, point: F32Array, least: float) -> bool:
        """Let ``point`` wait to be asked for.

        Returns:
            False if it is nearer than ``least`` to what is known or waits, or too near a
            held-out one.
        """
        if _near(self._held_out, point, _HELD_OUT_RADIUS).any():
            return False
        distance = self._apart(self._known[: self._count], point).min(initial=np.inf)
        if min(distance, self._apart(self._waiting, point).min(initial=np.inf)) < least:
            return False
        if len(self._waiting) == _MOST_WAITING:  # the one that tells least makes room
            place = int(self._distance.argmin())
            self._waiting[place], self._distance[place] = point, distance
            return True
        self._waiting = np.concatenate([self._waiting, point[None]])
        self._distance = np.append(self._distance, np.float32(distance))
        return True

    def hold_out(self, point: F32Array) -> None:
        """Never ask for ``point``, nor for one that waits next to it."""
        self._held_out = np.concatenate([self._held_out, point[None]])
        kept = ~_near(self._waiting, point, _HELD_OUT_RADIUS)
        self._waiting, self._distance = self._waiting[kept], self._distance[kept]

    def _note(self, point: F32Array) -> None:
        if self._count == len(self._known):
            self._known = np.concatenate([self._known, np.empty_like(self._known)])
        self._known[self._count] = point
        self._count += 1
        np.minimum(self._distance, self._apart(self._waiting, point), out=self._distance)

    def _apart(self, points: F32Array, point: F32Array) -> F32Array:
        offsets = (points - point) * self._weights
        apart: F32Array = np.sqrt(np.einsum("ij,ij->i", offsets, offsets))
        return apart


def _near(
    points: F32Array, point: F32Array, radius: float
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    near: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
        np.abs(points - point).max(axis=1, initial=0.0) < radius
    )
    return near
