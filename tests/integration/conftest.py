"""Real programs that several integration tests share."""

from __future__ import annotations

from tests.support.obs import obs, obs_client

__all__ = ["obs", "obs_client"]
