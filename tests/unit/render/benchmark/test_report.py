"""The JSON's shape is kept, and its promises are judged by its own numbers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.bench_report import report, row
from vtbridge.render.benchmark.contenders import PLAIN, REFERENCE
from vtbridge.render.benchmark.measure import Result
from vtbridge.render.benchmark.messages import Turn
from vtbridge.render.benchmark.promises import promises
from vtbridge.render.benchmark.report import rows
from vtbridge.render.benchmark.similarity import Likeness

KEPT_SHAPE = {"fps", "ms", "p99_ms", "box_psnr_db", "ssim", "rss_mb", "startup_s", "hit_rates"}
KEPT_SHAPE |= {"ratio_to_reference", "ratio_to_onnxruntime", "stages_ms"}


def result(name: str, frame_ms: float, *, torch: bool = False, description: str = "") -> Result:
    return Result(
        name,
        description=description,
        versions={"openvino": "1"},
        turns=[Turn(frame_ms=frame_ms, torch=torch)] * 2,
        likenesses=[Likeness(50, 0.999), Likeness(60, 0.997)],
        rss_mb=100,
        startup_s=1.5,
    )


def test_rows_are_sorted_by_what_they_are_and_hold_ratios() -> None:
    made = rows(
        [
            result(REFERENCE, 900),
            result(PLAIN, 300),
            result("quality exact", 100),
            result("native f32", 120),
            Result("openvino bf16", problem="does not multiply bf16"),
        ]
    )
    assert made["baseline"] == REFERENCE
    assert set(made["others"]) == {REFERENCE, PLAIN}
    exact = made["quality"]["exact"]
    assert exact.keys() >= KEPT_SHAPE
    assert exact["fps"] == 10
    assert exact["ratio_to_reference"] == 9
    assert exact["ratio_to_onnxruntime"] == 3
    assert exact["box_psnr_db"] == 55
    assert exact["worst_psnr_db"] == 50
    assert exact["ssim"] == 0.998
    assert made["runtimes"]["openvino bf16"] == {
        "ran": False,
        "reason": "does not multiply bf16",
    }
    assert {"vtbridge", "python", "openvino"} <= made["versions"].keys()


def test_what_was_not_compared_has_no_ratio_and_no_likeness() -> None:
    alone = result("quality fast", 25)
    alone.likenesses = []
    made = rows([Result(PLAIN, problem="not installed"), alone])
    assert made["baseline"] == "quality fast"
    fast = made["quality"]["fast"]
    for number in ("ratio_to_reference", "ratio_to_onnxruntime", "box_psnr_db", "ssim"):
        assert fast[number] is None


@pytest.mark.parametrize(
    ("description", "needless"), [("pytorch f32 CPU", False), ("native f32 avx512", True)]
)
def test_torch_is_needless_unless_it_computes(description: str, *, needless: bool) -> None:
    made = rows([result("quality exact", 100, torch=True, description=description)])
    assert made["quality"]["exact"]["needless_torch"] is needless


def judged(report_: dict[str, Any]) -> dict[str, bool | None]:
    return {promise["name"]: promise["kept"] for promise in promises(report_)}


def test_promises_are_kept_broken_or_not_measured() -> None:
    kept = judged(report())
    assert kept["exact to the reference (no bf16)"] is True
    assert kept["balanced, fresh frames"] is True
    assert kept["live, likeness"] is None
    live = {"ran": True, "fresh_fps": 14.9, "box_psnr_db": 36.0, "missed_percent": 1.1}
    kept = judged(report(live=live))
    assert kept["live, fresh frames"] is False
    assert kept["live, likeness"] is True
    assert kept["live, deadlines missed"] is False


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("exact to the reference (no bf16)", row(900 / 5.4)),
        ("exact to plain onnxruntime (no bf16)", row(300 / 1.7)),
        ("exact, likeness", row(100, box_psnr_db=49.9)),
        ("exact, SSIM", row(100, ssim=0.9989)),
        ("start to the first frame, warm", row(100, startup_s=3.1)),
        ("memory", row(100, rss_mb=601)),
        ("torch loaded without need", row(100, needless_torch=True)),
    ],
)
def test_each_promise_can_be_broken(name: str, exact: dict[str, Any]) -> None:
    assert judged(report(quality={"exact": exact}))[name] is False


def test_more_is_promised_of_a_processor_with_bf16() -> None:
    kept = judged(report(bf16=True, quality={"exact": row(900 / 8.4)}))
    assert kept["exact to the reference (bf16)"] is False
    assert kept["exact to plain onnxruntime (bf16)"] is False
