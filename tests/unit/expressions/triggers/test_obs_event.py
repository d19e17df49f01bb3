"""``obs = [...]`` of an expression: understood, or told what is wrong and where."""

from __future__ import annotations

import pytest

from tests.support.expressions import library_of
from vtbridge.errors import ConfigError
from vtbridge.expressions.triggers.obs_event import (
    MAX_NAME,
    ObsTrigger,
    ObsTriggerKind,
    parse_obs_trigger,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scene:Gaming", ObsTrigger(ObsTriggerKind.SCENE, "Gaming")),
        ("Scene: Just: chatting ", ObsTrigger(ObsTriggerKind.SCENE, "Just: chatting")),
        ("source-shown:Cam", ObsTrigger(ObsTriggerKind.SOURCE_SHOWN, "Cam")),
        ("muted:Mic/Aux", ObsTrigger(ObsTriggerKind.MUTED, "Mic/Aux")),
        ("streaming-started", ObsTrigger(ObsTriggerKind.STREAMING_STARTED)),
    ],
)
def test_each_is_read_as_written(text: str, expected: ObsTrigger) -> None:
    assert parse_obs_trigger(text) == expected
    assert parse_obs_trigger(str(expected)) == expected


@pytest.mark.parametrize("kind", ObsTriggerKind)
def test_every_kind_can_be_written(kind: ObsTriggerKind) -> None:
    text = f"{kind}:x" if kind.named else str(kind)
    assert parse_obs_trigger(text).kind is kind


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("streaming-start", "did you mean streaming-started"),
        ("zzz", "there are scene"),
        ("", "there are scene"),
        ("scene", "scene of what"),
        ("scene: ", "scene:NAME"),
        ("streaming:Twitch", "no name belongs to streaming"),
        ("scene:" + "x" * (MAX_NAME + 1), "longer than"),
    ],
)
def test_mistake_is_told_with_the_remedy(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_obs_trigger(text)


def test_mistake_in_the_file_is_told_with_its_line() -> None:
    text = '[expressions.a]\nvalues = { head_x = 1 }\nobs = [\n  "scene:A",\n  "scen:B",\n]\n'
    with pytest.raises(ConfigError, match=r"expressions\.a\.obs\[2\]: .*did you mean scene"):
        library_of(text)


@pytest.mark.parametrize("mode", ["toggle", "hold"])
def test_moment_switches_only_what_ends_by_itself(mode: str) -> None:
    text = f'[expressions.a]\nmode = "{mode}"\nvalues = {{ head_x = 1 }}\nobs = ["replay-saved"]\n'
    with pytest.raises(ConfigError, match="replay-saved is a moment"):
        library_of(text)
