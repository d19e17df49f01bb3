"""``vtbridge plugins``: what the user types is what the daemon finds in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vtbridge.cli.plugins import app
from vtbridge.control.vts.plugins import PluginBook, PluginId, plugins_path
from vtbridge.errors import ConfigError, VtbridgeError

DECK = PluginId("Stream Deck", "tests")
runner = CliRunner()


@pytest.fixture(autouse=True)
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginBook:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(
        "vtbridge.control.vts.plugins.plugins_path", lambda: tmp_path / "plugins.json"
    )
    return PluginBook(tmp_path / "plugins.json")


def run(*arguments: str) -> Result:
    return runner.invoke(app, list(arguments))


def test_plugin_that_asks_is_allowed_listed_and_revoked(book: PluginBook) -> None:
    assert "no plugin is allowed" in run("list").stdout
    book.ask(DECK)
    assert "asks" in run("list").stdout
    assert "Stream Deck (tests) may control the avatar" in run("allow").stdout
    assert book.answer_to(DECK) is True
    token = book.grant(DECK)
    assert "allowed" in run("list").stdout
    assert "may not control" in run("revoke", "stream deck").stdout
    assert book.find(DECK, token) is None


def test_plugin_is_answered_before_it_asks(book: PluginBook) -> None:
    assert "within ten minutes may control" in run("allow", "Stream Deck").stdout
    assert "anyone" in run("list").stdout
    assert book.ask(DECK) is True
    assert "is refused" in run("deny", "Stream Deck").stdout
    assert book.ask(DECK) is False


def test_wrong_answers_are_told_in_words(book: PluginBook) -> None:
    assert isinstance(run("allow").exception, ConfigError)
    book.ask(DECK)
    book.ask(PluginId("Other", "tests"))
    several = run("allow").exception
    assert isinstance(several, VtbridgeError)
    assert "say which" in str(several)
    book.grant(DECK)
    unknown = run("revoke", "Stream Dock").exception
    assert "did you mean Stream Deck" in str(unknown)


def test_file_is_this_users_own() -> None:
    assert plugins_path().name == "vts-plugins.json"
