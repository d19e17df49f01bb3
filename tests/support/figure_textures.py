"""The textures of a made-up figure, as files and as bytes, and what all its formats share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2

from vtbridge.datatypes import U8Array
from vtbridge.training.figures.figure import Figure

EDGE = 0.006
"""Width of an outline of size 1, as a share of the head's height."""
METRES_A_UNIT = 0.08
"""MikuMikuDance's unit, as everybody takes it to be."""


def texture_name(index: int) -> str:
    """Return the path of a texture as such files say it."""
    return f"tex\\布{index}.png"


def write_textures(figure: Figure, folder: Path) -> None:
    (folder / "tex").mkdir(parents=True, exist_ok=True)
    for i, texture in enumerate(figure.textures):
        if texture is not None:
            (folder / texture_name(i).replace("\\", "/")).write_bytes(png_of(texture))


def png_of(texture: U8Array) -> bytes:
    return cv2.imencode(".png", texture[..., [2, 1, 0, 3]])[1].tobytes()


def small(figure: Figure) -> Figure:
    """Return ``figure`` with two morphs: quick to write and to read many times."""
    kept = {name: figure.morphs[name] for name in ("まばたき", "あ")}
    return replace(figure, morphs=kept)
