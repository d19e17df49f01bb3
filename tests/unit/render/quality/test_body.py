"""The body: how old an answer may be is told by how the figure was bent since, not by a rate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError
from vtbridge.render.carry import EditedFields
from vtbridge.render.quality.body import NEVER, Body, Reuse
from vtbridge.render.quality.networks import PictureNetworks, Rotated
from vtbridge.telemetry import Telemetry

PX = 1 / 256
"""A grid change of one pixel."""

STRETCH = np.arange(256, dtype=np.float32) * 2 * PX
"""Grid changes that differ by a pixel from pixel to pixel; those of the rotator are two apart."""

REUSE = Reuse(extend_px=0.05, bending=1.0, face_change=0.1)


@dataclass
class BendingNetworks:
    """The rotator stretches the picture by ``head_x``, and pushes it by ``head_y`` pixels and
    by ten times ``breathing``; the editor numbers its answers.
    """

    ran: list[str] = field(default_factory=list)
    fails: bool = False
    edits: int = 0
    still_from: int = 256
    planes: F32Array = field(default_factory=lambda: np.ones((4, 512, 512), np.float32))
    grid: F32Array = field(default_factory=lambda: np.empty((2, 256, 256), np.float32))
    edited: EditedFields = field(
        default_factory=lambda: EditedFields(
            *(np.empty((n, 512, 512), np.float32) for n in (2, 4, 4))
        )
    )

    def rotate(self, face: F32Array, rotation: F32Array) -> Rotated[Any]:
        self.ran.append("rotate")
        del face
        self.grid[0] = rotation[0] * STRETCH
        self.grid[0, :, self.still_from :] = 0
        self.grid[1] = (rotation[1] + 10 * rotation[5]) * PX
        return Rotated((), self.grid)

    def edit(self, rotated: Rotated[Any], rotation: F32Array) -> EditedFields:
        self.ran.append("edit")
        if self.fails:
            raise InferenceError("edit failed")
        self.edits += 1
        self.edited.grid_change[0] = 0.25
        self.edited.grid_change[1] = rotated.grid_change[1, 0, 0]
        self.edited.alpha[...] = self.edits
        self.edited.color[...] = rotation[5]
        return self.edited

    def taken(self) -> list[str]:
        ran, self.ran = self.ran, []
        return ran


@pytest.fixture
def networks() -> BendingNetworks:
    return BendingNetworks()


@pytest.fixture
def body(networks: BendingNetworks) -> Body:
    return Body(cast(PictureNetworks[Any], networks), Telemetry())


def face(level: float = 0.0) -> F32Array:
    return np.full((4, 192, 192), level, np.float32)


def rotation(head_x: float = 0.0, head_y: float = 0.0, breathing: float = 0.0) -> F32Array:
    return np.array([head_x, head_y, 0, 0, 0, breathing], np.float32)


FACE = face()


def test_never_reusing_runs_both_networks_for_every_change(
    body: Body, networks: BendingNetworks
) -> None:
    for head_x in (0.0, 1e-4, 2e-4):
        body.fields(FACE, rotation(head_x), NEVER)
        assert networks.taken() == ["rotate", "edit"]
    body.fields(FACE, rotation(2e-4), NEVER)
    assert networks.taken() == []


def test_the_editor_rests_until_the_figure_is_bent_enough(
    body: Body, networks: BendingNetworks
) -> None:
    body.fields(FACE, rotation(), REUSE)
    ran = []
    for head_x in (0.3, 0.6, 0.9, 1.2, 1.5):
        networks.taken()
        body.fields(FACE, rotation(head_x), REUSE)
        ran.append(networks.taken())
    carried, edited = ["rotate"], ["rotate", "edit"]
    assert ran == [carried, carried, carried, edited, carried]


def test_a_movement_without_bending_is_made_up_for_by_carrying(
    body: Body, networks: BendingNetworks
) -> None:
    body.fields(FACE, rotation(), REUSE)
    networks.taken()
    fields = body.fields(FACE, rotation(head_y=20), REUSE)
    assert networks.taken() == ["rotate"]
    np.testing.assert_allclose(fields.grid_change[1], 20 * PX, atol=1e-6)


@pytest.mark.parametrize(("seen", "ran"), [(40, ["rotate", "edit"]), (300, ["rotate"])])
def test_only_the_figure_counts(
    seen: int, ran: list[str], body: Body, networks: BendingNetworks
) -> None:
    networks.planes[3] = -1
    networks.planes[3, seen : seen + 40, seen : seen + 40] = 1
    body.fields(FACE, rotation(), REUSE)
    networks.taken()
    networks.still_from = 100  # of the rotator's 256 columns
    body.fields(FACE, rotation(3), REUSE)
    assert networks.taken() == ran


def test_the_editor_rests_until_the_face_has_changed_enough(
    body: Body, networks: BendingNetworks
) -> None:
    body.fields(FACE, rotation(), REUSE)
    networks.taken()
    body.fields(face(0.09), rotation(0.1), REUSE)
    assert networks.taken() == ["rotate"]
    body.fields(face(0.11), rotation(0.2), REUSE)
    assert networks.taken() == ["rotate", "edit"]


def test_carried_fields_bend_as_the_rotator_says_now(body: Body) -> None:
    body.fields(FACE, rotation(breathing=0.5), REUSE)
    fields = body.fields(FACE, rotation(head_y=0.5, breathing=0.7), REUSE)
    np.testing.assert_allclose(fields.grid_change[0], 0.25, atol=1e-6)
    np.testing.assert_allclose(fields.grid_change[1], 7.5 * PX, atol=1e-6)
    assert (fields.alpha == 1).all()
    assert (fields.color == 0.5).all()


def test_bending_is_measured_from_the_last_edit_not_from_the_last_frame(
    body: Body, networks: BendingNetworks
) -> None:
    for step in range(12):
        body.fields(FACE, rotation(0.3 * step), REUSE)
    assert networks.edits == 1 + 2  # 3.3 in all, an edit whenever 1 is passed


def test_the_smallest_movements_need_no_network(body: Body, networks: BendingNetworks) -> None:
    body.fields(FACE, rotation(), REUSE)
    networks.taken()
    for breathing in (0.02, 0.04, 0.06):
        version = body.version
        body.fields(FACE, rotation(breathing=breathing), REUSE)
        assert body.version > version
    assert networks.taken() == []
    body.fields(FACE, rotation(breathing=0.1), REUSE)
    assert networks.taken() == ["rotate"]


def test_they_go_on_in_the_way_the_rotator_showed(body: Body, networks: BendingNetworks) -> None:
    for breathing in (0, 0.5, 1.0, 0.5):
        body.fields(FACE, rotation(breathing=breathing), REUSE)
    networks.taken()
    fields = body.fields(FACE, rotation(breathing=0.57), REUSE)
    assert networks.taken() == []
    np.testing.assert_allclose(fields.grid_change[1], 5.7 * PX, rtol=0.03)


def test_a_face_that_changed_much_asks_the_rotator(body: Body, networks: BendingNetworks) -> None:
    body.fields(FACE, rotation(), REUSE)
    networks.taken()
    body.fields(face(0.05), rotation(), REUSE)
    assert networks.taken() == []
    body.fields(face(0.11), rotation(), REUSE)
    assert networks.taken() == ["rotate", "edit"]


def test_each_answer_is_reused_for_faces_like_its_own(
    body: Body, networks: BendingNetworks
) -> None:
    body.fields(FACE, rotation(), REUSE)
    body.fields(face(0.09), rotation(0.1), REUSE)
    networks.taken()
    body.fields(face(-0.05), rotation(0.1), REUSE)  # like the editor's, unlike the rotator's
    assert networks.taken() == ["rotate"]


def test_what_is_carried_is_the_editors_newest_answer(body: Body) -> None:
    for head_x in (0, 0.5, 2):
        body.fields(FACE, rotation(head_x), REUSE)
    assert (body.fields(FACE, rotation(2.5), REUSE).alpha == 2).all()


def test_a_pose_that_stays_is_finished(body: Body, networks: BendingNetworks) -> None:
    body.fields(FACE, rotation(), REUSE)
    body.fields(FACE, rotation(0.5), REUSE)
    networks.taken()
    assert (body.fields(FACE, rotation(0.5), REUSE).alpha == 2).all()
    assert networks.taken() == ["rotate", "edit"]
    body.fields(FACE, rotation(0.5), REUSE)
    assert networks.taken() == []


def test_a_stricter_level_edits_what_a_looser_one_carried(
    body: Body, networks: BendingNetworks
) -> None:
    body.fields(FACE, rotation(), REUSE)
    body.fields(FACE, rotation(0.5), REUSE)
    networks.taken()
    body.fields(FACE, rotation(0.6), NEVER)
    assert networks.taken() == ["rotate", "edit"]


def test_coming_back_to_an_edited_pose_gives_the_editors_own_answer(
    body: Body, networks: BendingNetworks
) -> None:
    edited = body.fields(FACE, rotation(), REUSE)
    carried = body.fields(FACE, rotation(0.5), REUSE)
    assert carried is not edited
    version = body.version
    networks.taken()
    assert body.fields(FACE, rotation(), REUSE) is edited
    assert networks.taken() == []
    assert body.version > version


def test_what_was_reused_is_counted(networks: BendingNetworks) -> None:
    telemetry = Telemetry()
    body = Body(cast(PictureNetworks[Any], networks), telemetry)
    for head_x, breathing in ((0, 0), (0.3, 0), (0.3, 0.01), (0.6, 0), (9, 0)):
        body.fields(FACE, rotation(head_x, breathing=breathing), REUSE)
    assert telemetry.counters() == {"render.editor.reused": 3, "render.rotator.reused": 1}
    assert telemetry.latencies()["render.carry"].count == 3


def test_after_forgetting_everything_is_computed_anew(
    body: Body, networks: BendingNetworks
) -> None:
    body.fields(FACE, rotation(), REUSE)
    networks.fails = True
    with pytest.raises(InferenceError):
        body.fields(FACE, rotation(9), REUSE)
    body.forget()
    networks.fails = False
    networks.taken()
    body.fields(FACE, rotation(9.1), REUSE)
    assert networks.taken() == ["rotate", "edit"]
