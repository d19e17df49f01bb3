"""Pose a picture with the networks of Talking Head Anime 1 to 4, computing nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic

import numpy as np

from vtbridge.datatypes import F32Array, Picture, U8Array, read_only
from vtbridge.errors import InferenceError
from vtbridge.pose_params import ROTATION_SLICE
from vtbridge.render.cache import CacheMemory
from vtbridge.render.compositor import Compositor
from vtbridge.render.fields import FrameFields
from vtbridge.render.last_frame import LastFrame
from vtbridge.render.models.crops import BROW_CROP, FACE_CROP, HEAD_CROP
from vtbridge.render.models.variants import Family
from vtbridge.render.poser import Poser, checked_pose
from vtbridge.render.quality.body import Body
from vtbridge.render.quality.faces import Faces
from vtbridge.render.quality.levels import LEVELS
from vtbridge.render.quality.networks import PictureNetworks
from vtbridge.render.runtimes.runtime import ArrayT, Runtime, RuntimeRequest, open_runtime
from vtbridge.render.settings import Quality, RenderSettings, RuntimeName
from vtbridge.render.weights.store import WeightStore
from vtbridge.telemetry import Telemetry


class Tha3Poser(Generic[ArrayT]):
    """A poser that runs only the stages whose part of the pose has changed.

    In a live stream brows and face stay as they are for many frames, and a still pose
    costs nothing at all. The time of each stage that did run goes to ``render.<stage>``,
    that of all of them in a ``render`` method to ``render.fields``, that of making pixels
    to ``render.composite``.

    Args:
        runtime: runs the stages; closed with the poser.
        telemetry: where times are counted.
        compositor: makes pixels of fields; this poser's own.
        cache_bytes: memory for brows and faces.
        family: which system's networks the runtime runs.
    """

    def __init__(
        self,
        runtime: Runtime[ArrayT],
        telemetry: Telemetry,
        compositor: Compositor,
        *,
        cache_bytes: int = 0,
        family: Family = Family.THA3,
    ) -> None:
        self._is_tha4 = family is Family.THA4
        self._telemetry = telemetry
        self._compositor = compositor
        self._networks = PictureNetworks(
            runtime,
            telemetry,
            premultiplied=self._is_tha4,
            first_crop=HEAD_CROP if family is Family.THA1 else BROW_CROP,
        )
        self._faces = Faces(self._networks, CacheMemory(cache_bytes, telemetry))
        self._body = Body(self._networks, telemetry)
        self._quality = Quality.EXACT
        self._morphed: F32Array | None = None
        self._pasted: F32Array | None = None
        self._last = LastFrame(compositor.size)

    @property
    def size(self) -> int:
        """Side of the frames that ``render`` returns, in pixels."""
        return self._compositor.size

    @property
    def quality(self) -> Quality:
        """How frames are computed; never ``AUTO``."""
        return self._quality

    @property
    def repeated(self) -> bool:
        """True if the last ``render`` gave the same frame as the one before it."""
        return self._last.repeated

    def describe(self) -> str:
        """Return what computes, and how exactly, such as ``openvino f32 CPU``."""
        return self._networks.describe()

    def set_picture(self, picture: Picture) -> None:
        """Show ``picture`` from the next frame on; runs the decomposer.

        Raises:
            InferenceError: the runtime failed; no picture is shown any more.
        """
        self._forget()
        self._morphed = self._pasted = None
        self._networks.set_picture(picture)
        self._compositor.set_picture(picture)
        self._morphed = self._networks.planes.copy()

    def set_quality(self, quality: Quality) -> None:
        """Compute the next frames as ``quality`` says; see ``Poser.set_quality``."""
        self._quality = quality if quality in LEVELS else Quality.EXACT

    def fields(self, values: F32Array) -> FrameFields:
        """Return what the networks say of a pose; see ``Poser.fields``."""
        pose = checked_pose(values)
        if self._morphed is None:
            raise InferenceError("there is no picture to pose; call set_picture first")
        level = LEVELS[self._quality]
        try:
            face = self._faces.face(level.rounded(pose))
            edited = self._body.fields(face, pose[ROTATION_SLICE], level.reuse)
        except InferenceError:
            self._forget()
            raise
        if self._pasted is not face:
            self._morphed[:, FACE_CROP.rows, FACE_CROP.columns] = face
            self._pasted = face
        return FrameFields(
            morphed=self._morphed,
            grid_change=edited.grid_change,
            alpha=edited.alpha,
            color=edited.color,
            face=face,
            bounded=not self._is_tha4,
            premultiplied=self._is_tha4,
        )

    def render(self, values: F32Array) -> U8Array:
        """Return the premultiplied frame of a pose; see ``Poser.render``."""
        with self._telemetry.timed("render.fields"):
            fields = self.fields(values)
        try:
            return self._last.of(self._body.version, lambda out: self._draw(fields, out))
        except InferenceError:
            self._forget()
            raise

    def render_float(self, values: F32Array) -> F32Array:
        """Return the frame of a pose before it is made 8-bit; see ``Poser.render_float``."""
        with self._telemetry.timed("render.fields"):
            fields = self.fields(values)
        signals = self._compositor.signals(fields)
        if not np.isfinite(signals).all():
            self._forget()
            raise InferenceError(f"{self.describe()} gave numbers that are not finite")
        return read_only(signals)

    def recheck(self) -> None:
        """Have what computes take its self-test again; see ``Poser.recheck``."""
        try:
            self._networks.recheck()
        except InferenceError:
            self._forget()
            raise

    def close(self) -> None:
        """Give back what is held; nothing else may be called afterwards."""
        self._forget()
        self._morphed = self._pasted = None
        self._networks.close()

    def _draw(self, fields: FrameFields, out: U8Array) -> None:
        with self._telemetry.timed("render.composite"):
            self._compositor.composite(fields, out)

    def _forget(self) -> None:
        # After a failure nothing computed on the way is trusted either.
        self._faces.forget()
        self._body.forget()
        self._last.forget()


def open_poser(
    settings: RenderSettings,
    telemetry: Telemetry,
    *,
    store: WeightStore | None = None,
    select: Callable[[RuntimeName, RuntimeRequest], Runtime[Any]] = open_runtime,
) -> Poser:
    """Open a poser as ``settings`` say; a picture has still to be set.

    Args:
        settings: which weights, on what, how large and how exactly.
        telemetry: where the poser counts its times.
        store: where the weights are; None takes the user's own.
        select: opens the runtime that suits the request best.

    Raises:
        RuntimeUnavailable: nothing on this machine can run as asked.
        WeightsError: the weights are absent, damaged, or not prepared for the runtime; or the
            character is not prepared for ``BAKED``.
    """
    store = WeightStore() if store is None else store
    if settings.quality is Quality.BAKED:
        from vtbridge.render.baked.poser import open_baked_poser

        return open_baked_poser(settings, telemetry, store)
    if store.is_student(settings.weights):
        from vtbridge.render.tha4 import open_student_poser

        return open_student_poser(settings, telemetry, store)
    request = RuntimeRequest(
        store=store,
        weights=settings.weights,
        device=settings.device,
        precision=settings.precision,
        threads=settings.threads,
    )
    poser = Tha3Poser(
        select(settings.runtime, request),
        telemetry,
        Compositor(settings.size),
        cache_bytes=settings.cache_mb << 20,
        family=store.variant(settings.weights).family,
    )
    poser.set_quality(settings.quality)
    return poser
