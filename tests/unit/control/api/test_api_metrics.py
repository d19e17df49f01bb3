"""Figures for Prometheus: its own client reads them all."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.support.control_avatar import FakeAvatar
from vtbridge.control.api.metrics import exposition


def samples_of(avatar: FakeAvatar) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every figure by its name and labels."""
    families = list(text_string_to_metric_families(exposition(avatar)))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "each is described once"
    assert all(family.documentation for family in families)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def labels(**named: str) -> frozenset[tuple[str, str]]:
    return frozenset(named.items())


def test_every_figure_is_read_as_it_is() -> None:
    avatar = FakeAvatar()
    avatar.active["smile"] = "osc"
    samples = samples_of(avatar)
    here = {"source": "vmc", "place": "127.0.0.1:39539"}
    for name, wanted, labelled in (
        ("vtbridge_frames_total", 100, {}),
        ("vtbridge_deadlines_missed_total", 4, {}),
        ("vtbridge_fps", 59.5, {}),
        ("vtbridge_added_delay_seconds", 0.02, {}),
        ("vtbridge_below_wanted", 1, {}),
        ("vtbridge_obs_connected", 1, {"state": "ready"}),
        ("vtbridge_stopped_parts", 1, {}),
        ("vtbridge_expression_active", 1, {"expression": "smile"}),
        ("vtbridge_expression_active", 0, {"expression": "cat"}),
        ("vtbridge_live", 1, {}),
        ("vtbridge_ready", 1, {}),
        ("vtbridge_degraded", 1, {"reason": "slow"}),
        ("vtbridge_heartbeat_age_seconds", 0.016, {}),
        ("vtbridge_restarts_total", 2, {}),
        ("vtbridge_stage_quantile_seconds", 0.04, {"stage": "face_to_frame", "quantile": "0.99"}),
        ("vtbridge_stage_seconds_bucket", 81, {"stage": "face_to_frame", "le": "0.032"}),
        ("vtbridge_stage_seconds_bucket", 90, {"stage": "face_to_frame", "le": "+Inf"}),
        ("vtbridge_stage_seconds_sum", 1.9, {"stage": "face_to_frame"}),
        ("vtbridge_stage_seconds_count", 90, {"stage": "face_to_frame"}),
        ("vtbridge_stage_max_seconds", 0.055, {"stage": "face_to_frame"}),
        ("vtbridge_source_live", 1, here),
        ("vtbridge_source_rejected_total", 3, {**here, "reason": "no OSC"}),
        ("vtbridge_cache_lookups_total", 3, {"cache": "body", "result": "hit"}),
        ("vtbridge_events_total", 2, {"event": "osc.rejected"}),
        ("process_resident_memory_bytes", 300 << 20, {}),
        ("process_cpu_seconds_total", 12.5, {}),
    ):
        assert samples[name, labels(**labelled)] == wanted, name
    assert ("vtbridge_source_lost_total", labels(**here)) not in samples, "it does not number them"


def test_figures_of_frames_are_left_out_where_another_computer_makes_them() -> None:
    avatar = FakeAvatar()
    avatar.remote = True
    names = {name for name, _ in samples_of(avatar)}
    assert "vtbridge_tracked" in names
    assert not names & {"vtbridge_fresh_fps", "vtbridge_failing"}


def test_texts_of_users_break_no_line() -> None:
    avatar = FakeAvatar()
    avatar.active["smile"] = "osc"
    hostile = 'a"b\\c\nvtbridge_fps 9'
    status = avatar.status().model_copy(update={"picture": hostile})
    avatar.status = lambda: status  # type: ignore[method-assign]
    found = [dict(told) for (name, told) in samples_of(avatar) if name == "vtbridge_info"]
    assert found[0]["picture"] == hostile
