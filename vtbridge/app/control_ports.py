"""The page with its API, and the OSC port: opened, told where they are, and given back."""

from __future__ import annotations

import contextlib
import logging

from vtbridge.config.schema import Config
from vtbridge.control.address import ControlAddress, remove_address, write_address
from vtbridge.control.api.avatar import Avatar
from vtbridge.control.osc_control import OscControl
from vtbridge.control.server import ControlServer
from vtbridge.errors import PortInUse

log = logging.getLogger(__name__)


async def open_page(
    stack: contextlib.AsyncExitStack, config: Config, avatar: Avatar, token: str
) -> ControlServer:
    """Return the page's server, whose address is left where programs find it.

    A taken port makes it take a free one.

    Args:
        stack: closes it.
        config: names the avatar and the port.
        avatar: is shown and commanded.
        token: that lets programs in.
    """
    server = ControlServer(config.control.http_port, token, avatar)
    try:
        await server.start()
    except PortInUse as error:
        log.warning("%s; taking a free one for now", error)
        server = ControlServer(0, token, avatar)
        await server.start()
    stack.push_async_callback(server.close)
    name, address = config.publish.name, ControlAddress(server.port, token)
    write_address(name, address)
    stack.callback(remove_address, name, address)
    return server


async def open_osc(stack: contextlib.AsyncExitStack, osc: OscControl, port: int) -> bool:
    """Let ``osc`` listen until ``stack`` closes; a taken port costs only that.

    Returns:
        False if it does not listen.
    """
    try:
        await osc.start(port)
    except PortInUse as error:
        log.warning("no commands over OSC: %s", error)
        return False
    stack.callback(osc.close)
    return True
