"""Build OSC messages and bundles with python-osc, which is never given what arrives."""

from __future__ import annotations

from collections.abc import Iterable

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

BUNDLE_HEADER_BYTES = 16
ELEMENT_SIZE_BYTES = 4


def build_message(address: str, *arguments: int | float | str | bool) -> OscMessage:
    """Return a message; floats become float32, whole numbers int32."""
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    return builder.build()


def build_bundle(messages: Iterable[OscMessage]) -> bytes:
    """Return the datagram of one bundle, to be used at once."""
    builder = OscBundleBuilder(IMMEDIATELY)
    for message in messages:
        builder.add_content(message)
    return builder.build().dgram


def build_bundles(messages: Iterable[OscMessage], largest_bytes: int) -> list[bytes]:
    """Return as many bundles as are needed for none to exceed ``largest_bytes``."""
    bundles: list[list[OscMessage]] = []
    room = 0
    for message in messages:
        size = message.size + ELEMENT_SIZE_BYTES
        if size > room:
            bundles.append([])
            room = largest_bytes - BUNDLE_HEADER_BYTES
        bundles[-1].append(message)
        room -= size
    return [build_bundle(bundle) for bundle in bundles]
