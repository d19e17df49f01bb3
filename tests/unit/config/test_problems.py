"""Whatever is wrong with a setting is told in words, with its value and what is expected."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vtbridge.config.load import config_from_tables, parse_config
from vtbridge.config.problems import EXPECTATIONS, sentence_of
from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError

JARGON = re.compile(
    "input should|value error|pattern|string should|valid|integer|tuple|dictionary|instance|pars",
    re.IGNORECASE,
)
WRONG: tuple[object, ...] = (
    True,
    -1,
    10**30,
    1 << 20_000,
    1.5,
    float("inf"),
    float("nan"),
    "",
    "!?",
    "x" * 300,
    "9" * 5000,
    [],
    [3],
    ["!?"],
    [[]],
    [1 << 20_000],
    ["michi"] * 100,
    {"surely_unknown": 1},
    datetime.date(1979, 5, 27),
)


def keys(model: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in model:
        yield (*path, name)
        if isinstance(value, BaseModel):
            yield from keys(value, (*path, name))


def problems(key: tuple[str, ...], value: object) -> list[ErrorDetails]:
    """Return what the schema has against one setting with ``value``."""
    *tables, name = key
    content = {name: value}
    for table in reversed(tables):
        content = {table: content}
    try:
        config_from_tables(content)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def told(text: str) -> str:
    """Return the one sentence about a config.toml, without the file and the line."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "stream.toml")
    (sentence,) = re.findall(r"^stream\.toml:\d+: (.*)$", str(caught.value), re.MULTILINE)
    return str(sentence)


def test_no_mistake_in_any_setting_is_told_in_jargon() -> None:
    seen = set()
    for key in keys(Config()):
        for value in WRONG:
            for problem in problems(key, value):
                sentence = sentence_of(problem)
                assert not JARGON.search(sentence), f"{key}: {sentence}"
                assert len(sentence) < 300
                seen.add(problem["type"])
    # Every kind that the schema can give has its words, and no words are there for nothing.
    told_otherwise = {"expected", "extra_forbidden", "string_pattern_mismatch", "value_error"}
    assert seen - told_otherwise == set(EXPECTATIONS)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[tracking.fusion]\nhead = "livelink"',
            'tracking.fusion.head: expected a list, got "livelink"; write ["livelink"]',
        ),
        (
            '[tracking]\nallow = ["192.168.1.20", "foo"]',
            "tracking.allow: expected an IPv4 address or network in quotes such as "
            '"192.168.1.20" or "192.168.1.0/24", got "foo"',
        ),
        (
            '[tracking.fmv3]\nphone = "myphone"',
            "tracking.fmv3.phone: expected an IPv4 address in quotes such as "
            '"192.168.1.20", got "myphone"',
        ),
        (
            '[tracking.ifacialmocap]\ntransport = "tcp"',
            "tracking.ifacialmocap.transport: tcp needs `phone`, the address that the app shows",
        ),
        (
            '[retarget.calibration]\nperson = "../../x"',
            "retarget.calibration.person: expected 1 to 40 letters, digits, spaces, '_', '-' or "
            "'.', a letter, digit or '_' first, got \"../../x\"",
        ),
        (
            '[publish]\nname = "bad name!"',
            "publish.name: expected 1 to 16 letters, digits, '-' or '_', a letter or digit first, "
            'got "bad name!"',
        ),
        ("[tracking]\nallow = ''", 'tracking.allow: expected a list, got ""'),
        ("[tracking]\nallow = 3", "tracking.allow: expected a list, got 3"),
        ("[avatar]\nfps = 300", "avatar.fps: expected at most 240, got 300"),
        ("[avatar]\nfps = nan", "avatar.fps: expected at most 240, got nan"),
        ("[render]\nthreads = 1.5", "render.threads: expected a whole number, got 1.5"),
        (
            "[render]\nruntime = 'torch'",
            "render.runtime: expected 'auto', 'native', 'openvino', 'onnxruntime' or 'pytorch', "
            'got "torch"',
        ),
        ("obs = true", "obs: expected a table, got true"),
        ("[obs.enabled]", "obs.enabled: expected true or false, got a table"),
        ("[obs]\nhost = ''", 'obs.host: expected 1 or more characters, got ""'),
        (
            "[tracking.microphone]\nquiet_db = -10",
            "tracking.microphone.loud_db: -20 must be at least 6 dB above quiet_db, -10",
        ),
        (
            "[tracking.webcam]\ndevice = -1",
            "tracking.webcam.device: expected the number of a webcam (0 is the first) or the path "
            "of a video file, got -1",
        ),
        (
            "[tracking.microphone]\ndevice = true",
            "tracking.microphone.device: expected the number or name of a microphone or the path "
            "of a .wav file, got true",
        ),
    ],
)
def test_sentence_names_value_and_remedy(text: str, sentence: str) -> None:
    assert told(text) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[tracking.fmv3]\nphone = 3",
            'tracking.fmv3.phone: expected an IPv4 address in quotes such as "192.168.1.20", got 3',
        ),
        (
            "[tracking]\nallow = [3]",
            "tracking.allow: expected an IPv4 address or network in quotes such as "
            '"192.168.1.20" or "192.168.1.0/24", got 3',
        ),
        ("[tracking.vmc]\nport = true", "tracking.vmc.port: expected a whole number, got true"),
        (
            "[tracking.vmc]\nport = '39539'",
            'tracking.vmc.port: expected a whole number, got "39539"; write 39539',
        ),
        ("[avatar]\nfps = true", "avatar.fps: expected a number, got true"),
        ("[avatar]\nfps = '30'", 'avatar.fps: expected a number, got "30"; write 30'),
        ("[obs]\nenabled = 1", "obs.enabled: expected true or false, got 1"),
        ("[obs]\nenabled = 'yes'", 'obs.enabled: expected true or false, got "yes"'),
        ("[obs]\nenabled = 'true'", 'obs.enabled: expected true or false, got "true"; write true'),
        ("[obs]\nscene = 3", "obs.scene: expected a text in quotes, got 3"),
    ],
)
def test_value_of_another_type_is_not_taken_for_what_it_might_mean(
    text: str, sentence: str
) -> None:
    assert told(text) == sentence


@pytest.mark.parametrize("digits", ["9" * 5000, "0x" + "f" * 5000])
def test_number_of_thousands_of_digits_is_told(digits: str) -> None:
    for text in (f"[avatar]\nfps = {digits}", f"[tracking.webcam]\ndevice = {digits}"):
        with pytest.raises(ConfigError, match=r"^stream\.toml:"):
            parse_config(text, "stream.toml")


def test_lists_nested_ever_deeper_are_told() -> None:
    deep = "[" * 250 + "]" * 250
    assert told(f"[avatar]\nfps = {deep}").startswith("avatar.fps: expected a number, got [[")


def test_kind_that_is_not_known_is_told_as_pydantic_does() -> None:
    (problem,) = problems(("avatar", "fps"), "x")
    assert sentence_of({**problem, "type": "new_kind", "msg": "No good"}) == "No good"


def test_long_value_is_cut() -> None:
    assert told(f"[obs]\nscene = '{'x' * 1000}'").endswith("xxx...")
