from __future__ import annotations

import pytest

from vtbridge.cli.dataset_scan_tables import described, standing, tell
from vtbridge.training.figures.annotation import Annotation
from vtbridge.training.scan.report import FigureReport
from vtbridge.training.scan.scan import Scanned

WHOLE = FigureReport(
    name="miku-1",
    file="a/ミク[bold].pmx",
    digest="d",
    content="c",
    format="pmx",
    title="初音ミク",
    triangles=1234,
    textures=5,
    textures_missing=2,
    morphs={"mouth_aaa": ("あ", "口開け"), "eye_wink_left": ("ウィンク２",)},
    missing=("mouth_smirk", "iris_rotation_x"),
    all_morphs=("あ", "口開け", "ウィンク２", "ぺろっ"),
    bones={"head": "頭", "neck": "首"},
    chin_y=15.9,
    top_y=18.25,
    licence="作者: 誰か\n[b]再配布禁止[/b]",
)


def scan_of(*reports: FigureReport, **said: Annotation) -> Scanned:
    annotations = {report.name: said.get("said", Annotation()) for report in reports}
    return Scanned(reports, annotations, {}, (), len(reports))


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize(
    ("change", "said", "told"),
    [
        ({}, Annotation(), "yes"),
        ({}, Annotation(licence_ok=True), "yes"),
        ({}, Annotation(excluded=True), "left out"),
        ({}, Annotation(licence_ok=False), "its licence does not allow it"),
        ({"lacks": ("mouth_aaa",)}, Annotation(), "lacks mouth_aaa"),
        ({"undrawn": "no OpenGL"}, Annotation(), "cannot be drawn"),
        ({"error": "damaged"}, Annotation(excluded=True), "cannot be read"),
    ],
)
def test_whether_a_model_may_be_used_is_told_with_the_reason(
    change: dict[str, object], said: Annotation, told: str
) -> None:
    report = WHOLE.model_copy(update=change)
    assert standing(report, scan_of(report, said=said)) == told


def test_a_copy_is_told_with_what_it_copies_and_does_not_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = WHOLE.model_copy(update={"name": "miku-2"})
    both = {"miku-1": Annotation(), "miku-2": Annotation()}
    tell(Scanned((WHOLE, other), both, {"miku-2": "miku-1"}, (), 2), details=False)
    said = capsys.readouterr().out
    assert "a copy of miku-1" in said
    assert "1 of 2 models can be used" in said
    assert '"excluded": true' in said


def test_details_tell_all_that_a_person_corrects_with() -> None:
    lines = described(WHOLE, scan_of(WHOLE)).splitlines()
    assert lines[0] == "miku-1: yes"
    for expected in (
        "  file      a/ミク[bold].pmx",
        "  title     初音ミク",
        "  pmx       1234 triangles, textures 2 of 5 missing",
        "  head      chin_y 15.9, top_y 18.25",
        "  bones     head = 頭, neck = 首",
        "  mouth_aaa = あ + 口開け",
        "  missing   mouth_smirk, iris_rotation_x",
        "  morphs    あ, 口開け, ウィンク２, ぺろっ",
        "  licence   作者: 誰か",
        "  licence   [b]再配布禁止[/b]",
    ):
        assert expected in lines


def test_a_model_without_terms_asks_for_its_author() -> None:
    silent = WHOLE.model_copy(update={"licence": ""})
    assert "  licence   none found: ask its author" in described(silent, scan_of(silent))


def test_what_failed_is_named_with_its_file_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    damaged = FigureReport(
        name="x-1", file="b/x.vrm", digest="", content="", format="vrm", error="it is cut off"
    )
    tell(scan_of(WHOLE, damaged), details=False)
    told = capsys.readouterr()
    assert "x-1 (b/x.vrm): it is cut off" in told.err
    assert "1 of 2 models can be used, 2 were looked at anew" in told.out
    assert "it is cut off" in described(damaged, scan_of(damaged))


def test_the_table_takes_what_files_say_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    tell(scan_of(WHOLE), details=False)
    told = capsys.readouterr().out
    assert "[b]再配布禁止[/b]" in told
    assert "37/39" in told
    assert "2 of 5 missing" in told


def test_the_table_fits_a_terminal_of_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = WHOLE.model_copy(
        update={"name": "avatar-of-somebody-v2-1234abcd", "lacks": ("eye_wink_left", "mouth_aaa")}
    )
    tell(scan_of(long), details=False)
    table = [line for line in capsys.readouterr().out.splitlines() if line[0] in "┏┃│└"]
    assert table
    assert len(table[0]) <= 80
    # No word is cut but the licence's.
    assert sum("…" in line for line in table) <= 1
    assert "1234 │" in table[2] or "1234 │" in table[3]
