"""Does a character do what its poses ask for? Judged on the pixels of posed pictures.

Each check poses the picture, and counts the pixels that change by ``SEEN`` or more where, by the
specification, the part lies that should move. What is wanted lies between drawings that move well
and drawings with a known fault. Pixels of a 512 x 512 picture, exact networks (THA3 separable
float): six good characters (five of ours and one of others), and three of ours with the fault.

================  ==========  ====================================================
check             good        with the fault
================  ==========  ====================================================
mouth-opens       71 - 238    6, 37, 101 (mouth painted over)
mouth-shapes      26 - 43     0, 0, 0 (mouth painted over)
left-eye-closes   367 - 689   0, 0, 0 (eyepatch)
right-eye-closes  388 - 609   0, 0, 0 (eyes painted over)
irises-move       370 - 692   0, 0, 0 (eyes painted over)
brows-rise        155 - 307   0, 0, 0 (brows painted over)
head-nods         5662+       2481, 2949, 3646 (head at 0.7 of its size, elsewhere)
head-turns        5193+       2560, 3218, 4264 (the same)
================  ==========  ====================================================

A mouth drawn with a quarter of its contrast still moves (21 - 30 of mouth-shapes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vtbridge.characters.specification import Finding, Severity
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.pose_params import POSE_SIZE, PoseParam

SEEN = 24
"""Change of a colour, of 255, from which people see it."""

Region = tuple[int, int, int, int]
"""Left, top, right, bottom in a 512 x 512 picture."""

MOUTH: Region = (226, 162, 286, 196)
EYES: Region = (206, 118, 306, 166)
LEFT_EYE: Region = (257, 118, 306, 166)
RIGHT_EYE: Region = (206, 118, 256, 166)
BROWS: Region = (206, 104, 306, 146)
HEAD: Region = (160, 40, 352, 224)
BODY: Region = (0, 0, 512, 512)

_FACE_IS_ELSEWHERE = 5
"""So many checks fail where not the drawing is at fault, but its place."""

_REDRAW_EYES = (
    "Draw the eye open and uncovered, with a clear outline, in the upper half of the face: hair, "
    "glasses and eyepatches hide it from the networks"
)
_PLACE = "Place the face again: crown at y 64, chin at y 190, in the middle (--face X,Y,SIZE)"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a character should do.

    Attributes:
        name: for programs.
        asks: what is asked for, for people.
        pose: parameters that are 1, all others 0.
        region: where it should be seen.
        wanted: so many pixels must change there.
        fails: what is said where they do not.
        remedy: what to do then.
        fix: what could be applied, empty if nothing could.
    """

    name: str
    asks: str
    pose: tuple[PoseParam, ...]
    region: Region
    wanted: int
    fails: str
    remedy: str
    fix: str = ""


CHECKS = (
    Check(
        "mouth-opens",
        "mouth opens",
        (PoseParam.MOUTH_AAA,),
        MOUTH,
        55,
        "the mouth barely opens",
        "Draw the closed mouth as a clear dark line, or have it darkened (--fix mouth)",
        "mouth",
    ),
    Check(
        "mouth-shapes",
        "mouth speaks",
        (PoseParam.MOUTH_UUU,),
        MOUTH,
        14,
        "the mouth barely changes its shape",
        "Draw the closed mouth as a clear dark line, or have it darkened (--fix mouth)",
        "mouth",
    ),
    Check(
        "left-eye-closes",
        "left eye closes",
        (PoseParam.EYE_WINK_LEFT,),
        LEFT_EYE,
        160,
        "its own left eye does not close",
        _REDRAW_EYES,
    ),
    Check(
        "right-eye-closes",
        "right eye closes",
        (PoseParam.EYE_WINK_RIGHT,),
        RIGHT_EYE,
        160,
        "its own right eye does not close",
        _REDRAW_EYES,
    ),
    Check(
        "irises-move",
        "eyes look aside",
        (PoseParam.IRIS_ROTATION_Y,),
        EYES,
        180,
        "the irises do not move",
        _REDRAW_EYES,
    ),
    Check(
        "brows-rise",
        "brows rise",
        (PoseParam.EYEBROW_RAISED_LEFT, PoseParam.EYEBROW_RAISED_RIGHT),
        BROWS,
        60,
        "the brows do not rise",
        "Draw the brows as lines of their own above the eyes, not wholly under the hair",
    ),
    Check(
        "head-nods",
        "head nods",
        (PoseParam.HEAD_X,),
        HEAD,
        4800,
        "the head barely nods",
        _PLACE,
    ),
    Check(
        "head-turns",
        "head turns",
        (PoseParam.HEAD_Y,),
        HEAD,
        4500,
        "the head barely turns",
        _PLACE,
    ),
    Check(
        "body-leans",
        "body leans",
        (PoseParam.BODY_Z,),
        BODY,
        5000,
        "the body does not move",
        "Draw neck and shoulders below the head",
    ),
)

Render = Callable[[F32Array], U8Array]
"""Draws a pose, float32 [45], as uint8 [512, 512, 4] with premultiplied alpha."""


@dataclass(frozen=True, slots=True)
class Score:
    """What came of a check.

    Attributes:
        check: it.
        seen: pixels that changed where they should.
    """

    check: Check
    seen: int

    @property
    def passed(self) -> bool:
        """True if enough of them did."""
        return self.seen >= self.check.wanted

    def finding(self) -> Finding | None:
        """Return what to tell of it; None if all is well."""
        if self.passed:
            return None
        said = f"{self.check.fails}: {self.seen} of {self.check.wanted} pixels change"
        return Finding(Severity.WARNING, said, self.check.remedy, self.check.fix)


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """How a character moves.

    Attributes:
        scores: of all checks, in their order.
        neutral: the picture as it stands, uint8 [512, 512, 4], premultiplied.
        frames: it in the pose of each check, by name.
    """

    scores: tuple[Score, ...]
    neutral: U8Array
    frames: Mapping[str, U8Array]

    def findings(self) -> list[Finding]:
        """Return what to tell; one for each thing that can be done about it."""
        found = [finding for score in self.scores if (finding := score.finding())]
        if len(found) >= _FACE_IS_ELSEWHERE:
            said = f"{len(found)} of {len(self.scores)} movements are not seen in the face"
            return [Finding(Severity.WARNING, f"{said}: it is not where it belongs", _PLACE)]
        return list({one.remedy: one for one in reversed(found)}.values())[::-1]


def examine(
    render: Render, told: Callable[[int, int], None] = lambda done, count: None
) -> Examination:
    """Pose a character and judge what is seen.

    Args:
        render: draws it.
        told: hears how many poses of how many are drawn.
    """
    neutral = render(np.zeros(POSE_SIZE, np.float32)).copy()
    scores: list[Score] = []
    frames: dict[str, U8Array] = {}
    for done, check in enumerate(CHECKS, 1):
        values = np.zeros(POSE_SIZE, np.float32)
        values[list(check.pose)] = 1.0
        frames[check.name] = frame = render(values).copy()
        scores.append(Score(check, changed(neutral, frame, check.region)))
        told(done, len(CHECKS))
    return Examination(tuple(scores), neutral, frames)


def changed(before: U8Array, after: U8Array, region: Region) -> int:
    """Return how many pixels of ``region`` differ so that it is seen."""
    left, top, right, bottom = region
    part = np.s_[top:bottom, left:right]
    difference = np.abs(after[part].astype(np.int16) - before[part]).max(axis=2)
    return int(np.count_nonzero(difference >= SEEN))
