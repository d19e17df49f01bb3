"""Write a ``.vtbrec`` while the trackers send: a slow or full disk never holds them up."""

from __future__ import annotations

import contextlib
import errno
import gzip
import logging
import os
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, cast

from vtbridge.clock import Clock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError, VtbridgeError
from vtbridge.flow.service import ThreadService
from vtbridge.tracking.recordings.face_json import encode_face, parse_face
from vtbridge.tracking.recordings.session import (
    LONGEST_SESSION_NS,
    MAX_NAME_BYTES,
    MAX_SESSION_BYTES,
    Record,
    RecordedCalibration,
    RecordedDatagram,
    RecordedFace,
    RecordedLoss,
    SessionHeader,
    encode_header,
    encode_record,
)

log = logging.getLogger(__name__)

MAX_WAITING_BYTES = 16 << 20
"""What may wait for the disk: a minute of the busiest tracker."""
LAST_WRITE_S = 10.0
"""For so long the end of a recording waits for the disk to take what is left."""

_RECORD_COST = 512
"""Bytes a record is taken to need in memory beside its data; a face needs about ten of it."""
_LONGEST_SOURCE = MAX_NAME_BYTES // 4  # characters of UTF-8
_FACE_COST = 10 * _RECORD_COST
_RECORDS_PER_WRITE = 4096
_WRITE_INTERVAL_S = 0.5
_COMPRESSION = 5


def check_new(path: Path) -> None:
    """Say early that ``create_session`` would fail.

    Raises:
        VtbridgeError: ``path`` is there already, or its folder is not or takes no file.
    """
    if os.path.lexists(path):
        raise VtbridgeError(f"{path} is there already; name another file, or move it")
    if not path.parent.is_dir():
        raise _cannot_be_made(path, f"there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise _cannot_be_made(path, os.strerror(errno.EACCES))


def _cannot_be_made(path: Path, reason: str) -> VtbridgeError:
    return VtbridgeError(
        f"{path} cannot be made: {reason}; name a file in a folder that you can write to"
    )


def create_session(path: Path, header: SessionHeader, clock: Clock) -> SessionWriter:
    """Return the writer of a new file that only its owner may read, gzipped if it ends in ``.gz``.

    Raises:
        VtbridgeError: there is such a file already, or it cannot be made.
    """
    check_new(path)
    try:
        path.touch(mode=0o600, exist_ok=False)
        file: BinaryIO
        if path.suffix == ".gz":
            file = cast("BinaryIO", gzip.GzipFile(path, "wb", _COMPRESSION))
        else:
            file = cast("BinaryIO", path.open("wb", buffering=0))  # tells what a full disk took
    except OSError as error:
        raise _cannot_be_made(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _cannot_be_made(path, str(error)) from error
    try:
        return SessionWriter(file, header, str(path), clock)
    except VtbridgeError:
        file.close()
        path.unlink()
        raise


class SessionWriter(ThreadService):
    """Keep what trackers bring; a ``Tap`` that any thread may call and that never waits.

    What does not fit into memory while the disk is slow is counted and left out. When
    the disk is full or the file as long as it may be, recording ends with one warning.

    Attributes:
        records: how many are in the file.
        size: bytes of the file so far, unpacked.
        lost: records left out so far.
        trouble: what ended the recording, empty while it goes on.

    Args:
        file: open for writing, and not buffered; closed at the end.
        header: the file's first words.
        name: of the file, for messages.
        clock: tells when a face came.
        max_bytes: length at which recording ends.

    Raises:
        VtbridgeError: the header does not fit.
    """

    def __init__(
        self,
        file: BinaryIO,
        header: SessionHeader,
        name: str,
        clock: Clock,
        *,
        max_bytes: int = MAX_SESSION_BYTES,
    ) -> None:
        super().__init__("recording")
        self.records = 0
        self.size = 0
        self.lost = 0
        self.trouble = ""
        self._file = file
        self._file_name = name
        self._clock = clock
        self._max_bytes = max_bytes
        self._start = encode_header(header)
        self._lock = threading.Lock()
        self._waiting: deque[Record] = deque()
        self._waiting_bytes = 0
        self._not_taken = 0
        self._first_ns: int | None = None
        self._newest_ns = 0

    def datagram(self, source: str, data: bytes, t_ns: int, *, fresh: bool = False) -> None:
        """Keep one datagram; the name of ``source`` begins with its protocol's."""
        protocol = source.partition(":")[0]
        self._add(RecordedDatagram(t_ns, source, protocol, data, fresh), len(data) + _RECORD_COST)

    def face(self, face: FaceFrame) -> None:
        """Keep one face that came without a datagram just now, whenever it was seen."""
        if len(face.source) > _LONGEST_SOURCE:  # a microphone's name may be of any length
            face = replace(face, source=face.source[:_LONGEST_SOURCE])
        t_ns = max(self._clock.now_ns(), face.t_ns)
        self._add(RecordedFace(t_ns, face), _FACE_COST)

    def calibration(self, t_ns: int) -> None:
        """Keep that the user asked for a new neutral face at ``t_ns``."""
        self._add(RecordedCalibration(t_ns), _RECORD_COST)

    def serve(self) -> None:
        """Write what waits, again and again, and all of it at the end."""
        self._write_start()
        while not self.stopping.wait(_WRITE_INTERVAL_S):
            self._write_waiting()
        self._write_waiting()
        try:
            self._file.close()
        except OSError as error:
            self._give_up(error.strerror or str(error))
        log.info(
            "%s holds %d datagrams and faces (%.1f MiB)",
            self._file_name,
            self.records,
            self.size / 2**20,
        )
        if self.lost:
            log.warning("left out of %s: %d records", self._file_name, self.lost)

    def stop(self, *, timeout_s: float = LAST_WRITE_S) -> bool:
        """Ask the thread to write the rest and end; return whether it did in time."""
        stopped = super().stop(timeout_s=timeout_s)
        if stopped:
            with contextlib.suppress(OSError):
                self._file.close()  # of a writer that was never started
        else:
            log.warning(
                "the disk did not take the rest of %s within %g s; its end is missing",
                self._file_name,
                timeout_s,
            )
        return stopped

    def _write_start(self) -> None:
        self._append(self._start)

    def _add(self, record: Record, cost: int) -> None:
        with self._lock:
            if self.trouble or self._waiting_bytes + cost > MAX_WAITING_BYTES:
                self.lost += 1
                self._not_taken += 1
                return
            self._waiting.append(record)
            self._waiting_bytes += cost

    def _write_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
            self._waiting_bytes = 0
            not_taken, self._not_taken = self._not_taken, 0
        # A thread looks at the clock before it is its turn to put a record here.
        records = sorted(waiting, key=lambda record: record.t_ns)
        for start in range(0, len(records), _RECORDS_PER_WRITE):
            self._write(records[start : start + _RECORDS_PER_WRITE])
        if not_taken and not self.trouble:
            self._write([RecordedLoss(self._newest_ns, not_taken)])

    def _write(self, records: Sequence[Record]) -> None:
        """Append ``records``, or count them as lost."""
        good = [content for content in map(self._encoded, records) if content]
        content = b"".join(good)
        if not self.trouble and self.size + len(content) > self._max_bytes:
            self._give_up(f"it has {self.size} bytes, which is as long as it may be")
        taken = 0 if self.trouble else self._append(content)
        kept = bisect_right(list(accumulate(map(len, good))), taken)
        with self._lock:
            self.lost += len(records) - kept
        self.records += kept

    def _append(self, content: bytes) -> int:
        """Write ``content``, and return how many bytes of it are in the file for sure."""
        taken = 0
        try:
            while taken < len(content):
                taken += self._file.write(content[taken:])
            self._file.flush()  # a crash costs a moment only
        except OSError as error:
            self._give_up(error.strerror or str(error))
            if taken == len(content):  # into gzip's memory, and no further
                return 0
        self.size += taken
        return taken

    def _encoded(self, record: Record) -> bytes:
        # Even a thread that was held up for long makes no time run back in the file.
        t_ns = self._newest_ns = max(record.t_ns, self._newest_ns)
        if t_ns != record.t_ns:
            record = replace(record, t_ns=t_ns)
        if self._first_ns is None:
            self._first_ns = t_ns
        if t_ns - self._first_ns > LONGEST_SESSION_NS:
            self._give_up("it has gone on for a week")
        try:
            if isinstance(record, RecordedFace):
                age_ns = t_ns - record.face.t_ns
                parse_face(encode_face(record.face, age_ns), t_ns, record.face.source)
            return encode_record(record)
        except (ValueError, PacketError):  # such as NaN: it would spoil the file
            return b""

    def _give_up(self, trouble: str) -> None:
        if not self.trouble:
            self.trouble = trouble
            log.warning("recording to %s stopped: %s", self._file_name, trouble)
