"""What a throw-away process may do once it is about to read a file that nobody vouches for.

Limits come from the operating system where it has them; the audit hook works everywhere
and cannot be taken back. It is a second fence, not a sandbox: the first ones are the
pinned hashes and ``weights_only``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil

REFUSED_EXIT_CODE = 77
"""Exit code of a process that tried what it may not do."""

_FORBIDDEN_PREFIXES = ("subprocess.", "socket.", "shutil.", "pty.", "winreg.", "webbrowser.")
_FORBIDDEN = frozenset(
    {
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
        "os.kill",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.mkdir",
        "os.link",
        "os.symlink",
        "os.chmod",
        "os.chown",
        "os.truncate",
        "os.putenv",
        "ctypes.dlopen",
        "ctypes.dlsym",
    }
)


def limit_resources(*, memory_bytes: int, file_bytes: int, cpu_s: int) -> None:
    """Bound what this process may still use; does nothing where the system cannot.

    Args:
        memory_bytes: address space beyond what is mapped now.
        file_bytes: largest file it may write.
        cpu_s: processor seconds in all; then it is killed.
    """
    if sys.platform != "win32":
        import resource

        mapped = psutil.Process().memory_info().vms
        for kind, limit in (
            (resource.RLIMIT_AS, mapped + memory_bytes),
            (resource.RLIMIT_FSIZE, file_bytes),
            (resource.RLIMIT_CPU, cpu_s),
            (resource.RLIMIT_CORE, 0),
        ):
            _, hard = resource.getrlimit(kind)
            bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            try:
                resource.setrlimit(kind, (bound, bound))
            except (ValueError, OSError):
                if sys.platform == "linux":
                    raise  # macOS knows RLIMIT_AS only by name


def forbid_side_effects(writable: Path) -> None:
    """End this process at once if it starts programs, connects, or writes elsewhere.

    Everything that the caller will need must be imported before.

    Args:
        writable: the only folder below which files may be written.
    """
    inside = os.path.realpath(writable) + os.sep
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & writing:
                return
            if isinstance(path, int):
                return
            if os.path.realpath(os.fsdecode(path)).startswith(inside):  # type: ignore[arg-type]
                return
        elif event not in _FORBIDDEN and not event.startswith(_FORBIDDEN_PREFIXES):
            return
        os.write(2, f"\nforbidden: {event}\n".encode())
        os._exit(REFUSED_EXIT_CODE)

    sys.addaudithook(watch)
