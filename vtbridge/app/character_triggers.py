"""Keys, controls of MIDI devices, events of OBS and OSC messages that have a character shown.

The first three go through what hears those of expressions, under names that no expression can
have. A character stays until another one is asked for: letting a key go, or leaving a scene, ends
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vtbridge.errors import PacketError
from vtbridge.expressions.settings import TriggerSettings
from vtbridge.expressions.triggers.combination import parse_combination
from vtbridge.expressions.triggers.hotkeys import Hotkey, Switch
from vtbridge.expressions.triggers.midi_binding import parse_midi
from vtbridge.expressions.triggers.midi_keys import MidiBinding
from vtbridge.expressions.triggers.obs_event import ObsTrigger, parse_obs_trigger
from vtbridge.osc import OscArgument

OSC_CHARACTER = "/vtbridge/character"

Triggers = Mapping[str, TriggerSettings]
"""By what orders call the character."""

Show = Callable[[str], None]
"""Asks for a character and returns at once; where none is called so, that is told elsewhere."""

_PREFIX = "character:"


def character_hotkeys(triggers: Triggers) -> list[Hotkey]:
    """Return the keys that show a character."""
    return [
        Hotkey(_PREFIX + name, parse_combination(table.key), hold=False)
        for name, table in triggers.items()
        if table.key
    ]


def character_bindings(triggers: Triggers) -> list[MidiBinding]:
    """Return the controls of MIDI devices that show a character."""
    return [
        MidiBinding(_PREFIX + name, parse_midi(table.midi))
        for name, table in triggers.items()
        if table.midi
    ]


def character_events(triggers: Triggers) -> Mapping[str, frozenset[ObsTrigger]]:
    """Return what in OBS shows which character."""
    return {
        name: frozenset(parse_obs_trigger(text) for text in table.obs)
        for name, table in triggers.items()
        if table.obs
    }


def or_character(switch: Switch, show: Show) -> Switch:
    """Return what does as ``switch``, but shows a character where one is meant."""

    def act(name: str, on: bool | None) -> None:
        if not name.startswith(_PREFIX):
            switch(name, on)
        elif on is not False:
            show(name.removeprefix(_PREFIX))

    return act


def character_orders(show: Show) -> Callable[[tuple[OscArgument, ...]], None]:
    """Return what takes the argument of ``OSC_CHARACTER``, a name."""

    def hear(arguments: tuple[OscArgument, ...]) -> None:
        match arguments:
            case (str(name),) if name:
                show(name)
            case _:
                raise PacketError(
                    f"{OSC_CHARACTER}: expected the name of a character, got {arguments!r:.60}",
                    reason="values",
                )

    return hear
