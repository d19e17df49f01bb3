"""OpenGL without a window: one context a process, with what every figure is drawn by."""

from __future__ import annotations

import os
import threading
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from vtbridge.datatypes import U8Array
from vtbridge.errors import DatasetError
from vtbridge.training.figures import shaders

if TYPE_CHECKING:
    import moderngl

SAMPLES = 4
_GL_VERSION = 330
_TARGETS_KEPT = 4
_opening = threading.Lock()


def use_one_thread() -> None:
    """Keep Mesa's software renderer to one thread, for jobs of one process a core.

    Counts for this process and its children, where no context is open yet.
    """
    os.environ["LP_NUM_THREADS"] = "1"


class Target:
    """Where a picture is drawn, ``supersample`` times ``supersample`` times ``SAMPLES`` a pixel."""

    def __init__(self, context: moderngl.Context, size: int, supersample: int) -> None:
        side = (size * supersample, size * supersample)
        self._size = size
        self._supersample = supersample
        self._samples = context.texture(side, 4, samples=SAMPLES)
        self._drawn = context.framebuffer(
            [self._samples], context.depth_renderbuffer(side, samples=SAMPLES)
        )
        self._picture = context.framebuffer([context.renderbuffer((size, size), 4)])

    def clear(self) -> None:
        """Begin an empty picture; what is drawn from now on is drawn into it."""
        self._drawn.use()
        self._drawn.clear()

    def picture(self, resolve: moderngl.Program, corners: moderngl.VertexArray) -> U8Array:
        """Return what was drawn, straight alpha, the first row of pixels at -1 of y."""
        self._picture.use()
        self._samples.use(0)
        resolve["supersample"] = self._supersample
        corners.render(vertices=3)
        pixels = np.empty((self._size, self._size, 4), np.uint8)
        self._picture.read_into(pixels, components=4)
        return pixels


class DrawingContext:
    """An OpenGL context and its programs, used as ``with context``, one thread at a time."""

    def __init__(self) -> None:
        """Open it.

        Raises:
            DatasetError: OpenGL cannot be had without a window here.
        """
        # Garbage is collected at any time, so that a renderer may be closed while one draws.
        self._lock = threading.RLock()
        self._entered = 0
        self.gl = gl = _open_gl()
        with gl:  # so that it is no thread's own afterwards
            self._fill()

    def _fill(self) -> None:
        gl = self.gl
        gl.gc_mode = "context_gc"
        self.surface = gl.program(shaders.SURFACE_VERTEX, shaders.SURFACE_FRAGMENT)
        self.edge = gl.program(shaders.EDGE_VERTEX, shaders.EDGE_FRAGMENT)
        self._resolve = gl.program(shaders.PICTURE_VERTEX, shaders.PICTURE_FRAGMENT)
        self._resolve["samples"] = SAMPLES
        # One triangle that covers the picture.
        corners = gl.buffer(np.array([-1, -1, 3, -1, -1, 3], np.float32))
        self._corners = gl.vertex_array(self._resolve, [(corners, "2f", "corner")])
        self._targets: dict[tuple[int, int], Target] = {}

    def target(self, size: int, supersample: int) -> Target:
        """Return where pictures of a size are drawn; renderers of one size share it.

        Raises:
            DatasetError: it is too large for this machine's OpenGL.
        """
        key = (size, supersample)
        if key not in self._targets:
            largest = int(self.gl.info["GL_MAX_TEXTURE_SIZE"])
            if size * supersample > largest:
                raise DatasetError(
                    f"pictures of {size} x {size}, drawn {supersample} times as large: OpenGL "
                    f"({self.gl.info['GL_RENDERER']}) draws no more than {largest}; choose a "
                    "smaller size"
                )
            while len(self._targets) >= _TARGETS_KEPT:
                del self._targets[next(iter(self._targets))]
            self._targets[key] = Target(self.gl, size, supersample)
        return self._targets[key]

    def picture(self, target: Target) -> U8Array:
        """Return what was drawn, see ``Target.picture``."""
        import moderngl

        self.gl.disable(moderngl.BLEND | moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        return target.picture(self._resolve, self._corners)

    def __enter__(self) -> moderngl.Context:
        self._lock.acquire()
        self._entered += 1
        if self._entered == 1:
            self.gl.__enter__()  # type: ignore[no-untyped-call]
            # What nobody refers to any more is released here, whichever thread dropped it.
            self.gl.gc()
        return self.gl

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._entered == 1:
            self.gl.gc()
            self.gl.__exit__(kind, error, traceback)  # type: ignore[no-untyped-call]
        self._entered -= 1
        self._lock.release()


def drawing_context() -> DrawingContext:
    """Return this process's context, opened when it is first asked for.

    Raises:
        DatasetError: OpenGL cannot be had without a window here.
    """
    with _opening:
        return _the_context()


@cache
def _the_context() -> DrawingContext:
    return DrawingContext()


def _open_gl() -> moderngl.Context:
    try:
        import moderngl
    except ImportError as error:
        raise DatasetError(
            f"3D models are drawn by moderngl, which is not installed ({error}): "
            "pip install 'vtbridge[train]'"
        ) from error
    try:
        # Its settings are declared as a dict, but are keywords.
        settings: Any = {"backend": "egl"}
        return moderngl.create_context(standalone=True, require=_GL_VERSION, **settings)
    except Exception as error:  # moderngl raises bare ones
        raise DatasetError(
            f"OpenGL without a window (EGL) does not open here: {error}. On Debian or Ubuntu: "
            "apt install libegl1 libegl-mesa0 libgl1-mesa-dri"
        ) from error
