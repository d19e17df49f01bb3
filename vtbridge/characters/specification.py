"""Compare a picture with what THA3 expects, as far as its silhouette tells.

The specification: one upright character facing the viewer, its head inside the 128x128 box
centred in the top half, hands away from the head, transparent background. Whether eyes and
mouth are where they should be cannot be told reliably from pixels, so it is not tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import Picture, U8Array

HEAD_LEFT, HEAD_RIGHT = 192, 320
HEAD_TOP, HEAD_BOTTOM = 64, 192
"""The box of the head in a 512x512 picture, in pixels."""
_HEAD_BOX = np.s_[HEAD_TOP:HEAD_BOTTOM, HEAD_LEFT:HEAD_RIGHT]
_HEAD_CENTRE_X = (HEAD_LEFT + HEAD_RIGHT) / 2
_BODY_TOP = 224

_SOLID = 128
"""Alpha from which a pixel belongs to the silhouette."""
_FAINT = 8
"""Alpha below which nobody sees a pixel."""

Mask = NDArray[np.bool_]


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a picture departs from the specification.

    Attributes:
        severity: an error cannot be posed at all, a warning looks worse than it could.
        sentence: what is wrong, with the value that was measured.
        remedy: what to do about it.
        fix: what `vtbridge character prepare --fix` can do about it, empty if it can do nothing.
    """

    severity: Severity
    sentence: str
    remedy: str
    fix: str = ""

    def __str__(self) -> str:
        """Return the finding as one line of text."""
        return f"{self.sentence}. {self.remedy}"


def check_picture(picture: Picture) -> list[Finding]:
    """Return what is wrong with ``picture``, errors first; empty if nothing is."""
    alpha = picture.rgba[..., 3]
    solid: Mask = alpha >= _SOLID
    errors = _errors(alpha, solid)
    if errors:
        return errors
    return [
        *_head_findings(solid),
        *_edge_findings(alpha >= _FAINT),
        *_body_findings(solid),
        *_alpha_findings(alpha, solid),
    ]


def _error(sentence: str, remedy: str) -> list[Finding]:
    return [Finding(Severity.ERROR, sentence, remedy)]


def _warning(sentence: str, remedy: str) -> list[Finding]:
    return [Finding(Severity.WARNING, sentence, remedy)]


def _errors(alpha: U8Array, solid: Mask) -> list[Finding]:
    """Return the first reason why the picture cannot be posed at all."""
    if not solid.any():
        return _error(
            "the picture is empty: no pixel is opaque", "Export it again with its layers visible"
        )
    if int(alpha.min()) == 255:
        return _error(
            "the picture has no transparency: every pixel is opaque",
            "Remove the background and save it as a PNG with an alpha channel",
        )
    frame = np.concatenate([solid[0], solid[:HEAD_BOTTOM, 0], solid[:HEAD_BOTTOM, -1]])
    if frame.mean() > 0.8:
        return _error(
            f"the background is opaque: {frame.mean():.0%} of the upper edge is",
            "Remove the background and save it as a PNG with an alpha channel",
        )
    filled = float(solid[_HEAD_BOX].mean())
    if filled < 0.1:
        return _error(
            f"the head box (x {HEAD_LEFT}-{HEAD_RIGHT}, y {HEAD_TOP}-{HEAD_BOTTOM}) is empty: "
            f"{filled:.0%} of it is drawn",
            "Move and scale the character so that its head fills that box",
        )
    return []


def _head_findings(solid: Mask) -> list[Finding]:
    """Return doubts on the head's place and size."""
    move = "Move and scale the character so that chin and crown lie at y 190 and y 64"
    filled = float(solid[_HEAD_BOX].mean())
    above = float(solid[:HEAD_TOP].mean())
    first_row = int(np.argmax(solid[_HEAD_BOX].sum(axis=1) >= 8)) + HEAD_TOP
    if above > 0.06:
        # Ears, an ahoge or a small hat stay below this.
        return _warning(
            f"{above:.0%} of the strip above the head box is drawn: the head is too high or "
            "too large, or it wears a big hat",
            move,
        )
    if first_row > HEAD_TOP + 32:
        return _warning(
            f"the head begins at y {first_row} instead of {HEAD_TOP}: too low or too small", move
        )
    if filled < 0.5:
        return _warning(f"only {filled:.0%} of the head box is drawn: the head is too small", move)
    columns = np.flatnonzero(solid[HEAD_TOP:HEAD_BOTTOM].any(axis=0))
    weights = solid[HEAD_TOP:HEAD_BOTTOM].sum(axis=0)[columns]
    offset = float(np.average(columns, weights=weights)) + 0.5 - _HEAD_CENTRE_X
    if abs(offset) > 24:
        side = "right" if offset > 0 else "left"
        return _warning(
            f"what is drawn at the head's height lies {abs(offset):.0f} pixels too far {side}",
            "Move the head to the middle, and keep hands and props away from it",
        )
    return []


def _edge_findings(visible: Mask) -> list[Finding]:
    """Return which edges cut the character off; the lower one may."""
    touched = [
        name
        for name, edge in (("left", visible[:, 0]), ("right", visible[:, -1]), ("top", visible[0]))
        if int(edge.sum()) >= 4
    ]
    if not touched:
        return []
    return _warning(
        f"the character touches the {' and '.join(touched)} edge, so that a straight cut shows "
        "when it moves",
        "Scale it down or leave a margin of a few pixels",
    )


def _body_findings(solid: Mask) -> list[Finding]:
    """Return whether the body below the head is missing."""
    if float(solid[_BODY_TOP:].mean()) >= 0.05:
        return []
    return _warning(
        "nearly nothing is drawn below the head",
        "Add neck and shoulders: the networks were trained on whole characters",
    )


def _alpha_findings(alpha: U8Array, solid: Mask) -> list[Finding]:
    """Return doubts on the transparency of character and background."""
    findings: list[Finding] = []
    head_alpha = alpha[_HEAD_BOX][solid[_HEAD_BOX]]
    if float(np.median(head_alpha)) < 200:
        findings += _warning(
            f"the head is translucent (alpha {np.median(head_alpha):.0f} of 255)",
            "Set the opacity of the character's layers to 100 %",
        )
    near = cv2.dilate(solid.astype(np.uint8), np.ones((17, 17), np.uint8)).astype(np.bool_)
    haze = float(((alpha >= _FAINT) & ~near).mean())
    if haze > 0.005:
        findings += _warning(
            f"{haze:.1%} of the background is not quite transparent",
            "Erase shadows, glow and remains of the background around the character",
        )
    return findings
