"""Pose the character of a student network of Talking Head Anime 4."""

from __future__ import annotations

import os

import numpy as np

from vtbridge.datatypes import F32Array, Picture, U8Array, read_only
from vtbridge.errors import InferenceError, RuntimeUnavailable
from vtbridge.render.alpha import network_from_straight, premultiplied_signals
from vtbridge.render.cache import CacheMemory, Region
from vtbridge.render.compositor import Compositor
from vtbridge.render.fields import FrameFields
from vtbridge.render.last_frame import LastFrame
from vtbridge.render.models.crops import FACE_CROP
from vtbridge.render.models.tha4_student import (
    EXPRESSION_SIZE,
    STUDENT_FACE_CROP,
    StudentNetwork,
)
from vtbridge.render.poser import checked_pose
from vtbridge.render.quality.levels import LEVELS
from vtbridge.render.settings import (
    DeviceName,
    Precision,
    Quality,
    RenderSettings,
    RuntimeName,
)
from vtbridge.render.tha4_networks import Student, StudentFields
from vtbridge.render.weights.store import WeightStore
from vtbridge.render.weights.tensors import parse_tensors
from vtbridge.telemetry import Telemetry


class StudentPoser:
    """A poser whose networks know one character; see ``Poser``.

    Another picture can be set, such as the same drawing in other colours, but the face
    is painted by the network as it learned it. Times go to ``render.face``,
    ``render.body``, ``render.fields`` and ``render.composite``.

    Args:
        student: the networks; closed with the poser.
        telemetry: where times are counted.
        compositor: makes pixels of fields; this poser's own.
        cache_bytes: memory for faces.
    """

    def __init__(
        self,
        student: Student,
        telemetry: Telemetry,
        compositor: Compositor,
        *,
        cache_bytes: int = 0,
    ) -> None:
        self._student = student
        self._telemetry = telemetry
        self._compositor = compositor
        self._memory = CacheMemory(cache_bytes, telemetry)
        self._faces: Region[F32Array] = Region(self._memory, "face")
        self._quality = Quality.EXACT
        self._morphed: F32Array | None = None
        self._face_key = b""
        self._body_key: tuple[bytes, Quality] | None = None
        self._body: StudentFields | None = None
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
        """Return what computes, and how exactly, such as ``native f32 avx512``."""
        return f"native f32 {self._student.isa}"

    def set_picture(self, picture: Picture) -> None:
        """Show ``picture`` from the next frame on."""
        self._forget()
        planes = premultiplied_signals(network_from_straight(picture.rgba))
        self._student.set_picture(planes)
        self._compositor.set_picture(picture)
        self._morphed = planes

    def set_quality(self, quality: Quality) -> None:
        """Compute the next frames as ``quality`` says; see ``Student.body``."""
        self._quality = quality if quality in LEVELS else Quality.EXACT

    def fields(self, values: F32Array) -> FrameFields:
        """Return what the networks say of a pose; see ``Poser.fields``."""
        pose = checked_pose(values)
        if self._morphed is None:
            raise InferenceError("there is no picture to pose; call set_picture first")
        self._show_face(self._morphed, pose)
        key = (pose.tobytes(), self._quality)
        if self._body is None or key != self._body_key:
            self._body_key = None
            with self._telemetry.timed("render.body"):
                self._body = self._student.body(pose, self._quality)
            self._body_key = key
        return FrameFields(
            morphed=self._morphed,
            grid_change=self._body.grid_change,
            alpha=self._body.alpha,
            color=self._body.color,
            face=np.ascontiguousarray(self._morphed[:, FACE_CROP.rows, FACE_CROP.columns]),
            bounded=False,
            premultiplied=True,
        )

    def render(self, values: F32Array) -> U8Array:
        """Return the premultiplied frame of a pose; see ``Poser.render``."""
        with self._telemetry.timed("render.fields"):
            fields = self.fields(values)
        try:
            return self._last.of(self._body_key, lambda out: self._draw(fields, out))
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
        """Do nothing: own kernels compute here, and nothing else could."""

    def close(self) -> None:
        """Give back what is held; nothing else may be called afterwards."""
        self._forget()
        self._morphed = None
        self._student.close()

    def _draw(self, fields: FrameFields, out: U8Array) -> None:
        with self._telemetry.timed("render.composite"):
            self._compositor.composite(fields, out)

    def _show_face(self, morphed: F32Array, pose: F32Array) -> None:
        """Put the face of ``pose`` into the picture unless it is there already."""
        key = pose[:EXPRESSION_SIZE].tobytes()
        if key == self._face_key:
            return
        face = self._faces.get(key)
        if face is None:
            with self._telemetry.timed("render.face"):
                face = self._student.face(pose).copy()
            self._faces.put(key, face)
        self._face_key = b""
        morphed[:, STUDENT_FACE_CROP.rows, STUDENT_FACE_CROP.columns] = face
        self._face_key = key

    def _forget(self) -> None:
        # After a failure nothing computed on the way is trusted either.
        self._memory.clear()
        self._face_key = b""
        self._body = self._body_key = None
        self._last.forget()


def open_student_poser(
    settings: RenderSettings, telemetry: Telemetry, store: WeightStore
) -> StudentPoser:
    """Open a poser of the student that ``settings.weights`` names; a picture is still to be set.

    Raises:
        RuntimeUnavailable: a runtime, device or precision is asked for that students lack.
        WeightsError: the weights are absent or damaged.
    """
    for setting, value, known in (
        ("runtime", settings.runtime, (RuntimeName.AUTO, RuntimeName.NATIVE)),
        ("device", settings.device, (DeviceName.AUTO, DeviceName.CPU)),
        ("precision", settings.precision, (Precision.AUTO, Precision.F32)),
    ):
        if value not in known:
            raise RuntimeUnavailable(
                f"{settings.weights} is a THA4 student, which runs on the CPU in f32 only, not "
                f'with {setting} = "{value}": set it to "auto"'
            )
    name = settings.weights
    weights = {
        network: parse_tensors(store.network_bytes(name, network)) for network in StudentNetwork
    }
    poser = StudentPoser(
        Student(weights, threads=settings.threads or os.cpu_count() or 1),
        telemetry,
        Compositor(settings.size),
        cache_bytes=settings.cache_mb << 20,
    )
    poser.set_quality(settings.quality)
    return poser
