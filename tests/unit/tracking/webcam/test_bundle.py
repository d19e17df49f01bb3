"""A model file is read within bounds, or refused with the remedy."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.face_bundles import BASIS, field, members, metadata, write_bundle
from vtbridge.errors import WeightsError
from vtbridge.tracking.webcam import bundle
from vtbridge.tracking.webcam.bundle import read_bundle
from vtbridge.tracking.webcam.canonical_face import VERTICES, parse_canonical_face


def test_members_come_out_whole(tmp_path: Path) -> None:
    read = read_bundle(write_bundle(tmp_path / "m.task", members()))
    assert (read.detector, read.landmarks, read.blendshapes) == (
        b"detector",
        b"landmarks",
        b"blendshapes",
    )
    assert read.face.basis.tolist() == list(BASIS)
    assert read.face.points[1].tolist() == [33, 66, 99]
    assert read.face.weights == pytest.approx(np.array(list(BASIS.values())) / 4)


@pytest.mark.parametrize("absent", members())
def test_absent_member_is_named(tmp_path: Path, absent: str) -> None:
    contents = members()
    del contents[absent]
    path = write_bundle(tmp_path / "m.task", contents)
    with pytest.raises(WeightsError, match=f"{absent}.*vtbridge weights pull face-landmarker"):
        read_bundle(path)


def test_zip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_LARGEST_MEMBER", 1 << 16)
    path = write_bundle(tmp_path / "m.task", members() | {"face_detector.tflite": bytes(1 << 20)})
    with pytest.raises(WeightsError, match=r"face_detector\.tflite is larger than"):
        read_bundle(path)


def test_damage_in_a_member_packed_otherwise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.task"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, content in members().items():
            archive.writestr(name, content)
    whole = path.read_bytes()
    packed = whole.index(b"face_detector.tflite") + len("face_detector.tflite")
    damaged = bytearray(whole)
    damaged[packed + 9] ^= 0xFF  # the first byte of LZMA's own stream is always 0
    path.write_bytes(damaged)
    with pytest.raises(WeightsError, match="no face model"):
        read_bundle(path)


@pytest.mark.parametrize("place", range(0, 1000, 50))
def test_damaged_member_is_refused(tmp_path: Path, place: int) -> None:
    path = write_bundle(tmp_path / "m.task", members())
    content = bytearray(path.read_bytes())
    last_data = content.index(b"PK\x01\x02")
    content[last_data - 1000 + place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="no face model"):
        read_bundle(path)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06"])
def test_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.task"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="no face model"):
        read_bundle(path)


def test_missing_file_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="vtbridge weights pull face-landmarker"):
        read_bundle(tmp_path / "gone.task")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        metadata()[:-9],
        metadata()[: len(metadata()) // 2],
        metadata(vertices=VERTICES - 1),
        metadata(basis={0: 1.0, 1: 1.0}),
        metadata(basis=BASIS | {468: 1.0}),
        metadata(basis=BASIS | {5: -1.0}),
        metadata(basis=BASIS | {5: float("nan")}),
        metadata(basis=dict.fromkeys(BASIS, 0.0)),
        metadata(first=float("inf")),
        metadata() + b"\x09" + bytes(8),
        metadata() + b"\xff" * 12,
        metadata() + field(2, b"\x0d" + bytes(4)),
        metadata() + b"\x18\x00" * 30_000,
    ],
)
def test_malformed_geometry_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="its "):
        parse_canonical_face(content)
