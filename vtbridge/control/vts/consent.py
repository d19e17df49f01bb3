"""Ask the user whether a plugin may control the avatar.

Nothing pops up over a stream: the log says what to type. What a plugin may do until then is
learn that an avatar runs. Programs of this computer could be let in unasked, for they could
read the user's files as well; a web page could not, and any page may connect to loopback.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections import deque
from collections.abc import Callable, Mapping

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.control.vts.envelope import text_of
from vtbridge.control.vts.errors import ErrorId, RefusedError
from vtbridge.control.vts.plugins import PluginBook, PluginId
from vtbridge.control.vts.settings import Consent

log = logging.getLogger(__name__)

PATIENCE_S = 300.0
"""The user has this long to answer."""
_LOOK_PERIOD_S = 0.25
_DENIED_NS = 60 * NS_PER_S
"""A plugin that was denied is not asked for again so soon."""
_MAX_REMEMBERED = 64
_MAX_ASKING, _MAX_STRANGERS = 8, 2
_STRANGERS_A_MINUTE = 6
_ICON_SIDE = 128
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


class ConsentDesk:
    """Turns a plugin's request for a token into the user's answer.

    Args:
        book: where plugins and answers are kept.
        policy: what becomes of a plugin that is new.
        clock: the monotonic clock.
    """

    def __init__(self, book: PluginBook, policy: Consent, clock: Clock) -> None:
        self._book = book
        self._policy = policy
        self._clock = clock
        self._asking: dict[PluginId, str] = {}
        self._strangers_ns: deque[int] = deque(maxlen=_STRANGERS_A_MINUTE)
        self._denied_ns: dict[PluginId, int] = {}

    async def token_for(self, plugin: PluginId, *, origin: str, gone: Callable[[], bool]) -> str:
        """Return a new token for ``plugin`` once the user allows it.

        Args:
            plugin: who asks.
            origin: the web page or other computer it comes from, empty for a program of this.
            gone: whether it has hung up meanwhile.

        Raises:
            RefusedError: denied, not answered in time, or another is asked for just now.
        """
        if self._policy is Consent.NEVER:
            raise _denied("no new plugins are allowed: [control.vts] new_plugins")
        if self._policy is Consent.ALWAYS and not origin:
            log.info("plugin %s may control the avatar: new_plugins = always", plugin)
            return await asyncio.to_thread(self._book.grant, plugin)
        self._check(plugin, origin)
        self._asking[plugin] = origin
        try:
            answer = await self._ask(plugin, origin, gone)
        finally:
            self._asking.pop(plugin, None)
            await asyncio.to_thread(self._book.settle, plugin)
        if not answer:
            raise _denied("the user has denied this plugin, or did not answer")
        log.info("plugin %s may control the avatar from now on", plugin)
        return await asyncio.to_thread(self._book.grant, plugin)

    def _check(self, plugin: PluginId, origin: str) -> None:
        """Refuse to ask again and again, and to let a web page crowd out programs.

        Raises:
            RefusedError: not now.
        """
        now_ns = self._clock.now_ns()
        denied_ns = self._denied_ns.get(plugin)
        if denied_ns is not None and now_ns - denied_ns < _DENIED_NS:
            raise _denied("the user has denied this plugin")
        strangers = sum(1 for other in self._asking.values() if other)
        if (
            plugin in self._asking
            or len(self._asking) >= _MAX_ASKING
            or (origin and strangers >= _MAX_STRANGERS)
        ):
            raise RefusedError(
                ErrorId.TOKEN_REQUEST_ONGOING, "the user is being asked about plugins just now"
            )
        if origin:
            recent = self._strangers_ns
            if len(recent) == _STRANGERS_A_MINUTE and now_ns - recent[0] < 60 * NS_PER_S:
                raise _denied("web pages ask too often")
            recent.append(now_ns)

    async def _ask(self, plugin: PluginId, origin: str, gone: Callable[[], bool]) -> bool:
        answer = await asyncio.to_thread(self._book.ask, plugin, origin=origin)
        if answer is None:
            log.warning(
                "plugin %s%s asks to control the avatar; if you want that, type: "
                'vtbridge plugins allow "%s" (or: deny)',
                plugin,
                f" at {origin!r:.80}" if origin else "",
                plugin.name,
            )
        end_ns = self._clock.now_ns() + round(PATIENCE_S * NS_PER_S)
        while answer is None and not gone() and self._clock.now_ns() < end_ns:
            await asyncio.sleep(_LOOK_PERIOD_S)
            answer = self._book.answer_to(plugin)
        if answer is False:
            if len(self._denied_ns) >= _MAX_REMEMBERED:
                self._denied_ns.clear()
            self._denied_ns[plugin] = self._clock.now_ns()
            log.info("plugin %s is denied", plugin)
        return answer is True


def plugin_from(data: Mapping[str, object]) -> PluginId:
    """Return who asks for a token.

    Raises:
        RefusedError: a name that is too short, too long, or cannot be shown.
    """
    name, developer = text_of(data, "pluginName"), text_of(data, "pluginDeveloper")
    if not _is_a_name(name):
        raise RefusedError(ErrorId.PLUGIN_NAME_INVALID, "pluginName must have 3 to 32 characters")
    if not _is_a_name(developer):
        raise RefusedError(
            ErrorId.DEVELOPER_NAME_INVALID, "pluginDeveloper must have 3 to 32 characters"
        )
    icon = data.get("pluginIcon")
    if icon and not _is_an_icon(icon):
        raise RefusedError(
            ErrorId.PLUGIN_ICON_INVALID,
            f"pluginIcon must be a PNG or JPG of {_ICON_SIDE} x {_ICON_SIDE} pixels in base64",
        )
    return PluginId(name, developer)


def _is_a_name(name: str) -> bool:
    return 3 <= len(name) <= 32 and name.isprintable()


def _is_an_icon(icon: object) -> bool:
    """Return whether ``icon`` is a base64 PNG of the right size, or a JPEG; it is never drawn."""
    if not isinstance(icon, str):
        return False
    try:
        content = base64.b64decode(icon, validate=True)
    except (binascii.Error, ValueError):
        return False
    if content.startswith(_PNG):
        side = _ICON_SIDE.to_bytes(4, "big")
        return content[16:24] == side + side
    return content.startswith(_JPEG)


def _denied(message: str) -> RefusedError:
    return RefusedError(ErrorId.TOKEN_REQUEST_DENIED, message)
