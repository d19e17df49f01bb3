"""A benchmark's report made up for tests."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def row(ms: float, **changes: Any) -> Row:
    """Return a row that ran, at ``ms`` a frame."""
    return {
        "ran": True,
        "description": "native f32 avx512",
        "fps": 1000 / ms,
        "ms": ms,
        "p50_ms": ms,
        "p99_ms": 1.5 * ms,
        "cpu_ms": 2 * ms,
        "stages_ms": {"rotate": 0.3 * ms, "edit": 0.6 * ms},
        "stage_rates": {"rotate": 1.0, "edit": 0.25},
        "box_psnr_db": 60.0,
        "worst_psnr_db": 58.0,
        "ssim": 0.9999,
        "ratio_to_reference": 900 / ms,
        "ratio_to_onnxruntime": 300 / ms,
        "rss_mb": 210.0,
        "startup_s": 1.2,
        "needless_torch": False,
        "hit_rates": {"face": 0.5},
    } | changes


def report(*, bf16: bool = False, **changes: Any) -> dict[str, Any]:
    """Return a report in which everything ran and kept what was promised."""
    return {
        "machine": {
            "cpu": "Some <CPU>",
            "class": "x86_64 avx512, 2 threads",
            "bf16": bf16,
            "usable_threads": 2,
            "load_1min": 0.1,
        },
        "versions": {"vtbridge": "1.2.3"},
        "frames": 30,
        "poses": "the built-in performance",
        "character": "michi",
        "baseline": "reference",
        "others": {
            "reference": row(900, box_psnr_db=None, worst_psnr_db=None, ssim=None),
            "plain onnxruntime": row(300),
        },
        "quality": {"exact": row(100), "balanced": row(50, box_psnr_db=44.0), "fast": row(25)},
        "runtimes": {
            "native f32": row(100),
            "openvino bf16": {"ran": False, "reason": "does not multiply bf16"},
        },
        "live": None,
        "promises": [],
    } | changes
