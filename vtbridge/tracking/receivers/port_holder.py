"""Who has a port that vtbridge wants."""

from __future__ import annotations

import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_MOST_INTERPRETER_ARGUMENTS = 4
"""Where the command line says ``python -X dev -m vtbridge``, the program's name comes later."""


@dataclass(frozen=True, slots=True)
class PortHolder:
    """The process that has a port; as text ``vmagicmirror (pid 123)``.

    Attributes:
        pid: its number.
        name: of the program.
        command: of vtbridge, such as ``trackers``, None for every other program.
    """

    pid: int
    name: str
    command: str | None = None

    def __str__(self) -> str:
        name = self.name if self.command is None else f"`vtbridge {self.command}`"
        return f"{name} (pid {self.pid})"


def holders_of_ports(
    ports: Collection[int], kind: socket.SocketKind = socket.SOCK_DGRAM
) -> dict[int, PortHolder]:
    """Return who holds each of ``ports``, as far as that can be told; one look for all."""
    family = "udp4" if kind is socket.SOCK_DGRAM else "tcp4"
    try:
        found = {
            connection.laddr[1]: connection.pid
            for connection in psutil.net_connections(kind=family)
            if connection.laddr and connection.pid and connection.laddr[1] in ports
        }
    except psutil.Error:
        return {}  # some systems tell only an administrator
    known = {pid: _holder(pid) for pid in set(found.values())}
    return {port: holder for port, pid in found.items() if (holder := known[pid]) is not None}


def holder_of_port(port: int, kind: socket.SocketKind = socket.SOCK_DGRAM) -> PortHolder | None:
    """Return who holds ``port``, None if that cannot be told."""
    return holders_of_ports((port,), kind).get(port)


def vtbridge_command(arguments: Sequence[str]) -> str | None:
    """Return which command of vtbridge a process runs, None if it is not vtbridge.

    Args:
        arguments: its command line, ``python -m vtbridge run`` or ``/usr/bin/vtbridge run``.
    """
    for index, argument in enumerate(arguments[: _MOST_INTERPRETER_ARGUMENTS + 1]):
        if Path(argument).stem == "vtbridge" and index + 1 < len(arguments):
            return arguments[index + 1]
    return None


def ports_taken(ports: Sequence[int], holders: dict[int, PortHolder], kind: str = "UDP") -> str:
    """Return one sentence for each holder of ``ports``, with what to do about it."""
    by_holder: dict[PortHolder | None, list[str]] = {}
    for port in ports:
        by_holder.setdefault(holders.get(port), []).append(str(port))
    return "; ".join(
        f"{kind} port{'s' if len(held) > 1 else ''} {', '.join(held)} "
        f"{'are' if len(held) > 1 else 'is'} {_held_by(holder)}"
        for holder, held in by_holder.items()
    )


def _held_by(holder: PortHolder | None) -> str:
    remedy = "close it, or set other ports under [tracking] and send there"
    if holder is None:
        return f"taken by another program: {remedy}"
    return f"taken by {holder}: {'end it' if holder.command is not None else remedy}"


def _holder(pid: int) -> PortHolder | None:
    """Return what can be told about a process, None if it has ended."""
    try:
        process = psutil.Process(pid)
        name = process.name()
    except psutil.Error:
        return None
    try:
        return PortHolder(pid, name, vtbridge_command(process.cmdline()))
    except psutil.Error:  # another user's
        return PortHolder(pid, name)
