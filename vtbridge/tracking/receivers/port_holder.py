"""Who has a port that vtbridge wants."""

from __future__ import annotations

import socket

import psutil


def process_of_port(port: int, kind: socket.SocketKind) -> psutil.Process | None:
    """Return the process that holds the UDP or TCP ``port`` here, None if that cannot be told."""
    family = "udp4" if kind is socket.SOCK_DGRAM else "tcp4"
    try:
        for connection in psutil.net_connections(kind=family):
            if connection.laddr and connection.laddr[1] == port and connection.pid:
                return psutil.Process(connection.pid)
    except psutil.Error:
        return None
    return None


def holder_of_port(port: int, kind: socket.SocketKind = socket.SOCK_DGRAM) -> str | None:
    """Return who holds ``port``, as ``name (pid 123)``, None if that cannot be told."""
    try:
        process = process_of_port(port, kind)
        return None if process is None else f"{process.name()} (pid {process.pid})"
    except psutil.Error:
        return None
