"""A real browser on the page of a real daemon."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import skip_loudly
from tests.support.daemon import DaemonProcess
from vtbridge.datatypes import U8Array

SOME_FRAMES = re.compile(r"[2-9]|\d\d+")
START_MS = 60_000

ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        skip_loudly("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page with a profile of its own; a mistake of its scripts fails the test."""
    mistakes: list[str] = []
    context = browser.new_context(locale="en-GB", permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    yield page
    context.close()
    assert mistakes == []


def open_panel(page: Page, daemon: DaemonProcess, panel: str) -> None:
    """Open the studio at one of its panels and wait until the avatar is seen."""
    page.goto("about:blank")  # a new fragment alone would load nothing
    page.goto(f"{daemon.url}&panel={panel}")
    expect(page.locator("body")).to_have_attribute("data-frame", SOME_FRAMES, timeout=START_MS)


def avatar_pixels(page: Page) -> U8Array:
    """Return what the browser shows of the avatar, uint8 [H, W, 3]."""
    page.evaluate("scrollTo(0, 0)")  # where it is scrolled to, a pixel lies between two
    shot = page.locator("#avatar").screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))
