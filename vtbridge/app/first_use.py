"""From the networks to the prepared character while the avatar is live.

A picture that was never prepared is shown by the networks at once. Where they are fluent, as
on a graphics card, that is all. Where they are not, the character is prepared in the background
and takes over as soon as it is good enough.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

from vtbridge.app.background_bake import BackgroundBake, BakeProgress, bake_command
from vtbridge.app.characters import package_folder, package_of
from vtbridge.clock import Clock
from vtbridge.config.schema import Config
from vtbridge.datatypes import Picture
from vtbridge.errors import PictureError, WeightsError
from vtbridge.flow.service import ThreadService
from vtbridge.render.baked.model_file import read_manifest
from vtbridge.render.baked.store import MODEL_FILE
from vtbridge.render.live.baked_live import BakedLive
from vtbridge.render.live.cpu_budget import cores_here, cpu_budget
from vtbridge.render.live.crossing import CrossingLive
from vtbridge.render.live.live_frames import LiveFrames
from vtbridge.render.live.live_poser import LivePoser
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.live.open import baked_poser
from vtbridge.render.models.variants import Family
from vtbridge.render.settings import Quality
from vtbridge.render.weights.store import WeightStore
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

FLUENT_FPS: Final = 24.0
"""Fresh frames a second of the networks from which nothing is to be gained; less where less is
shown."""

GOOD_ENOUGH_DB: Final = 34.0
"""Likeness on poses never learnt from, from which a prepared character is shown.

The networks' own frames come too late where they are not fluent: shown between two results half
a second old they are 36 dB from what they should be, and slow. From 34 dB on a
prepared character looks like them, and follows at once.
"""

BAKE_MINUTES: Final = 12.0
"""Of a bake that has half a machine: what six minutes of a whole one are worth."""

ROOM: Final = 0.5
"""Share of the time that the networks compute while a character is prepared beside them."""

_JUDGED_AFTER_S: Final = 4.0
_LOOK_EVERY_S: Final = 0.5
_BETTER_DB: Final = 0.5
_EVERY_BEAT: Final = 0.9  # fresh frames a beat that are as good as all
_ASK_AGAIN_S: Final = 60.0
_LOOK_ELSEWHERE_S: Final = 5.0


class Networks(Protocol):
    """What is shown first; ``LivePoser`` is one."""

    def status(self) -> LiveStatus:
        """Return how frames are made just now."""

    def leave_room(self, duty: float) -> None:
        """Compute in no more than this share of the time."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How far the prepared character is, for people.

    Attributes:
        state: "waiting", "not needed", "baking", "elsewhere" (another process bakes it),
            "shown" or "failed".
        progress: of the bake, None while there is none.
        shown_db: likeness of the model that is shown, None while the networks are.
        trouble: why it failed; empty if it did not.
    """

    state: str
    progress: BakeProgress | None = None
    shown_db: float | None = None
    trouble: str = ""


class FirstUse(ThreadService):
    """Watch the networks, have the character prepared, and offer each better model.

    Args:
        networks: what is shown first.
        find: returns the package with the best model of the picture, None if there is none.
        open_package: opens what shows a package's model; None if it must not be shown.
        offer: goes over to what was opened.
        bake: makes the bake; None if characters cannot be prepared here.
    """

    def __init__(
        self,
        networks: Networks,
        *,
        find: Callable[[], Path | None],
        open_package: Callable[[Path], LiveFrames | None],
        offer: Callable[[LiveFrames], None],
        bake: Callable[[], BackgroundBake] | None,
    ) -> None:
        super().__init__("first use")
        self._networks = networks
        self._find = find
        self._open_package = open_package
        self._offer = offer
        self._make_bake = bake
        self._bake: BackgroundBake | None = None
        self._state = "waiting"
        self._shown_db: float | None = None
        self._trouble = ""

    def preparation(self) -> Preparation:
        """Return how far it is; safe from any thread."""
        bake = self._bake
        progress = None if bake is None else bake.progress
        return Preparation(self._state, progress, self._shown_db, self._trouble)

    def serve(self) -> None:
        """See that the best there is gets shown."""
        if self.stopping.wait(_JUDGED_AFTER_S):
            return
        if fluent(self._networks.status()):
            self._state = "not needed"
            return
        self._show_best()
        if self._shown_db is not None:
            return
        if self._make_bake is None:
            self._fail("preparing a character needs PyTorch: pip install torch")
            return
        self._networks.leave_room(ROOM)
        log.info("preparing the character in the background; the networks are shown meanwhile")
        try:
            while not self.stopping.is_set():
                self._bake = bake = self._make_bake()
                self._state = "baking"
                bake.start()
                try:
                    self._follow(bake)
                finally:
                    bake.stop(timeout_s=0.0)
                if not bake.elsewhere:
                    return
                self._state = "elsewhere"
                self._look_elsewhere()
        finally:
            self._networks.leave_room(1.0)

    def _look_elsewhere(self) -> None:
        """Show what another process bakes, until it is time to see whether it still does."""
        for _ in range(round(_ASK_AGAIN_S / _LOOK_ELSEWHERE_S)):
            if self.stopping.wait(_LOOK_ELSEWHERE_S):
                return
            self._show_best()

    def _follow(self, bake: BackgroundBake) -> None:
        best_db: float | None = None
        while bake.alive and not self.stopping.wait(_LOOK_EVERY_S):
            progress = bake.progress
            if progress is not None and progress.psnr_db != best_db:
                best_db = progress.psnr_db
                self._show_best()
        if self.stopping.is_set() or bake.elsewhere:
            return
        self._show_best()
        if bake.trouble:
            self._fail(bake.trouble)
        elif self._shown_db is None:
            self._fail("the prepared character is not like the networks' frames")
        else:
            self._state = "shown"

    def _show_best(self) -> None:
        """Offer the best model of the picture if it is better than what is shown."""
        try:
            package = self._find()
            if package is None:
                return
            psnr_db = read_manifest(package / MODEL_FILE).psnr_db
        except (WeightsError, PictureError) as error:
            log.warning("%s", error)
            return
        least_db = GOOD_ENOUGH_DB if self._shown_db is None else self._shown_db + _BETTER_DB
        if psnr_db < least_db:
            return
        better = self._open_package(package)
        if better is None:
            return
        self._offer(better)
        self._shown_db = psnr_db
        if self._bake is None:
            self._state = "shown"
        log.info("the prepared character is shown now, %.1f dB", psnr_db)

    def _fail(self, reason: str) -> None:
        self._trouble = reason
        if self._shown_db is None:
            self._state = "failed"
            log.warning("the networks stay: %s", reason)
        else:
            self._state = "shown"


def fluent(status: LiveStatus) -> bool:
    """Return True if the networks keep up so well that nothing is to be gained.

    Told by what a pose costs them, for at rest they have nothing to compute.
    """
    if status.quality is Quality.FAST:  # not as like the exact ones as a prepared character
        return False
    can_fps = 1e3 / status.networks_ms if status.networks_ms > 0.0 else status.fresh_fps
    return can_fps >= min(FLUENT_FPS, _EVERY_BEAT * status.fps)


def open_first_use(
    config: Config, picture: Picture, networks: LivePoser, *, clock: Clock, telemetry: Telemetry
) -> tuple[LiveFrames, FirstUse | None]:
    """Return what is shown, and what sees to it that it gets better; None if nothing shall.

    Args:
        config: all settings.
        picture: the character.
        networks: what is shown first.
        clock: the monotonic clock.
        telemetry: gets times and counters.
    """
    render = config.render
    if not (render.prepare and render.quality is Quality.AUTO and _can_be_prepared(render.weights)):
        return networks, None
    live = CrossingLive(networks, clock=clock, telemetry=telemetry)

    def find() -> Path | None:
        package = package_of(config.avatar.picture)
        if package is None or read_manifest(package / MODEL_FILE).weights != render.weights:
            return None
        return package

    def open_package(package: Path) -> LiveFrames | None:
        settings = render.model_copy(update={"quality": Quality.BAKED, "package": str(package)})
        poser = baked_poser(settings, picture, telemetry)
        if poser is None:
            return None
        return BakedLive(poser, picture, fps=config.avatar.fps, clock=clock, telemetry=telemetry)

    def bake() -> BackgroundBake:
        character = config.avatar.picture
        budget = cpu_budget(render.cpu_budget, cores_here(), threads=render.threads)
        command = bake_command(
            character,
            package_folder(character, picture),
            minutes=BAKE_MINUTES,
            weights=render.weights,
            threads=budget.threads,
        )
        return BackgroundBake(command)

    first_use = FirstUse(
        networks,
        find=find,
        open_package=open_package,
        offer=live.offer,
        bake=bake if find_spec("torch") is not None else None,
    )
    return live, first_use


def _can_be_prepared(weights: str) -> bool:
    """Return True for weights that characters are prepared with."""
    store = WeightStore()
    try:
        return not store.is_student(weights) and store.variant(weights).family is Family.THA3
    except WeightsError:
        return False
