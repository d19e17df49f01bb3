"""The networks of one picture: a runtime with the picture put in, host arrays in and out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

import numpy as np

from vtbridge.datatypes import F32Array, Picture, read_only
from vtbridge.errors import InferenceError
from vtbridge.pose_params import BROW_SLICE, FACE_SLICE
from vtbridge.render.alpha import network_from_straight, premultiplied_signals
from vtbridge.render.carry import EditedFields
from vtbridge.render.models.crops import BROW_CROP, FACE_CROP, Crop
from vtbridge.render.models.signatures import Stage
from vtbridge.render.runtimes.runtime import ArrayT, Runtime
from vtbridge.render.selection.trust import recheck
from vtbridge.telemetry import Telemetry


@dataclass(frozen=True, slots=True, eq=False)
class Rotated(Generic[ArrayT]):
    """What the rotator says about a pose, valid until it runs again.

    Attributes:
        outputs: all of it, on the device, as the editor wants it.
        grid_change: on the host, [2, 256, 256].
    """

    outputs: tuple[ArrayT, ...]
    grid_change: F32Array


class PictureNetworks(Generic[ArrayT]):
    """Run stages on the shown picture; the time of each goes to ``render.<stage>``.

    Brows and faces come as arrays of their own that never change, so that they can be held
    in caches and told apart by identity.

    Args:
        runtime: runs the stages; closed with this.
        telemetry: where times are counted.
        premultiplied: whether it wants colours multiplied by alpha.
        first_crop: what its stage ``DECOMPOSE`` sees of the picture.
    """

    def __init__(
        self,
        runtime: Runtime[ArrayT],
        telemetry: Telemetry,
        *,
        premultiplied: bool = False,
        first_crop: Crop = BROW_CROP,
    ) -> None:
        self._runtime = runtime
        self._premultiplied = premultiplied
        self._first_crop = first_crop
        self._telemetry = telemetry
        self._device_picture: ArrayT | None = None
        self._face_crop: ArrayT | None = None
        self._layers: tuple[ArrayT, ...] = ()
        self._planes: F32Array | None = None

    def describe(self) -> str:
        """Return what computes, and how exactly, such as ``openvino f32 CPU``."""
        return self._runtime.describe()

    @property
    def planes(self) -> F32Array:
        """The picture as network signal, [4, 512, 512].

        Raises:
            InferenceError: there is none.
        """
        if self._planes is None:
            raise InferenceError("there is no picture to pose; call set_picture first")
        return self._planes

    def set_picture(self, picture: Picture) -> None:
        """Put in ``picture``; runs the decomposer.

        Raises:
            InferenceError: the runtime failed; no picture is there any more.
        """
        self.drop_picture()
        planes = network_from_straight(picture.rgba)
        if self._premultiplied:
            planes = premultiplied_signals(planes)
        layers = self._run(Stage.DECOMPOSE, self._upload_crop(planes, self._first_crop))
        # Checked here because the layers are used for as long as the picture is shown.
        if not all(np.isfinite(self._runtime.download(layer)).all() for layer in layers):
            raise InferenceError(
                f"the eyebrow decomposer gave numbers that are not finite for {picture.name!r} "
                f"on {self.describe()}"
            )
        self._layers = layers
        self._face_crop = self._upload_crop(planes, FACE_CROP)
        self._device_picture = self._runtime.upload(planes[None])
        self._planes = read_only(planes)

    def drop_picture(self) -> None:
        """Let go of the picture."""
        self._device_picture = self._face_crop = self._planes = None
        self._layers = ()

    def brows(self, pose: F32Array) -> F32Array:
        """Return the brow crop with the brows of ``pose`` [45], [4, 128, 128] (THA1: the head).

        Raises:
            InferenceError: the runtime failed or gave numbers that are not finite.
        """
        outputs = self._run(Stage.BROWS, *self._layers, self._part(pose, BROW_SLICE))
        return self._owned(Stage.BROWS, outputs)

    def face(self, brows: F32Array, pose: F32Array) -> F32Array:
        """Return the face crop with the eyes and mouth of ``pose`` [45], [4, 192, 192].

        Args:
            brows: from ``brows``.
            pose: the whole pose.

        Raises:
            InferenceError: the runtime failed or gave numbers that are not finite.
        """
        if self._face_crop is None:
            raise InferenceError("there is no picture to pose; call set_picture first")
        posed_brows = self._runtime.upload(brows[None])
        outputs = self._run(Stage.FACE, self._face_crop, posed_brows, self._part(pose, FACE_SLICE))
        return self._owned(Stage.FACE, outputs)

    def rotate(self, face: F32Array, rotation: F32Array) -> Rotated[ArrayT]:
        """Return how the picture with ``face`` bends when turned by ``rotation`` [6].

        Raises:
            InferenceError: the runtime failed or gave numbers that are not finite.
        """
        if self._device_picture is None:
            raise InferenceError("there is no picture to pose; call set_picture first")
        posed_face = self._runtime.upload(face[None])
        turned = self._runtime.upload(rotation[None])
        outputs = self._run(Stage.ROTATE, self._device_picture, posed_face, turned)
        return Rotated(outputs, self._checked(Stage.ROTATE, outputs[-1]))

    def edit(self, rotated: Rotated[ArrayT], rotation: F32Array) -> EditedFields:
        """Return the editor's answer to ``rotated``; valid until it is asked again.

        Raises:
            InferenceError: the runtime failed or gave numbers that are not finite.
        """
        turned = self._runtime.upload(rotation[None])
        outputs = self._run(Stage.EDIT, *rotated.outputs, turned)
        grid_change, alpha, color = (self._checked(Stage.EDIT, output) for output in outputs)
        return EditedFields(grid_change, alpha, color)

    def recheck(self) -> None:
        """Have the runtime take its self-test again; see ``trust.recheck``."""
        recheck(self._runtime)

    def close(self) -> None:
        """Give back what is held; nothing else may be called afterwards."""
        self.drop_picture()
        self._runtime.close()

    def _run(self, stage: Stage, *inputs: ArrayT) -> tuple[ArrayT, ...]:
        with self._telemetry.timed(f"render.{stage}"):
            return self._runtime.run(stage, *inputs)

    def _part(self, pose: F32Array, part: slice) -> ArrayT:
        return self._runtime.upload(pose[None, part])

    def _upload_crop(self, planes: F32Array, crop: Crop) -> ArrayT:
        return self._runtime.upload(np.ascontiguousarray(planes[None, :, crop.rows, crop.columns]))

    def _owned(self, stage: Stage, outputs: tuple[ArrayT, ...]) -> F32Array:
        (output,) = outputs
        return read_only(self._checked(stage, output).copy())

    def _checked(self, stage: Stage, output: ArrayT) -> F32Array:
        array: F32Array = self._runtime.download(output)[0]
        # What is kept is used for many frames, so nothing wrong may get there. A sum tells
        # it without a mask as large as the array.
        if not np.isfinite(array.sum()):
            raise InferenceError(
                f"stage {stage} gave numbers that are not finite on {self.describe()}"
            )
        return array
