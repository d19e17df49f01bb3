"""The part of glTF 2.0 that a character needs, checked while it is read from a GLB.

A schema of our own and not a library's classes: those take any JSON, so that what is wrong in a
file would show much later and as anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from vtbridge.datatypes import F32Array
from vtbridge.errors import DatasetError
from vtbridge.training.figures.byte_cursor import ByteCursor

Index = Annotated[int, Field(ge=0, lt=2**31)]
Size = Annotated[int, Field(ge=0, lt=2**40)]
Vec3 = tuple[float, float, float]
Vec4 = tuple[float, float, float, float]

MAX_NODES = 20_000
MAX_TARGETS = 4096
MAX_PRIMITIVES = 4096
_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_MAX_ELEMENTS = 8_000_000
_JSON, _BIN = 0x4E4F534A, 0x004E4942


T = TypeVar("T")


class Part(BaseModel):
    """A JSON object in glTF's spelling; what is not asked for is not looked at."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, alias_generator=to_camel
    )


PartT = TypeVar("PartT", bound=Part)


class BufferView(Part):
    """Bytes of a buffer."""

    buffer: Index = 0
    byte_offset: Size = 0
    byte_length: Size = 0
    byte_stride: Annotated[int, Field(ge=1, le=252)] | None = None


class SparseIndices(Part):
    """Which elements differ."""

    buffer_view: Index
    byte_offset: Size = 0
    component_type: Index


class SparseValues(Part):
    """What they are instead."""

    buffer_view: Index
    byte_offset: Size = 0


class Sparse(Part):
    """Elements that differ from the others."""

    count: Size
    indices: SparseIndices
    values: SparseValues


class Accessor(Part):
    """An array."""

    buffer_view: Index | None = None
    byte_offset: Size = 0
    component_type: Index
    normalized: bool = False
    count: Size
    type: str
    sparse: Sparse | None = None


class Extras(Part):
    """Where exporters put the names of morph targets."""

    target_names: tuple[str, ...] = ()


class Primitive(Part):
    """Triangles of one material."""

    attributes: dict[str, Index]
    indices: Index | None = None
    material: Index | None = None
    mode: Index = 4
    targets: Annotated[tuple[dict[str, Index], ...], Field(max_length=MAX_TARGETS)] = ()
    extras: Extras | None = None


class Mesh(Part):
    """Primitives that move together."""

    name: str = ""
    primitives: Annotated[tuple[Primitive, ...], Field(max_length=MAX_PRIMITIVES)] = ()
    extras: Extras | None = None


class Node(Part):
    """A place in the scene: a bone, a mesh, or both."""

    name: str = ""
    children: tuple[Index, ...] = ()
    mesh: Index | None = None
    skin: Index | None = None
    matrix: Annotated[list[float], Field(min_length=16, max_length=16)] | None = None
    translation: Vec3 = (0.0, 0.0, 0.0)
    rotation: Vec4 = (0.0, 0.0, 0.0, 1.0)
    scale: Vec3 = (1.0, 1.0, 1.0)


class Skin(Part):
    """Bones that move a mesh."""

    joints: list[Index]
    inverse_bind_matrices: Index | None = None


class TextureInfo(Part):
    """Which texture."""

    index: Index


class Metallic(Part):
    """Colours; ``base_color_factor`` is linear light."""

    base_color_factor: Vec4 = (1.0, 1.0, 1.0, 1.0)
    base_color_texture: TextureInfo | None = None


class GltfMaterial(Part):
    """A look."""

    name: str = ""
    pbr_metallic_roughness: Metallic = Metallic()
    alpha_mode: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    alpha_cutoff: float = 0.5
    double_sided: bool = False
    extensions: dict[str, Any] = Field(default_factory=dict)


class GltfTexture(Part):
    """A picture and how it is sampled."""

    source: Index | None = None


class GltfImage(Part):
    """A picture in the binary chunk."""

    buffer_view: Index | None = None


class GltfDocument(Part):
    """The JSON chunk."""

    accessors: tuple[Accessor, ...] = ()
    buffer_views: tuple[BufferView, ...] = ()
    meshes: tuple[Mesh, ...] = ()
    nodes: Annotated[tuple[Node, ...], Field(max_length=MAX_NODES)] = ()
    skins: tuple[Skin, ...] = ()
    materials: tuple[GltfMaterial, ...] = ()
    textures: tuple[GltfTexture, ...] = ()
    images: tuple[GltfImage, ...] = ()
    extensions: dict[str, Any] = Field(default_factory=dict)


class Glb:
    """A GLB's document with its arrays; indices in it may still point at nothing."""

    def __init__(self, data: bytes) -> None:
        """Split and check ``data``.

        Raises:
            DatasetError: it is no GLB, cut off, or its JSON is not glTF.
        """
        text, self._chunk = _chunks(data)
        self.document = parsed(GltfDocument, text)

    def view(self, index: int) -> memoryview:
        """Return the bytes of a buffer view.

        Raises:
            DatasetError: there is no such view, or it lies beyond the file.
        """
        view = at(self.document.buffer_views, index, "buffer view")
        end = view.byte_offset + view.byte_length
        if view.buffer or end > len(self._chunk):
            raise DatasetError(
                f"buffer view {index} lies outside the file's {len(self._chunk)} bytes: damaged"
            )
        return self._chunk[view.byte_offset : end]

    def floats(self, index: int, kind: str, count: int | None = None) -> F32Array:
        """Return an accessor as float32 [N, width of ``kind``]; integers become 0..1 or -1..1.

        Args:
            index: of the accessor.
            kind: ``VEC3``, ``MAT4`` ...
            count: how many there must be, None for any number.

        Raises:
            DatasetError: it is not there, of another kind or length, or lies beyond the file.
        """
        accessor, values = self._read(index, kind, count)
        if values.dtype.kind != "f" and accessor.normalized:
            values = np.maximum(values / np.float32(np.iinfo(values.dtype).max), -1.0)
        return values.astype(np.float32)

    def integers(self, index: int, kind: str, count: int | None = None) -> NDArray[np.int64]:
        """Return an accessor of integers as int64 [N, width of ``kind``]; see ``floats``."""
        _, values = self._read(index, kind, count)
        if values.dtype.kind == "f":
            raise DatasetError(
                f"accessor {index} holds fractions, not indices: the file is damaged"
            )
        return values.astype(np.int64)

    def _read(self, index: int, kind: str, count: int | None) -> tuple[Accessor, NDArray[Any]]:
        accessor = at(self.document.accessors, index, "accessor")
        if accessor.type != kind or accessor.component_type not in _COMPONENTS:
            raise DatasetError(
                f"accessor {index} is {accessor.type} of {accessor.component_type}, not {kind}"
            )
        if accessor.count > _MAX_ELEMENTS or count not in (None, accessor.count):
            wanted = f"at most {_MAX_ELEMENTS}" if count is None else count
            raise DatasetError(f"accessor {index} has {accessor.count} elements, not {wanted}")
        dtype, width = np.dtype(_COMPONENTS[accessor.component_type]), _WIDTHS[kind]
        if accessor.buffer_view is not None:
            values = self._strided(
                accessor.buffer_view, accessor.byte_offset, dtype, accessor.count, width
            )
        elif count is not None:  # all 0, and as many as the caller has room for
            values = np.zeros((accessor.count, width), dtype)
        else:
            raise DatasetError(f"accessor {index} has no bytes: the file is damaged")
        if accessor.sparse is not None:
            self._set_sparse(accessor.sparse, values)
        return accessor, values

    def _strided(
        self, view: int, offset: int, dtype: np.dtype[Any], count: int, width: int
    ) -> NDArray[Any]:
        """Return a copy of [count, width] elements."""
        data = self.view(view)
        size = dtype.itemsize * width
        stride = self.document.buffer_views[view].byte_stride or size
        end = offset + stride * (count - 1) + size if count else 0
        if stride < size or end > len(data):
            raise DatasetError(
                f"{count} elements do not fit buffer view {view} of {len(data)} bytes: damaged"
            )
        return np.ndarray(
            (count, width), dtype, data, offset, (stride, dtype.itemsize) if count else None
        ).copy()

    def _set_sparse(self, sparse: Sparse, values: NDArray[Any]) -> None:
        place = sparse.indices
        dtype = np.dtype(_COMPONENTS.get(place.component_type, "V1"))
        if dtype.kind != "u" or sparse.count > len(values):
            raise DatasetError("a sparse accessor makes no sense: the file is damaged")
        indices = self._strided(place.buffer_view, place.byte_offset, dtype, sparse.count, 1)[:, 0]
        if sparse.count and int(indices.max()) >= len(values):
            raise DatasetError("a sparse accessor points beyond its array: the file is damaged")
        values[indices] = self._strided(
            sparse.values.buffer_view,
            sparse.values.byte_offset,
            values.dtype,
            sparse.count,
            values.shape[1],
        )


def at(items: Sequence[T], index: int, what: str) -> T:
    """Return ``items[index]``.

    Raises:
        DatasetError: there is none.
    """
    if not 0 <= index < len(items):
        raise DatasetError(f"there is no {what} {index} of {len(items)}: the file is damaged")
    return items[index]


def parsed(kind: type[PartT], content: bytes | Any) -> PartT:
    """Return JSON, or what is decoded already, as ``kind``.

    Raises:
        DatasetError: it does not fit; the message tells where.
    """
    try:
        if isinstance(content, bytes):
            return kind.model_validate_json(content)
        return kind.model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"])) or "its JSON"
        raise DatasetError(f"{place}: {problem['msg']}: the file is damaged") from error


def _chunks(data: bytes) -> tuple[bytes, memoryview]:
    cursor = ByteCursor(data)
    magic, version, _ = cursor.unpack("4sII")
    if magic != b"glTF" or version != 2:
        raise DatasetError("it does not begin as a binary glTF 2 does: it is another kind of file")
    text, binary = b"", memoryview(b"")
    while cursor.left >= 8:
        size, kind = cursor.unpack("II")
        content = cursor.take(size)
        if kind == _JSON and not text:
            text = bytes(content)
        elif kind == _BIN and not binary:
            binary = content
    return text, binary
