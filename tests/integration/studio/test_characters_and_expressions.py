"""The studio makes a character of a drawing and shows it, and an expression of the user's own."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import open_panel
from tests.support.daemon import DaemonProcess, running, status_of, wait_until
from tests.support.drawings import SKY, builtin, moved, on, png, without_mouth

PATIENCE_MS = 90_000


@pytest.fixture(scope="module")
def studio(
    tmp_path_factory: pytest.TempPathFactory, prepared_michi: Path
) -> Iterator[DaemonProcess]:
    folder = tmp_path_factory.mktemp("studio")
    # Not beside the mascot's package, which belongs to other tests.
    mine = folder / "expressions.toml"
    extra = f'[expressions]\nfile = "{mine.as_posix()}"\n'
    mine.write_text("# mine\nversion = 1\n")
    with running(folder, "studio", "--no-browser", package=prepared_michi, extra=extra) as daemon:
        yield daemon


def test_drawing_is_examined_retouched_kept_and_shown(
    studio: DaemonProcess, page: Page, tmp_path: Path
) -> None:
    drawing = tmp_path / "Yuki in the sky.png"
    figure = moved(without_mouth(builtin("yuki")), scale=0.9, x=90, y=40, size=(640, 560))
    drawing.write_bytes(png(on(SKY, figure)))
    open_panel(page, studio, "character")
    page.locator(".doctor input[type=file]").set_input_files(drawing)
    mouth = page.locator(".findings .warning", has_text="mouth")
    expect(mouth).to_be_visible(timeout=PATIENCE_MS)
    mouth.get_by_role("button", name="apply").click()
    expect(page.locator(".findings .over")).to_have_text(
        "9 of 9 movements are seen", timeout=PATIENCE_MS
    )
    expect(page.locator(".sheet")).to_have_js_property("complete", True)
    expect(page.locator("#character-name")).to_have_value("Yuki in the sky")
    page.locator("#keep").click()
    wait_until(
        lambda: str(status_of(studio)["picture"]) == "Yuki in the sky", 60, "the new one is shown"
    )
    shown = page.get_by_role("button", name="Yuki in the sky")
    expect(shown).to_have_attribute("aria-pressed", "true", timeout=PATIENCE_MS)


def test_file_that_is_dropped_anywhere_goes_to_the_doctor(
    studio: DaemonProcess, page: Page
) -> None:
    open_panel(page, studio, "live")
    page.evaluate(
        """async () => {
          const answer = await fetch("/studio/icon.svg");
          const file = new File([await answer.blob()], "drawn.webp", { type: "image/webp" });
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(file);
          document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, dataTransfer }));
        }"""
    )
    expect(page.locator("#panel-character")).to_be_visible()
    told = page.locator(".doctor [role=status]")
    expect(told).to_contain_text("drawn.webp", timeout=PATIENCE_MS)
    expect(told).to_contain_text("SVG")


def test_file_that_is_no_drawing_is_told(studio: DaemonProcess, page: Page) -> None:
    open_panel(page, studio, "character")
    fake = {"name": "not a drawing.png", "mimeType": "image/png", "buffer": b"GIF89a" + bytes(80)}
    page.locator(".doctor input[type=file]").set_input_files(fake)  # type: ignore[arg-type]
    expect(page.locator(".doctor [role=status]")).to_contain_text("GIF", timeout=PATIENCE_MS)
    expect(page.locator("#keep")).to_be_hidden()


def test_expression_of_ones_own_is_written_tried_and_removed(
    studio: DaemonProcess, page: Page
) -> None:
    file = studio.folder / "expressions.toml"
    open_panel(page, studio, "expressions")
    page.get_by_role("button", name="New expression").click()
    page.locator("#expression-name").fill("Bad Name")
    page.locator("#expression-save").click()
    expect(page.locator("#answer")).to_contain_text("small letters")
    page.locator("#expression-name").fill("cheer")
    page.locator("#expression-label").fill("Cheer!")
    page.locator("#expression-values").fill("eye_wink_left = 1\nmouth_aaa = 0.8")
    page.locator("#expression-save").click()
    expect(page.locator("#answer")).to_contain_text("saved")
    written = tomllib.loads(file.read_text())["expressions"]["cheer"]
    assert (written["label"], written["values"]["mouth_aaa"]) == ("Cheer!", 0.8)
    assert file.read_text().startswith("# mine\n")
    cheer = page.locator("li[data-name=cheer] button.toggle")
    expect(cheer).to_have_text("Cheer!", timeout=20_000)
    cheer.click()
    expect(cheer).to_have_attribute("aria-pressed", "true")
    page.locator("#expression-remove").click()
    expect(cheer).to_have_count(0, timeout=20_000)
    assert "cheer" not in json.dumps(tomllib.loads(file.read_text()))
