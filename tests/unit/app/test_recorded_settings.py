"""A recording keeps what poses depend on, and sets nothing else of whoever replays it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vtbridge.app.recorded_settings import config_of_recording, kept_settings
from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError
from vtbridge.tracking.recordings.open import Recording
from vtbridge.tracking.recordings.session import SessionHeader

PRIVATE = {
    "avatar": {"picture": "/home/alice/me.png"},
    "tracking": {
        "lan": True,
        "allow": ["10.1.2.0/24"],
        "webcam": {"device": "/home/alice/holiday/me.mp4"},
        "microphone": {"device": "Alice's headset"},
        "fmv3": {"phone": "192.168.1.20", "transport": "tcp"},
    },
    "retarget": {"calibration": {"person": "Alice Smith"}},
    "obs": {"enabled": True, "host": "10.0.0.9"},
    "publish": {"name": "alice"},
}
POSED = {
    "avatar": {"fps": 50.0},
    "tracking": {"takeover_s": 3.0, "fusion": {"mouth": ["microphone"]}},
    "retarget": {"mirror": True, "calibration": {"window_s": 2.0}},
    "idle": {"sway": 0.5},
}


def recording(settings: dict[str, object]) -> Recording:
    header = SessionHeader("9.9.9", settings)
    return Recording(Path("bug.vtbrec"), "recording", lambda: iter(()), header)


def test_what_is_kept_names_nobody_and_no_place() -> None:
    kept = kept_settings(Config.model_validate(PRIVATE))
    assert kept == kept_settings(Config())
    assert kept.keys() == {"avatar", "tracking", "retarget", "idle"}
    assert kept["tracking"].keys() == {"takeover_s", "fusion"}  # type: ignore[attr-defined]


def test_what_poses_depend_on_comes_back_over_the_settings_of_whoever_replays() -> None:
    recorded, own = Config.model_validate(POSED), Config.model_validate(PRIVATE)
    assert kept_settings(recorded) != kept_settings(own)
    kept = json.loads(json.dumps(kept_settings(recorded)))
    config = config_of_recording(recording(kept), own)
    assert kept_settings(config) == kept
    assert config.retarget.calibration.person == "Alice Smith"
    assert config.avatar.picture == own.avatar.picture
    assert config.tracking.fmv3 == own.tracking.fmv3
    assert (config.obs, config.publish, config.control) == (own.obs, own.publish, own.control)


@pytest.mark.parametrize(
    "hostile",
    [
        {"obs": {"enabled": True, "host": "evil.example"}},
        {"control": {"osc_enabled": True, "osc_port": 1234}},
        {"publish": {"name": "stream"}},
        {"render": {"threads": 64}},
        {"avatar": {"picture": "/home/you/.ssh/x.png"}},
        {"tracking": {"lan": True, "webcam": {"enabled": True, "device": "/dev/video0"}}},
        {"retarget": {"calibration": {"person": "you"}}},
        {"idle": {"levitate": True}},
        {"telepathy": {}},
    ],
)
def test_recording_of_a_stranger_sets_nothing_else(
    hostile: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    assert config_of_recording(recording(hostile), Config()) == Config()
    (warning,) = caplog.messages
    assert "bug.vtbrec" in warning
    assert next(iter(hostile)) in warning


def test_warning_of_what_is_left_out_is_short_and_cannot_write_to_the_terminal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    crowd: dict[str, object] = {f"\x1b[2J{number}" + "x" * 1000: 1 for number in range(99)}
    config_of_recording(recording(crowd), Config())
    (warning,) = caplog.messages
    assert "\x1b" not in warning
    assert "and 94 more" in warning
    assert len(warning) < 600


def test_table_that_a_recording_lacks_is_your_own_and_a_key_is_as_usual() -> None:
    own = Config.model_validate(POSED)
    config = config_of_recording(recording({"retarget": {"mirror": False}}), own)
    assert config.idle == own.idle
    assert config.avatar == own.avatar
    assert config.retarget.calibration.window_s == Config().retarget.calibration.window_s


def test_format_without_settings_leaves_yours() -> None:
    own = Config.model_validate(POSED)
    assert config_of_recording(Recording(Path("x"), "capture", lambda: iter(())), own) is own


@pytest.mark.parametrize(
    "settings",
    [
        {"avatar": {"fps": "x"}},
        {"avatar": None},
        {"idle": {"sway": 7}},
        {"idle": 3},
        {"tracking": {"fusion": {"mouth": "microphone"}}},
        {"retarget": {"calibration": []}},
    ],
)
def test_settings_that_cannot_be_used_name_file_version_and_remedy(
    settings: dict[str, object],
) -> None:
    with pytest.raises(ConfigError) as refusal:
        config_of_recording(recording(settings), Config())
    for part in ("bug.vtbrec", "9.9.9", "--config FILE"):
        assert part in str(refusal.value)
