"""Who is compared: the reference, the peers' way, our quality levels, and our runtimes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtbridge.errors import RuntimeUnavailable, WeightsError
from vtbridge.render.benchmark.measure import Contender
from vtbridge.render.benchmark.messages import Job, Kind
from vtbridge.render.benchmark.plain_files import cache_folder, plain_networks
from vtbridge.render.benchmark.reference_wheel import VARIANT, obtain_wheel, unpack_reference
from vtbridge.render.settings import DeviceName, Precision, Quality, RenderSettings, RuntimeName
from vtbridge.render.weights.store import WeightStore

REFERENCE = "reference"
"""The author's PyTorch code."""

PLAIN = "plain onnxruntime"
"""The strongest peer's way on a CPU."""

LEVELS = (Quality.EXACT, Quality.BALANCED, Quality.FAST, Quality.BAKED)
"""From the best down."""

_RUNTIMES = (
    (RuntimeName.NATIVE, Precision.F32),
    (RuntimeName.OPENVINO, Precision.F32),
    (RuntimeName.OPENVINO, Precision.AUTO),
    (RuntimeName.OPENVINO, Precision.BF16),
    (RuntimeName.ONNXRUNTIME, Precision.F32),
    (RuntimeName.PYTORCH, Precision.F32),
)


@dataclass(frozen=True, slots=True)
class Field:
    """What is wanted.

    Attributes:
        weights: name of the weights.
        threads: of inference, 0 for what the settings give.
        runtime: for the quality levels; ``AUTO`` also compares all runtimes.
        quality: the only level wanted, None for all of them and for the runtimes.
        package: of the prepared character, None if it is not; then ``BAKED`` is not compared.
        reference: whether the reference is compared.
        wheel: its wheel; None fetches it.
    """

    weights: str
    threads: int = 0
    runtime: RuntimeName = RuntimeName.AUTO
    quality: Quality | None = None
    package: Path | None = None
    reference: bool = False
    wheel: Path | None = None


def level_name(quality: Quality) -> str:
    """Return the name of the contender that shows a quality level."""
    return f"quality {quality}"


def contenders(
    field: Field, inputs: Path, folder: Path, told: Callable[[str], None]
) -> list[Contender]:
    """Return all contenders, those whose frames are nearest to the truth first.

    Args:
        field: who is wanted.
        inputs: the .npz that their jobs name.
        folder: for what they write and what is unpacked.
        told: called with what takes a while.

    Raises:
        WeightsError: the reference was asked for and cannot be had.
        RuntimeUnavailable: likewise.
    """
    store = WeightStore()
    found = []
    if field.reference:
        found.append(_reference(field, store, inputs, folder, told))
    found.append(_plain(field, store, inputs, told))
    found += [
        _ours(field, inputs, level_name(quality), runtime=field.runtime, quality=quality)
        for quality in _levels(field)
    ]
    found += [
        # On the CPU, which everybody has; the levels run as users' do.
        _ours(
            field,
            inputs,
            f"{runtime} {precision}",
            runtime=runtime,
            precision=precision,
            device=DeviceName.CPU,
            quality=Quality.EXACT,
        )
        for runtime, precision in _RUNTIMES
        if field.quality is None and field.runtime in (RuntimeName.AUTO, runtime)
    ]
    return [_showing(contender, folder / f"{n}.rgba") for n, contender in enumerate(found)]


def _levels(field: Field) -> Sequence[Quality]:
    if field.quality is Quality.BAKED:
        # What it was learnt from is the truth, also where the plain networks cannot be had.
        return Quality.EXACT, Quality.BAKED
    if field.quality is not None:
        return (field.quality,)
    return [level for level in LEVELS if level is not Quality.BAKED or field.package]


def _ours(field: Field, inputs: Path, name: str, **settings: Any) -> Contender:
    package = "" if field.package is None else str(field.package)
    job_settings = RenderSettings(
        weights=field.weights, threads=field.threads, package=package, **settings
    )
    return Contender(name, Job(inputs=inputs, settings=job_settings))


def _reference(
    field: Field, store: WeightStore, inputs: Path, folder: Path, told: Callable[[str], None]
) -> Contender:
    if store.is_ready(field.weights) and store.record(field.weights).variant != VARIANT:
        raise WeightsError(
            f"the wheel of the reference holds only {VARIANT}, not {field.weights}: leave out "
            "--compare and --weights, or one of them"
        )
    told("getting the reference")
    wheel = obtain_wheel(cache_folder() / "wheels") if field.wheel is None else field.wheel
    unpack_reference(wheel, folder / REFERENCE)
    job = Job(
        inputs=inputs,
        settings=RenderSettings(threads=field.threads),
        kind=Kind.REFERENCE,
        folder=folder / REFERENCE,
    )
    return Contender(REFERENCE, job)


def _plain(
    field: Field, store: WeightStore, inputs: Path, told: Callable[[str], None]
) -> Contender:
    told("exporting the plain networks, once")
    try:
        graphs = plain_networks(store, field.weights, lambda graph: None)
    except (RuntimeUnavailable, WeightsError) as error:
        return Contender(PLAIN, problem=str(error))
    settings = RenderSettings(threads=field.threads)
    return Contender(PLAIN, Job(inputs=inputs, settings=settings, kind=Kind.PLAIN, folder=graphs))


def _showing(contender: Contender, shown: Path) -> Contender:
    if contender.job is None:
        return contender
    return Contender(contender.name, contender.job.model_copy(update={"shown": shown}))
