"""Layers of a network as operations: blocks, encoders, decoders, heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.errors import WeightsError
from vtbridge.render.native.program import (
    ALIGNMENT,
    HEAD_WIDTH,
    NOTHING,
    Activation,
    Kind,
    Mode,
    Operand,
    ProgramBuilder,
    float_bits,
    rounded_up,
)

IDENTITY_SLOPE = 1.0
"""An activation that changes nothing."""

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Features:
    """Features [height, width, channels], channels together, maybe still to be normalised.

    Attributes:
        data: where they are.
        height: in pixels.
        width: in pixels.
        channels: of each pixel, a multiple of 16; those beyond the network's are 0.
        norm: scale [channels] and shift [channels] to apply when reading, or ``NOTHING``.
        slope: of the activation below zero, applied with ``norm``.
    """

    data: Operand
    height: int
    width: int
    channels: int
    norm: Operand = NOTHING
    slope: float = IDENTITY_SLOPE

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.height * self.width


@dataclass(frozen=True, slots=True)
class Head:
    """One 3x3 convolution that reads an answer off the last features.

    Attributes:
        name: of its weights.
        planes: where its answer goes, one plane a channel.
        channels: how many.
        activation: what becomes of it on the way.
    """

    name: str
    planes: Operand
    channels: int
    activation: Activation


class NetworkBuilder:
    """Append the layers of one network to a program.

    Args:
        program: what they are appended to.
        arrays: the network's weights by name.
        network: what to call it in messages.
        slope: of its activations below zero.

    Raises:
        WeightsError: (all methods) a weight is absent or of another shape.
    """

    def __init__(
        self, program: ProgramBuilder, arrays: Arrays, network: str, *, slope: float
    ) -> None:
        self._program = program
        self._arrays = arrays
        self._network = network
        self._slope = slope

    def image(
        self, size: int, planes: Sequence[Operand], constants: Sequence[Operand] = ()
    ) -> Features:
        """Return features [size, size, 16] of these planes, then channels of one value each."""
        data = self._program.buffer(size * size * ALIGNMENT)
        self._program.add(
            Kind.PIXELS,
            *(data, size * size, ALIGNMENT, len(planes), len(constants)),
            *planes,
            *constants,
        )
        return Features(data, size, size, ALIGNMENT)

    def with_constants(self, features: Features, values: Operand, count: int) -> Features:
        """Return the normalised features with ``count`` channels of one value each."""
        used = features.channels + count
        stride = rounded_up(used)
        data = self._program.buffer(features.pixels * stride)
        wide = Features(data, features.height, features.width, stride)
        self.normalised(features, into=wide)
        zeros = self._program.weights(np.zeros(stride - used, np.float32))
        for place, start, channels in (
            (values, features.channels, count),
            (zeros, used, stride - used),
        ):
            self._program.add(
                Kind.CONSTANT_CHANNELS, place, data, channels, features.pixels, stride, start
            )
        return wide

    def normalised(self, features: Features, into: Features | None = None) -> Features:
        """Return the features with nothing left to apply, as the first channels of ``into``."""
        if into is None:
            data = self._program.buffer(features.pixels * features.channels)
            into = Features(data, features.height, features.width, features.channels)
        norm = features.norm
        if norm is NOTHING:
            ones, zeros = np.ones(features.channels), np.zeros(features.channels)
            norm = self._program.weights(np.concatenate((ones, zeros)).astype(np.float32))
        self._program.add(
            Kind.NORMALISE,
            *(features.data, norm, features.pixels, features.channels),
            *(float_bits(features.slope), into.data, into.channels),
        )
        return into

    def block(
        self, name: str, inputs: Sequence[tuple[Features, Mode]], *, norm: str = ""
    ) -> Features:
        """Append a separable convolution of the concatenated ``inputs`` and its normalisation.

        Args:
            name: of the convolution's weights.
            inputs: features, and how the depthwise convolution goes over them.
            norm: name of the normalisation's weights, where it is not beside the convolution.
        """
        norm = norm or name.removesuffix("conv") + "norm"
        depthwise = self._take(f"{name}.depthwise.weight")[:, 0]
        pointwise = self._take(f"{name}.pointwise.weight")[:, :, 0, 0]
        gamma, beta = self._take(f"{norm}.weight"), self._take(f"{norm}.bias")
        out_channels, in_channels = pointwise.shape
        self._check(out_channels % self._program.engine.columns == 0, name)
        first, mode = inputs[0]
        height, width = _output_size(first, mode)
        words: list[int | Operand] = []
        matrix: list[F32Array] = []
        start = 0
        for i, (features, mode) in enumerate(inputs):
            # Only the last input can have channels that the network does not know.
            last = i == len(inputs) - 1
            count = in_channels - start if last else features.channels
            self._check(0 < count <= features.channels, name)
            kernels = depthwise[start : start + count]
            words += [
                *(features.data, features.norm, float_bits(features.slope)),
                *(features.height, features.width, features.channels, int(mode)),
                self._program.weights(self._taps(kernels, mode, features.channels, name)),
            ]
            part = np.zeros((features.channels, out_channels), np.float32)
            part[:count] = pointwise[:, start : start + count].T
            matrix.append(part)
            start += count
        out_norm = self._program.buffer(2 * out_channels)
        data = self._program.buffer(height * width * out_channels)
        self._program.add(
            Kind.CONV,
            *(height, width, out_channels, data),
            self._program.panels(np.concatenate(matrix)),
            *(self._program.weights(gamma), self._program.weights(beta), out_norm),
            *(len(inputs), *words),
        )
        return Features(data, height, width, out_channels, out_norm, self._slope)

    def residual(self, name: str, x: Features) -> Features:
        """Append two convolutions added to ``x``, which must have nothing left to apply."""
        inner = self.block(f"{name}.conv_in", [(x, Mode.K3)], norm=f"{name}.norm_in")
        outer = self.block(f"{name}.conv_out", [(inner, Mode.K3)], norm=f"{name}.norm_out")
        data = self._program.buffer(x.pixels * x.channels)
        self._program.add(Kind.RESIDUAL, x.data, outer.data, x.pixels, x.channels, outer.norm, data)
        return Features(data, x.height, x.width, x.channels)

    def encoder(self, x: Features, halvings: int, *, first: Mode = Mode.K3) -> list[Features]:
        """Append a block at full size and ``halvings`` more; return what each gives."""
        given = [self.block("body.encoder.0.conv", [(x, first)])]
        for i in range(1, halvings + 1):
            given.append(self.block(f"body.encoder.{i}.conv", [(given[-1], Mode.HALVING)]))
        return given

    def residuals(self, x: Features, first: int, end: int) -> Features:
        """Append the residual blocks ``first`` to ``end - 1`` of the bottleneck."""
        for i in range(first, end):
            x = self.residual(f"body.bottleneck.{i}", x)
        return x

    def decoder(self, x: Features, skips: Sequence[Features | None]) -> Features:
        """Append a doubling block for each of ``skips``, which stands beside its input."""
        for i, skip in enumerate(skips):
            beside = [] if skip is None else [(skip, Mode.K3)]
            x = self.block(f"body.decoder.{i}.conv", [(x, Mode.DOUBLING), *beside])
        return x

    def heads(self, features: Features, heads: Sequence[Head]) -> None:
        """Append all ``heads`` as one dense convolution."""
        count = sum(head.channels for head in heads)
        taps = np.zeros((features.channels, 9, count), np.float32)
        bias = np.zeros(HEAD_WIDTH, np.float32)
        outputs: list[int | Operand] = []
        start = 0
        for head in heads:
            weight = self._take(f"{head.name}.weight")
            self._check(
                weight.shape == (head.channels, features.channels, 3, 3), f"{head.name}.weight"
            )
            answers = weight.transpose(1, 2, 3, 0).reshape(features.channels, 9, head.channels)
            taps[:, :, start : start + head.channels] = answers
            if f"{head.name}.bias" in self._arrays:
                bias[start : start + head.channels] = self._take(f"{head.name}.bias")
            for channel in range(head.channels):
                outputs += [head.planes.at(channel * features.pixels), int(head.activation)]
            start += head.channels
        # The last tap is read as a whole vector; what it reads too much is not used.
        matrix = np.zeros((features.channels, -(-(8 * count + HEAD_WIDTH) // 32) * 32), np.float32)
        matrix[:, : 9 * count] = taps.reshape(features.channels, -1)
        self._program.add(
            Kind.HEADS,
            *(features.height, features.width, count),
            *(self._program.panels(matrix), self._program.weights(bias)),
            *(features.data, features.norm, float_bits(features.slope)),
            *(features.height, features.width, features.channels, int(Mode.K3), NOTHING),
            *outputs,
        )

    def _constants(self, features: Features, values: Operand, first: int, count: int) -> None:
        self._program.add(
            Kind.CONSTANT_CHANNELS,
            *(values, features.data, count, features.pixels, features.channels, first),
        )

    def _taps(self, kernels: F32Array, mode: Mode, channels: int, name: str) -> F32Array:
        """Return depthwise kernels [C, k, k] as taps [., channels], in the order of reading."""
        side = kernels.shape[-1]
        if mode is Mode.DOUBLING:
            self._check(side in (3, 4), name)
            phases = _phases(kernels)
            taps = phases.transpose(1, 2, 3, 4, 0).reshape(16, -1)
        else:
            self._check(side == {Mode.K3: 3, Mode.K7: 7, Mode.HALVING: 4}[mode], name)
            taps = kernels.transpose(1, 2, 0).reshape(side * side, -1)
        padded = np.zeros((taps.shape[0], channels), np.float32)
        padded[:, : taps.shape[1]] = taps
        return padded

    def _take(self, name: str) -> F32Array:
        if name not in self._arrays:
            raise WeightsError(f"the {self._network} lacks {name}: its weights are of another kind")
        return np.asarray(self._arrays[name], np.float32)

    def _check(self, fits: bool, name: str) -> None:
        if not fits:
            raise WeightsError(f"the {self._network}'s {name} does not fit its architecture")


def _output_size(features: Features, mode: Mode) -> tuple[int, int]:
    match mode:
        case Mode.HALVING:
            return features.height // 2, features.width // 2
        case Mode.DOUBLING:
            return features.height * 2, features.width * 2
    return features.height, features.width


def _phases(kernels: F32Array) -> F32Array:
    """Return what each phase of a doubled output sees of the input, [C, 2, 2, 2, 2].

    The axes are: parity of the output's row, parity of its column, row and column of the
    2x2 input pixels. A transposed 4x4 convolution has those taps already; over nearest
    neighbours two taps of a 3x3 fall on the same pixel.
    """
    if kernels.shape[-1] == 4:
        # Output 2i sees input i-1 by tap 3 and i by tap 1; 2i+1 sees i by 2 and i+1 by 0.
        taps = np.array([[3, 1], [2, 0]])
        return kernels[:, taps[:, None, :, None], taps[None, :, None, :]]
    # Output 2i sees input i-1 by tap 0 and i by 1 and 2; 2i+1 sees i by 0 and 1, i+1 by 2.
    folds = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], np.float32)
    folded: F32Array = np.einsum("cyx,aiy,bjx->cabij", kernels, folds, folds)
    return folded
