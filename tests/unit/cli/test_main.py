"""Whatever goes wrong, the terminal shows one line and the exit code tells the rest."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from vtbridge.cli import commands
from vtbridge.cli.main import main
from vtbridge.errors import ConfigError

HEAVY = {"typer", "numpy", "rich", "vtbridge.cli.commands"}


def end_of(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """Return the exit code of a command that raises ``error``."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(commands, "app", fail)
    # The real one ends the process at once where a thread is left, as in a test's worker.
    monkeypatch.setattr("vtbridge.cli.main.leave", sys.exit)
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ConfigError("--size 1: write more"), 2, "vtbridge: --size 1: write more\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/full/a"),
            1,
            "vtbridge: /full/a: No space left on device (VTBRIDGE_TRACEBACK=1 tells where)\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_error_is_one_line_and_an_exit_code(
    error: BaseException,
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("VTBRIDGE_TRACEBACK", raising=False)
    assert end_of(error, monkeypatch) == code
    assert capsys.readouterr().err == told


def test_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        end_of(OSError(errno.EBADF, "Bad file descriptor"), monkeypatch)
    monkeypatch.setenv("VTBRIDGE_TRACEBACK", "1")
    with pytest.raises(OSError, match="No space"):
        end_of(OSError(errno.ENOSPC, "No space left on device", "/full"), monkeypatch)


def test_entry_point_is_there_before_anything_heavy_is_imported() -> None:
    """Ctrl-C can only be caught from then on."""
    script = f"import sys, vtbridge.cli.main; print({HEAVY} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "set()\n"


def test_ctrl_c_while_commands_are_imported_shows_no_traceback() -> None:
    """The import of the commands is cut short by what Ctrl-C raises."""
    script = """
import builtins, vtbridge.cli.main
real = builtins.__import__
def interrupted(name, *rest):
    if name == "vtbridge.cli.commands":
        raise KeyboardInterrupt
    return real(name, *rest)
builtins.__import__ = interrupted
vtbridge.cli.main.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (130, "")
