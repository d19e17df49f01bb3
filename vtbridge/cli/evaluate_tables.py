"""What ``vtbridge evaluate`` prints for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from vtbridge.training.evaluate.ranking import Rank

_COLUMNS = (
    ("rmse", "RMSE", 4),
    ("psnr_db", "PSNR dB", 2),
    ("ssim", "SSIM", 4),
    ("mse_linear", "MSE linear", 5),
    ("alpha_iou", "alpha IoU", 4),
    ("sharpness", "sharp", 3),
    ("flow_error_px", "flow px", 2),
)


def print_report(report: Mapping[str, Any]) -> None:
    """Print the morpher's marks, then the table of configurations."""
    console = Console()
    data, morpher, head = report["data"], report["morpher"], report["head"]
    console.print(
        f"{report['run']}: {data['examples']} poses of {data['subjects']} characters "
        f"({data['split']}). PSNR is the mean over pictures",
        highlight=False,
        markup=False,
    )
    if morpher["trained"]:
        console.print(f"Morpher, head box of {morpher['size']} px", highlight=False)
        table = _table()
        table.add_row("identity", *_cells(morpher["identity"]))
        table.add_row("morpher", *_row_cells(morpher))
        console.print(table)
        for name, region in morpher["regions"].items():
            outside = "nothing moves" if region["outside"] is None else f"{region['outside']:.1%}"
            console.print(
                f"{name}: {outside} outside its region, strength {region['strength']:.2f}",
                highlight=False,
            )
    else:
        console.print("morpher: not trained", highlight=False)
    size = f", {head['size']} px" if head["size"] else ""
    console.print(f"Rotators and combiners{size}", highlight=False)
    table = _table()
    if head["identity"] is not None:
        table.add_row("identity", *_cells(head["identity"]))
    untrained = []
    for row in report["configurations"]:
        if row["trained"]:
            table.add_row(row["name"], *_row_cells(row))
        else:
            untrained.append(row["name"])
    console.print(table)
    if untrained:
        console.print(f"Not trained: {', '.join(untrained)}", highlight=False)


def print_ranking(ranks: Sequence[Rank]) -> None:
    """Print scores with their confidence, the best first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("configuration")
    for name in ("score", "95 %", "chosen", "ties", "not chosen"):
        table.add_column(name, justify="right")
    for rank in ranks:
        span = f"{rank.low:+.2f} .. {rank.high:+.2f}"
        counts = (str(rank.wins), str(rank.ties), str(rank.losses))
        table.add_row(rank.name, f"{rank.score:+.2f}", span, *counts)
    Console().print(table)


def _table() -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("", no_wrap=True)
    for _, name, _ in _COLUMNS:
        table.add_column(name, justify="right")
    for name in ("gain dB", "at rest dB"):
        table.add_column(name, justify="right")
    return table


def _row_cells(row: Mapping[str, Any]) -> list[str]:
    return [*_cells(row["metrics"]), f"{row['gain_db']:+.2f}", _cell(row["rest_psnr_db"], 2)]


def _cells(metrics: Mapping[str, float | None]) -> list[str]:
    return [_cell(metrics[key], digits) for key, _, digits in _COLUMNS]


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
