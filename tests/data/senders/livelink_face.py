"""Send frames with PyLiveLinkFace as Live Link Face does, until killed.

Usage: python livelink_face.py PORT FRAMES.json
"""

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

from pylivelinkface import FaceBlendShape, PyLiveLinkFace


def main(port: int, frames: list[dict[str, Any]]) -> None:
    """Send ``frames`` in a loop."""
    face = PyLiveLinkFace()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        while True:
            for frame in frames:
                values = {**frame["shapes"], "HeadYaw": frame["yaw"]}
                for name, value in values.items():
                    face.set_blendshape(FaceBlendShape[name], value, no_filter=True)
                sock.send(face.encode())
                time.sleep(0.033)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
