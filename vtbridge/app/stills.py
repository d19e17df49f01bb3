"""Stills: a character in any pose as a PNG, by any runtime and weights of this computer."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.control.api.poser import Still
from vtbridge.datatypes import F32Array, Picture
from vtbridge.pose_schema import THA3
from vtbridge.render.alpha import straight_from_network
from vtbridge.render.poser import Poser
from vtbridge.render.settings import Precision, Quality, RenderSettings, RuntimeName
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore
from vtbridge.telemetry import Telemetry

IDLE_S = 60.0
"""Networks that nobody asked for stills are closed after so long."""

_MOST_OPEN = 2  # those that are compared


def exact_settings(settings: RenderSettings) -> RenderSettings:
    """Return how any picture is posed exactly, by the weights of ``settings`` if they can."""
    alone = WeightStore().is_student(settings.weights)
    return RenderSettings(
        precision=Precision.F32,
        quality=Quality.EXACT,
        weights=DEFAULT_WEIGHTS if alone else settings.weights,
    )


def png_of(planes: F32Array) -> bytes:
    """Return the networks' output, float32 [4, H, W], as a PNG: straight alpha, sRGB.

    Raises:
        InferenceError: it holds numbers that must not be shown.
    """
    from PIL import Image

    rgba = np.empty((*planes.shape[1:], 4), np.uint8)
    straight_from_network(planes, rgba)
    content = io.BytesIO()
    Image.fromarray(rgba).save(content, format="PNG", compress_level=4)
    return content.getvalue()


@dataclass(slots=True)
class _Opened:
    """Networks that are open, what they are, and the still that they drew last."""

    poser: Poser
    runtime: str
    values: F32Array | None = None
    still: Still | None = None

    def draw(self, values: F32Array, clock: Clock) -> Still:
        """Return the still of a pose; one asked for again keeps the time that it took."""
        if self.still is None or self.values is None or not np.array_equal(self.values, values):
            begin_ns = clock.now_ns()
            png = png_of(self.poser.render_float(values))
            took_ms = (clock.now_ns() - begin_ns) / NS_PER_S * 1e3
            self.values, self.still = values, Still(png, self.runtime, took_ms)
        return self.still


class Stills:
    """Draw stills, one at a time; safe from any thread.

    Args:
        settings: with which weights unless told otherwise.
        clock: tells how long each took.
    """

    def __init__(self, settings: RenderSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._open: OrderedDict[RenderSettings, _Opened] = OrderedDict()
        self._picture = ""
        self._closing: threading.Timer | None = None
        self._closed = False

    def draw(
        self,
        picture: Picture,
        values: F32Array,
        *,
        quality: Quality = Quality.EXACT,
        runtime: RuntimeName = RuntimeName.AUTO,
        weights: str = "",
        package: str = "",
    ) -> Still:
        """Return ``picture`` in a pose.

        Args:
            picture: the drawing.
            values: float32 [45].
            quality: how it is computed.
            runtime: what computes.
            weights: a name of the store; empty = those of the settings.
            package: the folder of the prepared character, for ``BAKED``.

        Raises:
            VtbridgeError: it cannot be drawn like that.
        """
        settings = RenderSettings(
            runtime=runtime,
            precision=Precision.F32,
            quality=quality,
            weights=weights or self._settings.weights,
            package=package,
        )
        with self._lock:
            try:
                return self._opened(settings, picture).draw(values, self._clock)
            except BaseException:
                self._close_one(settings)
                raise
            finally:
                self._close_later()

    def close(self) -> None:
        """Close all networks; no still is drawn afterwards."""
        with self._lock:
            self._closed = True
            if self._closing is not None:
                self._closing.cancel()
            self._close_all()

    def _opened(self, settings: RenderSettings, picture: Picture) -> _Opened:
        """Return the networks that ``settings`` name, warm and with ``picture`` set."""
        from vtbridge.render.tha3 import open_poser

        if picture.digest != self._picture:
            self._close_all()
            self._picture = picture.digest
        found = self._open.get(settings)
        if found is None:
            while len(self._open) >= _MOST_OPEN:
                self._open.popitem(last=False)[1].poser.close()
            poser = open_poser(settings, Telemetry())
            self._open[settings] = found = _Opened(poser, poser.describe())
            poser.set_picture(picture)
            # The first frame also pays for what every later one finds done.
            poser.render_float(THA3.as_drawn.copy())
        self._open.move_to_end(settings)
        return found

    def _close_one(self, settings: RenderSettings) -> None:
        found = self._open.pop(settings, None)
        if found is not None:
            found.poser.close()

    def _close_all(self) -> None:
        while self._open:
            self._open.popitem()[1].poser.close()

    def _close_later(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
        if not self._closed:
            self._closing = threading.Timer(IDLE_S, self._close_idle)
            self._closing.daemon = True
            self._closing.start()

    def _close_idle(self) -> None:
        with self._lock:
            self._close_all()
