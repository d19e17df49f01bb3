"""What the C extension offers; the protocol is integrations/include/vtbf.h."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

MAGIC: bytes
ABI_MAJOR: int
ABI_MINOR: int
HEADER_BYTES: int
SLOT_HEADER_BYTES: int
MIN_SLOTS: int
MAX_SLOTS: int
MAX_SIDE: int
MAX_PAYLOAD: int
STATE_INIT: int
STATE_LIVE: int
STATE_CLOSED: int
STATE_MOVED: int
HEALTH_READY: int
HEALTH_TRACKER_LOST: int
HEALTH_INFERENCE_FAILED: int
HEALTH_RUNTIME_FALLBACK: int
HEALTH_SLOW: int
HEALTH_INPUT_DOWN: int
HEALTH_OBS_UNREACHABLE: int
HEALTH_RECORDER_OFF: int
FOURCC_RGBA: int
FOURCC_BGRA: int
FLAG_REPEAT: int
FLAG_TRACKER_LOST: int
FLAG_PLACEHOLDER: int
ALPHA_STRAIGHT: int
ALPHA_PREMULTIPLIED: int
ALPHA_OPAQUE: int
BYTES_PER_PIXEL: int
FINE: int
TOO_SHORT: int
NO_MAGIC: int
WRONG_MAGIC: int
WRONG_ABI: int
SUPPORTED: int
READ_FRAME: int
READ_NONE: int
READ_TORN: int
READ_GONE: int
READ_BAD: int

# epoch, writer_pid, state, uuid, nominal_fps_x1000, latest, wake, heartbeat_ns, health_flags
Live: TypeAlias = tuple[int, int, int, bytes, int, int, int, int, int]

# frame_no, epoch, t_capture_ns, t_publish_ns, width, height, stride, fourcc, flags, crc32,
# alpha_mode, primaries, transfer, range
Slot: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int, int]

class Writer:
    """The stores of one writer into a mapping; the mapping stays until ``release``."""

    def __new__(
        cls,
        memory: Buffer,
        slot_count: int,
        max_payload: int,
        epoch: int,
        latest: int,
        pid: int,
        uuid: bytes,
        fps_x1000: int,
    ) -> Writer: ...
    def publish(
        self,
        pixels: Buffer | NDArray[np.uint8],
        width: int,
        height: int,
        t_capture_ns: int,
        flags: int,
        alpha_mode: int,
        /,
    ) -> int: ...
    def beat(self) -> None: ...
    def set_health(self, flags: int, /) -> None: ...
    def release(self, state: int, /) -> None: ...

# problem, its text, (slot_count, max_payload, whether this version would lay it out so)
def check_header(
    header: Buffer, file_bytes: int, /
) -> tuple[int, str, tuple[int, int, bool] | None]: ...
def total_bytes(slot_count: int, max_payload: int, /) -> int: ...
def read_live(fd: int, /) -> Live | None: ...
def read_newest(
    fd: int, header: Buffer, file_bytes: int, seen: int, /
) -> tuple[int, int, Slot, bytes] | tuple[int, int, None, None]: ...
def wait(page: Buffer, wake_seen: int, timeout_ns: int, /) -> int: ...
def try_lock(fd: int, /) -> bool: ...
def is_locked(fd: int, /) -> bool: ...
