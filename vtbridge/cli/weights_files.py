"""``vtbridge weights prepare`` and ``export``: the networks as files of other runtimes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vtbridge.cli.weights_store import StepBar, StoreOption, opened_store, tell_waiting


class FilePrecision(StrEnum):
    """Numbers that exported networks compute with."""

    F32 = "f32"
    F16 = "f16"


class FileRuntime(StrEnum):
    """Runtimes that load files of their own."""

    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"


PrecisionOption = Annotated[
    FilePrecision,
    typer.Option(
        "--precision",
        help="f32 is exact; f16 is for GPUs: networks in float16, pictures and poses in float32.",
    ),
]


def prepare(
    name: Annotated[
        str, typer.Argument(help="Which weights; `vtbridge weights list` names them.")
    ] = "tha3-separable-float",
    runtime: Annotated[
        FileRuntime, typer.Option("--for", help="The runtime that shall load them.")
    ] = FileRuntime.OPENVINO,
    precision: PrecisionOption = FilePrecision.F32,
    store_folder: StoreOption = None,
) -> None:
    """Make the files that a runtime loads in place of the weights, inside the store.

    Takes some seconds. What is there and whole is not made again.

    Examples:
      vtbridge weights prepare
      vtbridge weights prepare --for onnxruntime
      vtbridge weights prepare --for onnxruntime --precision f16
    """
    from vtbridge.render.settings import Precision, RuntimeName
    from vtbridge.render.weights.runtime_files import prepare_runtime

    store = opened_store(store_folder)
    console = Console(stderr=True)
    with StepBar(console) as bar:
        made = prepare_runtime(
            store,
            name,
            RuntimeName(runtime),
            bar,
            lambda: tell_waiting(console),
            precision=Precision(precision),
        )
    state = "is ready" if made else "was ready already, nothing to do,"
    typer.echo(f"{name} {state} for {runtime}")


def export(
    name: Annotated[
        str, typer.Argument(help="Which weights; `vtbridge weights list` names them.")
    ] = "tha3-separable-float",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Where to write; NAME-onnx-PRECISION in the current folder by default.",
        ),
    ] = None,
    precision: PrecisionOption = FilePrecision.F32,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    store_folder: StoreOption = None,
) -> None:
    """Write the networks as ONNX files, one a stage, for other programs.

    Shapes are static, inputs and outputs float32. Needs the packages onnx and onnxscript.

    Examples:
      vtbridge weights export
      vtbridge weights export tha3-separable-float -o networks --force
      vtbridge weights export --precision f16
    """
    from vtbridge.render.runtimes.onnx_files import export_onnx
    from vtbridge.render.settings import Precision

    store = opened_store(store_folder)
    target = output or Path(f"{name}-onnx-{precision}")
    with StepBar(Console(stderr=True)) as bar:
        written = export_onnx(store, name, target, Precision(precision), bar, force=force)
    for path in written:
        typer.echo(path)
