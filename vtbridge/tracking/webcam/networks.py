"""The three networks of the face tracker, run by OpenVINO, which reads tflite files itself.

Measured on one thread of a 2.5 GHz server CPU, milliseconds a call, of the three runtimes
that could do it (openvino is there anyway, for the avatar):

    =====================  ========  =========  ===========  ==============
    runtime                detector  landmarks  blendshapes  extra download
    =====================  ========  =========  ===========  ==============
    openvino 2026.4        2.1       8.5        1.5          none
    ai-edge-litert 2.3     1.7       8.1        0.9          22 MB
    =====================  ========  =========  ===========  ==============

onnxruntime reads no tflite files.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError, WeightsError
from vtbridge.tracking.webcam.bundle import FaceBundle

if TYPE_CHECKING:
    from vtbridge.quiet_openvino import ov

DETECTOR_SIDE = 128
LANDMARKS_SIDE = 256
ANCHORS = 896
LANDMARKS = 478
BLENDSHAPE_LANDMARKS = 146
BLENDSHAPES = 52


class FaceNetworks:
    """The compiled networks; one thread at a time may use them.

    Args:
        bundle: the tflite files.
        threads: of each network.

    Raises:
        WeightsError: a network cannot be read or has other inputs and outputs.
    """

    def __init__(self, bundle: FaceBundle, threads: int = 1) -> None:
        from vtbridge.quiet_openvino import ov

        core = ov.Core()
        properties = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # bf16 would be chosen on newer CPUs; landmarks then jump by whole pixels.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._detector = _Network(
            _compile(core, bundle.detector, "detector", properties),
            (1, DETECTOR_SIDE, DETECTOR_SIDE, 3),
            {"regressors": ANCHORS * 16, "classificators": ANCHORS},
        )
        self._landmarks = _Network(
            _compile(core, bundle.landmarks, "landmarks", properties),
            (1, LANDMARKS_SIDE, LANDMARKS_SIDE, 3),
            {"Identity": LANDMARKS * 3, "Identity_1": 1},
        )
        self._blendshapes = _Network(
            _compile(core, bundle.blendshapes, "blendshapes", properties),
            (1, BLENDSHAPE_LANDMARKS, 2),
            {"StatefulPartitionedCall:0": BLENDSHAPES},
        )

    def detect(self, picture: F32Array) -> tuple[F32Array, F32Array]:
        """Find faces (BlazeFace, short range).

        Args:
            picture: float32 [128, 128, 3], RGB, -1..1.

        Returns:
            float32 [896, 16]: centre x, y, width, height and six key points x, y against
            each anchor, in pixels of ``picture``; float32 [896]: logits of "a face".
            Both are valid until the next call.
        """
        boxes, logits = self._detector(picture)
        return boxes.reshape(ANCHORS, 16), logits

    def find_landmarks(self, crop: F32Array) -> tuple[F32Array, float]:
        """Find the landmarks of one upright face (Attention Mesh).

        Args:
            crop: float32 [256, 256, 3], RGB, 0..1.

        Returns:
            float32 [478, 3]: x, y in pixels of ``crop``, z on the same scale, smaller is
            nearer; valid until the next call. And the logit of "a face is there".
        """
        points, presence = self._landmarks(crop)
        return points.reshape(LANDMARKS, 3), float(presence[0])

    def weigh_blendshapes(self, points: F32Array) -> F32Array:
        """Return float32 [52], 0..1 each, for 146 landmarks in pixels, float32 [146, 2].

        It is valid until the next call.
        """
        return self._blendshapes(points)[0]


class _Network:
    """One compiled network with its input and outputs by name."""

    def __init__(
        self, compiled: ov.CompiledModel, shape: tuple[int, ...], outputs: dict[str, int]
    ) -> None:
        self._request = compiled.create_infer_request()
        try:
            sizes = {name: compiled.output(name).shape for name in outputs}
        except RuntimeError as error:
            raise WeightsError(f"a network of the face model lacks an output: {error}") from error
        found = {name: int(np.prod(tuple(size))) for name, size in sizes.items()}
        if tuple(compiled.input(0).shape) != shape or found != outputs:
            raise WeightsError(
                f"a network of the face model takes {compiled.input(0).shape} and gives {found}, "
                f"not {shape} and {outputs}: run `vtbridge weights pull face-landmarker`"
            )
        self._input = np.zeros(shape, np.float32)
        from vtbridge.quiet_openvino import ov

        tensor = ov.Tensor(self._input, shared_memory=True)
        self._request.set_input_tensor(tensor)
        self._outputs = [self._request.get_tensor(compiled.output(name)) for name in outputs]

    def __call__(self, values: F32Array) -> list[F32Array]:
        """Return the outputs, flat, for an input without its batch dimension."""
        self._input[0] = values
        try:
            self._request.infer()
        except RuntimeError as error:
            raise InferenceError(f"a network of the face tracker failed: {error}") from error
        return [np.asarray(output.data, np.float32).reshape(-1) for output in self._outputs]


def _compile(
    core: ov.Core, content: bytes, name: str, properties: dict[str, Any]
) -> ov.CompiledModel:
    # OpenVINO takes tflite models from files only.
    with tempfile.TemporaryDirectory(prefix="vtbridge-") as folder:
        path = Path(folder) / f"{name}.tflite"
        path.write_bytes(content)
        try:
            model = core.read_model(path)
            if model.input(0).partial_shape.is_dynamic:
                shape = model.input(0).partial_shape
                model.reshape([1, *(side.get_length() for side in list(shape)[1:])])
            return core.compile_model(model, "CPU", properties)
        except RuntimeError as error:
            raise WeightsError(
                f"the {name} network of the face model cannot be loaded ({error}): "
                "run `vtbridge weights pull face-landmarker`"
            ) from error
