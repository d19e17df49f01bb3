"""Several trackers, one face: who moves which part, and when another takes over.

One tracker has the face and keeps it until it falls silent or says that it sees no
face; it moves every part that the settings leave to it. A list in ``[tracking.fusion]``
gives a part to the first of its trackers that is live. A microphone never has the face:
it opens the mouth of whoever has, and alone it moves the mouth and nothing else.

Time is the faces' time of arrival, so a sender's clock cannot matter and a recording
plays back as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType

from vtbridge.datatypes import FaceFrame
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.face_parts import Part, PartValues, joined, split
from vtbridge.tracking.formats import MICROPHONE
from vtbridge.tracking.settings import FusionSettings
from vtbridge.tracking.source_status import RateMeter

log = logging.getLogger(__name__)

HELD_NS = 200_000_000
"""A part is told this long after its tracker's last face: what follows is silence, which the
retargeter holds and then eases into idle motion, part by part."""
HELD_INTERVALS = 3
"""Faces of a slow tracker that may fail to come before that is silence."""
MAX_SOURCES = 32
"""Trackers remembered; beyond that the one that has been silent the longest is forgotten."""


class _Source:
    """What one tracker said last."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard_ns: int | None = None
        self.is_microphone = _matches(name, MICROPHONE)
        self._rate = RateMeter()
        self._late_ns = 0
        self._face: FaceFrame | None = None
        self._parts: dict[Part, PartValues] | None = None
        self.moves_all: Mapping[Part, _Source] = dict.fromkeys(Part, self)
        """What ``Fusion`` says of the movers while this tracker moves every part."""

    def take(self, face: FaceFrame, now_ns: int) -> None:
        self.heard_ns = face.t_ns
        if face.tracked:
            self._rate.saw(face.t_ns)
            self._late_ns = now_ns - face.t_ns
            self._face, self._parts = face, None

    def tracked_within(self, span_ns: float, now_ns: int) -> bool:
        tracked_ns = self._rate.last_ns
        return tracked_ns is not None and now_ns - tracked_ns < span_ns

    @property
    def held_ns(self) -> float:
        """How long its last face is told: by its own pace, and by how late its faces come."""
        return max(HELD_NS, HELD_INTERVALS * self._rate.interval_ns + self._late_ns)

    @property
    def parts(self) -> dict[Part, PartValues]:
        if self._parts is None:
            self._parts = {} if self._face is None else split(self._face)
        return self._parts


class Fusion:
    """Make one face out of those of several trackers; pure, used under one lock.

    Args:
        settings: which tracker moves which part.
        takeover_ns: time without a tracked face after which a tracker loses its parts.
        telemetry: gets ``tracking.not_owner``, ``.out_of_order`` and ``.takeovers``.
    """

    def __init__(self, settings: FusionSettings, takeover_ns: int, telemetry: Telemetry) -> None:
        self._preferred = {part: tuple(getattr(settings, part.value)) for part in Part}
        if settings.microphone == "replace" and MICROPHONE not in {
            entry.partition(":")[0] for entry in self._preferred[Part.MOUTH]
        }:
            self._preferred[Part.MOUTH] = (MICROPHONE, *self._preferred[Part.MOUTH])
        self._voice_adds = settings.microphone == "max"
        self._is_plain = not any(self._preferred.values())
        self._takeover_ns = takeover_ns
        self._telemetry = telemetry
        self._sources: dict[str, _Source] = {}
        self._owner: _Source | None = None
        self._movers: Mapping[Part, _Source] = {}
        self._now_ns: int | None = None
        self._shown_ns: int | None = None

    @property
    def movers(self) -> Mapping[Part, str]:
        """Which source moved which part in the last face."""
        return MappingProxyType({part: source.name for part, source in self._movers.items()})

    def offer(self, face: FaceFrame) -> FaceFrame | None:
        """Take one tracker's newest face and return the face to show now.

        Returns:
            None if the tracker moves nothing, or if its face is older than what was shown.
        """
        source = self._source(face.source)
        if source.heard_ns is not None and face.t_ns < source.heard_ns:
            self._telemetry.count("tracking.out_of_order")
            return None
        now_ns = face.t_ns if self._now_ns is None else max(self._now_ns, face.t_ns)
        self._now_ns = now_ns
        source.take(face, now_ns)
        if not source.is_microphone:
            self._settle_owner(source, face)
        if (
            self._is_plain
            and source is self._owner
            and (len(self._sources) == 1 or not self._has_voice)
        ):
            self._movers = source.moves_all if face.tracked else {}
            shown: FaceFrame | None = face
        else:
            shown = self._shown(source, face, now_ns)
        if shown is None or (self._shown_ns is not None and shown.t_ns < self._shown_ns):
            return None  # what another tracker showed is newer; this one is part of the next
        self._shown_ns = shown.t_ns
        return shown

    def _shown(self, source: _Source, face: FaceFrame, now_ns: int) -> FaceFrame | None:
        live = self._live_movers(now_ns)
        voice = self._voice(live.get(Part.MOUTH), now_ns)
        is_heard = source is self._owner or source is voice or source in live.values()
        if not is_heard:
            self._telemetry.count("tracking.not_owner")
            return None
        fresh = {part: mover for part, mover in live.items() if self._is_held(mover, now_ns)}
        mouth = fresh.get(Part.MOUTH, voice)
        self._movers = fresh if mouth is None else fresh | {Part.MOUTH: mouth}
        if not face.tracked:
            others = {mover for mover in fresh.values() if mover is not source}
            return None if others or voice is not None else face
        if all(mover.is_microphone for mover in self._movers.values()):
            return face if mouth is None else _voice_alone(mouth, face.t_ns)
        moves_alone = voice is None and all(mover is source for mover in fresh.values())
        if moves_alone and fresh.keys() == source.parts.keys():
            return face
        return _composed(fresh, voice, face.t_ns)

    def _settle_owner(self, source: _Source, face: FaceFrame) -> None:
        """Give the face to ``source`` if nobody has it, or if the owner is as good as gone."""
        owner = self._owner
        if owner is source:
            return
        if owner is not None and not (
            face.tracked and not owner.tracked_within(self._takeover_ns, face.t_ns)
        ):
            return
        self._telemetry.count("tracking.takeovers")
        log.info("the face now comes from %s", source.name)
        self._owner = source

    def _live_movers(self, now_ns: int) -> dict[Part, _Source]:
        """Return who moves each part by rank and silence alone."""
        live = [s for s in self._sources.values() if s.tracked_within(self._takeover_ns, now_ns)]
        movers: dict[Part, _Source] = {}
        for part in Part:
            mover = self._preferred_mover(part, live)
            if mover is None and self._owner in live:
                mover = self._owner
            if mover is not None and part in mover.parts:
                movers[part] = mover
        return movers

    def _preferred_mover(self, part: Part, live: list[_Source]) -> _Source | None:
        for entry in self._preferred[part]:
            able = [s for s in live if _matches(s.name, entry) and part in s.parts]
            if able:
                last = self._movers.get(part)
                return last if last is not None and last in able else able[0]
        return None

    def _voice(self, mouth_mover: _Source | None, now_ns: int) -> _Source | None:
        """Return the microphone that adds to the mouth now, None if it moves it alone."""
        if not self._voice_adds or (mouth_mover is not None and mouth_mover.is_microphone):
            return None
        return next(
            (
                s
                for s in self._sources.values()
                if s.is_microphone and self._is_held(s, now_ns) and Part.MOUTH in s.parts
            ),
            None,
        )

    def _is_held(self, source: _Source, now_ns: int) -> bool:
        return source.tracked_within(min(source.held_ns, self._takeover_ns), now_ns)

    @property
    def _has_voice(self) -> bool:
        return any(source.is_microphone for source in self._sources.values())

    def _source(self, name: str) -> _Source:
        known = self._sources.get(name)
        if known is not None:
            return known
        if len(self._sources) >= MAX_SOURCES:
            others = (s for s in self._sources.values() if s is not self._owner)
            oldest = min(others, key=lambda s: s.heard_ns or 0)
            del self._sources[oldest.name]
        return self._sources.setdefault(name, _Source(name))


def _matches(source: str, entry: str) -> bool:
    """Return whether a list's ``entry`` (``vmc``, ``vmc:192.168.1.20``) names ``source``."""
    rest = source.removeprefix(entry)
    return rest != source and rest[:1] in {"", ":", "#"}


def _composed(movers: Mapping[Part, _Source], voice: _Source | None, t_ns: int) -> FaceFrame:
    chosen = {part: mover.parts[part] for part, mover in movers.items()}
    whole = joined(chosen.values())
    if voice is not None:
        _open_mouth(whole, voice.parts[Part.MOUTH])
    return FaceFrame(
        t_ns=t_ns,
        source="+".join(sorted({mover.name for mover in movers.values()})),
        blendshapes=MappingProxyType(whole.blendshapes),
        presets=MappingProxyType(whole.presets),
        head=whole.head,
        left_eye=whole.left_eye,
        right_eye=whole.right_eye,
    )


def _open_mouth(whole: PartValues, voice: PartValues) -> None:
    """Open the mouth as far as the face or the voice says, whichever is more."""
    if whole.blendshapes:
        said, shown = voice.in_arkit().blendshapes, whole.blendshapes
    else:
        said, shown = voice.presets, whole.presets
    for name, weight in said.items():
        shown[name] = max(shown.get(name, 0.0), weight)


def _voice_alone(voice: _Source, t_ns: int) -> FaceFrame:
    """Return a mouth without a face; as vowels, which no face's rest position spoils."""
    mouth = voice.parts[Part.MOUTH]
    return FaceFrame(
        t_ns=t_ns,
        source=voice.name,
        blendshapes=MappingProxyType({} if mouth.presets else mouth.blendshapes),
        presets=MappingProxyType(mouth.presets),
    )
