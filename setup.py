"""Build the C extensions and put the top-level data files into the wheel."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CCompilerError, ExecError, PlatformError

SHIPPED = [
    "weights/manifest.toml",
    "weights/README.md",
    "integrations/PROTOCOL.md",
    "integrations/include/vtbf.h",
    "integrations/obs-script/vtbridge.lua",
    "integrations/obs-plugin/CMakeLists.txt",
    "integrations/obs-plugin/CMakePresets.json",
    "integrations/obs-plugin/LICENSE",
    "integrations/obs-plugin/README.md",
    "integrations/obs-plugin/data/linear.effect",
    "integrations/obs-plugin/data/locale/en-US.ini",
    "integrations/obs-plugin/data/locale/ja-JP.ini",
    "integrations/obs-plugin/data/locale/zh-CN.ini",
    "integrations/obs-plugin/package.cmake",
    "integrations/obs-plugin/src/avatar_draw.c",
    "integrations/obs-plugin/src/avatar_draw.h",
    "integrations/obs-plugin/src/avatar_hotkeys.c",
    "integrations/obs-plugin/src/avatar_hotkeys.h",
    "integrations/obs-plugin/src/avatar_source.c",
    "integrations/obs-plugin/src/avatar_source.h",
    "integrations/obs-plugin/src/avatar_text.c",
    "integrations/obs-plugin/src/avatar_text.h",
    "integrations/obs-plugin/src/osc_link.c",
    "integrations/obs-plugin/src/osc_link.h",
    "integrations/obs-plugin/src/plugin.c",
    "integrations/obs-plugin/src/segment.h",
    "integrations/obs-plugin/src/segment_name.c",
    "integrations/obs-plugin/src/segment_posix.c",
    "integrations/obs-plugin/src/segment_windows.c",
    "integrations/obs-plugin/src/vtbf_reader.c",
    "integrations/obs-plugin/src/vtbf_reader.h",
    "integrations/obs-plugin/src/websocket_vendor.c",
    "integrations/obs-plugin/src/websocket_vendor.h",
    "integrations/systemd/vtbridge.service",
    "integrations/touchosc/vtbridge.tosc",
]

KERNELS = ["vtbridge/render/c/aligned.h", "vtbridge/render/c/each_isa.h"]
PIXELS = ["vtbridge/render/_srgb.h", "vtbridge/render/c/pixels.h"]

COMPILER_HELP = """
vtbridge needs a C compiler for a few small extensions (frame transport, pixels, inference
on the CPU), and none worked here. Install one and run pip again:
  Debian, Ubuntu:  sudo apt-get install gcc python3-dev
  Fedora:          sudo dnf install gcc python3-devel
  macOS:           xcode-select --install
  Windows:         winget install Microsoft.VisualStudio.2022.BuildTools
                   (with the workload "Desktop development with C++" and its Clang)
"""


SANITIZERS = (
    [
        *("-O1", "-g", "-fno-omit-frame-pointer"),
        *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    ]
    if os.environ.get("VTBRIDGE_SANITIZE") == "1"
    else []
)
"""What ``make sanitize`` adds for GCC and Clang: they need ``LD_PRELOAD`` of the sanitizer."""


# Absent until they are trained; the folders of other programs' files are made where they run.
SHIPPED += sorted(str(path) for path in Path("weights/vtbridge-v1").glob("*.*") if path.is_file())


class BuildExt(build_ext):  # type: ignore[misc]  # setuptools has no types
    """Name the missing compiler and its remedy instead of a long trace."""

    def run(self) -> None:
        """Build every extension.

        Raises:
            SystemExit: no working compiler.
        """
        try:
            super().run()
        except (CCompilerError, ExecError, PlatformError) as error:
            raise SystemExit(f"{error}\n{COMPILER_HELP}") from error

    def build_extensions(self) -> None:
        """Let Clang compile on Windows where it is there, as beside Visual Studio.

        The kernels are written in vector types that Microsoft's compiler does not know.
        """
        clang = shutil.which("clang-cl") if self.compiler.compiler_type == "msvc" else None
        if clang is not None:
            self.compiler.initialize()
            self.compiler.cc = clang
        super().build_extensions()


class BuildPy(build_py):  # type: ignore[misc]  # setuptools has no types
    """Copy what lies beside the package into ``vtbridge/_data``."""

    def run(self) -> None:
        """Build the pure Python part and add the shipped files."""
        super().run()
        if self.editable_mode:
            return
        for relative in SHIPPED:
            target = Path(self.build_lib, "vtbridge", "_data", relative)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(relative, target)


def extension(
    name: str, source: str, *include_dirs: str, depends: Sequence[str] = (), optional: bool = False
) -> Extension:
    """Return a stable-ABI extension of Python 3.11 and later."""
    posix = sys.platform != "win32"
    return Extension(
        name,
        sources=[source],
        depends=list(depends),
        optional=optional,
        include_dirs=list(include_dirs),
        define_macros=[("Py_LIMITED_API", "0x030B0000")],
        py_limited_api=True,
        extra_compile_args=(
            ["-std=gnu11", "-O3", "-Wall", "-Wextra", *SANITIZERS] if posix else ["/std:c11"]
        ),
        extra_link_args=SANITIZERS,
    )


setup(
    cmdclass={"build_ext": BuildExt, "build_py": BuildPy},
    ext_modules=[
        extension("vtbridge.publish._vtbf", "vtbridge/publish/_vtbf.c", "integrations/include"),
        extension("vtbridge.render._alpha", "vtbridge/render/_alpha.c", depends=PIXELS),
        extension("vtbridge.render._carry", "vtbridge/render/_carry.c"),
        extension(
            "vtbridge.render._compositor",
            "vtbridge/render/_compositor.c",
            depends=[*PIXELS, "vtbridge/render/c/buffers.h", "vtbridge/render/c/traced.h"],
        ),
        extension(
            "vtbridge.render._enlarge",
            "vtbridge/render/_enlarge.c",
            depends=[
                "vtbridge/render/c/buffers.h",
                "vtbridge/render/c/pixels.h",
                "vtbridge/render/c/traced.h",
            ],
        ),
        extension(
            "vtbridge.render.baked._body",
            "vtbridge/render/baked/_body.c",
            depends=[*PIXELS, "vtbridge/render/c/buffers.h"],
        ),
        extension("vtbridge.render.baked._face", "vtbridge/render/baked/_face.c"),
        extension(
            "vtbridge.render.native._native",
            "vtbridge/render/native/_native.c",
            depends=[
                *KERNELS,
                "vtbridge/render/native/kernels.h",
                "vtbridge/render/native/operations.h",
            ],
            # Needs GCC's or Clang's vector types and POSIX threads; without it the other
            # runtimes go on.
            optional=True,
        ),
        extension(
            "vtbridge.render.siren._siren",
            "vtbridge/render/siren/_siren.c",
            depends=[*KERNELS, "vtbridge/render/siren/kernels.h"],
            # Needs GCC's or Clang's vector types; without it students of THA4 run in numpy.
            optional=True,
        ),
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
