"""The tables of the report's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any, Final

_COLUMNS: Final = (
    ("rmse", "RMSE", 4, "root mean square difference of premultiplied sRGB, 0..1", min),
    ("psnr_db", "PSNR dB", 2, "mean over pictures", max),
    ("psnr_pooled_db", "pooled dB", 2, "PSNR of all pixels together", max),
    ("ssim", "SSIM", 4, "over grey, window of 11 pixels", max),
    ("mse_linear", "MSE linear", 6, "mean square difference of the networks' signals", min),
    ("alpha_iou", "alpha IoU", 4, "of what is opaque", max),
    ("sharpness", "sharpness", 3, "energy of gradients by the truth's", None),
    ("flow_error_px", "flow px", 2, "mean end-point error where the truth is known", min),
)


def head(report: Mapping[str, Any]) -> str:
    """Return the title, the morpher's tables and the table of configurations."""
    data = report["data"]
    return (
        f"<h1>{escape(report['run'])}</h1>"
        f'<p class="faint">{data["examples"]} poses of {data["subjects"]} characters '
        f"({escape(data['split'])} split), data set {escape(data['digest'][:12])}, "
        f"vtbridge {escape(report['vtbridge'])}</p>"
        f"{_morpher(report['morpher'])}{_configurations(report)}"
    )


def worst(name: str, rows: Sequence[tuple[str, ...]]) -> str:
    """Return the worst answers of one configuration.

    Args:
        name: its.
        rows: who and how bad; the pose; paths of source, truth, result and difference.
    """
    lines = "".join(
        f"<tr><td>{escape(label)}<br>"
        f'<span class="faint pose">{escape(pose)}</span></td>'
        + "".join(f"<td>{_image(path, what)}</td>" for path, what in zip(paths, _FOUR, strict=True))
        + "</tr>"
        for label, pose, *paths in rows
    )
    heads = "".join(f"<th>{what}</th>" for what in _FOUR)
    return (
        f'<h3>{escape(name)}</h3><div class="scroll"><table class="pictures">'
        f"<tr><th></th>{heads}</tr>{lines}</table></div>"
    )


_FOUR: Final = ("source", "truth", "result", "difference")


def drawing(name: str, credit: str, source: str, acts: Mapping[str, Mapping[str, str]]) -> str:
    """Return what every configuration makes of a drawing, a column each.

    Args:
        name: of the character.
        credit: line that has to be shown with it, may be empty.
        source: path of its picture.
        acts: paths by configuration, by what it does.
    """
    columns = list(next(iter(acts.values())))
    lines = "".join(
        f"<tr><td>{escape(act)}</td>"
        + "".join(f"<td>{_image(paths[c], f'{act}, {c}')}</td>" for c in columns)
        + "</tr>"
        for act, paths in acts.items()
    )
    heads = "".join(f"<th>{escape(column)}</th>" for column in columns)
    return (
        f'<h3>{escape(name)}</h3><p class="faint">{escape(credit)}</p>{_image(source, name)}'
        f'<div class="scroll"><table class="pictures"><tr><th></th>{heads}</tr>{lines}'
        "</table></div>"
    )


def _image(path: str, what: str) -> str:
    return f'<img src="{escape(path)}" alt="{escape(what)}">'


def _morpher(morpher: Mapping[str, Any]) -> str:
    if not morpher["trained"]:
        return "<h2>Face morpher</h2><p>Not trained.</p>"
    lines = _line("identity", {"metrics": morpher["identity"]}) + _line("morpher", morpher)
    return (
        f"<h2>Face morpher, head box of {morpher['size']} px</h2>"
        f'<div class="scroll"><table><tr>{_heads()}</tr>{lines}</table></div>'
        f"{_regions(morpher['regions'])}"
    )


def _regions(regions: Mapping[str, Mapping[str, Any]]) -> str:
    if not regions:
        return '<p class="faint">Regions are unknown: the characters cannot be drawn anew.</p>'
    lines = "".join(
        f"<tr><td>{escape(name)}</td>"
        f"<td>{'nothing moves' if r['outside'] is None else format(r['outside'], '.1%')}</td>"
        f"<td>{r['strength']:.2f}</td><td>{r['characters']}</td></tr>"
        for name, r in regions.items()
    )
    return (
        '<h3>What each value moves</h3><div class="scroll"><table><tr><th>value</th>'
        "<th>change outside its region</th><th>change inside, by the true one</th>"
        f"<th>characters</th></tr>{lines}</table></div>"
    )


def _configurations(report: Mapping[str, Any]) -> str:
    rows, at = report["configurations"], report["head"]
    trained = [row["metrics"] for row in rows if row["trained"]]
    best = {
        key: choose(known)
        for key, *_, choose in _COLUMNS
        if choose is not None and len(known := [m[key] for m in trained if m[key] is not None]) > 1
    }
    blank = "<td></td><td></td>"
    identity = {"metrics": at["identity"]}
    lines = [_line("identity", identity, blank)] if at["identity"] else []
    for row in rows:
        paper = f"<td>{row['paper']['rmse']:.6f}</td><td>{row['paper']['ssim']:.6f}</td>"
        if row["trained"]:
            lines.append(_line(row["name"], row, paper, best))
        else:
            span = f'<td colspan="{len(_COLUMNS) + 2}" class="faint none">not trained</td>'
            lines.append(f"<tr><td>{escape(row['name'])}</td>{span}{paper}</tr>")
    losses = sorted({loss for row in rows for loss in row["perceptual"]})
    told = f"Perceptual (P) here means: {', '.join(losses)}. " if losses else ""
    size = f", {at['size']} px" if at["size"] else ""
    return (
        f"<h2>Rotators and combiners{size}</h2><p>PU repaints, ZH samples, FU combines both; then "
        "the loss of the rotator and of the combiner. Gain is the mean PSNR above that of the "
        "picture that is given; at rest is the PSNR where the pose moves nothing. "
        f"{escape(told)}</p>"
        f'<div class="scroll"><table><tr>{_heads()}'
        f"<th>write-up: RMSE</th><th>SSIM</th></tr>{''.join(lines)}</table></div>"
        f'<p class="faint">{escape(report["paper_note"])}</p>'
    )


def _heads() -> str:
    names = "".join(
        f'<th title="{escape(what)}">{escape(name)}</th>' for _, name, _, what, _ in _COLUMNS
    )
    return f"<th></th>{names}<th>gain dB</th><th>at rest dB</th>"


def _line(
    name: str,
    row: Mapping[str, Any],
    more: str = "",
    best: Mapping[str, float] = MappingProxyType({}),
) -> str:
    cells = []
    for key, _, digits, *_ in _COLUMNS:
        value = row["metrics"][key]
        style = ' class="best"' if value is not None and best.get(key) == value else ""
        cells.append(f"<td{style}>{'' if value is None else format(value, f'.{digits}f')}</td>")
    for key, form in (("gain_db", "+.2f"), ("rest_psnr_db", ".2f")):
        value = row.get(key)
        cells.append(f"<td>{'' if value is None else format(value, form)}</td>")
    return f"<tr><td>{escape(name)}</td>{''.join(cells)}{more}</tr>"
