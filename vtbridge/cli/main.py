"""The entry point, and what becomes of errors.

Importing it is next to nothing: what takes its time is imported where Ctrl-C is caught.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import NoReturn

from vtbridge.errors import VtbridgeError

INTERRUPTED = 130
"""Exit code of whatever Ctrl-C ended, as shells have it."""
TRACEBACK_VARIABLE = "VTBRIDGE_TRACEBACK"
"""Environment variable that shows where trouble with a file came from."""


def main() -> None:
    """Run the command line; errors meant for the user become one message and an exit code."""
    try:
        from vtbridge.cli.commands import app

        app()
    except VtbridgeError as error:
        _complain(str(error))
        leave(error.exit_code)
    except OSError as error:
        # A net below the places that know better; without a file it is more likely a bug.
        if error.filename is None or os.environ.get(TRACEBACK_VARIABLE):
            raise
        _complain(f"{error.filename}: {error.strerror} ({TRACEBACK_VARIABLE}=1 tells where)")
        leave(VtbridgeError.exit_code)
    except KeyboardInterrupt:
        leave(INTERRUPTED)
    except SystemExit as exit_:
        leave(exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None))


def _complain(message: str) -> None:
    import typer

    typer.secho(f"vtbridge: {message}", fg=typer.colors.RED, err=True)


def leave(code: int) -> NoReturn:
    """End the process with ``code``, also while a thread is still inside native code.

    A network may compute for longer than the daemon waits for it; the libraries' own
    destructors would then abort the process.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if any(thread.daemon for thread in threading.enumerate()):
        os._exit(code)
    sys.exit(code)
