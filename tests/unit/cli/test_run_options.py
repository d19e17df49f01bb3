"""The options of ``vtbridge run`` overrule config.toml, or say in words what is wrong."""

from __future__ import annotations

import re

import pytest

from vtbridge.cli.run import with_options
from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError


def test_options_that_are_given_overrule_the_file() -> None:
    config = with_options(Config(), picture="lambda", name="stream", fps=60, person="Ann")
    assert (config.avatar.picture, config.avatar.fps) == ("lambda", 60)
    assert config.publish.name == "stream"
    assert config.retarget.calibration.person == "Ann"
    assert with_options(config, picture=None, name=None, fps=None, camera=True).publish.camera
    assert with_options(config, picture=None, name=None, fps=None, vts=True).control.vts.enabled
    assert with_options(config, picture=None, name=None, fps=None) == config


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("name", "bad name!", "--name: expected 1 to 16 letters, digits, '-' or '_', "),
        ("person", "../../x", "--person: expected 1 to 40 letters, digits, spaces, "),
    ],
)
def test_option_of_a_wrong_form_is_told_in_words(option: str, value: str, sentence: str) -> None:
    options = {"picture": None, "name": None, "person": None, option: value}
    with pytest.raises(ConfigError, match=f"^{re.escape(sentence)}") as caught:
        with_options(
            Config(),
            fps=None,
            picture=options["picture"],
            name=options["name"],
            person=options["person"],
        )
    assert str(caught.value).endswith(f'got "{value}"')
