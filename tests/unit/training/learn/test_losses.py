from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vtbridge.errors import TrainingError
from vtbridge.training.learn.losses import StructuralLoss, edges, l1, structure
from vtbridge.training.learn.perceptual import PerceptualLoss, Vgg16Features, load_vgg16


def picture(seed: int = 0) -> torch.Tensor:
    return torch.rand(2, 4, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize(
    "loss", [l1, StructuralLoss(0.2), PerceptualLoss(Vgg16Features().eval(), 0.2)]
)
def test_a_loss_is_nothing_for_the_truth_and_grows_with_the_distance(loss: object) -> None:
    assert callable(loss)
    truth, noise = picture(), picture(1)
    near, far = (loss(truth + share * (noise - truth), truth).item() for share in (0.1, 0.5))
    assert loss(truth, truth).item() == pytest.approx(0, abs=1e-5)
    assert 0 < near < far


def test_edges_are_those_of_sobel() -> None:
    ramp = torch.linspace(-1, 1, 9).expand(1, 4, 9, 9)
    across, down = edges(ramp)[:, 0::2], edges(ramp)[:, 1::2]
    assert torch.allclose(across, torch.full_like(across, 0.25), atol=1e-6)
    assert torch.allclose(down, torch.zeros_like(down), atol=1e-6)


def test_structure_tells_a_blurred_picture_from_a_darker_one() -> None:
    truth = picture()
    blurred = torch.nn.functional.avg_pool2d(truth, 3, 1, 1)
    assert structure(truth, truth).item() == pytest.approx(1, abs=1e-5)
    assert structure(blurred, truth).item() < structure(truth * 0.9, truth).item() < 1


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_vgg16_takes_the_users_weights_by_torchvisions_names(tmp_path: Path, suffix: str) -> None:
    torch.manual_seed(3)
    state = Vgg16Features().state_dict()
    path = tmp_path / f"vgg16{suffix}"
    more = state | {"classifier.6.bias": torch.zeros(1000)}
    save_file(more, path) if suffix == ".safetensors" else torch.save(more, path)
    loaded = load_vgg16(path)
    assert all(torch.equal(loaded.state_dict()[key], value) for key, value in state.items())
    seen = loaded(picture()[:, :3])
    assert [tuple(maps.shape[1:]) for maps in seen] == [(64, 32, 32), (128, 16, 16), (256, 8, 8)]


def test_what_is_no_vgg16_is_refused(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(b"\x80\x04nonsense")
    for name in ("a.pth", "b.pth", "absent.pth"):
        with pytest.raises(TrainingError, match=name):
            load_vgg16(tmp_path / name)
