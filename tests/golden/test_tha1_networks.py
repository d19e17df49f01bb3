"""The networks of THA1 against a second construction of them, in the author's names.

His weights are on his page only. What is below was put together from what his public demo
says of its modules, their order, names and sizes, with torch's own layers and nothing of
``render.models``; both are given the same random weights.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbridge.render.models.reference_keys import state_dict_from_reference
from vtbridge.render.models.tha1 import Combiner, HeadRotator, Morpher
from vtbridge.render.models.tha3 import networks_of
from vtbridge.render.models.variants import VARIANTS, Network, NetworkShape

TOLERANCE = 1e-4
SIDE, START, HALVINGS, BLOCKS = 32, 8, 2, 2
SHAPE = NetworkShape(SIDE, START, bottleneck_size=SIDE >> HALVINGS, bottleneck_blocks=BLOCKS)


def block(conv: nn.Module, channels: int) -> nn.Module:
    return nn.Sequential(conv, nn.InstanceNorm2d(channels, affine=True), nn.ReLU())


def seven(channels: int, out: int) -> nn.Module:
    return nn.Conv2d(channels, out, 7, 1, 3, bias=False)


def down(channels: int) -> nn.Module:
    return block(nn.Conv2d(channels, 2 * channels, 4, 2, 1, bias=False), 2 * channels)


def up(channels: int, out: int) -> nn.Module:
    return block(nn.ConvTranspose2d(channels, out, 4, 2, 1, bias=False), out)


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm1 = nn.InstanceNorm2d(channels, affine=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return x + y


class Straight(nn.Module):
    """The body of morpher and rotator: one list of all blocks."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        deep = START << HALVINGS
        self.module_list = nn.ModuleList(
            [
                block(seven(channels, START), START),
                *(down(START << i) for i in range(HALVINGS)),
                *(Residual(deep) for _ in range(BLOCKS)),
                *(up(deep >> i, deep >> (i + 1)) for i in range(HALVINGS)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        for module in self.module_list:
            x = module(x)
        return x


class Skipping(nn.Module):
    """The body of the combiner: a U-Net whose way up is listed from its end."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        deep = START << HALVINGS
        self.downward_modules = nn.ModuleList(
            [block(seven(channels, START), START), *(down(START << i) for i in range(HALVINGS))]
        )
        self.bottleneck_modules = nn.ModuleList(Residual(deep) for _ in range(BLOCKS))
        ways_up = [up((deep >> i) * (1 if i == 0 else 2), deep >> (i + 1)) for i in range(HALVINGS)]
        last = block(seven(2 * START, START), START)
        self.upsampling_modules = nn.ModuleList([last, *reversed(ways_up)])

    def forward(self, x: Tensor) -> Tensor:
        beside = []
        for module in self.downward_modules:
            x = module(x)
            beside.append(x)
        for module in self.bottleneck_modules:
            x = module(x)
        x = self.upsampling_modules[HALVINGS](x)
        for i in reversed(range(HALVINGS)):
            x = self.upsampling_modules[i](torch.cat([x, beside[i]], dim=1))
        return x


def planes(pose: Tensor) -> Tensor:
    return pose.reshape(*pose.shape, 1, 1).repeat(1, 1, SIDE, SIDE)


class PlainMorpher(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.main_body = Straight(7)
        self.color_change = nn.Sequential(seven(START, 4), nn.Tanh())
        self.alpha_mask = nn.Sequential(seven(START, 4), nn.Sigmoid())

    def forward(self, image: Tensor, pose: Tensor) -> tuple[Tensor, ...]:
        y = self.main_body(torch.cat([image, planes(pose)], 1))
        color, alpha = self.color_change(y), self.alpha_mask(y)
        return alpha * image + (1 - alpha) * color, alpha, color


class PlainRotator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.main_body = Straight(7)
        self.pumarola_color_change = nn.Sequential(seven(START, 4), nn.Tanh())
        self.pumarola_alpha_mask = nn.Sequential(seven(START, 4), nn.Sigmoid())
        self.zhou_grid_change = seven(START, 2)

    def forward(self, image: Tensor, pose: Tensor) -> tuple[Tensor, ...]:
        y = self.main_body(torch.cat([image, planes(pose)], 1))
        alpha = self.pumarola_alpha_mask(y)
        painted = alpha * image + (1 - alpha) * self.pumarola_color_change(y)
        change = self.zhou_grid_change(y)
        theta = torch.eye(2, 3).repeat(len(image), 1, 1)
        grid = F.affine_grid(theta, list(image.shape), align_corners=True)
        grid = grid + change.permute(0, 2, 3, 1)
        sampled = F.grid_sample(image, grid, padding_mode="border", align_corners=True)
        return painted, sampled, change


class PlainCombiner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.main_body = Skipping(11)
        self.combine_alpha_mask = nn.Sequential(seven(START, 4), nn.Sigmoid())
        self.retouch_alpha_mask = nn.Sequential(seven(START, 4), nn.Sigmoid())
        self.retouch_color_change = nn.Sequential(seven(START, 4), nn.Tanh())

    def forward(self, first: Tensor, second: Tensor, pose: Tensor) -> tuple[Tensor, ...]:
        y = self.main_body(torch.cat([first, second, planes(pose)], 1))
        combine, retouch = self.combine_alpha_mask(y), self.retouch_alpha_mask(y)
        color = self.retouch_color_change(y)
        combined = combine * first + (1 - combine) * second
        return retouch * combined + (1 - retouch) * color, combine, retouch, color


def random_state(plain: nn.Module) -> dict[str, Tensor]:
    """Return weights by the author's names, none of them trivial, the flow's mild."""
    generator = torch.Generator().manual_seed(2)
    state = {}
    for name, value in plain.state_dict().items():
        noise = torch.randn(value.shape, generator=generator)
        if value.dim() == 1:
            state[name] = 0.2 * noise + (1.0 if name.endswith("weight") else 0.0)
        else:
            scale = 0.02 if "grid" in name else 1.4
            state[name] = noise * scale / value[0].numel() ** 0.5
    return state


@pytest.mark.parametrize(
    ("build", "plain", "pictures"),
    [
        (lambda: Morpher(SHAPE), PlainMorpher, 1),
        (lambda: HeadRotator(SHAPE), PlainRotator, 1),
        (lambda: Combiner(SHAPE), PlainCombiner, 2),
    ],
    ids=["morpher", "rotator", "combiner"],
)
@torch.inference_mode()
def test_a_network_gives_what_one_put_together_plainly_gives(
    build: Callable[[], Morpher | HeadRotator | Combiner],
    plain: Callable[[], nn.Module],
    pictures: int,
) -> None:
    ours, theirs = build().eval(), plain().eval()
    state = random_state(theirs)
    theirs.load_state_dict(state)
    ours.load_state_dict(state_dict_from_reference(ours, state))
    generator = torch.Generator().manual_seed(3)
    inputs = [torch.rand(2, 4, SIDE, SIDE, generator=generator) * 2 - 1 for _ in range(pictures)]
    inputs.append(torch.rand(2, 3, generator=generator) * 2 - 1)
    given, wanted = ours(*inputs), theirs(*inputs)
    assert len(given) == len(wanted)
    for mine, his in zip(given, wanted, strict=True):
        assert his.std() > 0.01
        torch.testing.assert_close(mine, his, atol=TOLERANCE, rtol=0)
    assert (wanted[0] - inputs[0]).abs().max() > 0.1


def test_parameters_at_the_papers_sizes_are_the_authors() -> None:
    with torch.device("meta"):
        networks = networks_of(VARIANTS["tha1"])
    counts = {
        network: sum(value.numel() for value in module.state_dict().values())
        for network, module in networks.as_dict().items()
    }
    assert {network: round(count / 1e6, 2) for network, count in counts.items()} == {
        Network.FACE_MORPHER: 33.88,
        Network.BODY_ROTATOR: 33.88,
        Network.EDITOR: 34.96,
    }
