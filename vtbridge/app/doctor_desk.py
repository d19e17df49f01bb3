"""The picture doctor of the daemon: one drawing at a time, on a thread of its own."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable

from vtbridge.app.characters import folder_name
from vtbridge.app.picture_doctor import Diagnosis, Wishes, diagnose
from vtbridge.characters.decode import decode_drawing
from vtbridge.characters.prepare.face import HeadBox
from vtbridge.characters.prepare.matting import Matting
from vtbridge.control.api.doctor import DoctorBusy, DoctorOrder, NoPatient, Patient, Report
from vtbridge.errors import VtbridgeError
from vtbridge.render.baked.store import characters_root
from vtbridge.render.poser import Poser

log = logging.getLogger(__name__)

_SHOWN_SIDE = 1024
NOBODY = Patient(
    state="none",
    name="",
    width=0,
    height=0,
    doing="",
    share=0.0,
    trouble="",
    report=None,
)


class RunningDoctor:
    """See ``control.api.doctor.DoctorDesk``.

    Args:
        open_poser: opens the networks that judge a drawing.
    """

    def __init__(self, open_poser: Callable[[], Poser]) -> None:
        self._open_poser = open_poser
        self._lock = threading.Lock()
        self._patient = NOBODY
        self._content = b""
        self._diagnosis: Diagnosis | None = None

    def patient(self) -> Patient:
        """Return how far it is."""
        return self._patient

    def admit(self, content: bytes, name: str) -> None:
        """Begin with a new drawing; raises DoctorBusy."""
        with self._lock:
            self._refuse_while_busy()
            self._content, self._diagnosis = content, None
            self._patient = NOBODY.model_copy(update={"state": "busy", "name": name})
        self._begin(Wishes())

    def examine(self, order: DoctorOrder) -> None:
        """Examine the drawing again; raises DoctorBusy or NoPatient."""
        head = order.head
        wishes = Wishes(
            Matting(order.matting),
            None if head is None else HeadBox(head.x, head.y, head.side),
            frozenset(order.fixes),
        )
        with self._lock:
            self._refuse_while_busy()
            if not self._content:
                raise NoPatient
            self._patient = self._patient.model_copy(
                update={"state": "busy", "trouble": "", "share": 0.0}
            )
        self._begin(wishes)

    def drawing(self) -> bytes:
        """Return the drawing as a PNG; raises NoPatient."""
        from PIL import Image

        if not self._content:
            raise NoPatient
        try:
            image = Image.fromarray(decode_drawing(self._content, self._patient.name).rgba)
        except VtbridgeError as error:
            raise NoPatient from error
        image.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
        content = io.BytesIO()
        image.save(content, format="PNG", compress_level=4)
        return content.getvalue()

    def sheet(self) -> bytes:
        """Return the sheet of the examination; raises NoPatient."""
        found = self._diagnosis
        if found is None or found.sheet is None:
            raise NoPatient
        return found.sheet

    def keep(self, name: str) -> str:
        """Make a character of it, among the user's own; never in the place of another."""
        found = self._diagnosis
        if found is None:
            raise NoPatient
        root, wanted = characters_root(), folder_name(name)
        folder = root / wanted
        number = 2
        while folder.exists():
            folder = root / f"{wanted}-{number}"
            number += 1
        try:
            found.save(folder, name=name)
        except OSError as error:
            raise VtbridgeError(f"{folder} cannot be written: {error.strerror}") from error
        return str(folder)

    def _refuse_while_busy(self) -> None:
        if self._patient.state == "busy":
            raise DoctorBusy

    def _begin(self, wishes: Wishes) -> None:
        threading.Thread(target=self._work, args=(wishes,), name="doctor", daemon=True).start()

    def _work(self, wishes: Wishes) -> None:
        patient = self._patient
        try:
            height, width = decode_drawing(self._content, patient.name).rgba.shape[:2]
            self._patient = patient = patient.model_copy(update={"width": width, "height": height})
            found = diagnose(self._content, patient.name, wishes, self._open_poser, self._told)
        except VtbridgeError as error:
            self._failed(str(error))
            return
        except Exception:
            log.exception("the drawing %s cannot be examined", patient.name)
            self._failed("vtbridge made a mistake: see its terminal, and report it")
            return
        self._diagnosis = found
        self._patient = self._patient.model_copy(
            update={
                "state": "done",
                "share": 1.0,
                "doing": "",
                "report": Report.model_validate(found.report()),
            }
        )

    def _told(self, doing: str, share: float) -> None:
        self._patient = self._patient.model_copy(update={"doing": doing, "share": share})

    def _failed(self, trouble: str) -> None:
        self._patient = self._patient.model_copy(
            update={"state": "failed", "trouble": trouble, "doing": ""}
        )
