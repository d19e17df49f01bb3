"""What a training set is made of: other people's 3D models, and the notes beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np

from tests.fuzz.target import Target, file_of, folder
from tests.support.figure_textures import small
from tests.support.figures import a_figure
from tests.support.mmd_files import pmd_bytes, pmx_bytes
from tests.support.vrm_files import vrm_bytes
from vtbridge.errors import DatasetError
from vtbridge.pose_params import POSE_SIZE
from vtbridge.training.dataset.manifest import MANIFEST_FILE, read_manifest
from vtbridge.training.figures.annotation import read_annotations
from vtbridge.training.figures.binding import bind
from vtbridge.training.figures.figure import Figure
from vtbridge.training.figures.framing import camera_of
from vtbridge.training.figures.licence import decoded
from vtbridge.training.figures.posing import posed
from vtbridge.training.figures.read import read_figure

POSE = np.linspace(-1, 1, POSE_SIZE, dtype=np.float32)


def figure_targets() -> list[Target]:
    """Return the targets."""
    refusals = (DatasetError,)
    return [
        Target("pmx", lambda data: _figure(data, "f.pmx"), _pmx, refusals),
        Target("pmd", lambda data: _figure(data, "f.pmd"), _pmd, refusals),
        Target("vrm", lambda data: _figure(data, "f.vrm"), _vrm, refusals, longest=1 << 18),
        Target(
            "annotations",
            lambda data: read_annotations(file_of(data, "figures.json")),
            _annotations,
            refusals,
        ),
        Target("licence-text", decoded, _texts, (), longest=4096),
        Target("dataset-manifest", _manifest, _manifests, refusals),
    ]


def _figure(data: bytes, name: str) -> None:
    """Do all that a data set does with a model."""
    figure = read_figure(file_of(data, name))
    binding = bind(figure)
    camera = camera_of(figure, binding)
    positions, normals = posed(figure, binding, POSE)
    assert np.isfinite(positions).all()
    assert np.isfinite(normals).all()
    assert camera.half_height > 0
    assert figure.triangles.max() < len(figure.positions)
    assert all(part.texture < len(figure.textures) for part in figure.materials)


def _little() -> Figure:
    return small(a_figure(triangles=600))


def _pmx() -> Iterable[bytes]:
    yield pmx_bytes(_little())


def _pmd() -> Iterable[bytes]:
    yield pmd_bytes(_little())


def _vrm() -> Iterable[bytes]:
    for version in (0, 1):
        yield vrm_bytes(_little(), version)


def _annotations() -> list[bytes]:
    figures = {
        "a": {"chin_y": 1.5, "top_y": 1.8, "morphs": {"mouth_aaa": ["あ"]}, "excluded": False},
        "b": {"file": "b/b.pmx", "licence_ok": True},
    }
    return [json.dumps({"version": 1, "figures": figures}).encode()]


def _texts() -> list[bytes]:
    return ["再配布可。".encode(code) for code in ("utf-8", "shift_jis", "gbk", "utf-16")]


def _manifests() -> list[bytes]:
    shard = {
        "file": "train/00000.tar",
        "sha256": "0" * 64,
        "bytes": 10,
        "subjects": ["a"],
        "poses": 3,
    }
    recipe = {"name": "small", "size": 64}
    whole = {"version": "1", "recipe": recipe, "seed": 1, "shards": [shard], "digest": "0" * 64}
    return [json.dumps(whole).encode()]


def _manifest(data: bytes) -> None:
    file_of(data, f"dataset/{MANIFEST_FILE}")
    manifest = read_manifest(folder() / "dataset")
    assert manifest.size >= 0
