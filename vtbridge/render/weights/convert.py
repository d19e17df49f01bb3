"""From ``.pt`` files whose hashes are known to files of the store, through a throw-away process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import Family
from vtbridge.render.weights.conversion_job import (
    AnyNetwork,
    ConversionFile,
    ConversionJob,
    ConversionResult,
)
from vtbridge.render.weights.record import StoredFile, sha256_of
from vtbridge.render.weights.throwaway import run_throwaway

_OUTPUT_PREFIX = "convert-"
_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Source:
    """A ``.pt`` file in the staging folder, hashed before anything parses it.

    Attributes:
        network: which network it should hold.
        origin: where the user finds it, such as ``models.zip: standard_float/editor.pt``.
        path: where its copy lies.
        sha256: of the copy.
        size: of the copy, bytes.
        family: of which system the network is.
    """

    network: AnyNetwork
    origin: str
    path: Path
    sha256: str
    size: int
    family: Family = Family.THA3


@dataclass(frozen=True, slots=True)
class Converted:
    """A finished safetensors file, still in the staging folder.

    Attributes:
        network: which network it holds.
        path: where it lies now.
        variant: which variant its tensors belong to.
        stored: what the record will say about it.
    """

    network: AnyNetwork
    path: Path
    variant: str
    stored: StoredFile


def convert(
    sources: Sequence[Source], staging: Path, finished: Callable[[Converted], None]
) -> None:
    """Convert ``sources`` in one throw-away process, handing on each file when it is done.

    Args:
        sources: what to convert.
        staging: where finished files lie until they are installed.
        finished: called with every converted file, in the order of ``sources``.

    Raises:
        WeightsError: a file is refused; those before it were handed on. The message names
            the file's origin and the remedy.
    """
    by_network = {source.network: source for source in sources}
    problems: list[str] = []
    for left_behind in staging.glob(f"{_OUTPUT_PREFIX}*"):
        shutil.rmtree(left_behind)
    # A folder of its own: a process orphaned by kill -9 cannot write into a later run's files.
    with tempfile.TemporaryDirectory(prefix=_OUTPUT_PREFIX, dir=staging) as name:
        output = Path(name)

        def told(line: str) -> None:
            result = ConversionResult.model_validate_json(line)
            if result.problem:
                problems.append(f"{by_network[result.network].origin}: {result.problem}")
            if not problems:
                source = by_network.pop(result.network)
                finished(_converted(source, output, staging, result.variant))

        try:
            run_throwaway(
                "vtbridge.render.weights.converter",
                _job(sources, output).model_dump_json(),
                what="converting it",
                timeout_s=_TIMEOUT_S,
                told=told,
            )
        except WeightsError as error:
            if problems or not by_network:
                raise
            # It answers in order, so it was at the first file without an answer.
            busy_with = next(iter(by_network.values()))
            raise WeightsError(
                f"{busy_with.origin}: {error}. Download it again from its author"
            ) from error
    if problems:
        raise WeightsError(problems[0])
    if by_network:
        raise WeightsError(f"converting the weights left out {', '.join(by_network)}")


def _job(sources: Sequence[Source], output: Path) -> ConversionJob:
    files = tuple(
        ConversionFile(
            network=source.network,
            family=source.family,
            source=source.path,
            target=output / source.network.weight_file,
        )
        for source in sources
    )
    return ConversionJob(output=output, files=files)


def _converted(source: Source, output: Path, staging: Path, variant: str) -> Converted:
    path = staging / (source.network.weight_file + ".part")
    (output / source.network.weight_file).replace(path)
    stored = StoredFile(
        file=source.network.weight_file,
        sha256=sha256_of(path),
        size=path.stat().st_size,
        source_sha256=source.sha256,
        source_size=source.size,
    )
    return Converted(source.network, path, variant, stored)
