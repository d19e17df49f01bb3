"""The picture doctor over the API: drawings are taken, bounded, and never from another site."""

from __future__ import annotations

import pytest

from tests.support.control_server import Served, with_server
from vtbridge.control.api import doctor_operations

DRAWING = "/api/v1/doctor/drawing"
PNG = {"Content-Type": "image/png"}


def test_drawing_is_admitted_under_its_name() -> None:
    async def body(served: Served) -> None:
        sent = await served.session.put(f"{DRAWING}?name=me.png", data=b"png", headers=PNG)
        assert sent.status == 202
        assert served.avatar.orders == ["admit me.png"]
        assert await (await served.session.get(DRAWING)).read() == b"png"

    with_server(body)


def test_drawing_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_operations, "MAX_DRAWING_BYTES", 100_000)

    async def body(served: Served) -> None:
        fits = await served.session.put(DRAWING, data=bytes(100_000), headers=PNG)
        assert fits.status == 202
        refused = await served.session.put(DRAWING, data=bytes(100_001), headers=PNG)
        assert refused.status == 413
        assert served.avatar.orders == ["admit drawing"]

    with_server(body)


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "image/svg+xml"])
def test_what_a_form_of_another_site_can_send_is_no_drawing(kind: str) -> None:
    async def body(served: Served) -> None:
        refused = await served.session.put(DRAWING, data=b"x", headers={"Content-Type": kind})
        assert refused.status == 415
        elsewhere = await served.session.post("/api/v1/calibrate", data=b"x", headers=PNG)
        assert elsewhere.status == 415
        assert served.avatar.orders == []

    with_server(body)


def test_doctor_who_is_busy_or_has_nothing_says_so() -> None:
    async def body(served: Served) -> None:
        doctor = served.avatar.doctor
        assert doctor is not None
        doctor.busy = True
        busy = await served.session.put(DRAWING, data=b"x", headers=PNG)
        assert (busy.status, (await busy.json())["type"]) == (409, "urn:vtbridge:doctor-busy")
        doctor.busy, doctor.content = False, b""
        for method, path in (("GET", "doctor/sheet"), ("POST", "doctor"), ("POST", "doctor/keep")):
            answer = await served.session.request(
                method, f"/api/v1/{path}", json={"name": "x"} if "keep" in path else {}
            )
            assert (await answer.json())["type"] == "urn:vtbridge:no-drawing"

    with_server(body)


def test_examined_drawing_becomes_a_character() -> None:
    async def body(served: Served) -> None:
        examined = await served.session.post("/api/v1/doctor", json={"fixes": ["mouth"]})
        assert examined.status == 202
        kept = await served.session.post("/api/v1/doctor/keep", json={"name": "Me"})
        assert await kept.json() == {"character": "/characters/Me"}
        assert served.avatar.orders == ["examine auto ['mouth']", "keep Me"]

    with_server(body)
