"""Compiled networks of Intel GPUs and NPUs, kept so that a start takes no minute.

OpenVINO's own cache loads damaged files without a word. Here a file begins with the sha256
of the rest and is named after everything it was made from; what does not fit is deleted and
compiled again, so that neither a damaged nor an outdated file matters.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from vtbridge.atomic_file import write_atomically
from vtbridge.quiet_openvino import ov
from vtbridge.render.weights.record import read_bounded

log = logging.getLogger(__name__)

KEPT = 4
"""Files of one stage on one device: other weights and precisions beside the present ones."""

_LIMIT = 1 << 31
_DIGEST_BYTES = 32


def default_folder() -> Path:
    """Return where the user's compiled networks lie."""
    return Path(platformdirs.user_cache_dir("vtbridge")) / "openvino"


class CompileCache:
    """Compile graphs for one device, or load what was compiled before.

    Args:
        core: compiles and loads.
        device: as OpenVINO calls it, such as ``GPU``.
        folder: where files lie; made when it is needed.
    """

    def __init__(self, core: ov.Core, device: str, folder: Path) -> None:
        self._core = core
        self._device = device
        self._folder = folder
        # Another driver or card must not meet what was compiled for this one.
        self._machine = [ov.__version__, device, *_properties(core, device)]

    def compiled(
        self,
        stage: str,
        content: tuple[bytes, ...],
        options: Mapping[str, Any],
        read_model: Callable[[], ov.Model],
    ) -> ov.CompiledModel:
        """Return a stage, compiled.

        Args:
            stage: its name.
            content: what it is made from; part of the key.
            options: for the compiler; part of the key.
            read_model: gives the graph where it has to be compiled.

        Raises:
            RuntimeError: OpenVINO cannot compile it.
        """
        path = self._folder / f"{stage}-{self._device}-{self._key(content, options)}.blob"
        if (blob := _read(path)) is not None:
            try:
                return self._core.import_model(io.BytesIO(blob), self._device, dict(options))
            except RuntimeError as error:
                log.info("%s does not load and is compiled again (%s)", path, error)
                path.unlink(missing_ok=True)
        compiled = self._core.compile_model(read_model(), self._device, dict(options))
        self._keep(path, compiled)
        return compiled

    def _key(self, content: tuple[bytes, ...], options: Mapping[str, Any]) -> str:
        digest = hashlib.sha256(repr((self._machine, sorted(options.items()))).encode())
        for part in content:
            digest.update(hashlib.sha256(part).digest())
        return digest.hexdigest()[:32]

    def _keep(self, path: Path, compiled: ov.CompiledModel) -> None:
        try:
            stream = io.BytesIO()
            compiled.export_model(stream)
            blob = stream.getvalue()
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, hashlib.sha256(blob).digest() + blob)
            stage_and_device = path.name.rpartition("-")[0]
            others = sorted(
                path.parent.glob(f"{stage_and_device}-*.blob"),
                key=lambda file: file.stat().st_mtime,
            )
            for old in others[:-KEPT]:
                old.unlink(missing_ok=True)
        except (OSError, RuntimeError) as error:
            # A full disk, or a device that exports nothing: only the next start is slower.
            log.info("%s was not kept for the next start (%s)", path.name, error)


def _read(path: Path) -> bytes | None:
    """Return what was compiled, None if there is nothing or it is damaged, then deleted."""
    try:
        content = read_bounded(path, _LIMIT)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.info("%s cannot be read (%s)", path, error)
        return None
    digest, blob = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(blob).digest() == digest:
        return blob
    log.info("%s is damaged and is compiled again", path)
    path.unlink(missing_ok=True)
    return None


def _properties(core: ov.Core, device: str) -> list[str]:
    told = []
    for name in ("FULL_DEVICE_NAME", "GPU_DRIVER_VERSION", "NPU_DRIVER_VERSION"):
        try:
            told.append(str(core.get_property(device, name)))
        except RuntimeError:  # a device knows only its own
            continue
    return told
