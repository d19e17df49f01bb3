"""The request that sets up OBS."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiohttp import web

from vtbridge.control.api.avatar import Avatar
from vtbridge.control.api.models import Nothing
from vtbridge.control.api.obs_setup import ObsSetUp
from vtbridge.control.api.operation import Operation, body_of, json_response
from vtbridge.control.api.problem import refusal
from vtbridge.errors import VtbridgeError


def obs_operations() -> Sequence[Operation]:
    """Return the request."""
    return (
        Operation(
            "POST",
            "/obs-setup",
            "setUpObs",
            "Make the scene and the avatar's source in the OBS that runs; a second time changes "
            "nothing.",
            _set_up_obs,
            ObsSetUp,
            Nothing,
            problems=(400, 409, 413, 415, 422),
        ),
    )


async def _set_up_obs(avatar: Avatar, request: web.Request) -> web.Response:
    await body_of(request, Nothing)
    try:
        return json_response(await asyncio.to_thread(avatar.set_up_obs))
    except VtbridgeError as error:
        raise refusal(
            409,
            "obs-not-set-up",
            "OBS could not be set up",
            str(error),
            "see `vtbridge obs status` for what OBS says",
        ) from error
