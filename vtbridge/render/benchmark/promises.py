"""What was promised of the engine, and whether a benchmark's numbers keep it.

The ratios depend on whether the processor multiplies bf16 in hardware, which halves the
work; everything else is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Promise:
    """A number and its bound.

    Attributes:
        name: what is promised, for people.
        path: where the number lies in the report, such as ``quality.exact.ssim``.
        bound: that it must reach.
        unit: of both, empty if they have none.
        at_least: whether the bound is the least, else it is the most.
    """

    name: str
    path: str
    bound: float
    unit: str = ""
    at_least: bool = True

    def judged(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Return name, what was wanted and got, and whether it was kept; None = not measured."""
        got = _looked_up(report, self.path)
        kept = None
        if got is not None:
            kept = got >= self.bound if self.at_least else got <= self.bound
        sign = ">=" if self.at_least else "<="
        wanted = f"{sign} {self.bound:g} {self.unit}".rstrip()
        return {"name": self.name, "wanted": wanted, "got": got, "unit": self.unit, "kept": kept}


def promises(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every promise held against ``report``, the benchmark's JSON."""
    bf16 = bool(report["machine"]["bf16"])
    return [promise.judged(report) for promise in (*_ratios(bf16=bf16), *_OTHERS)]


def _ratios(*, bf16: bool) -> tuple[Promise, ...]:
    kind = "bf16" if bf16 else "no bf16"
    return (
        Promise(
            f"exact to the reference ({kind})",
            "quality.exact.ratio_to_reference",
            8.5 if bf16 else 5.5,
            "x",
        ),
        Promise(
            f"exact to plain onnxruntime ({kind})",
            "quality.exact.ratio_to_onnxruntime",
            2.9 if bf16 else 1.8,
            "x",
        ),
    )


_OTHERS = (
    Promise("exact, likeness", "quality.exact.box_psnr_db", 50, "dB"),
    Promise("exact, SSIM", "quality.exact.ssim", 0.999),
    Promise("balanced, likeness", "quality.balanced.box_psnr_db", 43, "dB"),
    Promise("balanced, fresh frames", "quality.balanced.fps", 15, "/s"),
    Promise("baked, likeness", "quality.baked.box_psnr_db", 36, "dB"),
    Promise("baked, SSIM", "quality.baked.ssim", 0.985),
    Promise("baked, frames", "quality.baked.fps", 60, "/s"),
    Promise("baked to plain onnxruntime", "quality.baked.ratio_to_onnxruntime", 20, "x"),
    Promise("start to the first frame, warm", "quality.exact.startup_s", 3, "s", at_least=False),
    Promise("memory", "quality.exact.rss_mb", 600, "MB", at_least=False),
    Promise("torch loaded without need", "quality.exact.needless_torch", 0, "", at_least=False),
    Promise("live, fresh frames", "live.fresh_fps", 15, "/s"),
    Promise("live, likeness", "live.box_psnr_db", 36, "dB"),
    Promise("live, deadlines missed", "live.missed_percent", 1, "%", at_least=False),
)


def _looked_up(report: Mapping[str, Any], path: str) -> float | None:
    value: Any = report
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, int | float) else None
