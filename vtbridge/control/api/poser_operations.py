"""The requests for posing by hand and for stills."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aiohttp import web

from vtbridge.control.api.avatar import Avatar
from vtbridge.control.api.models import Nothing
from vtbridge.control.api.operation import Operation, body_of, get, json_response, order
from vtbridge.control.api.poser import (
    HTTP_HOLDER,
    Parameters,
    PoseOrder,
    PoserDesk,
    ShownPose,
    StillChoices,
    StillOrder,
)
from vtbridge.control.api.problem import Refusal, refusal
from vtbridge.errors import VtbridgeError

PNG = "image/png"
MILLISECONDS_HEADER = "X-Vtbridge-Milliseconds"
RUNTIME_HEADER = "X-Vtbridge-Runtime"

_MAX_WAITING = 4


def desk_of(avatar: Avatar) -> PoserDesk:
    """Return who poses ``avatar`` by hand.

    Raises:
        Refusal: nobody does.
    """
    if avatar.poser is None:
        raise refusal(
            409,
            "posed-elsewhere",
            "Nothing is posed here",
            "another computer makes the frames",
            "ask the vtbridge on the computer that renders",
        )
    return avatar.poser


def hold(avatar: Avatar, pose: Mapping[str, float], holder: str) -> None:
    """Show ``pose`` until ``holder`` releases it.

    Raises:
        Refusal: it cannot be shown.
    """
    try:
        desk_of(avatar).hold(pose, holder)
    except KeyError as error:
        raise _unknown(error) from error


def release(avatar: Avatar, holder: str | None) -> None:
    """Let the face move the character again.

    Raises:
        Refusal: nothing is posed here.
    """
    desk_of(avatar).release(holder)


def poser_operations() -> Sequence[Operation]:
    """Return the requests."""
    stills = _Stills()
    return (
        get(
            "/parameters",
            "parameters",
            "What the character can be posed with.",
            Parameters,
            lambda avatar: desk_of(avatar).parameters(),
            problems=(409,),
        ),
        get(
            "/pose",
            "pose",
            "The pose that is shown.",
            ShownPose,
            lambda avatar: desk_of(avatar).shown(),
            problems=(409,),
        ),
        order(
            "PUT",
            "/pose",
            "holdPose",
            "Show a pose, whatever the face does, until it is released.",
            PoseOrder,
            lambda avatar, _names, wanted: hold(avatar, wanted.pose, HTTP_HOLDER),
            problems=(409,),
        ),
        order(
            "POST",
            "/release-pose",
            "releasePose",
            "Let the face move the character again.",
            Nothing,
            lambda avatar, _names, _order: release(avatar, None),
            problems=(409,),
        ),
        Operation(
            "GET",
            "/picture",
            "picture",
            "The drawing that is shown, as a PNG of 512 x 512 pixels.",
            _picture,
            None,
            media=PNG,
            problems=(409,),
        ),
        Operation(
            "GET",
            "/stills",
            "stillChoices",
            "With what stills can be drawn here.",
            _choices,
            StillChoices,
            problems=(409,),
        ),
        Operation(
            "POST",
            "/stills",
            "drawStill",
            f"Draw a pose as a PNG of 512 x 512 pixels; {MILLISECONDS_HEADER} tells how long it "
            f"took, and {RUNTIME_HEADER} what computed.",
            stills.draw,
            None,
            StillOrder,
            media=PNG,
            problems=(400, 409, 413, 415, 422),
        ),
    )


async def _picture(avatar: Avatar, _request: web.Request) -> web.Response:
    png = await asyncio.to_thread(desk_of(avatar).picture)
    return web.Response(body=png, content_type=PNG)


async def _choices(avatar: Avatar, _request: web.Request) -> web.Response:
    choices = await asyncio.to_thread(desk_of(avatar).choices)
    return json_response(choices)


class _Stills:
    """Draw stills one after the other, and let only a few wait."""

    def __init__(self) -> None:
        self._waiting = 0

    async def draw(self, avatar: Avatar, request: web.Request) -> web.Response:
        wanted = await body_of(request, StillOrder)
        desk = desk_of(avatar)
        if self._waiting >= _MAX_WAITING:
            raise refusal(
                429,
                "too-many",
                "Too many stills are being drawn",
                f"{self._waiting} of them are waiting",
                "wait for those to come, and ask again",
                headers={"Retry-After": "1"},
            )
        self._waiting += 1
        try:
            still = await asyncio.to_thread(desk.still, wanted)
        except KeyError as error:
            raise _unknown(error) from error
        except VtbridgeError as error:
            raise refusal(
                409,
                "cannot-draw",
                "The still cannot be drawn like that",
                str(error),
                "GET /api/v1/stills lists what stills can be drawn with here",
            ) from error
        finally:
            self._waiting -= 1
        return web.Response(
            body=still.png,
            status=HTTPStatus.OK,
            content_type=PNG,
            headers={
                MILLISECONDS_HEADER: f"{still.milliseconds:.1f}",
                RUNTIME_HEADER: still.runtime.encode("ascii", "replace").decode(),
            },
        )


def _unknown(error: KeyError) -> Refusal:
    return refusal(
        422,
        "unknown-name",
        "There is nothing of that name",
        str(error.args[0]),
        "GET /api/v1/parameters and GET /api/v1/stills list what there is",
    )
