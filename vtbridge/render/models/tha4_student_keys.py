"""The author's student weights, translated to ours; checked one by one."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vtbridge.errors import WeightsError
from vtbridge.render.models.tha4_student import STUDENT_SHAPES, StudentNetwork, author_key


def student_state_from_author(
    network: StudentNetwork, state: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Translate one of the author's state dicts to our names.

    Values stay as they are; their 1x1 convolutions [out, in, 1, 1] become [out, in].

    Args:
        network: which of the two.
        state: what the author's ``face_morpher.pt`` or ``body_morpher.pt`` holds.

    Raises:
        WeightsError: a weight is missing, is none of this network's, has another shape or
            holds no floats; the message names it.
    """
    shapes = STUDENT_SHAPES[network].tensors()
    names = {author_key(network, name): name for name in shapes}
    if unexpected := sorted(state.keys() - names.keys()):
        raise WeightsError(
            f"{unexpected[0]!r} is no weight of a {network} ({len(unexpected)} such)"
        )
    translated: dict[str, Tensor] = {}
    for theirs, name in names.items():
        tensor = state.get(theirs)
        if tensor is None:
            raise WeightsError(f"weight {theirs!r} of a {network} is missing")
        shape = shapes[name]
        wanted = (*shape, 1, 1) if len(shape) == 2 else shape
        if tuple(tensor.shape) != wanted or not tensor.is_floating_point():
            raise WeightsError(
                f"{theirs!r} is {str(tensor.dtype).removeprefix('torch.')} "
                f"{list(tensor.shape)} instead of floats {list(wanted)}"
            )
        translated[name] = tensor.reshape(shape)
    return translated
