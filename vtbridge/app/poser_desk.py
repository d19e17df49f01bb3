"""Posing by hand, as the control API wants it: over the render loop, and as stills."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Collection, Mapping

import numpy as np

from vtbridge.app.manual_pose import ManualPose
from vtbridge.app.stills import Stills
from vtbridge.control.api.poser import (
    Parameters,
    ShownPose,
    Still,
    StillChoices,
    StillOrder,
)
from vtbridge.datatypes import F32Array, Picture, Pose
from vtbridge.pose_params import near_names
from vtbridge.pose_schema import PoseSchema
from vtbridge.render.baked.store import find_model
from vtbridge.render.settings import Quality, RuntimeName
from vtbridge.render.weights.manifest import EntryKind
from vtbridge.render.weights.store import EntryState, WeightStore

_PACKAGES = {
    RuntimeName.AUTO: "vtbridge",
    RuntimeName.NATIVE: "vtbridge",
    RuntimeName.OPENVINO: "openvino",
    RuntimeName.ONNXRUNTIME: "onnxruntime",
    RuntimeName.PYTORCH: "torch",
}
"""What must be installed for each runtime."""


class RunningPoser:
    """One daemon, as ``control.api.poser.PoserDesk`` has it.

    Args:
        manual: takes the poses that are held.
        stills: draws pictures.
        picture: returns the one that is shown.
        pose: returns the pose that is shown, None before the first.
        weights: name of the avatar's own.
        schema: returns what the shown character can be posed with.
    """

    def __init__(
        self,
        manual: ManualPose,
        stills: Stills,
        picture: Callable[[], Picture],
        pose: Callable[[], Pose | None],
        weights: str,
        schema: Callable[[], PoseSchema],
    ) -> None:
        self._manual = manual
        self._stills = stills
        self._picture = picture
        self._pose = pose
        self._weights = weights
        self._schema = schema

    def parameters(self) -> Parameters:
        """Return what the character can be posed with."""
        return Parameters.of(self._schema())

    def shown(self) -> ShownPose:
        """Return the pose that is shown."""
        pose, schema = self._pose(), self._schema()
        values = schema.as_drawn if pose is None else schema.project(pose.values.astype(np.float64))
        return ShownPose(
            held=self._manual.held,
            pose=dict(zip(schema.index, (round(float(v), 4) for v in values), strict=True)),
        )

    def hold(self, pose: Mapping[str, float], holder: str) -> None:
        """Show ``pose`` from the next frame on; raises KeyError for an unknown parameter."""
        self._manual.hold(self._values(pose), holder)

    def release(self, holder: str | None = None) -> None:
        """Let the face move the character again."""
        self._manual.release(holder)

    def picture(self) -> bytes:
        """Return the drawing that is shown, as a PNG."""
        from PIL import Image

        content = io.BytesIO()
        Image.fromarray(self._picture().rgba).save(content, format="PNG", compress_level=4)
        return content.getvalue()

    def choices(self) -> StillChoices:
        """Return with what stills can be drawn; reads the disk."""
        prepared = find_model(self._picture()) is not None
        return StillChoices(
            qualities=[
                quality.value
                for quality in (Quality.EXACT, Quality.BALANCED, Quality.FAST, Quality.BAKED)
                if prepared or quality is not Quality.BAKED
            ],
            runtimes=[
                name.value
                for name, package in _PACKAGES.items()
                if importlib.util.find_spec(package) is not None
            ],
            weights=self._known_weights(),
        )

    def still(self, order: StillOrder) -> Still:
        """Draw a pose; raises KeyError for an unknown name, VtbridgeError if it cannot be."""
        values, picture = self._values(order.pose), self._picture()
        runtime = _named(order.runtime, list(RuntimeName), "runtime")
        weights = _named(order.weights or self._weights, self._known_weights(), "weights")
        package = find_model(picture) if order.quality == Quality.BAKED.value else None
        return self._stills.draw(
            picture,
            values,
            quality=Quality(order.quality),
            runtime=RuntimeName(runtime),
            weights=weights,
            package="" if package is None else str(package),
        )

    def _values(self, pose: Mapping[str, float]) -> F32Array:
        return self._schema().named(pose)

    def _known_weights(self) -> list[str]:
        """Return the weights that pose any picture, the avatar's own first."""
        store = WeightStore()
        others = [
            one.name
            for one in store.status()
            if one.kind is EntryKind.NETWORKS
            and one.state is EntryState.READY
            and not store.is_student(one.name)
        ]
        return list(dict.fromkeys([self._weights, *others]))


def _named(name: str, known: Collection[str], what: str) -> str:
    """Return ``name`` if it is known.

    Raises:
        KeyError: it is not; the message suggests near ones.
    """
    if name in known:
        return name
    raise KeyError(f"no {what} is called {name!r}{near_names(name, known)}")
