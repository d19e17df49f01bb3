"""Posing by hand over the API: what is held, by whom, and what is refused."""

from __future__ import annotations

import asyncio
import io

import pytest
from PIL import Image

from tests.support.control_server import Served, with_server
from vtbridge.control.api.events import PROTOCOL


def test_pose_over_http_stays_until_it_is_released() -> None:
    async def body(served: Served) -> None:
        answer = await served.session.put("/api/v1/pose", json={"pose": {"mouth_aaa": 0.5}})
        assert answer.status == 202
        shown = await (await served.session.get("/api/v1/pose")).json()
        assert shown["held"]
        assert (shown["pose"]["mouth_aaa"], shown["pose"]["head_x"]) == (0.5, 0.0)
        assert (await served.session.post("/api/v1/release-pose", json={})).status == 202
        assert not (await (await served.session.get("/api/v1/pose")).json())["held"]

    with_server(body)


@pytest.mark.parametrize(
    "pose",
    [{"nose": 1}, {"mouth_aaa": 1.5}, {"mouth_aaa": "wide"}, {"MOUTH": 0}, [0.0], None],
)
def test_pose_that_cannot_be_is_refused(pose: object) -> None:
    async def body(served: Served) -> None:
        answer = await served.session.put("/api/v1/pose", json={"pose": pose})
        assert answer.status == 422
        assert (await answer.json())["remedy"]
        assert served.avatar.orders == []

    with_server(body)


def test_parameters_pair_left_and_right() -> None:
    async def body(served: Served) -> None:
        told = await (await served.session.get("/api/v1/parameters")).json()
        mirrored = {one["name"]: one["mirrored"] for one in told["parameters"]}
        assert len(mirrored) == 45
        assert mirrored["eye_wink_left"] == "eye_wink_right"
        assert all(mirrored[mirrored[name]] == name for name in mirrored)

    with_server(body)


def test_pose_of_a_page_goes_with_it_but_not_that_of_another() -> None:
    async def body(served: Served) -> None:
        async with served.session.ws_connect("/api/v1/events", protocols=[PROTOCOL]) as page:
            # More than the orders of a second: a slider that is dragged.
            for number in range(30):
                await page.send_json(
                    {"command": "pose", "id": number, "pose": {"head_x": number / 30}}
                )
            answered = 0
            while answered < 30:
                message = await page.receive_json(timeout=10)
                if "ok" in message:
                    assert message["ok"], message
                    answered += 1
            async with served.session.ws_connect("/api/v1/events", protocols=[PROTOCOL]):
                pass
            assert served.avatar.poser is not None
            assert served.avatar.poser.holder is not None
        for _ in range(100):
            if served.avatar.orders[-1] == "release":
                break
            await served.session.get("/api/v1/pose")
        assert served.avatar.orders[-1] == "release"

    with_server(body)


def test_still_is_a_picture_that_says_how_it_was_made() -> None:
    async def body(served: Served) -> None:
        answer = await served.session.post("/api/v1/stills", json={"pose": {}, "quality": "fast"})
        assert answer.status == 200
        assert answer.content_type == "image/png"
        assert answer.headers["X-Vtbridge-Runtime"] == "auto at fast"
        assert float(answer.headers["X-Vtbridge-Milliseconds"]) == 12.5
        assert Image.open(io.BytesIO(await answer.read())).size == (512, 512)
        source = await served.session.get("/api/v1/picture")
        assert Image.open(io.BytesIO(await source.read())).size == (512, 512)
        refused = await served.session.post(
            "/api/v1/stills", json={"pose": {}, "runtime": "pytorch"}
        )
        assert refused.status == 409
        assert "pip install" in (await refused.json())["detail"]

    with_server(body)


def test_only_a_few_stills_wait_and_then_there_is_room_again() -> None:
    async def body(served: Served) -> None:
        poser = served.avatar.poser
        assert poser is not None
        poser.draws.clear()
        asked = [
            asyncio.ensure_future(served.session.post("/api/v1/stills", json={"pose": {}}))
            for _ in range(5)
        ]
        (refused,), _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert refused.result().status == 429
        poser.draws.set()
        statuses = sorted([(await one).status for one in asked])
        assert statuses == [200, 200, 200, 200, 429]
        again = await served.session.post("/api/v1/stills", json={"pose": {}})
        assert again.status == 200

    with_server(body)


def test_nothing_is_posed_where_another_computer_makes_the_frames() -> None:
    async def body(served: Served) -> None:
        served.avatar.poser = None
        for method, path in (
            ("GET", "pose"),
            ("GET", "parameters"),
            ("GET", "picture"),
            ("GET", "stills"),
            ("PUT", "pose"),
            ("POST", "release-pose"),
            ("POST", "stills"),
        ):
            answer = await served.session.request(
                method, f"/api/v1/{path}", json=None if method == "GET" else {"pose": {}}
            )
            # An order without fields refuses those that are sent.
            assert answer.status == (422 if path == "release-pose" else 409)

    with_server(body)
