"""Compare posers in one interleaved run, each in a process of its own.

::

    measure ──┬── worker      (reference)      the author's code out of the wheel
              ├── worker      (onnxruntime)    the networks as they are, exported
              ├── worker      (exact)          our posers: each quality level,
              ├── worker      (balanced)         and each runtime
              └── worker      (native f32) ...

Frame by frame the contenders take turns, so that whatever else the machine does slows all
of them alike; a contender that waits computes nothing. Each frame is compared with the
baseline's of the same pose. What comes of it is put together by ``report``, held against
what was promised by ``promises``, drawn by ``chart`` and remembered by ``history``.
"""
