"""Requests of the API: answered as described, refused with a reason and a remedy."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.support.control_server import AUTHORIZED, Served, with_server
from vtbridge.clock import NS_PER_S
from vtbridge.config.schema import Config
from vtbridge.control.api.operations import operations
from vtbridge.control.server import READS_PER_S

API = "/api/v1"
READS = sorted(row.path for row in operations(Config) if row.method == "GET")
ORDERS = [
    ("POST", "/expressions/smile", {"action": "on"}, "on smile by http"),
    ("POST", "/expressions/smile", {}, "toggle smile by http"),
    ("POST", "/expressions/cat", {"action": "release"}, "release cat by http"),
    ("POST", "/clear-expressions", {}, "clear"),
    ("POST", "/calibrate", {}, "calibrate"),
    ("POST", "/look", {}, "look"),
    ("PUT", "/quality", {"quality": "fast"}, "quality fast"),
    ("PUT", "/character", {"name": "momo"}, "show momo"),
]


async def problem_of(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """Return what a refusal says, in the form of RFC 9457."""
    assert answer.content_type == "application/problem+json"
    problem: dict[str, Any] = await answer.json(content_type=None)
    assert problem["status"] == answer.status
    assert all(problem[key] for key in ("type", "title", "detail", "remedy"))
    return problem


@pytest.mark.parametrize("path", [path for path in READS if "{" not in path])
def test_state_is_told_to_who_has_the_token(path: str) -> None:
    async def body(served: Served) -> None:
        for method in ("GET", "HEAD"):
            async with served.session.request(method, API + path) as answer:
                assert answer.status == 200
                assert bool(await answer.read()) is (method == "GET")
        async with served.stranger.get(API + path) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            await problem_of(answer)
        assert served.avatar.orders == []

    with_server(body)


def test_each_view_tells_what_the_avatar_says() -> None:
    async def body(served: Served) -> None:
        avatar = served.avatar
        for path, wanted in (
            ("/status", avatar.status()),
            ("/trackers", avatar.trackers()),
            ("/characters", avatar.characters()),
            ("/character", avatar.character()),
            ("/config", avatar.config()),
            ("/expressions", avatar.expressions()),
            ("/expressions/cat", avatar.expressions().expressions[1]),
            ("/quality", avatar.quality()),
        ):
            async with served.session.get(API + path) as answer:
                assert await answer.json() == wanted.model_dump(mode="json")

    with_server(body)


@pytest.mark.parametrize(("method", "path", "words", "order"), ORDERS)
def test_order_is_done_once(method: str, path: str, words: dict[str, str], order: str) -> None:
    async def body(served: Served) -> None:
        async with served.session.request(method, API + path, json=words) as answer:
            assert (answer.status, await answer.json()) == (202, {"accepted": True})
        assert served.avatar.orders == [order]

    with_server(body)


def test_order_without_words_is_an_empty_one() -> None:
    async def body(served: Served) -> None:
        headers = {"Content-Type": "application/json"}
        async with served.session.post(f"{API}/calibrate", headers=headers) as answer:
            assert answer.status == 202
        assert served.avatar.orders == ["calibrate"]

    with_server(body)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer é\udcff"}, 401),
        ({"Authorization": AUTHORIZED["Authorization"].replace("Bearer", "Basic")}, 401),
        ({**AUTHORIZED, "Host": "evil.example"}, 403),
        ({**AUTHORIZED, "Host": "127.0.0.1:1"}, 403),
        ({**AUTHORIZED, "Host": "127.0.0.1.evil.example:80"}, 403),
        ({**AUTHORIZED, "Origin": "http://evil.example"}, 403),
        ({**AUTHORIZED, "Origin": "null"}, 403),
        ({**AUTHORIZED, "Content-Type": "text/plain"}, 415),
        ({**AUTHORIZED, "Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_stranger_commands_nothing(headers: dict[str, str], status: int) -> None:
    async def body(served: Served) -> None:
        sent = {"Content-Type": "application/json", **headers}
        async with served.stranger.post(f"{API}/calibrate", headers=sent, data="{}") as answer:
            assert answer.status == status
            await problem_of(answer)
        assert served.avatar.orders == []

    with_server(body)


@pytest.mark.parametrize(
    ("path", "sent", "status", "told"),
    [
        ("/expressions/smile", "{", 400, "JSON"),
        ("/expressions/smile", "[" * 10_000, 400, ""),
        ("/expressions/smile", "[]", 422, ""),
        ("/expressions/smile", '{"action": 1}', 422, "action"),
        ("/expressions/smile", '{"acton": "on"}', 422, "acton"),
        ("/expressions/smile", '{"action": "up"}', 422, "'release'"),
        ("/expressions/smlie", "{}", 404, "did you mean 'smile'"),
        ("/expressions/", "{}", 404, ""),
        ("/explode", "{}", 404, "/explode"),
        ("/calibrate", '{"now": true}', 422, "now"),
        ("/calibrate", " " * 70_000, 413, "64 kB"),
        ("/status", "{}", 405, "GET,HEAD"),
    ],
)
def test_wrong_order_is_refused_with_the_reason(
    path: str, sent: str, status: int, told: str
) -> None:
    async def body(served: Served) -> None:
        headers = {"Content-Type": "application/json"}
        async with served.session.post(API + path, data=sent, headers=headers) as answer:
            assert answer.status == status
            assert told in (await problem_of(answer))["detail"]
        assert served.avatar.orders == []

    with_server(body)


def test_what_is_not_there_is_told_before_how_it_was_asked() -> None:
    async def body(served: Served) -> None:
        for method, path, status in (("POST", "/explode", 404), ("DELETE", "/status", 405)):
            async with served.session.request(method, API + path, data="x") as answer:
                assert answer.status == status

    with_server(body)


def test_quality_of_a_prepared_character_cannot_be_chosen() -> None:
    async def body(served: Served) -> None:
        served.avatar.choices = []
        words = {"quality": "fast"}
        async with served.session.put(f"{API}/quality", json=words) as answer:
            assert answer.status == 409
            assert "prepared" in (await problem_of(answer))["detail"]
        assert served.avatar.orders == []

    with_server(body)


def test_only_a_character_that_is_listed_can_be_shown() -> None:
    async def body(served: Served) -> None:
        for name in ("nobody", "/etc/passwd", "../momo.png", "C:\\\\momo"):
            async with served.session.put(f"{API}/character", json={"name": name}) as answer:
                assert answer.status == 404
                problem = await problem_of(answer)
                assert problem["type"] == "urn:vtbridge:unknown-character"
                assert "/api/v1/characters" in problem["remedy"]
        assert served.avatar.orders == []

    with_server(body)


def test_flood_of_orders_is_refused_until_a_second_has_passed() -> None:
    async def body(served: Served) -> None:
        async def calibrate() -> int:
            async with served.session.post(f"{API}/calibrate", json={}) as answer:
                if answer.status == 429:
                    assert answer.headers["Retry-After"] == "1"
                    await problem_of(answer)
                return answer.status

        assert [await calibrate() for _ in range(12)] == [202] * 10 + [429] * 2
        served.clock.advance(NS_PER_S)
        assert await calibrate() == 202
        assert len(served.avatar.orders) == 11

    with_server(body)


def test_flood_of_questions_leaves_room_for_orders() -> None:
    async def body(served: Served) -> None:
        statuses = []
        for _ in range(READS_PER_S + 5):
            async with served.session.get(f"{API}/quality") as answer:
                statuses.append(answer.status)
        assert statuses == [200] * READS_PER_S + [429] * 5
        async with served.session.post(f"{API}/calibrate", json={}) as answer:
            assert answer.status == 202

    with_server(body)


def test_mistake_of_ours_is_told_and_costs_only_that_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("secret inside")

    async def body(served: Served) -> None:
        monkeypatch.setattr(served.avatar, "calibrate", broken)
        async with served.session.post(f"{API}/calibrate", json={}) as answer:
            assert answer.status == 500
            assert "secret" not in str(await problem_of(answer))
        async with served.session.get(f"{API}/status") as answer:
            assert answer.status == 200

    with_server(body)
    assert "secret inside" in caplog.text, "the user's own terminal has it"


def test_settings_that_move_the_character_can_be_changed() -> None:
    async def body(served: Served) -> None:
        change = {"retarget": {"smoothing": {"mouth": {"min_cutoff_hz": None, "beta": 4.0}}}}
        assert (await served.session.patch("/api/v1/config", json=change)).status == 202
        assert served.avatar.orders == [f"change {change}"]
        served.avatar.fixed = "full_at must exceed dead_zone"
        refused = await served.session.patch("/api/v1/config", json=change)
        assert refused.status == 409
        assert (await refused.json())["detail"] == served.avatar.fixed

    with_server(body)


@pytest.mark.parametrize(
    "change",
    [
        {"control": {"http_port": 1}},
        {"expressions": {"file": "/etc/passwd"}},
        {"avatar": {"picture": "/etc/passwd"}},
        {"retarget": {"calibration": {"person": "Ann"}}},
        {"retarget": {"smoothing": {"mouth": {"beta": -1}}}},
        {"retarget": {"smoothing": {"mouth": {"beta": "4"}}}},
        {"retarget": {"mirror": 1}},
    ],
)
def test_settings_that_could_open_something_are_not_among_them(change: object) -> None:
    async def body(served: Served) -> None:
        refused = await served.session.patch("/api/v1/config", json=change)
        assert refused.status == 422
        assert (await refused.json())["errors"]
        assert served.avatar.orders == []

    with_server(body)


def test_obs_is_set_up_or_the_remedy_is_told() -> None:
    async def body(served: Served) -> None:
        answer = await served.session.post("/api/v1/obs-setup", json={})
        assert (answer.status, (await answer.json())["changes"]) == (200, ["made the scene"])
        served.avatar.fixed = "no OBS answers at 127.0.0.1:4455: start it"
        problem = await problem_of(await served.session.post("/api/v1/obs-setup", json={}))
        assert (problem["status"], problem["detail"]) == (409, served.avatar.fixed)

    with_server(body)
