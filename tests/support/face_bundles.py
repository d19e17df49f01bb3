"""Face models as Google packs them, with networks of a few letters and a face of a formula."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from vtbridge.tracking.webcam.canonical_face import VERTICES

BASIS = {0: 0.5, 33: 1.0, 263: 1.0, 467: 1.5}


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def metadata(
    basis: Mapping[int, float] = BASIS, vertices: int = VERTICES, first: float = 0.0
) -> bytes:
    """Return a canonical face whose vertex i lies at (i, 2 i, 3 i)."""
    numbers = [n for i in range(vertices) for n in (i + first, 2.0 * i, 3.0 * i, 0.0, 0.0)]
    mesh = b"\x08\x00\x10\x00"  # vertex and primitive type
    mesh += b"".join(b"\x1d" + struct.pack("<f", number) for number in numbers)
    mesh += varint(4 << 3) + varint(1)  # an index
    message = field(1, mesh)
    for landmark, weight in basis.items():
        # Protocol buffers leave zeros out.
        entry = (b"\x08" + varint(landmark) if landmark else b"") + b"\x15"
        message += field(2, entry + struct.pack("<f", weight))
    return message + b"\x18\x01"


def members(geometry: bytes | None = None) -> dict[str, bytes]:
    return {
        "face_detector.tflite": b"detector",
        "face_landmarks_detector.tflite": b"landmarks",
        "face_blendshapes.tflite": b"blendshapes",
        "geometry_pipeline_metadata_landmarks.binarypb": metadata()
        if geometry is None
        else geometry,
    }


def write_bundle(path: Path, contents: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path
