from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.errors import TrainingError
from vtbridge.training.learn.network_file import build_network
from vtbridge.training.learn.recipe import (
    LossName,
    NetworkName,
    StageName,
    load_recipe,
    parse_recipe,
    recipe_names,
)

MORPHER = '[[stages]]\nname = "morpher"\nexamples = 100\n'


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_that_come_along_are_right_and_say_what_they_are_for(name: str) -> None:
    recipe, text = load_recipe(name)
    assert recipe.name == name
    assert text.startswith("# ")


@pytest.mark.parametrize("name", ["paper-l1", "paper-perceptual"])
def test_paper_recipes_train_what_the_paper_trained(name: str) -> None:
    recipe, _ = load_recipe(name)
    counts = {
        network: sum(p.numel() for p in build_network(network, recipe.shape(network)).parameters())
        for network in NetworkName
    }
    assert {network: round(count / 1e6, 2) for network, count in counts.items()} == {
        NetworkName.MORPHER: 33.88,
        NetworkName.ROTATOR: 33.88,
        NetworkName.COMBINER: 34.96,
    }
    for stage in recipe.stages:
        assert stage.rate == 1e-4
        assert stage.batch == (8 if stage.name.loss is LossName.PERCEPTUAL else 25)
        if stage.name.loss is LossName.PERCEPTUAL:
            combines = stage.name.network is NetworkName.COMBINER
            assert stage.weight == (0.04 if combines else 0.2)


def test_a_stages_name_tells_network_losses_and_rotator() -> None:
    stage = StageName.COMBINER_PERCEPTUAL_L1
    assert (stage.network, stage.loss) == (NetworkName.COMBINER, LossName.L1)
    assert stage.rotator is StageName.ROTATOR_PERCEPTUAL
    assert StageName.MORPHER.loss is LossName.L1
    assert StageName.ROTATOR_PERCEPTUAL.rotator is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (MORPHER + MORPHER, "twice"),
        ('[[stages]]\nname = "combiner-l1-l1"\nexamples = 1', "needs rotator-l1"),
        (MORPHER + "flow = 1.0", "flow is for rotators"),
        ('[[stages]]\nname = "rotator-perceptual"\nexamples = 1\nstart = "rotator-l1"', "needs"),
        (MORPHER + 'start = "rotator-l1"', "cannot start from"),
        (MORPHER + "batch = 9\naccumulate = 2", "cannot be split"),
        (MORPHER + "rate = 2.0", "less than 1"),
        (MORPHER + "epochs = 3", "stages.0.epochs"),
        ("[networks.morpher]\nbottleneck_size = 24\n" + MORPHER, "halved once or more"),
        ("stages = []", "at least 1"),
        ("stages = [", "recipe x:"),
    ],
)
def test_a_wrong_recipe_is_refused_by_name_and_reason(text: str, complaint: str) -> None:
    with pytest.raises(TrainingError, match=complaint):
        parse_recipe(f'name = "x"\n{text}', "x")


def test_a_recipe_that_is_not_there_tells_which_are(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="small-cpu"):
        load_recipe("smal-cpu")
    with pytest.raises(TrainingError, match="cannot be read"):
        load_recipe(str(tmp_path))
