"""Pose a prepared character: no networks, one thread, a frame in about ten milliseconds."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from vtbridge.datatypes import PICTURE_SIZE, F32Array, Picture, U8Array, read_only
from vtbridge.errors import InferenceError, WeightsError
from vtbridge.pose_params import ROTATION_SLICE
from vtbridge.render.alpha import network_from_straight
from vtbridge.render.baked.body import BakedBody
from vtbridge.render.baked.face import BakedFace
from vtbridge.render.baked.model_file import BakedManifest
from vtbridge.render.baked.store import open_model
from vtbridge.render.compositor import Compositor
from vtbridge.render.fields import FrameFields
from vtbridge.render.last_frame import LastFrame
from vtbridge.render.models.crops import FACE_CROP
from vtbridge.render.poser import checked_pose
from vtbridge.render.settings import Quality, RenderSettings
from vtbridge.render.weights.store import WeightStore
from vtbridge.telemetry import Telemetry

_FACE_POSE = slice(0, ROTATION_SLICE.start)


class Body(Protocol):
    """What a poser needs of the body; ``BakedBody`` is one."""

    def fields(self, rotation: F32Array) -> tuple[F32Array, F32Array, F32Array]:
        """Return grid change, alpha and colour of a rotation, valid until the next call."""

    def draw(self, rotation: F32Array, morphed: F32Array, out: U8Array) -> None:
        """Draw the picture ``morphed`` turned by ``rotation``, premultiplied sRGB."""


class Face(Protocol):
    """What a poser needs of the face; ``BakedFace`` is one."""

    def face(self, face_pose: F32Array) -> F32Array:
        """Return the posed face crop, [4, 192, 192], valid until the next call."""


class BakedPoser:
    """A poser whose model knows one picture; see ``Poser``.

    Other qualities than ``BAKED`` are beyond it: it stays what it is. Times go to
    ``render.face`` and ``render.composite``, in which the body is worked out as well.

    Args:
        body: turns head and body.
        face: poses the face.
        manifest: of the model that both are of.
        telemetry: where times are counted.
        compositor: makes pixels of fields; this poser's own.
        package: where the model lies, for messages.
    """

    def __init__(
        self,
        body: Body,
        face: Face,
        manifest: BakedManifest,
        telemetry: Telemetry,
        compositor: Compositor,
        *,
        package: Path | None = None,
    ) -> None:
        self._body = body
        self._face = face
        self._manifest = manifest
        self._telemetry = telemetry
        self._compositor = compositor
        self._package = package
        self._morphed: F32Array | None = None
        self._face_key = b""
        self._last = LastFrame(compositor.size)
        self._full = np.zeros((PICTURE_SIZE, PICTURE_SIZE, 4), np.uint8)

    @property
    def size(self) -> int:
        """Side of the frames that ``render`` returns, in pixels."""
        return self._compositor.size

    @property
    def quality(self) -> Quality:
        """Always ``BAKED``."""
        return Quality.BAKED

    @property
    def repeated(self) -> bool:
        """True if the last ``render`` gave the same frame as the one before it."""
        return self._last.repeated

    @property
    def manifest(self) -> BakedManifest:
        """What the model says of itself."""
        return self._manifest

    def describe(self) -> str:
        """Return what computes, and how exactly, such as ``baked 36.4 dB CPU``."""
        return f"baked {self._manifest.psnr_db:.1f} dB CPU"

    def set_picture(self, picture: Picture) -> None:
        """Show ``picture``, which must be the one that the model was made of.

        Raises:
            InferenceError: it is another one; no picture is shown any more.
        """
        self._forget()
        self._morphed = None
        if picture.digest != self._manifest.picture_sha256:
            where = "" if self._package is None else f" in {self._package}"
            raise InferenceError(
                f"the model{where} was baked of another picture than {picture.name}: run "
                f"`vtbridge character bake` on {picture.name}, or choose another quality"
            )
        self._compositor.set_picture(picture)
        self._morphed = network_from_straight(picture.rgba)

    def set_quality(self, quality: Quality) -> None:
        """Do nothing: a model shows what it has learnt."""

    def fields(self, values: F32Array) -> FrameFields:
        """Return what the model says of a pose; see ``Poser.fields``."""
        pose = checked_pose(values)
        face = self._posed_face(pose)
        grid_change, alpha, color = self._body.fields(pose[ROTATION_SLICE])
        return FrameFields(
            morphed=self._planes(),
            grid_change=grid_change,
            alpha=alpha,
            color=color,
            face=face,
        )

    def render(self, values: F32Array) -> U8Array:
        """Return the premultiplied frame of a pose; see ``Poser.render``."""
        pose = checked_pose(values) + np.float32(0.0)  # so that -0 is 0
        return self._last.of(pose.tobytes(), partial(self._draw, pose))

    def render_float(self, values: F32Array) -> F32Array:
        """Return the frame of a pose before it is made 8-bit; see ``Poser.render_float``."""
        signals = self._compositor.signals(self.fields(values))
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

    def _draw(self, pose: F32Array, out: U8Array) -> None:
        with self._telemetry.timed("render.fields"):
            face = self._posed_face(pose)
        with self._telemetry.timed("render.composite"):
            self._composite(pose[ROTATION_SLICE], face, out)

    def _composite(self, rotation: F32Array, face: F32Array, out: U8Array) -> None:
        if self.size > PICTURE_SIZE:
            # The drawing's own pixels are warped, which takes the fields themselves.
            grid_change, alpha, color = self._body.fields(rotation)
            fields = FrameFields(self._planes(), grid_change, alpha, color, face)
            self._compositor.composite(fields, out)
            return
        target = out if self.size == PICTURE_SIZE else self._full
        self._body.draw(rotation, self._planes(), target)
        if target is not out:
            cv2.resize(target, (self.size, self.size), dst=out, interpolation=cv2.INTER_AREA)

    def _posed_face(self, pose: F32Array) -> F32Array:
        """Return the face of ``pose``, which is then also in the picture."""
        planes = self._planes()
        key = pose[_FACE_POSE].tobytes()
        with self._telemetry.timed("render.face"):
            face = self._face.face(pose[_FACE_POSE])
        if key != self._face_key:
            self._face_key = b""
            planes[:, FACE_CROP.rows, FACE_CROP.columns] = face
            self._face_key = key
        return face

    def _planes(self) -> F32Array:
        if self._morphed is None:
            raise InferenceError("there is no picture to pose; call set_picture first")
        return self._morphed

    def _forget(self) -> None:
        self._face_key = b""
        self._last.forget()


def open_baked_poser(
    settings: RenderSettings, telemetry: Telemetry, store: WeightStore
) -> BakedPoser:
    """Open a poser of the model in ``settings.package``; its picture is still to be set.

    Raises:
        WeightsError: no package is named, or its model is missing, damaged or out of date.
    """
    if not settings.package:
        raise WeightsError(
            'quality = "baked" shows a prepared character, and this one is not: run `vtbridge '
            "character bake` on its picture first, or choose another quality"
        )
    package = Path(settings.package)
    model = open_model(package, store)
    return BakedPoser(
        BakedBody(model.part("body")),
        BakedFace(model.part("face")),
        model.manifest,
        telemetry,
        Compositor(settings.size),
        package=package,
    )
