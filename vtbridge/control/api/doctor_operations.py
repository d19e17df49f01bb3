"""The requests for the picture doctor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from aiohttp import web

from vtbridge.control.api.avatar import Avatar
from vtbridge.control.api.doctor import (
    MAX_DRAWING_BYTES,
    DoctorBusy,
    DoctorDesk,
    DoctorOrder,
    KeepOrder,
    Kept,
    NoPatient,
    Patient,
)
from vtbridge.control.api.models import Accepted
from vtbridge.control.api.operation import Operation, body_of, get, json_response, order
from vtbridge.control.api.problem import refusal
from vtbridge.errors import VtbridgeError

PNG = "image/png"
_MAX_NAME = 100
T = TypeVar("T")


def doctor_of(avatar: Avatar) -> DoctorDesk:
    """Return the doctor of ``avatar``.

    Raises:
        Refusal: there is none.
    """
    if avatar.doctor is None:
        raise refusal(
            409,
            "doctor-elsewhere",
            "No drawing is examined here",
            "another computer makes the frames",
            "ask the vtbridge on the computer that renders",
        )
    return avatar.doctor


def doctor_operations() -> Sequence[Operation]:
    """Return the requests."""
    return (
        get(
            "/doctor",
            "patient",
            "The drawing that is with the picture doctor, and what was found.",
            Patient,
            lambda avatar: doctor_of(avatar).patient(),
            problems=(409,),
        ),
        order(
            "POST",
            "/doctor",
            "examine",
            "Examine the drawing again, cut out or placed otherwise, or retouched.",
            DoctorOrder,
            lambda avatar, _names, wanted: _tried(lambda: doctor_of(avatar).examine(wanted)),
            problems=(409,),
        ),
        _picture("/doctor/drawing", "drawing", "The drawing.", lambda doctor: doctor.drawing),
        _picture("/doctor/sheet", "sheet", "The sheet to look at.", lambda doctor: doctor.sheet),
        Operation(
            "POST",
            "/doctor/keep",
            "keepCharacter",
            "Make a character of the examined drawing, among the user's own.",
            _keep,
            Kept,
            KeepOrder,
            problems=(400, 409, 413, 415, 422),
        ),
    )


async def admit(avatar: Avatar, request: web.Request) -> web.Response:
    """Take the drawing that ``request`` carries; what it is called stands in ``?name=``.

    Raises:
        Refusal: it is too large, or another one is at hand.
    """
    doctor = doctor_of(avatar)
    content = bytearray()
    async for chunk in request.content.iter_chunked(1 << 16):
        content += chunk
        if len(content) > MAX_DRAWING_BYTES:
            raise refusal(
                413,
                "too-large",
                "The drawing is too large",
                f"over {MAX_DRAWING_BYTES >> 20} MiB",
                "scale it down: 2048 pixels a side are plenty",
            )
    name = request.query.get("name", "")[:_MAX_NAME] or "drawing"
    _tried(lambda: doctor.admit(bytes(content), name))
    return json_response(Accepted(), 202)


def _picture(
    path: str, name: str, summary: str, read: Callable[[DoctorDesk], Callable[[], bytes]]
) -> Operation:
    async def run(avatar: Avatar, _request: web.Request) -> web.Response:
        made = read(doctor_of(avatar))
        return web.Response(body=await asyncio.to_thread(lambda: _tried(made)), content_type=PNG)

    return Operation("GET", path, name, summary, run, None, media=PNG, problems=(409,))


async def _keep(avatar: Avatar, request: web.Request) -> web.Response:
    wanted = await body_of(request, KeepOrder)
    doctor = doctor_of(avatar)
    character = await asyncio.to_thread(lambda: _tried(lambda: doctor.keep(wanted.name)))
    return json_response(Kept(character=character))


def _tried(act: Callable[[], T]) -> T:
    try:
        return act()
    except DoctorBusy as error:
        raise refusal(
            409,
            "doctor-busy",
            "The picture doctor is busy",
            "a drawing is being examined",
            "wait until GET /api/v1/doctor says done or failed",
        ) from error
    except NoPatient as error:
        raise refusal(
            409,
            "no-drawing",
            "There is no examined drawing",
            "none was sent, or it could not be examined",
            "send one in the studio, and see GET /api/v1/doctor",
        ) from error
    except VtbridgeError as error:
        raise refusal(
            409, "cannot-keep", "The character cannot be kept", str(error), "choose another name"
        ) from error
