"""The PyTorch runtime: exact, and failures of its device are told as such."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from vtbridge.errors import InferenceError, RuntimeUnavailable
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.stages import Tha3Stages
from vtbridge.render.runtimes import pytorch
from vtbridge.render.runtimes.pytorch import PyTorchRuntime, open_pytorch
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.settings import DeviceName, Precision
from vtbridge.render.weights.store import WeightStore

CPU = torch.device("cpu")


class Stages:
    """Stands for the stages; every one is the same."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module

    def as_dict(self) -> dict[Stage, torch.nn.Module]:
        return dict.fromkeys(Stage, self._module)


def stages(module: torch.nn.Module) -> Tha3Stages:
    return Stages(module)  # type: ignore[return-value]  # only as_dict is asked for


class Full(torch.nn.Module):
    """Cannot be moved, as if the device had no memory left."""

    def to(self, *_: object, **__: object) -> Full:
        raise torch.OutOfMemoryError("out of memory")


@pytest.fixture
def _tf32_allowed() -> Iterator[None]:
    # By hand: PyTorch's switches are no attributes that monkeypatch could restore.
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.usefixtures("_tf32_allowed")
def test_f32_is_not_rounded_to_tf32() -> None:
    PyTorchRuntime(stages(torch.nn.Identity()), CPU, Precision.F32)
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_a_device_that_fails_between_stages_is_an_error_of_inference() -> None:
    # Numbers on PyTorch's "meta" device have no values, so that none can be copied back.
    runtime = PyTorchRuntime(stages(torch.nn.Identity()), torch.device("meta"), Precision.F32)
    lost = runtime.upload(np.zeros((1, 4), np.float32))
    with pytest.raises(InferenceError, match="download failed on pytorch f32 META"):
        runtime.download(lost)


def test_an_upload_that_does_not_fit_is_an_error_of_inference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = PyTorchRuntime(stages(torch.nn.Identity()), CPU, Precision.F32)

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(torch, "tensor", full)
    with pytest.raises(InferenceError, match="upload failed on pytorch f32 CPU: out of memory"):
        runtime.upload(np.zeros((1, 4), np.float32))


def test_a_device_without_room_for_the_networks_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pytorch, "load_stages", lambda *_: stages(Full()))
    request = RuntimeRequest(WeightStore(tmp_path), "mine", device=DeviceName.CPU)
    with pytest.raises(RuntimeUnavailable, match="cpu does not take the networks of mine"):
        open_pytorch(request)
