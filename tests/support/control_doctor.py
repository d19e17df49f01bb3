"""A picture doctor for the control API that notes what it is told to do."""

from __future__ import annotations

from vtbridge.app.doctor_desk import NOBODY
from vtbridge.control.api.doctor import DoctorBusy, DoctorOrder, NoPatient, Patient


class FakeDoctor:
    """See ``vtbridge.control.api.doctor.DoctorDesk``.

    Args:
        orders: gets what it was told to do, newest last.

    Attributes:
        content: of the drawing, empty = none.
        busy: a drawing is being examined.
    """

    def __init__(self, orders: list[str]) -> None:
        self.orders = orders
        self.content = b"a drawing"
        self.busy = False

    def patient(self) -> Patient:
        state = "busy" if self.busy else "done" if self.content else "none"
        return NOBODY.model_copy(update={"state": state})

    def admit(self, content: bytes, name: str) -> None:
        if self.busy:
            raise DoctorBusy
        self.orders.append(f"admit {name}")
        self.content = content

    def examine(self, order: DoctorOrder) -> None:
        if self.busy:
            raise DoctorBusy
        self._require()
        self.orders.append(f"examine {order.matting} {order.fixes}")

    def drawing(self) -> bytes:
        return self._require()

    def sheet(self) -> bytes:
        return self._require()

    def keep(self, name: str) -> str:
        self._require()
        self.orders.append(f"keep {name}")
        return f"/characters/{name}"

    def _require(self) -> bytes:
        if not self.content:
            raise NoPatient
        return self.content
