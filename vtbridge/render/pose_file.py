"""Recorded poses: a JSON list of 45-number lists, plain or gzipped."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from pathlib import Path

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.errors import ConfigError
from vtbridge.pose_params import POSE_SIZE

_SIZE_LIMIT = 1 << 28


def read_poses(path: Path) -> F32Array:
    """Read recorded poses.

    Args:
        path: ``poses.json`` or ``poses.json.gz``.

    Returns:
        float32 [N, 45], N >= 1; values outside a parameter's range are kept, a poser
        clamps them.

    Raises:
        ConfigError: it cannot be read, or a pose is not 45 finite numbers; the message
            names the file and the index.
    """
    return np.array([_checked(path, i, pose) for i, pose in enumerate(_read(path))], np.float32)


def _read(path: Path) -> list[object]:
    try:
        # A few bytes of gzip can unpack to more than the memory.
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(_SIZE_LIMIT + 1)
        if len(content) > _SIZE_LIMIT:
            raise ConfigError(f"{path} holds more than {_SIZE_LIMIT >> 20} MiB; split it")
        poses = json.loads(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(poses, list) or not poses:
        raise ConfigError(f"{path} must hold a list of poses, [[45 numbers], ...], at least one")
    return poses


def _checked(path: Path, index: int, pose: object) -> list[float]:
    where = f"{path}: pose {index}"
    if not isinstance(pose, list) or len(pose) != POSE_SIZE:
        what = f"has {len(pose)} entries" if isinstance(pose, list) else f"is {pose!r:.40}"
        raise ConfigError(f"{where} {what} instead of {POSE_SIZE} numbers")
    for place, value in enumerate(pose):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not _fits_float32(value):
            raise ConfigError(f"{where}, number {place} is {value!r:.40}, which no pose can hold")
    return pose


def _fits_float32(value: float) -> bool:
    try:
        return math.isfinite(value) and abs(value) <= float(np.finfo(np.float32).max)
    except OverflowError:  # a whole number of hundreds of digits
        return False
