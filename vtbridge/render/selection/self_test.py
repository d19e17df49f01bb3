"""Let a runtime answer the test card and judge each stage's answer against the stored one.

A right answer in float32 differs by rounding alone, 70 to 140 dB below the signal. Half
precision is coarser than some real faults are (measured: f16 53 dB, bf16 33 dB in the
editor's alpha), so two things are looked at. The *noise*, which may be as large as the
precision makes it; and what rounding never does in any precision: a channel stronger,
weaker or brighter as a whole, or a picture shifted as a whole. A colour that is off by
3 %, or a flow that is off by half a pixel, is found in bf16 too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from types import MappingProxyType
from typing import Any

import numpy as np

from vtbridge.datatypes import PICTURE_SIZE, F32Array
from vtbridge.pose_params import BROW_SLICE, FACE_SLICE, ROTATION_SLICE
from vtbridge.render.models.crops import FACE_CROP, FIRST_CROPS, Crop
from vtbridge.render.models.signatures import Stage, StageSignature
from vtbridge.render.runtimes.runtime import Runtime
from vtbridge.render.selection.card import POSES, card_picture, card_pose
from vtbridge.render.selection.golden import Golden, places_of
from vtbridge.render.settings import Precision

NOISE_LIMITS_DB: Mapping[Precision, float] = MappingProxyType(
    {Precision.F32: 60.0, Precision.F16: 45.0, Precision.BF16: 28.0}
)
"""How far below the signal the noise of each precision must lie."""

_GAIN_LIMIT = 0.015
_BIAS_LIMIT = 0.015
_SHIFT_LIMIT = 0.25 * 2.0 / PICTURE_SIZE
_DEVIATIONS = 4.0
_SILENT = 1e-3
_EXACT_DB = 150.0
_ALL_POSES = range(POSES)


@dataclass(frozen=True, slots=True)
class Grade:
    """What one run of the test gave.

    Attributes:
        problem: the first thing that was wrong, empty if all was right.
        noise_db: how far the noise lies below the signal in the worst output, decibels.
        frame_ms: time of the last pose's stages together, milliseconds.
    """

    problem: str = ""
    noise_db: float = _EXACT_DB
    frame_ms: float = 0.0


class SelfTest:
    """Test runtimes of one set of weights.

    Args:
        golden: what they must give.
        signatures: of their stages.
    """

    def __init__(self, golden: Golden, signatures: Mapping[Stage, StageSignature]) -> None:
        self._golden = golden
        self._signatures = signatures
        (first,) = signatures[Stage.DECOMPOSE].inputs
        self._first_crop = FIRST_CROPS[first]
        # What ``run_again`` starts from.
        self._layers: tuple[F32Array, ...] = ()
        self._face_crop = np.empty(0, np.float32)

    def run(self, runtime: Runtime[Any], poses: range = _ALL_POSES) -> Grade:
        """Test every stage.

        Args:
            runtime: what its stages returned before is no longer valid afterwards.
            poses: of the card; two tell a stale answer from a fresh one.

        Raises:
            InferenceError: ``runtime`` gave no answer.
        """
        return self._graded(runtime, self._all_stages(runtime, poses))

    def run_again(self, runtime: Runtime[Any]) -> Grade:
        """Test brows and face alone, after ``run`` and in between frames.

        Takes a third of a frame's time. What these two stages returned before is no
        longer valid afterwards.

        Raises:
            InferenceError: ``runtime`` gave no answer.
        """
        if not self._layers:
            raise RuntimeError("a runtime is tested as a whole first")
        return self._graded(runtime, self._brows_and_face(runtime))

    def _graded(self, runtime: Runtime[Any], answers: Iterator[_Judged]) -> Grade:
        limit_db = NOISE_LIMITS_DB[runtime.precision]
        worst_db, frame_ms = _EXACT_DB, 0.0
        for judged in answers:
            if judged.problem:
                return Grade(judged.problem, judged.noise_db)
            if judged.noise_db < limit_db:
                return Grade(
                    f"{judged.where} is {judged.noise_db:.0f} dB right where "
                    f"{limit_db:.0f} dB are wanted",
                    judged.noise_db,
                )
            worst_db, frame_ms = min(worst_db, judged.noise_db), judged.frame_ms
        return Grade("", worst_db, frame_ms)

    def _all_stages(self, runtime: Runtime[Any], poses: range) -> Iterator[_Judged]:
        picture = card_picture()
        layers = runtime.run(Stage.DECOMPOSE, runtime.upload(_cut(picture, self._first_crop)))
        kept = tuple(runtime.download(layer).copy() for layer in layers)
        yield from self._judge(Stage.DECOMPOSE, 0, kept, 0.0)
        self._face_crop, self._layers = _cut(picture, FACE_CROP), kept
        face_crop, whole = runtime.upload(self._face_crop), runtime.upload(picture)
        for index in poses:
            start = perf_counter()
            pose = card_pose(index)
            brows = runtime.run(Stage.BROWS, *layers, _part(runtime, pose, BROW_SLICE))
            face = runtime.run(Stage.FACE, face_crop, *brows, _part(runtime, pose, FACE_SLICE))
            rotation = _part(runtime, pose, ROTATION_SLICE)
            rotated = runtime.run(Stage.ROTATE, whole, *face, rotation)
            edited = runtime.run(Stage.EDIT, *rotated, rotation)
            downloaded = [
                (stage, [runtime.download(array) for array in arrays])
                for stage, arrays in (
                    (Stage.BROWS, brows),
                    (Stage.FACE, face),
                    (Stage.ROTATE, rotated),
                    (Stage.EDIT, edited),
                )
            ]
            frame_ms = (perf_counter() - start) * 1e3
            for stage, arrays in downloaded:
                yield from self._judge(stage, index, arrays, frame_ms)

    def _brows_and_face(self, runtime: Runtime[Any]) -> Iterator[_Judged]:
        layers = [runtime.upload(layer) for layer in self._layers]
        face_crop = runtime.upload(self._face_crop)
        for index in _ALL_POSES:
            pose = card_pose(index)
            brows = runtime.run(Stage.BROWS, *layers, _part(runtime, pose, BROW_SLICE))
            yield from self._judge(
                Stage.BROWS, index, [runtime.download(array) for array in brows], 0.0
            )
            face = runtime.run(Stage.FACE, face_crop, *brows, _part(runtime, pose, FACE_SLICE))
            yield from self._judge(
                Stage.FACE, index, [runtime.download(array) for array in face], 0.0
            )

    def _judge(
        self, stage: Stage, pose: int, arrays: Sequence[F32Array], frame_ms: float
    ) -> Iterator[_Judged]:
        outputs = self._signatures[stage].outputs
        if len(arrays) != len(outputs):
            problem = f"{stage} gives {len(arrays)} outputs instead of {len(outputs)}"
            yield _Judged(stage, problem, 0.0, frame_ms)
            return
        for (name, shape), array in zip(outputs.items(), arrays, strict=True):
            where = f"{stage} {name}"
            if array.shape != shape:
                problem = f"{where} has the shape {array.shape} instead of {shape}"
                yield _Judged(where, problem, 0.0, frame_ms)
                return
            given = array.reshape(-1)[places_of(stage, name, shape)]
            yield _judged(where, name, given, self._golden.answer(pose, stage, name), frame_ms)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What one output is worth."""

    where: str
    problem: str
    noise_db: float
    frame_ms: float


def _judged(where: str, name: str, given: F32Array, wanted: F32Array, frame_ms: float) -> _Judged:
    """Judge the values [channels, places] of one output."""
    if not np.isfinite(given).all():
        return _Judged(where, f"{where} holds numbers that are not finite", 0.0, frame_ms)
    signal, error = wanted.astype(np.float64), given.astype(np.float64) - wanted
    power = float((signal**2).mean())
    noise_db = _decibels(power, float((error**2).mean()))
    problem = ""
    for channel, (right, off) in enumerate(zip(signal, error, strict=True)):
        channel_power = float((right**2).mean())
        if channel_power < _SILENT * power:
            continue
        # Neither is believed unless it stands out of what the noise makes of so few places.
        doubt = _DEVIATIONS * float(off.std()) / off.size**0.5
        gain = float((off * right).mean()) / channel_power
        gain_doubt = doubt / channel_power**0.5
        bias = float(off.mean())
        if name == "grid_change" and abs(bias) > max(_SHIFT_LIMIT, doubt):
            pixels = bias * PICTURE_SIZE / 2
            problem = f"{where} is shifted by {pixels:+.2f} pixels along {'xy'[channel]}"
        elif abs(gain) > max(_GAIN_LIMIT, gain_doubt):
            problem = f"{where} is {gain:+.1%} off in channel {channel} ({noise_db:.0f} dB right)"
        elif name != "grid_change" and abs(bias) > max(_BIAS_LIMIT * channel_power**0.5, doubt):
            problem = f"{where} is {bias:+.3f} off in channel {channel} ({noise_db:.0f} dB right)"
        if problem:
            break
    return _Judged(where, problem, noise_db, frame_ms)


def _decibels(power: float, noise: float) -> float:
    if noise <= 0.0:
        return _EXACT_DB
    if power <= 0.0:
        return 0.0
    return min(float(10 * np.log10(power / noise)), _EXACT_DB)


def _part(runtime: Runtime[Any], pose: F32Array, part: slice) -> Any:
    return runtime.upload(np.ascontiguousarray(pose[None, part]))


def _cut(picture: F32Array, crop: Crop) -> F32Array:
    return np.ascontiguousarray(picture[:, :, crop.rows, crop.columns])
