"""Earlier runs are remembered by ratio and held against those of such machines alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.bench_report import report, row
from vtbridge.errors import ConfigError
from vtbridge.render.benchmark.history import append, entry_of, read_history, regressions

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
EXACT = "quality.exact.ratio_to_reference"


def exact_at(ms: float) -> dict[str, Any]:
    return {"quality": {"exact": row(ms)}}


def test_a_run_is_one_line_of_ratios(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    entry = entry_of(report(), NOW)
    append(path, entry)
    append(path, entry)
    assert read_history(path) == [entry, entry]
    line = json.loads(path.read_text().splitlines()[0])
    assert line["date"] == "2026-03-04T05:06:00+00:00"
    assert line["version"] == "1.2.3"
    assert line["machine"] == "x86_64 avx512, 2 threads"
    assert line["ratios"][EXACT] == 9
    assert "runtimes.openvino bf16.ratio_to_reference" not in line["ratios"]


def test_a_ratio_that_falls_by_more_than_a_tenth_is_told() -> None:
    before = [entry_of(report(**exact_at(ms)), NOW) for ms in (300, 100, 100, 100, 101, 99)]
    assert regressions(before, entry_of(report(**exact_at(109)), NOW)) == []
    fallen = regressions(before, entry_of(report(**exact_at(112)), NOW))
    assert [each.name for each in fallen] == [EXACT, "quality.exact.ratio_to_onnxruntime"]
    assert str(fallen[0]) == f"{EXACT} is 8.04x where it used to be 9.00x (-11 %)"


def test_runs_of_other_machines_do_not_count() -> None:
    entry = entry_of(report(), NOW)
    other = entry.model_copy(update={"machine": "aarch64 neon, 8 threads"})
    slower = entry_of(report(**exact_at(200)), NOW)
    assert regressions([other], slower) == []
    assert regressions([entry], slower)
    assert regressions([], slower) == []


def test_no_file_is_an_empty_history_and_a_spoilt_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert read_history(path) == []
    path.write_text('\n{"date": "today"}\n')
    with pytest.raises(ConfigError, match="line 2 is no run"):
        read_history(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_history(tmp_path)
    with pytest.raises(ConfigError, match="cannot be written"):
        append(tmp_path, entry_of(report(), NOW))
