"""Which bones turn the head and the eyes, by the names that modellers give them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace

from vtbridge.training.figures.figure import Bone

# The first name that a figure has is its bone; ``両目`` turns both eyes and moves no vertex.
_ROLE_NAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("hips", ("センター", "center", "centre", "下半身", "hips", "lower body", "waist")),
    ("spine", ("上半身", "upper body", "spine", "chest", "torso")),
    ("neck", ("首", "neck", "j_bip_c_neck")),
    ("head", ("頭", "head", "face", "j_bip_c_head")),
    ("left_eye", ("左目", "目.l", "eye_l", "eye.l", "lefteye", "eyel", "lefteyeball", "左眼")),
    ("right_eye", ("右目", "目.r", "eye_r", "eye.r", "righteye", "eyer", "righteyeball", "右眼")),
)


def with_roles(bones: Sequence[Bone], other_names: Iterable[str] = ()) -> tuple[Bone, ...]:
    """Return the bones with the roles that their names tell.

    Args:
        bones: as in the file.
        other_names: the name of each in another language, or ``""``.
    """
    places: dict[str, int] = {}
    for names in (other_names, (bone.name for bone in bones)):  # the own name wins
        own: dict[str, int] = {}
        for i, name in enumerate(names):
            own.setdefault(_folded(name), i)
        places |= own
    role_of: dict[int, str] = {}
    for role, names in _ROLE_NAMES:
        for name in names:
            place = places.get(_folded(name))
            if place is not None and place not in role_of:
                role_of[place] = role
                break
    return tuple(replace(bone, role=role_of.get(i, "")) for i, bone in enumerate(bones))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().replace(" ", "").replace("_", "")
