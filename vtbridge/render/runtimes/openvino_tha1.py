"""THA1's stages as graphs for OpenVINO, put together from the weights: nothing is prepared.

Its networks are small and plain, so that no exporter is needed, and no torch. What each stage
does is told in ``models.tha1_stages``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.errors import WeightsError
from vtbridge.pose_params import FACE_SLICE
from vtbridge.pose_schema import THA1
from vtbridge.quiet_openvino import opset13 as ops
from vtbridge.quiet_openvino import ov
from vtbridge.render.models.crops import FACE_CROP, HALVED_HEAD, HEAD_CROP, Crop, middle_of
from vtbridge.render.models.signatures import Shape, Stage, stage_signatures
from vtbridge.render.models.variants import Network, NetworkShape, Tha3Variant

GRAPH_REVISION = 1
"""Raised when these graphs compute in another way; what was compiled of them is made anew."""

Arrays = Mapping[str, NDArray[Any]]

_EPS = 1e-5
_TURN = 3  # head_x, head_y, neck_z, the first of a rotation
_LEAST_ALPHA = np.float32(1e-6)
_PICTURE = 512


def build_model(stage: Stage, variant: Tha3Variant, networks: Mapping[Network, Arrays]) -> ov.Model:
    """Return the graph of ``stage`` with the names and shapes of its signature.

    Raises:
        WeightsError: a weight is absent or of another shape than the sizes ask for.
    """
    signature = stage_signatures(variant)[stage]
    inputs = [_parameter(name, shape) for name, shape in signature.inputs.items()]
    try:
        outputs = _BUILDERS[stage](variant, networks, inputs)
        results = [ops.result(output) for output in outputs]
        model = ov.Model(results, inputs, f"tha1 {stage}")
    except KeyError as error:
        raise WeightsError(
            f"the networks lack {error} for the stage {stage}: they are damaged, import them again"
        ) from error
    except RuntimeError as error:
        raise WeightsError(
            f"the networks do not fit together in the stage {stage} ({error}): import them again"
        ) from error
    ports = zip(model.outputs, signature.output_ports, signature.outputs.values(), strict=True)
    for port, name, shape in ports:
        if tuple(port.get_shape()) != shape:
            raise WeightsError(f"{stage} gives {name} as {port.get_shape()} instead of {shape}")
        port.get_tensor().set_names({name})
    return model


def _keep(variant: Tha3Variant, networks: Mapping[Network, Arrays], inputs: Any) -> list[Any]:
    head, *_ = inputs
    return [ops.add(head, np.float32(0))]  # an output has a name of its own


def _face(variant: Tha3Variant, networks: Mapping[Network, Arrays], inputs: Any) -> list[Any]:
    face_crop, head, face_pose = inputs
    network = _Layers(networks[Network.FACE_MORPHER], variant.shapes[Network.FACE_MORPHER])
    shown = THA1.weights[_TURN:, FACE_SLICE].T.astype(np.float32)
    pose = ops.clamp(ops.matmul(face_pose, shown, False, False), 0.0, 1.0)
    seen = middle_of(HEAD_CROP.size, network.size)
    image = _cut(head, seen)
    features = network.straight(network.seen([image], pose))
    alpha, color = network.heads(features, ("alpha", "color"))
    morphed = _blend(ops.sigmoid(alpha), image, ops.tanh(color))
    if seen.size < FACE_CROP.size:
        inside = middle_of(FACE_CROP.size, seen.size)
        return [_paste(face_crop, morphed, inside, FACE_CROP.size)]
    return [_cut(morphed, middle_of(seen.size, FACE_CROP.size))]


def _rotate(variant: Tha3Variant, networks: Mapping[Network, Arrays], inputs: Any) -> list[Any]:
    picture, face, rotation = inputs
    network = _Layers(networks[Network.BODY_ROTATOR], variant.shapes[Network.BODY_ROTATOR])
    morphed = _paste(picture, face, FACE_CROP, _PICTURE)
    head = _head_of(morphed, network.size)
    features = network.straight(network.seen([head], _turn_of(rotation)))
    alpha, color, change = network.heads(features, ("alpha", "color", "grid_change"))
    direct = _blend(ops.sigmoid(alpha), head, ops.tanh(color))
    moved = _resize(_moved(change, network.size), network.size, HALVED_HEAD.size)
    return [morphed, direct, change, _surrounded(moved, HALVED_HEAD, _PICTURE // 2)]


def _edit(variant: Tha3Variant, networks: Mapping[Network, Arrays], inputs: Any) -> list[Any]:
    morphed, direct, change, _halved, rotation = inputs
    network = _Layers(networks[Network.EDITOR], variant.shapes[Network.EDITOR])
    size = network.size
    grid = ops.multiply(_grid(change, size), np.float32(2 / (size - 1)))
    sampled = ops.grid_sample(
        _head_of(morphed, size),
        ops.transpose(ops.subtract(grid, np.float32(1)), np.array([0, 2, 3, 1])),
        {"align_corners": True, "mode": "bilinear", "padding_mode": "border"},
    )
    features = network.skipping(network.seen([direct, sampled], _turn_of(rotation)))
    combine, keep, retouch = network.heads(features, ("combine_alpha", "retouch_alpha", "retouch"))
    kept = ops.sigmoid(keep)
    unkept = ops.subtract(np.float32(1), kept)
    repainted = ops.multiply(kept, ops.sigmoid(combine))
    alpha = ops.add(repainted, unkept)
    paint = ops.add(ops.multiply(repainted, direct), ops.multiply(unkept, ops.tanh(retouch)))
    said = ops.concat([_moved(change, size), alpha, paint], 1)
    moved, alpha, paint = _split(_resize(said, size, HEAD_CROP.size), (2, 4, 4))
    color = ops.divide(paint, ops.maximum(alpha, _LEAST_ALPHA))
    fields = (moved, ops.minimum(alpha, np.float32(1)), ops.clamp(color, -1.0, 1.0))
    return [_surrounded(field, HEAD_CROP, _PICTURE) for field in fields]


_BUILDERS: Mapping[Stage, Callable[..., list[Any]]] = MappingProxyType(
    {
        Stage.DECOMPOSE: _keep,
        Stage.BROWS: _keep,
        Stage.FACE: _face,
        Stage.ROTATE: _rotate,
        Stage.EDIT: _edit,
    }
)


class _Layers:
    """The layers of one network.

    Args:
        arrays: its weights by name.
        shape: its sizes.
    """

    def __init__(self, arrays: Arrays, shape: NetworkShape) -> None:
        self.size = shape.image_size
        self._arrays = arrays
        self._halvings = len(shape.widths) - 1
        self._blocks = shape.bottleneck_blocks

    def seen(self, pictures: Sequence[Any], pose: Any) -> Any:
        """Return the pictures with the pose [1, 3] as constant planes beside them."""
        zeros = np.zeros((1, 1, self.size, self.size), np.float32)
        planes = ops.add(ops.reshape(pose, np.array([1, _TURN, 1, 1]), False), zeros)
        return ops.concat([*pictures, planes], 1)

    def straight(self, x: Any) -> Any:
        """Return the last features of a morpher or a rotator."""
        x = self._residuals(self._encoded(x)[-1])
        for i in range(self._halvings):
            x = self._block(f"decoder.{i}", x, doubles=True)
        return x

    def skipping(self, x: Any) -> Any:
        """Return the last features of a combiner."""
        *beside, deepest = self._encoded(x)
        x = self._block("decoder.0", self._residuals(deepest), doubles=True)
        for i in range(1, self._halvings):
            x = self._block(f"decoder.{i}", ops.concat([x, beside.pop()], 1), doubles=True)
        return self._block(f"decoder.{self._halvings}", ops.concat([x, beside.pop()], 1))

    def heads(self, features: Any, names: Sequence[str]) -> list[Any]:
        """Return what several heads say, computed as one convolution."""
        weights = [self._array(f"{name}.weight") for name in names]
        answers = _convolved(features, np.concatenate(weights), stride=1, padding=3)
        return _split(answers, [len(weight) for weight in weights])

    def _encoded(self, x: Any) -> list[Any]:
        given = [self._block("encoder.0", x)]
        for i in range(1, self._halvings + 1):
            given.append(self._block(f"encoder.{i}", given[-1], stride=2))
        return given

    def _residuals(self, x: Any) -> Any:
        for i in range(self._blocks):
            name = f"bottleneck.{i}"
            inner = self._convolved(f"{name}.conv_in", x)
            inner = ops.relu(self._normalised(f"{name}.norm_in", inner))
            outer = self._convolved(f"{name}.conv_out", inner)
            x = ops.add(x, self._normalised(f"{name}.norm_out", outer))
        return x

    def _block(self, name: str, x: Any, *, stride: int = 1, doubles: bool = False) -> Any:
        if doubles:
            weight = self._array(f"{name}.conv.weight")
            pads = [1, 1]
            y = ops.convolution_backprop_data(
                x, weight, [2, 2], pads_begin=pads, pads_end=pads, dilations=[1, 1]
            )
        else:
            y = self._convolved(f"{name}.conv", x, stride=stride)
        return ops.relu(self._normalised(f"{name}.norm", y))

    def _convolved(self, name: str, x: Any, *, stride: int = 1) -> Any:
        weight = self._array(f"{name}.weight")
        return _convolved(x, weight, stride=stride, padding=(weight.shape[-1] - 1) // 2)

    def _normalised(self, name: str, x: Any) -> Any:
        normal = ops.mvn(x, np.array([2, 3]), True, _EPS, "inside_sqrt")
        gain, shift = (
            self._array(f"{name}.{leaf}").reshape(1, -1, 1, 1) for leaf in ("weight", "bias")
        )
        return ops.add(ops.multiply(normal, gain), shift)

    def _array(self, name: str) -> F32Array:
        return np.ascontiguousarray(self._arrays[name], np.float32)


def _parameter(name: str, shape: Shape) -> Any:
    parameter = ops.parameter(list(shape), np.float32, name)
    parameter.output(0).get_tensor().set_names({name})
    return parameter


def _convolved(x: Any, weight: F32Array, *, stride: int, padding: int) -> Any:
    pads = [padding, padding]
    return ops.convolution(x, weight, [stride, stride], pads, pads, [1, 1])


def _turn_of(rotation: Any) -> Any:
    return _sliced(rotation, 1, 0, _TURN)


def _blend(alpha: Any, over: Any, under: Any) -> Any:
    rest = ops.subtract(np.float32(1), alpha)
    return ops.add(ops.multiply(over, alpha), ops.multiply(under, rest))


def _head_of(picture: Any, size: int) -> Any:
    head = _cut(picture, HEAD_CROP)
    times = HEAD_CROP.size // size
    if times == 1:
        return head
    return ops.avg_pool(head, [times, times], [0, 0], [0, 0], [times, times], exclude_pad=True)


def _grid(change: Any, size: int) -> Any:
    """Return where each pixel comes from, in pixels from the first one's centre."""
    return ops.clamp(
        ops.add(ops.multiply(change, np.float32((size - 1) / 2)), _identity(size)),
        0.0,
        float(size - 1),
    )


def _moved(change: Any, size: int) -> Any:
    """Return how far pixels of the head are moved, in halves of the side of the whole picture."""
    pixels = ops.subtract(_grid(change, size), _identity(size))
    return ops.multiply(pixels, np.float32(HEAD_CROP.size / size * 2 / _PICTURE))


def _identity(size: int) -> F32Array:
    at = np.arange(size, dtype=np.float32)
    return np.stack(np.meshgrid(at, at))[None]


def _resize(x: Any, size: int, wanted: int) -> Any:
    if size == wanted:
        return x
    return ops.interpolate(
        x,
        np.array([wanted, wanted]),
        "linear_onnx",
        "sizes",
        coordinate_transformation_mode="half_pixel",
        axes=np.array([2, 3]),
    )


def _split(x: Any, widths: Sequence[int]) -> list[Any]:
    edges = [0, *accumulate(widths)]
    return [_sliced(x, 1, start, end) for start, end in pairwise(edges)]


def _cut(x: Any, crop: Crop) -> Any:
    rows = _sliced(x, 2, crop.y, crop.y + crop.size)
    return _sliced(rows, 3, crop.x, crop.x + crop.size)


def _sliced(x: Any, axis: int, start: int, end: int) -> Any:
    one = np.array([1])
    return ops.slice(x, np.array([start]), np.array([end]), one, np.array([axis]))


def _paste(image: Any, patch: Any, crop: Crop, size: int) -> Any:
    bottom, right = crop.y + crop.size, crop.x + crop.size
    rows = _sliced(image, 2, crop.y, bottom)
    middle = [_sliced(rows, 3, 0, crop.x), patch, _sliced(rows, 3, right, size)]
    parts = [_sliced(image, 2, 0, crop.y), ops.concat(middle, 3), _sliced(image, 2, bottom, size)]
    return ops.concat(parts, 2)


def _surrounded(patch: Any, crop: Crop, size: int) -> Any:
    """Return ``patch`` at ``crop`` of zeros."""
    before = np.array([0, 0, crop.y, crop.x])
    after = np.array([0, 0, size - crop.y - crop.size, size - crop.x - crop.size])
    return ops.pad(patch, before, after, "constant", np.float32(0))
