"""What in an expressions.toml is wrong though each entry by itself is well formed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from vtbridge.expressions.grammar import ConditionError, Name, parse_condition
from vtbridge.expressions.model import (
    Blend,
    ExpressionFile,
    ExpressionTable,
    Mode,
    RandomTable,
)
from vtbridge.expressions.parameters import members
from vtbridge.expressions.triggers.combination import parse_combination
from vtbridge.expressions.triggers.midi_binding import parse_midi
from vtbridge.expressions.triggers.obs_event import parse_obs_trigger

Path = tuple[str | int, ...]
Problem = tuple[Path, str]


def problems_of(
    file: ExpressionFile, names: Mapping[str, Name], *, others: Mapping[str, ExpressionTable]
) -> Iterator[Problem]:
    """Yield each entry that does not fit the rest, and a sentence with the remedy.

    Args:
        file: what was written.
        names: the words of conditions.
        others: the expressions that ``random`` may choose beside the file's own.
    """
    for name, table in file.expressions.items():
        for path, sentence in _of_expression(table, names):
            yield ("expressions", name, *path), sentence
    known = {**others, **file.expressions}
    for name, random in file.random.items():
        for path, sentence in _of_random(random, names, known):
            yield ("random", name, *path), sentence


def _of_expression(table: ExpressionTable, names: Mapping[str, Name]) -> Iterator[Problem]:
    if not (table.values or table.keyframes or table.rest):
        yield (), "it moves nothing; give it values, keyframes or rest"
    yield from _of_length(table)
    yield from _of_values(("values",), table.values, table.blend)
    for index, frame in enumerate(table.keyframes):
        yield from _of_values(("keyframes", index, "values"), frame.values, table.blend)
    yield from _of_moments(table)
    yield from _of_weights(table)
    if table.rest and table.blend is not Blend.OVERRIDE:
        yield ("rest",), f"only an override lays to rest, not {table.blend}"
    if table.until is not None and table.when is None:
        yield ("until",), "without `when` nothing begins that could end; add it"
    if table.key is not None:
        try:
            parse_combination(table.key)
        except ValueError as error:
            yield ("key",), str(error)
    if table.midi is not None:
        try:
            parse_midi(table.midi)
        except ValueError as error:
            yield ("midi",), str(error)
    yield from _of_obs(table)
    for key, text in (("when", table.when), ("until", table.until)):
        yield from _of_condition((key,), text, names)


def _of_obs(table: ExpressionTable) -> Iterator[Problem]:
    for index, text in enumerate(table.obs):
        try:
            trigger = parse_obs_trigger(text)
        except ValueError as error:
            yield ("obs", index), str(error)
            continue
        if table.mode in (Mode.TOGGLE, Mode.HOLD) and not trigger.kind.lasts:
            yield (
                ("obs", index),
                f"{trigger} is a moment, and nothing would end a {table.mode}; "
                'mode = "timed" or "one_shot" is for this',
            )


def _of_length(table: ExpressionTable) -> Iterator[Problem]:
    endless = table.mode in (Mode.TOGGLE, Mode.HOLD)
    if endless and table.duration_s is not None:
        yield ("duration_s",), f'a {table.mode} ends when it is told to; mode = "timed" is for this'
    if table.mode is Mode.TIMED and table.duration_s is None:
        yield (), "a timed expression needs duration_s"
    if table.mode is Mode.ONE_SHOT:
        if not table.keyframes and table.duration_s is None:
            yield (), "a one_shot needs keyframes or duration_s"
        if table.keyframes and table.duration_s is not None:
            yield ("duration_s",), "a one_shot lasts as long as its keyframes; leave it out"
        if table.loop:
            yield ("loop",), 'a one_shot plays once; mode = "timed" may loop'


def _of_values(path: Path, values: Mapping[str, float], blend: Blend) -> Iterator[Problem]:
    for name, value in values.items():
        try:
            params = members(name)
        except KeyError as error:
            yield (*path, name), str(error.args[0])
            continue
        if value < 0.0 and blend is not Blend.ADD and not params[0].signed:
            yield (*path, name), f"expected 0 to 1, got {value:g}; only an 'add' takes away"


def _of_moments(table: ExpressionTable) -> Iterator[Problem]:
    frames = table.keyframes
    if not frames:
        if table.loop or table.length_s is not None:
            key = "loop" if table.loop else "length_s"
            yield (key,), "there are no keyframes"
        return
    for index, (before, after) in enumerate(pairwise(frames), 1):
        if after.at_s <= before.at_s:
            yield (
                ("keyframes", index, "at_s"),
                f"{after.at_s:g} does not come after {before.at_s:g}; put keyframes in order",
            )
    last = frames[-1].at_s
    length = last if table.length_s is None else table.length_s
    if length < last:
        yield ("length_s",), f"the last keyframe, at {last:g}, is later; expected at least that"
    if length < 0.05:
        yield ("keyframes",), "they take no time; set the last one's at_s to 0.05 or more"
    elif table.loop and length == last:
        for name, value in frames[-1].values.items():
            began = frames[0].values.get(name) if frames[0].at_s == 0 else None
            if value != (table.values.get(name, 0.0) if began is None else began):
                yield (
                    ("keyframes", len(frames) - 1, "values", name),
                    "a loop ends where it begins; set a later length_s, or the first value",
                )


def _of_weights(table: ExpressionTable) -> Iterator[Problem]:
    moved = {*table.values, *(name for frame in table.keyframes for name in frame.values)}
    for name in table.weights:
        if name not in moved:
            yield ("weights", name), "it is not among the values; remove it here or add it there"


def _of_condition(path: Path, text: str | None, names: Mapping[str, Name]) -> Iterator[Problem]:
    if text is None:
        return
    try:
        parse_condition(text, names)
    except ConditionError as error:
        yield path, str(error)


def _of_random(
    random: RandomTable, names: Mapping[str, Name], known: Mapping[str, ExpressionTable]
) -> Iterator[Problem]:
    shortest, longest = random.every_s
    if shortest > longest:
        yield ("every_s",), f"{shortest:g} is longer than {longest:g}; write the shorter one first"
    for name in random.choose:
        if name not in known:
            yield ("choose", name), "no expression is called that"
        elif known[name].mode not in (Mode.TIMED, Mode.ONE_SHOT):
            yield (
                ("choose", name),
                f"a {known[name].mode} never ends; choose timed or one_shot",
            )
    yield from _of_condition(("when",), random.when, names)
