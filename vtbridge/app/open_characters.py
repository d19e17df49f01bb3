"""The first character of an avatar, and what lets others take its place."""

from __future__ import annotations

from collections.abc import Callable

from vtbridge.app.cast import Cast
from vtbridge.app.character_switch import FADE_NS, CharacterSwitch
from vtbridge.app.opened_character import CharacterOpener, OpenedCharacter
from vtbridge.app.picture_watch import PictureWatch
from vtbridge.clock import Clock
from vtbridge.config.schema import Config
from vtbridge.datatypes import Picture
from vtbridge.render.live.crossing import CrossingLive
from vtbridge.telemetry import Telemetry


def open_characters(
    config: Config,
    picture: Picture,
    *,
    first_use: bool,
    changed: Callable[[OpenedCharacter], None],
    look: Callable[[], None],
    clock: Clock,
    telemetry: Telemetry,
) -> tuple[CrossingLive, CharacterSwitch]:
    """Return what shows ``picture``, and what goes over to others; takes a second or two.

    Args:
        config: all settings.
        picture: the first character.
        first_use: see ``CharacterOpener``.
        changed: told of each character that comes on.
        look: has frames made though nobody looks.
        clock: the monotonic clock.
        telemetry: gets times and counters.

    Raises:
        RuntimeUnavailable: nothing on this machine can run as asked.
        WeightsError: the weights are absent, damaged, or not prepared for the runtime.
    """
    opener = CharacterOpener(config, first_use=first_use, clock=clock, telemetry=telemetry)

    def follow(name: str) -> PictureWatch | None:
        return PictureWatch(name, clock) if config.avatar.reload else None

    first = opener.first(picture)
    live = CrossingLive(
        first.live,
        clock=clock,
        telemetry=telemetry,
        counter="render.switched",
        fade_ns=FADE_NS,
        always=True,
    )

    def open_character(name: str, read: Picture | None) -> OpenedCharacter:
        return opener.other(name, read, shown=live.status(), quality=live.wanted)

    characters = CharacterSwitch(
        first,
        cast=Cast(config.avatar),
        display=live,
        open_character=open_character,
        follow=follow,
        changed=changed,
        look=look,
    )
    return live, characters
