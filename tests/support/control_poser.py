"""Poses by hand for the control API that notes what it is told to do."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping

from PIL import Image

from vtbridge.control.api.poser import (
    Parameters,
    ShownPose,
    Still,
    StillChoices,
    StillOrder,
)
from vtbridge.errors import RuntimeUnavailable
from vtbridge.pose_schema import THA3


class FakePoser:
    """See ``vtbridge.control.api.poser.PoserDesk``.

    Args:
        orders: gets what it was told to do, newest last.

    Attributes:
        pose: the one that is held, in full.
        holder: who holds it, None = nobody.
        draws: no still is drawn before it is set.
    """

    def __init__(self, orders: list[str]) -> None:
        self.orders = orders
        self.pose = dict.fromkeys(THA3.index, 0.0)
        self.holder: str | None = None
        self.draws = threading.Event()
        self.draws.set()

    def parameters(self) -> Parameters:
        return Parameters.of(THA3)

    def shown(self) -> ShownPose:
        return ShownPose(held=self.holder is not None, pose=self.pose)

    def hold(self, pose: Mapping[str, float], holder: str) -> None:
        values = THA3.named(pose).tolist()
        self.orders.append(f"hold {dict(pose)}")
        self.pose = dict(zip(THA3.index, values, strict=True))
        self.holder = holder

    def release(self, holder: str | None = None) -> None:
        if holder in (None, self.holder):
            self.orders.append("release")
            self.holder = None

    def picture(self) -> bytes:
        content = io.BytesIO()
        Image.new("RGBA", (512, 512), (200, 40, 90, 255)).save(content, format="PNG")
        return content.getvalue()

    def choices(self) -> StillChoices:
        return StillChoices(
            qualities=["exact", "fast"],
            runtimes=["auto", "native"],
            weights=["tha3-separable-float"],
        )

    def still(self, order: StillOrder) -> Still:
        assert self.draws.wait(30)
        if order.runtime not in ("auto", "native"):
            raise RuntimeUnavailable(f"{order.runtime} is not installed: pip install it")
        return Still(self.picture(), f"{order.runtime} at {order.quality}", 12.5)
