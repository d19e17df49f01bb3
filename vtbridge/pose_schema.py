"""What a character system can be told to show: THA3's 45 parameters, THA1's 6.

THA3's is the richest vocabulary known here, so faces and idle motion are worked out in it;
each schema is a table that says what of it each of its own parameters shows.

Sources: pose parameters of talking-head-anime-3-demo and of talking-head-anime-demo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vtbridge.pose_params import POSE_SIZE, PoseGroup, PoseParam, near_names

F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]
IndexArray = NDArray[np.intp]

_OTHER_SIDE = {"left": "right", "right": "left"}


@dataclass(frozen=True, slots=True)
class PoseParameter:
    """One number that a character system takes.

    Attributes:
        label: the name users type, ``mouth_aaa``.
        group: the part it moves; decides how it is smoothed.
        shows: what of the 45 it shows, each with its weight, the main one first.
        low: least value.
        high: greatest value.
        as_drawn: value at which the picture looks as it was drawn.
        sideways: True if its sign turns in a mirror.
    """

    label: str
    group: PoseGroup
    shows: tuple[tuple[PoseParam, float], ...]
    low: float = 0.0
    high: float = 1.0
    as_drawn: float = 0.0
    sideways: bool = False


@dataclass(frozen=True, eq=False)
class PoseSchema:
    """The parameters of one character system, in the order of its pose vector.

    Attributes:
        name: what to call it in messages.
        parameters: one for each element of a pose.
        lids: for each eye the labels that each close it alone; together at most 1.
    """

    name: str
    parameters: tuple[PoseParameter, ...]
    lids: tuple[tuple[str, ...], ...]

    @cached_property
    def size(self) -> int:
        """Length of a pose."""
        return len(self.parameters)

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Where each label stands in a pose."""
        return {parameter.label: i for i, parameter in enumerate(self.parameters)}

    @cached_property
    def groups(self) -> Mapping[PoseGroup, IndexArray]:
        """The parameters of each group that occurs."""
        members: dict[PoseGroup, list[int]] = {}
        for i, parameter in enumerate(self.parameters):
            members.setdefault(parameter.group, []).append(i)
        return {group: np.array(indices, np.intp) for group, indices in members.items()}

    @cached_property
    def low(self) -> F32Array:
        """Least values, float32 [size]."""
        return np.array([parameter.low for parameter in self.parameters], np.float32)

    @cached_property
    def high(self) -> F32Array:
        """Greatest values, float32 [size]."""
        return np.array([parameter.high for parameter in self.parameters], np.float32)

    @cached_property
    def as_drawn(self) -> F32Array:
        """The pose at which the picture looks as it was drawn, float32 [size]."""
        return np.array([parameter.as_drawn for parameter in self.parameters], np.float32)

    @cached_property
    def weights(self) -> F64Array:
        """How much of each of the 45 parameters of THA3 each one shows, float64 [size, 45]."""
        weights = np.zeros((self.size, POSE_SIZE))
        for row, parameter in zip(weights, self.parameters, strict=True):
            for param, weight in parameter.shows:
                row[param] = weight
        return weights

    @cached_property
    def eyes(self) -> tuple[tuple[int, ...], ...]:
        """``lids`` as indices, for each eye."""
        return tuple(tuple(self.index[label] for label in eye) for eye in self.lids)

    def clamp(self, values: F32Array) -> F32Array:
        """Return a copy of float32 [size] ``values`` clamped to the ranges."""
        clamped: F32Array = np.minimum(np.maximum(values, self.low), self.high)
        return clamped

    def project(self, face: Sequence[float] | F64Array) -> F64Array:
        """Return what a pose in the 45 parameters of THA3 is here, float64 [size], clamped."""
        values = np.asarray(face, np.float64)
        if not self._is_identity:
            values = self.weights @ values
        shown: F64Array = np.minimum(np.maximum(values, self._low), self._high)
        return shown

    def named(self, pose: Mapping[str, float]) -> F32Array:
        """Return what ``pose``, values by label, is in the 45 parameters, float32 [45]; the rest 0.

        Values are clamped. ``project`` gives back those of this schema's labels: of all that one
        shows, the main part is moved. Labels of the other systems are known too, for whoever
        controls an avatar need not know what shows it; where they are the same, this schema's
        count.

        Raises:
            KeyError: there is no such parameter; the message suggests near names.
        """
        values = np.zeros(POSE_SIZE, np.float32)
        for label, value in pose.items():
            known = next((each for each in (self, THA3, THA1) if label in each.index), None)
            if known is None:
                hint = near_names(label, [*self.index, *THA3.index])
                raise KeyError(f"no pose parameter is called {label!r}{hint}")
            one = known.parameters[known.index[label]]
            param, weight = one.shows[0]
            values[param] = min(max(value, one.low), one.high) / weight
        return values

    def mirror(self, values: F64Array) -> F64Array:
        """Return the mirror image of float64 [size] ``values``: sides exchanged, turns negated."""
        mirrored: F64Array = values[self._mirror_source] * self._mirror_sign
        return mirrored

    def share_lids(self, values: F64Array) -> F64Array:
        """Return float64 [size] ``values`` with the lids of each eye scaled to a sum of 1: closed.

        Each of them closes the eye alone; two at once would push the lid into the cheek.
        """
        for eye in self.eyes:
            closed = sum([values.item(lid) for lid in eye])
            if closed > 1.0:
                values = values.copy()
                for lid in eye:
                    values[lid] /= closed
        return values

    @cached_property
    def _low(self) -> F64Array:
        return self.low.astype(np.float64)

    @cached_property
    def _high(self) -> F64Array:
        return self.high.astype(np.float64)

    @cached_property
    def _is_identity(self) -> bool:
        return self.size == POSE_SIZE and bool((self.weights == np.eye(POSE_SIZE)).all())

    @cached_property
    def _mirror_source(self) -> IndexArray:
        return np.array([self.index[other_side(p.label)] for p in self.parameters], np.intp)

    @cached_property
    def _mirror_sign(self) -> F64Array:
        return np.array([-1.0 if parameter.sideways else 1.0 for parameter in self.parameters])


def other_side(label: str) -> str:
    """Return the parameter with the value of ``label`` in a mirror; itself if it has no side."""
    return "_".join(_OTHER_SIDE.get(word, word) for word in label.split("_"))


_SIDEWAYS = {
    PoseParam.IRIS_ROTATION_Y,
    PoseParam.HEAD_Y,
    PoseParam.NECK_Z,
    PoseParam.BODY_Y,
    PoseParam.BODY_Z,
}

THA3 = PoseSchema(
    "THA3",
    tuple(
        PoseParameter(
            label=param.label,
            group=param.group,
            shows=((param, 1.0),),
            low=-1.0 if param.signed else 0.0,
            sideways=param in _SIDEWAYS,
        )
        for param in PoseParam
    ),
    lids=tuple(
        (f"eye_wink_{side}", f"eye_happy_wink_{side}", f"eye_relaxed_{side}")
        for side in ("left", "right")
    ),
)
"""The parameters of Talking Head Anime 3 and 4."""


def _head_of_tha1(param: PoseParam, *, sideways: bool) -> PoseParameter:
    return PoseParameter(param.label, PoseGroup.HEAD, ((param, 1.0),), low=-1.0, sideways=sideways)


def _eye_of_tha1(side: str) -> PoseParameter:
    # An unimpressed eye is closed by a third.
    shows = (("EYE_WINK", 1.0), ("EYE_HAPPY_WINK", 1.0), ("EYE_RELAXED", 1.0))
    return PoseParameter(
        f"{side}_eye",
        PoseGroup.EYES,
        (
            *((PoseParam[f"{name}_{side.upper()}"], weight) for name, weight in shows),
            (PoseParam[f"EYE_UNIMPRESSED_{side.upper()}"], 0.35),
        ),
    )


THA1 = PoseSchema(
    "THA1",
    (
        _head_of_tha1(PoseParam.HEAD_X, sideways=False),
        _head_of_tha1(PoseParam.HEAD_Y, sideways=True),
        _head_of_tha1(PoseParam.NECK_Z, sideways=True),
        _eye_of_tha1("left"),
        _eye_of_tha1("right"),
        PoseParameter(
            "mouth",
            PoseGroup.MOUTH,
            (
                (PoseParam.MOUTH_AAA, 1.0),
                (PoseParam.MOUTH_OOO, 0.9),
                (PoseParam.MOUTH_EEE, 0.7),
                (PoseParam.MOUTH_DELTA, 0.7),
                (PoseParam.MOUTH_UUU, 0.5),
                (PoseParam.MOUTH_III, 0.35),
                (PoseParam.MOUTH_SMIRK, 0.2),
            ),
        ),
    ),
    lids=(("left_eye",), ("right_eye",)),
)
"""The parameters of Talking Head Anime 1.

Its author's pictures are drawn with the mouth open; vtbridge's, as those of the later versions,
with the mouth closed, and so are ``as_drawn`` at 0.
"""
