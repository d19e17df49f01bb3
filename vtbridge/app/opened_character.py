"""Open a character for the display: its networks, or the model that was prepared of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from vtbridge.app.characters import matched, open_picture, schema_of
from vtbridge.app.first_use import GOOD_ENOUGH_DB, FirstUse, fluent, open_first_use
from vtbridge.clock import Clock
from vtbridge.config.schema import Config
from vtbridge.datatypes import Picture
from vtbridge.errors import WeightsError
from vtbridge.pose_params import POSE_SIZE
from vtbridge.pose_schema import THA3, PoseSchema
from vtbridge.render.baked.model_file import BakedManifest, read_manifest
from vtbridge.render.baked.store import MODEL_FILE, find_model
from vtbridge.render.live.baked_live import BakedLive
from vtbridge.render.live.live_frames import LiveFrames
from vtbridge.render.live.live_poser import LivePoser
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.live.open import open_live_poser
from vtbridge.render.settings import Quality, RenderSettings
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

EDITED_JUDGED_AFTER_S: Final = 120.0
"""How long a picture that was just saved is left alone before it is prepared: it may be saved
again, and what was prepared of it would be worth nothing."""


@dataclass(frozen=True, eq=False)
class OpenedCharacter:
    """One character, ready to be shown.

    Attributes:
        name: as ``open_picture`` takes it.
        picture: it.
        live: makes its frames.
        first_use: sees to it that they get better; None if nothing shall.
        schema: what of a pose it can show.
    """

    name: str
    picture: Picture
    live: LiveFrames
    first_use: FirstUse | None = None
    schema: PoseSchema = THA3


class CharacterOpener:
    """Open characters by the settings of one avatar.

    Args:
        config: all settings, with the first character.
        first_use: go over to the prepared character, and prepare one that is not, where the
            networks are slow and the settings allow it.
        clock: the monotonic clock.
        telemetry: gets times and counters.
    """

    def __init__(
        self, config: Config, *, first_use: bool, clock: Clock, telemetry: Telemetry
    ) -> None:
        self._config = config
        self._wants_first_use = first_use
        self._clock = clock
        self._telemetry = telemetry

    def first(self, picture: Picture) -> OpenedCharacter:
        """Open the one of the settings; takes a second or two.

        Raises:
            RuntimeUnavailable: nothing on this machine can run as asked.
            WeightsError: the weights are absent, damaged, or not prepared for the runtime.
        """
        return self._opened(self._config, picture)

    def other(
        self, name: str, picture: Picture | None, *, shown: LiveStatus, quality: Quality | None
    ) -> OpenedCharacter:
        """Open another one, or the same with another picture, as quickly as it can be shown.

        That is what was prepared of it, unless the networks are fluent here or were asked for;
        they are also what shows a character that was never prepared.

        Args:
            name: of the character.
            picture: it, where it was read already because its file has changed.
            shown: how frames are made just now.
            quality: what is wanted since the settings were read, None = what they say.

        Raises:
            VtbridgeError: it cannot be shown.
        """
        config, edited = self._config_of(name), picture is not None
        if picture is None:
            picture = open_picture(config.avatar.picture)
        wanted = config.render.quality if quality is None else quality
        render = config.render.model_copy(update={"quality": wanted, "package": ""})
        package = self._package(name, picture, render, shown)
        if package is not None:
            update = {"quality": Quality.BAKED, "package": str(package)}
            render = render.model_copy(update=update)
        elif wanted is Quality.BAKED:
            log.info("%s is not prepared: its networks are shown", name)
            render = render.model_copy(update={"quality": Quality.AUTO})
        config = config.model_copy(update={"render": render})
        opened = self._opened(config, picture, edited=edited)
        if render.quality is Quality.BAKED:
            # Its pages and caches are filled here, not on the beat that shows it first.
            opened.live.render(np.zeros(POSE_SIZE, np.float32), self._clock.now_ns())
        return opened

    def _opened(self, config: Config, picture: Picture, *, edited: bool = False) -> OpenedCharacter:
        first_use = None
        live: LiveFrames = open_live_poser(
            config.render,
            picture,
            fps=config.avatar.fps,
            clock=self._clock,
            telemetry=self._telemetry,
        )
        if self._wants_first_use and isinstance(live, LivePoser | BakedLive):
            live, first_use = open_first_use(
                config, picture, live, clock=self._clock, telemetry=self._telemetry
            )
            if edited and first_use is not None:
                first_use.judged_after_s = EDITED_JUDGED_AFTER_S
        schema = schema_of(config.render)
        return OpenedCharacter(config.avatar.picture, picture, live, first_use, schema)

    def _config_of(self, name: str) -> Config:
        """Return the settings with another character, and with the weights that pose it."""
        weights = self._config.render.weights
        if WeightStore().is_student(weights):  # which poses nobody else
            weights = DEFAULT_WEIGHTS
        picture, weights = matched(name, weights)
        return self._config.model_copy(
            update={
                "avatar": self._config.avatar.model_copy(update={"picture": picture}),
                "render": self._config.render.model_copy(update={"weights": weights}),
            }
        )

    def _package(
        self, name: str, picture: Picture, render: RenderSettings, shown: LiveStatus
    ) -> Path | None:
        """Return the package to show, None where the networks are to be shown."""
        if render.quality is Quality.BAKED:
            return _prepared_of(name, picture)
        if not (self._wants_first_use and render.prepare and render.quality is Quality.AUTO):
            return None
        if shown.quality is not Quality.BAKED and fluent(shown):
            return None
        package = _prepared_of(name, picture)
        manifest = None if package is None else _manifest(package)
        if manifest is None or manifest.weights != render.weights:
            return None
        return package if manifest.psnr_db >= GOOD_ENOUGH_DB else None


def _prepared_of(name: str, picture: Picture) -> Path | None:
    """Return the package with a model of ``picture``: the one that is named, else the best."""
    manifest = _manifest(Path(name))
    if manifest is not None and manifest.picture_sha256 == picture.digest:
        return Path(name).absolute()
    return find_model(picture)


def _manifest(package: Path) -> BakedManifest | None:
    try:
        return read_manifest(package / MODEL_FILE)
    except WeightsError:
        return None
