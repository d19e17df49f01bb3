"""`vtbridge evaluate`: how well trained networks do, in numbers and for the eye."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

_MEASURE = "run"


class _Measuring(TyperGroup):
    """Take the name of a run where a command could stand: measuring is what is meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = {*self.commands, *ctx.help_option_names}
        if args and args[0] not in known:
            args = [_MEASURE, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Measuring,
    help="Tell how well trained networks do: vtbridge evaluate RUN --data DIR.",
    no_args_is_help=True,
)


@app.command(_MEASURE)
def run(
    run: Annotated[Path, typer.Argument(help="Folder of a run, of `vtbridge train`.")],
    data: Annotated[
        Path, typer.Option("--data", help="The data set it learnt from.", metavar="DIR")
    ],
    split: Annotated[
        str, typer.Option(help="Whom to look at: test, validation or train.")
    ] = "test",
    examples: Annotated[
        int, typer.Option(min=0, help="How many poses, spread evenly; 0 takes all.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Write a report to look at here.", metavar="DIR"),
    ] = None,
    drawings: Annotated[
        list[str] | None,
        typer.Option(
            "--drawing",
            "-d",
            "--drawings",
            help="Show this character in the report too: a built-in name or a picture. Repeat it.",
            metavar="NAME|PICTURE",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Measure the networks of a run on characters that they did not learn from.

    Each of the eight configurations of version 1's write-up that the run has trained answers
    the same examples. The report has the table, plots over the pose, the worst answers, and a
    blind comparison of pictures side by side, whose choices `vtbridge evaluate rank` ranks.

    Examples:
      vtbridge evaluate runs/small --data data/small
      vtbridge evaluate runs/small --data data/small -o report -d michi -d yuki
      vtbridge evaluate rank choices.csv
    """
    import json as json_format

    from vtbridge.app.characters import open_picture
    from vtbridge.cli.evaluate_tables import print_report
    from vtbridge.cli.progress import shown_progress
    from vtbridge.clock import MonotonicClock
    from vtbridge.errors import ConfigError
    from vtbridge.training.dataset.examples import Examples
    from vtbridge.training.dataset.manifest import read_manifest
    from vtbridge.training.dataset.split import Split
    from vtbridge.training.dataset.true_flow import reopening
    from vtbridge.training.evaluate.measure import chosen, measure, one_of_each
    from vtbridge.training.evaluate.networks import TrainedRun
    from vtbridge.training.evaluate.regions import regions
    from vtbridge.training.evaluate.report import report_of
    from vtbridge.training.evaluate.rest import rest_psnr_db

    if split not in set(Split):
        raise ConfigError(f"--split {split}: take one of {', '.join(Split)}")
    side = Split(split)
    if drawings and out is None:
        raise ConfigError("--drawing needs a report to show it in: name its folder with -o")
    manifest = read_manifest(data)
    networks = TrainedRun(run)
    pictures = [open_picture(name) for name in drawings or ()]
    reopen = reopening(manifest)
    with Examples(data, side) as found, shown_progress(MonotonicClock()) as told:
        numbers = chosen(len(found), examples)
        measured = measure(networks, found, numbers, told, reopen)
        each = one_of_each(found, numbers)
        report = report_of(
            networks,
            measured,
            regions(networks, each, reopen),
            rest_psnr_db(networks, each),
            name=run.resolve().name,
            digest=manifest.digest,
            split=side,
        )
        if out is not None:
            from vtbridge.training.evaluate.page import write_page

            write_page(out, report, networks, found, measured, pictures, told)
    if json:
        typer.echo(json_format.dumps(report))
        return
    print_report(report)
    if out is not None:
        typer.echo(f"Look at it: {out / 'index.html'}")


@app.command()
def rank(
    choices: Annotated[Path, typer.Argument(help="CSV file that the report's comparison gave.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Rank configurations by what was chosen in the blind comparison (Bradley-Terry).

    A score is the logarithm of a strength: 1 more is chosen about 73 times of 100.
    """
    import json as json_format

    from vtbridge.cli.evaluate_tables import print_ranking
    from vtbridge.training.evaluate.ranking import ranking, read_choices

    made = read_choices(choices)
    ranks = ranking(made)
    if json:
        found: dict[str, Any] = {"choices": len(made), "ranks": [asdict(each) for each in ranks]}
        typer.echo(json_format.dumps(found))
    else:
        print_ranking(ranks)
