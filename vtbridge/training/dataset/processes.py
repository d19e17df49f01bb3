"""Make shards in processes of this computer, one a core."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from multiprocessing.synchronize import Event

from vtbridge.errors import DatasetError
from vtbridge.training.dataset.job import ShardTask, make_shard
from vtbridge.training.dataset.manifest import ShardRecord
from vtbridge.training.figures.gl_context import use_one_thread

_stop: Event | None = None
"""In a worker: set when nobody waits for its shard any more."""


class Processes:
    """Make shards in processes of this computer; see ``job.ShardRunner``.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def __call__(self, tasks: list[ShardTask]) -> Iterator[ShardRecord]:
        """Make all shards and yield what is finished.

        Raises:
            DatasetError: a process was killed, or a shard cannot be made.
        """
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        pool = ProcessPoolExecutor(
            min(self._count, len(tasks)),
            mp_context=context,
            initializer=_begin_worker,
            initargs=(stop,),
        )
        pending: set[Future[ShardRecord]] = {pool.submit(_made, task) for task in tasks}
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise DatasetError(
                "a process that draws was killed; if memory ran out, choose fewer with "
                "--processes. The same command goes on where it was"
            ) from error
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def alone_on_a_core() -> None:
    """Keep the libraries of a worker process to one thread, and end it with its parent."""
    import cv2

    threading.Thread(target=_end_with_parent, daemon=True).start()

    use_one_thread()
    cv2.setNumThreads(1)


def _begin_worker(stop: Event) -> None:
    global _stop
    _stop = stop
    # Ctrl-C reaches all processes of a terminal; the parent tells the others to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    alone_on_a_core()


def _made(task: ShardTask) -> ShardRecord:
    return make_shard(task, _stopped)


def _stopped() -> bool:
    return _stop is not None and _stop.is_set()


def _end_with_parent() -> None:
    """Leave when the parent has gone, however it went: nobody waits for the shard any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
