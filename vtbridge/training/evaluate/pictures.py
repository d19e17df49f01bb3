"""The pictures of a report: worst cases, drawings, and pairs for people to compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from vtbridge.datatypes import F32Array
from vtbridge.training.dataset.examples import Examples
from vtbridge.training.evaluate.contenders import IDENTITY, RunNetworks
from vtbridge.training.evaluate.drawings import Compared, Posed
from vtbridge.training.evaluate.measure import Findings, Look, spread
from vtbridge.training.evaluate.sheet import save_picture, save_row
from vtbridge.training.learn.batches import batch_of
from vtbridge.training.learn.lessons import shrunk, signals
from vtbridge.training.learn.recipe import NetworkName

_WORST = 4
_COMPARED = 24
_LEAST = 3
"""Contenders that a comparison needs, the identity among them."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of the page: its file relative to it, what it is, and a line below."""

    file: str
    title: str
    line: str


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    before: F32Array
    truth: F32Array
    pictures: Mapping[str, F32Array]


class Sheets:
    """Writes the pictures of one report.

    Args:
        folder: for them; made if it is missing.
        run: the networks.
        examples: what was looked at.
    """

    def __init__(self, folder: Path, run: RunNetworks, examples: Examples) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._run, self._examples = folder, run, examples
        self._compared = 0

    def worst(self, findings: Findings | None, *, faces: bool) -> dict[str, list[Shown]]:
        """Return each contender's worst pictures: shown, truth, made, difference."""
        if findings is None:
            return {}
        sheets = {}
        for name in findings.names:
            if name == IDENTITY:
                continue
            rows = []
            for place, look in enumerate(findings.worst(name, _WORST)):
                made = self._made(look, findings.size, faces=faces)
                file = f"worst-{name}-{place}.png"
                save_row(self._folder / file, [made.before, made.truth, made.pictures[name]])
                pose = ", ".join(f"{value:.2f}" for value in look.pose)
                line = f"{look.subject}, pose {pose}: {look.scores[name].psnr_db:.1f} dB"
                rows.append(Shown(f"pictures/{file}", name, line))
            sheets[name] = rows
        return sheets

    def drawings(self, drawings: Mapping[str, list[Posed]]) -> dict[str, list[Shown]]:
        """Return real drawings in their poses."""
        sheets = {}
        for name, poses in drawings.items():
            rows = []
            for number, posed in enumerate(poses):
                file = f"drawing-{name}-{number}.png"
                save_picture(self._folder / file, posed.picture)
                rows.append(Shown(f"pictures/{file}", posed.what, posed.what))
            sheets[name] = rows
        return sheets

    def comparisons(
        self, findings: Findings | None, drawings: Mapping[str, list[Compared]]
    ) -> list[dict[str, object]]:
        """Return what the viewer shows: each item the picture of every configuration."""
        if findings is None or len(findings.names) < _LEAST:
            return []
        items: list[dict[str, object]] = []
        for number in spread(len(findings.looks), _COMPARED):
            look = findings.looks[number]
            made = self._made(look, findings.size, faces=False)
            items.append(self._item(f"{look.subject} {look.example}", made.before, made.pictures))
        for name, poses in drawings.items():
            for each in poses:
                items.append(self._item(f"{name} {each.what}", each.before, each.pictures))
        return items

    def _item(
        self, what: str, before: F32Array, pictures: Mapping[str, F32Array]
    ) -> dict[str, object]:
        files = {}
        for name, picture in pictures.items():
            # Nothing in a file's name may tell who made it.
            self._compared += 1
            files[name] = f"pictures/compare-{self._compared}.png"
            save_picture(self._folder / f"compare-{self._compared}.png", picture)
        self._compared += 1
        save_picture(self._folder / f"compare-{self._compared}.png", before)
        source = f"pictures/compare-{self._compared}.png"
        return {"picture": what, "source": source, "files": files}

    def _made(self, look: Look, size: int, *, faces: bool) -> _Made:
        """Return what every contender makes of a picture, again."""
        kind = NetworkName.MORPHER if faces else NetworkName.ROTATOR
        lesson = batch_of([(self._examples[look.example], False)], kind, size)
        before, after = (shrunk(signals(p), size) for p in (lesson.before, lesson.after))
        pictures = {}
        with torch.no_grad():
            if faces and self._run.morpher is not None:
                pictures["morpher"] = self._run.morpher(before, lesson.pose).image[0].numpy()
            elif not faces:
                rotated = self._run.rotated(before, lesson.pose)
                for contender in self._run.contenders():
                    if contender.stages and self._run.ready(contender):
                        made = contender.make(before, lesson.pose, rotated)
                        pictures[contender.name] = made.image[0].numpy()
        return _Made(before[0].numpy(), after[0].numpy(), pictures)
