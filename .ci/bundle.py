"""Where the one-file vtbridge begins; .ci/bundle.spec makes it.

A bundle has no ``python`` beside it: ``sys.executable`` is the bundle, and takes ``-m MODULE`` as
Python does, for the processes that vtbridge starts. It has no PyTorch either, which alone could
convert the networks' weights; so it brings them converted, and puts them into the user's store.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import shutil
import sys
from pathlib import Path

WEIGHTS = "tha3-separable-float"
BROUGHT = Path(getattr(sys, "_MEIPASS", Path(__file__).parent)) / "brought"


def bring_weights(brought: Path, root: Path) -> bool:
    """Copy the weights in ``brought`` into the store ``root`` unless it has some.

    Whoever comes second finds the whole of them, or none: they are put there by one rename.

    Returns:
        Whether they were copied.

    Raises:
        OSError: they cannot be written.
    """
    source, target = brought / WEIGHTS, root / WEIGHTS
    if target.exists() or not source.is_dir():
        return False
    root.mkdir(parents=True, exist_ok=True)
    part = root / f".{WEIGHTS}.{os.getpid()}"
    try:
        shutil.copytree(source, part, copy_function=shutil.copyfile)
        try:
            part.rename(target)
        except OSError:
            if target.exists():
                return False
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return True


def main() -> None:
    """Run vtbridge, or the module that one of its processes asks for."""
    multiprocessing.freeze_support()
    if sys.argv[1:2] == ["-m"]:
        del sys.argv[:2]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        return
    from vtbridge.cli.main import main as command_line
    from vtbridge.render.weights.store import default_root

    try:
        if bring_weights(BROUGHT, default_root()):
            record = json.loads(BROUGHT.joinpath(WEIGHTS, "record.json").read_text("utf-8"))
            print(record["credit"], file=sys.stderr)
    except OSError as error:
        # Commands that need no weights go on; those that do will say what is missing.
        print(f"vtbridge: the weights could not be unpacked: {error}", file=sys.stderr)
    command_line()


if __name__ == "__main__":
    main()
