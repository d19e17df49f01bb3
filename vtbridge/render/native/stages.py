"""The five stages of THA3 as programs; what each one does is told in ``models.stages``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from vtbridge.errors import RuntimeUnavailable
from vtbridge.render.models.crops import BROWS_IN_FACE, FACE_CROP, Crop
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.variants import BlockKind, Network, Tha3Variant
from vtbridge.render.native._native import Engine, Program
from vtbridge.render.native.network import Arrays, Features, Head, NetworkBuilder
from vtbridge.render.native.program import Activation, Kind, Mode, Operand, ProgramBuilder

_PLANES = 4
_ROTATION = 6
_SLOPES = {Network.BODY_ROTATOR: 0.1, Network.EDITOR: 0.1}

Networks = Mapping[Network, Arrays]


def build_program(
    stage: Stage, engine: Engine, variant: Tha3Variant, networks: Networks
) -> Program:
    """Return the program of ``stage``; ``run`` takes its inputs, then its outputs.

    All are float32, C-contiguous, planes as ``stage_signatures`` says; only ``encoded``,
    which goes from one program to another, lies pixel by pixel, [16, 16, 512].

    Raises:
        RuntimeUnavailable: the networks are not separable, or unusually narrow.
        WeightsError: weights are absent or of other shapes.
    """
    if variant.kind is not BlockKind.SEPARABLE:
        raise RuntimeUnavailable(
            f"native computes separable networks only, and {variant.name} is not; choose "
            "another runtime for it"
        )
    for shape in variant.shapes.values():
        if narrow := [width for width in shape.widths if width % engine.columns]:
            raise RuntimeUnavailable(
                f"native wants channels in multiples of {engine.columns}, and {variant.name} has "
                f"{narrow[0]}; choose another runtime for it"
            )
    program = ProgramBuilder(engine)
    _BUILDERS[stage](_Stage(program, variant, networks))
    return program.build()


class _Stage:
    """What the builders of the stages share."""

    def __init__(self, program: ProgramBuilder, variant: Tha3Variant, networks: Networks) -> None:
        self.program = program
        self._variant = variant
        self._networks = networks

    def network(self, network: Network) -> NetworkBuilder:
        arrays, slope = self._networks[network], _SLOPES.get(network, 0.0)
        return NetworkBuilder(self.program, arrays, network, slope=slope)

    def size(self, network: Network) -> int:
        return self._variant.shapes[network].image_size

    def halvings(self, network: Network) -> int:
        return len(self._variant.shapes[network].widths) - 1

    def blocks(self, network: Network) -> int:
        return self._variant.shapes[network].bottleneck_blocks

    def encoded(self, network: Network) -> Features:
        """Return the next array as the finished features of a network's bottleneck."""
        shape = self._variant.shapes[network]
        side, channels = shape.bottleneck_size, shape.widths[-1]
        return Features(self.program.array(channels * side * side), side, side, channels)

    def planes(self, count: int, size: int) -> Operand:
        return self.program.buffer(count * size * size)

    def blend(
        self, alpha: Operand, over: Operand, under: Operand, to: Operand, area: int, planes: int
    ) -> None:
        """Append ``over * alpha + under * (1 - alpha)``; all planes share the alpha."""
        self.program.add(Kind.BLEND, alpha, over, under, to, planes, 0, area)

    def posed_body(
        self, network: Network, encoded: Features, pose: Operand | None, pose_size: int
    ) -> Features:
        """Mix the pose in at the bottleneck and decode, as ``PoseEncoderDecoder.decode``."""
        net = self.network(network)
        inner = encoded if pose is None else net.with_constants(encoded, pose, pose_size)
        x = net.normalised(net.block("body.bottleneck.0.conv", [(inner, Mode.K3)]))
        x = net.residuals(x, 1, self.blocks(network))
        return net.decoder(x, [None] * self.halvings(network))

    def paste(self, image: Operand, patch: Operand, to: Operand, size: int, crop: Crop) -> None:
        self.program.add(Kind.PASTE, image, patch, to, size, crop.size, crop.x, crop.y, _PLANES)


def _decompose(stage: _Stage) -> None:
    decomposer, combiner = Network.EYEBROW_DECOMPOSER, Network.EYEBROW_COMBINER
    size = stage.size(decomposer)
    area = size * size
    crop, background, brow_layer = (stage.program.array(_PLANES * area) for _ in range(3))
    encoded = stage.encoded(combiner)

    net = stage.network(decomposer)
    image = net.image(size, _each(crop, _PLANES, area))
    deepest = net.encoder(image, stage.halvings(decomposer))[-1]
    features = stage.posed_body(decomposer, deepest, None, 0)
    background_alpha, brow_alpha = stage.planes(1, size), stage.planes(1, size)
    background_color, brow_color = stage.planes(_PLANES, size), stage.planes(_PLANES, size)
    net.heads(
        features,
        [
            Head("background_alpha", background_alpha, 1, Activation.SIGMOID),
            Head("background_color", background_color, _PLANES, Activation.TANH),
            Head("brow_alpha", brow_alpha, 1, Activation.SIGMOID),
            Head("brow_color", brow_color, _PLANES, Activation.TANH),
        ],
    )
    stage.blend(background_alpha, background_color, crop, background, area, _PLANES)
    stage.blend(brow_alpha, crop, brow_color, brow_layer, area, _PLANES)

    net = stage.network(combiner)
    layers = net.image(size, [*_each(background, _PLANES, area), *_each(brow_layer, _PLANES, area)])
    deepest = net.encoder(layers, stage.halvings(combiner))[-1]
    net.normalised(deepest, into=encoded)


def _brows(stage: _Stage) -> None:
    combiner, pose_size = Network.EYEBROW_COMBINER, 12
    size = stage.size(combiner)
    area = size * size
    background, brow_layer = (stage.program.array(_PLANES * area) for _ in range(2))
    encoded = stage.encoded(combiner)
    pose, posed = stage.program.array(pose_size), stage.program.array(_PLANES * area)

    features = stage.posed_body(combiner, encoded, pose, pose_size)
    change, alpha, color, warped, brows = (stage.planes(n, size) for n in (2, 1, 4, 4, 4))
    stage.network(combiner).heads(
        features,
        [
            Head("grid_change", change, 2, Activation.NONE),
            Head("brow_alpha", alpha, 1, Activation.SIGMOID),
            Head("brow_color", color, _PLANES, Activation.TANH),
        ],
    )
    stage.program.add(Kind.WARP, change, brow_layer, warped, size, _PLANES)
    stage.blend(alpha, color, warped, brows, area, _PLANES)
    # Over the background by the brows' own alpha; the background's alpha stays.
    cover = stage.planes(1, size)
    stage.program.add(Kind.UNIT, brows.at(3 * area), cover, area)
    stage.blend(cover, brows, background, posed, area, 3)
    stage.program.add(Kind.COPY, background.at(3 * area), posed.at(3 * area), area)


def _face(stage: _Stage) -> None:
    morpher, pose_size = Network.FACE_MORPHER, 27
    size = stage.size(morpher)
    area = size * size
    crop = stage.program.array(_PLANES * area)
    brows = stage.program.array(_PLANES * BROWS_IN_FACE.size**2)
    pose, morphed = stage.program.array(pose_size), stage.program.array(_PLANES * area)

    face = stage.planes(_PLANES, size)
    stage.paste(crop, brows, face, size, BROWS_IN_FACE)
    net = stage.network(morpher)
    image = net.image(size, _each(face, _PLANES, area))
    deepest = net.encoder(image, stage.halvings(morpher))[-1]
    features = stage.posed_body(morpher, deepest, pose, pose_size)
    change, alpha, color, eye_alpha, eye_color = (stage.planes(n, size) for n in (2, 1, 4, 1, 4))
    net.heads(
        features,
        [
            Head("iris_mouth_grid_change", change, 2, Activation.NONE),
            Head("iris_mouth_alpha", alpha, 1, Activation.SIGMOID),
            Head("iris_mouth_color", color, _PLANES, Activation.TANH),
            Head("eye_alpha", eye_alpha, 1, Activation.SIGMOID),
            Head("eye_color", eye_color, _PLANES, Activation.TANH),
        ],
    )
    warped, open_eyed = stage.planes(_PLANES, size), stage.planes(_PLANES, size)
    stage.program.add(Kind.WARP, change, face, warped, size, _PLANES)
    stage.blend(alpha, color, warped, open_eyed, area, _PLANES)
    stage.blend(eye_alpha, eye_color, open_eyed, morphed, area, _PLANES)


def _rotate(stage: _Stage) -> None:
    rotator = Network.BODY_ROTATOR
    half = stage.size(rotator)
    size = 2 * half
    picture = stage.program.array(_PLANES * size * size)
    face = stage.program.array(_PLANES * FACE_CROP.size**2)
    rotation = stage.program.array(_ROTATION)
    morphed = stage.program.array(_PLANES * size * size)
    warped, change = (stage.program.array(n * half * half) for n in (_PLANES, 2))

    stage.paste(picture, face, morphed, size, FACE_CROP)
    small = stage.planes(_PLANES, half)
    stage.program.add(Kind.HALVE, morphed, small, half, _PLANES)
    net = stage.network(rotator)
    image = net.image(half, _each(small, _PLANES, half * half), _each(rotation, _ROTATION, 1))
    encoded = net.encoder(image, stage.halvings(rotator), first=Mode.K7)
    x = net.residuals(net.normalised(encoded[-1]), 0, stage.blocks(rotator))
    features = net.decoder(x, [None] * stage.halvings(rotator))
    net.heads(features, [Head("grid_change", change, 2, Activation.NONE)])
    stage.program.add(Kind.WARP, change, small, warped, half, _PLANES)


def _edit(stage: _Stage) -> None:
    editor = Network.EDITOR
    size = stage.size(editor)
    area, half = size * size, size // 2
    morphed = stage.program.array(_PLANES * area)
    warped, half_change = (stage.program.array(n * half * half) for n in (_PLANES, 2))
    rotation = stage.program.array(_ROTATION)
    change, alpha, color = (stage.program.array(n * area) for n in (2, _PLANES, _PLANES))

    doubled = stage.planes(_PLANES, size)
    stage.program.add(Kind.DOUBLE, warped, doubled, half, _PLANES)
    stage.program.add(Kind.DOUBLE, half_change, change, half, 2)
    net = stage.network(editor)
    pictures = [*_each(morphed, _PLANES, area), *_each(doubled, _PLANES, area)]
    image = net.image(size, [*pictures, *_each(change, 2, area)], _each(rotation, _ROTATION, 1))
    encoded = net.encoder(image, stage.halvings(editor))
    x = net.residuals(net.normalised(encoded[-1]), 0, stage.blocks(editor))
    features = net.decoder(x, encoded[-2::-1])
    net.heads(
        features,
        [
            Head("grid_change", change, 2, Activation.ADD),
            Head("alpha", alpha, _PLANES, Activation.SIGMOID),
            Head("color", color, _PLANES, Activation.TANH),
        ],
    )


def _each(planes: Operand, count: int, floats: int) -> list[Operand]:
    """Return the planes one by one."""
    return [planes.at(i * floats) for i in range(count)]


_BUILDERS: Mapping[Stage, Callable[[_Stage], None]] = MappingProxyType(
    {
        Stage.DECOMPOSE: _decompose,
        Stage.BROWS: _brows,
        Stage.FACE: _face,
        Stage.ROTATE: _rotate,
        Stage.EDIT: _edit,
    }
)
