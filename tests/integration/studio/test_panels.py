"""The studio's panels on a running avatar: they show what is, and anyone can use them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.support.browser import SOME_FRAMES, START_MS, open_panel
from tests.support.cli import run_isolated
from tests.support.daemon import DaemonProcess, running, sending, status_of, wait_until

PANELS = ("live", "pose", "face", "expressions", "character", "obs")
WIDTHS = (320, 768, 1440)


@pytest.fixture(scope="module")
def studio(
    tmp_path_factory: pytest.TempPathFactory, prepared_michi: Path
) -> Iterator[DaemonProcess]:
    folder = tmp_path_factory.mktemp("studio")
    with running(folder, "studio", "--no-browser", package=prepared_michi) as daemon:
        yield daemon


def test_studio_of_an_avatar_that_runs_is_its_page(studio: DaemonProcess) -> None:
    config = ("--config", str(studio.folder / "config.toml"), "--no-browser")
    again = run_isolated(studio.folder, "studio", *config)
    assert (again.returncode, again.stdout.split()) == (0, [studio.url])
    other = run_isolated(studio.folder, "studio", "momo", *config)
    assert other.returncode != 0
    assert "runs already" in other.stderr
    assert other.stdout == ""


def serious(page: Page) -> list[str]:
    """Return the accessibility faults of the page that axe-core calls serious or critical."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']} ({one['nodes'][0]['html'][:120]})"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_panel_has_a_serious_accessibility_fault(
    studio: DaemonProcess, page: Page, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    faults = {}
    for panel in PANELS:
        open_panel(page, studio, panel)
        page.wait_for_timeout(300)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        faults[panel] = serious(page)
    assert {panel: found for panel, found in faults.items() if found} == {}


def test_axe_would_tell_of_a_fault(studio: DaemonProcess, page: Page) -> None:
    open_panel(page, studio, "live")
    page.evaluate("document.getElementById('quality').labels[0].remove()")
    page.evaluate("document.body.append(document.createElement('input'))")
    assert any(fault.startswith("label:") for fault in serious(page))


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out_of_the_page(studio: DaemonProcess, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for panel in PANELS:
        open_panel(page, studio, panel)
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, panel


def test_panels_are_chosen_by_keyboard(studio: DaemonProcess, page: Page) -> None:
    open_panel(page, studio, "live")
    page.get_by_role("tab", name="Live").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Pose")).to_be_focused()
    expect(page.locator("#panel-pose")).to_be_visible()
    expect(page.locator("#panel-live")).to_be_hidden()
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="OBS")).to_have_attribute("aria-selected", "true")


def test_page_that_is_loaded_again_goes_on(studio: DaemonProcess, page: Page) -> None:
    open_panel(page, studio, "face")
    page.reload()
    expect(page.locator("body")).to_have_attribute("data-frame", SOME_FRAMES, timeout=START_MS)
    expect(page.locator("#panel-face")).to_be_visible()
    expect(page.locator("#connection")).to_have_text("live")


def test_wrong_token_is_told_and_shows_nothing(studio: DaemonProcess, page: Page) -> None:
    page.goto(studio.url.partition("#")[0] + "#token=0123")
    expect(page.locator("#connection")).to_contain_text("started anew", timeout=START_MS)
    assert page.evaluate("document.body.dataset.frame") is None


def test_page_of_another_site_is_refused(studio: DaemonProcess, page: Page) -> None:
    """Even with the right token: ``localhost`` is another site than ``127.0.0.1``."""
    port = studio.url.split(":")[2].split("/")[0]
    page.route(f"http://elsewhere.test:{port}/", lambda route: route.fulfill(body="<p>lure"))
    page.goto(f"http://elsewhere.test:{port}/")
    refused = page.evaluate(
        """async ([address, token]) => {
          const headers = { Authorization: `Bearer ${token}` };
          const answer = await fetch(`${address}api/v1/status`, { headers }).catch(() => null);
          const socket = new WebSocket(`${address.replace("http", "ws")}api/v1/preview`,
            ["vtbridge.preview", `token.${token}`]);
          return [answer, await new Promise((resolve) => {
            socket.onopen = () => resolve("open");
            socket.onclose = () => resolve("refused");
          })];
        }""",
        studio.url.split("#token="),
    )
    assert refused == [None, "refused"]


BY_THEMSELVES = ("tilt", "look_away")
"""Expressions that an avatar without a face shows now and then."""


def test_expression_is_switched_and_shown_as_on(studio: DaemonProcess, page: Page) -> None:
    open_panel(page, studio, "expressions")
    smile = page.locator("li[data-name=smile] button.toggle")
    smile.click()
    expect(smile).to_have_attribute("aria-pressed", "true")
    active = [one["name"] for one in status_of(studio)["expressions"] if one["active"]]
    assert "smile" in active
    assert set(active) <= {"smile", *BY_THEMSELVES}
    page.get_by_role("button", name="All off").click()
    expect(smile).to_have_attribute("aria-pressed", "false")


def test_trackers_and_what_they_see_are_shown(studio: DaemonProcess, page: Page) -> None:
    open_panel(page, studio, "face")
    expect(page.locator(".sources li").first).to_have_attribute("data-state", "waiting")
    with sending(studio.ports["vmc"]):
        expect(page.locator(".sources li[data-state=live]")).to_contain_text("VMC")
        expect(page.get_by_label("jawOpen")).to_be_visible()
        page.get_by_role("button", name="Calibrate").click()
        expect(page.locator("#answer")).to_have_text("hold still for a second …")
        page.get_by_role("tab", name="Live").click()
        expect(page.locator("#latency")).to_have_text(re.compile(r"\d+ ms \(p99 \d+\)"))
        expect(page.locator(".log")).to_contain_text("face seen by vmc")


@pytest.mark.parametrize(("code", "live"), [("zh", "直播"), ("ja", "ライブ"), ("en", "Live")])
def test_page_speaks_the_language_that_is_chosen(
    studio: DaemonProcess, page: Page, code: str, live: str
) -> None:
    open_panel(page, studio, "live")
    page.locator("#language").select_option(code)
    expect(page.locator("#tab-live")).to_have_text(live)
    expect(page.locator("html")).to_have_attribute("lang", {"zh": "zh-CN"}.get(code, code))


def test_smoothing_takes_effect_and_is_kept_beside_the_comments(
    studio: DaemonProcess, page: Page
) -> None:
    mouth = "[retarget.smoothing.mouth] # speech"
    file = studio.folder / "config.toml"
    file.write_text(f"# my stream\n{file.read_text()}\n{mouth}\nbeta = 3.0\n")
    open_panel(page, studio, "face")
    page.get_by_text("How calmly each part moves").click()
    page.locator("#tune-smoothing-mouth-beta").fill("7.5")
    wait_until(lambda: "beta = 7.5" in file.read_text(), 20, "config.toml has the new value")
    text = file.read_text()
    assert text.startswith("# my stream\n")
    assert mouth in text
    page.reload()
    page.get_by_text("How calmly each part moves").click()
    expect(page.locator("#tune-smoothing-mouth-beta")).to_have_value("7.5")
    page.get_by_role("button", name="Reset mouth").last.click()
    wait_until(lambda: "beta = 7.5" not in file.read_text(), 20, "the default holds again")
    expect(page.locator("#tune-smoothing-mouth-beta")).to_have_value("3")
