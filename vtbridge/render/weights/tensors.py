"""The arrays in a weight file."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from vtbridge.errors import WeightsError


def parse_tensors(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of a safetensors file, float32 or float16, read-only views of it.

    Raises:
        WeightsError: it is no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays: dict[str, NDArray[Any]] = load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(f"not a safetensors file: {error}") from error
    return arrays
