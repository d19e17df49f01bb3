"""The sheet of an examination: before and after, and what came of each pose, as one PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vtbridge.characters.prepare.checks import HEAD, Examination, Score
from vtbridge.datatypes import U8Array

_PAGE, _TEXT, _QUIET = (244, 244, 248), (34, 37, 46), (90, 95, 115)
_GOOD, _BAD = (23, 107, 60), (163, 38, 47)
_SQUARES = ((241, 242, 247), (217, 219, 230))
_MARGIN, _GAP, _LINE = 24, 16, 22
_LARGE, _SMALL = 360, 192


def sheet_of(
    source: U8Array, examination: Examination, *, title: str, before: Examination | None = None
) -> bytes:
    """Return a PNG of the drawing, the character made of it, and it in each pose.

    Args:
        source: the drawing as it was given, uint8 [H, W, 4], straight alpha.
        examination: of the character.
        title: what to call it.
        before: the examination before it was retouched, shown beside.
    """
    shown = [(examination, "")] if before is None else [(before, "before"), (examination, "after")]
    columns = len(examination.scores)
    per_row = min(columns, 5)
    rows = -(-columns // per_row) * len(shown)
    width = 2 * _MARGIN + max(2 * _LARGE + _GAP, per_row * (_SMALL + _GAP) - _GAP)
    height = 2 * _MARGIN + 2 * _LINE + _LARGE + rows * (_SMALL + 2 * _LINE + _GAP) + _GAP
    height += _LINE * (len(shown) if before is not None else 0)
    page = Image.new("RGB", (width, height), _PAGE)
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=15)
    pen.text((_MARGIN, _MARGIN), title, _TEXT, ImageFont.load_default(size=18))
    top = _MARGIN + 2 * _LINE
    page.paste(_on_checker(source, _LARGE), (_MARGIN, top))
    neutral = _straight(examination.neutral)
    page.paste(_on_checker(neutral, _LARGE), (_MARGIN + _LARGE + _GAP, top))
    top += _LARGE + _GAP
    for one, name in shown:
        if name:
            pen.text((_MARGIN, top), name, _QUIET, font)
            top += _LINE
        top = _poses(page, pen, font, one, top, per_row)
    content = io.BytesIO()
    page.save(content, format="PNG")
    return content.getvalue()


def _poses(
    page: Image.Image,
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    examination: Examination,
    top: int,
    per_row: int,
) -> int:
    """Draw each pose with its verdict, and return where the next row begins."""
    for number, score in enumerate(examination.scores):
        row, column = divmod(number, per_row)
        x = _MARGIN + column * (_SMALL + _GAP)
        y = top + row * (_SMALL + 2 * _LINE + _GAP)
        frame = _straight(examination.frames[score.check.name])
        page.paste(_on_checker(_part(frame, score), _SMALL), (x, y))
        pen.text((x, y + _SMALL + 2), score.check.asks, _TEXT, font)
        word, colour = ("ok", _GOOD) if score.passed else ("no", _BAD)
        verdict = f"{word}: {score.seen} of {score.check.wanted}"
        pen.text((x, y + _SMALL + _LINE), verdict, colour, font)
    rows = -(-len(examination.scores) // per_row)
    return top + rows * (_SMALL + 2 * _LINE + _GAP)


def _part(frame: U8Array, score: Score) -> U8Array:
    """Return the head, or the whole where the whole moves."""
    left, top, right, bottom = HEAD
    whole = score.check.region[3] - score.check.region[1] > bottom - top
    return frame if whole else frame[top:bottom, left:right]


def _straight(frame: U8Array) -> U8Array:
    alpha = np.maximum(frame[..., 3:].astype(np.float32), 1.0)
    straight = frame.copy()
    straight[..., :3] = np.minimum(frame[..., :3] * (255.0 / alpha) + 0.5, 255.0).astype(np.uint8)
    return straight


def _on_checker(rgba: U8Array, side: int) -> Image.Image:
    """Return a picture fitted into a square of checks."""
    squares = (np.indices((side, side)) // 12).sum(axis=0) % 2
    ground = Image.fromarray(np.array(_SQUARES, np.uint8)[squares])
    picture = Image.fromarray(np.ascontiguousarray(rgba)).convert("RGBa")
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    fitted = picture.resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    ground.paste(fitted, ((side - size[0]) // 2, (side - size[1]) // 2), fitted)
    return ground


def verdicts(scores: Sequence[Score]) -> str:
    """Return one line: how many checks are passed."""
    passed = sum(score.passed for score in scores)
    return f"{passed} of {len(scores)} movements are seen"
