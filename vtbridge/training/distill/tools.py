"""What a bake works with where it is not tried out: the exact networks and real learners."""

from __future__ import annotations

from vtbridge.datatypes import Picture
from vtbridge.render.baked.model_file import BakedManifest, Tensors
from vtbridge.training.distill.evaluation import Render
from vtbridge.training.distill.job import Tools


def default_tools(weights: str, *, threads: int) -> Tools:
    """Return the tools that bake with the exact networks.

    Args:
        weights: name of the teacher's weights.
        threads: for both lanes together.

    Raises:
        WeightsError: characters are not prepared with these weights.
    """
    import torch

    from vtbridge.render.weights.store import WeightStore
    from vtbridge.training.distill.body import BodyTrainer
    from vtbridge.training.distill.face import FaceTrainer
    from vtbridge.training.distill.teacher import (
        open_face_teacher,
        open_teacher,
        require_teachable,
    )

    store = WeightStore()
    require_teachable(weights, store)
    for_body = max(threads // 2, 1)
    for_face = max(threads - for_body, 1)
    torch.set_num_threads(for_face)

    return Tools(
        open_teacher=lambda picture: open_teacher(weights, picture, store, threads=for_body),
        open_face_teacher=lambda picture: open_face_teacher(
            weights, picture, store, threads=for_face
        ),
        body_learner=BodyTrainer,
        face_learner=FaceTrainer,
        open_render=rendering,
    )


def rendering(tensors: Tensors, about: BakedManifest, picture: Picture) -> Render:
    """Return what draws the frames of a model, of its tensors."""
    from vtbridge.render.baked.body import BakedBody
    from vtbridge.render.baked.face import BakedFace
    from vtbridge.render.baked.model_file import part_of
    from vtbridge.render.baked.poser import BakedPoser
    from vtbridge.render.compositor import Compositor
    from vtbridge.telemetry import Telemetry

    body, face = BakedBody(part_of(tensors, "body")), BakedFace(part_of(tensors, "face"))
    poser = BakedPoser(body, face, about, Telemetry(), Compositor())
    poser.set_picture(picture)
    return poser.render
