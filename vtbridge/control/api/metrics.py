"""Figures in Prometheus' text format, version 0.0.4.

Written by hand: the client library registers collectors of its own when it is imported, one of
them on every garbage collection of this real-time process.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vtbridge import __version__
from vtbridge.control.api.avatar import Avatar, ProcessFigures
from vtbridge.control.api.models import Live, Source, Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_CACHE = re.compile(r"render\.cache\.(\w+)\.(\w+)")
_MS_PER_S = 1000.0


@dataclass
class _Family:
    """One metric with all its label sets."""

    name: str
    kind: str
    meaning: str
    samples: list[str] = field(default_factory=list)

    def add(self, value: float, suffix: str = "", **labels: str) -> None:
        """Add a sample; ``suffix`` as a summary's ``_count`` has."""
        told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        shown = f"{{{told}}}" if told else ""
        self.samples.append(f"{self.name}{suffix}{shown} {value!r}")

    def text(self) -> str:
        """Return its lines, empty if it has no samples."""
        if not self.samples:
            return ""
        head = (f"# HELP {self.name} {self.meaning}", f"# TYPE {self.name} {self.kind}")
        return "\n".join((*head, *self.samples, ""))


def exposition(avatar: Avatar) -> str:
    """Return all figures of ``avatar``."""
    return "".join(family.text() for family in _families(avatar))


def _families(avatar: Avatar) -> Iterator[_Family]:
    status = avatar.status()
    yield from _frames(avatar, status)
    yield from _health(status)
    yield from _live(status.live)
    yield from _stages(avatar)
    yield from _sources(status.sources)
    yield from _counters(status.counters)
    yield from _process(avatar.process())


def _one(name: str, kind: str, meaning: str, value: float, /, **labels: str) -> _Family:
    family = _Family(name, kind, meaning)
    family.add(value, **labels)
    return family


def _frames(avatar: Avatar, status: Status) -> Iterator[_Family]:
    obs = avatar.obs()
    yield _one(
        "vtbridge_info",
        "gauge",
        "What runs; always 1.",
        1,
        name=status.name,
        version=__version__,
        picture=status.picture,
        runtime=status.runtime,
        quality=avatar.quality().quality,
    )
    for name, kind, meaning, value in (
        ("frames_total", "counter", "Frames published.", status.frames),
        ("deadlines_total", "counter", "Beats at which a frame was due.", status.beats),
        ("deadlines_missed_total", "counter", "Beats without a new frame.", status.dropped),
        ("fps", "gauge", "Frames a second over the last two seconds.", status.fps),
        ("fps_wanted", "gauge", "Frames a second that the settings ask for.", status.fps_wanted),
        ("tracked", "gauge", "1 while a face is seen.", int(status.tracked)),
        ("shown", "gauge", "1 while somebody looks.", int(status.shown)),
        ("stopped_parts", "gauge", "Parts of vtbridge that died.", len(status.stopped)),
        ("warnings", "gauge", "Things wrong just now.", len(avatar.warnings())),
        ("restarts_total", "counter", "Starts of the renderer after it died.", status.restarts),
    ):
        yield _one(f"vtbridge_{name}", kind, meaning, value)
    connected = int(obs.state == "ready")
    yield _one(
        "vtbridge_obs_connected", "gauge", "1 while OBS answers.", connected, state=obs.state
    )
    active = _Family("vtbridge_expression_active", "gauge", "1 while an expression is on.")
    for one in status.expressions:
        active.add(int(one.active), expression=one.name)
    yield active


def _health(status: Status) -> Iterator[_Family]:
    """Yield nothing where another computer makes the frames."""
    health = status.health
    if health is None:
        return
    for name, meaning, value in (
        ("live", "1 while the render loop keeps its beat.", int(health.live)),
        ("ready", "1 while frames of the character are shown.", int(health.ready)),
        ("heartbeat_age_seconds", "Since the last sign of life.", health.heartbeat_age_s),
    ):
        yield _one(f"vtbridge_{name}", "gauge", meaning, value)
    degraded = _Family("vtbridge_degraded", "gauge", "1 for each thing that is wrong.")
    for reason in health.degraded:
        degraded.add(1, reason=reason)
    yield degraded


def _live(live: Live | None) -> Iterator[_Family]:
    """Yield nothing where another computer makes the frames."""
    if live is None:
        return
    for name, meaning, value in (
        ("fresh_fps", "Poses a second that were computed.", live.fresh_fps),
        (
            "added_delay_seconds",
            "How far the picture is behind the newest computed pose.",
            live.added_delay_ms / _MS_PER_S,
        ),
        ("below_wanted", "1 while load lowers quality or rate.", int(live.below_wanted)),
        ("failing", "1 while the networks give nothing.", int(live.failing)),
    ):
        yield _one(f"vtbridge_{name}", "gauge", meaning, value)


def _stages(avatar: Avatar) -> Iterator[_Family]:
    durations = _Family("vtbridge_stage_seconds", "histogram", "Durations of a stage, since start.")
    quantiles = _Family("vtbridge_stage_quantile_seconds", "gauge", "Percentiles of a stage.")
    longest = _Family("vtbridge_stage_max_seconds", "gauge", "Longest duration of a stage.")
    for stage, summary in sorted(avatar.latencies().items()):
        for bound_s, count in summary.buckets:
            durations.add(count, "_bucket", stage=stage, le=f"{bound_s:g}")
        durations.add(summary.count, "_bucket", stage=stage, le="+Inf")
        durations.add(summary.total_ms / _MS_PER_S, "_sum", stage=stage)
        durations.add(summary.count, "_count", stage=stage)
        for quantile, value_ms in (
            ("0.5", summary.p50_ms),
            ("0.9", summary.p90_ms),
            ("0.99", summary.p99_ms),
        ):
            quantiles.add(value_ms / _MS_PER_S, stage=stage, quantile=quantile)
        longest.add(summary.max_ms / _MS_PER_S, stage=stage)
    yield durations
    yield quantiles
    yield longest


def _sources(sources: Sequence[Source]) -> Iterator[_Family]:
    live = _Family("vtbridge_source_live", "gauge", "1 while a source sends a face.")
    rate = _Family("vtbridge_source_fps", "gauge", "Faces a second.")
    jitter = _Family("vtbridge_source_jitter_seconds", "gauge", "Mean deviation of the interval.")
    packets = _Family("vtbridge_source_packets_total", "counter", "Packets taken in.")
    lost = _Family("vtbridge_source_lost_total", "counter", "Packets missing by their numbers.")
    rejects = _Family("vtbridge_source_rejected_total", "counter", "Packets refused, by reason.")
    for source in sources:
        labels = {"source": source.source, "place": source.place}
        live.add(int(source.state == "live"), **labels)
        rate.add(source.fps, **labels)
        jitter.add(source.jitter_ms / _MS_PER_S, **labels)
        packets.add(source.packets, **labels)
        if source.lost is not None:
            lost.add(source.lost, **labels)
        for reason, count in source.rejects.items():
            rejects.add(count, **labels, reason=reason)
    yield from (live, rate, jitter, packets, lost, rejects)


def _counters(counters: Mapping[str, int]) -> Iterator[_Family]:
    cache = _Family("vtbridge_cache_lookups_total", "counter", "Looks into caches of the networks.")
    events = _Family("vtbridge_events_total", "counter", "Everything else that is counted.")
    for name, count in sorted(counters.items()):
        if found := _CACHE.fullmatch(name):
            cache.add(count, cache=found[1], result=found[2])
        else:
            events.add(count, event=name)
    yield cache
    yield events


def _process(figures: ProcessFigures) -> Iterator[_Family]:
    for name, kind, meaning, value in (
        ("resident_memory_bytes", "gauge", "Memory that is resident.", figures.resident_bytes),
        ("cpu_seconds_total", "counter", "Processor time.", figures.cpu_s),
        ("threads", "gauge", "Threads.", figures.threads),
        ("open_fds", "gauge", "Open files and sockets.", figures.open_files),
    ):
        yield _one(f"process_{name}", kind, meaning, value)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
