"""The log that stays: small, private, countable, and without secrets."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path

import pytest

from vtbridge import log_file
from vtbridge.clock import ManualClock
from vtbridge.control.address import new_token
from vtbridge.log_file import OFTEN, WINDOW_S, RateLimit, Redacted, keep_log
from vtbridge.obs.password import Password
from vtbridge.redaction import HIDDEN, redacted
from vtbridge.remote.key import new_key

log = logging.getLogger("vtbridge.tests.log_file")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_file_is_private_and_holds_one_object_a_line(tmp_path: Path) -> None:
    end = keep_log("stream", folder=tmp_path / "logs")
    try:
        log.warning("a port is\ntaken: %d", 39539)
    finally:
        end()
    path = tmp_path / "logs" / "stream.log"
    (told,) = lines(path)
    assert (told["level"], told["message"]) == ("WARNING", "a port is\ntaken: 39539")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_size_is_bounded_and_older_files_are_private_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "MAX_BYTES", 2000)
    monkeypatch.setattr(log_file, "OFTEN", 10_000)
    end = keep_log("stream", folder=tmp_path)
    try:
        for number in range(200):
            log.warning("trouble %d %s", number, "x" * 100)
    finally:
        end()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + log_file.KEPT
    assert all(file.stat().st_size <= 2000 for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_thousandth_same_warning_is_counted_and_not_told() -> None:
    clock = ManualClock()
    limit = RateLimit(clock)

    def record(number: int, line: int = 7) -> logging.LogRecord:
        return logging.LogRecord(
            "vtbridge.x", logging.WARNING, "x.py", line, "lost %d", (number,), None
        )

    assert sum(limit.filter(record(number)) for number in range(1000)) == OFTEN
    assert limit.filter(record(0, line=8)), "another message is another"
    clock.advance(WINDOW_S)
    last = record(1000)
    assert limit.filter(last)
    assert Redacted("%(message)s").format(last) == (
        f"lost 1000 ({1000 - OFTEN} more like it were not told)"
    )
    later = record(1001)
    assert limit.filter(later)
    assert Redacted("%(message)s").format(later) == "lost 1001"


@pytest.mark.parametrize(
    "text",
    [
        "ws://127.0.0.1:8080/#token=canary1234567890",
        "http://127.0.0.1:8080/?a=1&token=canary1234567890&b=2",
        "Authorization: Bearer canary1234567890",
        "Sec-WebSocket-Protocol: vtbridge, token.canary1234567890",
        '{"password": "canary 1234567890", "port": 1}',
        "password='canary 1234567890'",
        "VTBRIDGE_OBS_PASSWORD=canary1234567890",
        "VTBRIDGE_REMOTE_KEY=canary1234567890",
        "client_secret: canary1234567890",
        "oauth:canary1234567890",
        "rtmp://user:canary1234567890@host/app",
        '"access_token":"canary1234567890"',
    ],
)
def test_secret_is_known_by_its_form(text: str) -> None:
    assert "canary" not in redacted(text)
    assert "1234567890" not in redacted(text)
    assert HIDDEN in redacted(text)


def test_secret_is_known_by_its_value_in_messages_and_tracebacks(tmp_path: Path) -> None:
    Password("Canary pass phrase!")
    token, key = new_token(), new_key()
    end = keep_log("stream", folder=tmp_path)
    try:
        try:
            raise ValueError(f"no good: Canary pass phrase! {key.text}")
        except ValueError:
            log.exception("%s refused Canary pass phrase!", token)
    finally:
        end()
    kept = (tmp_path / "stream.log").read_text(encoding="utf-8")
    assert "ValueError: no good" in kept
    for secret in ("Canary pass phrase!", token, key.text):
        assert secret not in kept


def test_ordinary_words_stay() -> None:
    for text in (
        "OBS asks for a password; store it with `vtbridge obs password`",
        "weights 0f" + "ab" * 31 + " in /home/ann/weights",
        "michi is live as 'avatar': native, 60 fps wanted",
        "vmc: 127.0.0.1:39539 refused 3 packets",
    ):
        assert redacted(text) == text


def test_folder_that_cannot_be_had_costs_the_log_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    keep_log("stream", folder=tmp_path / "file" / "logs")()
    assert "no log is kept" in caplog.text


def test_what_is_no_warning_is_told_however_often() -> None:
    limit = RateLimit(ManualClock())
    news = logging.LogRecord("vtbridge.x", logging.INFO, "x.py", 7, "listening", (), None)
    assert all(limit.filter(news) for _ in range(10 * OFTEN))
