"""An OBS that answers requests out of a table, on the caller's own thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vtbridge.obs.client import NOT_FOUND, ObsRefused


@dataclass
class FakeInput:
    """One source of OBS."""

    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    active: bool = False
    shown: bool = False
    muted: bool = False


@dataclass
class ObsAnswers:
    """Stands for a connection; ``asked`` holds the names of all requests.

    Attributes:
        inputs: by name.
        scene: in the program.
        streaming: whether it streams.
        recording: whether it records.
        answers: requests answered otherwise.
    """

    inputs: dict[str, FakeInput] = field(default_factory=dict)
    scene: str = "Start"
    streaming: bool = False
    recording: bool = False
    answers: dict[str, Callable[[], Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def request(
        self, name: str, data: Mapping[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> Any:
        self.asked.append(name)
        if name in self.answers:
            return self.answers[name]()
        match name:
            case "GetCurrentProgramScene":
                return {"currentProgramSceneName": self.scene}
            case "GetStreamStatus":
                return {"outputActive": self.streaming}
            case "GetRecordStatus":
                return {"outputActive": self.recording}
            case "GetInputList":
                return {
                    "inputs": [
                        {"inputName": title, "inputKind": one.kind}
                        for title, one in self.inputs.items()
                    ]
                }
        wanted = (data or {}).get("inputName", (data or {}).get("sourceName"))
        found = self.inputs.get(str(wanted))
        if found is None:
            raise ObsRefused(name, NOT_FOUND, f"no source {wanted}")
        match name:
            case "GetInputSettings":
                return {"inputKind": found.kind, "inputSettings": found.settings}
            case "GetSourceActive":
                return {"videoActive": found.active, "videoShowing": found.shown}
            case "GetInputMute":
                return {"inputMuted": found.muted}
        raise ObsRefused(name, 204, "unknown request")
