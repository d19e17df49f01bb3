"""The tree that VRCFaceTracking reads declares every parameter of a face."""

from __future__ import annotations

import json
from ipaddress import IPv4Address

import pytest

from vtbridge.errors import VtbridgeError
from vtbridge.osc import OscMessage
from vtbridge.tracking.oscquery import (
    HTTP_SERVICE,
    OSC_SERVICE,
    Node,
    OscQueryHost,
    answers_for,
    avatar_tree,
    networks_of,
)
from vtbridge.tracking.protocols.vrcft import WANTED, WANTED_FLAGS, VrcftProtocol


def leaves(node: Node) -> dict[str, str]:
    """Return the type of each address, as VRCFaceTracking walks the tree."""
    contents = node.get("CONTENTS")
    if not isinstance(contents, dict):
        return {str(node["FULL_PATH"]): str(node["TYPE"])}
    return {path: kind for child in contents.values() for path, kind in leaves(child).items()}


def test_every_parameter_is_declared_with_its_type() -> None:
    declared = leaves(avatar_tree())
    assert declared.pop("/avatar/change") == "s"
    assert declared == {
        **{f"/avatar/parameters/v2/{name}": "f" for name in WANTED},
        **{f"/avatar/parameters/{name}": "T" for name in WANTED_FLAGS},
    }


def test_what_is_declared_is_what_the_receiver_reads() -> None:
    protocol = VrcftProtocol()
    for path in leaves(avatar_tree()):
        if path != "/avatar/change":
            assert protocol._is_own(OscMessage(path).address)


def test_every_path_and_attribute_has_its_answer() -> None:
    answers = answers_for(avatar_tree(), OscQueryHost(9000).host_info())
    assert json.loads(answers["?HOST_INFO"])["OSC_PORT"] == 9000
    root = json.loads(answers["/"])
    assert root["FULL_PATH"] == "/"
    jaw = root["CONTENTS"]["avatar"]["CONTENTS"]["parameters"]["CONTENTS"]["v2"]["CONTENTS"][
        "JawOpen"
    ]
    assert json.loads(answers["/avatar/parameters/v2/JawOpen"]) == jaw
    assert json.loads(answers["/avatar/parameters/v2/JawOpen?TYPE"]) == {"TYPE": "f"}
    assert json.loads(answers["/avatar/change?VALUE"]) == {"VALUE": ["avtr_vtbridge"]}
    yaw = json.loads(answers["/avatar/parameters/v2/Head/Yaw"])
    assert yaw["FULL_PATH"] == "/avatar/parameters/v2/Head/Yaw"


def test_announcement_has_the_name_that_is_looked_for() -> None:
    host = OscQueryHost(9000, name="main")
    http, osc = host.services()
    assert http.name == f"VRChat-Client-main.{HTTP_SERVICE}"
    assert osc.name == f"VRChat-Client-main.{OSC_SERVICE}"
    assert (osc.port, osc.addresses) == (9000, [IPv4Address("127.0.0.1").packed])


@pytest.mark.parametrize("name", ["a.b", "x" * 200, "ü" * 100])
def test_any_name_becomes_one_label(name: str) -> None:
    label = OscQueryHost(9000, name=name).instance
    assert "." not in label
    assert len(label.encode()) <= 60
    OscQueryHost(9000, name=name).services()


def test_loopback_is_announced_on_every_network_and_another_address_on_its_own() -> None:
    assert networks_of("127.0.0.1")[0] == "127.0.0.1"
    assert len(set(networks_of("127.0.0.1"))) == len(networks_of("127.0.0.1"))
    assert networks_of("192.0.2.77") == ["192.0.2.77"]


def test_every_address_means_loopback() -> None:
    assert OscQueryHost(9000, host="0.0.0.0").host == "127.0.0.1"  # noqa: S104 - not listened on


def test_address_of_another_computer_is_refused_with_a_remedy() -> None:
    with pytest.raises(VtbridgeError, match=r"192\.0\.2\.77.*127\.0\.0\.1"):
        OscQueryHost(9000, host="192.0.2.77").bind()


def test_host_that_was_bound_but_never_started_gives_its_port_back() -> None:
    host = OscQueryHost(9000)
    host.bind()
    assert host.http_port > 0
    assert host.stop()
