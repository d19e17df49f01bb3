import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array

class Level:
    def __init__(
        self,
        side: int,
        at_x: F32Array,
        at_y: F32Array,
        layers: tuple[tuple[int, F32Array, F32Array, bool], ...],
        below_side: int,
        planes: int,
        isa: str | None = None,
    ) -> None: ...
    def work(
        self,
        bias: F32Array,
        below: F32Array | None,
        out: F32Array,
        pixels: NDArray[np.int32],
        counter: NDArray[np.int64],
    ) -> None: ...
    @property
    def isa(self) -> str: ...
    @property
    def out_floats(self) -> int: ...
