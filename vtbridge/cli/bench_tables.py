"""What ``vtbridge bench`` prints for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

_STATES = {True: "[green]kept[/]", False: "[red]broken[/]", None: "[dim]not measured[/]"}
_STAGES = {
    "brows": "brows",
    "face": "face",
    "rotate": "rotate",
    "edit": "edit",
    "composite": "pixels",
}


def print_render(report: Mapping[str, Any]) -> None:
    """Print contenders, what did not run and why, the display's side, and the promises."""
    console = Console()
    machine = report["machine"]
    console.print(
        f"{machine['cpu']} ({machine['class']}), load {machine['load_1min']}; "
        f"{report['frames']} frames of {report['poses']}; {report['character']}\n"
        "Milliseconds a frame: mean, 99 of 100 stay within, mean of each stage. Likeness in the "
        f"character's box to: {report['baseline']}. Start: seconds to the first frame, warm",
        highlight=False,
        markup=False,
    )
    rows = _rows(report)
    console.print(_speed_table(rows))
    console.print(_worth_table(rows))
    for level, row in report["quality"].items():
        if row["ran"]:
            console.print(f"{level}: {_computed(row)}", highlight=False, markup=False)
    for name, row in rows:
        if not row["ran"]:
            console.print(f"{name} not run: {row['reason']}", highlight=False, markup=False)
    if report["live"] is not None:
        _print_live(console, report["live"])
    table = _table("promise", "wanted", "got", "")
    for promise in report["promises"]:
        got = "" if promise["got"] is None else f"{promise['got']:g} {promise['unit']}"
        table.add_row(promise["name"], promise["wanted"], got, _STATES[promise["kept"]])
    console.print(table)


def print_tracking(report: Mapping[str, Any]) -> None:
    """Print the trackers' side."""
    console = Console()
    table = _table("protocol", "p50", "p99", "cpu p50", "cpu p99", "faces")
    table.add_column(" promise")
    for row in report["results"]:
        table.add_row(
            row["name"],
            f"{row['p50_ms']:.3f}",
            f"{row['p99_ms']:.3f}",
            f"{row['cpu_p50_ms']:.3f}",
            f"{row['cpu_p99_ms']:.3f}",
            f"{row['faces']} of {row['frames']}",
            " kept" if row["kept"] else " broken",
        )
    console.print(
        "Trackers: milliseconds from a frame's datagrams to the pose (parse, fuse, smooth, "
        f"retarget, idle), the quietest of {report['rounds']} rounds; promised: p99 below "
        f"{report['limit_ms']} ms",
        highlight=False,
    )
    console.print(table)


def print_dataset(report: Mapping[str, Any]) -> None:
    """Print how fast 3D models are drawn."""
    console = Console()
    table = _table("shading", "ms pose", "ms draw", "ms cpu", "images/h")
    for row in report["results"]:
        table.add_row(
            str(row["shading"]),
            f"{row['pose_ms']:.1f}",
            f"{row['draw_ms']:.1f}",
            f"{row['cpu_ms']:.1f}",
            f"{row['images_per_hour']:,.0f}".replace(",", " "),
        )
    model = report["model"] or "A made-up model"
    promised = f"{report['promised_an_hour']:,.0f}".replace(",", " ")
    console.print(
        f"{model} of {report['triangles']} triangles at {report['size']} x {report['size']}, "
        f"{report['processes']} processes at once, drawn by {report['renderer']}. Milliseconds a "
        "picture by the clock, and what a core computes for it",
        highlight=False,
        markup=False,
    )
    console.print(table)
    if report["kept"] is not None:
        console.print(f"Promised: {promised} images/h: {_STATES[report['kept']]}", highlight=False)
    elif report["model"] is None:
        console.print(
            f"Promised: {promised} images/h, which these cores would keep: measure again when "
            "other programs leave them alone",
            highlight=False,
        )


def _rows(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [
        *report["others"].items(),
        *((f"quality {level}", row) for level, row in report["quality"].items()),
        *report["runtimes"].items(),
    ]


def _speed_table(rows: list[tuple[str, Mapping[str, Any]]]) -> Table:
    table = _table("", "ms", "p99", "fps", *_STAGES.values())
    for name, row in rows:
        if row["ran"]:
            stages = (_ms(row["stages_ms"].get(stage)) for stage in _STAGES)
            table.add_row(name, _ms(row["ms"]), _ms(row["p99_ms"]), f"{row['fps']:.1f}", *stages)
    return table


def _worth_table(rows: list[tuple[str, Mapping[str, Any]]]) -> Table:
    table = _table("", "x ref", "x ort", "dB", "worst", "SSIM", "MB", "start")
    for name, row in rows:
        if row["ran"]:
            table.add_row(
                name,
                _number(row["ratio_to_reference"], ".2f"),
                _number(row["ratio_to_onnxruntime"], ".2f"),
                _number(row["box_psnr_db"], ".1f"),
                _number(row["worst_psnr_db"], ".1f"),
                _number(row["ssim"], ".4f"),
                f"{row['rss_mb']:.0f}",
                _number(row["startup_s"], ".1f"),
            )
    return table


def _print_live(console: Console, live: Mapping[str, Any]) -> None:
    if not live["ran"]:
        console.print(f"live not run: {live['reason']}", highlight=False, markup=False)
        return
    console.print(
        f"Live, {live['seconds']:g} s at {live['fps']:g} fps: {live['shown_fps']:g} different and "
        f"{live['fresh_fps']:g} fresh frames/s ({live['quality']}, {live['runtime']}), "
        f"{live['missed']} of {live['beats']} deadlines missed ({live['missed_percent']:g} %), "
        f"shown {live['delay_ms']:g} ms after the pose, {live['added_delay_ms']:g} ms of it for "
        f"smoothness; likeness to exact {live['box_psnr_db']:g} dB, worst "
        f"{live['worst_psnr_db']:g} dB",
        highlight=False,
        markup=False,
    )


def _table(first: str, *headers: str) -> Table:
    table = Table(box=box.SIMPLE, padding=0, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for header in headers:
        table.add_column(f" {header}", justify="right", no_wrap=True)
    return table


def _computed(row: Mapping[str, Any]) -> str:
    """Return what computed a level, and how much it could leave out."""
    parts = [row["description"]]
    ran = [f"{name} {100 * share:.0f} %" for name, share in row["stage_rates"].items() if share < 1]
    if ran:
        parts.append(f"of all frames ran {', '.join(ran)}")
    if found := [f"{name} {100 * share:.0f} %" for name, share in row["hit_rates"].items()]:
        parts.append(f"found in caches {', '.join(found)}")
    return "; ".join(parts)


def _ms(number: float | None) -> str:
    return "" if number is None else format(number, ".1f" if number < 1000 else ".0f")


def _number(number: float | None, form: str) -> str:
    return "" if number is None else format(number, form)
