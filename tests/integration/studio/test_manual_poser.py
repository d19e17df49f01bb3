"""Posing by hand in a real browser: what a slider asks for is what is shown, saved and copied."""

from __future__ import annotations

import io
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.browser import avatar_pixels, open_panel
from tests.support.cli import run_isolated
from tests.support.daemon import DaemonProcess, running
from vtbridge.datatypes import U8Array

SEEN = 24
"""Least change of a colour that is seen as one, of 255."""

HELD = """async () => {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  const answer = await fetch("/api/v1/pose", { headers: { Authorization: `Bearer ${token}` } });
  return (await answer.json()).held;
}"""


@pytest.fixture(scope="module")
def studio(
    tmp_path_factory: pytest.TempPathFactory, weight_store: object
) -> Iterator[DaemonProcess]:
    del weight_store
    extra = '[render]\nquality = "fast"\n'
    folder = tmp_path_factory.mktemp("studio")
    with running(folder, "studio", "--no-browser", fps=10, extra=extra) as daemon:
        yield daemon


@pytest.fixture
def poser(studio: DaemonProcess, page: Page) -> Page:
    open_panel(page, studio, "pose")
    expect(page.locator("input[type=range][name=mouth_aaa]")).to_be_visible()
    return page


def slide(page: Page, name: str, value: float) -> None:
    page.locator(f"input[type=range][name={name}]").fill(str(value))


def settled(page: Page) -> U8Array:
    """Return the avatar once it has stopped moving."""
    before, equal = avatar_pixels(page), 0
    for _ in range(90):
        page.wait_for_timeout(300)
        now = avatar_pixels(page)
        equal = equal + 1 if (now == before).all() else 0
        if equal == 4:  # the networks of a busy machine take their time between two frames
            return now
        before = now
    raise AssertionError("the avatar keeps moving though it is held")


def changed(before: U8Array, after: U8Array) -> tuple[float, float, float, float]:
    """Return what of the picture changed: left, top, right, bottom, as shares of its side.

    The networks touch a few pixels of the chin when eyes close, so 2 % at each end are left out.
    """
    rows, columns = np.nonzero(np.abs(after.astype(int) - before).max(axis=2) >= SEEN)
    assert rows.size > 50, "nothing changed"
    height, width = after.shape[:2]
    (left, right), (top, bottom) = np.percentile(columns, (2, 98)), np.percentile(rows, (2, 98))
    return left / width, top / height, right / width, bottom / height


def test_first_line_is_the_address_with_its_token(studio: DaemonProcess) -> None:
    assert studio.told[0] == studio.url


def test_every_parameter_has_a_slider_in_its_group(poser: Page) -> None:
    assert poser.locator("#panel-pose input[type=range]").count() == 45
    assert poser.locator(".group[data-group=mouth] input[type=range]").count() == 11


def test_mouth_moves_where_the_mouth_is_and_nowhere_else(poser: Page) -> None:
    poser.get_by_role("button", name="Reset all").click()
    shut = settled(poser)
    slide(poser, "mouth_aaa", 1)
    left, top, right, bottom = changed(shut, settled(poser))
    # THA3 draws the head of every character into the same box: x .375-.625, y .125-.375.
    assert 0.40 < left < right < 0.60
    assert 0.28 < top < bottom < 0.40
    poser.get_by_role("button", name="Reset all").click()
    slide(poser, "eye_wink_left", 1)
    left, top, right, bottom = changed(shut, settled(poser))
    assert 0.18 < top < bottom < 0.33
    assert left < 0.48 < 0.52 < right, "both eyes close while left and right are linked"


def test_saved_picture_is_what_the_pose_command_writes(poser: Page, tmp_path: Path) -> None:
    poser.get_by_role("button", name="Reset all").click()
    slide(poser, "mouth_ooo", 0.6)
    slide(poser, "head_y", -0.5)
    with poser.expect_download(timeout=60_000) as download:
        poser.get_by_role("button", name="Save PNG").click()
    assert download.value.suggested_filename == "pose.png"
    written = tmp_path / "command.png"
    values = ("--set", "mouth_ooo=0.6", "--set", "head_y=-0.5")
    done = run_isolated(tmp_path, "pose", "michi", *values, "-o", str(written))
    assert done.returncode == 0, done.stderr
    assert Path(download.value.path()).read_bytes() == written.read_bytes()


def test_values_are_typed_mirrored_reset_and_copied(poser: Page) -> None:
    poser.get_by_role("button", name="Reset all").click()
    poser.get_by_label("Left and right together").uncheck()
    typed = poser.get_by_label("Value of eye closed, left")
    typed.fill("0.75")
    typed.press("Enter")
    slide(poser, "head_y", 0.25)
    poser.get_by_role("button", name="Mirror").click()
    poser.get_by_role("button", name="Copy as JSON").click()
    expect(poser.locator("#answer")).to_have_text("copied")
    copied = json.loads(poser.evaluate("navigator.clipboard.readText()"))
    assert copied == {"eye_wink_right": 0.75, "head_y": -0.25}
    poser.get_by_role("button", name="Reset Eyes").click()
    poser.get_by_role("button", name="Copy as expression").click()
    table = tomllib.loads(poser.evaluate("navigator.clipboard.readText()"))
    assert table["expressions"]["my_pose"]["values"] == {"head_y": -0.25}
    poser.evaluate("""navigator.clipboard.writeText('{"mouth_iii": 0.5}')""")
    poser.get_by_role("button", name="Paste JSON").click()
    expect(poser.locator("input[type=number][aria-label='Value of mouth i']")).to_have_value("0.5")
    expect(poser.locator("input[type=range][name=head_y]")).to_have_value("0")


def test_mouse_drags_a_slider(poser: Page) -> None:
    poser.get_by_role("button", name="Reset all").click()
    slider = poser.locator("input[type=range][name=head_y]")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    poser.mouse.move(box["x"] + box["width"] / 2, middle)
    poser.mouse.down()
    for share in (0.6, 0.7, 0.8):
        poser.mouse.move(box["x"] + box["width"] * share, middle)
    poser.mouse.up()
    assert 0.4 < float(slider.input_value()) < 0.8
    poser.wait_for_function(HELD)


def test_keyboard_moves_a_slider(poser: Page) -> None:
    poser.get_by_role("button", name="Reset all").click()
    slider = poser.locator("input[type=range][name=mouth_uuu]")
    slider.focus()
    for _ in range(3):
        poser.keyboard.press("ArrowRight")
    expect(slider).to_have_value("0.03")
    expect(poser.get_by_label("Pose by hand")).to_be_checked()


def test_two_runtimes_are_compared_side_by_side(poser: Page) -> None:
    poser.get_by_role("button", name="Reset all").click()
    slide(poser, "head_x", 0.7)
    poser.get_by_text("Compare two engines or models").click()
    poser.locator("#compare-a-runtime").select_option("native")
    poser.locator("#compare-b-runtime").select_option("openvino")
    poser.get_by_role("button", name="Draw both").click()
    verdict = poser.locator(".comparison figcaption").last
    expect(verdict).to_contain_text(" dB", timeout=90_000)
    assert 50 < float(verdict.inner_text().split(" dB")[0]) < 100
    expect(poser.locator(".comparison figcaption").first).to_contain_text(" ms, native")
    pixels = np.asarray(
        Image.open(io.BytesIO(poser.get_by_label("Picture A").screenshot())).convert("RGB")
    )
    assert pixels.std() > 20


def test_page_that_is_closed_lets_go_of_the_character(studio: DaemonProcess, page: Page) -> None:
    open_panel(page, studio, "pose")
    page.locator("input[type=range][name=head_y]").fill("1")
    page.wait_for_function(HELD)
    watcher = page.context.new_page()
    open_panel(watcher, studio, "live")
    page.goto("about:blank")
    watcher.wait_for_function(f"async () => !(await ({HELD})())")
