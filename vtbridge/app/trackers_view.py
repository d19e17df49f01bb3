"""A snapshot of the sources as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vtbridge.app.tracker_guide import Instruction, OwnAddress

_STATE_STYLES = {
    "live": "bold green",
    "no face": "yellow",
    "silent": "yellow",
    "waiting": "dim",
    "blocked": "bold red",
}
_BAR_CELLS = 8
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_COLUMN_WIDTH = 30
_FEWEST_COLUMNS, _MOST_COLUMNS = 1, 5


def sources_view(sources: Sequence[Mapping[str, Any]]) -> Group:
    """Return who sends, how well, and what was refused; then who has not been heard yet."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("source", overflow="fold", min_width=12)
    table.add_column("arrives at", overflow="fold")
    table.add_column("state", no_wrap=True)
    for name in ("fps", "jitter", "packets", "lost", "last"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("refused", overflow="fold")
    waiting: dict[str, list[str]] = {}
    for source in sources:
        if source["state"] == "waiting" and not source["rejects"]:
            waiting.setdefault(str(source["place"]), []).append(str(source["source"]))
        else:
            table.add_row(*_cells(source))
    not_heard = "; ".join(
        f"{', '.join(names)} ({_short_place(place)})" for place, names in waiting.items()
    )
    parts: list[RenderableType] = [table] if table.row_count else []
    if not_heard:
        parts.append(Text(f"Nothing yet for: {not_heard}", "dim"))
    return Group(*parts or [Text("No input is enabled under [tracking].")])


def troubles(sources: Iterable[Mapping[str, Any]]) -> Text:
    """Return a line for each thing that keeps a source from working, each said once."""
    lines = dict.fromkeys(str(source["trouble"]) for source in sources if source["trouble"])
    return Text("\n".join(f"! {line}" for line in lines), "red")


def face_view(
    face: Mapping[str, Any], movers: Mapping[str, str], *, width: int, ascii_only: bool
) -> Group:
    """Return the face shown last: angles, then every weight as a bar.

    Args:
        face: as ``plain_face`` makes it.
        movers: which source moves which part.
        width: cells that fit beside each other.
        ascii_only: whether the terminal shows no blocks.
    """
    head = Text(f"face from {face['source']}", "bold")
    head.append("" if face["tracked"] else ", not seen now", "yellow")
    if len(set(movers.values())) > 1:
        head.append("  (" + ", ".join(f"{part}: {by}" for part, by in movers.items()) + ")", "dim")
    angles = [
        f"{label} " + "  ".join(f"{axis} {degrees:+6.1f}°" for axis, degrees in face[key].items())
        for label, key in (
            ("head", "head_deg"),
            ("left eye", "left_eye_deg"),
            ("right eye", "right_eye_deg"),
        )
        if face[key] is not None
    ]
    weights = {**face["presets"], **face["blendshapes"]}
    return Group(head, Text("   ".join(angles)), _bars(weights, width=width, ascii_only=ascii_only))


def guide_view(
    instructions: Iterable[Instruction], addresses: Sequence[OwnAddress], reach: str
) -> Group:
    """Return this computer's addresses and what to type into each app."""
    own = Table(box=None, pad_edge=False, show_header=False)
    for address in addresses:
        own.add_row(
            Text(address.address, "bold" if address.reaches_phones else ""), Text(address.name)
        )
    apps = Table(box=None, pad_edge=False, show_header=False)
    apps.add_column(overflow="fold", max_width=44)
    apps.add_column(overflow="fold")
    for instruction in instructions:
        apps.add_row(Text(instruction.title), Text(instruction.text))
    parts: list[RenderableType] = [
        Text("Addresses of this computer", "bold"),
        own,
        Text(reach),
        Text(""),
        Text("In your tracking app", "bold"),
        apps,
    ]
    return Group(*parts)


def _cells(source: Mapping[str, Any]) -> list[RenderableType]:
    """Return the row of one source; what it has no number for stays empty."""
    state = str(source["state"])
    speaks = bool(source["packets"])
    return [
        Text(str(source["source"])),
        Text(_short_place(str(source["place"]))),
        Text(state, _STATE_STYLES.get(state, "")),
        f"{source['fps']:.1f}" if speaks else "",
        f"{source['jitter_ms']:.1f} ms" if speaks else "",
        str(source["packets"]) if speaks else "",
        str(source["lost"]) if speaks and source["lost"] is not None else "",
        "" if source["age_s"] is None else _age(source["age_s"]),
        Text(", ".join(f"{reason} {count}" for reason, count in source["rejects"].items())),
    ]


def _bars(weights: Mapping[str, float], *, width: int, ascii_only: bool) -> Table:
    """Return the weights in as many columns as fit, read from top to bottom."""
    count = min(max(width // _COLUMN_WIDTH, _FEWEST_COLUMNS), _MOST_COLUMNS)
    rows = -(-len(weights) // count)
    cells = [_bar(name, weight, ascii_only=ascii_only) for name, weight in weights.items()]
    table = Table.grid(padding=(0, 2))
    for row in range(rows):
        table.add_row(*cells[row::rows])
    return table


def _bar(name: str, weight: float, *, ascii_only: bool) -> Text:
    level = round(min(max(weight, 0.0), 1.0) * _BAR_CELLS * 8)
    whole, rest = divmod(level, 8)
    blocks = _EIGHTHS[8] * whole + (_EIGHTHS[rest] if rest else "")
    bar = "#" * whole if ascii_only else blocks
    short = name.replace("Left", "L").replace("Right", "R")
    return Text.assemble(f"{short:<15.15} ", (f"{bar:<{_BAR_CELLS}}", "cyan"), f" {weight:4.2f}")


def _short_place(place: str) -> str:
    """Return a port without the address that all ports share."""
    return place.replace("127.0.0.1:", "port ").replace("0.0.0.0:", "port ")


def _age(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.0f} s"
