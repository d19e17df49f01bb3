"""Look things over in a process of its own: what crashes or hangs there is one more finding.

A library built for a newer processor ends its process at once, a broken driver hangs it.
The process is started anew behind whatever ended it. It is not in the terminal's
foreground, so that Ctrl-C reaches us alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import IO, Any

from vtbridge.app.finding import Finding, Verdict
from vtbridge.config.schema import Config

PATIENCE_S = 180.0
"""The longest that a check may take; slow machines load networks for half a minute."""
COMMAND = (sys.executable, "-m", "vtbridge.app.doctor_process")
_END = {"end": True}


def examine_apart(
    config: Config, *, command: Sequence[str] = COMMAND, patience_s: float = PATIENCE_S
) -> Iterator[Finding]:
    """Yield what each check finds, or that it crashed or hung.

    Args:
        config: all settings.
        command: starts ``main`` here; the number of its first check follows.
        patience_s: how long to wait for each word of it.
    """
    first = 0
    while True:
        doing = ""
        with _started([*command, str(first)], config) as (process, told, errors):
            try:
                while (word := told.get(timeout=patience_s)) not in (None, _END):
                    if "begin" in word:
                        doing, first = word["begin"], word["number"] + 1
                    else:
                        yield Finding(**{**word, "verdict": Verdict(word["verdict"])})
                if word == _END:
                    return
                trouble = _end_of(process)
            except queue.Empty:
                trouble = f"gives no answer within {patience_s:g} s"
            said = _last_line(errors)
        if not doing:
            yield Finding("vtbridge", Verdict.FAILURE, f"{trouble}: {said}", "install it anew")
            return
        seen = f"{trouble} ({said})" if said else trouble
        yield Finding(doing, Verdict.FAILURE, seen)


@contextlib.contextmanager
def _started(
    command: Sequence[str], config: Config
) -> Iterator[tuple[subprocess.Popen[bytes], queue.Queue[Any], IO[bytes]]]:
    """Start the process; give it, what it tells (None = no more), and its error output."""
    told: queue.Queue[Any] = queue.Queue()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        with process:
            try:
                if process.stdin is None or process.stdout is None:
                    raise ValueError("a process without pipes")
                with contextlib.suppress(OSError):  # it ended already
                    process.stdin.write(config.model_dump_json().encode())
                    process.stdin.close()
                threading.Thread(target=_read, args=(process.stdout, told), daemon=True).start()
                yield process, told, errors
            finally:
                process.kill()


def _read(lines: IO[bytes], told: queue.Queue[Any]) -> None:
    """Hand on each line, and None at the end."""
    with contextlib.suppress(ValueError):  # cut short
        for line in lines:
            told.put(json.loads(line))
    told.put(None)


def _end_of(process: subprocess.Popen[bytes]) -> str:
    """Return how a process ended that should have gone on."""
    code = process.wait()
    if code >= 0:
        return f"ends the program with exit code {code:#x}"
    with contextlib.suppress(ValueError):
        return f"crashes the program with {signal.Signals(-code).name}"
    return f"crashes the program with signal {-code}"


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def main() -> None:
    """Be the process: settings come on stdin, findings go to stdout, one JSON object a line."""
    words = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no finding

    def tell(word: dict[str, Any]) -> None:
        words.write(json.dumps(word) + "\n")
        words.flush()

    config = Config.model_validate_json(sys.stdin.buffer.read())

    from vtbridge.app.doctor import CHECKS, findings_of

    for number, name in enumerate(CHECKS):
        if number >= int(sys.argv[1]):
            tell({"begin": name, "number": number})
            for finding in findings_of(name, config):
                tell(asdict(finding))
    tell(_END)


if __name__ == "__main__":
    main()
