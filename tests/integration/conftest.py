"""Fixtures that several integration tests share."""

from __future__ import annotations

from tests.support.animate_job import short_pieces
from tests.support.browser import browser, page
from tests.support.inlet import open_inlet, sender
from tests.support.obs import built_plugin, obs, obs_client
from tests.support.prepared import prepared_michi
from tests.support.reference_wheel import reference_wheel

__all__ = [
    "browser",
    "built_plugin",
    "obs",
    "obs_client",
    "open_inlet",
    "page",
    "prepared_michi",
    "reference_wheel",
    "sender",
    "short_pieces",
]
