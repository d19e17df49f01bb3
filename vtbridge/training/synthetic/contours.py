"""Contours in the plane of the face, and the surface that they are laid on."""

from __future__ import annotations

import numpy as np

from vtbridge.training.synthetic.layers import F64Array


def superellipse(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    power: float = 2.0,
    start: float = 0.0,
    end: float = 360.0,
    count: int = 40,
) -> F64Array:
    """Return N x 2 points of a superellipse; angles in degrees, clockwise from the right.

    Args:
        x: the middle.
        y: the middle.
        width: half of the whole.
        height: half of the whole.
        power: 2 is an ellipse, more is squarer.
        start: first angle.
        end: last angle; a whole turn is left open by one point.
        count: how many points.
    """
    angle = np.radians(np.linspace(start, end, count, endpoint=end - start < 360))
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack(
        [
            x + width * np.sign(cos) * np.abs(cos) ** (2 / power),
            y + height * np.sign(sin) * np.abs(sin) ** (2 / power),
        ],
        axis=1,
    )


def smooth(points: F64Array, *, rounds: int = 2, closed: bool = True) -> F64Array:
    """Return ``points`` with their corners cut (Chaikin); open lines keep their ends."""
    for _ in range(rounds):
        following = np.roll(points, -1, axis=0) if closed else points[1:]
        here = points if closed else points[:-1]
        cut = np.stack([0.75 * here + 0.25 * following, 0.25 * here + 0.75 * following], axis=1)
        flat = cut.reshape(-1, points.shape[1])
        points = flat if closed else np.concatenate([points[:1], flat, points[-1:]])
    return points


def mirrored(points: F64Array) -> F64Array:
    """Return ``points`` on the other side of the face."""
    other: F64Array = points * np.array([-1.0, *[1.0] * (points.shape[1] - 1)])
    return other


def bent(start: tuple[float, float], end: tuple[float, float], bend: float) -> F64Array:
    """Return an arc of 9 points; ``bend`` is its height as a share of its length."""
    a, b = np.array(start), np.array(end)
    t = np.linspace(0, 1, 9)[:, None]
    normal = np.array([a[1] - b[1], b[0] - a[0]])
    arc: F64Array = a + (b - a) * t + normal * bend * 4 * t * (1 - t)
    return arc


def at_depth(points: F64Array, depth: float) -> F64Array:
    """Return N x 3 points in one plane."""
    return np.column_stack([points, np.full(len(points), depth)])


def on_face(points: F64Array, *, above: float = 0.0) -> F64Array:
    """Return N x 3 points on the face's ellipsoid, or ``above`` it."""
    hidden = (points[:, 0] / 1.05) ** 2 + (points[:, 1] / 1.25) ** 2
    depth = 0.95 * np.sqrt(np.clip(1 - hidden, 0.02, None))
    return np.column_stack([points, depth + above])


def on_skull(points: F64Array) -> F64Array:
    """Return N x 3 points on the hair that lies over the face's ellipsoid."""
    hidden = (points[:, 0] / 1.12) ** 2 + (points[:, 1] / 1.5) ** 2
    return np.column_stack([points, 1.05 * np.sqrt(np.clip(1.1 - hidden, 0.03, None))])
