"""The folder beside an output that keeps what is done, until all of it is."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vtbridge.atomic_file import PART_SUFFIX, whole
from vtbridge.errors import ConfigError, VtbridgeError
from vtbridge.flow.file_lock import FileLock, LocksUnsupported

SUFFIX = ".unfinished"
RECORD_FILE = "job.json"
_LOCK_FILE = ".lock"
_PNG_NAME = re.compile(r"\d+\.png")

Record = Mapping[str, str]
"""Everything that decides about an output, by the name that users know it by."""


class WorkFolder:
    """One unfinished output; made by ``open_work``.

    Attributes:
        path: the folder.
        resumed: True if an earlier run left it.
    """

    def __init__(self, path: Path, *, resumed: bool) -> None:
        self.path = path
        self.resumed = resumed

    def subfolder(self, name: str) -> Path:
        """Return the folder of that name in it, which is there from now on."""
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        return folder

    def discard(self) -> None:
        """Delete the folder and all in it."""
        shutil.rmtree(self.path)


@contextmanager
def open_work(target: Path, record: Record, *, restart: bool = False) -> Iterator[WorkFolder]:
    """Open the work folder of ``target``, held against other processes.

    A block that fails before any work is done leaves no folder.

    Args:
        target: the output to be.
        record: what decides about it; a folder with work of another record is refused.
        restart: throw away what an earlier run left.

    Raises:
        ConfigError: the folder holds another job's work.
        VtbridgeError: another process works in it, or it cannot be made.
        OSError: the disk is full or cannot be written.
    """
    path = work_path(target)
    with FileLock(path / _LOCK_FILE) as lock:
        try:
            path.mkdir(parents=True, exist_ok=True)
            is_free = lock.acquire()
        except LocksUnsupported:
            is_free = True  # a network drive: go on unguarded
        except OSError as error:
            raise VtbridgeError(
                f"{path} cannot be written ({error.strerror}): choose another place for the output"
            ) from error
        if not is_free:
            raise VtbridgeError(
                f"another vtbridge is at work on {target} ({lock.holder()}): wait for it, "
                "or end it first"
            )
        if restart:
            _empty(path)
        try:
            yield WorkFolder(path, resumed=_claimed(path, target, record))
        except BaseException:
            _remove_without_work(path)
            raise


def work_path(target: Path) -> Path:
    """Return where the unfinished work on ``target`` lies."""
    return target.with_name(target.name + SUFFIX)


def check_target(target: Path, *, force: bool) -> None:
    """Refuse an output that must not be replaced, before anything is computed for it.

    Raises:
        ConfigError: it has no name; it is there and ``force`` is False; or it is a folder
            that holds more than numbered PNG files.
    """
    if not target.name:
        raise ConfigError(f"--output {target} names no file: write FOLDER/NAME.mp4")
    if not (target.exists() or target.is_symlink()):
        return
    if target.is_dir():
        foreign = next((p for p in target.iterdir() if not _PNG_NAME.fullmatch(p.name)), None)
        if foreign is not None:
            raise ConfigError(
                f"{target} is a folder that holds {foreign.name}: name a new folder, "
                "nothing but numbered PNG files is ever replaced"
            )
        if not any(target.iterdir()):
            return
    if not force:
        raise ConfigError(f"{target} is there already: name another output, or add --force")


def put_in_place(finished: Path, target: Path) -> None:
    """Move a finished file or folder to ``target`` on the same disk, replacing what is there."""
    if not target.is_dir() or target.is_symlink():
        finished.replace(target)
        return
    check_target(target, force=True)
    replaced = finished.with_name("replaced")  # deleted with the work folder
    target.rename(replaced)
    finished.rename(target)


def _claimed(path: Path, target: Path, record: Record) -> bool:
    """Return True if ``path`` already belongs to the job of ``record``, else make it so."""
    file = path / RECORD_FILE
    if not _holds_work(path):
        with whole(file) as part:
            part.write_text(json.dumps(dict(record), indent=1), "utf-8")
        return False
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise _foreign(path) from None
    except (ValueError, RecursionError):
        found = {}
    if found == dict(record):
        return True
    found = found if isinstance(found, dict) else {}
    differing = sorted(
        key for key in record.keys() | found.keys() if found.get(key) != record.get(key)
    )
    raise ConfigError(
        f"{path} holds unfinished work on {target.name} with another {', '.join(differing)}: "
        "give the same arguments as then to go on with it, add --restart to throw it away, "
        "or name another output"
    )


def _is_work(entry: Path) -> bool:
    """Return True for what would be missed; a file that was half written is begun anew."""
    is_part = entry.name.startswith(".") and entry.name.endswith(PART_SUFFIX)
    return entry.name not in (RECORD_FILE, _LOCK_FILE) and not is_part


def _holds_work(path: Path) -> bool:
    return any(map(_is_work, path.iterdir()))


def _foreign(path: Path) -> ConfigError:
    name = next(entry.name for entry in path.iterdir() if _is_work(entry))
    return ConfigError(f"{path} holds {name} but no work of vtbridge: move it out of the way")


def _remove_without_work(path: Path) -> None:
    # What went wrong before this is to be told, not that a folder could not be removed.
    with contextlib.suppress(OSError):
        if not _holds_work(path):
            shutil.rmtree(path)


def _empty(path: Path) -> None:
    """Delete the work in ``path``, but only if vtbridge made it."""
    if _holds_work(path) and not (path / RECORD_FILE).is_file():
        raise _foreign(path)
    entries = [entry for entry in path.iterdir() if entry.name != _LOCK_FILE]
    # The record goes last: a folder that was half emptied is still known as ours.
    for entry in sorted(entries, key=lambda entry: entry.name == RECORD_FILE):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
