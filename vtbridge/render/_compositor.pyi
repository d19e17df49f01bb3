from typing import Any

from numpy.typing import NDArray

# Anything of the right bytes; what each is, _compositor.c says.
_Array = NDArray[Any]

# grid_change, alpha, color
_Fields = tuple[_Array, _Array, _Array]
# morphed, older, newer, share of the newer, whether colours are premultiplied
_Mixed = tuple[_Array, _Fields, _Fields | None, float, bool]

def shown(fields: _Mixed, rgba: _Array, side: int, row: int, end: int, /) -> int: ...
def signals(fields: _Mixed, signals: _Array, side: int, row: int, end: int, /) -> int: ...
def traced(
    fields: _Mixed,
    picture: _Array,
    face_flow: _Array | None,
    face_x: int,
    face_y: int,
    face_size: int,
    pairs: _Array,
    marks: _Array,
    flow: _Array,
    keep: _Array,
    extents: _Array,
    side: int,
    row: int,
    end: int,
    /,
) -> int: ...
