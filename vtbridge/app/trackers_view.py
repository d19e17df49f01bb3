"""A snapshot of the sources as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from vtbridge.app.devices import Device
from vtbridge.app.tracker_guide import Instruction, OwnAddress

_STATE_STYLES = {
    "live": "bold green",
    "no face": "yellow",
    "silent": "yellow",
    "waiting": "dim",
    "blocked": "bold red",
}
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_NAME_CELLS = 15
_LEAST_SHOWN = 0.005
"""What is below shows as 0.00."""
_WIDE_TABLE = 100
"""Where this many cells are beside each other, the table has every column."""
_NUMBERS = ("fps", "jitter", "packets", "lost", "last")
_HEADERS = ("source", "arrives at", "state", *_NUMBERS, "refused")
_DROPPED_IF_NARROW = {"arrives at", "packets"}


@dataclass(frozen=True, slots=True)
class _BarLayout:
    """How one weight is drawn.

    Attributes:
        bar_cells: of the bar at 1.
        with_number: whether the weight follows as a number.
        gap: cells between two columns.
        most_columns: however wide the terminal is.
    """

    bar_cells: int
    with_number: bool
    gap: int
    most_columns: int

    def columns(self, width: int) -> int:
        """Return how many weights fit beside each other, at least one."""
        cells = _NAME_CELLS + 1 + self.bar_cells + (len(" 0.00") if self.with_number else 0)
        return min(max((width + self.gap) // (cells + self.gap), 1), self.most_columns)


_WIDE_BARS = _BarLayout(bar_cells=8, with_number=True, gap=2, most_columns=5)
_NARROW_BARS = _BarLayout(bar_cells=3, with_number=False, gap=1, most_columns=8)


def live_screen(
    snapshot: Mapping[str, Any], told_by: str, guide: RenderableType, console: Console
) -> Group:
    """Return what fits the terminal: the sources, and the face or how to connect a tracker.

    Args:
        snapshot: as ``TrackerWatch.snapshot`` returns it.
        told_by: a sentence about where it came from.
        guide: shown while no face comes.
        console: where it will be printed.
    """
    sources = snapshot["sources"]
    above: list[RenderableType] = [Text(told_by, "dim")]
    if sources:
        above.append(sources_view(sources, width=console.width, brief=True))
    if wrong := troubles(sources):
        above.append(wrong)
    if not any(source["state"] == "live" for source in sources):
        return Group(*above, Text(""), guide)
    if snapshot["face"] is None:
        return Group(*above)
    above.append(Text(""))
    taken = len(console.render_lines(Group(*above), pad=False))
    face = face_view(
        snapshot["face"],
        snapshot["movers"],
        width=console.width,
        height=console.height - taken,
        ascii_only=console.options.ascii_only,
    )
    return Group(*above, face)


def sources_view(
    sources: Sequence[Mapping[str, Any]], *, width: int = _WIDE_TABLE, brief: bool = False
) -> Group:
    """Return who sends, how well, and what was refused; then who has not been heard yet.

    Args:
        sources: as ``plain_status`` makes them.
        width: cells that fit beside each other.
        brief: whether those not heard take one line at most, without their ports.
    """
    shown = [source for source in sources if not _is_unheard(source)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    rows = [_cells(source) for source in shown]
    for name in _HEADERS:
        if width < _WIDE_TABLE and name in _DROPPED_IF_NARROW:
            continue
        foldable = name in {"arrives at", "refused"}
        table.add_column(
            name,
            justify="right" if name in _NUMBERS else "left",
            overflow="fold" if foldable else "ellipsis",
            no_wrap=not foldable,
        )
    for row in rows:
        table.add_row(*(row[str(column.header)] for column in table.columns))
    parts: list[RenderableType] = [table] if rows else []
    if len(shown) < len(sources):
        unheard = [source for source in sources if _is_unheard(source)]
        parts.append(_nothing_yet(unheard, brief=brief))
    return Group(*parts or [Text("No input is enabled under [tracking].")])


def troubles(sources: Iterable[Mapping[str, Any]]) -> Text:
    """Return a line for each thing that keeps a source from working, each said once."""
    lines = dict.fromkeys(str(source["trouble"]) for source in sources if source["trouble"])
    return Text("\n".join(f"! {line}" for line in lines), "red")


def face_view(
    face: Mapping[str, Any],
    movers: Mapping[str, str],
    *,
    width: int,
    height: int | None = None,
    ascii_only: bool,
) -> Group:
    """Return the face shown last: angles, then every weight as a bar.

    Args:
        face: as ``plain_face`` makes it.
        movers: which source moves which part.
        width: cells that fit beside each other.
        height: lines that fit below each other, None for any number.
        ascii_only: whether the terminal shows no blocks.
    """
    head = Text(f"face from {face['source']}", "bold", no_wrap=True, overflow="ellipsis")
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
    above = [head, *(Text(line) for line in _packed(angles, width))]
    left = None if height is None else max(height - len(above), 1)
    return Group(*above, _bars(weights, width=width, height=left, ascii_only=ascii_only))


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


def brief_guide_view(instructions: Iterable[Instruction], reach: str) -> Group:
    """Return where each app must send to, a line for each."""
    apps = Table(box=None, pad_edge=False, show_header=False)
    apps.add_column()
    apps.add_column(no_wrap=True)
    for instruction in instructions:
        title = Text(instruction.title, no_wrap=True, overflow="ellipsis")
        apps.add_row(title, Text(instruction.target))
    pointer = Text.assemble(
        ("In your tracking app", "bold"), "; more: vtbridge trackers --addresses"
    )
    return Group(pointer, apps, Text(reach))


def devices_view(kind: str, devices: Sequence[Device], trouble: str | None = None) -> Group:
    """Return what can be typed into one table of config.toml.

    Args:
        kind: the table's name, ``webcam`` or ``microphone``.
        devices: what was found.
        trouble: why nothing could be looked for, None if it could.
    """
    head = Text.assemble((f"{kind.capitalize()}s", "bold"), f", for [tracking.{kind}]")
    if not devices:
        return Group(head, Text(trouble or f"  none: this computer has no {kind}", "yellow"))
    table = Table(box=None, pad_edge=False, show_header=False)
    for device in devices:
        name = Text(device.name + (" (default)" if device.is_default else ""))
        if device.trouble is not None:
            name.append(f": {device.trouble}", "red")
        table.add_row(Text(f"  {device.setting}"), name)
    return Group(head, table)


def _is_unheard(source: Mapping[str, Any]) -> bool:
    """Return whether there is nothing to say about a source but that it waits."""
    return source["state"] == "waiting" and not source["rejects"] and source["asked"] is None


def _nothing_yet(sources: Sequence[Mapping[str, Any]], *, brief: bool) -> Text:
    if brief:
        names = ", ".join(dict.fromkeys(str(source["source"]) for source in sources))
        return Text(f"Nothing yet for: {names}", "dim", no_wrap=True, overflow="ellipsis")
    places: dict[str, list[str]] = {}
    for source in sources:
        places.setdefault(str(source["place"]), []).append(str(source["source"]))
    told = "; ".join(
        f"{', '.join(names)} ({_short_place(place)})" for place, names in places.items()
    )
    return Text(f"Nothing yet for: {told}", "dim")


def _cells(source: Mapping[str, Any]) -> dict[str, RenderableType]:
    """Return the row of one source by header; what it has no number for stays empty."""
    state = str(source["state"])
    asks = source["asked"] is not None and state in {"waiting", "silent"}
    speaks = bool(source["packets"])
    refused = ", ".join(f"{reason} {count}" for reason, count in source["rejects"].items())
    return {
        "source": Text(str(source["source"])),
        "arrives at": Text(_short_place(str(source["place"]))),
        "state": Text(
            f"asking {source['asked']}" if asks else state,
            "yellow" if asks else _STATE_STYLES.get(state, ""),
        ),
        "fps": f"{source['fps']:.1f}" if speaks else "",
        "jitter": f"{source['jitter_ms']:.1f} ms" if speaks else "",
        "packets": str(source["packets"]) if speaks else "",
        "lost": str(source["lost"]) if speaks and source["lost"] is not None else "",
        "last": "" if source["age_s"] is None else _age(source["age_s"]),
        "refused": Text(refused),
    }


def _packed(parts: Iterable[str], width: int) -> list[str]:
    """Return ``parts`` in as few lines as hold them whole."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}   {part}" if lines else ""
        if lines and len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def _bars(
    weights: Mapping[str, float], *, width: int, height: int | None, ascii_only: bool
) -> RenderableType:
    """Return the weights in columns: wide bars, else narrow ones, else only what is not 0."""
    if height is None or _rows(len(weights), _WIDE_BARS, width) <= height:
        return _grid(weights, _WIDE_BARS, width, ascii_only=ascii_only)
    if _rows(len(weights), _NARROW_BARS, width) <= height:
        return _grid(weights, _NARROW_BARS, width, ascii_only=ascii_only)
    room = _NARROW_BARS.columns(width) * max(height - 1, 1)
    largest = sorted(weights, key=lambda name: -weights[name])[:room]
    shown = {
        name: weight
        for name, weight in weights.items()
        if weight >= _LEAST_SHOWN and name in largest
    }
    more = Text(f"and {len(weights) - len(shown)} smaller ones", "dim")
    return Group(_grid(shown, _NARROW_BARS, width, ascii_only=ascii_only), more)


def _rows(count: int, layout: _BarLayout, width: int) -> int:
    return -(-count // layout.columns(width))


def _grid(
    weights: Mapping[str, float], layout: _BarLayout, width: int, *, ascii_only: bool
) -> Table:
    """Return the weights in as many columns as fit, read from top to bottom."""
    rows = _rows(len(weights), layout, width)
    cells = [_bar(name, weight, layout, ascii_only=ascii_only) for name, weight in weights.items()]
    table = Table.grid(padding=(0, layout.gap))
    for row in range(rows):
        table.add_row(*cells[row::rows])
    return table


def _bar(name: str, weight: float, layout: _BarLayout, *, ascii_only: bool) -> Text:
    level = round(min(max(weight, 0.0), 1.0) * layout.bar_cells * 8)
    whole, rest = divmod(level, 8)
    blocks = _EIGHTHS[8] * whole + (_EIGHTHS[rest] if rest else "")
    bar = "#" * whole if ascii_only else blocks
    short = name.replace("Left", "L").replace("Right", "R")
    return Text.assemble(
        f"{short:<{_NAME_CELLS}.{_NAME_CELLS}} ",
        (f"{bar:<{layout.bar_cells}}", "cyan"),
        f" {weight:4.2f}" if layout.with_number else "",
    )


def _short_place(place: str) -> str:
    """Return a port without the address that all ports share."""
    return place.replace("127.0.0.1:", "port ").replace("0.0.0.0:", "port ")


def _age(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.0f} s"
