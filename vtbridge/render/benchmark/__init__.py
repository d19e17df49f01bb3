"""Compare posers in one interleaved run, each in a process of its own.

::

    measure ──┬── worker      (reference)   the author's code out of the wheel
              ├── worker      (pytorch f32)
              ├── worker      (openvino f32)
              └── worker      (openvino bf16)

Frame by frame the contenders take turns, so that whatever else the machine does slows all
of them alike; a contender that waits computes nothing.
"""
