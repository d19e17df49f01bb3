"""What the pixel conversions cost, in milliseconds; prints, asserts nothing slow."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from functools import partial

import numpy as np

from vtbridge.render.alpha import network_from_straight, premultiplied_from_network


def best_ms(work: Callable[[], object], number: int = 20) -> float:
    return min(timeit.repeat(work, timer=time.thread_time, number=number, repeat=7)) / number * 1e3


def test_print_cost_of_the_conversions() -> None:
    rng = np.random.default_rng(0)
    full = rng.uniform(-1, 1, (4, 512, 512)).astype(np.float32)
    character = full.copy()
    character[3] = -1
    character[3, 60:, 140:370] = 1
    out = np.empty((512, 512, 4), np.uint8)
    for name, planes in (("everywhere", full), ("a character", character)):
        cost = best_ms(partial(premultiplied_from_network, planes, out))
        print(f"\nnetwork to premultiplied, {name}: {cost:.2f} ms")
    print(f"picture to network: {best_ms(lambda: network_from_straight(out)):.2f} ms")
