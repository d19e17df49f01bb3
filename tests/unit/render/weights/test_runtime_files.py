"""Files of runtimes: made only when asked, and made again only when they are not whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.weights import small_store
from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.render.models.signatures import Stage
from vtbridge.render.runtimes import prepared
from vtbridge.render.settings import Precision, RuntimeName
from vtbridge.render.weights.runtime_files import (
    PREPARABLE,
    check_runtime_files,
    prepare_runtime,
)
from vtbridge.render.weights.store import WeightStore


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return small_store(tmp_path)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the jobs that were started; each leaves what the real process leaves."""
    started: list[str] = []

    def make(module: str, job: str, *, told: Any, **_: object) -> None:
        started.append(job)
        _folder, target, precision = job.splitlines()
        kind = next(k for k in KINDS if (k.process, k.precision) == (module, precision))
        for stage in Stage:
            for path in kind.paths(Path(target), stage):
                path.write_bytes(stage.encode())
            told(stage)

    monkeypatch.setattr(prepared, "run_throwaway", make)
    return started


KINDS = (prepared.OPENVINO_FILES, prepared.ONNX_F16_FILES, prepared.ONNX_FILES)


class Steps:
    """Keeps what a progress is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def begin(self, step: str, total: int | None) -> None:
        self.told += [step, total]

    def reach(self, done: int) -> None:
        self.told.append(done)


@pytest.mark.parametrize("runtime", PREPARABLE)
def test_files_are_made_once_and_told_of(
    runtime: RuntimeName, store: WeightStore, jobs: list[str]
) -> None:
    steps = Steps()
    assert prepare_runtime(store, "small", runtime, steps)
    assert steps.told == [f"preparing for {runtime}", 5, 1, 2, 3, 4, 5]
    assert not prepare_runtime(store, "small", runtime)
    assert len(jobs) == 1


@pytest.mark.parametrize("runtime", PREPARABLE)
def test_a_damaged_file_is_found_and_made_again(
    runtime: RuntimeName, store: WeightStore, jobs: list[str]
) -> None:
    prepare_runtime(store, "small", runtime)
    whole = check_runtime_files(store, "small")
    assert whole
    assert not any(check.problem for check in whole)
    whole[0].path.write_bytes(b"damaged")
    broken = [check for check in check_runtime_files(store, "small") if check.problem]
    assert [check.path for check in broken] == [whole[0].path]
    assert f"--for {runtime}" in broken[0].remedy
    assert prepare_runtime(store, "small", runtime)
    assert len(jobs) == 2
    assert not any(check.problem for check in check_runtime_files(store, "small"))


def test_what_was_never_prepared_is_no_problem(store: WeightStore) -> None:
    assert check_runtime_files(store, "small") == []


def test_each_precision_has_files_of_its_own(store: WeightStore, jobs: list[str]) -> None:
    assert prepare_runtime(store, "small", RuntimeName.ONNXRUNTIME)
    assert prepare_runtime(store, "small", RuntimeName.ONNXRUNTIME, precision=Precision.F16)
    assert len(jobs) == 2
    with pytest.raises(RuntimeUnavailable, match="openvino has one set of files"):
        prepare_runtime(store, "small", RuntimeName.OPENVINO, precision=Precision.F16)


def test_a_runtime_without_files_is_a_mistake_of_the_caller(store: WeightStore) -> None:
    with pytest.raises(ValueError, match="native loads the weights themselves"):
        prepare_runtime(store, "small", RuntimeName.NATIVE)


def test_absent_weights_are_told_before_anything_starts(tmp_path: Path, jobs: list[str]) -> None:
    with pytest.raises(WeightsError, match="vtbridge weights pull"):
        prepare_runtime(WeightStore(tmp_path), "tha3-separable-float", RuntimeName.OPENVINO)
    assert jobs == []


def test_a_failure_says_that_the_weights_are_in_place(
    store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise WeightsError("out of memory")

    monkeypatch.setattr(prepared, "run_throwaway", fail)
    with pytest.raises(WeightsError, match=r"(?s)out of memory.*themselves are in place"):
        prepare_runtime(store, "small", RuntimeName.OPENVINO)
    assert store.is_ready("small")
