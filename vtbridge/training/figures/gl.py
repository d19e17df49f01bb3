"""Draw a figure with OpenGL, without a window: a graphics card's, or Mesa's in software."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import DatasetError
from vtbridge.training.figures.camera import Camera
from vtbridge.training.figures.drawing_order import Run, drawing_order
from vtbridge.training.figures.figure import Figure
from vtbridge.training.figures.gl_context import drawing_context
from vtbridge.training.sources.subject import Light, Shading

if TYPE_CHECKING:
    import moderngl

_TEXELS_A_PIXEL = 8
"""Larger textures are made smaller: their finest level would never be seen."""
_ROOM = 2.0
"""How much farther than at rest a posed figure may reach towards and away from the viewer."""


class FigureRenderer:
    """Draws one figure in any pose; the same input gives the same bytes on the same machine.

    Renderers of a process share a context, so that one costs its vertices and textures only.
    Any thread may draw, one after the other: for speed, use processes.
    """

    def __init__(self, figure: Figure, size: int, *, supersample: int = 2) -> None:
        """Bring ``figure`` to OpenGL.

        Args:
            figure: what to draw.
            size: side of the pictures, pixels.
            supersample: samples a pixel and side, on top of four multisamples each.

        Raises:
            DatasetError: OpenGL cannot be had without a window here, or ``size`` is too large.
        """
        self._path = figure.path
        self._shape = figure.positions.shape
        self._runs = drawing_order(figure.materials)
        self._middle_z, self._depth = _depth(figure)
        self._context = context = drawing_context()
        with context as gl:
            self._target = context.target(size, supersample)
            self._upload(gl, figure, size)
        self._closed = False

    def draw(self, positions: F32Array, normals: F32Array, camera: Camera, light: Light) -> U8Array:
        """Return a picture.

        Args:
            positions: float32 [V, 3].
            normals: float32 [V, 3], unit length.
            camera: where it is looked at from.
            light: on it; the outline belongs to toon shading.

        Returns:
            uint8 [size, size, 4], sRGB, straight alpha, RGB 0 where alpha is 0.

        Raises:
            DatasetError: the renderer is closed.
            ValueError: other shapes than the figure's.
        """
        if self._closed:
            raise DatasetError(f"{self._path}: its renderer is closed: open another one")
        if positions.shape != self._shape or normals.shape != self._shape:
            raise ValueError(
                f"{self._path}: expected positions and normals {self._shape}, got "
                f"{positions.shape} and {normals.shape}"
            )
        import moderngl

        context = self._context
        with context as gl:
            self._positions.write(_bytes(positions, np.float32))
            self._normals.write(_bytes(normals, np.float32))
            self._target.clear()
            gl.enable_only(moderngl.BLEND | moderngl.DEPTH_TEST)
            gl.blend_func = moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA
            gl.front_face = "cw"  # the picture's rows go down
            self._place(camera)
            self._shine(light)
            for run in self._runs:
                self._draw_surface(gl, run)
                if light.shading is Shading.TOON and run.look.edge_width > 0.0:
                    self._draw_edge(gl, run, camera)
            return context.picture(self._target)

    def close(self) -> None:
        """Give its vertices and textures back; it draws no more."""
        if self._closed:
            return
        self._closed = True
        with self._context:
            del self._surface, self._edge, self._positions, self._normals
            del self._textures, self._plain, self._target

    def _upload(self, gl: moderngl.Context, figure: Figure, size: int) -> None:
        self._positions = gl.buffer(reserve=figure.positions.nbytes, dynamic=True)
        self._normals = gl.buffer(reserve=figure.normals.nbytes, dynamic=True)
        vertices: list[tuple[Any, ...]] = [
            (self._positions, "3f", "position"),
            (self._normals, "3f", "normal"),
            (gl.buffer(_bytes(figure.uv, np.float32)), "2f", "uv"),
        ]
        edges = (gl.buffer(_bytes(figure.edge_scale, np.float32)), "1f", "edge_scale")
        triangles = gl.buffer(_bytes(figure.triangles, np.int32))
        self._surface = gl.vertex_array(self._context.surface, vertices, triangles)
        self._edge = gl.vertex_array(self._context.edge, [*vertices, edges], triangles)
        self._plain = gl.texture((1, 1), 4, b"\xff" * 4)
        used = {run.look.texture for run in self._runs}
        limit = min(_TEXELS_A_PIXEL * size, int(gl.info["GL_MAX_TEXTURE_SIZE"]))
        self._textures = {
            i: _texture(gl, pixels, limit)
            for i, pixels in enumerate(figure.textures)
            if pixels is not None and i in used
        }

    def _place(self, camera: Camera) -> None:
        x = 1.0 / camera.half_height
        for program in (self._context.surface, self._context.edge):
            program["center"] = camera.center_x, camera.center_y, self._middle_z
            program["scale"] = x, -x, -self._depth

    def _shine(self, light: Light) -> None:
        program = self._context.surface
        program["ambient"] = light.ambient
        program["directional"] = light.directional
        program["toon"] = light.shading is Shading.TOON

    def _draw_surface(self, gl: moderngl.Context, run: Run) -> None:
        import moderngl

        look, program = run.look, self._context.surface
        program["color"] = look.color
        program["cutoff"] = run.cutoff
        program["opaque"] = run.opaque
        self._textures.get(look.texture, self._plain).use(0)
        if look.double_sided:
            gl.disable(moderngl.CULL_FACE)
        else:
            gl.enable(moderngl.CULL_FACE)
            gl.cull_face = "back"
        gl.depth_func = "<="  # of two surfaces in one place the later one is seen
        self._surface.render(vertices=look.count * 3, first=look.first * 3)

    def _draw_edge(self, gl: moderngl.Context, run: Run, camera: Camera) -> None:
        """Draw the inside of a hull around the surface: what stands out of it is the outline."""
        import moderngl

        look, program = run.look, self._context.edge
        # The camera's specification: half the picture is as high as the head.
        program["width"] = look.edge_width * camera.half_height
        program["surface_alpha"] = look.color[3]
        program["color"] = look.edge_color
        program["cutoff"] = run.cutoff
        program["opaque"] = run.opaque
        gl.enable(moderngl.CULL_FACE)
        gl.cull_face = "front"
        gl.depth_func = "<"  # a hull of no width is not seen
        self._edge.render(vertices=look.count * 3, first=look.first * 3)


def _depth(figure: Figure) -> tuple[float, float]:
    """Return the middle z and the scale by which all of a turned figure fits in the depth."""
    low, high = figure.positions.min(axis=0), figure.positions.max(axis=0)
    reach = float(np.linalg.norm(high - low))
    return float(low[2] + high[2]) / 2.0, 1.0 / max(reach * _ROOM / 2.0, 1e-6)


def _texture(gl: moderngl.Context, pixels: U8Array, limit: int) -> moderngl.Texture:
    """Return a texture with mipmaps, its colours multiplied by alpha so that these do not bleed."""
    import moderngl

    height, width = pixels.shape[:2]
    shown: Any = pixels
    if pixels[..., 3].min(initial=255) < 255:
        alpha = cv2.merge([pixels[..., 3]] * 3 + [np.full((height, width), 255, np.uint8)])
        shown = cv2.multiply(shown, alpha, scale=1 / 255)
    shrink = min(limit / height, limit / width, 1.0)
    if shrink < 1.0:
        side = (max(round(width * shrink), 1), max(round(height * shrink), 1))
        shown = cv2.resize(shown, side, interpolation=cv2.INTER_AREA)
    texture = gl.texture(shown.shape[1::-1], 4, np.ascontiguousarray(shown))
    texture.build_mipmaps()
    texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
    return texture


def _bytes(values: Any, dtype: type[np.generic]) -> Any:
    """Return ``values`` as OpenGL reads them; no copy where they are so already."""
    return np.ascontiguousarray(values, dtype)
