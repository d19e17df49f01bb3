"""Send VMC frames with vmcp and osc4py3, one bundle a frame, until killed.

Usage: python vmcp_bundles.py PORT FRAMES.json
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from vmcp.osc import OSC
from vmcp.osc.backend.osc4py3 import as_eventloop
from vmcp.osc.typing import Message
from vmcp.protocol import blendshape, blendshape_apply, bone_transform, state
from vmcp.typing import BlendShapeKey, Bone, CoordinateVector, ModelState, Quaternion


def main(port: int, frames: list[dict[str, Any]]) -> None:
    """Send ``frames`` in a loop."""
    keys = BlendShapeKey("Keys", {name: name for name in frames[0]["shapes"]})
    osc = OSC(as_eventloop)
    with osc.open():
        sender = osc.create_sender("127.0.0.1", port, "sender").open()
        while True:
            for frame in frames:
                head = Quaternion(*frame["head"])
                messages = [
                    Message(*state(ModelState.LOADED)),
                    Message(*bone_transform(Bone.HEAD, CoordinateVector.identity(), head)),
                    *(
                        Message(*blendshape(keys[name], weight))
                        for name, weight in frame["shapes"].items()
                    ),
                    Message(*blendshape_apply()),
                ]
                sender.send(messages)
                osc.run()
                time.sleep(0.033)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
