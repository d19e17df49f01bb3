"""Stored answers to the test card: what every runtime must give for one set of weights.

The plain networks made them once, in float32 on PyTorch (``golden_process``). Those of
published weights lie beside this file; those of weights brought by hand lie in their
entry of the store. Numbers at a few hundred places of every output, nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from vtbridge.atomic_file import write_atomically
from vtbridge.datatypes import F32Array
from vtbridge.errors import WeightsError
from vtbridge.render.models.signatures import Shape, Stage
from vtbridge.render.models.variants import Network
from vtbridge.render.selection.card import CARD_REVISION, POSES
from vtbridge.render.weights.manifest import Sha256
from vtbridge.render.weights.record import Record, read_bounded
from vtbridge.render.weights.store import WeightStore
from vtbridge.render.weights.throwaway import run_throwaway

log = logging.getLogger(__name__)

GOLDEN_FILE = "selftest.json"
"""Its name in an entry's folder."""

ALONE = frozenset({Stage.DECOMPOSE})
"""Stages that never see the pose, so that one answer serves all poses."""

_FORMAT = 1
_LIMIT = 1 << 20
_TIMEOUT_S = 300.0
_PLACES = 160
_UNPICTURED = 512
"""Values taken of an output that is no picture."""

_PICTURE_CHANNELS = 4
_SEED = 20


class Golden(BaseModel):
    """The answers for one set of weights.

    Attributes:
        sources: sha256 of the author's file of each network.
        answers: base64 of little-endian float32 at the places of each output, by key.
        sha256: of all answers in the order of their keys.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Annotated[int, Field(ge=_FORMAT, le=_FORMAT)] = _FORMAT
    card: int = CARD_REVISION
    sources: dict[Network, Sha256]
    answers: dict[str, str]
    sha256: Sha256

    def answer(self, pose: int, stage: Stage, output: str) -> F32Array:
        """Return what an output gives at its places, float32 [channels, places].

        Raises:
            KeyError: nothing is stored about it.
        """
        content = base64.b64decode(self.answers[key_of(pose, stage, output)])
        values = np.frombuffer(content, "<f4").astype(np.float32)
        return values.reshape(channels_of(stage, output), -1)


def channels_of(stage: Stage, output: str) -> int:
    """Return how many channels are judged apart; features, which mean nothing alone, as one."""
    if stage is Stage.DECOMPOSE and output == "encoded":
        return 1
    return 2 if output.endswith("_change") else _PICTURE_CHANNELS


def key_of(pose: int, stage: Stage, output: str) -> str:
    """Return the key of an answer, such as ``0.edit.alpha``."""
    return f"{0 if stage in ALONE else pose}.{stage}.{output}"


def places_of(stage: Stage, output: str, shape: Shape) -> NDArray[np.intp]:
    """Return which values of an output of ``shape`` are stored, flat, [channels, places].

    Scattered by a generator that Python promises never to change; every fourth lies on
    the outermost lines, where kernels go wrong first.
    """
    # Not for secrets: the same numbers everywhere.
    draw = random.Random(f"{_SEED} {stage} {output}")  # noqa: S311
    size = int(np.prod(shape))
    if channels_of(stage, output) == 1:
        return np.array([[int(draw.random() * size) for _ in range(_UNPICTURED)]], np.intp)
    _, channels, height, width = shape
    places = []
    for index in range(_PLACES):
        y, x = int(draw.random() * height), int(draw.random() * width)
        if index % 4 == 0:
            y, x = [(0, x), (height - 1, x), (y, 0), (y, width - 1)][index // 4 % 4]
        places.append(y * width + x)
    starts = np.arange(channels, dtype=np.intp) * (height * width)
    return starts[:, None] + np.array(places, np.intp)[None]


def build_golden(
    sources: Mapping[Network, str], outputs: Mapping[tuple[int, Stage, str], F32Array]
) -> Golden:
    """Return the answers that whole outputs, by pose, stage and name, amount to."""
    answers = {}
    for (pose, stage, name), array in outputs.items():
        values = array.reshape(-1)[places_of(stage, name, array.shape)]
        answers[key_of(pose, stage, name)] = base64.b64encode(
            values.astype("<f4").tobytes()
        ).decode()
    return Golden(sources=dict(sources), answers=answers, sha256=_sha256(answers))


def find_golden(store: WeightStore, weights: str) -> Golden | None:
    """Return the answers for ``weights``, shipped or stored beside them, None if there are none.

    A damaged or outdated file counts as none.

    Raises:
        WeightsError: the weights are absent.
    """
    record = store.record(weights)
    store.variant(weights)  # another kind of networks has no such answers
    sources = sources_of(record)
    for path in (*_shipped(), store.directory(weights) / GOLDEN_FILE):
        golden = _read(path)
        if golden is not None and golden.sources == sources:
            return golden
    return None


def make_golden(
    store: WeightStore, weights: str, told: Callable[[str], None] = log.debug
) -> Golden:
    """Compute the answers for ``weights`` and store them beside them; takes some seconds.

    Args:
        store: where the weights are.
        weights: their name.
        told: called when the answers to a pose are there.

    Raises:
        WeightsError: the weights are absent or damaged, or their folder cannot be written.
    """
    directory = store.directory(weights)
    run_throwaway(
        "vtbridge.render.selection.golden_process",
        f"{directory}\n",
        what=f"computing what {weights} should give",
        timeout_s=_TIMEOUT_S,
        told=told,
    )
    golden = find_golden(store, weights)
    if golden is None:
        raise WeightsError(f"{directory / GOLDEN_FILE} was written and is not there")
    return golden


def write_golden(directory: Path, golden: Golden) -> None:
    """Put the answers beside the weights they are for."""
    write_atomically(directory / GOLDEN_FILE, golden.model_dump_json(indent=1).encode() + b"\n")


def sources_of(record: Record) -> dict[Network, str]:
    """Return the sha256 of the author's file of each network."""
    return {
        network: record.files[network].source_sha256
        for network in Network
        if network in record.files
    }


def card_keys() -> Iterator[tuple[int, Stage]]:
    """Yield every pose and stage that has answers of its own."""
    for pose in range(POSES):
        for stage in Stage:
            if pose == 0 or stage not in ALONE:
                yield pose, stage


def _shipped() -> Iterator[Path]:
    yield from sorted(Path(__file__).parent.glob("*.json"))


def _read(path: Path) -> Golden | None:
    try:
        golden = Golden.model_validate_json(read_bounded(path, _LIMIT))
    except (OSError, ValueError):
        return None
    whole = golden.card == CARD_REVISION and golden.sha256 == _sha256(golden.answers)
    return golden if whole else None


def _sha256(answers: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for key in sorted(answers):
        digest.update(f"{key} {answers[key]}\n".encode())
    return digest.hexdigest()
