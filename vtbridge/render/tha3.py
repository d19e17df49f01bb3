"""Pose a picture with the networks of Talking Head Anime 3, computing nothing twice."""

from __future__ import annotations

from typing import Generic

import numpy as np

from vtbridge.datatypes import PICTURE_SIZE, F32Array, Picture, U8Array, clamp_pose, read_only
from vtbridge.errors import InferenceError
from vtbridge.pose_params import BROW_SLICE, FACE_SLICE, POSE_SIZE, ROTATION_SLICE
from vtbridge.render.alpha import network_from_straight, premultiplied_from_network
from vtbridge.render.models.crops import BROW_CROP, FACE_CROP, Crop
from vtbridge.render.models.signatures import Stage
from vtbridge.render.poser import Poser
from vtbridge.render.runtimes.runtime import ArrayT, Runtime, RuntimeRequest, open_runtime
from vtbridge.render.settings import RenderSettings
from vtbridge.render.weights.store import WeightStore
from vtbridge.telemetry import Telemetry


class _Kept(Generic[ArrayT]):
    """What was computed last for one part of the pose."""

    def __init__(self, part: slice) -> None:
        self._part = part
        self._values: F32Array | None = None
        self.output: tuple[ArrayT, ...] = ()

    def fits(self, values: F32Array) -> bool:
        """Return True if ``output`` was computed for this part of ``values``."""
        return self._values is not None and np.array_equal(self._values, values[self._part])

    def keep(self, values: F32Array, output: tuple[ArrayT, ...]) -> None:
        """Remember the output that belongs to this part of ``values``."""
        self._values = values[self._part]
        self.output = output

    def forget(self) -> None:
        """Fit nothing until the next ``keep``."""
        self._values = None
        self.output = ()


class Tha3Poser(Generic[ArrayT]):
    """A poser that runs only the stages whose part of the pose has changed.

    In a live stream brows and face stay as they are for many frames, and a still pose
    costs nothing at all. The time of each stage that did run goes to
    ``render.<stage>``, that of the conversion to 8 bits to ``render.convert``.

    Args:
        runtime: runs the stages; closed with the poser.
        telemetry: where times are counted.
    """

    def __init__(self, runtime: Runtime[ArrayT], telemetry: Telemetry) -> None:
        self._runtime = runtime
        self._telemetry = telemetry
        self._picture: ArrayT | None = None
        self._face_crop: ArrayT | None = None
        self._layers: tuple[ArrayT, ...] = ()
        self._brows: _Kept[ArrayT] = _Kept(BROW_SLICE)
        self._face: _Kept[ArrayT] = _Kept(FACE_SLICE)
        self._body: _Kept[ArrayT] = _Kept(ROTATION_SLICE)
        shape = (PICTURE_SIZE, PICTURE_SIZE, 4)
        # Two, so that the frame handed out last survives a conversion that fails.
        self._shown, self._spare = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        self._shown_is_current = False
        self._repeated = False

    @property
    def repeated(self) -> bool:
        """True if the last ``render`` gave the same frame as the one before it."""
        return self._repeated

    def describe(self) -> str:
        """Return what computes, and how exactly, such as ``openvino f32 CPU``."""
        return self._runtime.describe()

    def set_picture(self, picture: Picture) -> None:
        """Show ``picture`` from the next frame on; runs the decomposer.

        Raises:
            InferenceError: the runtime failed; no picture is shown any more.
        """
        self._forget()
        self._picture = self._face_crop = None
        planes = network_from_straight(picture.rgba)[None]
        self._layers = self._run(Stage.DECOMPOSE, self._upload_crop(planes, BROW_CROP))
        # Checked here because the layers are used for as long as the picture is shown.
        if not all(np.isfinite(self._runtime.download(layer)).all() for layer in self._layers):
            raise InferenceError(
                f"the eyebrow decomposer gave numbers that are not finite for {picture.name!r} "
                f"on {self.describe()}"
            )
        self._face_crop = self._upload_crop(planes, FACE_CROP)
        self._picture = self._runtime.upload(planes)

    def render(self, values: F32Array) -> U8Array:
        """Return the premultiplied frame of a pose; see ``Poser.render``."""
        frame = self._frame(values)
        self._repeated = self._shown_is_current
        if not self._shown_is_current:
            try:
                with self._telemetry.timed("render.convert"):
                    premultiplied_from_network(self._runtime.download(frame)[0], self._spare)
            except InferenceError:
                self._forget()
                raise
            self._shown, self._spare = self._spare, self._shown
            self._shown_is_current = True
        return self._shown

    def render_float(self, values: F32Array) -> F32Array:
        """Return the networks' own output of a pose; see ``Poser.render_float``."""
        frame = self._frame(values)
        try:
            planes = self._runtime.download(frame)[0]
            if not np.isfinite(planes).all():
                raise InferenceError(f"{self.describe()} gave numbers that are not finite")
        except InferenceError:
            self._forget()
            raise
        return read_only(planes)

    def close(self) -> None:
        """Give back what is held; nothing else may be called afterwards."""
        self._forget()
        self._picture = self._face_crop = None
        self._layers = ()
        self._runtime.close()

    def _frame(self, values: F32Array) -> ArrayT:
        """Return the output of the last stage for ``values``, kept or computed."""
        if self._picture is None or self._face_crop is None:
            raise InferenceError("there is no picture to pose; call set_picture first")
        pose = _checked(values)
        try:
            if not self._brows.fits(pose):
                self._face.forget()
                brows = self._run(Stage.BROWS, *self._layers, self._part(pose, BROW_SLICE))
                self._brows.keep(pose, brows)
            if not self._face.fits(pose):
                self._body.forget()
                face = self._run(
                    Stage.FACE, self._face_crop, *self._brows.output, self._part(pose, FACE_SLICE)
                )
                self._face.keep(pose, face)
            if not self._body.fits(pose):
                self._shown_is_current = False
                rotation = self._part(pose, ROTATION_SLICE)
                rotated = self._run(Stage.ROTATE, self._picture, *self._face.output, rotation)
                self._body.keep(pose, self._run(Stage.EDIT, *rotated, rotation))
        except InferenceError:
            self._forget()
            raise
        (frame,) = self._body.output
        return frame

    def _run(self, stage: Stage, *inputs: ArrayT) -> tuple[ArrayT, ...]:
        with self._telemetry.timed(f"render.{stage}"):
            return self._runtime.run(stage, *inputs)

    def _part(self, pose: F32Array, part: slice) -> ArrayT:
        return self._runtime.upload(pose[None, part])

    def _upload_crop(self, planes: F32Array, crop: Crop) -> ArrayT:
        return self._runtime.upload(np.ascontiguousarray(planes[:, :, crop.rows, crop.columns]))

    def _forget(self) -> None:
        # After a failure nothing computed on the way is trusted either.
        self._shown_is_current = False
        for kept in (self._brows, self._face, self._body):
            kept.forget()


def open_poser(
    settings: RenderSettings, telemetry: Telemetry, *, store: WeightStore | None = None
) -> Poser:
    """Open a poser as ``settings`` say; a picture has still to be set.

    Args:
        settings: which weights, on what.
        telemetry: where the poser counts its times.
        store: where the weights are; None takes the user's own.

    Raises:
        RuntimeUnavailable: nothing on this machine can run as asked.
        WeightsError: the weights are absent, damaged, or not prepared for the runtime.
    """
    request = RuntimeRequest(
        store=WeightStore() if store is None else store,
        weights=settings.weights,
        device=settings.device,
        precision=settings.precision,
        threads=settings.threads,
    )
    return Tha3Poser(open_runtime(settings.runtime, request), telemetry)


def _checked(values: F32Array) -> F32Array:
    if values.shape != (POSE_SIZE,) or values.dtype != np.float32:
        raise ValueError(f"a pose is float32 [{POSE_SIZE}], not {values.dtype} {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("a pose holds a value that is not finite")
    return clamp_pose(values)
