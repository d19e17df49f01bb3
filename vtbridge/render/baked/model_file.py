"""The model of a prepared character as one file: safetensors with a manifest of its own.

The manifest lies in the file's metadata under ``vtbridge``, as JSON. It names what the model
was made of, so that one of another picture or of other weights is told before it is shown,
and a hash of it all, so that a damaged file is. Nothing in it is ever run.

Format: https://github.com/huggingface/safetensors (u64 length, JSON header, the arrays).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vtbridge.atomic_file import write_atomically
from vtbridge.datatypes import read_only
from vtbridge.errors import WeightsError
from vtbridge.render.weights.manifest import Sha256
from vtbridge.render.weights.record import read_bounded
from vtbridge.render.weights.tensors import parse_tensors

FORMAT: Final = 1
"""Raised when tensors of the same name mean something else."""

MAX_FILE_BYTES: Final = 25 * 10**6
"""Most that a model may be; both parts together are held by this."""

PARTS: Final = ("body", "face")
"""Every tensor's name begins with one of them and a dot."""

_KEY: Final = "vtbridge"
_HEADER_LIMIT: Final = 1 << 20
_MOST_TENSORS: Final = 512
_REMEDY: Final = "make it anew with `vtbridge character bake`"

Tensors = Mapping[str, NDArray[Any]]
Count = Annotated[int, Field(ge=0, le=10**9)]
Number = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]


class BakedManifest(BaseModel):
    """What a model was made of and how good it was found to be.

    Attributes:
        format: of the tensors.
        version: of vtbridge that made it.
        picture_sha256: ``Picture.digest`` of the picture.
        weights: name of the teacher's weights.
        weights_sha256: see ``store.weights_sha256``.
        body_samples: poses of head and body that it was fitted to.
        face_samples: faces that it was trained on.
        baked_s: seconds that went into it.
        psnr_db: mean likeness to the teacher on poses never sampled, as ``similarity`` has it.
        worst_psnr_db: of the worst of them.
        ssim: mean structural similarity on them.
        held_out: how many they are.
        sha256: hash of all the rest of it, and of names, types, shapes and bytes of the tensors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT
    version: Annotated[str, Field(min_length=1, max_length=64)]
    picture_sha256: Sha256
    weights: Annotated[str, Field(min_length=1, max_length=64)]
    weights_sha256: Sha256
    body_samples: Count
    face_samples: Count
    baked_s: Number
    psnr_db: Number
    worst_psnr_db: Number
    ssim: Number
    held_out: Count
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")


@dataclass(frozen=True, slots=True, eq=False)
class BakedModel:
    """A model as it was read: its manifest, and its tensors by name, read-only."""

    manifest: BakedManifest
    tensors: Tensors

    def part(self, name: str) -> Tensors:
        """Return the tensors of one of ``PARTS``, under their whole names."""
        return part_of(self.tensors, name)


def part_of(tensors: Tensors, name: str) -> Tensors:
    """Return those of ``tensors`` whose names begin with ``name`` and a dot."""
    return {key: array for key, array in tensors.items() if key.startswith(f"{name}.")}


def write_model(path: Path, manifest: BakedManifest, tensors: Tensors) -> BakedManifest:
    """Write a model so that ``path`` holds the old one or all of the new one.

    Returns:
        ``manifest`` with the hash.

    Raises:
        OSError: it cannot be written; the old model is still there.
        ValueError: a tensor belongs to no part, or together they are too large.
    """
    from safetensors.numpy import save

    strangers = [name for name in tensors if name.partition(".")[0] not in PARTS]
    if strangers:
        raise ValueError(f"tensors of no known part: {', '.join(sorted(strangers))}")
    kept = {name: np.ascontiguousarray(array) for name, array in sorted(tensors.items())}
    manifest = manifest.model_copy(update={"sha256": _hash_of(manifest, kept)})
    content = save(kept, metadata={_KEY: manifest.model_dump_json()})
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"a model of {len(content)} bytes; {MAX_FILE_BYTES} are the most")
    write_atomically(path, content)
    return manifest


def read_model(path: Path) -> BakedModel:
    """Read a model and check every byte of it against its manifest.

    Whether the tensors have the names and shapes that are wanted is for their parts to say.

    Raises:
        WeightsError: it is missing, damaged, of another version, or no model at all.
    """
    try:
        content = read_bounded(path, MAX_FILE_BYTES)
    except FileNotFoundError as error:
        raise WeightsError(
            f"there is no model at {path}: make it with `vtbridge character bake`"
        ) from error
    except OSError as error:
        raise WeightsError(f"the model {path} cannot be read ({error}): {_REMEDY}") from error
    manifest = _manifest(path, content)
    try:
        tensors = parse_tensors(content)
    except WeightsError as error:
        raise WeightsError(f"the model {path} is {error}: {_REMEDY}") from error
    if len(tensors) > _MOST_TENSORS or {name.partition(".")[0] for name in tensors} - {*PARTS}:
        raise WeightsError(f"the model {path} holds tensors of another program: {_REMEDY}")
    if _hash_of(manifest, tensors) != manifest.sha256:
        raise WeightsError(f"the model {path} is damaged, its hash is not its own: {_REMEDY}")
    frozen = {name: read_only(array) for name, array in tensors.items()}
    return BakedModel(manifest, MappingProxyType(frozen))


def read_manifest(path: Path) -> BakedManifest:
    """Return what a model says of itself without reading its tensors.

    Raises:
        WeightsError: it is missing, or its head is damaged or of another version.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8 + _HEADER_LIMIT)
    except OSError as error:
        raise WeightsError(f"the model {path} cannot be read ({error}): {_REMEDY}") from error
    return _manifest(path, head)


def _manifest(path: Path, content: bytes) -> BakedManifest:
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length]
    if len(content) < 8 or length > _HEADER_LIMIT or len(header) != length:
        raise WeightsError(f"the model {path} is cut off or no model: {_REMEDY}")
    try:
        text = json.loads(header)["__metadata__"][_KEY]
        about = json.loads(text)
        found = about["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(f"{path} is no model of a prepared character: {_REMEDY}") from error
    if isinstance(found, int) and found != FORMAT:
        raise WeightsError(
            f"the model {path} has format {found}, this vtbridge reads {FORMAT}: {_REMEDY}"
        )
    try:
        return BakedManifest.model_validate(about)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise WeightsError(
            f"the model {path} is damaged ({key}: {problem['msg']}): {_REMEDY}"
        ) from error


def _hash_of(manifest: BakedManifest, tensors: Tensors) -> str:
    digest = hashlib.sha256(manifest.model_dump_json(exclude={"sha256"}).encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
