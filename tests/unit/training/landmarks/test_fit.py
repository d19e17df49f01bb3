from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from vtbridge.characters.face_network import FaceNetwork
from vtbridge.training.landmarks import fit
from vtbridge.training.landmarks.network import LandmarkNetwork
from vtbridge.training.landmarks.targets import heat_and_boxes, loss

SMALL = fit.Recipe(characters=4, backgrounds=3, steps=3, batch=4)
BOXES = torch.tensor(
    [[[20, 22, 86, 98], [60, 60, 76, 72], [30, 60, 46, 72], [48, 82, 58, 85]]], dtype=torch.float32
)


def random_network() -> LandmarkNetwork:
    """Return a network whose norms have seen something, so that folding them matters."""
    torch.manual_seed(1)
    network = LandmarkNetwork().train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(4, 3, 64, 64))
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.2, 0.2)
    return network.eval()


@pytest.mark.parametrize("shape", [(128, 128), (64, 160)])
def test_numpy_answers_what_torch_does(shape: tuple[int, int]) -> None:
    network = random_network()
    rgb = np.random.default_rng(0).uniform(0, 255, (*shape, 3)).astype(np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(rgb).permute(2, 0, 1)[None] / 127.5 - 1)[0].numpy()
    tensors = {name: tensor.numpy() for name, tensor in network.folded().items()}
    np.testing.assert_allclose(FaceNetwork(tensors).maps(rgb), wanted, atol=2e-4)


def perfect_maps() -> torch.Tensor:
    heat, answers = heat_and_boxes(BOXES, torch.ones(1), 32)
    logits = torch.logit(heat.clamp(1e-4, 1 - 1e-4))
    logs, offsets = answers[:, :, :2].flatten(1, 2), answers[:, :, 2:].flatten(1, 2)
    return torch.cat([logits, logs, offsets], dim=1)


def test_right_answers_cost_nothing_and_wrong_ones_do() -> None:
    heat, boxes = loss(perfect_maps(), BOXES, torch.ones(1))
    assert heat < 0.05
    assert boxes < 1e-5
    moved = loss(perfect_maps(), BOXES + 8, torch.ones(1))
    assert moved[0] > 1
    assert moved[1] > 1


def test_a_face_where_there_is_none_costs() -> None:
    nobody, _ = loss(perfect_maps(), BOXES, torch.zeros(1))
    assert nobody > 1


def test_same_recipe_gives_the_same_weights_and_learns() -> None:
    told: list[str] = []
    kept: list[LandmarkNetwork] = []
    torch.manual_seed(SMALL.seed)
    before = LandmarkNetwork().folded()
    first = fit.fit(SMALL, told.append, kept.append).folded()
    again = fit.fit(SMALL, told.append, kept.append).folded()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.allclose(first[name], before[name]) for name in first)
    assert "drew 4 characters" in told[0]
    assert kept == [], "there were fewer than 500 steps"


def test_command_writes_half_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "weights.safetensors"
    words = ["--characters=2", "--backgrounds=2", "--steps=2", "--batch=2"]
    threads = torch.get_num_threads()
    monkeypatch.setattr(sys, "argv", ["fit", str(out), *words, f"--threads={threads}"])
    fit.main()
    tensors = load_file(out)
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float16)}
    FaceNetwork(tensors).find(np.zeros((32, 32, 4), np.uint8))


def test_loss_falls_on_pictures_seen_again() -> None:
    torch.manual_seed(0)
    pixels, boxes, shown = fit.Pictures(SMALL).batch()
    network = LandmarkNetwork().train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        total = sum(loss(network(pixels), boxes, shown), torch.zeros(()))
        losses.append(total.item())
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert losses[-1] < 0.7 * losses[0]
