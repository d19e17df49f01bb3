"""The daemon's picture doctor: one drawing at a time, and every end of it is told."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.drawings import SKY, builtin, moved, on, png
from tests.support.painted_poser import PaintedPoser
from vtbridge.app.doctor_desk import RunningDoctor
from vtbridge.characters import load_from_folder
from vtbridge.control.api.doctor import DoctorBusy, DoctorOrder, HeadBox, NoPatient, Patient
from vtbridge.errors import RuntimeUnavailable
from vtbridge.render.baked.store import ROOT_VARIABLE

PATIENCE_S = 60.0
DRAWING = png(on(SKY, moved(builtin("ren"), scale=0.8, x=60, y=30, size=(560, 480))))


def ended(doctor: RunningDoctor) -> Patient:
    """Return the patient once it is no longer examined."""
    deadline = time.monotonic() + PATIENCE_S
    while doctor.patient().state == "busy":
        assert time.monotonic() < deadline, doctor.patient()
        time.sleep(0.01)
    return doctor.patient()


@pytest.fixture
def characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "characters"))
    return tmp_path / "characters"


@pytest.fixture
def doctor() -> RunningDoctor:
    return RunningDoctor(PaintedPoser)


def test_drawing_is_examined_and_kept_beside_those_of_the_same_name(
    doctor: RunningDoctor, characters: Path
) -> None:
    doctor.admit(DRAWING, "ren.png")
    patient = ended(doctor)
    assert (patient.state, patient.width, patient.height, patient.share) == ("done", 560, 480, 1.0)
    assert patient.report is not None
    assert patient.report.matting == "flood"
    assert not any(one.passed for one in patient.report.scores), "one colour moves nothing"
    assert doctor.sheet().startswith(b"\x89PNG")
    assert doctor.drawing().startswith(b"\x89PNG")
    kept = [doctor.keep("Ren / 1") for _ in range(2)]
    assert len(set(kept)) == 2
    for folder in map(Path, kept):
        assert folder.parent == characters
        assert load_from_folder(folder).name == "Ren / 1"


def test_drawing_that_cannot_be_read_is_told_and_the_next_one_is_taken(
    doctor: RunningDoctor,
) -> None:
    doctor.admit(b"\x89PNG\r\n\x1a\n", "half.png")
    patient = ended(doctor)
    assert (patient.state, patient.report) == ("failed", None)
    assert "half.png" in patient.trouble
    for ask in (doctor.drawing, doctor.sheet, lambda: doctor.keep("x")):
        with pytest.raises(NoPatient):
            ask()
    doctor.admit(DRAWING, "ren.png")
    assert ended(doctor).state == "done"


def test_networks_that_cannot_run_are_told() -> None:
    def no_networks() -> PaintedPoser:
        raise RuntimeUnavailable("no runtime is here: pip install one")

    doctor = RunningDoctor(no_networks)
    doctor.admit(DRAWING, "ren.png")
    assert ended(doctor).trouble == "no runtime is here: pip install one"


def test_mistake_of_ours_ends_the_examination_too() -> None:
    def broken() -> PaintedPoser:
        raise ZeroDivisionError

    doctor = RunningDoctor(broken)
    doctor.admit(DRAWING, "ren.png")
    assert "report it" in ended(doctor).trouble


def test_head_that_is_marked_is_where_it_is_placed(doctor: RunningDoctor, characters: Path) -> None:
    doctor.admit(DRAWING, "ren.png")
    ended(doctor)
    heads = []
    for side in (102.0, 68.0):
        doctor.examine(DoctorOrder(head=HeadBox(x=214.0, y=81.0, side=side), matting="flood"))
        patient = ended(doctor)
        assert patient.report is not None
        assert patient.report.face_likeness is None
        picture = load_from_folder(Path(doctor.keep("ren")))
        heads.append(int((picture.rgba[:192, :, 3] > 128).any(axis=0).sum()))
    assert characters.is_dir()
    # What is marked is made as large as the specification's box: the smaller the mark, the larger.
    assert heads[1] / heads[0] == pytest.approx(102 / 68, rel=0.15)


def test_nobody_is_examined_twice_at_once() -> None:
    doctor = RunningDoctor(PaintedPoser)
    with pytest.raises(NoPatient):
        doctor.examine(DoctorOrder())
    doctor.admit(DRAWING, "ren.png")
    with pytest.raises(DoctorBusy):
        doctor.admit(DRAWING, "again.png")
    with pytest.raises(DoctorBusy):
        doctor.examine(DoctorOrder())
    assert ended(doctor).name == "ren.png"


def test_poser_is_given_back_after_each_examination() -> None:
    opened: list[PaintedPoser] = []

    def open_poser() -> PaintedPoser:
        opened.append(PaintedPoser(draw=lambda values: np.full((512, 512, 4), 9, np.uint8)))
        return opened[-1]

    doctor = RunningDoctor(open_poser)
    doctor.admit(DRAWING, "ren.png")
    ended(doctor)
    assert [poser.closed for poser in opened] == [True]
