"""What can be set about the inputs: the ``[tracking]`` table of config.toml."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vtbridge.settings import Address, Network, StageSettings
from vtbridge.tracking.formats import SOURCE_KINDS, TextVersion


class InputSettings(StageSettings):
    """What every network input has."""

    enabled: bool = True
    """Listen for this kind of tracker."""

    port: int = Field(default=39539, ge=1, le=65535)
    """UDP port to listen on."""


class PhoneSettings(InputSettings):
    """What every app has that sends only when asked."""

    phone: Address | None = Field(default=None, examples=["192.168.1.20"])
    """Address that the app shows on the phone. vtbridge then asks the phone to send, and
    this input listens to the local network for that phone only."""


class StreamingPhoneSettings(PhoneSettings):
    """What an app has that can send over TCP too."""

    transport: Literal["udp", "tcp"] = "udp"
    """How the phone sends: udp, or tcp where the network loses packets."""


class VmcSettings(InputSettings):
    """VMC protocol: VSeeFace, Waidayo, XR Animator, VMagicMirror, Warudo and many others."""

    port: int = Field(default=39539, ge=1, le=65535)
    """UDP port; 39539 is what senders use unless told otherwise."""


class IFacialMocapSettings(StreamingPhoneSettings):
    """iFacialMocap on an iPhone, and programs that send its text format."""

    port: int = Field(default=49983, ge=1, le=65535)
    """UDP port; the app always answers to 49983."""

    transport: Literal["udp", "tcp"] = "udp"
    """How the phone sends: udp, or tcp where the network loses packets; tcp needs `phone`."""

    version: TextVersion = TextVersion.V2
    """Text format to ask for; v2 also carries negative values."""

    tcp_port: int = Field(default=49986, ge=1, le=65535)
    """TCP port to which the phone connects, with `transport = "tcp"`."""

    @field_validator("transport")
    @classmethod
    def _tcp_needs_a_phone(cls, transport: str, info: ValidationInfo) -> str:
        if transport == "tcp" and info.data.get("phone") is None:
            raise ValueError("tcp needs `phone`, the address that the app shows")
        return transport


class Fmv3Settings(StreamingPhoneSettings):
    """FMV3: the binary protocol of iFacialMocap 1.5.3 and Facemotion3d 1.4.6 and later."""

    port: int = Field(default=49983, ge=1, le=65535)
    """UDP port; shared with iFacialMocap's text, they are told apart."""

    transport: Literal["udp", "tcp"] = "udp"
    """How the phone sends: udp, or tcp where the network loses packets. With tcp vtbridge
    connects to `phone`; without one it waits at `listen_port` for a stream that is started in
    the app."""

    udp_port: int = Field(default=49983, ge=1, le=65535)
    """UDP port of `phone`, which vtbridge asks with `transport = "udp"`; Facemotion3d has 49993."""

    tcp_port: int = Field(default=49984, ge=1, le=65535)
    """TCP port of `phone`, to which vtbridge connects with `transport = "tcp"`; Facemotion3d
    has 49994."""

    listen_port: int = Field(default=49986, ge=1, le=65535)
    """TCP port here to which a phone connects whose stream is started in the app: with
    `transport = "tcp"` and without `phone`."""


class Facemotion3dSettings(PhoneSettings):
    """Facemotion3d's text."""

    port: int = Field(default=49983, ge=1, le=65535)
    """UDP port; shared with iFacialMocap, they are told apart."""


class VtsPhoneSettings(PhoneSettings):
    """VTube Studio on an iPhone, and MeowFace on Android."""

    port: int = Field(default=11125, ge=1, le=65535)
    """UDP port that the phone is asked to send to."""


class LiveLinkSettings(InputSettings):
    """Live Link Face on an iPhone."""

    port: int = Field(default=11111, ge=1, le=65535)
    """UDP port; 11111 is what the app uses unless told otherwise."""


class OpenSeeFaceSettings(InputSettings):
    """OpenSeeFace's facetracker, a webcam tracker for the CPU."""

    port: int = Field(default=11573, ge=1, le=65535)
    """UDP port; 11573 is what facetracker uses unless told otherwise."""


class OscFaceSettings(InputSettings):
    """Apps that send a face as OSC. Every OSC port takes every OSC protocol."""

    port: int = Field(default=8888, ge=1, le=65535)
    """UDP port for apps in which you choose one."""


class PhizSettings(OscFaceSettings):
    """Phiz: a webcam's face from a page in the browser, by way of a desktop app."""

    port: int = Field(default=41235, ge=1, le=65535)
    """UDP port; 41235 is what the app uses unless told otherwise."""


class VrcftSettings(OscFaceSettings):
    """VRCFaceTracking: eye and face trackers of VR headsets."""

    port: int = Field(default=9000, ge=1, le=65535)
    """UDP port; 9000 is where VRChat listens, which this input stands in for."""

    oscquery: bool = False
    """Announce this computer as a VRChat with every face parameter (OSCQuery over mDNS),
    so that VRCFaceTracking sends all it has. It sends little or nothing otherwise. The
    announcement goes out on all networks of this computer, whatever `lan` says, but names
    127.0.0.1: only programs on this computer can follow it."""


_MOST_DEVICES = 1000


def _can_be_a_device(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, str) or (isinstance(value, int) and 0 <= value < _MOST_DEVICES)


class WebcamSettings(StageSettings):
    """Your own face from a webcam or a video file, tracked here, without another program."""

    enabled: bool = False
    """Track a face from `device`."""

    device: int | str = 0
    """Number of the webcam (0 is the first), or the path of a video file, from this file's
    folder or from where vtbridge is started."""

    fps: float = Field(default=30.0, ge=1, le=120)
    """Pictures a second to ask the webcam for and to track at most."""

    width: int = Field(default=640, ge=160, le=3840)
    """Width of the picture to ask the webcam for, pixels; a face is found from
    about 5 % of it."""

    loop: bool = True
    """Start a video file again at its end."""

    threads: int = Field(default=1, ge=1, le=16)
    """Threads of the face networks; one is faster than two while the avatar renders."""

    @field_validator("device", mode="before")
    @classmethod
    def _is_a_camera_or_a_file(cls, device: object) -> object:
        if device == "" or not _can_be_a_device(device):
            raise PydanticCustomError(
                "expected", "the number of a webcam (0 is the first) or the path of a video file"
            )
        return device


_SMALLEST_RANGE_DB = 6.0


class MouthShapes(StrEnum):
    """What the microphone says about the mouth."""

    LOUDNESS = "loudness"
    VOWELS = "vowels"


class MicrophoneSettings(StageSettings):
    """The mouth from your voice, alone or beside a camera."""

    enabled: bool = False
    """Listen to `device`."""

    device: int | str = ""
    """Number or name of the microphone ("" is the system's default), or the path of a .wav
    file, from this file's folder or from where vtbridge is started."""

    shapes: MouthShapes = MouthShapes.LOUDNESS
    """loudness: louder is wider; vowels: A, I, U, E, O after `vtbridge calibrate --vowels`."""

    quiet_db: float = Field(default=-50.0, ge=-90, le=0)
    """Loudness at which the mouth is closed, dB below full scale."""

    loud_db: float = Field(default=-20.0, ge=-90, le=0, validate_default=True)
    """Loudness at which the mouth is wide open, dB below full scale."""

    delay_s: float = Field(default=0.0, ge=0, le=2)
    """Seconds by which the mouth follows the sound later, where the camera is slower."""

    @field_validator("device", mode="before")
    @classmethod
    def _is_a_microphone_or_a_file(cls, device: object) -> object:
        if not _can_be_a_device(device):
            raise PydanticCustomError(
                "expected", "the number or name of a microphone or the path of a .wav file"
            )
        return device

    @field_validator("loud_db")
    @classmethod
    def _loud_is_louder(cls, loud_db: float, info: ValidationInfo) -> float:
        quiet_db = info.data.get("quiet_db", -math.inf)
        if loud_db < quiet_db + _SMALLEST_RANGE_DB:
            raise ValueError(
                f"{loud_db:g} must be at least {_SMALLEST_RANGE_DB:g} dB above quiet_db, "
                f"{quiet_db:g}"
            )
        return loud_db


class FusionSettings(StageSettings):
    """Which tracker moves which part, where several are at work.

    Each part lists protocol names (vmc, webcam, microphone, ...) or sources
    (vmc:192.168.1.20) as `vtbridge trackers` shows them, best first: the first that is
    live moves the part. Empty: the tracker that has the face.
    """

    brows: tuple[str, ...] = ()
    """Eyebrows and emotions."""
    eyes: tuple[str, ...] = ()
    """Eyelids."""
    gaze: tuple[str, ...] = ()
    """Where the eyes look."""
    mouth: tuple[str, ...] = ()
    """Jaw, lips and cheeks."""
    head: tuple[str, ...] = Field(default=(), examples=[("livelink", "webcam")])
    """Head, neck and body."""

    microphone: Literal["max", "replace"] = "max"
    """max: the mouth opens as far as face or voice says, whichever is more; replace: the
    microphone alone moves the mouth while it is live, unless `mouth` ranks it otherwise."""

    @field_validator("brows", "eyes", "gaze", "mouth", "head")
    @classmethod
    def _names_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name.partition(":")[0] not in SOURCE_KINDS:
                known = ", ".join(SOURCE_KINDS)
                raise ValueError(f"{name!r} is no tracker; those known are {known}")
        return names


class TrackingSettings(StageSettings):
    """Where face data may come from."""

    lan: bool = False
    """Listen to the whole local network instead of this computer only."""

    allow: tuple[Network, ...] = ()
    """Other computers and phones to listen to while `lan` is on, as addresses or networks
    (192.168.1.20, 192.168.1.0/24); empty means any. Programs on this computer are always
    heard. The first sender that speaks is kept until it falls silent."""

    release_s: float = Field(default=2.0, ge=0.5, le=60)
    """Seconds of silence after which another sender may take a port over."""

    takeover_s: float = Field(default=1.5, ge=0.5, le=60)
    """Seconds of silence after which another kind of tracker may take the face over."""

    fusion: FusionSettings = FusionSettings()
    """Which tracker moves which part, where several are at work. Each list names trackers,
    best first: vmc, fmv3, facemotion3d, ifacialmocap, vts_phone, livelink, openseeface,
    face_cap, visage, zig_sim, phiz, mediapipe_osc, vrcft, webcam, microphone, or one device
    as `vtbridge trackers` shows it (vmc:192.168.1.20). The first that is live moves the
    part; an empty list means the tracker that has the face."""

    webcam: WebcamSettings = WebcamSettings()
    """A webcam or a video file."""

    microphone: MicrophoneSettings = MicrophoneSettings()
    """The mouth from your voice."""

    vmc: VmcSettings = VmcSettings()
    """VMC protocol."""

    ifacialmocap: IFacialMocapSettings = IFacialMocapSettings()
    """iFacialMocap."""

    fmv3: Fmv3Settings = Fmv3Settings()
    """FMV3, the binary protocol of newer iFacialMocap and Facemotion3d."""

    facemotion3d: Facemotion3dSettings = Facemotion3dSettings()
    """Facemotion3d."""

    vts_phone: VtsPhoneSettings = VtsPhoneSettings()
    """VTube Studio on an iPhone, and MeowFace on Android."""

    livelink: LiveLinkSettings = LiveLinkSettings()
    """Live Link Face."""

    openseeface: OpenSeeFaceSettings = OpenSeeFaceSettings()
    """OpenSeeFace."""

    face_cap: OscFaceSettings = OscFaceSettings()
    """Face Cap."""

    visage: OscFaceSettings = OscFaceSettings()
    """Visage."""

    zig_sim: OscFaceSettings = OscFaceSettings()
    """ZIG SIM Pro."""

    phiz: PhizSettings = PhizSettings()
    """Phiz."""

    mediapipe_osc: OscFaceSettings = OscFaceSettings()
    """MediaPipe-OSC."""

    vrcft: VrcftSettings = VrcftSettings()
    """VRCFaceTracking."""
