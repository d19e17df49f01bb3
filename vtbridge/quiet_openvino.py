"""OpenVINO, imported so that it tells nobody; everything here imports it from this module.

Its import loads its conversion tools, which report the import to Google Analytics and
write a client's number into ``~/intel``, unless their telemetry package is not there:
they then use a stub of their own. So it is made to look absent.
"""

from __future__ import annotations

import sys

if "openvino" not in sys.modules:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov
from openvino import opset13

__all__ = ["opset13", "ov"]
