"""What one model offers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from vtbridge.pose_params import PoseGroup, PoseParam
from vtbridge.training.dataset.tha1 import FACE
from vtbridge.training.figures.binding import Binding
from vtbridge.training.figures.figure import Figure
from vtbridge.training.figures.framing import HeadBox
from vtbridge.training.figures.licence import decoded

_LICENCE_LENGTH = 600
FACE_PARAMS = tuple(
    param for param in PoseParam if param.group not in (PoseGroup.HEAD, PoseGroup.BODY)
)
_TERMS = re.compile(
    r"licen[cs]e|licensing|terms|permi|prohibit|redistribut|commercial|copyright|\(c\)|©"
    r"|規約|利用|使用|配布|改変|商用|禁止|著作",
    re.IGNORECASE,
)


class FigureReport(BaseModel):
    """A model, as far as a data set asks.

    Attributes:
        name: what it is called in a data set and in the annotation file.
        file: its path below the scanned folder.
        digest: of all that this report hangs on, hexadecimal.
        content: sha256 of the file, hexadecimal.
        format: ``pmx``, ``pmd`` or ``vrm``.
        title: what the file calls it.
        triangles: how many.
        textures: how many are used.
        textures_missing: how many of them were not found or cannot be read.
        morphs: the model's own names behind each pose parameter, by its label.
        missing: parameters of the face that nothing moves, by label.
        all_morphs: the names of all its morphs, to correct ``morphs`` with.
        bones: the model's own names by role.
        chin_y: of the chin at rest, in the model's units.
        top_y: of the head's top at rest.
        licence: the beginning of the terms found with it, empty if none.
        lacks: what version 1 needs and it has not, by label.
        error: why it cannot be read, empty if it can.
        undrawn: why it cannot be drawn, empty if it can or nobody tried.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    file: str
    digest: str
    content: str
    format: str
    title: str = ""
    triangles: int = 0
    textures: int = 0
    textures_missing: int = 0
    morphs: Mapping[str, tuple[str, ...]] = {}
    missing: tuple[str, ...] = ()
    all_morphs: tuple[str, ...] = ()
    bones: Mapping[str, str] = {}
    chin_y: float | None = None
    top_y: float | None = None
    licence: str = ""
    lacks: tuple[str, ...] = ()
    error: str = ""
    undrawn: str = ""

    @property
    def usable(self) -> bool:
        """Whether a data set of version 1 can be rendered of it."""
        return not (self.error or self.undrawn or self.lacks)

    @property
    def licence_line(self) -> str:
        """The line of its terms that most likely speaks of them, empty if none were found."""
        lines = [line.strip() for line in self.licence.splitlines() if line.strip()]
        return next((line for line in lines if _TERMS.search(line)), lines[0] if lines else "")


def report_on(known: FigureReport, figure: Figure, binding: Binding, box: HeadBox) -> FigureReport:
    """Return ``known`` with what the model offers that was read."""
    used = {material.texture for material in figure.materials} - {-1}
    names = {param.label: names for param, names in binding.names.items()}
    offered = {
        "title": readable(figure.title),
        "triangles": len(figure.triangles),
        "textures": len(used),
        "textures_missing": sum(figure.textures[index] is None for index in used),
        "morphs": {label: tuple(map(readable, morphs)) for label, morphs in names.items()},
        "missing": tuple(param.label for param in FACE_PARAMS if param not in binding.shows),
        "all_morphs": tuple(map(readable, figure.morphs)),
        "bones": {bone.role: readable(bone.name) for bone in figure.bones if bone.role},
        "chin_y": round(box.chin_y, 4),
        "top_y": round(box.top_y, 4),
        "licence": readable(figure.licence.strip())[:_LICENCE_LENGTH],
        "lacks": tuple(param.label for param in FACE if param not in binding.shows),
    }
    return known.model_copy(update=offered)


def readable(text: str) -> str:
    """Return text that JSON can hold and that tells a terminal nothing.

    Names of files need not be text: archives from Japan often leave bytes of Shift-JIS.
    """
    try:
        content = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        content = text.encode("utf-8", "replace")
    return "".join(
        sign
        if sign in "\n\t" or unicodedata.category(sign) != "Cc"
        else "\N{REPLACEMENT CHARACTER}"
        for sign in decoded(content).replace("\r\n", "\n")
    )
