"""The whole of config.toml: every stage's settings under its own table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from vtbridge.config.ports import port_clashes
from vtbridge.control.settings import ControlSettings
from vtbridge.expressions.settings import ExpressionSettings, IdleSettings, TriggerSettings
from vtbridge.obs.settings import ObsSettings
from vtbridge.publish.settings import PublishSettings
from vtbridge.remote.settings import RemoteSettings
from vtbridge.render.settings import RenderSettings
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.settings import StageSettings
from vtbridge.supervise.settings import SupervisorSettings
from vtbridge.tracking.settings import TrackingSettings


class AvatarSettings(StageSettings):
    """Who is shown, and how often."""

    picture: str = "michi"
    """A path to a 512x512 picture with transparency, from this file's folder or from where
    vtbridge is started, or a built-in name: michi, momo, ren, sumi, yuki, lambda."""

    characters: tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...] = Field(
        (), max_length=64
    )
    """Characters that can be shown in its place while vtbridge runs, by the path of a picture or of
    a prepared character's folder, beside those that `vtbridge character list` shows."""

    reload: bool = True
    """Show the picture anew as soon as it is saved."""

    triggers: Mapping[Annotated[str, Field(max_length=4096)], TriggerSettings] = Field(
        {},
        max_length=64,
        examples=[{"momo": {"key": "ctrl+alt+2", "midi": "note:60", "obs": ["scene:Gaming"]}}],
    )
    """A key, a control of a MIDI device or something in OBS that has a character shown: a table for
    each, by its name, or by the name of its file or folder without the ending."""

    fps: float = Field(60.0, ge=1, le=240)
    """Frames a second to show; a machine that cannot keep them is given half of them."""


class Config(StageSettings):
    """Everything a user can set."""

    avatar: AvatarSettings = AvatarSettings()
    tracking: TrackingSettings = TrackingSettings()
    retarget: RetargetSettings = RetargetSettings()
    idle: IdleSettings = IdleSettings()
    expressions: ExpressionSettings = ExpressionSettings()
    render: RenderSettings = RenderSettings()
    publish: PublishSettings = PublishSettings()
    obs: ObsSettings = ObsSettings()
    control: ControlSettings = ControlSettings()
    remote: RemoteSettings = RemoteSettings()
    supervisor: SupervisorSettings = SupervisorSettings()

    @model_validator(mode="after")
    def _ports_are_distinct(self) -> Self:
        clashes = [
            InitErrorDetails(
                type="value_error",
                loc=port.key,
                input=port.number,
                ctx={"error": ValueError(sentence)},
            )
            for port, sentence in port_clashes(self)
        ]
        if clashes:
            raise ValidationError.from_exception_data(type(self).__name__, clashes)
        return self
