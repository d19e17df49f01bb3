"""How a VRM's materials look: MToon's base colour, outline, cut-out and back faces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from vtbridge.training.figures.gltf import GltfDocument, GltfMaterial, Part, Vec3, parsed
from vtbridge.training.figures.vrm_document import MaterialProperties

Color = tuple[float, float, float, float]

_GLTF_SHADER = "VRM_USE_GLTFSHADER"
_CUTOUT, _TRANSPARENT = 1.0, 2.0
_WORLD, _SCREEN = 1.0, 2.0
_CENTIMETRE = 0.01
_MASK_QUEUE, _BLEND_QUEUE = 2450, 3000


@dataclass(frozen=True, slots=True)
class Look:
    """A material.

    Attributes:
        name: as in the file.
        color: sRGB and alpha, 0..1.
        texture: index of the texture, -1 for none.
        opaque: True if the texture's alpha means nothing.
        cutoff: alpha below which nothing is drawn; 0 blends.
        double_sided: whether back faces are seen.
        edge_m: width of the outline in metres.
        edge_share: width of the outline as a share of the picture's height, in its stead.
        edge_color: of the outline.
        queue: materials of lower ones are drawn first.
    """

    name: str = ""
    color: Color = (1.0, 1.0, 1.0, 1.0)
    texture: int = -1
    opaque: bool = True
    cutoff: float = 0.0
    double_sided: bool = False
    edge_m: float = 0.0
    edge_share: float = 0.0
    edge_color: Color = (0.0, 0.0, 0.0, 1.0)
    queue: int = 2000


class _MToon(Part):
    outline_width_mode: str = "none"
    outline_width_factor: float = 0.0
    outline_color_factor: Vec3 = (0.0, 0.0, 0.0)
    render_queue_offset_number: Annotated[int, Field(ge=-99, le=99)] = 0
    transparent_with_z_write: bool = False


def looks_of(document: GltfDocument, unity: Sequence[MaterialProperties]) -> list[Look]:
    """Return the look of each material.

    Args:
        document: glTF's own materials.
        unity: VRM 0's, which count where they are given.

    Raises:
        DatasetError: MToon's settings are of the wrong type.
    """
    looks = []
    for i, material in enumerate(document.materials):
        if i < len(unity) and unity[i].shader != _GLTF_SHADER and unity[i].vector_properties:
            looks.append(_look_of_unity(material, unity[i]))
        else:
            looks.append(_look_of_gltf(material))
    return looks


def _look_of_gltf(material: GltfMaterial) -> Look:
    mtoon = parsed(_MToon, material.extensions.get("VRMC_materials_mtoon", {}))
    base = material.pbr_metallic_roughness
    r, g, b, alpha = base.base_color_factor
    queue = {"OPAQUE": 2000, "MASK": _MASK_QUEUE, "BLEND": _BLEND_QUEUE}[material.alpha_mode]
    if material.alpha_mode == "BLEND" and mtoon.transparent_with_z_write:
        queue -= 100  # before all others that blend
    mode, width = mtoon.outline_width_mode, mtoon.outline_width_factor
    return Look(
        name=material.name,
        color=(*_srgb((r, g, b)), _unit(alpha) if material.alpha_mode == "BLEND" else 1.0),
        texture=base.base_color_texture.index if base.base_color_texture else -1,
        opaque=material.alpha_mode == "OPAQUE",
        cutoff=_cutoff(material.alpha_cutoff) if material.alpha_mode == "MASK" else 0.0,
        double_sided=material.double_sided,
        edge_m=_length(width) if mode == "worldCoordinates" else 0.0,
        edge_share=_length(width) if mode == "screenCoordinates" else 0.0,
        edge_color=(*_srgb(mtoon.outline_color_factor), 1.0),
        queue=queue + mtoon.render_queue_offset_number,
    )


def _look_of_unity(material: GltfMaterial, unity: MaterialProperties) -> Look:
    numbers = unity.float_properties
    mode = numbers.get("_BlendMode", 0.0)
    outline = numbers.get("_OutlineWidthMode", 0.0)
    width = _length(numbers.get("_OutlineWidth", 0.0) * _CENTIMETRE)
    r, g, b, alpha = _color(unity.vector_properties.get("_Color"), (1.0, 1.0, 1.0, 1.0))
    return Look(
        name=material.name,
        color=(r, g, b, alpha if mode >= _TRANSPARENT else 1.0),
        texture=unity.texture_properties.get("_MainTex", -1),
        opaque=mode < _CUTOUT,
        cutoff=_cutoff(numbers.get("_Cutoff", 0.5)) if mode == _CUTOUT else 0.0,
        double_sided=numbers.get("_CullMode", 2.0) == 0.0,
        edge_m=width if outline == _WORLD else 0.0,
        edge_share=width if outline == _SCREEN else 0.0,
        edge_color=_color(unity.vector_properties.get("_OutlineColor"), (0.0, 0.0, 0.0, 1.0)),
        queue=min(max(unity.render_queue, 0), 5000),
    )


def _color(values: Sequence[float] | None, default: Color) -> Color:
    if values is None or len(values) != 4:
        return default
    r, g, b, alpha = map(_unit, values)
    return (r, g, b, alpha)


def _srgb(linear: Vec3) -> Vec3:
    r, g, b = (
        12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
        for value in map(_unit, linear)
    )
    return (r, g, b)


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 1.0


def _cutoff(value: float) -> float:
    """Return a cut-off that is above 0, which would blend."""
    return min(max(value, 0.01), 1.0) if math.isfinite(value) else 0.5


def _length(value: float) -> float:
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0
