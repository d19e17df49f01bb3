"""What this machine computes on, as far as can be told in a millisecond and without a driver."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vtbridge.render.settings import DeviceName


class Vendor(StrEnum):
    """Who made a graphics processor."""

    NVIDIA = "nvidia"
    AMD = "amd"
    INTEL = "intel"
    APPLE = "apple"


_PCI_VENDORS = {"0x10de": Vendor.NVIDIA, "0x1002": Vendor.AMD, "0x8086": Vendor.INTEL}
_WINDOWS_ADAPTERS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
_WSL_DRIVER = Path("/usr/lib/wsl/lib/libcuda.so.1")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics processor; ``name`` is whatever the system calls it, perhaps only numbers."""

    vendor: Vendor
    name: str


@dataclass(frozen=True, slots=True)
class Hardware:
    """The processor, how many cores this process may use, and the graphics processors."""

    system: str
    cpu: str
    cores: int
    gpus: tuple[Gpu, ...] = ()

    def may_have(self, device: DeviceName) -> bool:
        """Return whether it is worth looking for ``device`` unasked.

        TensorRT compiles networks for minutes and an NPU cannot be seen from here: both are
        taken only by name.
        """
        vendors = {gpu.vendor for gpu in self.gpus}
        match device:
            case DeviceName.CPU:
                return True
            case DeviceName.CUDA:
                return Vendor.NVIDIA in vendors
            case DeviceName.ROCM:
                return Vendor.AMD in vendors and self.system == "Linux"
            case DeviceName.DIRECTML:
                return self.system == "Windows"
            case DeviceName.COREML | DeviceName.MPS:
                return Vendor.APPLE in vendors
            case DeviceName.GPU:
                return Vendor.INTEL in vendors
            case _:
                return False


def this_machine() -> Hardware:
    """Return what this machine has."""
    return Hardware(
        system=platform.system(), cpu=_cpu(), cores=_cores(), gpus=tuple(sorted(_gpus(), key=str))
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model"):
                return f"{platform.machine()} {value.strip()}"
    except OSError:
        pass
    named = os.environ.get("PROCESSOR_IDENTIFIER", "") or platform.processor()
    return f"{platform.machine()} {named}".strip()


def _gpus() -> Iterator[Gpu]:
    if sys.platform == "darwin":
        if platform.machine() == "arm64":
            yield Gpu(Vendor.APPLE, "built in")
    elif sys.platform == "win32":
        yield from _windows_gpus()
    else:
        yield from _linux_gpus(Path("/"))


def _linux_gpus(root: Path) -> Iterator[Gpu]:
    for device in root.glob("sys/class/drm/card[0-9]*/device"):
        vendor = _PCI_VENDORS.get(_word(device / "vendor"))
        if vendor is not None:
            yield Gpu(vendor, _word(device / "device"))
    for card in root.glob("proc/driver/nvidia/gpus/*"):
        yield Gpu(Vendor.NVIDIA, card.name)  # one without a display has no entry above
    if (root / _WSL_DRIVER.relative_to("/")).exists():
        yield Gpu(Vendor.NVIDIA, "behind WSL")


def _word(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _windows_gpus() -> Iterator[Gpu]:
    if sys.platform != "win32":
        yield from ()
    else:
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _WINDOWS_ADAPTERS) as adapters:
                for index in range(winreg.QueryInfoKey(adapters)[0]):
                    key = winreg.EnumKey(adapters, index)
                    if not key.isdigit():
                        continue
                    with winreg.OpenKey(adapters, key) as adapter:
                        name = str(winreg.QueryValueEx(adapter, "DriverDesc")[0])
                    if (vendor := _vendor_in(name)) is not None:
                        yield Gpu(vendor, name)
        except OSError:
            return  # no adapters that can be read: then none is looked for unasked


def _vendor_in(name: str) -> Vendor | None:
    words = name.lower()
    if "radeon" in words:
        return Vendor.AMD
    return next((each for each in (Vendor.NVIDIA, Vendor.AMD, Vendor.INTEL) if each in words), None)
