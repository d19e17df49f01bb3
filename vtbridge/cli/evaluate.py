"""`vtbridge evaluate`: how good trained networks are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vtbridge.training.dataset.examples import Examples
    from vtbridge.training.evaluate.report import Evaluation

EXAMPLES = 2000
STRAYED_ON = 40


def evaluate(
    run: Annotated[
        Path | None, typer.Argument(help="Folder of a run of `vtbridge train`.", metavar="RUN")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="The data set that it learnt from.", metavar="DIR")
    ] = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder of the report; RUN/report by default."),
    ] = None,
    examples: Annotated[
        int, typer.Option(min=1, help="How many pictures are looked at, evenly spread.")
    ] = EXAMPLES,
    drawing: Annotated[
        list[str] | None,
        typer.Option(help="A character to show in several poses; may be given several times."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    rank: Annotated[
        Path | None,
        typer.Option(help="Rank what people preferred: a CSV of the report.", metavar="CSV"),
    ] = None,
) -> None:
    """Measure the networks of a run on characters that they have never seen.

    Writes a page with tables, plots, the worst cases, real drawings, and a blind comparison for
    people; what they prefer becomes scores with --rank.

    Examples:
      vtbridge evaluate runs/small --data data/small --drawing michi --drawing yuki
      vtbridge evaluate runs/small --data data/small --json > figures.json
      vtbridge evaluate --rank results.csv
    """
    if rank is not None:
        _rank(rank)
        return
    if run is None or data is None:
        raise typer.BadParameter("name the run and, with --data, the data set")
    from vtbridge.training.dataset.examples import Examples
    from vtbridge.training.dataset.split import Split
    from vtbridge.training.evaluate.report import as_json as told
    from vtbridge.training.evaluate.report import write_report

    if split not in list(Split):
        raise typer.BadParameter(f"{split!r} is none of {', '.join(Split)}", param_hint="--split")
    with Examples(data, Split(split)) as looked_at:
        found = _evaluated(run, data, looked_at, split, examples, drawing or [])
        page = write_report(out or run / "report", found, looked_at)
    if as_json:
        typer.echo(json.dumps(told(found), indent=1))
        return
    for title, findings in (("morpher", found.morpher), ("heads", found.heads)):
        if findings is None:
            continue
        typer.echo(f"{title}: {len(findings.looks)} pictures of {findings.size} pixels")
        for name, means in findings.means().items():
            typer.echo(
                f"  {name:10} {means['psnr_db']:6.2f} dB  ssim {means['ssim']:.4f}  "
                f"rmse {means['rmse']:.4f}  sharpness {means['sharpness']:.3f}"
            )
    typer.echo(str(page))


def _evaluated(
    run: Path, data: Path, looked_at: Examples, split: str, count: int, drawings: list[str]
) -> Evaluation:
    from vtbridge.app.characters import open_picture
    from vtbridge.cli.progress import shown_progress
    from vtbridge.clock import MonotonicClock
    from vtbridge.errors import TrainingError
    from vtbridge.training.dataset.manifest import read_manifest
    from vtbridge.training.dataset.sources import labelled
    from vtbridge.training.evaluate import measure, regions
    from vtbridge.training.evaluate.contenders import RunNetworks
    from vtbridge.training.evaluate.drawings import compared_drawing, posed_drawing, tha1_picture
    from vtbridge.training.evaluate.report import Evaluation

    if not len(looked_at):
        raise TrainingError(f"the {split} split of {data} is empty: choose another with --split")
    manifest = read_manifest(data)
    networks = RunNetworks(run)
    pictures = {Path(name).stem: tha1_picture(open_picture(name)) for name in drawings}
    reopen = labelled(manifest.recipe)
    numbers = measure.spread(len(looked_at), count)
    with shown_progress(MonotonicClock()) as progress:
        faces = measure.measure_morpher(
            networks, looked_at, numbers, lambda done, total: progress("faces", done, total)
        )
        heads = measure.measure_heads(
            networks, looked_at, numbers, lambda done, total: progress("heads", done, total), reopen
        )
    strayed = []
    if networks.morpher is not None:
        for number in measure.spread(len(looked_at), STRAYED_ON):
            example = looked_at[number]
            subject = reopen(example.subject)
            if subject is not None:
                strayed.append(regions.strayed(networks.morpher, example, subject))
    return Evaluation(
        run=networks,
        run_folder=run,
        data_digest=manifest.digest,
        split=split,
        subjects=len(looked_at.subjects),
        morpher=faces,
        heads=heads,
        strayed=regions.mean_strayed(strayed),
        drawings={name: posed_drawing(networks, picture) for name, picture in pictures.items()},
        compared={name: compared_drawing(networks, picture) for name, picture in pictures.items()},
    )


def _rank(path: Path) -> None:
    from vtbridge.training.evaluate.ranking import ranking, read_comparisons

    typer.echo(f"{'configuration':14} {'score':>7}  {'95 %':>15}  comparisons")
    for rank in ranking(read_comparisons(path)):
        span = f"{rank.low:6.2f} to {rank.high:5.2f}"
        typer.echo(f"{rank.name:14} {rank.score:7.2f}  {span:>15}  {rank.comparisons:11d}")
