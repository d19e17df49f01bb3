"""Another character is shown as the settings say, and by what shows it soonest."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support.baking import manifest_of
from tests.support.blank_frames import BlankFrames
from vtbridge.app import opened_character
from vtbridge.app.characters import open_picture
from vtbridge.app.first_use import FLUENT_FPS, GOOD_ENOUGH_DB, FirstUse
from vtbridge.app.opened_character import CharacterOpener, OpenedCharacter
from vtbridge.characters import BUILTIN, write_package
from vtbridge.clock import ManualClock
from vtbridge.config.schema import Config
from vtbridge.datatypes import F32Array, Frame, Picture
from vtbridge.errors import PictureError
from vtbridge.pose_schema import THA1, THA3
from vtbridge.render.baked.model_file import write_model
from vtbridge.render.baked.store import MODEL_FILE, ROOT_VARIABLE
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.settings import Quality, RenderSettings
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore
from vtbridge.telemetry import Telemetry


def status(quality: Quality = Quality.BALANCED, fresh_fps: float = 5.0) -> LiveStatus:
    return LiveStatus("shown", quality, 60.0, fresh_fps, 0.0, 0.0, False, False, False, "")


class Frames(BlankFrames):
    """Frames that note whether they were drawn before they were needed."""

    def __init__(self, settings: RenderSettings, picture: Picture) -> None:
        super().__init__()
        self.settings = settings
        self.picture = picture
        self.drawn = 0

    def render(self, values: F32Array, t_ns: int) -> Frame:
        self.drawn += 1
        return super().render(values, t_ns)


class Bench:
    """An opener whose networks are frames that know what they were opened for."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", str(folder / "store"))
        monkeypatch.setenv(ROOT_VARIABLE, str(folder / "characters"))
        monkeypatch.setattr(
            opened_character,
            "open_live_poser",
            lambda settings, picture, **_: Frames(settings, picture),
        )

    def package(self, folder: str, **manifest: object) -> Path:
        package = self.folder / folder
        picture = write_package(package, BUILTIN["momo"], name="momo")
        about = manifest_of(picture, **manifest)
        write_model(package / MODEL_FILE, about, {"body.x": np.ones(1, np.float32)})
        return package

    def opened(
        self,
        name: str = "momo",
        picture: Picture | None = None,
        *,
        shown: LiveStatus | None = None,
        wanted: Quality | None = None,
        first_use: bool = True,
        **render: object,
    ) -> OpenedCharacter:
        opener = CharacterOpener(
            Config.model_validate({"render": render}),
            first_use=first_use,
            clock=ManualClock(),
            telemetry=Telemetry(),
        )
        return opener.other(name, picture, shown=shown or status(), quality=wanted)

    def settings(self, name: str = "momo", **words: object) -> tuple[Quality, str]:
        """Return the quality and the package that ``name`` would be opened with."""
        live = self.opened(name, **words).live  # type: ignore[arg-type]
        assert isinstance(live, Frames)
        assert live.drawn == (live.settings.quality is Quality.BAKED), "ready for its first beat"
        return live.settings.quality, live.settings.package


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_what_is_prepared_is_shown_where_the_networks_are_slow(bench: Bench) -> None:
    assert bench.settings() == (Quality.AUTO, "")
    package = str(bench.package("characters/momo"))
    assert bench.settings() == (Quality.BAKED, package)
    assert bench.settings(shown=status(Quality.BAKED, 60.0)) == (Quality.BAKED, package)
    assert bench.settings(shown=status(fresh_fps=FLUENT_FPS)) == (Quality.AUTO, "")


def test_what_is_prepared_waits_where_the_settings_want_the_networks(bench: Bench) -> None:
    bench.package("characters/momo")
    assert bench.settings(quality="exact") == (Quality.EXACT, "")
    assert bench.settings(wanted=Quality.FAST) == (Quality.FAST, "")
    assert bench.settings(prepare=False) == (Quality.AUTO, "")
    assert bench.settings(first_use=False) == (Quality.AUTO, "")


@pytest.mark.parametrize(
    "manifest", [{"psnr_db": GOOD_ENOUGH_DB - 0.1}, {"weights": "tha3-standard-float"}]
)
def test_a_model_that_is_poor_or_of_other_weights_waits_for_first_use(
    bench: Bench, manifest: dict[str, object]
) -> None:
    package = str(bench.package("characters/momo", **manifest))
    assert bench.settings() == (Quality.AUTO, "")
    assert bench.settings(quality="baked") == (Quality.BAKED, package), "it was asked for"


def test_prepared_characters_follow_each_other_and_the_networks_show_the_others(
    bench: Bench,
) -> None:
    package = str(bench.package("mine"))
    assert bench.settings(package, quality="baked", package="/first") == (Quality.BAKED, package)
    assert bench.settings("ren", quality="baked", package="/first") == (Quality.AUTO, "")


def test_a_model_of_the_picture_before_it_was_changed_is_not_shown(bench: Bench) -> None:
    package = str(bench.package("mine"))
    assert bench.settings(package, picture=open_picture("ren"), quality="baked") == (
        Quality.AUTO,
        "",
    )


def test_size_and_runtime_stay(bench: Bench) -> None:
    live = bench.opened(size=768, runtime="native", threads=3).live
    assert isinstance(live, Frames)
    assert (live.settings.size, live.settings.runtime, live.settings.threads) == (768, "native", 3)
    assert live.picture.name == "momo"


def test_weights_of_one_character_pose_only_that(bench: Bench) -> None:
    students = {"alice": BUILTIN["sumi"]}
    bench.monkeypatch.setattr(WeightStore, "is_student", lambda _, name: name in students)
    bench.monkeypatch.setattr(WeightStore, "student_picture", lambda _, name: students[name])
    record = SimpleNamespace(credit="by her", variant="separable_float", shapes={})
    bench.monkeypatch.setattr(WeightStore, "record", lambda *_: record)
    own, other = (bench.opened(name, weights="alice").live for name in ("alice", "momo"))
    assert isinstance(own, Frames)
    assert isinstance(other, Frames)
    assert (own.settings.weights, own.picture.credit) == ("alice", "by her")
    assert (other.settings.weights, other.picture.name) == (DEFAULT_WEIGHTS, "momo")


def test_a_picture_that_was_just_saved_is_not_prepared_at_once(bench: Bench) -> None:
    first_use = FirstUse(
        None, find=lambda: None, open_package=lambda _: None, offer=lambda _: None, bake=None
    )
    usual_s = first_use.judged_after_s
    bench.monkeypatch.setattr(opened_character, "LivePoser", Frames)
    bench.monkeypatch.setattr(
        opened_character, "open_first_use", lambda _config, _picture, live, **_: (live, first_use)
    )
    assert bench.opened("momo").first_use is first_use
    assert first_use.judged_after_s == usual_s
    bench.opened("momo", open_picture("ren"))
    assert first_use.judged_after_s > usual_s


def test_a_character_that_is_gone_is_told(bench: Bench) -> None:
    with pytest.raises(PictureError, match=r"gone\.png"):
        bench.opened(str(bench.folder / "gone.png"))


def test_what_can_be_posed_is_told_by_the_weights_that_show_it(bench: Bench) -> None:
    bench.monkeypatch.setattr(WeightStore, "schema", lambda _, name: THA1)
    assert bench.opened(wanted=Quality.EXACT).schema is THA1
    bench.package("characters/momo")
    assert bench.opened(wanted=Quality.BAKED).schema is THA3
