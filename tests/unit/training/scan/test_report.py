from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.support.figures import CHIN_Y, HAIR_Y, LICENCE, a_figure
from vtbridge.training.figures.annotation import Annotation
from vtbridge.training.figures.binding import bind
from vtbridge.training.figures.figure import Figure
from vtbridge.training.figures.framing import head_box
from vtbridge.training.scan.report import FigureReport, readable, report_on

FIGURE = a_figure(triangles=600)
UNREAD = FigureReport(name="x", file="a/x.pmx", digest="d", content="c", format="pmx")


def reported(figure: Figure = FIGURE, annotation: Annotation | None = None) -> FigureReport:
    binding = bind(figure, annotation)
    return report_on(UNREAD, figure, binding, head_box(figure, binding, annotation))


def test_a_report_tells_what_a_figure_offers() -> None:
    report = reported()
    assert report.usable
    assert "iris_rotation_x" not in report.missing  # bones move it, no morph
    assert (report.name, report.file, report.digest) == ("x", "a/x.pmx", "d")
    assert (report.title, report.licence) == (FIGURE.title, LICENCE)
    assert report.triangles == len(FIGURE.triangles)
    assert (report.textures, report.textures_missing) == (2, 0)
    assert report.morphs["mouth_aaa"] == ("あ",)
    assert set(report.all_morphs) == set(FIGURE.morphs)
    assert report.bones["neck"] == "首"
    assert report.chin_y == pytest.approx(CHIN_Y, abs=0.1)
    assert report.top_y == pytest.approx(HAIR_Y, abs=0.2)


def test_parameters_of_the_face_that_nothing_moves_are_missing() -> None:
    morphs = {name: morph for name, morph in FIGURE.morphs.items() if name not in ("お", "にこり")}
    bones = tuple(
        replace(bone, role="" if "eye" in bone.role else bone.role) for bone in FIGURE.bones
    )
    report = reported(replace(FIGURE, morphs=morphs, bones=bones))
    assert {"mouth_ooo", "eyebrow_happy_left", "iris_rotation_x"} <= set(report.missing)
    assert not set(report.missing) & set(report.morphs)
    assert not {"head_x", "body_y", "breathing"} & set(report.missing)
    assert report.usable


def test_what_version_1_needs_is_lacking_without_its_morphs() -> None:
    morphs = {
        name: morph for name, morph in FIGURE.morphs.items() if "ｳｨﾝｸ" not in name and name != "あ"
    }
    said = Annotation(morphs={"eye_wink_right": ()})
    report = reported(replace(FIGURE, morphs=morphs), said)
    assert report.lacks == ("eye_wink_right", "mouth_aaa")
    assert not report.usable


def test_textures_that_were_not_found_are_counted_where_they_are_used() -> None:
    report = reported(replace(FIGURE, textures=(FIGURE.textures[0], None)))
    assert (report.textures, report.textures_missing) == (2, 1)


def test_corrections_count() -> None:
    report = reported(annotation=Annotation(15.5, 19.0, {"mouth_aaa": ("い", "う")}))
    assert (report.chin_y, report.top_y) == (15.5, 19.0)
    assert report.morphs["mouth_aaa"] == ("い", "う")


@pytest.mark.parametrize(
    ("licence", "line"),
    [
        ("", ""),
        ("ミク\n作者: 誰か\n改変・再配布禁止", "改変・再配布禁止"),
        ("title: Miku\nlicenseName: CC_BY\nauthor: x", "licenseName: CC_BY"),
        ("\n  by somebody \nhello", "by somebody"),
        ("a cat\n(C) 2026 somebody", "(C) 2026 somebody"),
    ],
)
def test_the_line_that_speaks_of_the_terms_is_told_first(licence: str, line: str) -> None:
    assert UNREAD.model_copy(update={"licence": licence}).licence_line == line


@pytest.mark.parametrize("change", [{"error": "damaged"}, {"undrawn": "no"}, {"lacks": ("a",)}])
def test_what_cannot_be_read_drawn_or_moved_is_not_usable(change: dict[str, object]) -> None:
    assert UNREAD.usable
    assert not UNREAD.model_copy(update=change).usable


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("初音 ミク\n\tv2", "初音 ミク\n\tv2"),
        (os.fsdecode("初音.pmx".encode("cp932")), "初音.pmx"),
        ("a\x1b[31mred\x07\r\nnext\x9b", "a\ufffd[31mred\ufffd\nnext\ufffd"),
        ("lone \ud800 half", "lone ? half"),
    ],
)
def test_whatever_a_name_holds_becomes_text(text: str, told: str) -> None:
    assert readable(text) == told
    readable(text).encode()
