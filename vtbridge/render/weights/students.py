"""Students of Talking Head Anime 4: one character's networks and picture, from a folder.

The author's tools write a folder with ``character_model.yaml``, which names the picture
and two ``.pt`` files beside it. Networks and picture become one entry of the store.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vtbridge.errors import WeightsError
from vtbridge.render.models.tha4_student import STUDENT_VARIANT, StudentNetwork
from vtbridge.render.weights.archive import copy_file
from vtbridge.render.weights.convert import Converted, Source, convert
from vtbridge.render.weights.install import check_free_space, install_files, staging
from vtbridge.render.weights.manifest import EntryKind, check_name
from vtbridge.render.weights.progress import Progress
from vtbridge.render.weights.record import Record, StoredFile, read_bounded
from vtbridge.render.weights.store import STUDENT_PICTURE, WeightStore

MODEL_FILE = "character_model.yaml"
"""What names a student's files."""

_MAX_MODEL_BYTES = 64 << 10
_MAX_NETWORK_BYTES = 16 << 20
_MAX_PICTURE_BYTES = 64 << 20
_MAX_FOLDER_DEPTH = 6
_MAX_STUDENTS = 100

_LINE = re.compile(r"""(\w+)\s*:\s*(?:"([^"]*)"|'([^']*)'|([^'"#]+?))\s*(?:#.*)?""")
_PICTURE_KEY = "character_image_file_name"
_NETWORK_KEYS = {
    "face_morpher_file_name": StudentNetwork.FACE,
    "body_morpher_file_name": StudentNetwork.BODY,
}
_OF_THE_AUTHOR = frozenset(
    {
        "9c8914a7ab6c3a155785994ed82dc82ca49c6d91eb2f92c35ef806b6bb21b4c5",
        "40f1430ed079c94fd1504438a0d77131f79a6d34996c63b0c5ee396f48b8354a",
    }
)
"""sha256 of the face networks in the author's public demo: lambda_00 and lambda_01."""


@dataclass(frozen=True, slots=True)
class StudentFolder:
    """A student's files.

    Attributes:
        folder: where ``character_model.yaml`` lies.
        picture: the character's picture.
        networks: the ``.pt`` files.
    """

    folder: Path
    picture: Path
    networks: dict[StudentNetwork, Path]


def chosen_students(path: Path, name: str | None) -> list[Path]:
    """Return the folders at or below ``path`` that hold a student, in order.

    Args:
        path: a folder; an archive holds none.
        name: what to store it as; then there may be only one.

    Raises:
        WeightsError: there are more than fit.
    """
    found: list[Path] = []
    for folder, folders, files in os.walk(path):
        if len(Path(folder).relative_to(path).parts) >= _MAX_FOLDER_DEPTH:
            folders.clear()
        folders.sort()
        if MODEL_FILE in files:
            found.append(Path(folder))
        if len(found) > (_MAX_STUDENTS if name is None else 1):
            raise WeightsError(f"{path} holds several students: import the folder of one")
    return found


def read_student_folder(folder: Path) -> StudentFolder:
    """Return the files that a folder's ``character_model.yaml`` names.

    Raises:
        WeightsError: it cannot be read, lacks a name, or names what lies elsewhere.
    """
    path = folder / MODEL_FILE
    try:
        text = read_bounded(path, _MAX_MODEL_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path} cannot be read ({error})") from error
    names: dict[str, str] = {}
    for line in text.splitlines():
        if match := _LINE.fullmatch(line.strip()):
            key, *values = match.groups()
            names[key] = next((value for value in values if value is not None), "")
    if absent := [key for key in (_PICTURE_KEY, *_NETWORK_KEYS) if not names.get(key)]:
        raise WeightsError(f"{path} does not say {', '.join(absent)}: save the model again")
    return StudentFolder(
        folder=folder,
        picture=_beside(path, names[_PICTURE_KEY]),
        networks={network: _beside(path, names[key]) for key, network in _NETWORK_KEYS.items()},
    )


def import_student(store: WeightStore, folder: Path, name: str | None, progress: Progress) -> str:
    """Take the student in ``folder`` into the store; the caller holds the store's lock.

    Args:
        store: where to.
        folder: with ``character_model.yaml``.
        name: entry to store it as; None makes ``tha4-<folder>``.
        progress: told about copying and converting.

    Returns:
        The entry's name.

    Raises:
        WeightsError: a file is absent or refused, or the name is taken by the manifest.
    """
    student = read_student_folder(folder)
    name = check_name(name or _name_of(folder))
    if name in store.manifest.entries:
        raise WeightsError(
            f"{name} is the name of published weights: give the student another with `--as`"
        )
    with staging(store, "import") as staged:
        check_free_space(staged, 2 * _MAX_NETWORK_BYTES + _MAX_PICTURE_BYTES)
        picture = _staged_picture(student, staged)
        progress.begin(f"converting {name}", len(StudentNetwork))
        converted: list[Converted] = []

        def finished(file: Converted) -> None:
            converted.append(file)
            progress.reach(len(converted))

        convert(_sources(student, staged), staged, finished)
        record = _record(folder, (file.stored for file in converted))
        files = {str(file.network): (file.path, file.stored) for file in converted}
        install_files(store.directory(name), record, files | {STUDENT_PICTURE: picture})
    return name


def _beside(model: Path, name: str) -> Path:
    """Return the file ``name`` below the model's own folder.

    Raises:
        WeightsError: it would lie elsewhere, or is not there.
    """
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name:
        raise WeightsError(f"{model} names {name!r}: put that file beside it, and name it there")
    path = model.parent / parts
    if not path.is_file():
        raise WeightsError(f"{model} names {name!r}, which is not in its folder")
    return path


def _name_of(folder: Path) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")
    return f"tha4-{plain or 'student'}"[:64].rstrip("-")


def _sources(student: StudentFolder, staged: Path) -> list[Source]:
    sources = []
    for network, path in student.networks.items():
        part = staged / f"{network}.pt.part"
        copied = copy_file(path, part, limit=_MAX_NETWORK_BYTES)
        sources.append(Source(network, str(path), part, copied.sha256, copied.size))
    return sources


def _staged_picture(student: StudentFolder, staged: Path) -> tuple[Path, StoredFile]:
    part = staged / "picture.part"
    copied = copy_file(student.picture, part, limit=_MAX_PICTURE_BYTES)
    suffix = student.picture.suffix.lower()
    if not re.fullmatch(r"\.(png|webp)", suffix):
        raise WeightsError(f"{student.picture} is no PNG or WebP picture")
    stored = StoredFile(
        file=f"character{suffix}",
        sha256=copied.sha256,
        size=copied.size,
        source_sha256=copied.sha256,
        source_size=copied.size,
    )
    return part, stored


def _record(folder: Path, files: Iterable[StoredFile]) -> Record:
    published = any(file.source_sha256 in _OF_THE_AUTHOR for file in files)
    credit = (
        "Character and network of Talking Head Anime 4 (c) Pramook Khungurn, drawn by garun, "
        "CC BY-NC 4.0: not for commercial use."
    )
    return Record(
        kind=EntryKind.NETWORKS,
        variant=STUDENT_VARIANT,
        author="Pramook Khungurn" if published else "not stated",
        license="CC BY-NC 4.0" if published else "not stated",
        credit=credit if published else "",
        source=f"imported from {folder.resolve().name}",
        files={},
    )
