from __future__ import annotations

import asyncio
import base64
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from vtbridge.clock import ManualClock
from vtbridge.control.vts.consent import ConsentDesk, plugin_from
from vtbridge.control.vts.errors import RefusedError
from vtbridge.control.vts.plugins import (
    ANSWER_HOLDS_S,
    Book,
    CustomParameter,
    PluginBook,
    PluginId,
)
from vtbridge.control.vts.settings import Consent
from vtbridge.errors import VtbridgeError

DECK = PluginId("Deck", "tests")
PAGE = "https://tools.example"
PNG_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "plugins.json"


def book_at(path: Path, now_s: float = 1e9) -> PluginBook:
    return PluginBook(path, now_s=lambda: now_s)


def test_token_is_kept_only_as_its_hash_for_its_user_alone(path: Path) -> None:
    token = book_at(path).grant(DECK)
    assert 32 <= len(token) <= 64
    assert token.isascii()
    assert token not in path.read_text(encoding="ascii")
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    known = book_at(path).find(DECK, token)
    assert known is not None
    assert known.allowed_s == 1e9
    assert book_at(path).find(DECK, token[:-1]) is None
    assert book_at(path).find(DECK, "\ud800") is None
    assert book_at(path).find(PluginId("Deck", "others"), token) is None


def test_a_hash_that_is_none_allows_nobody(path: Path) -> None:
    book = book_at(path)
    token = book.grant(DECK)
    text = path.read_text("utf-8")
    (kept,) = [one.token_sha256 for one in book.read().plugins]
    path.write_text(text.replace(kept, "\u00e9" * 64), "utf-8")
    assert book_at(path).find(DECK, token) is None


def test_what_another_process_writes_is_seen(path: Path) -> None:
    daemon, command = book_at(path), book_at(path)
    token = daemon.grant(DECK)
    assert daemon.find(DECK, token)
    assert command.revoke("DECK") == ["Deck (tests)"]
    assert daemon.find(DECK, token) is None
    assert command.revoke("Deck") == []


def test_parameters_survive_a_new_token_and_go_with_the_plugin(path: Path) -> None:
    book, row = book_at(path), CustomParameter("MyParam", 0, 1, 0.5, "why")
    book.grant(DECK)
    book.keep_parameters(DECK, (row,))
    book.grant(DECK)
    (known,) = book_at(path).read().plugins
    assert known.parameters == (row,)
    book.revoke("Deck")
    assert book_at(path).read() == Book()


def test_answer_reaches_the_plugin_that_asks(path: Path) -> None:
    book = book_at(path)
    assert book.ask(DECK) is None
    assert book.answer_to(DECK) is None
    assert book_at(path).answer(None, allowed=True) == ["Deck (tests)"]
    assert book.answer_to(DECK) is True
    book.settle(DECK)
    assert book.read().waiting == ()


def test_answer_given_beforehand_serves_once_and_not_for_ever(path: Path) -> None:
    assert book_at(path).answer("deck", allowed=True) == []
    assert book_at(path).ask(PluginId("Other", "tests")) is None
    assert book_at(path, 1e9 + ANSWER_HOLDS_S - 1).ask(DECK) is True
    assert book_at(path, 1e9 + ANSWER_HOLDS_S - 1).ask(DECK) is None
    book_at(path).answer("late", allowed=True)
    assert book_at(path, 1e9 + ANSWER_HOLDS_S + 1).ask(PluginId("Late", "tests")) is None


def test_unnamed_answer_is_refused_where_several_ask(path: Path) -> None:
    book = book_at(path)
    book.ask(DECK)
    book.ask(PluginId("Hostile", "page"))
    with pytest.raises(VtbridgeError, match='say which: "Deck", "Hostile"'):
        book.answer(None, allowed=True)
    assert book.answer("Deck", allowed=True) == ["Deck (tests)"]
    assert book.answer_to(PluginId("Hostile", "page")) is None


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"{}", b'{"version": 9}', b"[" * 100_000, b"\xff" * 10),
        b'{"version": 1, "waiting": [], "plugins": [{"plugin": {"name": "a", "developer": "b"}, '
        b'"token_sha256": "", "allowed_s": 1' + b"0" * 400 + b', "parameters": []}]}',
    ],
)
def test_damaged_file_allows_nobody_and_is_replaced(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    book = book_at(path)
    with caplog.at_level(logging.WARNING):
        assert book.read() == Book()
    assert "no plugin counts as allowed" in caplog.text
    assert book.find(DECK, book.grant(DECK))


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(VtbridgeError, match="cannot be changed"):
        book_at(blocked / "plugins.json").grant(DECK)


def test_names_that_cannot_be_shown_are_refused() -> None:
    good = {"pluginName": "Deck", "pluginDeveloper": "Somebody"}
    assert plugin_from(good) == PluginId("Deck", "Somebody")
    for name in ("", "ab", "x" * 33, "De\nck", "De\x1b[2Jck", "\ud800abc", 4, None):
        with pytest.raises(RefusedError) as refusal:
            plugin_from(good | {"pluginName": name})
        assert refusal.value.error_id == 52
        with pytest.raises(RefusedError) as refusal:
            plugin_from(good | {"pluginDeveloper": name})
        assert refusal.value.error_id == 53


@pytest.mark.parametrize(
    ("icon", "is_good"),
    [
        (None, True),
        ("", True),
        (PNG_HEAD + (128).to_bytes(4, "big") * 2, True),
        (b"\xff\xd8\xff\xe0", True),
        (PNG_HEAD + (64).to_bytes(4, "big") * 2, False),
        (b"GIF89a", False),
        ("no base64!", False),
        (5, False),
    ],
)
def test_icon_is_a_picture_of_the_right_size(icon: object, is_good: bool) -> None:
    text = base64.b64encode(icon).decode() if isinstance(icon, bytes) else icon
    data = {"pluginName": "Deck", "pluginDeveloper": "Somebody", "pluginIcon": text}
    if is_good:
        plugin_from(data)
        return
    with pytest.raises(RefusedError) as refusal:
        plugin_from(data)
    assert refusal.value.error_id == 54


class Asking:
    """A consent desk, and what becomes of those who ask."""

    def __init__(self, path: Path, policy: Consent = Consent.ASK) -> None:
        self.book = book_at(path)
        self.clock = ManualClock()
        self.desk = ConsentDesk(self.book, policy, self.clock)

    async def asks(
        self, plugin: PluginId = DECK, origin: str = "", gone: Callable[[], bool] = lambda: False
    ) -> str | int:
        """Return the token, or the number of the error."""
        try:
            return await self.desk.token_for(plugin, origin=origin, gone=gone)
        except RefusedError as refusal:
            return int(refusal.error_id)

    async def until_asked(self, count: int = 1) -> None:
        async with asyncio.timeout(20):
            while len(self.book.read().waiting) < count:
                await asyncio.sleep(0.01)


def test_plugin_waits_until_the_user_answers(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asking = Asking(path)

    async def run(allowed: bool) -> str | int:
        task = asyncio.create_task(asking.asks())
        await asking.until_asked()
        assert await asking.asks() == 51, "the same plugin asks twice"
        book_at(path).answer(None, allowed=allowed)
        return await task

    with caplog.at_level(logging.WARNING):
        token = asyncio.run(run(True))
    assert isinstance(token, str)
    assert asking.book.find(DECK, token)
    assert 'vtbridge plugins allow "Deck"' in caplog.text
    assert asking.book.read().waiting == ()
    assert asyncio.run(run(False)) == 50
    assert asking.book.find(DECK, token), "what was allowed stays"


def test_denied_plugin_is_not_asked_for_again_at_once(path: Path) -> None:
    asking = Asking(path)

    async def run() -> None:
        asking.book.answer("Deck", allowed=False)
        assert await asking.asks() == 50
        assert await asking.asks() == 50
        assert asking.book.read().waiting == ()
        asking.clock.advance(60)
        asking.book.answer("Deck", allowed=True)
        assert isinstance(await asking.asks(), str)

    asyncio.run(run())


def test_nobody_waits_for_ever(path: Path) -> None:
    asking = Asking(path)

    async def run() -> None:
        task = asyncio.create_task(asking.asks())
        await asking.until_asked()
        asking.clock.advance(301)
        assert await task == 50
        assert await asking.asks(gone=lambda: True) == 50
        assert asking.book.read().waiting == ()

    asyncio.run(run())


def test_policies_never_let_a_web_page_in_unasked(path: Path) -> None:
    async def run() -> None:
        assert isinstance(await Asking(path, Consent.ALWAYS).asks(), str)
        always = Asking(path, Consent.ALWAYS)
        page = asyncio.create_task(always.asks(PluginId("Page", "web"), PAGE))
        await always.until_asked()
        always.book.answer("Page", allowed=False)
        assert await page == 50
        assert await Asking(path, Consent.NEVER).asks() == 50

    asyncio.run(run())


def test_web_pages_cannot_crowd_out_programs(path: Path) -> None:
    asking = Asking(path)

    async def run() -> None:
        pages = [
            asyncio.create_task(asking.asks(replace(DECK, name=f"Page{i}"), PAGE)) for i in range(9)
        ]
        await asking.until_asked(2)
        async with asyncio.timeout(20):
            while sum(page.done() for page in pages) < 7:
                await asyncio.sleep(0.01)
        program = asyncio.create_task(asking.asks())
        await asking.until_asked(3)
        asking.book.answer("Deck", allowed=True)
        assert isinstance(await program, str)
        asking.clock.advance(400)
        ends = [await page for page in pages]
        assert (ends.count(50), ends.count(51)) == (2, 7), "two were asked about"

    asyncio.run(run())
