"""Expressions over the face: who is on, how far, and what becomes of the pose.

One thread applies; any thread triggers and looks. No I/O, no clock of its own.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from vtbridge.datatypes import FaceFrame, Pose, read_only
from vtbridge.expressions.grammar import Sight
from vtbridge.expressions.layer import Expression
from vtbridge.expressions.library import ExpressionLibrary
from vtbridge.expressions.model import Mode
from vtbridge.expressions.parameters import suggestion
from vtbridge.expressions.play import Play
from vtbridge.expressions.watches import ConditionWatch, RandomWatch
from vtbridge.flow.slot import LatestSlot
from vtbridge.pose_params import POSE_SIZE
from vtbridge.pose_schema import THA3

CONDITION, CHANCE = "condition", "chance"
"""Who switches on what nobody triggered."""
_MAX_WAITING = 256
_NO_SHAPES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ExpressionState:
    """What anyone may know of one expression.

    Attributes:
        name: what triggers call it.
        label: what people read.
        active: whether it is on; False while it only fades out.
        amount: how much of it is seen, 0..1.
        mode: how it begins and ends.
        triggers: who keeps it on: ``osc``, ``page``, ``condition``, ``chance``, ...
    """

    name: str
    label: str
    active: bool
    amount: float
    mode: Mode
    triggers: tuple[str, ...] = ()


class ExpressionEngine:
    """Lay the expressions that are on over each pose.

    ``apply`` belongs to one thread; everything else is safe from any thread, returns at
    once, and takes effect with the next pose.

    Args:
        library: the expressions to begin with.
        seed: of all chance in it; None = different each time.

    Attributes:
        changes: the states whenever something was switched on or off, newest wins.
    """

    def __init__(self, library: ExpressionLibrary, *, seed: int | None = None) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - a nod is no secret
        self._library = library
        self._commands: deque[Callable[[int], None]] = deque(maxlen=_MAX_WAITING)
        self._incoming: deque[ExpressionLibrary] = deque(maxlen=1)
        self._slots: Mapping[str, _Slot] = {}
        self._randoms: list[RandomWatch] = []
        self._watched: tuple[_Slot, ...] = ()
        self._leaving: list[Play] = []
        self._previewed: Play | None = None
        self._starts = 0
        self._told: tuple[object, ...] | None = None
        self.changes: LatestSlot[tuple[ExpressionState, ...]] = LatestSlot()
        self._take_up(library, 0)

    @property
    def library(self) -> ExpressionLibrary:
        """The set that holds, or will with the next pose."""
        return self._library

    def names(self) -> tuple[str, ...]:
        """Return the names of all expressions."""
        return tuple(self._library.expressions)

    def trigger(self, name: str, on: bool | None = None, *, by: str = "program") -> None:
        """Switch an expression.

        Args:
            name: of the expression.
            on: None = the other way; what ends by itself begins again. False lets go of a
                toggle or a hold; what ends by itself goes on, for a key that was pressed for it
                is let go at once: ``release`` cuts it short.
            by: who asks, shown in the state.

        Raises:
            KeyError: there is none of that name; the message suggests near ones.
        """
        self._require(name)
        self._commands.append(partial(self._trigger, name, on, by))

    def let_go(self, name: str, *, by: str) -> None:
        """Take ``by`` from those who keep an expression on; what ends by itself goes on.

        Raises:
            KeyError: as ``trigger``.
        """
        self._require(name)
        self._commands.append(partial(self._drop, name, by))

    def release(self, name: str) -> None:
        """Switch an expression off, whatever it is and whoever keeps it on.

        Raises:
            KeyError: as ``trigger``.
        """
        self._require(name)
        self._commands.append(partial(self._release, name))

    def clear(self) -> None:
        """Switch all of them off."""
        self._commands.append(self._clear)

    def preview(self, expression: Expression) -> None:
        """Play an expression of no set once, over what is on; it takes an earlier one's place.

        Args:
            expression: ends by itself.
        """
        self._commands.append(partial(self._preview, expression))

    def use(self, library: ExpressionLibrary) -> None:
        """Go over to another set; what is on and unchanged stays, the rest fades over."""
        self._library = library
        self._incoming.append(library)

    def state(self) -> tuple[ExpressionState, ...]:
        """Return every expression's state, in the order of the file."""
        return tuple(slot.state() for slot in self._slots.values())

    def apply(self, pose: Pose, face: FaceFrame | None, now_ns: int) -> Pose:
        """Return ``pose`` with what is on laid over it; the very same if nothing is.

        Args:
            pose: in the 45 parameters, as face and idle motion leave it.
            face: the newest tracked face, None while there is none.
            now_ns: the moment; must not run backwards.

        Raises:
            ValueError: the pose is that of another character system.
        """
        if pose.schema is not THA3:
            raise ValueError(f"expressions are in the parameters of THA3, not {pose.schema.name}")
        while self._incoming:
            self._take_up(self._incoming.popleft(), now_ns)
        for _ in range(len(self._commands)):  # those that come meanwhile wait for the next pose
            self._commands.popleft()(now_ns)
        if self._watched or self._randoms:
            self._watch(_sight(pose, face), now_ns)
        plays = [slot.play for slot in self._slots.values() if slot.play is not None]
        if plays or self._leaving:
            plays += self._leaving
            for play in plays:
                play.advance(now_ns)
            for slot in self._slots.values():
                slot.settle(self._begin, now_ns)
            self._leaving = [play for play in self._leaving if not play.over]
        self._tell()
        return _laid_over(pose, plays, now_ns) if plays else pose

    def _require(self, name: str) -> None:
        known = self._library.expressions
        if name not in known:
            raise KeyError(f"no expression is called {name!r:.60}{suggestion(name, known)}")

    def _watch(self, sight: Sight, now_ns: int) -> None:
        for slot in self._watched:
            watch = slot.watch
            before = watch.on
            if watch.look(sight, now_ns) == before:
                continue
            if watch.on:
                self._switch_on(slot, CONDITION, now_ns)
            else:
                slot.drop(CONDITION, now_ns)
        for random_watch in self._randoms:
            chosen = random_watch.draw(sight, now_ns, self._playing)
            if chosen is not None:
                self._switch_on(self._slots[chosen], CHANCE, now_ns)

    def _playing(self, name: str) -> bool:
        return self._slots[name].play is not None

    def _trigger(self, name: str, on: bool | None, by: str, now_ns: int) -> None:
        slot = self._slots.get(name)
        if slot is None:  # gone with the file's newest version
            return
        if on is None:
            on = slot.expression.fires or not slot.by
        if on:
            self._switch_on(slot, by, now_ns)
        elif not slot.expression.fires:
            slot.switch_off(now_ns)

    def _drop(self, name: str, by: str, now_ns: int) -> None:
        if name in self._slots:
            self._slots[name].drop(by, now_ns)

    def _release(self, name: str, now_ns: int) -> None:
        if name in self._slots:
            self._slots[name].switch_off(now_ns)

    def _preview(self, expression: Expression, now_ns: int) -> None:
        self._end_preview(now_ns)
        self._previewed = self._begin(expression, now_ns)
        self._leaving.append(self._previewed)

    def _end_preview(self, now_ns: int) -> None:
        if self._previewed is not None:
            self._previewed.leave_soon(now_ns)
            self._previewed = None

    def _clear(self, now_ns: int) -> None:
        self._end_preview(now_ns)
        for slot in self._slots.values():
            slot.switch_off(now_ns)

    def _switch_on(self, slot: _Slot, by: str, now_ns: int) -> None:
        group = slot.expression.table.group
        for other in self._slots.values():
            if group and other is not slot and other.expression.table.group == group:
                other.switch_off(now_ns)
        slot.switch_on(by, now_ns, self._begin)

    def _begin(self, expression: Expression, now_ns: int) -> Play:
        self._starts += 1
        return Play(expression, self._starts, now_ns)

    def _take_up(self, library: ExpressionLibrary, now_ns: int) -> None:
        before = self._slots
        slots: dict[str, _Slot] = {}
        for name, expression in library.expressions.items():
            old = before.get(name)
            if old is None:
                slots[name] = _Slot(expression)
            elif old.expression.table == expression.table:
                slots[name] = old
            else:
                slots[name] = _Slot(expression)
                by = [one for one in old.by if one not in (CONDITION, CHANCE)]
                if by and not expression.fires:
                    slots[name].switch_on(by[0], now_ns, self._begin)
        for name, old in before.items():
            if slots.get(name) is not old and old.play is not None:
                old.play.leave_soon(now_ns)
                self._leaving.append(old.play)
        self._slots = slots
        self._watched = tuple(slot for slot in slots.values() if slot.expression.when is not None)
        self._randoms = [RandomWatch(play, self._rng) for play in library.randoms]

    def _tell(self) -> None:
        told = tuple((name, slot.by) for name, slot in self._slots.items())
        if told != self._told:
            self._told = told
            self.changes.put(self.state())


class _Slot:
    """One expression, who keeps it on, and how it plays."""

    def __init__(self, expression: Expression) -> None:
        self.expression = expression
        self.watch = ConditionWatch(expression)
        self.by: tuple[str, ...] = ()
        self.play: Play | None = None
        self._again = ""

    def state(self) -> ExpressionState:
        expression, by, play = self.expression, self.by, self.play
        amount = 0.0 if play is None else play.amount
        return ExpressionState(
            expression.name, expression.label, bool(by), amount, expression.table.mode, by
        )

    def switch_on(self, by: str, now_ns: int, begin: Callable[[Expression, int], Play]) -> None:
        if self.expression.table.mode is Mode.ONE_SHOT and self.play is not None:
            self._again = by  # a jump back to its beginning would be seen
            return
        if by not in self.by:
            self.by = (*self.by, by)
        if self.play is None:
            self.play = begin(self.expression, now_ns)
        else:
            self.play.rise(now_ns)

    def drop(self, by: str, now_ns: int) -> None:
        """Take ``by`` from those who keep it on; what ends by itself goes on."""
        if self.expression.fires:
            return
        self.by = tuple(one for one in self.by if one != by)
        if not self.by and self.play is not None:
            self.play.fall(now_ns)

    def switch_off(self, now_ns: int) -> None:
        self.by, self._again = (), ""
        if self.play is not None:
            self.play.fall(now_ns)

    def settle(self, begin: Callable[[Expression, int], Play], now_ns: int) -> None:
        """Notice that it has come to its end, and begin again what was asked for meanwhile."""
        play = self.play
        if play is None:
            return
        if not play.rising:
            self.by = ()
        if play.over:
            self.play = None
            if self._again:
                again, self._again = self._again, ""
                self.switch_on(again, now_ns, begin)


def _sight(pose: Pose, face: FaceFrame | None) -> Sight:
    """Return what conditions see: only what the face itself drives."""
    shapes = _NO_SHAPES if face is None else face.blendshapes
    if face is None or pose.presence <= 0.0:
        return Sight([0.0] * POSE_SIZE, _NO_SHAPES, tracked=False)
    values = pose.values.tolist()
    if pose.coverage is not None:
        covered = pose.coverage.tolist()
        values = [v if c > 0.5 else 0.0 for v, c in zip(values, covered, strict=True)]
    return Sight(values, shapes, tracked=True)


def _laid_over(pose: Pose, plays: list[Play], now_ns: int) -> Pose:
    values: list[float] = pose.values.tolist()
    for play in sorted(plays, key=_rank):
        play.lay_over(values, now_ns)
    shown = read_only(np.array(values, np.float32))
    return Pose(shown, pose.t_ns, pose.presence, pose.coverage, pose.schema)


def _rank(play: Play) -> tuple[int, int]:
    return play.expression.table.priority, play.order
