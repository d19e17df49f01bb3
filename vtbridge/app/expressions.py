"""The expressions of one avatar: their file, their engine, and all that triggers them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from vtbridge.app.character_triggers import (
    Show,
    Triggers,
    character_bindings,
    character_hotkeys,
    or_character,
)
from vtbridge.app.characters import FETCHED
from vtbridge.characters import BUILTIN
from vtbridge.clock import MonotonicClock
from vtbridge.config.load import user_config_path
from vtbridge.config.schema import Config
from vtbridge.errors import RuntimeUnavailable
from vtbridge.expressions.engine import ExpressionEngine, ExpressionState
from vtbridge.expressions.grammar import Name
from vtbridge.expressions.library import (
    FILE_NAME,
    ExpressionLibrary,
    builtin_library,
    condition_names,
)
from vtbridge.expressions.model import Mode
from vtbridge.expressions.news import ExpressionNews
from vtbridge.expressions.reload import ExpressionFileWatch
from vtbridge.expressions.triggers.combination import parse_combination
from vtbridge.expressions.triggers.hotkeys import Hotkey, Hotkeys, Switch
from vtbridge.expressions.triggers.keyboard import KeyboardTrigger
from vtbridge.expressions.triggers.midi import MidiTrigger, MidoPorts
from vtbridge.expressions.triggers.midi_binding import parse_midi
from vtbridge.expressions.triggers.midi_keys import MidiBinding, MidiKeys, Press
from vtbridge.flow.service import ThreadService
from vtbridge.tracking.arkit import ARKIT_NAMES

log = logging.getLogger(__name__)

OSC_PREFIX = "/vtbridge/expression/"
OSC_KEY_PREFIX = "/vtbridge/key/"


@dataclass(frozen=True, slots=True)
class Expressions:
    """What the daemon needs of them.

    Attributes:
        engine: lays them over the pose, takes triggers.
        news: tells listeners of changes.
        watch: follows the file, None if there is none to follow.
        reload: whether it is looked at again while the avatar runs.
        keyboard: hears keys, None if it may not or cannot.
        midi: hears MIDI devices, None if none are wanted or it cannot.
        show: goes over to a character, for triggers that show one.
    """

    engine: ExpressionEngine
    news: ExpressionNews
    watch: ExpressionFileWatch | None
    reload: bool
    keyboard: KeyboardTrigger | None = None
    midi: MidiTrigger | None = None
    show: Show = lambda name: None

    @property
    def services(self) -> list[ThreadService]:
        """The threads that have to run."""
        threads: list[ThreadService | None] = [
            self.news,
            self.watch if self.reload else None,
            self.keyboard,
            self.midi,
        ]
        return [thread for thread in threads if thread is not None]

    def switch_by(self, by: str) -> Callable[[str, bool | None], None]:
        """Return what switches one by name: on, off, or None = the other way; raises KeyError."""
        return partial(_switch, self.engine, by)

    def press_by(self, by: str) -> Callable[[str, bool | None], None]:
        """Return what a key does: down, up, or None = a press that says no more.

        One of mode ``hold`` is on while its key is down; the others go the other way at
        each press. Raises KeyError for a name that is unknown.
        """
        return partial(_press, self.engine, by)

    def tell_osc(
        self, tell: Callable[[Mapping[str, bool]], None], loop: asyncio.AbstractEventLoop
    ) -> Callable[[], None]:
        """Let ``tell`` be called on ``loop`` with what is on, by OSC address; return its end."""

        def hand_over(states: tuple[ExpressionState, ...]) -> None:
            switched = {OSC_PREFIX + state.name: state.active for state in states}
            with contextlib.suppress(RuntimeError):  # the loop has closed
                loop.call_soon_threadsafe(tell, switched)

        return self.news.subscribe(hand_over)

    def follow(self, config: Config) -> None:
        """Go over to the expressions of another character, that of ``config``."""
        if self.watch is not None and config.expressions.enabled:
            self.watch.follow(expression_file(config))

    @property
    def trouble(self) -> str:
        """What is wrong with their file, empty if nothing is."""
        return "" if self.watch is None else self.watch.trouble

    def status(self) -> dict[str, object]:
        """Return the part of the daemon's status that is theirs."""
        return {
            "expressions": [plain_state(state) for state in self.engine.state()],
            "expressions_trouble": self.trouble,
        }


def open_expressions(
    config: Config, *, seed: int | None, show: Show = lambda name: None
) -> Expressions | None:
    """Return the expressions of the character of ``config``, None if they are switched off.

    Where they are, but something triggers a character, there are none of them and the triggers.
    A file that is wrong costs its own expressions, not the avatar.

    Args:
        config: all settings.
        seed: of what they do by chance, None = different each time.
        show: goes over to another character; called on the threads of triggers.
    """
    settings, triggers = config.expressions, config.avatar.triggers
    if not settings.enabled and not triggers:
        return None
    names, watch = known_names(), None
    library = builtin_library(names) if settings.enabled else ExpressionLibrary({})
    engine = ExpressionEngine(library, seed=seed)
    if settings.enabled:
        path = expression_file(config)
        watch = ExpressionFileWatch(path, names, engine.use)
        if not watch.look() and settings.file and not watch.trouble:
            log.warning("%s is not there; until it is, the built-in expressions are shown", path)
    control, keyboard, midi = config.control, None, None
    if control.keyboard:
        switch = or_character(partial(_switch, engine, "keyboard"), show)
        keyboard = open_keyboard(lambda: engine.library, switch, triggers)
    if control.midi:
        press = or_character(partial(_press, engine, "midi"), show)
        midi = open_midi(lambda: engine.library, press, control.midi, triggers)
    news = ExpressionNews(engine)
    return Expressions(engine, news, watch, settings.reload, keyboard, midi, show)


def known_names() -> Mapping[str, Name]:
    """Return the words of conditions."""
    return condition_names(ARKIT_NAMES)


def expression_file(config: Config) -> Path | None:
    """Return the expressions.toml of the character of ``config``, there or not.

    None where there is no such picture. A built-in character's lies beside config.toml, for
    nobody writes where the package is.
    """
    if config.expressions.file:
        return Path(config.expressions.file)
    named = Path(config.avatar.picture)
    if config.avatar.picture.lower() in {*BUILTIN, *FETCHED}:
        return user_config_path().with_name(FILE_NAME)
    if named.is_dir():
        return named / FILE_NAME
    if named.is_file():
        return named.parent / FILE_NAME
    return None


def plain_state(state: ExpressionState) -> dict[str, object]:
    """Return ``state`` as JSON has it."""
    return {
        "name": state.name,
        "label": state.label,
        "active": state.active,
        "amount": round(state.amount, 3),
        "mode": str(state.mode),
        "triggers": list(state.triggers),
    }


def hotkeys_of(library: ExpressionLibrary) -> list[Hotkey]:
    """Return the keys that trigger the expressions of ``library``."""
    return [
        Hotkey(name, parse_combination(one.table.key), one.table.mode is Mode.HOLD)
        for name, one in library.expressions.items()
        if one.table.key is not None
    ]


def midi_bindings_of(library: ExpressionLibrary) -> list[MidiBinding]:
    """Return the controls of MIDI devices that trigger the expressions of ``library``."""
    return [
        MidiBinding(name, parse_midi(one.table.midi))
        for name, one in library.expressions.items()
        if one.table.midi is not None
    ]


def open_midi(
    library: Callable[[], ExpressionLibrary],
    press: Press,
    wanted: str,
    triggers: Triggers = MappingProxyType({}),
) -> MidiTrigger | None:
    """Return what hears MIDI devices; where nothing can, that costs only them.

    Args:
        library: names the controls.
        press: what a press does.
        wanted: the devices, as in the settings.
        triggers: of characters.
    """
    others = character_bindings(triggers)
    keys = MidiKeys(lambda: [*midi_bindings_of(library()), *others], press)
    try:
        return MidiTrigger(keys, MidoPorts(), wanted, MonotonicClock())
    except RuntimeUnavailable as error:
        log.warning("no MIDI for expressions: %s", error)
        return None


def open_keyboard(
    library: Callable[[], ExpressionLibrary],
    switch: Switch,
    triggers: Triggers = MappingProxyType({}),
) -> KeyboardTrigger | None:
    """Return what hears the keyboard; where nothing can, that costs only the keys.

    Args:
        library: names the keys.
        switch: what a key does.
        triggers: of characters.
    """
    others = character_hotkeys(triggers)
    hotkeys = Hotkeys(lambda: [*hotkeys_of(library()), *others], switch)
    try:
        return KeyboardTrigger(hotkeys, MonotonicClock())
    except RuntimeUnavailable as error:
        log.warning("no keys for expressions: %s", error)
        return None


def _switch(engine: ExpressionEngine, by: str, name: str, on: bool | None) -> None:
    engine.trigger(name, on, by=by)


def _press(engine: ExpressionEngine, by: str, name: str, down: bool | None) -> None:
    modes = {state.name: state.mode for state in engine.state()}
    if modes.get(name) is Mode.HOLD:
        engine.trigger(name, down, by=by)
    elif down is not False or name not in modes:
        engine.trigger(name, None, by=by)
