"""The timeline editor in a real browser: by mouse, touch and keyboard, for everyone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from tests.support.control_avatar import FakeAvatar
from tests.support.control_server import served
from vtbridge.control.http_guard import SECURITY_HEADERS

PAGE = """<!doctype html><html lang="en"><head><title>Timeline</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="/studio/icon.svg">
<link rel="stylesheet" href="/studio/style.css"></head>
<body><h1>Timeline</h1><div role="tabpanel" id="root" aria-label="Editor"></div></body></html>"""
OPEN = """async ([definition, language]) => {
  const { Timeline } = await import("/studio/timeline.js");
  const { load, t } = await import("/studio/i18n.js");
  await load(language);
  window.changes = [];
  window.timeline = new Timeline(document.getElementById("root"), {
    parameters: [
      { name: "head_x", title: "nod", low: -1, high: 1 },
      { name: "mouth_aaa", title: "mouth a", low: 0, high: 1 },
      { name: "neck_z", title: "tilt", low: -1, high: 1 },
    ],
    definition,
    onChange: (changed) => window.changes.push(changed),
    t,
  });
}"""
NOD = {
    "mode": "timed",
    "blend": "override",
    "values": {},
    "loop": False,
    "length_s": None,
    "keyframes": [
        {"at_s": 0.5, "values": {"head_x": -0.5}, "easing": "smooth"},
        {"at_s": 1.0, "values": {"head_x": 0.5, "mouth_aaa": 1.0}, "easing": "linear"},
    ],
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(FakeAvatar()) as address:
        yield address


def opened(page: Page, address: str, *, language: str = "en", definition: object = NOD) -> Page:
    """Show the editor on a page as the server would send it."""
    page.route(
        "**/timeline",
        lambda route: route.fulfill(
            body=PAGE, content_type="text/html; charset=utf-8", headers=SECURITY_HEADERS
        ),
    )
    page.goto(f"http://{address}/timeline")
    page.evaluate(OPEN, [definition, language])
    expect(page.locator(".timeline .lane").first).to_have_css("cursor", "copy")  # styled
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 50)))")
    return page


@pytest.fixture
def editor(page: Page, address: str) -> Page:
    return opened(page, address)


def keyframes(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate("timeline.definition.keyframes")
    return found


def middle(page: Page, lane: str, place: int) -> tuple[float, float]:
    ask = """([lane, place]) => {
      const dots = document.querySelectorAll(`[data-name=${lane}] .dot`);
      const box = dots[place].getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2];
    }"""
    x, y = page.evaluate(ask, [lane, place])
    return x, y


def test_point_is_dragged_in_time_and_value_in_one_step(editor: Page) -> None:
    x, y = middle(editor, "head_x", 0)
    editor.mouse.move(x, y)
    editor.mouse.down()
    editor.mouse.move(x + 12, y - 9, steps=4)
    editor.mouse.move(x + 24, y - 9, steps=4)
    editor.mouse.up()
    first = keyframes(editor)[0]
    assert first == {"at_s": 0.7, "values": {"head_x": 0.0}, "easing": "smooth"}
    assert editor.evaluate("changes.at(-1).keyframes[0].at_s") == 0.7
    editor.get_by_role("button", name="Undo").click()
    assert keyframes(editor) == NOD["keyframes"]
    editor.get_by_role("button", name="Redo").click()
    assert keyframes(editor)[0] == first


def test_click_on_a_lane_adds_a_point_and_one_on_a_point_none(editor: Page) -> None:
    editor.locator("[data-name=mouth_aaa] .lane").click(position={"x": 14 + 180, "y": 32})
    added = keyframes(editor)[2]
    assert added["at_s"] == pytest.approx(1.5, abs=0.02)
    assert added["values"]["mouth_aaa"] == pytest.approx(0.5, abs=0.05)
    editor.mouse.click(*middle(editor, "mouth_aaa", 0))
    assert len(keyframes(editor)) == 3
    expect(editor.get_by_label("Time (s)")).to_have_value("1")


def test_keyboard_alone_adds_moves_eases_removes_and_undoes(editor: Page) -> None:
    editor.get_by_role("slider", name="nod, point 1 of 2").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowUp"):
        editor.keyboard.press(key)
    assert keyframes(editor)[0] == {"at_s": 0.6, "values": {"head_x": 0.05}, "easing": "smooth"}
    expect(editor.get_by_role("status")).to_have_text("nod: 0.60 s, value 0.05, smooth")
    editor.keyboard.press("PageDown")
    expect(editor.get_by_role("slider", name="nod, point 2 of 2")).to_be_focused()
    editor.keyboard.press("Insert")
    assert keyframes(editor)[-1]["at_s"] == 1.5
    expect(editor.get_by_role("slider", name="nod, point 3 of 3")).to_be_focused()
    editor.keyboard.press("Delete")
    assert len(keyframes(editor)) == 2
    expect(editor.get_by_role("status")).to_have_text("nod: point at 1.50 s removed")
    editor.keyboard.press("Control+z")
    assert len(keyframes(editor)) == 3
    for _ in range(2):
        editor.keyboard.press("Control+z")
    assert keyframes(editor) == NOD["keyframes"]


def test_fields_set_the_selected_point(editor: Page) -> None:
    expect(editor.get_by_label("Value", exact=True)).to_be_disabled()
    editor.get_by_role("slider", name="mouth a, point 1 of 1").focus()
    for label, text in (("Time (s)", "2.25"), ("Value", "0.25")):
        field = editor.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Enter")
    editor.get_by_label("Easing").select_option("ease_out")
    assert keyframes(editor) == [
        {"at_s": 0.5, "values": {"head_x": -0.5}, "easing": "smooth"},
        {"at_s": 1, "values": {"head_x": 0.5}, "easing": "linear"},
        {"at_s": 2.25, "values": {"mouth_aaa": 0.25}, "easing": "ease_out"},
    ]


def test_values_and_moments_stay_in_their_ranges(editor: Page) -> None:
    editor.get_by_role("slider", name="mouth a, point 1 of 1").focus()
    for label, text in (("Time (s)", "99"), ("Value", "-3")):
        field = editor.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Enter")
    assert keyframes(editor)[-1] == {"at_s": 60, "values": {"mouth_aaa": 0}, "easing": "linear"}


def test_lane_is_added_filled_and_removed_with_its_points(editor: Page) -> None:
    editor.get_by_label("Parameter to add").select_option("neck_z")
    editor.get_by_role("button", name="Add parameter").click()
    expect(editor.get_by_role("button", name="Add a point to tilt")).to_be_focused()
    editor.keyboard.press("Enter")
    assert keyframes(editor)[0] == {"at_s": 0, "values": {"neck_z": 0}, "easing": "smooth"}
    editor.get_by_role("button", name="Remove tilt with its points").click()
    assert keyframes(editor) == NOD["keyframes"]
    editor.get_by_role("button", name="Remove nod with its points").click()
    assert keyframes(editor) == [{"at_s": 1, "values": {"mouth_aaa": 1}, "easing": "linear"}]


def test_zoom_spreads_the_points(editor: Page) -> None:
    before = middle(editor, "head_x", 1)[0] - middle(editor, "head_x", 0)[0]
    editor.get_by_role("button", name="Zoom in").click()
    after = middle(editor, "head_x", 1)[0] - middle(editor, "head_x", 0)[0]
    assert after == pytest.approx(1.5 * before, abs=1)
    assert editor.evaluate("changes.length") == 0


def test_point_is_dragged_by_a_finger_while_the_page_stays(browser: Browser, address: str) -> None:
    context = browser.new_context(
        viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True
    )
    page = opened(context.new_page(), address)
    session = context.new_cdp_session(page)
    x, y = middle(page, "head_x", 0)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        where = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

    touch("touchStart", (x, y))
    for step in range(1, 7):
        touch("touchMove", (x + 6 * step, y))
    touch("touchEnd")
    assert keyframes(page)[0]["at_s"] == pytest.approx(0.8, abs=0.02)
    assert page.evaluate("document.querySelector('.lanes').scrollLeft") == 0
    page.locator("[data-name=mouth_aaa] .lane").tap(position={"x": 14 + 60, "y": 32})
    mouth = [frame["at_s"] for frame in keyframes(page) if "mouth_aaa" in frame["values"]]
    assert mouth == pytest.approx([0.5, 1], abs=0.02)
    context.close()


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh", "ja"])
def test_everyone_can_use_it_at_any_width(
    page: Page, address: str, width: int, scheme: str, language: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 700})
    opened(page, address, language=language)
    page.get_by_role("slider").first.focus()
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_way_is_drawn_as_the_engine_plays_it(editor: Page) -> None:
    ask = """async () => {
      const { Keyframes } = await import("/studio/keyframes.js");
      const own = new Keyframes({ parameters: [], definition: timeline.definition, onChange() {} });
      return [0, 0.25, 0.5, 0.6, 0.75, 1, 2].map((at) => own.value("head_x", at));
    }"""
    played = [0.0, -0.25, -0.5, -0.3, 0.0, 0.5, 0.5]
    assert editor.evaluate(ask) == pytest.approx(played)
