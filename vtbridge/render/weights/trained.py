"""What ``vtbridge train`` made: the networks of THA1 in a run's folder become an entry.

A run holds ``morpher.safetensors``, rotators and combiners, each by the loss that it learnt
with. Their metadata say how large they are. Nothing is converted: tensors have our names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import (
    VARIANTS,
    Network,
    NetworkShape,
    Tha3Variant,
    check_sizes,
)
from vtbridge.render.weights.archive import copy_file
from vtbridge.render.weights.install import (
    blank_record,
    check_free_space,
    install_files,
    staging,
)
from vtbridge.render.weights.manifest import EntryKind, check_name
from vtbridge.render.weights.progress import Progress
from vtbridge.render.weights.record import Record, StoredFile
from vtbridge.render.weights.store import WeightStore
from vtbridge.render.weights.tensors import parse_tensors

TRAINED_VARIANT = "tha1"
"""Whose parts the networks of a run play, in sizes of their own."""

_MORPHER = "morpher.safetensors"
_LOSSES = ("perceptual", "l1")
_MAX_FILE_BYTES = 256 << 20
_NAMES = {
    Network.FACE_MORPHER: "morpher",
    Network.BODY_ROTATOR: "rotator",
    Network.EDITOR: "combiner",
}
_LIMITS = {
    "image_size": 256,
    "start_channels": 256,
    "bottleneck_size": 256,
    "bottleneck_blocks": 32,
    "max_channels": 4096,
}


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """One file of a run, read and checked.

    Attributes:
        shape: its sizes, as its metadata tell them.
        arrays: its tensors.
    """

    shape: NetworkShape
    arrays: Mapping[str, NDArray[Any]]


def trained_networks(folder: Path) -> dict[Network, Path] | None:
    """Return the files of a run that belong together, None if ``folder`` is no run.

    Of several the combiner with the perceptual loss is taken, over the rotator with it, which
    the paper found best.

    Raises:
        WeightsError: a rotator or its combiner is not there.
    """
    if not (folder / _MORPHER).is_file():
        return None
    for rotator in _LOSSES:
        for combiner in _LOSSES:
            found = {
                Network.FACE_MORPHER: folder / _MORPHER,
                Network.BODY_ROTATOR: folder / f"rotator-{rotator}.safetensors",
                Network.EDITOR: folder / f"combiner-{rotator}-{combiner}.safetensors",
            }
            if all(path.is_file() for path in found.values()):
                return found
    raise WeightsError(
        f"{folder} has a morpher but no rotator with its combiner, such as rotator-l1.safetensors "
        "and combiner-l1-l1.safetensors: train those stages too"
    )


def import_trained(
    store: WeightStore,
    folder: Path,
    files: Mapping[Network, Path],
    name: str | None,
    progress: Progress,
) -> str:
    """Take a run's networks into the store; the caller holds the store's lock.

    Args:
        store: where to.
        folder: of the run.
        files: from ``trained_networks``.
        name: entry to store them as; None makes ``tha1-<folder>``.
        progress: told about copying.

    Returns:
        The entry's name.

    Raises:
        WeightsError: a file is damaged or none of ours, the sizes do not fit together, or the
            name belongs to other networks.
    """
    name = check_name(name or _name_of(folder))
    record = _record(store, folder, name)
    progress.begin(f"copying {folder.name}", len(files))
    with staging(store, "import") as staged:
        check_free_space(staged, sum(path.stat().st_size for path in files.values()))
        parts: dict[str, tuple[Path, StoredFile]] = {}
        read: dict[Network, TrainedNetwork] = {}
        for network, path in files.items():
            part = staged / f"{network.weight_file}.part"
            copied = copy_file(path, part, limit=_MAX_FILE_BYTES)
            read[network] = read_trained(part.read_bytes(), network, str(path))
            stored = StoredFile(
                file=network.weight_file,
                sha256=copied.sha256,
                size=copied.size,
                source_sha256=copied.sha256,
                source_size=copied.size,
            )
            parts[network.value] = (part, stored)
            progress.reach(len(parts))
        shapes = {network: one.shape for network, one in read.items()}
        variant = replace(VARIANTS[TRAINED_VARIANT], shapes=MappingProxyType(shapes))
        _check_tensors(variant, {network: one.arrays for network, one in read.items()}, files)
        record = record.model_copy(update={"shapes": shapes})
        install_files(store.own_directory(name), record, parts)
    return name


def read_trained(content: bytes, network: Network, where: str) -> TrainedNetwork:
    """Return a file's sizes and tensors.

    Args:
        content: of the file.
        network: which one it should be.
        where: the file, for messages.

    Raises:
        WeightsError: it is damaged, holds numbers that are not finite, or another network.
    """
    try:
        arrays = parse_tensors(content)
    except WeightsError as error:
        raise WeightsError(f"{where} is {error}") from error
    length = int.from_bytes(content[:8], "little")
    about = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    if about.get("network") != _NAMES[network]:
        raise WeightsError(
            f"{where} says that it is a {about.get('network', 'network of no name')!r}, not a "
            f"{_NAMES[network]}: take the files as `vtbridge train` wrote them"
        )
    sizes = {}
    for key, limit in _LIMITS.items():
        text = about.get(key, "")
        if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= limit:
            raise WeightsError(f"{where}: {key} is {text!r}, not a number from 1 to {limit}")
        sizes[key] = int(text)
    for key, array in arrays.items():
        if not np.isfinite(array).all():
            raise WeightsError(f"{where}: {key} holds numbers that are not finite: train it anew")
    return TrainedNetwork(NetworkShape(**sizes), arrays)


def _check_tensors(
    variant: Tha3Variant,
    arrays: Mapping[Network, Mapping[str, NDArray[Any]]],
    files: Mapping[Network, Path],
) -> None:
    """Refuse tensors that networks of these sizes do not have.

    Raises:
        WeightsError: one is missing, too many or of another shape; or sizes do not fit.
    """
    import torch

    from vtbridge.render.models.tha3 import networks_of

    check_sizes(variant)
    with torch.device("meta"):
        networks = networks_of(variant)
    for network, module in networks.as_dict().items():
        wanted = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        given = {key: array.shape for key, array in arrays[network].items()}
        odd = sorted(
            key for key in wanted.keys() | given.keys() if wanted.get(key) != given.get(key)
        )
        if odd:
            there, asked = given.get(odd[0], "nothing"), wanted.get(odd[0], "nothing")
            raise WeightsError(
                f"{files[network]}: {odd[0]} is {there} where its sizes ask for {asked}, "
                f"{len(odd)} such: take the file as `vtbridge train` wrote it"
            )


def _record(store: WeightStore, folder: Path, name: str) -> Record:
    source = f"imported from {folder.resolve().name}"
    entry = store.manifest.entries.get(name)
    if entry is None:
        return Record(
            kind=EntryKind.NETWORKS,
            variant=TRAINED_VARIANT,
            author="not stated",
            license="not stated",
            credit="",
            source=source,
            files={},
        )
    if entry.variant != TRAINED_VARIANT:
        raise WeightsError(f"{name} is {entry.title}, not what was trained: take another name")
    return blank_record(entry, source)


def _name_of(folder: Path) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")
    return f"tha1-{plain or 'trained'}"[:64].rstrip("-")
