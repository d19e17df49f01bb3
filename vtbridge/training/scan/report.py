"""What one model offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from vtbridge.errors import DatasetError
from vtbridge.pose_params import PoseParam
from vtbridge.training.dataset.tha1 import FACE
from vtbridge.training.figures.annotation import Annotation
from vtbridge.training.figures.binding import bind
from vtbridge.training.figures.framing import head_box
from vtbridge.training.figures.read import read_figure

_LICENCE_LENGTH = 600


class FigureReport(BaseModel):
    """A model, as far as a data set asks.

    Attributes:
        name: what it is called in a data set and in the annotation file.
        file: its path below the scanned folder.
        digest: sha256 of the file and of its annotation, hexadecimal.
        format: ``pmx``, ``pmd`` or ``vrm``.
        title: what the file calls it.
        triangles: how many.
        textures: how many are used.
        textures_missing: how many of them were not found or cannot be read.
        morphs: the model's own names behind each pose parameter, by its label.
        bones: the model's own names by role.
        chin_y: of the chin at rest, in the model's units.
        top_y: of the head's top at rest.
        licence: the beginning of the terms found with it, empty if none.
        lacks: what version 1 needs and it has not, by label.
        error: why it cannot be read, empty if it can.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    file: str
    digest: str
    format: str
    title: str = ""
    triangles: int = 0
    textures: int = 0
    textures_missing: int = 0
    morphs: Mapping[str, tuple[str, ...]] = {}
    bones: Mapping[str, str] = {}
    chin_y: float | None = None
    top_y: float | None = None
    licence: str = ""
    lacks: tuple[str, ...] = ()
    error: str = ""

    @property
    def usable(self) -> bool:
        """Whether a data set of version 1 can be rendered of it."""
        return not self.error and not self.lacks


def report_on(
    path: Path, folder: Path, name: str, digest: str, annotation: Annotation | None
) -> FigureReport:
    """Read a model and return what it offers; one that cannot be read says why."""
    known = {
        "name": name,
        "file": path.relative_to(folder).as_posix(),
        "digest": digest,
        "format": path.suffix.lower().removeprefix("."),
    }
    try:
        figure = read_figure(path)
        binding = bind(figure, annotation)
        box = head_box(figure, binding, annotation)
    except DatasetError as error:
        return FigureReport(**known, error=str(error))
    used = {material.texture for material in figure.materials} - {-1}
    return FigureReport(
        **known,
        title=figure.title,
        triangles=len(figure.triangles),
        textures=len(used),
        textures_missing=sum(figure.textures[index] is None for index in used),
        morphs={param.label: names for param, names in binding.names.items()},
        bones={bone.role: bone.name for bone in figure.bones if bone.role},
        chin_y=round(box.chin_y, 4),
        top_y=round(box.top_y, 4),
        licence=figure.licence.strip()[:_LICENCE_LENGTH],
        lacks=_lacking(binding.shows),
    )


def _lacking(shows: frozenset[PoseParam]) -> tuple[str, ...]:
    return tuple(param.label for param in FACE if param not in shows)
