"""From the networks to the prepared character while the avatar is live.

A picture that was never prepared is shown by the networks at once. Where they are fluent, as
on a graphics card, that is all. Where they are not, the character is prepared in the background
and takes over as soon as it is good enough.
From then on it goes on learning, from the turns that are really shown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from vtbridge.app.background_bake import BackgroundBake, bake_command
from vtbridge.app.background_learning import (
    BackgroundLearning,
    Courtesy,
    feed,
    learn_command,
)
from vtbridge.app.characters import package_folder, package_of
from vtbridge.app.preparation import Preparation
from vtbridge.clock import Clock
from vtbridge.config.schema import Config
from vtbridge.datatypes import F32Array, Picture
from vtbridge.errors import PictureError, WeightsError
from vtbridge.flow.service import ThreadService
from vtbridge.pose_params import POSE_SIZE
from vtbridge.render.baked.model_file import BakedManifest, read_manifest
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


class FirstUse(ThreadService):
    """Watch the networks, have the character prepared, and offer each better model.

    Args:
        networks: what is shown first; None if a prepared character is.
        find: returns the package with the best model of the picture, None if there is none.
        open_package: opens what shows a package's model; None if it must not be shown.
        offer: goes over to what was opened.
        bake: makes the bake; None if characters cannot be prepared here.
        learn: makes what learns for a package; None if nothing shall be learnt.
        newest: returns the pose that is shown now, None before the first.
        courtesy: says when learning has to wait.

    Attributes:
        judged_after_s: how long the networks are watched before a bake may begin.
    """

    def __init__(
        self,
        networks: Networks | None,
        *,
        find: Callable[[], Path | None],
        open_package: Callable[[Path], LiveFrames | None],
        offer: Callable[[LiveFrames], None],
        bake: Callable[[], BackgroundBake] | None,
        learn: Callable[[Path], BackgroundLearning] | None = None,
        newest: Callable[[], F32Array | None] = lambda: None,
        courtesy: Courtesy | None = None,
    ) -> None:
        super().__init__("first use")
        self.judged_after_s = _JUDGED_AFTER_S
        self._networks = networks
        self._find = find
        self._open_package = open_package
        self._offer = offer
        self._make_bake = bake
        self._make_learning = learn
        self._newest = newest
        self._courtesy = courtesy
        self._learning: BackgroundLearning | None = None
        self._shown_sha256 = ""
        self._bake: BackgroundBake | None = None
        self._state = "waiting"
        self._shown_db: float | None = None
        self._trouble = ""

    def preparation(self) -> Preparation:
        """Return how far it is; safe from any thread."""
        bake = self._bake
        progress = None if bake is None else bake.progress
        learning = self._learning
        return Preparation(
            self._state,
            progress,
            self._shown_db,
            self._trouble,
            learning=None if learning is None else learning.progress,
            learning_waits=learning is not None and learning.paused,
        )

    def serve(self) -> None:
        """See that the best there is gets shown, and gets better."""
        if self._networks is None:
            self._note_shown()
        else:
            self._first_use(self._networks)
        if self._shown_db is not None and not self.stopping.is_set():
            self._learn()

    def _first_use(self, networks: Networks) -> None:
        """Show the best there is; have it baked if there is none."""
        if self.stopping.wait(self.judged_after_s):
            return
        if fluent(networks.status()):
            self._state = "not needed"
            return
        self._show_best()
        if self._shown_db is not None:
            return
        if self._make_bake is None:
            self._fail("preparing a character needs PyTorch: pip install torch")
            return
        networks.leave_room(ROOM)
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
            networks.leave_room(1.0)

    def _learn(self) -> None:
        """Have the character learn from what is shown."""
        package = self._package()
        if self._make_learning is None or self._courtesy is None or package is None:
            return
        while not self.stopping.is_set():
            self._learning = learning = self._make_learning(package)
            self._state = "learning"
            learning.start()
            try:
                feed(
                    learning,
                    newest=self._newest,
                    courtesy=self._courtesy,
                    written=self._show_newer,
                    stopping=self.stopping,
                )
            finally:
                learning.stop(timeout_s=0.0)
                self._state = "shown"
            if not learning.elsewhere:
                return
            # Such as the one that writes what it learnt before another character was shown.
            self.stopping.wait(_LOOK_ELSEWHERE_S)

    def _show_newer(self) -> None:
        """Offer the model that was just written: who wrote it has judged it."""
        package = self._package()
        if package is None:
            return
        manifest = self._manifest(package)
        if manifest is not None and manifest.sha256 != self._shown_sha256:
            self._show(package, manifest)

    def _note_shown(self) -> None:
        """Know what has been shown from the start."""
        package = self._package()
        manifest = None if package is None else self._manifest(package)
        if manifest is not None:
            self._state, self._shown_db = "shown", manifest.psnr_db
            self._shown_sha256 = manifest.sha256

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
        package = self._package()
        manifest = None if package is None else self._manifest(package)
        if package is None or manifest is None:
            return
        least_db = GOOD_ENOUGH_DB if self._shown_db is None else self._shown_db + _BETTER_DB
        if manifest.psnr_db >= least_db:
            self._show(package, manifest)

    def _show(self, package: Path, manifest: BakedManifest) -> None:
        better = self._open_package(package)
        if better is None:
            return
        self._offer(better)
        self._shown_db, self._shown_sha256 = manifest.psnr_db, manifest.sha256
        if self._bake is None and self._learning is None:
            self._state = "shown"
        log.info("the prepared character is shown now, %.1f dB", manifest.psnr_db)

    def _package(self) -> Path | None:
        try:
            return self._find()
        except (WeightsError, PictureError) as error:
            log.warning("%s", error)
            return None

    def _manifest(self, package: Path) -> BakedManifest | None:
        try:
            return read_manifest(package / MODEL_FILE)
        except WeightsError as error:
            log.warning("%s", error)
            return None

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
    config: Config,
    picture: Picture,
    first: LivePoser | BakedLive,
    *,
    clock: Clock,
    telemetry: Telemetry,
) -> tuple[LiveFrames, FirstUse | None]:
    """Return what is shown, and what sees to it that it gets better; None if nothing shall.

    Args:
        config: all settings.
        picture: the character.
        first: what is shown first.
        clock: the monotonic clock.
        telemetry: gets times and counters; its counts of beats say when learning has to wait.
    """
    render = config.render
    prepared = isinstance(first, BakedLive)
    wanted = render.learn if prepared else render.quality is Quality.AUTO
    if not (render.prepare and wanted and _can_be_prepared(render.weights)):
        return first, None
    live = CrossingLive(first, clock=clock, telemetry=telemetry)
    torch_is_here = find_spec("torch") is not None

    def find() -> Path | None:
        named = Path(render.package) if render.package else None
        package = named if prepared and named else package_of(config.avatar.picture)
        if package is None or read_manifest(package / MODEL_FILE).weights != render.weights:
            return None
        return package

    def open_package(package: Path) -> LiveFrames | None:
        settings = render.model_copy(update={"quality": Quality.BAKED, "package": str(package)})
        poser = baked_poser(settings, picture, telemetry)
        if poser is None:
            return None
        # Its pages and caches are filled here, not on the beat that shows it first.
        poser.render(np.zeros(POSE_SIZE, np.float32))
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
        None if isinstance(first, BakedLive) else first,
        find=find,
        open_package=open_package,
        offer=live.offer,
        bake=bake if torch_is_here else None,
        learn=_learning if render.learn and torch_is_here and cores_here() > 1 else None,
        newest=lambda: live.newest_pose,
        courtesy=Courtesy(telemetry, clock),
    )
    return live, first_use


def _learning(package: Path) -> BackgroundLearning:
    return BackgroundLearning(learn_command(package))


def _can_be_prepared(weights: str) -> bool:
    """Return True for weights that characters are prepared with."""
    store = WeightStore()
    try:
        return not store.is_student(weights) and store.variant(weights).family is Family.THA3
    except WeightsError:
        return False
