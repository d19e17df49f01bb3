"""The command line in this process, where a process of its own is not the promise."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.daemon import isolated_environment
from vtbridge.cli.main import main


@dataclass(frozen=True)
class Told:
    """What a command left behind, as ``subprocess.CompletedProcess`` has it."""

    returncode: int
    stdout: str
    stderr: str


def run_here(
    *arguments: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Told:
    """Run ``vtbridge ARGUMENTS`` to its end in ``cwd``, without starting Python anew."""
    out, err = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["vtbridge", *arguments])
        # The real one ends the process at once where a thread is left, as in a test's worker.
        patch.setattr("vtbridge.cli.main.leave", sys.exit)
        if cwd is not None:
            patch.chdir(cwd)
        for name, value in {"NO_COLOR": "1", "COLUMNS": "200", **(environment or {})}.items():
            patch.setenv(name, value)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
    return Told(code, out.getvalue(), err.getvalue())


def run_isolated(folder: Path, *arguments: str, **environment: str) -> Told:
    """As ``run_here``, with its state below ``folder``."""
    return run_here(*arguments, environment=isolated_environment(folder) | environment)
