"""What the settings of a protocol make of it."""

from __future__ import annotations

import pytest

from vtbridge.tracking.protocols.table import PROTOCOLS
from vtbridge.tracking.settings import TrackingSettings

FMV3 = next(row for row in PROTOCOLS if row.name == "fmv3")


@pytest.mark.parametrize(
    ("table", "port"),
    [
        ({}, 49983),
        ({"udp_port": 49993}, 49993),
        ({"transport": "tcp"}, 49984),
        ({"transport": "tcp", "tcp_port": 49994, "udp_port": 1}, 49994),
    ],
)
def test_a_phone_is_asked_where_its_app_listens(table: dict[str, object], port: int) -> None:
    settings = TrackingSettings.model_validate({"fmv3": {"phone": "192.168.1.20", **table}})
    greeting = FMV3.create(settings).greeting(10**9)
    assert greeting is not None
    assert (greeting.host, greeting.port) == ("192.168.1.20", port)
