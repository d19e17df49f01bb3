"""What a person says of figures that their files do not say, in one JSON file that is edited.

::

    {"version": 1,
     "figures": {
       "miku-1a2b3c4d": {"file": "miku/miku.pmx", "chin_y": 15.9, "top_y": 18.2,
                         "morphs": {"mouth_aaa": ["あ２"], "eye_wink_left": ["まばたき"]},
                         "excluded": false, "licence_ok": true, "vanished": false}}}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from vtbridge.atomic_file import write_atomically
from vtbridge.errors import DatasetError
from vtbridge.pose_params import pose_param_from_label

_FILE_LIMIT = 64 << 20
_MAX_COORDINATE = 1e6

_MorphName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_Coordinate = Annotated[float, Field(ge=-_MAX_COORDINATE, le=_MAX_COORDINATE)]


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a person says of one figure; what is left out is found by looking at the figure.

    Attributes:
        chin_y: of the chin at rest, in the figure's units; None is found.
        top_y: of the head's top at rest; None is found.
        morphs: names of the morphs that move a pose parameter, by its label; of a parameter with
            a side, the half on that side is taken. No names: the parameter moves nothing.
        excluded: True leaves the figure out of data sets.
        licence_ok: whether its licence allows the use; None: nobody has looked.
        file: where a scan found it, below the folder; tells a reader which one it is.
        vanished: True if it was not there at the last scan.
    """

    chin_y: float | None = None
    top_y: float | None = None
    morphs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    excluded: bool = False
    licence_ok: bool | None = None
    file: str = ""
    vanished: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            DatasetError: a label that is no pose parameter, or a chin above the head's top.
        """
        for label in self.morphs:
            try:
                pose_param_from_label(label)
            except KeyError as error:
                raise DatasetError(error.args[0]) from None
        for name, value in (("chin_y", self.chin_y), ("top_y", self.top_y)):
            if value is not None and not math.isfinite(value):
                raise DatasetError(f"{name} is {value}, not a number")
        if self.chin_y is not None and self.top_y is not None and self.chin_y >= self.top_y:
            raise DatasetError(
                f"chin_y {self.chin_y} is not below top_y {self.top_y}: y grows upwards"
            )

    @property
    def corrections(self) -> str:
        """What changes how the figure is drawn, the same text for the same corrections."""
        morphs = {label: list(names) for label, names in self.morphs.items()}
        return json.dumps([self.chin_y, self.top_y, morphs], sort_keys=True)


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")

    chin_y: _Coordinate | None = None
    top_y: _Coordinate | None = None
    morphs: dict[str, tuple[_MorphName, ...]] = Field(default_factory=dict)
    excluded: bool = False
    licence_ok: bool | None = None
    file: Annotated[str, StringConstraints(max_length=10_000)] = ""
    vanished: bool = False


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    figures: dict[str, _Record] = Field(default_factory=dict)


def read_annotations(path: Path) -> dict[str, Annotation]:
    """Return the annotations of ``path`` by the figures' names.

    Raises:
        DatasetError: it cannot be read, is no annotation file, or says what cannot be meant.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_LIMIT + 1)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}): look at its path") from error
    if len(content) > _FILE_LIMIT:
        raise DatasetError(f"{path} is larger than {_FILE_LIMIT >> 20} MiB: no annotation file")
    try:
        document = _Document.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise DatasetError(
            f"{path}: {place or 'the file'}: {problem['msg']}: correct it, or scan anew"
        ) from error
    annotations = {}
    for name, record in document.figures.items():
        try:
            annotations[name] = Annotation(**record.model_dump())
        except DatasetError as error:
            raise DatasetError(f"{path}: figures.{name}: {error}: correct it") from error
    return annotations


def write_annotations(path: Path, annotations: Mapping[str, Annotation]) -> None:
    """Write ``annotations`` so that ``read_annotations`` returns them; the old file or the new.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    figures = {
        name: {"file": annotation.file, **asdict(annotation)}
        for name, annotation in sorted(annotations.items())
    }
    text = json.dumps({"version": 1, "figures": figures}, indent=2, ensure_ascii=False)
    write_atomically(path, (text + "\n").encode())
