"""Characters from a folder of 3D models."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import DatasetError
from vtbridge.pose_params import PoseParam
from vtbridge.training.figures.annotation import Annotation
from vtbridge.training.figures.binding import bind
from vtbridge.training.figures.camera import Camera
from vtbridge.training.figures.figure import Figure
from vtbridge.training.figures.framing import camera_of
from vtbridge.training.figures.posing import posed
from vtbridge.training.figures.read import SUFFIXES, read_figure
from vtbridge.training.sources.subject import Light

_NOTHING: Mapping[str, Annotation] = MappingProxyType({})
_SLUG_LENGTH = 48
_DIGEST_LENGTH = 8


class Renderer(Protocol):
    """Draws one figure at one size."""

    def draw(self, positions: F32Array, normals: F32Array, camera: Camera, light: Light) -> U8Array:
        """Return uint8 [size, size, 4], straight alpha, RGB 0 where alpha is 0."""

    def close(self) -> None:
        """Give back what it holds; it draws no more."""


OpenRenderer = Callable[[Figure, int], Renderer]


class FigureSubject:
    """A 3D model as a ``Subject``."""

    def __init__(
        self,
        name: str,
        work: str,
        figure: Figure,
        annotation: Annotation | None = None,
        open_renderer: OpenRenderer | None = None,
    ) -> None:
        """Make ``figure`` ready to be drawn; the first ``draw`` opens its renderer.

        Args:
            name: what it is called in a data set.
            work: the work it is from.
            figure: at rest.
            annotation: what a person says of it.
            open_renderer: draws a figure at a size, None is OpenGL's.

        Raises:
            DatasetError: it has no head to turn, or ``annotation`` does not fit it.
        """
        self._name = name
        self._work = work
        self._figure = figure
        self._binding = bind(figure, annotation)
        self._camera = camera_of(figure, self._binding, annotation)
        self._open_renderer = open_renderer or _open_gl_renderer
        self._renderer: tuple[int, Renderer, weakref.finalize[..., FigureSubject]] | None = None

    @property
    def name(self) -> str:
        """What it is called in a data set."""
        return self._name

    @property
    def work(self) -> str:
        """The work it is from."""
        return self._work

    @property
    def shows(self) -> frozenset[PoseParam]:
        """The parameters that move it."""
        return self._binding.shows

    def draw(self, pose: F32Array, *, size: int = 256, light: Light | None = None) -> U8Array:
        """Return it in a pose, see ``Subject.draw``."""
        positions, normals = posed(self._figure, self._binding, pose)
        return self._drawn_by(size).draw(positions, normals, self._camera, light or Light())

    def close(self) -> None:
        """Give back what drawing holds; the next ``draw`` opens it anew."""
        if self._renderer is not None:
            self._renderer[2]()
            self._renderer = None

    def _drawn_by(self, size: int) -> Renderer:
        if self._renderer is None or self._renderer[0] != size:
            self.close()
            renderer = self._open_renderer(self._figure, size)
            self._renderer = (size, renderer, weakref.finalize(self, renderer.close))
        return self._renderer[1]


class FigureSource:
    """The models below a folder, as a ``Source``."""

    def __init__(
        self,
        folder: Path,
        annotations: Mapping[str, Annotation] = _NOTHING,
        open_renderer: OpenRenderer | None = None,
    ) -> None:
        """Look for models below ``folder``; none is opened yet.

        Args:
            folder: its folders are the works that characters are from.
            annotations: what a person says of them, by their names.
            open_renderer: as ``FigureSubject``'s.

        Raises:
            DatasetError: there is no such folder, or one in it cannot be listed.
        """
        if not folder.is_dir():
            raise DatasetError(f"{folder} is no folder: name the one that holds the models")
        self._folder = folder
        self._annotations = annotations
        self._open_renderer = open_renderer
        self._files = {figure_name(path, folder): path for path in _models_below(folder)}

    @property
    def files(self) -> Mapping[str, Path]:
        """Every model that was found by its name, also those that a person left out."""
        return MappingProxyType(self._files)

    def names(self) -> Sequence[str]:
        """Return the names of the models that may be used, in an order that does not change."""
        return [name for name in self._files if self._may_be_used(name)]

    def work_of(self, name: str) -> str:
        """Return the work of a model: the top folder it is in.

        Raises:
            DatasetError: there is none of that name.
        """
        return work_of(self._path(name), self._folder)

    def annotation_of(self, name: str) -> Annotation:
        """Return what a person says of a model; nothing where nobody did."""
        return self._annotations.get(name, Annotation())

    def open(self, name: str) -> FigureSubject:
        """Return one of them.

        Raises:
            DatasetError: there is none of that name, it cannot be read, or has no head to turn.
        """
        path = self._path(name)
        return FigureSubject(
            name,
            work_of(path, self._folder),
            read_figure(path),
            self._annotations.get(name),
            self._open_renderer,
        )

    def _path(self, name: str) -> Path:
        if name not in self._files:
            raise DatasetError(f"{self._folder} has no model {name!r}: it was moved or renamed")
        return self._files[name]

    def _may_be_used(self, name: str) -> bool:
        annotation = self.annotation_of(name)
        return not annotation.excluded and annotation.licence_ok is not False


def figure_name(path: Path, folder: Path) -> str:
    """Return what the model at ``path`` is called: readable ASCII, and a digest of where it is.

    Args:
        path: below ``folder``.
        folder: what the digest begins at, so that a moved folder keeps its names.
    """
    place = unicodedata.normalize("NFC", path.relative_to(folder).as_posix())
    ascii_only = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")[:_SLUG_LENGTH].strip("-")
    digest = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{slug or 'figure'}-{digest[:_DIGEST_LENGTH]}"


def work_of(path: Path, folder: Path) -> str:
    """Return the work of a model: the top folder it is in, itself where it is in none."""
    parts = path.relative_to(folder).parts
    return parts[0] if len(parts) > 1 else path.stem


def _models_below(folder: Path) -> list[Path]:
    """Return the models of ``folder``; links to other folders are not followed."""

    def refuse(error: OSError) -> None:
        raise DatasetError(
            f"{error.filename} cannot be listed ({error.strerror}): look at its rights"
        )

    found = []
    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(place, name)
            for name in files
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _open_gl_renderer(figure: Figure, size: int) -> Renderer:
    # OpenGL is asked for where something is drawn, not where a folder is only listed.
    from vtbridge.training.figures.gl import FigureRenderer

    return FigureRenderer(figure, size)
