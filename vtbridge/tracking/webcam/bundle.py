"""Reading Google's ``face_landmarker.task``: three networks and the canonical face in a zip.

The weight store checks the file's hash; the bounds here keep a file that somebody names
by hand from costing more than a message.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from vtbridge.errors import WeightsError
from vtbridge.tracking.webcam.canonical_face import CanonicalFace, parse_canonical_face

_LARGEST_MEMBER = 16 << 20

# RuntimeError: encryption; its child NotImplementedError: a compression Python lacks.
_BAD_BUNDLE = (
    *(OSError, ValueError, EOFError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)

_DETECTOR = "face_detector.tflite"
_LANDMARKS = "face_landmarks_detector.tflite"
_BLENDSHAPES = "face_blendshapes.tflite"
_GEOMETRY = "geometry_pipeline_metadata_landmarks.binarypb"


@dataclass(frozen=True, slots=True, eq=False)
class FaceBundle:
    """What is in the file.

    Attributes:
        detector: tflite model, a picture to boxes and key points.
        landmarks: tflite model, a face's crop to 478 landmarks.
        blendshapes: tflite model, 146 landmarks to 52 weights.
        face: the average face that head poses are measured against.
    """

    detector: bytes
    landmarks: bytes
    blendshapes: bytes
    face: CanonicalFace


def read_bundle(path: Path) -> FaceBundle:
    """Read the members of a ``.task`` file into memory.

    Raises:
        WeightsError: it is missing, no such bundle, or a member is damaged or too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return FaceBundle(
                detector=_member(archive, _DETECTOR),
                landmarks=_member(archive, _LANDMARKS),
                blendshapes=_member(archive, _BLENDSHAPES),
                face=parse_canonical_face(_member(archive, _GEOMETRY)),
            )
    except FileNotFoundError as error:
        raise WeightsError(
            f"the face model {path} does not exist: run `vtbridge weights pull face-landmarker`"
        ) from error
    except _BAD_BUNDLE as error:
        raise WeightsError(
            f"{path} is no face model ({error}): run `vtbridge weights pull face-landmarker`"
        ) from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if name not in archive.namelist():
        raise ValueError(f"it has no {name}")
    with archive.open(name) as member:
        # The size in the header is only a claim: never inflate more than the limit.
        content = member.read(_LARGEST_MEMBER + 1)
    if len(content) > _LARGEST_MEMBER:
        raise ValueError(f"its {name} is larger than {_LARGEST_MEMBER} bytes")
    return content
