from __future__ import annotations

import pytest

from vtbridge.flow.service import ThreadService


class Idle(ThreadService):
    def serve(self) -> None:
        self.stopping.wait()


class Broken(ThreadService):
    def serve(self) -> None:
        raise OSError("the cable fell out")


def test_stopped_service_has_no_failure() -> None:
    service = Idle("idle")
    service.start()
    assert service.alive
    assert service.stop(), "the thread ended in time"
    assert service.failure is None


def test_dead_service_keeps_what_killed_it() -> None:
    service = Broken("broken")
    service.start()
    assert service.stop()
    assert isinstance(service.failure, OSError)


def test_service_starts_only_once() -> None:
    service = Idle("idle")
    service.start()
    with pytest.raises(RuntimeError, match="started before"):
        service.start()
    service.stop()
