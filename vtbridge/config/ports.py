"""Which ports a config takes on this computer, and where two settings want the same one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from vtbridge.remote.settings import Role
from vtbridge.tracking.settings import (
    Fmv3Settings,
    IFacialMocapSettings,
    InputSettings,
    StreamingPhoneSettings,
)

if TYPE_CHECKING:
    from vtbridge.config.schema import Config


@dataclass(frozen=True, slots=True)
class TakenPort:
    """A port that the daemon listens on.

    Attributes:
        key: the setting that says so, such as ``("control", "osc_port")``.
        transport: UDP and TCP have numbers of their own.
        number: 1..65535.
        chosen: whether the number is the user's own, not the default.
        shared: whether it may be that of another shared port: trackers are told apart.
    """

    key: tuple[str, ...]
    transport: Literal["UDP", "TCP"]
    number: int
    chosen: bool
    shared: bool = False

    def __str__(self) -> str:
        return ".".join(self.key)


def taken_ports(config: Config) -> list[TakenPort]:
    """Return the ports of everything that is enabled, trackers first.

    A port 0 is left out: the system chooses a free one.
    """
    control, publish = config.control, config.publish
    ports = list(_tracker_ports(config))
    if control.osc_enabled:
        ports.append(_port(control, "UDP", "control", "osc_port"))
    ports.append(_port(control, "TCP", "control", "http_port"))
    if control.vts.enabled:
        ports.append(_port(control.vts, "TCP", "control", "vts", "port"))
    if config.remote.role is Role.RENDERER:
        ports.append(_port(config.remote, "UDP", "remote", "port"))
    if publish.media_enabled:
        ports.append(_port(publish, "TCP", "publish", "media_port"))
    return [port for port in ports if port.number]


def port_clashes(config: Config) -> Iterator[tuple[TakenPort, str]]:
    """Yield each port that cannot be had beside another one, and why; told where it was chosen."""
    ports = taken_ports(config)
    for place, port in enumerate(ports):
        rivals = [
            other
            for other in ports[:place]
            if (other.transport, other.number) == (port.transport, port.number)
            and not (other.shared and port.shared)
        ]
        if not rivals:
            continue
        if port.chosen:
            yield port, _sentence(port, rivals)
        else:
            yield from ((rival, _sentence(rival, [port])) for rival in rivals)


def _tracker_ports(config: Config) -> Iterator[TakenPort]:
    for name, table in config.tracking:
        if not isinstance(table, InputSettings) or not table.enabled:
            continue
        if not isinstance(table, StreamingPhoneSettings) or table.transport == "udp":
            yield _port(table, "UDP", "tracking", name, "port", shared=True)
        elif isinstance(table, IFacialMocapSettings):
            yield _port(table, "TCP", "tracking", name, "tcp_port")
        elif isinstance(table, Fmv3Settings) and table.phone is None:  # else it is dialled
            yield _port(table, "TCP", "tracking", name, "listen_port")


def _port(
    table: BaseModel, transport: Literal["UDP", "TCP"], *key: str, shared: bool = False
) -> TakenPort:
    name = key[-1]
    chosen = name in table.model_fields_set
    return TakenPort(key, transport, getattr(table, name), chosen, shared)


def _sentence(port: TakenPort, rivals: list[TakenPort]) -> str:
    others = ", ".join(map(str, rivals))
    return f"{port.transport} port {port.number} is {others} too; choose another"
