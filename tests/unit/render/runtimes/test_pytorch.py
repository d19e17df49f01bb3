"""The PyTorch runtime where it can run here, and what surrounds the devices it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.tha3 import randomise, thinned
from vtbridge.errors import InferenceError, RuntimeUnavailable
from vtbridge.render.models.rewrites import ClampedWarp
from vtbridge.render.models.signatures import Stage, StageSignature, stage_signatures
from vtbridge.render.models.stages import EditStage, Tha3Stages, build_stages
from vtbridge.render.models.tha3 import build_networks
from vtbridge.render.models.variants import BlockKind, Tha3Variant
from vtbridge.render.runtimes import pytorch
from vtbridge.render.runtimes.pytorch import PyTorchRuntime, open_pytorch, placed
from vtbridge.render.runtimes.pytorch_cuda import CapturedStage
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.settings import DeviceName, Precision
from vtbridge.render.weights.store import WeightStore

CPU = torch.device("cpu")
THIN = thinned(Tha3Variant("separable_float", BlockKind.SEPARABLE))


class Store(WeightStore):
    """Has every weights, all of one variant."""

    def variant(self, name: str) -> Any:
        return THIN


def runtime_on(device: torch.device) -> PyTorchRuntime:
    return PyTorchRuntime(dict.fromkeys(Stage, torch.nn.Identity()), device, Precision.F32)


def thin_stages() -> Tha3Stages:
    networks = build_networks(THIN)
    randomise(networks, seed=7)
    return build_stages(networks)


@pytest.fixture
def _tf32_allowed() -> Iterator[None]:
    # By hand: PyTorch's switches are no attributes that monkeypatch could restore.
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.usefixtures("_tf32_allowed")
def test_f32_is_not_rounded_to_tf32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytorch, "load_stages", lambda *_: thin_stages())
    open_pytorch(RuntimeRequest(Store(tmp_path), "mine", device=DeviceName.CPU))
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_a_device_that_fails_between_stages_is_an_error_of_inference() -> None:
    # Numbers on PyTorch's "meta" device have no values, so that none can be copied back.
    runtime = runtime_on(torch.device("meta"))
    lost = runtime.upload(np.zeros((1, 4), np.float32))
    with pytest.raises(InferenceError, match="download failed on pytorch f32 META"):
        runtime.download(lost)


def test_an_upload_that_does_not_fit_is_an_error_of_inference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = runtime_on(CPU)

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(torch, "tensor", full)
    with pytest.raises(InferenceError, match="upload failed on pytorch f32 CPU: out of memory"):
        runtime.upload(np.zeros((1, 4), np.float32))


def test_a_device_without_room_for_the_networks_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(pytorch, "load_stages", lambda *_: thin_stages())
    monkeypatch.setattr(EditStage, "to", full)
    request = RuntimeRequest(Store(tmp_path), "mine", device=DeviceName.CPU)
    with pytest.raises(RuntimeUnavailable, match="cpu does not take the networks of mine"):
        open_pytorch(request)


@pytest.mark.parametrize(
    ("device", "precision", "told"),
    [
        (DeviceName.CPU, Precision.F16, "in f32 on cpu, not in f16"),
        (DeviceName.CPU, Precision.BF16, "in f32 on cpu, not in bf16"),
        (DeviceName.DIRECTML, Precision.AUTO, "on cuda, mps, cpu, not on directml"),
    ],
)
def test_what_pytorch_does_not_offer_is_refused_with_what_it_does(
    device: DeviceName, precision: Precision, told: str, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeUnavailable, match=told):
        open_pytorch(RuntimeRequest(Store(tmp_path), "mine", device, precision))


def test_an_absent_gpu_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeUnavailable, match="sees no cuda device here; set device to auto"):
        open_pytorch(RuntimeRequest(Store(tmp_path), "mine", DeviceName.CUDA))


def example_inputs(signature: StageSignature) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(11)
    return tuple(
        torch.rand(shape, generator=generator) * 0.1 for shape in signature.inputs.values()
    )


@pytest.mark.parametrize("stage", Stage)
def test_half_precision_stays_between_float32_pictures(stage: Stage) -> None:
    signature = stage_signatures(THIN)[stage]
    inputs = example_inputs(signature)
    exact = placed(thin_stages()[stage], signature, CPU, Precision.F32)
    half = placed(thin_stages()[stage], signature, CPU, Precision.F16)
    with torch.inference_mode():
        wanted, given = exact(*inputs), half(*inputs)
    pairs = zip(tuple_of(wanted), tuple_of(given), strict=True)
    differences = []
    for ours, theirs in pairs:
        assert ours.dtype is torch.float32
        # Random networks amplify rounding: what matters is that nothing else changed.
        assert (ours - theirs).abs().mean() < 0.05
        differences.append(float((ours - theirs).abs().max()))
    assert max(differences) > 1e-6, "nothing was computed in float16"


def tuple_of(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def test_an_apple_gpu_gets_a_warp_without_repeated_borders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # There is no such device to move to; what is moved can be looked at.
    monkeypatch.setattr(torch.nn.Module, "to", lambda module, *_, **__: module)
    signatures = stage_signatures(THIN)
    for stage, module in thin_stages().as_dict().items():
        run = placed(module, signatures[stage], torch.device("mps"), Precision.F32)
        assert run is module
        if stage in (Stage.BROWS, Stage.FACE, Stage.ROTATE):
            assert isinstance(module.warp, ClampedWarp)


class Recorder:
    """Records as a CUDA graph does: what is replayed reads and writes fixed places."""

    def __init__(self) -> None:
        self.replays = 0

    def __call__(
        self, run: Callable[[], tuple[Tensor, ...]]
    ) -> tuple[tuple[Tensor, ...], Callable[[], object]]:
        places = run()

        def replay() -> None:
            self.replays += 1
            for place, output in zip(places, run(), strict=True):
                place.copy_(output)

        return places, replay


def test_a_recorded_stage_reads_what_it_is_given_and_not_what_was_recorded() -> None:
    recorder = Recorder()
    stage = CapturedStage(lambda a, b: (a + b, a - b), [(1, 2), (1, 2)], CPU, recorder)
    total, difference = stage(torch.ones(1, 2), torch.full((1, 2), 3.0))
    assert total.tolist() == [[4, 4]]
    assert difference.tolist() == [[-2, -2]]
    again, _ = stage(torch.ones(1, 2), torch.zeros(1, 2))
    assert again.tolist() == [[1, 1]]
    assert again is total, "outputs lie at fixed places"
    assert recorder.replays == 2


def test_a_recorded_stage_takes_the_outputs_of_another_and_of_itself() -> None:
    double = CapturedStage(lambda a: a * 2, [(1, 2)], CPU, Recorder())
    (once,) = double(torch.ones(1, 2))
    (twice,) = double(once)
    assert twice.tolist() == [[4, 4]]


def test_a_recorded_stage_refuses_another_number_of_inputs() -> None:
    stage = CapturedStage(lambda a: a, [(1, 2)], CPU, Recorder())
    with pytest.raises(ValueError, match=r"shorter|longer"):
        stage(torch.ones(1, 2), torch.ones(1, 2))


@pytest.mark.parametrize(("variable", "count"), [("1", len(Stage)), ("0", 0), ("", 0)])
def test_stages_are_compiled_only_where_the_user_says_so(
    variable: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[torch.nn.Module] = []

    def compile_module(module: torch.nn.Module) -> torch.nn.Module:
        compiled.append(module)
        return module

    monkeypatch.setattr(torch, "compile", compile_module)
    monkeypatch.setattr(pytorch, "load_stages", lambda *_: thin_stages())
    monkeypatch.setenv(pytorch.COMPILE_VARIABLE, variable)
    open_pytorch(RuntimeRequest(Store(tmp_path), "mine", device=DeviceName.CPU))
    assert len(compiled) == count
