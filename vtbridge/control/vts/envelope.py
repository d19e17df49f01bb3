"""Text in, request out; answer in, text out: the API's JSON envelope."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from vtbridge.control.vts.errors import ErrorId, RefusedError

API_NAME = "VTubeStudioPublicAPI"
API_VERSION = "1.0"
MAX_REQUEST_ID = 64
_NUMBER_LIMIT = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a plugin.

    Attributes:
        kind: its ``messageType``.
        request_id: chosen by the plugin, empty if it chose none.
        data: its payload, empty where it sent none; nothing in it is checked.
    """

    kind: str
    request_id: str
    data: Mapping[str, object]


def parse_request(text: str) -> Request:
    """Return the request that ``text`` holds.

    Raises:
        RefusedError: it is no request, and why.
    """
    try:
        message = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise RefusedError(ErrorId.JSON_INVALID, "this is no valid JSON") from None
    if not isinstance(message, dict):
        raise RefusedError(ErrorId.JSON_INVALID, "a request is a JSON object")
    request_id = message.get("requestID")
    request_id = "" if request_id is None else request_id
    if not (
        isinstance(request_id, str)
        and len(request_id) <= MAX_REQUEST_ID
        and all(" " <= letter <= "~" for letter in request_id)
    ):
        raise RefusedError(
            ErrorId.REQUEST_ID_INVALID, f"a requestID is 1 to {MAX_REQUEST_ID} ASCII characters"
        )
    if message.get("apiName") != API_NAME:
        raise RefusedError(
            ErrorId.API_NAME_INVALID, f'apiName must be "{API_NAME}"', request_id=request_id
        )
    if message.get("apiVersion") != API_VERSION:
        raise RefusedError(
            ErrorId.API_VERSION_INVALID,
            f'apiVersion must be "{API_VERSION}"',
            request_id=request_id,
        )
    kind = message.get("messageType")
    if not isinstance(kind, str) or not kind:
        raise RefusedError(
            ErrorId.REQUEST_TYPE_MISSING, "messageType is missing", request_id=request_id
        )
    data = message.get("data")
    return Request(kind, request_id, data if isinstance(data, dict) else {})


def encode_message(
    kind: str, request_id: str, data: Mapping[str, object], *, timestamp_ms: int
) -> str:
    """Return the text of an answer, an error or an event."""
    return json.dumps(
        {
            "apiName": API_NAME,
            "apiVersion": API_VERSION,
            "timestamp": timestamp_ms,
            "messageType": kind,
            "requestID": request_id,
            "data": data,
        }
    )


def text_of(data: Mapping[str, object], name: str) -> str:
    """Return the text ``name`` of a payload, empty if it is absent or no text."""
    value = data.get(name)
    return value if isinstance(value, str) else ""


def flag_of(data: Mapping[str, object], name: str) -> bool:
    """Return the flag ``name`` of a payload, False if it is absent or no flag."""
    return data.get(name) is True


def number_of(value: object) -> float | None:
    """Return ``value`` as a float, None unless it is a number within a million of 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(value) if -_NUMBER_LIMIT <= value <= _NUMBER_LIMIT else None


def texts_of(value: object) -> list[str] | None:
    """Return ``value`` if it is a list of texts, [] if it is absent, None if anything else."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return None
    return value


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")
