"""What a bug report needs, in one file: without secrets, names, pictures or weights."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import platform
import re
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from urllib.request import Request, urlopen

from vtbridge import __version__
from vtbridge.app.finding import Finding
from vtbridge.config.schema import Config
from vtbridge.control.address import ControlAddress, read_address
from vtbridge.errors import VtbridgeError
from vtbridge.log_file import log_folder
from vtbridge.obs.password import find_password
from vtbridge.redaction import redacted
from vtbridge.remote.key import find_key

_TIMEOUT_S = 5.0
_SHORTEST_NAME = 3
_README = """\
A report of vtbridge, for whoever looks for the cause of a fault.

config.json    the settings that hold, defaults included
versions.json  of vtbridge, Python, the system and the installed packages
doctor.json    what `vtbridge doctor --json` found
logs/          JSON lines, the newest file is the one without a number
status.json    of the avatar that ran meanwhile, if one did: GET /api/v1/status
metrics.txt    its figures in Prometheus' format: GET /api/v1/metrics

Passwords, tokens and keys are replaced by [hidden], the home folder and the user's name by ~.
Pictures, weights and what the trackers sent are not in here. For a fault of tracking add a
recording: `vtbridge run --record bug.vtbrec`, which `vtbridge replay bug.vtbrec` plays.
"""


def write_report(
    target: Path, config: Config, findings: Iterable[Finding]
) -> tuple[list[str], list[str]]:
    """Write the new file ``target``, and return what is in it and what was left out, and why.

    Raises:
        VtbridgeError: it is there already, or cannot be written.
    """
    _learn_secrets()
    private = _private()
    texts = {
        "README.txt": _README,
        "config.json": config.model_dump_json(indent=1),
        "versions.json": json.dumps(_versions(), indent=1),
        "doctor.json": json.dumps([asdict(finding) for finding in findings], indent=1),
    }
    left_out: list[str] = []
    texts |= _of_avatar(config.publish.name, left_out)
    texts |= _logs(config.publish.name, left_out)
    try:
        with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as bundle:
            for name, text in texts.items():
                bundle.writestr(name, private(text))
        target.chmod(0o600)
    except FileExistsError as error:
        raise VtbridgeError(f"{target} is there already; name another file with -o") from error
    except OSError as error:
        raise VtbridgeError(f"{target} cannot be written ({error.strerror})") from error
    left_out.append("pictures, weights and tracker packets: never taken along")
    return list(texts), left_out


def _learn_secrets() -> None:
    """Find the secrets of this computer; found, they are hidden wherever they stand."""
    for find in (find_password, find_key):
        with contextlib.suppress(VtbridgeError, OSError):
            find()


def _private() -> Callable[[str], str]:
    """Return what takes secrets, the home folder and the user's name out of a text."""
    home = str(Path.home())
    names = [home, json.dumps(home)[1:-1]] if len(home) > 1 else []
    with contextlib.suppress(OSError, KeyError):  # no such user in a container
        user = getpass.getuser()
        if len(user) >= _SHORTEST_NAME:
            names.append(user)
    whole = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names) or r"(?!)")
    return lambda text: whole.sub("~", redacted(text))


def _versions() -> dict[str, object]:
    return {
        "vtbridge": __version__,
        "python": sys.version,
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "packages": dict(
            sorted((each.name, each.version) for each in distributions() if each.name)
        ),
    }


def _of_avatar(name: str, left_out: list[str]) -> dict[str, str]:
    address = read_address(name)
    if address is None:
        left_out.append(f"status and metrics: no avatar {name!r} runs")
        return {}
    texts = {}
    for path, file in (("status", "status.json"), ("metrics", "metrics.txt")):
        try:
            texts[file] = _ask(address, path)
        except (OSError, ValueError) as error:
            left_out.append(f"{file}: the avatar {name!r} does not answer ({error})")
    return texts


def _ask(address: ControlAddress, path: str) -> str:
    request = Request(
        f"http://127.0.0.1:{address.port}/api/v1/{path}",
        headers={"Authorization": f"Bearer {address.token}"},
    )
    with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - loopback
        told: bytes = answer.read()
    return told.decode("utf-8", "replace")


def _logs(name: str, left_out: list[str]) -> dict[str, str]:
    """Return the logs of the avatar ``name``, of its parent and of its renderer."""
    texts = {}
    for stem in (name, f"{name}-renderer"):
        for path in sorted(log_folder().glob(f"{stem}.log*")):
            try:
                texts[f"logs/{path.name}"] = path.read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                left_out.append(f"{path.name}: {error.strerror}")
    if not texts:
        left_out.append(f"logs: no avatar {name!r} has left any")
    return texts
