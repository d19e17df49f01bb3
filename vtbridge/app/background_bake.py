"""A bake beside the avatar: a process of its own, behind everything else on the machine.

The daemon stays free of what baking needs (PyTorch, a gigabyte), and a bake that crashes costs
nothing but itself. It is told to end by closing its standard input, which also happens when
the daemon dies; what it has learnt so far is kept, and the next one goes on from there.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vtbridge.errors import AlreadyBaking
from vtbridge.flow.service import ThreadService

log = logging.getLogger(__name__)

_LONGEST_LINE: Final = 4096
_END_S: Final = 60.0  # that a bake may take to write what it has learnt
_LAST_IN_LINE: Final = int(getattr(subprocess, "IDLE_PRIORITY_CLASS", 0))
"""Windows alone has it; elsewhere the bake itself steps back."""


@dataclass(frozen=True, slots=True)
class BakeProgress:
    """How far a bake is, as ``vtbridge character bake --news`` tells.

    Attributes:
        phase: what it does, for people.
        baked_s: seconds baked, in all runs together.
        wanted_s: of so many.
        psnr_db: of the best model, None while there is none.
    """

    phase: str
    baked_s: float
    wanted_s: float
    psnr_db: float | None


def bake_command(
    character: str, package: Path, *, minutes: float, weights: str, threads: int
) -> list[str]:
    """Return the command that bakes a character into ``package`` and tells how far it is.

    Args:
        character: its name or path.
        package: the folder.
        minutes: how long, in all runs together.
        weights: name of the teacher's weights.
        threads: of the bake; 0 = every core.
    """
    return [
        *(sys.executable, "-m", "vtbridge", "character", "bake", character, "-o", str(package)),
        *("--minutes", f"{minutes:g}", "--weights", weights, "--threads", str(threads)),
        *("--news", "--json"),
    ]


class BackgroundBake(ThreadService):
    """Run a bake and listen to it.

    Args:
        command: prints a line of JSON for each news; ends when its standard input is closed.
        told: called on this service's thread with each news.

    Attributes:
        progress: the newest news, None before the first.
        trouble: why it ended against its will, for people; empty if it did not.
        elsewhere: another process bakes this character; its models come without ours.
    """

    def __init__(
        self, command: Sequence[str], told: Callable[[BakeProgress], None] = lambda news: None
    ) -> None:
        super().__init__("bake")
        self._command = list(command)
        self._told = told
        self._process: subprocess.Popen[bytes] | None = None
        self.progress: BakeProgress | None = None
        self.trouble = ""
        self.elsewhere = False

    def serve(self) -> None:
        """Bake until it is done, fails, or is stopped."""
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is the daemon's; it tells the bake in its own way
                creationflags=_LAST_IN_LINE,
            )
        except OSError as error:
            self._failed(f"it could not be started ({error})")
            return
        self._process = process
        if self.stopping.is_set():
            self.interrupt()
        last_words = ""
        with process:
            if process.stdout is None:  # pragma: no cover - it was asked for above
                return
            while line := process.stdout.readline(_LONGEST_LINE):
                progress = _progress(line)
                if progress is None:
                    last_words = line.decode(errors="replace").strip() or last_words
                else:
                    self.progress = progress
                    self._told(progress)
            try:
                code = process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
        if code == AlreadyBaking.exit_code:
            self.elsewhere = True
        elif code and not self.stopping.is_set():
            self._failed(last_words.removeprefix("vtbridge: ") or f"exit code {code}")

    def interrupt(self) -> None:
        """Let the bake write what it has learnt and end; it is not waited for long."""
        process = self._process
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def _failed(self, reason: str) -> None:
        self.trouble = reason
        log.warning("the character is not being prepared: %s", reason)


def _progress(line: bytes) -> BakeProgress | None:
    """Return the news in a line, None if there is none."""
    try:
        news: Any = json.loads(line)["news"]
        psnr_db = news["psnr_db"]
        return BakeProgress(
            phase=str(news["phase"]),
            baked_s=float(news["baked_s"]),
            wanted_s=float(news["wanted_s"]),
            psnr_db=None if psnr_db is None else float(psnr_db),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
