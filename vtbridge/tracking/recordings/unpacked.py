"""Read a file as it is, or what it holds where it is gzipped, whatever its name."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, cast

UNPACKING_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)
"""What reading raises, beside OSError, where a gzipped file is damaged or cut short."""

_GZIP_MAGIC = b"\x1f\x8b"


def open_unpacked(path: Path) -> BinaryIO:
    """Return the file at ``path`` for reading.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    return cast("BinaryIO", gzip.GzipFile(path, "rb")) if packed else path.open("rb")
