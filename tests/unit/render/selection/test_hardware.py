"""What is worth looking for on a machine, told without loading a driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.render.selection.hardware import (
    Gpu,
    Hardware,
    Vendor,
    _linux_gpus,
    _vendor_in,
    this_machine,
)
from vtbridge.render.settings import DeviceName


def card(root: Path, number: int, vendor: str, device: str) -> None:
    folder = root / "sys" / "class" / "drm" / f"card{number}" / "device"
    folder.mkdir(parents=True)
    (folder / "vendor").write_text(vendor + "\n")
    (folder / "device").write_text(device + "\n")


def test_graphics_cards_of_linux_are_told_by_their_makers(tmp_path: Path) -> None:
    card(tmp_path, 0, "0x8086", "0x46a6")
    card(tmp_path, 1, "0x10de", "0x2684")
    card(tmp_path, 2, "0x1002", "0x744c")
    card(tmp_path, 3, "0x1af4", "0x1050")  # a virtual one: nothing to compute on
    assert set(_linux_gpus(tmp_path)) == {
        Gpu(Vendor.INTEL, "0x46a6"),
        Gpu(Vendor.NVIDIA, "0x2684"),
        Gpu(Vendor.AMD, "0x744c"),
    }


def test_a_card_without_a_display_and_one_behind_wsl_are_seen(tmp_path: Path) -> None:
    (tmp_path / "proc" / "driver" / "nvidia" / "gpus" / "0000:01:00.0").mkdir(parents=True)
    driver = tmp_path / "usr" / "lib" / "wsl" / "lib" / "libcuda.so.1"
    driver.parent.mkdir(parents=True)
    driver.touch()
    assert {gpu.vendor for gpu in _linux_gpus(tmp_path)} == {Vendor.NVIDIA}
    assert len(list(_linux_gpus(tmp_path))) == 2


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        ("NVIDIA GeForce RTX 4090", Vendor.NVIDIA),
        ("AMD Radeon RX 7900 XTX", Vendor.AMD),
        ("Radeon Graphics", Vendor.AMD),
        ("Intel(R) Arc(TM) A770 Graphics", Vendor.INTEL),
        ("Microsoft Basic Display Adapter", None),
    ],
)
def test_adapters_of_windows_are_told_by_name(name: str, vendor: Vendor | None) -> None:
    assert _vendor_in(name) is vendor


@pytest.mark.parametrize(
    ("system", "vendors", "devices"),
    [
        ("Linux", (), {DeviceName.CPU}),
        ("Linux", (Vendor.NVIDIA,), {DeviceName.CPU, DeviceName.CUDA}),
        ("Linux", (Vendor.AMD,), {DeviceName.CPU, DeviceName.ROCM}),
        ("Linux", (Vendor.INTEL,), {DeviceName.CPU, DeviceName.GPU}),
        ("Windows", (Vendor.AMD,), {DeviceName.CPU, DeviceName.DIRECTML}),
        ("Darwin", (Vendor.APPLE,), {DeviceName.CPU, DeviceName.COREML, DeviceName.MPS}),
    ],
)
def test_only_devices_that_may_be_there_are_looked_for(
    system: str, vendors: tuple[Vendor, ...], devices: set[DeviceName]
) -> None:
    machine = Hardware(system, "a processor", 2, tuple(Gpu(vendor, "") for vendor in vendors))
    assert {device for device in DeviceName if machine.may_have(device)} == devices


def test_this_machine_has_a_processor_with_cores() -> None:
    machine = this_machine()
    assert machine.cpu
    assert machine.cores >= 1
    assert machine == this_machine()
