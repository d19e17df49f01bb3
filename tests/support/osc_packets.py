"""OSC packets byte by byte, so that tests do not build them as the program does."""

from __future__ import annotations

import struct


def _padded(text: str) -> bytes:
    raw = text.encode()
    return raw + b"\0" * (4 - len(raw) % 4)


def message(address: str, *arguments: int | float | str | bool | None) -> bytes:
    """Return the packet of one message; Python's types choose the type tags."""
    tags, body = ",", b""
    for argument in arguments:
        if isinstance(argument, bool):
            tags += "T" if argument else "F"
        elif argument is None:
            tags += "N"
        elif isinstance(argument, int):
            tags, body = tags + "i", body + struct.pack(">i", argument)
        elif isinstance(argument, float):
            tags, body = tags + "f", body + struct.pack(">f", argument)
        else:
            tags, body = tags + "s", body + _padded(argument)
    return _padded(address) + _padded(tags) + body


def bundle(*packets: bytes) -> bytes:
    """Return a bundle with the time tag 1970, as some senders write it."""
    elements = (struct.pack(">i", len(packet)) + packet for packet in packets)
    return b"#bundle\0" + bytes(8) + b"".join(elements)
