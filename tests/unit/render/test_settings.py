"""The render settings refuse what cannot be meant."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from vtbridge.render.settings import RenderSettings


def test_defaults_leave_every_choice_to_vtbridge() -> None:
    settings = RenderSettings()
    assert (settings.runtime, settings.device, settings.precision) == ("auto", "auto", "auto")
    assert settings.threads == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"runtime": "tensorrt"},
        {"device": "tpu"},
        {"precision": "int8"},
        {"threads": -1},
        {"weights": ""},
        {"fps": 60},
    ],
)
def test_unknown_values_and_keys_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        RenderSettings.model_validate(wrong)


def test_every_setting_tells_what_it_means() -> None:
    for name, field in RenderSettings.model_fields.items():
        assert field.description, name
