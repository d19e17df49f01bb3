"""What a user can set about how their face moves the character."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from vtbridge.settings import StageSettings


class HeadSettings(StageSettings):
    """How far the head turns the character."""

    pitch_full_deg: float = Field(default=15.0, ge=1, le=90)
    """Degrees of nodding that reach head_x = 1; smaller moves the character more."""
    yaw_full_deg: float = Field(default=10.0, ge=1, le=90)
    """Degrees of turning that reach head_y = 1."""
    roll_full_deg: float = Field(default=15.0, ge=1, le=90)
    """Degrees of tilting that reach neck_z = 1."""
    body_yaw_follow: float = Field(default=1.0, ge=0, le=1)
    """Share of head_y that the body turns along, 0..1."""
    body_roll_follow: float = Field(default=1.0, ge=0, le=1)
    """Share of neck_z that the body leans along, 0..1."""


class GazeSettings(StageSettings):
    """Where the irises look."""

    source: Literal["auto", "blendshapes", "eyes"] = "auto"
    """auto: eyeLook blendshapes (or look presets) where they move, else the eyes' rotation."""
    look_gain: float = Field(default=4 / 3, ge=0, le=5)
    """Iris rotation for each unit of the eyeLook blendshapes."""
    pitch_full_deg: float = Field(default=22.0, ge=1, le=90)
    """Degrees of an eye's rotation up or down that reach iris_rotation_x = 1."""
    yaw_full_deg: float = Field(default=25.0, ge=1, le=90)
    """Degrees of an eye's rotation sideways that reach iris_rotation_y = 1."""


class CurveSettings(StageSettings):
    """How strongly one part answers; the defaults leave it as it comes."""

    gain: float = Field(default=1.0, ge=0, le=5)
    """How many times stronger the part answers; 1 = as it comes, 0 = off."""
    dead_zone: float = Field(default=0.0, ge=0, le=0.9)
    """Motion up to here counts as none, in units of the blendshape or of the full turn."""
    full_at: float = Field(default=1.0, ge=0.05, le=1)
    """Motion that counts as full; must lie above dead_zone."""
    gamma: float = Field(default=1.0, ge=0.2, le=5)
    """Exponent; below 1 small motions show more, above 1 less."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.full_at <= self.dead_zone:
            raise ValueError(f"full_at {self.full_at} must exceed dead_zone {self.dead_zone}")
        return self


class SensitivitySettings(StageSettings):
    """How strongly each part answers; a bare number in place of a table is its gain."""

    brows: CurveSettings = CurveSettings()
    """Brows."""
    eyelids: CurveSettings = CurveSettings()
    """eyeBlink, eyeWide, eyeSquint and cheekSquint."""
    mouth: CurveSettings = CurveSettings()
    """Jaw and mouth without the smile; gain 1.3-1.6 helps trackers whose jawOpen ends early."""
    smile: CurveSettings = CurveSettings()
    """mouthSmile and mouthDimple."""
    gaze: CurveSettings = CurveSettings()
    """Irises."""
    head: CurveSettings = CurveSettings()
    """Head, and the body that follows it."""

    @field_validator("*", mode="before")
    @classmethod
    def _gain_from_number(cls, value: object) -> object:
        """Take a bare number as the gain."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"gain": value}
        return value


class EyeSettings(StageSettings):
    """What lids show beside blinks; the preset "reference" has none of it."""

    look_down_compensation: float = Field(default=0.8, ge=0, le=1)
    """Share of the lids' fall in looking down that does not count as closing, 0..1."""
    smart_wink: bool = True
    """Whether both eyes close together unless one of them clearly winks."""
    wink_after_s: float = Field(default=0.1, ge=0, le=1)
    """Seconds that one eye must stay closed alone to count as a wink."""
    unimpressed_gain: float = Field(default=1.0, ge=0, le=5)
    """How much half-closed lids under lowered brows or a squint look unimpressed; 0 = off."""
    relaxed_gain: float = Field(default=1.0, ge=0, le=5)
    """How much half-closed lids over a faint smile look relaxed; 0 = off."""


class MouthSettings(StageSettings):
    """What the mouth shows beside vowels; the preset "reference" has none of it."""

    open_seam: float = Field(default=0.2, ge=0.05, le=1)
    """Opening, 0..1, up to which the shapes of a closed mouth fade out and vowels in."""
    smirk_gain: float = Field(default=0.6, ge=0, le=5)
    """How much a one-sided smile, dimple or mouth moved sideways shows mouth_smirk; 0 = off."""
    eee_gain: float = Field(default=1.0, ge=0, le=5)
    """How much of mouth_iii a stretched mouth turns into mouth_eee; 0 = off."""
    delta_gain: float = Field(default=0.8, ge=0, le=5)
    """How much of mouth_aaa lowered corners turn into mouth_delta; 0 = off."""
    pout_gain: float = Field(default=0.5, ge=0, le=5)
    """How much closed, puckered lips show mouth_uuu; 0 = off."""


class FilterSettings(StageSettings):
    """How one part is smoothed: a One-Euro filter."""

    min_cutoff_hz: float = Field(default=1.0, gt=0, le=1000)
    """Cut-off of a part at rest, Hz; lower is calmer."""
    beta: float = Field(default=1.0, ge=0, le=1000)
    """Hz added to the cut-off per unit of speed (full range a second); higher lags less."""
    speed_cutoff_hz: float = Field(default=1.0, gt=0, le=1000)
    """Cut-off of the speed estimate, Hz; higher wakes up sooner at sudden motion."""
    max_speed: float = Field(default=8.8, ge=1, le=1000)
    """Fastest change, units a second; 8.8 crosses 0..1 in 0.11 s, 0.147 a frame at 60 fps."""


class SmoothingSettings(StageSettings):
    """Calm where the face rests, quick where it moves, part by part."""

    brows: FilterSettings = FilterSettings(min_cutoff_hz=1.5, beta=1.5, speed_cutoff_hz=2.0)
    """Eyebrows."""
    eyes: FilterSettings = FilterSettings(min_cutoff_hz=3.0, beta=6.0, speed_cutoff_hz=10.0)
    """Eyelids and iris size: light, a blink must arrive whole."""
    mouth: FilterSettings = FilterSettings(min_cutoff_hz=2.5, beta=3.0, speed_cutoff_hz=4.0)
    """Mouth: quick enough for speech."""
    gaze: FilterSettings = FilterSettings(min_cutoff_hz=1.2, beta=2.5, speed_cutoff_hz=4.0)
    """Irises: steady while they rest, quick in a saccade."""
    head: FilterSettings = FilterSettings(min_cutoff_hz=1.0, beta=1.5, speed_cutoff_hz=2.0)
    """Head and neck."""
    body: FilterSettings = FilterSettings(min_cutoff_hz=0.7, beta=0.6, speed_cutoff_hz=1.0)
    """Body: follows the head a little later."""
    blink_hold_s: float = Field(default=0.1, ge=0, le=1)
    """Seconds that closed lids of a blink are held, so that slow renderers show them."""

    @field_validator("brows", "eyes", "mouth", "gaze", "head", "body", mode="before")
    @classmethod
    def _keep_part_defaults(cls, value: object, info: ValidationInfo) -> object:
        """Let a table that sets one key of a part keep that part's own other values."""
        if not isinstance(value, Mapping) or info.field_name is None:
            return value
        default: FilterSettings = cls.model_fields[info.field_name].default
        return {**default.model_dump(), **value}


class DropoutSettings(StageSettings):
    """What happens when the tracker falls silent."""

    hold_s: float = Field(default=0.3, ge=0, le=10)
    """Seconds of silence during which the face stays as it was."""
    fade_s: float = Field(default=0.7, gt=0, le=10)
    """Seconds after that in which presence eases from 1 to 0."""
    recover_s: float = Field(default=0.4, gt=0, le=10)
    """Seconds in which presence eases back to 1 when the face returns."""
    lost_after_s: float = Field(default=1.0, gt=0, le=60)
    """Seconds of silence after which the tracker counts as lost."""


class CalibrationSettings(StageSettings):
    """How the neutral face is taken."""

    window_s: float = Field(default=0.75, ge=0.1, le=5)
    """Seconds of samples whose median is the neutral face."""
    blend_s: float = Field(default=0.6, ge=0, le=5)
    """Seconds in which a new neutral face replaces the old."""
    eyelids: bool = True
    """Whether eyelids are calibrated too, or keep their own zero."""
    person: str = Field(default="default", pattern=r"^\w[\w .-]{0,39}$")
    """Whose neutral faces are used and kept, one for each tracker; `--person` overrides it."""


class RetargetSettings(StageSettings):
    """How your face moves the character."""

    preset: Literal["vtbridge", "reference"] = "vtbridge"
    """vtbridge: smooth, uses all shapes; reference: exactly talking-head-anime-3-demo's mapping,
    with its seams, without any smoothing."""
    mirror: bool = False
    """Whether the character moves like a mirror image: your left is its right."""
    eyebrow_down_as: Literal["angry", "troubled", "serious", "lowered"] = "angry"
    """Which eyebrow shape a lowered brow becomes."""
    wink_as: Literal["wink", "relaxed"] = "wink"
    """Which eye shape a closing lid becomes."""
    link_blinks: bool = False
    """Whether both eyes close together, as far as the one that is closed further."""
    head: HeadSettings = HeadSettings()
    """How far the head turns the character."""
    gaze: GazeSettings = GazeSettings()
    """Where the irises look."""
    sensitivity: SensitivitySettings = SensitivitySettings()
    """How strongly each part answers."""
    eyes: EyeSettings = EyeSettings()
    """What lids show beside blinks."""
    mouth: MouthSettings = MouthSettings()
    """What the mouth shows beside vowels."""
    smoothing: SmoothingSettings = SmoothingSettings()
    """Calm against quick, part by part."""
    dropout: DropoutSettings = DropoutSettings()
    """What happens when the tracker falls silent."""
    calibration: CalibrationSettings = CalibrationSettings()
    """How the neutral face is taken."""
