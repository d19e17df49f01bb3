"""Bake a character: learn from the exact networks, for one picture, what a single core can show.

What was learnt is written as soon as it can be used, and again whenever it is better by the
held-out poses. Samples and checkpoint stay in the package, so that a bake that was ended, by
whatever means, goes on where it was; ``wanted_s`` counts all its runs together.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

from vtbridge import __version__
from vtbridge.clock import Clock
from vtbridge.datatypes import F32Array, Picture
from vtbridge.errors import WeightsError
from vtbridge.render.baked.model_file import BakedManifest, Tensors, read_model
from vtbridge.render.baked.store import MODEL_FILE, SHEET_FILE
from vtbridge.training.distill.evaluation import Accuracy, HeldOut, Render
from vtbridge.training.distill.lanes import (
    BodyLane,
    BodyLearner,
    BodyTeacher,
    Deadline,
    FaceKnower,
    FaceLane,
    FaceLearner,
    Ledger,
)
from vtbridge.training.distill.poses import FacePlan, RotationPlan, divided
from vtbridge.training.distill.workplace import Identity, Workplace

log = logging.getLogger(__name__)

HELD_OUT: Final = 16
"""Poses to be judged by."""

_TOLD_EVERY_S: Final = 0.25


class _OtherLaneFailed(Exception):
    """Ends a lane whose other one has failed; never leaves this module."""


class _Closing(Protocol):
    def close(self) -> None: ...


class OpenBodyTeacher(BodyTeacher, _Closing, Protocol):
    """A teacher of head and body that is given back."""


class OpenFaceTeacher(FaceKnower, _Closing, Protocol):
    """A teacher of the face that is given back."""


@dataclass(frozen=True, slots=True, eq=False)
class BakeRequest:
    """What to bake.

    Attributes:
        package: folder of the character.
        picture: of the package.
        weights: name of the teacher's weights.
        weights_sha256: of them, see ``store.weights_sha256``.
        wanted_s: seconds of baking, in all runs together.
        recordings: poses that the character will show, each float32 [n, 45].
    """

    package: Path
    picture: Picture
    weights: str
    weights_sha256: str
    wanted_s: float
    recordings: Sequence[F32Array]


@dataclass(frozen=True, slots=True)
class BakeNews:
    """How far a bake is.

    Attributes:
        phase: what it does, for people.
        baked_s: seconds baked, in all runs together.
        wanted_s: of so many.
        body_samples: rotations known.
        face_samples: faces known.
        accuracy: of the best model, None while there is none.
    """

    phase: str
    baked_s: float
    wanted_s: float
    body_samples: int
    face_samples: int
    accuracy: Accuracy | None


@dataclass(frozen=True, slots=True)
class BakeResult:
    """What came of a bake.

    Attributes:
        model: the file, None if there was not enough to make one.
        sheet: the contact sheet, None if there is none.
        accuracy: of the model, None if there is none.
        baked_s: seconds baked, in all runs together.
        body_samples: rotations known.
        face_samples: faces known.
        written: models written in this run.
        complete: True if the time wanted has been baked.
        already: True if it had been before, so that there was nothing to do.
        notices: what was found out on the way, for people.
    """

    model: Path | None
    sheet: Path | None
    accuracy: Accuracy | None
    baked_s: float
    body_samples: int
    face_samples: int
    written: int
    complete: bool
    notices: tuple[str, ...]
    already: bool = False


@dataclass(frozen=True, slots=True)
class Tools:
    """What a bake works with.

    Attributes:
        open_teacher: opens the teacher of head and body, of a picture.
        open_face_teacher: opens that of the face.
        body_learner: makes what learns head and body, in a folder, of a picture.
        face_learner: likewise for the face.
        open_render: makes what draws the frames of a model, of its tensors.
    """

    open_teacher: Callable[[Picture], OpenBodyTeacher]
    open_face_teacher: Callable[[Picture], OpenFaceTeacher]
    body_learner: Callable[[Path, Picture], BodyLearner]
    face_learner: Callable[[Path, Picture], FaceLearner]
    open_render: Callable[[Tensors, BakedManifest, Picture], Render]


Told = Callable[[BakeNews], None]
Run = Callable[[BodyLane, FaceLane, threading.Event, Callable[[], None]], None]
"""Run both lanes to their end; the event ends them early, and the last is called now and then."""

CloserT = TypeVar("CloserT", bound=_Closing)


def bake(
    request: BakeRequest,
    tools: Tools,
    *,
    clock: Clock,
    told: Told,
    stop: threading.Event,
    run: Run | None = None,
) -> BakeResult:
    """Bake until the wanted time is over or ``stop`` is set.

    Args:
        request: what to bake.
        tools: what to work with.
        clock: the monotonic clock.
        told: called now and then with how far it is.
        stop: ends it with the model so far.
        run: runs the lanes; None gives each a thread.

    Raises:
        ConfigError: no recording is long enough.
        InferenceError: the teacher failed, or a model draws what cannot be judged.
        WeightsError: another process bakes here, or the package cannot be written; what was
            there before stays.
    """
    recorded = divided(request.recordings, HELD_OUT)
    place = Workplace(request.package)
    identity = Identity(
        picture_sha256=request.picture.digest,
        weights=request.weights,
        weights_sha256=request.weights_sha256,
    )
    about = BakedManifest(
        version=__version__,
        picture_sha256=identity.picture_sha256,
        weights=identity.weights,
        weights_sha256=identity.weights_sha256,
        body_samples=0,
        face_samples=0,
        baked_s=0.0,
        psnr_db=0.0,
        worst_psnr_db=0.0,
        ssim=0.0,
        held_out=0,
    )
    with _disk_trouble(request.package), place.claimed(), ExitStack() as stack:
        notices = []
        if changed := place.begin(identity):
            notices.append(f"{changed}, so that {request.package} is baked anew")
        best, manifest = _model_so_far(request.package / MODEL_FILE, identity, notices)
        if best is not None and manifest is not None and place.baked_s >= request.wanted_s:
            return _already(request, place, manifest, notices)
        picture = request.picture
        deadline = Deadline(clock, place.baked_s, request.wanted_s, stop)
        ledger = Ledger()

        def tell() -> None:
            told(_news(ledger, deadline))

        tell()
        body_teacher = _closing(stack, tools.open_teacher(picture))
        face_teacher = _closing(stack, tools.open_face_teacher(picture))
        face_learner = tools.face_learner(place.face, picture)
        body_learner = tools.body_learner(place.body, picture)
        face = FaceLane(
            face_teacher,
            face_learner,
            FacePlan(recorded, face_learner.poses),
            deadline,
            ledger,
            clock,
        )
        body = BodyLane(
            teacher=body_teacher,
            learner=body_learner,
            plan=RotationPlan(recorded, body_learner.rotations),
            held_out=HeldOut(place.held_out, recorded.held_out),
            face=face,
            workplace=place,
            about=about,
            open_render=lambda tensors: tools.open_render(tensors, about, picture),
            model=request.package / MODEL_FILE,
            sheet=request.package / SHEET_FILE,
            deadline=deadline,
            ledger=ledger,
            best=best,
        )
        (in_threads if run is None else run)(body, face, stop, tell)
        tell()
        return _result(request, body, ledger, deadline, notices)


def in_threads(
    body: BodyLane, face: FaceLane, stop: threading.Event, tell: Callable[[], None]
) -> None:
    """Run each lane on a thread of its own; the first error of one ends both and is raised.

    The first Ctrl-C is taken for ``stop``, a second one leaves at once.
    """
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  # raised where the lanes are waited for
                errors.append(error)
                stop.set()

        return run

    def steps(step: Callable[[], bool]) -> None:
        while step():
            pass

    def face_work() -> None:
        steps(face.step)

    def body_work() -> None:
        steps(body.step)
        body.finish(wait_for_face)

    def wait_for_face() -> None:
        face_thread.join()
        if errors:  # it is raised below; half a bake is not judged
            raise _OtherLaneFailed

    face_thread = threading.Thread(target=guarded(face_work), name="bake-face", daemon=True)
    body_thread = threading.Thread(target=guarded(body_work), name="bake-body", daemon=True)
    face_thread.start()
    body_thread.start()
    while body_thread.is_alive():
        try:
            tell()
            body_thread.join(_TOLD_EVERY_S)
        except KeyboardInterrupt:
            if stop.is_set():
                raise
            stop.set()
    face_thread.join()
    if errors:
        raise errors[0]


@contextmanager
def _disk_trouble(package: Path) -> Iterator[None]:
    """Tell what to do when the package cannot be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise WeightsError(
            f"{error.filename or package} cannot be written ({reason}): what was baked so far is "
            "kept; make room or choose another folder with --output, and run the same command"
        ) from error


def _model_so_far(
    path: Path, identity: Identity, notices: list[str]
) -> tuple[Tensors | None, BakedManifest | None]:
    """Return the model of an earlier run if it is one of ``identity``."""
    if not path.exists():
        return None, None
    try:
        model = read_model(path)
    except WeightsError as error:
        log.warning("%s", error)
        notices.append(f"{path} could not be used and is made anew")
        return None, None
    made_of = Identity(
        picture_sha256=model.manifest.picture_sha256,
        weights=model.manifest.weights,
        weights_sha256=model.manifest.weights_sha256,
    )
    if made_of != identity:
        return None, None
    return model.tensors, model.manifest


def _already(
    request: BakeRequest, place: Workplace, manifest: BakedManifest, notices: list[str]
) -> BakeResult:
    sheet = request.package / SHEET_FILE
    return BakeResult(
        model=request.package / MODEL_FILE,
        sheet=sheet if sheet.is_file() else None,
        accuracy=Accuracy(
            manifest.psnr_db, manifest.worst_psnr_db, manifest.ssim, manifest.held_out
        ),
        baked_s=place.baked_s,
        body_samples=manifest.body_samples,
        face_samples=manifest.face_samples,
        written=0,
        complete=True,
        notices=tuple(notices),
        already=True,
    )


def _result(
    request: BakeRequest, body: BodyLane, ledger: Ledger, deadline: Deadline, notices: list[str]
) -> BakeResult:
    return BakeResult(
        model=body.model if body.best is not None else None,
        sheet=body.sheet if body.best is not None and body.sheet.is_file() else None,
        accuracy=ledger.accuracy,
        baked_s=deadline.baked_s,
        body_samples=ledger.body_samples,
        face_samples=ledger.face_samples,
        written=ledger.written,
        complete=not deadline.stopped,
        notices=tuple(notices),
    )


def _news(ledger: Ledger, deadline: Deadline) -> BakeNews:
    return BakeNews(
        phase=ledger.phase,
        baked_s=deadline.baked_s,
        wanted_s=deadline.wanted_s,
        body_samples=ledger.body_samples,
        face_samples=ledger.face_samples,
        accuracy=ledger.accuracy,
    )


def _closing(stack: ExitStack, opened: CloserT) -> CloserT:
    stack.callback(opened.close)
    return opened
