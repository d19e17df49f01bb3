"""The perceptual loss of the paper: what VGG16 sees, with weights that the user brings.

Source: J. Johnson et al., "Perceptual Losses for Real-Time Style Transfer"; P. Khungurn, "Talking
Head Anime from a Single Image" (features after relu1_2, relu2_2 and relu3_3, of the colours and
of alpha as a grey picture). The weights are those of ImageNet under the names that torchvision
gives them, ``features.0.weight`` and so on.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbridge.errors import TrainingError
from vtbridge.training.learn.losses import l1

_WIDTHS = ((0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256))
_LAST = (14, 256, 256)
_POOL_BEFORE = (5, 10)
_SEEN_AFTER = (2, 7, 14)
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Vgg16Features(nn.Module):
    """The first seven convolutions of VGG16; gives what three of them see."""

    mean: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.ModuleDict(
            {str(at): nn.Conv2d(i, o, 3, padding=1) for at, i, o in (*_WIDTHS, _LAST)}
        )
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(_SPREAD).view(1, 3, 1, 1), persistent=False)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Return features of ``rgb`` [N, 3, S, S], -1..1."""
        x = ((rgb + 1) / 2 - self.mean) / self.spread
        seen = []
        for name, convolution in self.features.items():
            if int(name) in _POOL_BEFORE:
                x = F.max_pool2d(x, 2)
            x = F.relu(convolution(x))
            if int(name) in _SEEN_AFTER:
                seen.append(x)
        return seen


def load_vgg16(path: Path) -> Vgg16Features:
    """Return the features with the weights of a state dict, frozen.

    Args:
        path: a ``.pt``, ``.pth`` or ``.safetensors`` file of VGG16; only tensors are read.

    Raises:
        TrainingError: it cannot be read, or a weight is missing or has another shape.
    """
    network = Vgg16Features()
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        wanted = network.state_dict()
        network.load_state_dict({key: state[key] for key in wanted})
    except KeyError as error:
        raise TrainingError(f"{path}: {error} is missing: this is no VGG16") from error
    except Exception as error:  # whatever torch says of a file that is none of its own
        raise TrainingError(f"{path} cannot be used as VGG16: {error}") from error
    return network.eval().requires_grad_(False)


class PerceptualLoss(nn.Module):
    """L1, and ``weight`` times the mean difference of what VGG16 sees."""

    def __init__(self, features: Vgg16Features, weight: float) -> None:
        super().__init__()
        self.features = features
        self.weight = weight

    def forward(self, picture: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of a batch [N, 4, S, S]."""
        seen = torch.zeros((), device=picture.device)
        for a, b in ((picture[:, :3], truth[:, :3]), (_grey(picture), _grey(truth))):
            for here, there in zip(self.features(a), self.features(b), strict=True):
                seen = seen + l1(here, there)
        return l1(picture, truth) + self.weight * seen


def _grey(picture: Tensor) -> Tensor:
    return picture[:, 3:].expand(-1, 3, -1, -1)
