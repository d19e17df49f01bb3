"""The preview in a real browser: transparent where the avatar is, alive, and under its token."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import SOME_FRAMES, avatar_pixels
from tests.support.control_avatar import FakeAvatar
from tests.support.control_server import TOKEN, served
from tests.support.daemon import DaemonProcess, running

GREEN = (0, 177, 64)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, weight_store: object) -> Iterator[DaemonProcess]:
    del weight_store
    with running(tmp_path_factory.mktemp("demo"), "demo", "--headless", fps=10) as daemon:
        yield daemon


def test_avatar_stands_transparent_before_the_background(demo: DaemonProcess, page: Page) -> None:
    page.goto(demo.url)
    expect(page.locator("body")).to_have_attribute("data-frame", SOME_FRAMES, timeout=60_000)
    page.get_by_label("green").check()
    pixels = avatar_pixels(page)
    height, width, _ = pixels.shape
    corner = pixels[height // 8, width // 16].astype(int)
    face = pixels[height // 4, width // 2].astype(int)
    assert np.abs(corner - GREEN).max() <= 2
    assert np.abs(face - GREEN).max() > 60


def test_avatar_moves_and_the_state_is_shown(demo: DaemonProcess, page: Page) -> None:
    page.goto(demo.url)
    expect(page.locator("body")).to_have_attribute("data-frame", SOME_FRAMES, timeout=60_000)
    before = avatar_pixels(page)
    moved = 0
    for _ in range(20):
        page.wait_for_timeout(500)
        moved = int((np.abs(avatar_pixels(page).astype(int) - before) > 40).sum())
        if moved > 100:
            break
    assert moved > 100
    expect(page.locator("#connection")).to_have_text("live")
    expect(page.locator("#runtime")).to_contain_text(re.compile(r"CPU|native"))
    page.get_by_role("tab", name="Face").click()
    page.get_by_role("button", name="Calibrate").click()
    expect(page.locator("#answer")).to_have_text("hold still for a second …")


def test_page_without_its_token_shows_nothing(demo: DaemonProcess, page: Page) -> None:
    page.goto(demo.url.partition("#")[0])
    expect(page.locator("#connection")).to_contain_text("lacks its token")
    assert page.evaluate("document.body.dataset.frame") is None


def test_page_tells_what_needs_attention_and_when_it_is_over(page: Page) -> None:
    avatar = FakeAvatar()
    avatar.trouble = "the phone is <b>away</b>"
    with served(avatar) as address:
        page.goto(f"http://{address}/#token={TOKEN}")
        expect(page.locator("#warnings li")).to_have_text([avatar.trouble], timeout=20_000)
        expect(page.locator("#preparation")).to_have_text("not prepared")
        avatar.trouble = ""
        expect(page.locator("#warnings li")).to_have_count(0)
