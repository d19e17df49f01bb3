"""What tracking one picture costs, in milliseconds of CPU; prints, asserts nothing slow."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from tests.support import videos
from tests.support.face_model import face_model
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import U8Array
from vtbridge.tracking.webcam.tracker import FaceTracker


def cost_ms(tracker: FaceTracker, pictures: Iterable[U8Array]) -> tuple[float, float]:
    """Return the process's mean CPU time and the 95th percentile of the wall time."""
    walls = []
    cpu_s = time.process_time()
    for index, rgb in enumerate(pictures):
        started_s = time.perf_counter()
        tracker.track(rgb, index * NS_PER_S // 30)
        walls.append(time.perf_counter() - started_s)
    cpu_s = time.process_time() - cpu_s
    return cpu_s / len(walls) * 1e3, float(np.percentile(walls, 95)) * 1e3


def test_print_cost_of_one_picture() -> None:
    faces = videos.pictures_of(videos.single_face())
    nobody = videos.pictures_of(videos.no_face())[:60]
    hd = [np.repeat(np.repeat(rgb, 3, 0), 3, 1) for rgb in faces[:30]]
    for threads in (1, 2):
        started_s = time.perf_counter()
        tracker = FaceTracker(face_model(), threads=threads)
        load_s = time.perf_counter() - started_s
        print(f"\n{threads} thread(s): loaded in {load_s:.2f} s")
        cost_ms(tracker, faces[:10])
        for name, pictures in (
            ("a face, 640x360", faces),
            ("a face, 1920x1080", hd),
            ("nobody, 960x540", nobody),
        ):
            tracker.reset()
            cpu_ms, p95_ms = cost_ms(tracker, pictures)
            print(f"{name:20} {cpu_ms:5.1f} ms CPU a picture, 95 % within {p95_ms:5.1f} ms")
