"""The throw-away process that opens ``.pt`` files: ``python -m vtbridge.render.weights.converter``.

Reads a ``ConversionJob`` as JSON on stdin and writes one JSON line a file to stdout. A
``.pt`` file is a pickle: nothing but this process ever parses one.
"""

from __future__ import annotations

import io
import os
import sys
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from vtbridge.errors import WeightsError
from vtbridge.render.models.reference_keys import state_dict_from_reference
from vtbridge.render.models.tha3 import AnyNetworks, networks_of
from vtbridge.render.models.tha4_student import STUDENT_VARIANT, StudentNetwork
from vtbridge.render.models.tha4_student_keys import student_state_from_author
from vtbridge.render.models.variants import VARIANTS, BlockKind, Family
from vtbridge.render.weights.confinement import forbid_side_effects, limit_resources
from vtbridge.render.weights.conversion_job import ConversionFile, ConversionJob, ConversionResult

_MAX_STORAGES = 10_000
_CPU_S = 300
_MEMORY_SLACK = 512 << 20


def main() -> None:
    """Convert the job on stdin."""
    job = ConversionJob.model_validate_json(sys.stdin.buffer.read())
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not look like a result
    torch.set_num_threads(1)
    _load_what_is_needed_later()
    networks = _networks_without_memory({file.family for file in job.files})
    largest = max((file.source.stat().st_size for file in job.files), default=0)
    limit_resources(
        memory_bytes=4 * largest + _MEMORY_SLACK,
        file_bytes=2 * largest + (1 << 20),
        cpu_s=_CPU_S,
    )
    forbid_side_effects(job.output)
    for file in job.files:
        out.write(_convert(file, networks).model_dump_json() + "\n")
        out.flush()


def _convert(file: ConversionFile, networks: Mapping[str, AnyNetworks]) -> ConversionResult:
    try:
        state = _load_state(file.source)
        if isinstance(file.network, StudentNetwork):
            variant = STUDENT_VARIANT
            ours = student_state_from_author(file.network, state)
        else:
            variant = _variant_of(state, file.family)
            ours = state_dict_from_reference(networks[variant][file.network], state)
        if odd := [name for name, tensor in ours.items() if not torch.isfinite(tensor).all()]:
            raise WeightsError(f"{odd[0]} holds numbers that are not finite")
        packed = {name: tensor.contiguous() for name, tensor in ours.items()}
        file.target.write_bytes(save(packed, {"variant": variant}))
    except WeightsError as error:
        return _refused(file, error, "download it again from its author")
    except (OSError, MemoryError, RuntimeError) as error:
        return _refused(file, error, "free some memory and disk space, and try again")
    return ConversionResult(network=file.network, variant=variant)


def _refused(file: ConversionFile, error: Exception, remedy: str) -> ConversionResult:
    problem = str(error).partition("\n")[0] or "out of memory"
    # Who started this knows better where the file comes from.
    problem = problem.removeprefix(f"{file.source.name.removesuffix('.part')}: ")
    return ConversionResult(network=file.network, problem=f"{problem}; {remedy}")


def _load_state(path: Path) -> dict[str, Tensor]:
    _check_container(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise WeightsError(f"refused, not a plain state dict ({reason})") from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) and tensor.layout is torch.strided
        for name, tensor in state.items()
    ):
        raise WeightsError("refused, not a dict of dense tensors")
    return state


def _check_container(path: Path) -> None:
    # torch writes zip members uncompressed; a compressed one could be a bomb, and the
    # formats before the zip one are bare pickles.
    try:
        with zipfile.ZipFile(path) as container:
            members = container.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise WeightsError(f"refused, not a file of torch.save ({error})") from error
    size = path.stat().st_size
    if len(members) > _MAX_STORAGES or any(
        member.compress_type != zipfile.ZIP_STORED or member.file_size > size for member in members
    ):
        raise WeightsError("refused, no file that torch.save would write")


def _variant_of(state: dict[str, Tensor], family: Family) -> str:
    separable = any(t.ndim == 4 and t.shape[1] == 1 < t.shape[0] for t in state.values())
    kind = BlockKind.SEPARABLE if separable else BlockKind.PLAIN
    types = {str(tensor.dtype).removeprefix("torch.") for tensor in state.values()}
    for variant in VARIANTS.values():
        if (variant.family, variant.kind) == (family, kind) and types == {variant.weights_dtype}:
            return variant.name
    raise WeightsError(f"tensors of {', '.join(sorted(types)) or 'nothing'} belong to no variant")


def _networks_without_memory(families: Collection[Family]) -> dict[str, AnyNetworks]:
    with torch.device("meta"):
        return {
            variant.name: networks_of(variant)
            for variant in VARIANTS.values()
            if variant.family in families
        }


def _load_what_is_needed_later() -> None:
    # torch and safetensors import parts of themselves at first use.
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(1)}, buffer)
    buffer.seek(0)
    save(torch.load(buffer, map_location="cpu", weights_only=True))


if __name__ == "__main__":
    main()
