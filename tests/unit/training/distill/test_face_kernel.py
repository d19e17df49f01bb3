"""How alike poses of a face are: a sum over its parts, judged by faces left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from vtbridge.pose_params import PoseParam
from vtbridge.training.distill import face_kernel
from vtbridge.training.distill.face_kernel import FaceKernel, parts


def poses(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 39, generator=torch.Generator().manual_seed(seed))


def targets(count: int, seed: int = 1) -> Tensor:
    return 50 * torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))


def covariance(kernel: FaceKernel, some: Tensor, others: Tensor) -> Tensor:
    return kernel.between(kernel.placed(some), kernel.placed(others)).detach()


def worked_out(kernel: FaceKernel, known: Tensor, faces: Tensor, asked: Tensor) -> Tensor:
    points, weights = kernel.solved(known, faces)
    alike = kernel.between(kernel.placed(asked), torch.from_numpy(points)).detach()
    return alike @ torch.from_numpy(weights)


def test_every_parameter_moves_a_part_and_both_irises_turn_together() -> None:
    *members, whole = parts()
    assert whole == tuple(range(39))
    counted = sorted(param for part in members for param in part)
    gaze = [PoseParam.IRIS_ROTATION_X, PoseParam.IRIS_ROTATION_Y]
    assert counted == sorted([*range(39), *gaze])
    assert PoseParam.EYE_WINK_LEFT in parts()[2]
    assert PoseParam.EYE_WINK_RIGHT in parts()[3]


def test_a_parameter_changes_only_what_its_part_contributes() -> None:
    kernel = FaceKernel()
    with torch.no_grad():
        kernel.log_share.copy_(torch.tensor([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0]))
    one, other = poses(1), poses(1, 7)
    for part, members in enumerate(parts()):
        same = other.clone()
        same[:, list(members)] = one[:, list(members)]
        moved = same.clone()
        outside = [param for param in range(39) if param not in members]
        moved[:, outside] = 1 - moved[:, outside]
        for pose in (same, moved):
            placed_one, placed = kernel.placed(one)[part], kernel.placed(pose)[part]
            torch.testing.assert_close(placed_one, placed)


def test_a_face_is_as_like_itself_as_the_shares_say() -> None:
    kernel = FaceKernel()
    alike = covariance(kernel, poses(5), poses(5))
    shares = float(kernel.log_share.detach().exp().sum())
    torch.testing.assert_close(alike.diagonal(), torch.full((5,), shares), atol=1e-3, rtol=0)
    assert (alike <= shares + 1e-3).all()
    assert (alike > 0).all()


def test_the_loss_is_the_error_of_faces_left_out_in_turn() -> None:
    kernel, known, faces = FaceKernel(), poses(12), 20 * targets(12)
    errors = []
    for left_out in range(12):
        kept = [index for index in range(12) if index != left_out]
        own = covariance(kernel, known[kept], known[kept])
        own += kernel.noise.detach() * torch.eye(11)
        alike = covariance(kernel, known[left_out : left_out + 1], known[kept])
        errors.append(alike @ torch.linalg.solve(own, faces[kept]) - faces[left_out])
    loss = kernel.loss(known, faces)
    assert loss is not None
    expected = (torch.cat(errors).square().sum(1) + 3e4).log().mean()
    torch.testing.assert_close(loss.detach(), expected, rtol=1e-3, atol=1e-3)


def test_known_faces_are_worked_out_within_the_noise() -> None:
    kernel, known, faces = FaceKernel(), poses(30), targets(30)
    assert (worked_out(kernel, known, faces, known) - faces).abs().max() < 1.0


def test_of_many_faces_some_points_tell_nearly_all(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, known, asked = FaceKernel(), poses(200), poses(20, 3)
    smooth = torch.stack([known[:, 26] + known[:, 0], torch.sin(3 * known[:, 12])], 1)
    wanted = torch.stack([asked[:, 26] + asked[:, 0], torch.sin(3 * asked[:, 12])], 1)
    of_all = (worked_out(kernel, known, smooth, asked) - wanted).square().mean()
    monkeypatch.setattr(face_kernel, "MOST_POINTS", 120)
    points, weights = kernel.solved(known, smooth)
    assert points.shape[1] == len(weights) == 120
    of_some = (worked_out(kernel, known, smooth, asked) - wanted).square().mean()
    assert of_some < 1.5 * of_all


def test_a_pose_known_twice_is_a_point_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = FaceKernel()
    known = poses(20).repeat_interleave(3, 0)
    monkeypatch.setattr(face_kernel, "MOST_POINTS", 20)
    points, _ = kernel.solved(known, targets(20).repeat_interleave(3, 0))
    assert len(np.unique(points.round(5), axis=1)[0]) == 20


def test_shares_and_noise_stay_where_inverses_exist() -> None:
    kernel = FaceKernel()
    with torch.no_grad():
        kernel.log_share.fill_(40.0)
        kernel.log_noise.fill_(-40.0)
    kernel.limit()
    assert kernel.loss(poses(100).repeat(3, 1), targets(300)) is not None


def test_where_no_inverse_exists_there_is_no_loss() -> None:
    kernel = FaceKernel()
    with torch.no_grad():
        kernel.log_noise.fill_(-40.0)
    known = poses(1).repeat(50, 1)
    assert kernel.loss(known, targets(50)) is None
    before = float(kernel.noise.detach())
    kernel.be_noisier()
    assert float(kernel.noise.detach()) > 2 * before


def test_what_was_learnt_is_taken_as_it_was_given() -> None:
    one, other = FaceKernel(), FaceKernel()
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.add_(0.125)
    other.take(one.arrays())
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(other.arrays()[name], array)


@pytest.mark.parametrize("wrong", ["shape", "type", "value", "absent"])
def test_parameters_that_do_not_fit_are_refused(wrong: str) -> None:
    arrays = FaceKernel().arrays()
    match wrong:
        case "shape":
            arrays["bend"] = arrays["bend"][:-1]
        case "type":
            arrays["bend"] = arrays["bend"].astype(np.float64)
        case "value":
            arrays["bend"][0, 0, 0] = np.inf
        case "absent":
            del arrays["bend"]
    with pytest.raises((KeyError, ValueError)):
        FaceKernel().take(arrays)
