"""An expression made ready to run: what it does to a pose at a moment of its own time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vtbridge.expressions.easing import Easing
from vtbridge.expressions.grammar import Condition, Name, parse_condition
from vtbridge.expressions.model import Blend, ExpressionTable, Mode
from vtbridge.expressions.parameters import spread
from vtbridge.expressions.timeline import Key, Timeline
from vtbridge.pose_params import GROUP_RANGES, POSE_MAX, POSE_MIN, PoseParam
from vtbridge.pose_schema import THA3

Targets = tuple[tuple[int, float, float], ...]
"""Index, value, weight."""


@dataclass(frozen=True, eq=False)
class Expression:
    """One expression, ready to run.

    Attributes:
        name: what triggers call it.
        table: as it was written.
        label: what people read.
        length_s: how long it stays by itself, None = until it is released.
        when: switches it on.
        until: switches it off again.
    """

    name: str
    table: ExpressionTable
    label: str
    length_s: float | None
    when: Condition | None
    until: Condition | None
    fixed: Targets
    timeline: Timeline | None
    weights: Mapping[int, float]
    lids: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    """For each eye that it moves the lids: those that it sets, and the others."""

    @property
    def easing_out(self) -> Easing:
        """The shape of its going."""
        return self.table.easing_out or self.table.easing

    @property
    def fires(self) -> bool:
        """True if it ends by itself."""
        return self.table.mode in (Mode.TIMED, Mode.ONE_SHOT)

    def lay_over(self, values: list[float], amount: float, t_s: float) -> None:
        """Change the 45 ``values`` by ``amount``, 0..1, of what it is ``t_s`` after it began.

        Each stays in its range. The lids that it sets keep their place: others of the same
        eye make room, so that a blink does not push them into the cheek.
        """
        targets = self.fixed
        if self.timeline is not None:
            weights = self.weights
            moving = [(i, value, weights.get(i, 1.0)) for i, value in self.timeline.at(t_s)]
            targets = (*targets, *moving)
        blend = self.table.blend
        if blend is Blend.ADD:
            for i, target, weight in targets:
                value = values[i] + target * weight * amount
                values[i] = min(max(value, POSE_MIN[i]), POSE_MAX[i])
        else:
            for i, target, weight in targets:
                value, share = values[i], amount * weight
                if blend is Blend.MAX:  # at least as far from rest, on the side of the target
                    target = max(target, value) if target >= 0.0 else min(target, value)
                values[i] = value * (1.0 - share) + target * share
        for own, others in self.lids:
            _make_room(values, own, others)


def expression_from_table(
    name: str, table: ExpressionTable, names: Mapping[str, Name]
) -> Expression:
    """Return the expression that ``table``, which was checked, describes."""
    weights: Mapping[int, float] = {int(p): share for p, share in spread(table.weights).items()}
    fixed = spread(table.values)
    for group in table.rest:
        for index in GROUP_RANGES[group]:
            fixed.setdefault(PoseParam(index), 0.0)
    timeline = _timeline(table, fixed)
    moved: set[int] = set(fixed)
    if timeline is not None:
        moved |= set(timeline.tracks)
        fixed = {param: value for param, value in fixed.items() if param not in timeline.tracks}
    length_s = table.duration_s
    if table.mode is Mode.ONE_SHOT and timeline is not None:
        length_s = timeline.length_s
    return Expression(
        name=name,
        table=table,
        label=table.label or name.replace("_", " ").capitalize(),
        length_s=length_s,
        when=None if table.when is None else parse_condition(table.when, names),
        until=None if table.until is None else parse_condition(table.until, names),
        fixed=tuple((int(param), value, weights.get(param, 1.0)) for param, value in fixed.items()),
        timeline=timeline,
        weights=weights,
        lids=_lids(moved),
    )


def _timeline(table: ExpressionTable, start: Mapping[PoseParam, float]) -> Timeline | None:
    if not table.keyframes:
        return None
    keys = tuple(Key(frame.at_s, spread(frame.values), frame.easing) for frame in table.keyframes)
    length_s = keys[-1].at_s if table.length_s is None else table.length_s
    return Timeline(keys, start, length_s, table.loop)


def _lids(moved: set[int]) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    own = [(tuple(lid for lid in eye if lid in moved), eye) for eye in THA3.eyes]
    return tuple((lids, tuple(lid for lid in eye if lid not in lids)) for lids, eye in own if lids)


def _make_room(values: list[float], own: tuple[int, ...], others: tuple[int, ...]) -> None:
    closed = sum([values[lid] for lid in own])
    if closed > 1.0:
        for lid in own:
            values[lid] /= closed
        closed = 1.0
    beside = sum([values[lid] for lid in others])
    if closed + beside > 1.0:
        room = (1.0 - closed) / beside
        for lid in others:
            values[lid] *= room
