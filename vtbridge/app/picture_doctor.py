"""The picture doctor: any drawing becomes a character, and what is wrong with it is told.

Cut out, placed by its face, posed by the networks, judged on what is seen, retouched where its
user wishes it.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vtbridge.atomic_file import write_atomically
from vtbridge.characters import Finding, Severity, check_picture, write_package
from vtbridge.characters.decode import decode_drawing
from vtbridge.characters.picture import ORIGINAL_SIZE, picture_of
from vtbridge.characters.prepare.checks import Examination, examine
from vtbridge.characters.prepare.face import Face, HeadBox
from vtbridge.characters.prepare.locate import locate
from vtbridge.characters.prepare.matting import Matting, cut_out
from vtbridge.characters.prepare.mouth import with_clear_mouth
from vtbridge.characters.prepare.placement import place
from vtbridge.characters.prepare.sheet import sheet_of
from vtbridge.characters.specification import HEAD_LEFT, HEAD_RIGHT, HEAD_TOP
from vtbridge.datatypes import PICTURE_SIZE, Picture, U8Array
from vtbridge.errors import PictureError
from vtbridge.render.poser import Poser

SHEET_FILE = "doctor.png"
"""The sheet, in a character package."""
REPORT_FILE = "doctor.json"
"""The scores and findings, in a character package."""

FIXES = {"mouth": with_clear_mouth}
"""What can be retouched, by the name that findings give it."""

_PLACED_WITHIN = 0.04
"""Of the head's width: who is so near its place is not moved, for every move costs sharpness."""

Told = Callable[[str, float], None]
"""Hears what is being done, and how much of all is done, 0..1."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants.

    Attributes:
        matting: how the figure is cut out.
        head: what belongs into the specification's box of the head, in the drawing's pixels;
            None looks for the face.
        fixes: of ``FIXES``, to be applied.
        posed: judge it by its movements; else only by its silhouette.
    """

    matting: Matting = Matting.AUTO
    head: HeadBox | None = None
    fixes: frozenset[str] = frozenset()
    posed: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """What became of a drawing.

    Attributes:
        drawing: as it was given, uint8 [H, W, 4].
        placed: the character's picture, uint8 [S, S, 4] with S 512..2048, straight alpha.
        picture: the same as posers want it.
        matting: how it was cut out.
        face: what was found, None where the user said where the head is.
        done: what was done to it, as sentences.
        findings: what is wrong with it still.
        examination: how it moves, None if it was not posed.
        sheet: PNG to look at, None if it was not posed.
    """

    drawing: U8Array
    placed: U8Array
    picture: Picture
    matting: Matting
    face: Face | None
    done: tuple[str, ...]
    findings: tuple[Finding, ...]
    examination: Examination | None = None
    sheet: bytes | None = None

    def report(self) -> dict[str, object]:
        """Return scores and findings for programs."""
        scores = () if self.examination is None else self.examination.scores
        return {
            "matting": self.matting.value,
            "face_likeness": None if self.face is None else round(self.face.likeness, 3),
            "done": list(self.done),
            "scores": [
                {
                    "name": one.check.name,
                    "asks": one.check.asks,
                    "seen": one.seen,
                    "wanted": one.check.wanted,
                    "passed": one.passed,
                }
                for one in scores
            ],
            "findings": [
                {
                    "severity": one.severity.value,
                    "sentence": one.sentence,
                    "remedy": one.remedy,
                    "fix": one.fix,
                }
                for one in self.findings
            ],
        }

    def save(self, folder: Path, *, name: str, credit: str = "") -> Picture:
        """Make ``folder`` the package of this character, and return its picture.

        Raises:
            PictureError: the folder holds other things.
            OSError: it cannot be written.
        """
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, "picture.png")
            file.write_bytes(png_of_rgba(self.placed))
            picture = write_package(folder, file, name=name, credit=credit)
        report = json.dumps(self.report(), indent=2, ensure_ascii=False) + "\n"
        write_atomically(folder / REPORT_FILE, report.encode())
        if self.sheet is not None:
            write_atomically(folder / SHEET_FILE, self.sheet)
        return picture


def diagnose(
    content: bytes,
    name: str,
    wishes: Wishes,
    open_poser: Callable[[], Poser],
    told: Told = lambda what, share: None,
) -> Diagnosis:
    """Make a character of a drawing.

    Args:
        content: of a PNG, WebP or JPEG.
        name: what to call it.
        wishes: of its user.
        open_poser: opens the networks that judge it; closed at the end.
        told: hears how far it is.

    Raises:
        PictureError: it cannot be read, no figure or face is found in it, or nothing could
            pose what was found. The message names the remedy.
        VtbridgeError: the networks cannot run.
    """
    unknown = wishes.fixes - FIXES.keys()
    if unknown:
        raise PictureError(f"there is no fix {', '.join(sorted(unknown))}: {', '.join(FIXES)}")
    told("cutting it out", 0.0)
    drawing = decode_drawing(content, name).rgba
    cut, matting = cut_out(drawing, wishes.matting)
    told("looking for the face", 0.1)
    face = None if wishes.head is not None else _face_in(cut, name)
    head = wishes.head if face is None else face.head
    assert head is not None  # noqa: S101 - one of the two is there
    placed = cut if _is_placed(cut, head) else place(cut, head)
    done = [f"cut out ({matting.value})"] if matting is not Matting.KEEP else []
    if placed is not cut:
        done.append("moved and scaled so that the head lies where it belongs")
    picture = picture_of(placed, name)
    findings = check_picture(picture)
    _refuse(findings, name, wishes.head)
    if not wishes.posed:
        placed = _fixed(placed, sorted(wishes.fixes), done)
        return Diagnosis(
            drawing,
            placed,
            picture_of(placed, name),
            matting,
            face,
            tuple(done),
            tuple(findings),
        )
    told("loading the networks", 0.2)
    poser = open_poser()
    try:
        before = _examined(poser, picture, told, (0.3, 0.65 if wishes.fixes else 1.0))
        retouched = _fixed(placed, sorted(wishes.fixes), done)
        after = before
        if retouched is not placed:
            placed, picture = retouched, picture_of(retouched, name)
            after = _examined(poser, picture, told, (0.65, 1.0))
    finally:
        poser.close()
    sheet = sheet_of(drawing, after, title=name, before=None if after is before else before)
    return Diagnosis(
        drawing,
        placed,
        picture,
        matting,
        face,
        tuple(done),
        (*findings, *after.findings()),
        after,
        sheet,
    )


def png_of_rgba(rgba: U8Array) -> bytes:
    """Return uint8 [H, W, 4] with straight alpha as a PNG."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgba)).save(content, format="PNG", compress_level=4)
    return content.getvalue()


def _face_in(cut: U8Array, name: str) -> Face:
    face = locate(cut)
    if face is None:
        raise PictureError(
            f"no face is found in {name}: it has to look at the viewer, upright. Say where the "
            "head is with --face X,Y,SIZE: a square from chin to crown, in its pixels"
        )
    return face


def _is_placed(cut: U8Array, head: HeadBox) -> bool:
    height, width = cut.shape[:2]
    if height != width or not PICTURE_SIZE <= width <= ORIGINAL_SIZE:
        return False
    scale = width / PICTURE_SIZE
    side = (HEAD_RIGHT - HEAD_LEFT) * scale
    offs = (head.x - HEAD_LEFT * scale, head.y - HEAD_TOP * scale, head.side - side)
    return bool(max(abs(off) for off in offs) <= _PLACED_WITHIN * side)


def _refuse(findings: list[Finding], name: str, marked: HeadBox | None) -> None:
    for finding in findings:
        if finding.severity is Severity.ERROR:
            if marked is not None:
                raise PictureError(
                    f"{name}: no head is drawn in the {marked.side:.0f} pixels from "
                    f"{marked.x:.0f},{marked.y:.0f}, where it was marked. Mark the square from "
                    "chin to crown, in the drawing's pixels, or let the face be looked for"
                )
            raise PictureError(f"{name}: {finding}")


def _examined(
    poser: Poser, picture: Picture, told: Told, share: tuple[float, float]
) -> Examination:
    begin, end = share
    poser.set_picture(picture)
    return examine(
        poser.render,
        lambda done, count: told("posing it", begin + (end - begin) * done / count),
    )


def _fixed(placed: U8Array, fixes: list[str], done: list[str]) -> U8Array:
    """Return the picture with fixes applied, ``placed`` itself if there are none."""
    for fix in fixes:
        placed, said = FIXES[fix](placed)
        done.append(said)
    return placed
