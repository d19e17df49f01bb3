"""Receive the VMC protocol 3.1: bones, blendshapes and tracking status over OSC.

Senders pack a frame as one bundle, as several datagrams, or as single messages. A
face is complete at the end of the datagram that holds ``/VMC/Ext/Blend/Apply``; from a
sender that never sends it, at the end of each bundle; and otherwise after a few
milliseconds of quiet. What a datagram leaves out keeps its last value, for not every
message comes with every frame.

Source: protocol.vmc.info, the specification of sh-akira/VirtualMotionCaptureProtocol.
"""

from __future__ import annotations

from types import MappingProxyType

from vtbridge.datatypes import FaceFrame, Gaze
from vtbridge.errors import PacketError
from vtbridge.osc import OscArgument, decode_packet
from vtbridge.tracking.arkit import EMOTION_PRESETS, ShapeKind, shape_from_spelling
from vtbridge.tracking.protocols.protocol import (
    TrackerProtocol,
    finite_or_none,
    weight_from_number,
)
from vtbridge.tracking.rotation import (
    IDENTITY,
    Quaternion,
    angle_between,
    gaze_from_unity,
    head_pose_from_unity,
    multiply,
    normalised,
)

DEFAULT_PORT = 39539
QUIET_NS = 5_000_000
"""A frame without Apply is complete after this much silence."""
LONGEST_WAIT_NS = 20_000_000
"""...or this long after its first value, where a sender never pauses."""
ARKIT_QUORUM = 26
"""With this many of the 52 names seen, the sender speaks ARKit and its vowels are ignored."""

HEAD_CHAIN = ("Spine", "Chest", "UpperChest", "Neck", "Head")
"""Bones between the hips and the face, outermost first; each is local to the one before."""
_HEAD_BONES = frozenset({"Neck", "Head"})
_EYE_BONES = ("LeftEye", "RightEye")
_BONES = frozenset({*HEAD_CHAIN, *_EYE_BONES})
_STILL_EYE_RAD = 1e-3
_LARGEST_COMPONENT = 1e3
_NAMESPACE = "/VMC/Ext/"
_NAMESPACE_BYTES = _NAMESPACE.encode()
_BUNDLE_START = b"#bundle\0"


class VmcProtocol(TrackerProtocol):
    """One VMC sender; memory is bounded by the names it knows, not by what arrives."""

    name = "vmc"
    default_port = DEFAULT_PORT

    def __init__(self) -> None:
        super().__init__()
        self._messages = {
            "/VMC/Ext/Bone/Pos": self._take_bone,
            "/VMC/Ext/Blend/Val": self._take_blend,
            "/VMC/Ext/Blend/Apply": self._take_apply,
            "/VMC/Ext/OK": self._take_status,
        }
        self.reset("")

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether VMC's name stands in the OSC packet."""
        return _NAMESPACE_BYTES in datagram

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        self._source = source
        self._tracked = True
        self._bones: dict[str, Quaternion] = {}
        self._eyes_at_first: dict[str, Quaternion] = {}
        self._moving_eyes: set[str] = set()
        self._blendshapes: dict[str, float] = {}
        self._presets: dict[str, float] = {}
        self._applied = False
        self._uses_apply: bool | None = None  # unknown until the first face is complete
        self._open_since_ns: int | None = None
        self._last_value_ns = 0

    def feed(self, datagram: bytes, t_ns: int) -> list[FaceFrame]:
        """Take one datagram and return the faces it completes.

        They are the one that waited for quiet, if there was enough, and the datagram's own.

        Raises:
            PacketError: it is not OSC, or holds no message of VMC.
        """
        messages = decode_packet(datagram)
        if not any(message.address.startswith(_NAMESPACE) for message in messages):
            raise PacketError("an OSC packet without a VMC message", reason="not vmc")
        frames = self.flush(t_ns)
        self._applied = False
        for message in messages:
            take = self._messages.get(message.address)
            if take is not None and take(message.arguments):
                self._last_value_ns = t_ns
                if self._open_since_ns is None:
                    self._open_since_ns = t_ns
        waited_too_long = (
            self._open_since_ns is not None and t_ns - self._open_since_ns >= LONGEST_WAIT_NS
        )
        bundle_ended = (
            self._uses_apply is False
            and self._open_since_ns is not None
            and datagram.startswith(_BUNDLE_START)
        )
        if self._applied or bundle_ended or waited_too_long:
            frames.append(self._complete_face(t_ns))
        return frames

    def flush(self, t_ns: int) -> list[FaceFrame]:
        """Return the face begun without Apply, once the sender has been quiet."""
        if self._open_since_ns is None or t_ns - self._last_value_ns < QUIET_NS:
            return []
        return [self._complete_face(self._last_value_ns)]

    @property
    def waiting(self) -> bool:
        """True while values wait for Apply or quiet."""
        return self._open_since_ns is not None

    def _take_bone(self, arguments: tuple[OscArgument, ...]) -> bool:
        match arguments:
            case (str(bone), _, _, _, x, y, z, w, *_) if bone in _BONES:
                rotation = _rotation_from(x, y, z, w)
            case (str(), *_) if len(arguments) >= 8:
                return False  # a bone that no face has
            case _:
                rotation, bone = None, ""
        if rotation is None:
            self.values_dropped += 1
            return False
        self._bones[bone] = rotation
        if bone in _EYE_BONES:
            first = self._eyes_at_first.setdefault(bone, rotation)
            if bone not in self._moving_eyes and angle_between(first, rotation) > _STILL_EYE_RAD:
                self._moving_eyes.add(bone)
        return True

    def _take_blend(self, arguments: tuple[OscArgument, ...]) -> bool:
        match arguments:
            case (str(spelling), number, *_):
                weight = weight_from_number(number)
            case _:
                weight = None
        if weight is None:
            self.values_dropped += 1
            return False
        shape = shape_from_spelling(spelling)
        if shape is None:
            return False
        known = self._blendshapes if shape.kind is ShapeKind.ARKIT else self._presets
        known[shape.name] = weight
        return True

    def _take_apply(self, arguments: tuple[OscArgument, ...]) -> bool:
        self._applied = self._uses_apply = True
        return False

    def _take_status(self, arguments: tuple[OscArgument, ...]) -> bool:
        match arguments:
            case (_, _, _, int() | float() as status, *_):
                changed = self._tracked != bool(status)
                self._tracked = bool(status)
                return changed
        return False  # before version 2.7 the status is not sent

    def _complete_face(self, t_ns: int) -> FaceFrame:
        self._open_since_ns = None
        if self._uses_apply is None:
            self._uses_apply = False
        presets = dict(self._presets)
        if len(self._blendshapes) >= ARKIT_QUORUM:
            presets = {n: w for n, w in presets.items() if n in EMOTION_PRESETS}
        return FaceFrame(
            t_ns=t_ns,
            source=self._source,
            tracked=self._tracked and self._sees_face,
            blendshapes=MappingProxyType(dict(self._blendshapes)),
            presets=MappingProxyType(presets),
            head=head_pose_from_unity(self._head_rotation()) if self._sees_head else None,
            left_eye=self._gaze("LeftEye"),
            right_eye=self._gaze("RightEye"),
        )

    @property
    def _sees_face(self) -> bool:
        """True once anything of a face came: hands alone must not hold the avatar."""
        return self._sees_head or bool(self._blendshapes) or bool(self._presets)

    @property
    def _sees_head(self) -> bool:
        return not _HEAD_BONES.isdisjoint(self._bones)

    def _head_rotation(self) -> Quaternion:
        rotation = IDENTITY
        for bone in HEAD_CHAIN:
            if bone in self._bones:
                rotation = multiply(rotation, self._bones[bone])
        return rotation

    def _gaze(self, bone: str) -> Gaze | None:
        """Return the gaze of an eye bone that has ever moved.

        Many senders give eye bones that stay put and say the gaze in blendshapes.
        """
        return gaze_from_unity(self._bones[bone]) if bone in self._moving_eyes else None


def _rotation_from(*components: OscArgument) -> Quaternion | None:
    numbers = [finite_or_none(component, _LARGEST_COMPONENT) for component in components]
    x, y, z, w = numbers
    if x is None or y is None or z is None or w is None:
        return None
    return normalised(Quaternion(x, y, z, w))
