from typing import Any

from numpy.typing import NDArray

# Anything of the right bytes; what each is, _enlarge.c says.
_Array = NDArray[Any]

def keep(
    marks: _Array,
    flow: _Array,
    extents: _Array,
    keep: _Array,
    limits: tuple[float, float, float, float, float],
    side: int,
    row: int,
    end: int,
    /,
) -> None: ...
def enlarge(
    pairs: _Array,
    keep: _Array,
    flow: _Array,
    extents: _Array,
    original: _Array,
    rgba: _Array,
    still: float,
    side: int,
    size: int,
    row: int,
    end: int,
    /,
) -> None: ...
