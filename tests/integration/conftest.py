"""Real programs that several integration tests share."""

from __future__ import annotations

from tests.support.obs import obs, obs_client
from tests.support.reference_wheel import reference_wheel

__all__ = ["obs", "obs_client", "reference_wheel"]
