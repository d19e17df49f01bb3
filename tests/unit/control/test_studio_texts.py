"""The studio's texts: every language has all of them, and none that is named is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from vtbridge.characters.prepare.matting import Matting
from vtbridge.control.api.definitions import Definition
from vtbridge.control.api.models import Character
from vtbridge.expressions.easing import Easing
from vtbridge.obs.connection import ObsState
from vtbridge.pose_params import PoseGroup
from vtbridge.pose_schema import THA1, THA3
from vtbridge.render.settings import Quality
from vtbridge.retarget.settings import CurveSettings, FilterSettings, SensitivitySettings
from vtbridge.tracking.source_status import SourceState

STUDIO = Path(__file__).parents[3] / "vtbridge" / "control" / "studio"
LANGUAGES = ("en", "zh", "ja")
PAGE = [*STUDIO.rglob("*.js"), *STUDIO.glob("*.html")]
TUNED = ("gain", "dead_zone", "full_at", "gamma", "min_cutoff_hz", "beta")
DOCTOR = Path(__file__).parents[3] / "vtbridge" / "app" / "picture_doctor.py"
DOINGS = re.findall(r'told\("([a-z ]+)"', DOCTOR.read_text("utf-8"))
_NAMED = re.compile(
    r'\bt\("([\w.-]+)"|data-t(?:-label|-title)?="([\w.-]+)"|\bbutton\("([\w-]+\.[\w.-]+)"'
)
_SLOT = re.compile(r"\{\w+\}")


def texts(code: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((STUDIO / "locales" / f"{code}.json").read_text("utf-8"))
    return found


def named() -> Iterator[str]:
    """Yield the texts that the page names as they are."""
    for path in PAGE:
        for groups in _NAMED.findall(path.read_text("utf-8")):
            yield next(filter(None, groups))


def made() -> Iterator[str]:
    """Yield the texts whose names are made of what the API tells."""
    for schema in (THA3, THA1):
        for one in schema.parameters:
            yield "param." + re.sub(r"_(left|right)$|^(left|right)_", "", one.label)
    yield from (f"group.{group}" for group in PoseGroup)
    yield from (f"quality.{quality}" for quality in Quality)
    yield from (f"source.{state.replace(' ', '_')}" for state in SourceState)
    yield from (f"obs.{state.value}" for state in ObsState)
    yield from (f"mode.{mode}" for mode in get_args(Definition.model_fields["mode"].annotation))
    yield from (f"kind.{kind}" for kind in get_args(Character.model_fields["kind"].annotation))
    yield from (f"matting.{way}" for way in Matting)
    yield from (f"part.{part}" for part in (*SensitivitySettings.model_fields, *PoseGroup))
    for settings in (CurveSettings, FilterSettings):
        yield from (f"tuning.{key}" for key in settings.model_fields if key in TUNED)
    yield from (f"doctor.doing.{doing.replace(' ', '_')}" for doing in DOINGS)
    yield from (f"timeline.{easing}" for easing in Easing)


def test_every_text_that_is_named_is_there() -> None:
    known = texts("en").keys()
    assert len(set(named())) > 80
    assert {name for name in (*named(), *made()) if name not in known} == set()


def test_every_text_is_used() -> None:
    """One that is named nowhere is left over: by its name, or by what the name is made with."""
    page = "".join(path.read_text("utf-8") for path in PAGE)
    prefixes = set(re.findall(r"t\(`((?:[\w-]+\.)+)\$\{", page))
    left = [
        key
        for key in texts("en")
        if f'"{key}"' not in page and not any(key.startswith(prefix) for prefix in prefixes)
    ]
    assert left == []


@pytest.mark.parametrize("code", LANGUAGES[1:])
def test_languages_have_the_same_texts_with_the_same_slots(code: str) -> None:
    english, other = texts("en"), texts(code)
    assert english.keys() == other.keys()
    for key, text in english.items():
        assert sorted(_SLOT.findall(text)) == sorted(_SLOT.findall(other[key])), key
        assert other[key].strip(), key
