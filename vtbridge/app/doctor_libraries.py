"""Whether the libraries with native code load here, and what each is needed for."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from vtbridge.app.finding import Finding, Verdict
from vtbridge.config.schema import Config
from vtbridge.render.settings import RuntimeName


@dataclass(frozen=True, slots=True)
class Library:
    """One library.

    Attributes:
        module: what is imported.
        package: what pip calls it.
        purpose: what does not work without it.
        needed: returns whether settings need it; a runtime needs another's place to be taken.
        optional: True if vtbridge is complete without it.
    """

    module: str
    package: str
    purpose: str
    needed: Callable[[Config], bool]
    optional: bool = False


def _runtime(name: RuntimeName) -> Callable[[Config], bool]:
    return lambda config: config.render.runtime is name


def _always(_config: Config) -> bool:
    return True


LIBRARIES: tuple[Library, ...] = (
    Library("PIL", "pillow", "pictures", _always),
    Library("safetensors", "safetensors", "the networks' weights", _always),
    Library("openvino", "openvino", "the runtime openvino", _runtime(RuntimeName.OPENVINO)),
    Library("torch", "torch", "the runtime pytorch", _runtime(RuntimeName.PYTORCH)),
    Library(
        "onnxruntime",
        "onnxruntime",
        "the runtime onnxruntime",
        lambda config: config.render.runtime == "onnxruntime",
        optional=True,
    ),
    Library("cv2", "opencv-python-headless", "frames over TCP, webcam and videos", _always),
    Library(
        "av",
        "av",
        "videos and the microphone",
        lambda config: config.tracking.webcam.enabled or config.tracking.microphone.enabled,
    ),
    Library(
        "sounddevice",
        "sounddevice",
        "the microphone",
        lambda config: config.tracking.microphone.enabled,
    ),
    Library(
        "zeroconf",
        "zeroconf",
        "[tracking.vrcft] oscquery",
        lambda config: config.tracking.vrcft.enabled and config.tracking.vrcft.oscquery,
    ),
    Library("aiohttp", "aiohttp", "the preview page", _always),
    Library("keyring", "keyring", "OBS's password", lambda config: config.obs.enabled),
)


def library_checks() -> dict[str, Callable[[Config], Iterator[Finding]]]:
    """Return one check for each library, so that a crash tells which one it was."""
    return {f"library {each.package}": partial(_look_at, each) for each in LIBRARIES}


def _look_at(library: Library, config: Config) -> Iterator[Finding]:
    check = f"library {library.package}"
    if library.optional and importlib.util.find_spec(library.module) is None:
        return
    try:
        importlib.import_module(library.module)
    except Exception as error:  # noqa: BLE001 - a library raises whatever it likes
        reason = f"{type(error).__name__}: {error}"
        if library.needed(config):
            yield Finding(
                check,
                Verdict.FAILURE,
                f"does not load ({reason}); needed for {library.purpose}",
                f"pip install --force-reinstall {library.package}",
            )
        else:
            yield Finding(
                check, Verdict.OK, f"does not load ({reason}); only {library.purpose} needs it"
            )
        return
    try:
        seen = version(library.package)
    except PackageNotFoundError:  # another package brought the module, such as opencv-python
        seen = "loads"
    yield Finding(check, Verdict.OK, seen)
