"""What a drawer knows beside the pictures, as members of a shard.

``NAME.truth.json`` has the landmarks of the rest picture and of each posed one, in pixels;
``NAME.p00.flow.npy`` where each pixel of the posed picture comes from in the unturned one, float16
[3, S, S]: x and y to add, in pixels, and 1 where it was visible there;
``NAME.layer.front_hair.png`` and its like the layers of the rest picture, back to front in the
order of ``truth.json``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.errors import DatasetError
from vtbridge.training.dataset.pictures import encoded
from vtbridge.training.dataset.tha1 import unturned
from vtbridge.training.sources.subject import Subject, labelled

TRUTH = "truth.json"


def flow_member(number: int) -> str:
    """Return what follows the subject's name: ``p07.flow.npy``."""
    return f"p{number:02d}.flow.npy"


def layer_member(group: str) -> str:
    """Return what follows the subject's name: ``layer.front_hair.png``."""
    return f"layer.{group}.png"


def truth_of(
    subject: Subject, rest: F32Array, poses: F32Array, size: int
) -> Iterator[tuple[str, bytes]]:
    """Yield what the drawer of ``subject`` knows of its pictures: name and content.

    Raises:
        DatasetError: its drawer does not know.
    """
    if not labelled(subject):
        raise DatasetError(f"{subject.name} is drawn without knowing the truth: set truth = false")
    layers = subject.layers(rest, size=size)
    told = {
        "layers": [group.value for group in layers],
        "rest": subject.landmarks(rest, size=size),
        "poses": [subject.landmarks(pose, size=size) for pose in poses],
    }
    yield TRUTH, json.dumps(told, sort_keys=True).encode()
    for group, picture in layers.items():
        yield layer_member(group), encoded(picture)
    for number, pose in enumerate(poses):
        flow, visible = subject.flow(pose, unturned(pose), size=size)
        planes = np.concatenate([flow.transpose(2, 0, 1), visible[None]]).astype(np.float16)
        content = io.BytesIO()
        np.save(content, planes)
        yield flow_member(number), content.getvalue()
