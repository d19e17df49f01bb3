"""Which parts of the character the face data drives, eased in and out.

A microphone moves only the mouth, many senders give no head or no eyes: what nobody drives
is left to idle motion.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from copy import copy
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, read_only
from vtbridge.pose_params import GROUP_RANGES, PoseGroup, PoseParam
from vtbridge.pose_schema import PoseSchema
from vtbridge.retarget.dropout import Presence
from vtbridge.retarget.settings import DropoutSettings

BoolArray = NDArray[np.bool_]


class Part(StrEnum):
    """What a tracker may leave out."""

    BROWS = "brows"
    LIDS = "lids"
    EYES = "eyes"
    """Eye shapes that are not blinks; emotions move them too."""
    MOUTH = "mouth"
    GAZE = "gaze"
    HEAD = "head"


_BLINKS = {
    PoseParam.EYE_WINK_LEFT,
    PoseParam.EYE_WINK_RIGHT,
    PoseParam.EYE_HAPPY_WINK_LEFT,
    PoseParam.EYE_HAPPY_WINK_RIGHT,
}
_PART_OF_GROUP = {
    PoseGroup.BROWS: Part.BROWS,
    PoseGroup.EYES: Part.EYES,
    PoseGroup.MOUTH: Part.MOUTH,
    PoseGroup.GAZE: Part.GAZE,
    PoseGroup.HEAD: Part.HEAD,
    PoseGroup.BODY: Part.HEAD,
}


class Coverage:
    """Keep for each part how far it can be believed, by the same times as the whole face.

    While every face shows every part there is nothing to keep.

    Args:
        whole: how far the face as a whole can be believed; told of each face after this.
        schema: the parameters that the parts are made of.
    """

    def __init__(self, whole: Presence, schema: PoseSchema) -> None:
        self._whole = whole
        self._members = _members(schema)
        self._size = schema.size
        self._masks: dict[frozenset[Part], BoolArray] = {}  # of the few sets of parts there are
        self._parts: dict[Part, Presence] | None = None
        self._saw_all = True
        self._shares = [1.0] * len(self._members)  # of each part, in their order
        self._coverage: F32Array | None = None  # of the shares, once asked for

    def configure(self, settings: DropoutSettings) -> None:
        """Change the times while running."""
        for presence in (self._parts or {}).values():
            presence.configure(settings)

    def saw(self, seen: AbstractSet[Part], t_ns: int) -> BoolArray | None:
        """Note a face at ``t_ns`` with the parts ``seen``.

        Returns:
            The parameters that it shows and that were not to be seen until now, bool [n];
            None if there are none.
        """
        self._saw_all = self.complete(seen)
        if self._parts is None:
            if self._saw_all:
                return np.ones(self._size, np.bool_) if self._whole.at(t_ns) == 0.0 else None
            self._parts = {part: copy(self._whole) for part in self._members}
            self._shares, self._coverage = [1.0] * len(self._members), None
        fresh: set[Part] = set()
        for part in self._parts.keys() & seen:
            presence = self._parts[part]
            if presence.at(t_ns) == 0.0:
                fresh.add(part)
            presence.saw_face(t_ns)
        return self.members(fresh) if fresh else None

    def complete(self, parts: AbstractSet[Part]) -> bool:
        """Return whether ``parts`` are all that the character has."""
        return self._members.keys() <= parts

    def members(self, parts: AbstractSet[Part]) -> BoolArray:
        """Return which parameters belong to ``parts``, bool [n], read-only."""
        key = frozenset(parts)
        mask = self._masks.get(key)
        if mask is None:
            mask = np.zeros(self._size, np.bool_)
            for part in self._members.keys() & key:
                mask |= self._members[part]
            self._masks[key] = read_only(mask)
        return mask

    def at(self, now_ns: int, presence: float) -> F32Array | None:
        """Return the coverage at ``now_ns`` of a face with ``presence``; None = all of it.

        Coverage times presence is how far a part can be believed. Once the whole face is
        gone the coverage stays as it was.
        """
        if self._parts is None:
            return None
        levels = [belief.at(now_ns) for belief in self._parts.values()]
        if presence > 0.0:
            shares = levels
            if presence < 1.0:
                shares = [min(level / presence, 1.0) for level in levels]
            if shares != self._shares:
                self._shares, self._coverage = shares, None
        if self._saw_all and presence == 1.0 and min(levels) == 1.0:
            self._parts = None
            return None
        if self._coverage is None:
            self._coverage = np.empty(self._size, np.float32)
            for members, share in zip(self._members.values(), self._shares, strict=True):
                self._coverage[members] = share
            read_only(self._coverage)
        return self._coverage


def _members(schema: PoseSchema) -> dict[Part, BoolArray]:
    """Return the parameters of each part there is; one belongs where its main share does."""
    masks = {part: np.zeros(schema.size, np.bool_) for part in Part}
    for i, parameter in enumerate(schema.parameters):
        main = parameter.shows[0][0]
        group = next(group for group, members in GROUP_RANGES.items() if main in members)
        masks[Part.LIDS if main in _BLINKS else _PART_OF_GROUP[group]][i] = True
    return {part: mask for part, mask in masks.items() if mask.any()}
