from typing import Final

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array

BLOCK: Final[int]

def expand(
    basis: NDArray[np.uint32],
    weights: F32Array,
    start: F32Array,
    places: NDArray[np.int32],
    colours: int,
    face: F32Array,
    /,
) -> None: ...
