"""``vtbridge character bake``: what it is told, and what it tells."""

from __future__ import annotations

import importlib.util
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support.baking import frame_of, manifest_of, picture_of
from vtbridge.characters import BUILTIN, load_from_folder, write_package
from vtbridge.cli import character as command
from vtbridge.cli.bake_news import NewsAsJson, NewsLines, left, quality, shown_news
from vtbridge.cli.character import end_with_input, opened_package, require_torch, summary
from vtbridge.cli.commands import app
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import PictureError, RuntimeUnavailable, WeightsError
from vtbridge.render.baked.store import ROOT_VARIABLE
from vtbridge.training.distill import job, tools
from vtbridge.training.distill.evaluation import Accuracy
from vtbridge.training.distill.job import BakeNews, BakeRequest, BakeResult

ACCURACY = Accuracy(psnr_db=36.44, worst_psnr_db=31.0, ssim=0.98713, poses=16)
NEWS = BakeNews(
    phase="sampling and learning",
    baked_s=65.0,
    wanted_s=190.0,
    body_samples=120,
    face_samples=300,
    accuracy=None,
)
MICHI = BUILTIN["michi"]


def result_in(folder: Path, **changes: Any) -> BakeResult:
    result = BakeResult(
        model=folder / "baked.safetensors",
        sheet=folder / "baked.png",
        accuracy=ACCURACY,
        baked_s=361.0,
        body_samples=900,
        face_samples=2000,
        written=3,
        complete=True,
        notices=(),
    )
    return replace(result, **changes)


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "characters"))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def baked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[BakeRequest]]:
    """Have a bake end at once with a result; return what was asked for."""

    def prepare(**changes: Any) -> list[BakeRequest]:
        asked: list[BakeRequest] = []

        def bake(request: BakeRequest, tools: object, *, told: Any, **_: object) -> BakeResult:
            del tools
            asked.append(request)
            told(NEWS)
            return result_in(request.package, **changes)

        monkeypatch.setattr(job, "bake", bake)
        monkeypatch.setattr(tools, "default_tools", lambda weights, threads: None)
        monkeypatch.setattr(command, "NICE", 0)
        monkeypatch.setattr("vtbridge.render.baked.store.weights_sha256", lambda *_: "ab" * 32)
        return asked

    return prepare


def test_a_picture_is_baked_into_a_package_among_the_users_own(
    baked: Callable[..., list[BakeRequest]], tmp_path: Path
) -> None:
    asked = baked()
    done = CliRunner().invoke(app, ["character", "bake", "michi", "--minutes", "2"])
    assert done.exit_code == 0, done.output
    (request,) = asked
    assert request.package == tmp_path / "characters" / "michi"
    assert request.wanted_s == 120
    assert request.picture.credit == load_from_folder(request.package).credit != ""
    assert len(request.recordings) == 1
    assert "36.4 dB, SSIM 0.9871 on 16 poses" in done.stderr
    assert f"vtbridge run --character {request.package} --quality baked" in done.stderr
    assert request.picture.credit in done.stderr


def test_recordings_of_the_users_own_come_on_top(
    baked: Callable[..., list[BakeRequest]], tmp_path: Path
) -> None:
    asked = baked()
    (tmp_path / "poses.json").write_text(json.dumps([[0.5] * 45] * 12))
    done = CliRunner().invoke(app, ["character", "bake", "michi", "--poses", "poses.json"])
    assert done.exit_code == 0, done.output
    assert [len(poses) for poses in asked[0].recordings] == [720, 12]


def test_json_is_one_line_of_what_came_of_it(baked: Callable[..., list[BakeRequest]]) -> None:
    baked()
    done = CliRunner().invoke(app, ["character", "bake", "michi", "--json"])
    told = json.loads(done.stdout)
    assert told["accuracy"]["psnr_db"] == 36.44
    assert told["body_samples"] == 900
    assert told["complete"] is True
    assert told["model"].endswith("baked.safetensors")


def test_one_that_was_interrupted_says_how_to_go_on(
    baked: Callable[..., list[BakeRequest]],
) -> None:
    baked(complete=False)
    done = CliRunner().invoke(app, ["character", "bake", "michi"])
    assert done.exit_code == 130
    assert "the same command goes on from here" in done.stderr


def test_a_package_is_baked_in_its_place(tmp_path: Path) -> None:
    write_package(tmp_path / "me", MICHI, name="Me")
    folder, picture = opened_package("me", None)
    assert folder == tmp_path / "me"
    assert picture.name == "Me"
    assert opened_package("me", tmp_path / "me")[0] == tmp_path / "me"


def test_a_package_can_be_baked_into_another_one(tmp_path: Path) -> None:
    write_package(tmp_path / "me", MICHI, name="Me", credit="(c)")
    folder, picture = opened_package("me", tmp_path / "other")
    assert folder == tmp_path / "other"
    assert (picture.name, picture.credit) == ("Me", "(c)")


def test_a_picture_named_oddly_makes_a_folder_that_can_be(tmp_path: Path) -> None:
    odd = tmp_path / "a:b?.png"
    odd.write_bytes(MICHI.read_bytes())
    folder, picture = opened_package(str(odd), None)
    assert folder == tmp_path / "characters" / "a-b"
    assert picture.name == "a:b?"


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taxes").mkdir()
    (tmp_path / "taxes" / "2025.ods").touch()
    with pytest.raises(PictureError, match="name a new folder"):
        opened_package("michi", tmp_path / "taxes")


def test_weights_that_are_not_there_are_told_before_a_package_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", str(tmp_path / "store"))
    done = CliRunner().invoke(app, ["character", "bake", "michi"])
    assert isinstance(done.exception, WeightsError)
    assert "vtbridge weights pull" in str(done.exception)
    assert not (tmp_path / "characters").exists()


def test_without_pytorch_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeUnavailable, match="pip install torch"):
        require_torch()


def test_a_bake_too_short_for_a_model_says_so(tmp_path: Path) -> None:
    result = result_in(tmp_path, model=None, sheet=None, accuracy=None, complete=False)
    assert "not enough for a model yet" in summary(tmp_path, result)


def test_what_had_been_baked_before_is_told_as_such(tmp_path: Path) -> None:
    told = summary(
        tmp_path, result_in(tmp_path, already=True, notices=("the picture has changed",))
    )
    assert told.startswith("the picture has changed\nalready baked for 6.0 minutes: 36.4 dB")


def test_time_left_and_quality_are_short() -> None:
    assert left(NEWS) == "2:05 left"
    assert left(replace(NEWS, baked_s=999.0)) == "0:00 left"
    assert quality(NEWS) == "no model yet"
    assert quality(replace(NEWS, accuracy=ACCURACY)) == "36.4 dB"


def test_without_a_terminal_a_line_comes_now_and_then_and_at_each_better_model() -> None:
    lines: list[str] = []
    news = NewsLines(lines.append)
    for seconds, accuracy in ((0, None), (5, None), (10, None), (16, None), (17, ACCURACY)):
        news(replace(NEWS, baked_s=float(seconds), accuracy=accuracy))
    assert len(lines) == 3
    assert lines[-1] == ("sampling and learning: 2:53 left, 120 turns, 300 faces, 36.4 dB")


def test_a_program_is_told_once_a_second_and_of_each_better_model() -> None:
    lines: list[str] = []
    news = NewsAsJson(lines.append)
    for seconds, accuracy in ((0.1, None), (0.4, None), (1.2, None), (1.3, ACCURACY)):
        news(replace(NEWS, baked_s=seconds, accuracy=accuracy))
    told = [json.loads(line)["news"] for line in lines]
    assert [each["baked_s"] for each in told] == [0.1, 1.2, 1.3]
    assert [each["psnr_db"] for each in told] == [None, None, 36.44]


def test_a_program_that_hears_no_more_does_not_end_the_bake() -> None:
    said = []

    def say(line: str) -> None:
        said.append(line)
        raise BrokenPipeError

    news = NewsAsJson(say)
    for seconds in (1.0, 2.0, 3.0):
        news(replace(NEWS, baked_s=seconds))
    assert len(said) == 1


def test_the_end_of_its_input_ends_a_bake() -> None:
    reading, writing = os.pipe()
    stop = threading.Event()
    with os.fdopen(reading) as lines:
        end_with_input(lines, stop)
        os.write(writing, b"anything\n")
        assert not stop.is_set()
        os.close(writing)
        assert stop.wait(30.0)


def test_on_a_terminal_there_is_a_bar_with_phase_time_left_and_quality(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        command, "sys", SimpleNamespace(stderr=SimpleNamespace(isatty=lambda: True))
    )
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with shown_news() as told:
        told(replace(NEWS, accuracy=ACCURACY))
    shown = capsys.readouterr().err
    for part in ("sampling and learning", "2:05 left", "36.4 dB"):
        assert part in shown


class Drawing:
    """A teacher and a poser in one; ``wobbles`` brighter in every other frame."""

    def __init__(self, wobbles: int = 0) -> None:
        self.manifest = manifest_of(picture_of())
        self._wobbles = wobbles
        self._frames = 0
        self.closed = False

    def __enter__(self) -> Drawing:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def set_picture(self, picture: object) -> None:
        pass

    def frame(self, values: F32Array) -> U8Array:
        self._frames += 1
        return frame_of(values * 0 + 0.5, 1 + self._wobbles * (self._frames % 2))

    render = frame


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Drawing:
    write_package(tmp_path / "me", MICHI, name="Me")
    teacher = Drawing(wobbles=10)
    monkeypatch.setattr(
        "vtbridge.render.baked.poser.open_baked_poser", lambda *_: Drawing(wobbles=20)
    )
    monkeypatch.setattr("vtbridge.training.distill.teacher.open_teacher", lambda *_, **__: teacher)
    return teacher


def test_a_check_holds_flicker_against_the_exact_networks(checked: Drawing) -> None:
    done = CliRunner().invoke(app, ["character", "check", "me", "--seconds", "0.1", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["manifest"]["psnr_db"] == 36.5
    assert list(told["flicker"]) == ["head sweep", "speech", "idle"]
    for each in told["flicker"].values():
        assert each["ratio"] == pytest.approx(2.0)
    assert checked.closed


def test_a_check_says_it_in_words_too(checked: Drawing) -> None:
    done = CliRunner().invoke(app, ["character", "check", "me", "--seconds", "0.1"])
    assert done.exit_code == 0, done.output
    assert "36.5 dB (worst 31.0), SSIM 0.9870 on 16 poses" in done.stdout
    assert "flicker, idle: 2.00 of the exact networks'" in done.stdout
    assert checked.closed
