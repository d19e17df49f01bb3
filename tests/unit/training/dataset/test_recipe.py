from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.errors import DatasetError
from vtbridge.pose_params import PoseParam
from vtbridge.training.dataset.recipe import load_recipe, recipe_names

WHOLE = 'name = "x"\n[source]\nkind = "procedural"\n'


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_that_come_along_are_right_and_say_what_they_are_for(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name


def written(folder: Path, text: str) -> str:
    path = folder / "recipe.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("poses = 0\n" + WHOLE, "poses: .*greater than or equal to 1"),
        ("colour = 1\n" + WHOLE, "colour: Extra inputs"),
        ('parameters = ["head_q"]\n' + WHOLE, "no parameter head_q"),
        ("[shares]\ntrain = 0.5\n" + WHOLE.replace('name = "x"\n', ""), "name"),
        ('name = "x"\n[source]\nkind = "figures"\n', "name it with folder"),
        ('name = "x"\n[shares]\ntrain = 0.5\n[source]\nkind = "procedural"', "sum to 0.5"),
        ('name = "../x"\n[source]\nkind = "procedural"', "name: "),
        ("name = ", "recipe .*recipe.toml"),
    ],
)
def test_a_wrong_recipe_is_refused_by_key_and_reason(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(DatasetError, match=complaint):
        load_recipe(written(tmp_path, text))


def test_a_recipe_that_is_not_there_tells_which_are() -> None:
    with pytest.raises(DatasetError, match="procedural-small"):
        load_recipe("procedural-smal")


def test_parameters_may_be_listed(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, 'parameters = ["head_x", "mouth_ooo"]\n' + WHOLE))
    assert recipe.moves == {PoseParam.HEAD_X, PoseParam.MOUTH_OOO}


def test_the_digest_tells_recipes_and_seeds_apart(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, WHOLE))
    other = load_recipe(written(tmp_path, "poses = 9\n" + WHOLE))
    assert len({recipe.digest(0), recipe.digest(1), other.digest(0)}) == 3
