from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from tests.support.figures import a_figure
from vtbridge.datatypes import F32Array
from vtbridge.errors import DatasetError
from vtbridge.pose_params import PoseParam
from vtbridge.training.figures.annotation import Annotation
from vtbridge.training.figures.binding import HEAD_PARAMS, bind, half_of
from vtbridge.training.figures.figure import Figure, Morph
from vtbridge.training.figures.morph_names import NAMES, is_known, left_of, morphs_called_for
from vtbridge.training.figures.skeleton import Turning

FIGURE = a_figure(triangles=900)
P = PoseParam


def renamed(names: Mapping[str, str]) -> Figure:
    """Return the figure with some of its morphs alone, called otherwise: new name to old."""
    return replace(FIGURE, morphs={new: FIGURE.morphs[old] for new, old in names.items()})


def x_of(figure: Figure, morph: Morph) -> F32Array:
    moving = np.abs(morph.offsets).max(1) > 1e-6
    x: F32Array = figure.positions[morph.vertices[moving], 0]
    return x


@pytest.mark.parametrize(
    ("name", "param"),
    [
        ("まばたき", P.EYE_WINK_LEFT),
        ("マバタキ", P.EYE_WINK_LEFT),
        ("ﾏﾊﾞﾀｷ", P.EYE_WINK_LEFT),
        ("Blink", P.EYE_WINK_RIGHT),
        ("Face.M_F00_000_00_Fcl_EYE_Close", P.EYE_WINK_LEFT),
        ("blink_L", P.EYE_WINK_LEFT),
        ("ウィンク２", P.EYE_WINK_LEFT),
        ("ｳｨﾝｸ２右", P.EYE_WINK_RIGHT),
        ("ウィンク", P.EYE_HAPPY_WINK_LEFT),
        ("ウインク右", P.EYE_HAPPY_WINK_RIGHT),
        ("笑い", P.EYE_HAPPY_WINK_LEFT),
        ("ジト目", P.EYE_UNIMPRESSED_LEFT),
        ("びっくり", P.EYE_SURPRISED_LEFT),
        ("なごみ", P.EYE_RELAXED_LEFT),
        ("下まぶた上げ", P.EYE_RAISED_LOWER_EYELID_LEFT),
        ("瞳小", P.IRIS_SMALL_RIGHT),
        ("困る", P.EYEBROW_TROUBLED_LEFT),
        ("怒り", P.EYEBROW_ANGRY_LEFT),
        ("にこり", P.EYEBROW_HAPPY_LEFT),
        ("真面目", P.EYEBROW_SERIOUS_LEFT),
        ("上", P.EYEBROW_RAISED_LEFT),
        ("下", P.EYEBROW_LOWERED_RIGHT),
        ("ｱ", P.MOUTH_AAA),
        ("Ａ", P.MOUTH_AAA),
        ("aa", P.MOUTH_AAA),
        ("ih", P.MOUTH_III),
        ("う", P.MOUTH_UUU),
        ("え", P.MOUTH_EEE),
        ("oh", P.MOUTH_OOO),
        ("▲", P.MOUTH_DELTA),
        ("口角上げ", P.MOUTH_RAISED_CORNER_LEFT),
        ("への字", P.MOUTH_LOWERED_CORNER_RIGHT),
        ("にやり", P.MOUTH_SMIRK),
    ],
)
def test_a_name_in_any_spelling_is_known(name: str, param: PoseParam) -> None:
    assert morphs_called_for(param, {"関係ない": None, name: None}) == [name]


def test_every_part_of_the_face_has_names() -> None:
    face = [param for param in P if param < P.IRIS_ROTATION_X]
    assert {left_of(param) for param in face} == NAMES.keys()
    assert not is_known("涙")


def test_the_first_choice_of_several_names_is_taken() -> None:
    names = {"ウィンク": None, "blinkLeft": None, "まばたき": None}
    assert morphs_called_for(P.EYE_WINK_LEFT, names)[0] == "まばたき"


def test_a_full_figure_shows_all_but_what_it_lacks() -> None:
    lacking = {P.BODY_Y, P.BODY_Z, P.BREATHING}
    lacking |= {P.EYE_RAISED_LOWER_EYELID_LEFT, P.EYE_RAISED_LOWER_EYELID_RIGHT}
    assert bind(FIGURE).shows == set(P) - lacking


@pytest.mark.parametrize(
    "left", [param for param in NAMES if param.name.endswith("_LEFT") and param < P.IRIS_ROTATION_X]
)
def test_each_side_moves_its_own_side_only(left: PoseParam) -> None:
    binding = bind(FIGURE)
    if left is P.EYE_RAISED_LOWER_EYELID_LEFT:
        assert left not in binding.morphs
        return
    right = PoseParam(left + 1)
    assert (x_of(FIGURE, binding.morphs[left]) > -0.05).all()
    assert (x_of(FIGURE, binding.morphs[right]) < 0.05).all()


@pytest.mark.parametrize("name", FIGURE.morphs)
def test_two_halves_are_the_whole(name: str) -> None:
    whole = FIGURE.morphs[name]
    together = np.zeros_like(FIGURE.positions)
    for left in (True, False):
        half = half_of(whole, FIGURE.positions, 0.0, left=left)
        together[half.vertices] += half.offsets
    wanted = np.zeros_like(FIGURE.positions)
    wanted[whole.vertices] = whole.offsets
    np.testing.assert_allclose(together, wanted, atol=1e-6)


def test_morphs_of_one_eye_serve_where_there_is_none_of_both() -> None:
    binding = bind(renamed({"ウィンク２": "ウィンク２", "ｳｨﾝｸ２右": "ｳｨﾝｸ２右"}))
    assert binding.names[P.EYE_WINK_LEFT] == ("ウィンク２",)
    assert binding.names[P.EYE_WINK_RIGHT] == ("ｳｨﾝｸ２右",)


def test_the_vertices_tell_the_side_where_the_name_is_wrong() -> None:
    binding = bind(renamed({"ウィンク２": "ｳｨﾝｸ２右", "ウィンク２右": "ウィンク２"}))
    assert binding.names[P.EYE_WINK_LEFT] == ("ウィンク２右",)
    assert (x_of(FIGURE, binding.morphs[P.EYE_WINK_LEFT]) > 0).all()


def test_one_eye_alone_is_shown_alone() -> None:
    shows = bind(renamed({"ウィンク２": "ウィンク２"})).shows
    assert P.EYE_WINK_LEFT in shows
    assert P.EYE_WINK_RIGHT not in shows


@pytest.mark.parametrize(
    ("names", "unfit"),
    [
        ({"まばたき": "まばたき", "あ": "あ", "怒り": "口角下げ"}, P.EYEBROW_ANGRY_LEFT),
        ({"まばたき": "まばたき", "あ": "上"}, P.MOUTH_AAA),
        ({"まばたき": "まばたき", "あ": "あ", "smile": "にやり"}, P.EYE_HAPPY_WINK_LEFT),
    ],
)
def test_a_morph_that_moves_another_part_is_not_trusted(
    names: dict[str, str], unfit: PoseParam
) -> None:
    assert unfit not in bind(renamed(names)).shows


def test_an_empty_morph_gives_way_to_the_next_name() -> None:
    empty = Morph(FIGURE.morphs["あ"].vertices, np.zeros_like(FIGURE.morphs["あ"].offsets))
    figure = replace(FIGURE, morphs={"あ": empty, "あ２": FIGURE.morphs["あ"]})
    assert bind(figure).names[P.MOUTH_AAA] == ("あ２",)


def test_an_annotation_counts_more_than_the_table() -> None:
    said = Annotation(
        morphs={"mouth_aaa": ("お", "い"), "eye_wink_left": ("笑い",), "mouth_ooo": ()}
    )
    binding = bind(FIGURE, said)
    assert binding.names[P.MOUTH_AAA] == ("お", "い")
    both = np.zeros_like(FIGURE.positions)
    for name in ("お", "い"):
        both[FIGURE.morphs[name].vertices] += FIGURE.morphs[name].offsets
    found = np.zeros_like(both)
    found[binding.morphs[P.MOUTH_AAA].vertices] = binding.morphs[P.MOUTH_AAA].offsets
    np.testing.assert_allclose(found, both, atol=1e-6)
    assert (x_of(FIGURE, binding.morphs[P.EYE_WINK_LEFT]) > 0).all()
    assert P.MOUTH_OOO not in binding.shows


def test_an_annotation_of_a_missing_morph_is_refused_by_name() -> None:
    with pytest.raises(DatasetError, match=r"no morph 'ん' for mouth_aaa"):
        bind(FIGURE, Annotation(morphs={"mouth_aaa": ("ん",)}))


def without_role(*roles: str) -> Figure:
    bones = [replace(bone, role="" if bone.role in roles else bone.role) for bone in FIGURE.bones]
    return replace(FIGURE, bones=tuple(bones))


def test_a_figure_without_a_head_is_refused() -> None:
    with pytest.raises(DatasetError, match="no bone is a head"):
        bind(without_role("head"))


def test_without_a_neck_the_head_rolls() -> None:
    binding = bind(without_role("neck"))
    assert binding.skeleton.pivots[Turning.NECK] == binding.skeleton.pivots[Turning.HEAD]
    assert binding.shows >= HEAD_PARAMS


def test_an_eye_bone_alone_turns_no_irises() -> None:
    assert P.IRIS_ROTATION_X not in bind(without_role("left_eye")).shows


def test_bones_that_do_not_hang_together_turn_only_what_does() -> None:
    bones = list(FIGURE.bones)
    apart = [replace(bones[i], parent=1) if bones[i].role == "head" else bones[i] for i in range(6)]
    skeleton = bind(replace(FIGURE, bones=tuple(apart))).skeleton
    assert skeleton.pivots[Turning.NECK] == skeleton.pivots[Turning.HEAD]
    loose = [replace(bone, parent=1) if bone.role == "left_eye" else bone for bone in bones]
    assert Turning.LEFT_EYE not in bind(replace(FIGURE, bones=tuple(loose))).skeleton.pivots
