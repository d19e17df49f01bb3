"""Look at models in processes of this computer; one that ends its process costs only itself."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from vtbridge.training.dataset.processes import alone_on_a_core
from vtbridge.training.scan.card import Card, MakeCard, Task, lost_card, make_card


def one_after_the_other(tasks: Sequence[Task]) -> Iterator[Card]:
    """Yield the card of each, made in this process.

    Raises:
        DatasetError: what is seen cannot be kept.
    """
    return map(make_card, tasks)


class Processes:
    """Make cards in several processes.

    Args:
        count: how many.
        make: makes one; a new process finds it by its name.
    """

    def __init__(self, count: int, make: MakeCard = make_card) -> None:
        self._count = count
        self._make = make

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Card]:
        """Yield the card of each in any order.

        Raises:
            DatasetError: what is seen cannot be kept.
        """
        waiting = deque(tasks)
        while waiting:
            begun: dict[Future[Card], Task] = {}
            try:
                yield from self._made(waiting, begun)
            except BrokenProcessPool:
                # Alone, each shows whether it was the one.
                for suspect in list(begun.values()):
                    yield self._made_alone(suspect)

    def _made(self, waiting: deque[Task], begun: dict[Future[Card], Task]) -> Iterator[Card]:
        """Take from ``waiting`` and yield cards; ``begun`` is what is in the processes' hands."""
        pool = _pool(min(self._count, len(waiting)))
        try:
            while waiting or begun:
                while waiting and len(begun) < self._count:
                    begun[pool.submit(self._make, waiting[0])] = waiting[0]
                    waiting.popleft()
                done, _ = wait(begun, return_when=FIRST_COMPLETED)
                for future in done:
                    card = future.result()
                    del begun[future]
                    yield card
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _made_alone(self, task: Task) -> Card:
        try:
            return next(self._made(deque([task]), {}))
        except BrokenProcessPool:
            return lost_card(task)


def _pool(count: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=spawn, initializer=_begin_worker)


def _begin_worker() -> None:
    # Ctrl-C reaches all processes of a terminal; the parent waits for what they have begun.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    alone_on_a_core()
