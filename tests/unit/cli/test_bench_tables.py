"""What people read of a benchmark: everything, on a terminal of 80 columns."""

from __future__ import annotations

import pytest

from tests.support.bench_report import report, row
from vtbridge.cli.bench_tables import print_render
from vtbridge.render.benchmark.promises import promises

LIVE = {
    "ran": True,
    "seconds": 20.0,
    "fps": 60.0,
    "shown_fps": 58.1,
    "fresh_fps": 16.2,
    "quality": "balanced",
    "runtime": "native f32 avx512",
    "missed": 3,
    "beats": 1200,
    "missed_percent": 0.25,
    "delay_ms": 110.4,
    "added_delay_ms": 60.2,
    "box_psnr_db": 41.2,
    "worst_psnr_db": 35.9,
}


def printed(capsys: pytest.CaptureFixture[str], **changes: object) -> list[str]:
    told = report(**changes)  # type: ignore[arg-type]
    told["promises"] = promises(told)
    print_render(told)
    return capsys.readouterr().out.splitlines()


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_tables_fit_and_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, live=LIVE)
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines), "a number was cut"
    text = " ".join(" ".join(lines).split())
    assert "openvino bf16 not run: does not multiply bf16" in text
    assert "of all frames ran edit 25 %; found in caches face 50 %" in text
    assert "3 of 1200 deadlines missed (0.25 %)" in text
    speed, worth = (line.split() for line in lines if line.strip().startswith("quality exact"))
    assert speed == ["quality", "exact", "100.0", "150.0", "10.0", "30.0", "60.0"]
    assert worth[2:] == ["9.00", "3.00", "60.0", "58.0", "0.9999", "210", "1.2"]


def test_each_promise_tells_how_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, quality={"exact": row(100, rss_mb=650.0)})
    endings = {line.split("  ")[0].strip(): line.split()[-1] for line in lines if line.strip()}
    assert endings["exact, likeness"] == "kept"
    assert endings["memory"] == "broken"
    assert endings["live, likeness"] == "measured"


def test_a_live_run_that_failed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, live={"ran": False, "reason": "nothing was shown"})
    assert "live not run: nothing was shown" in lines
