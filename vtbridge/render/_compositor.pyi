from typing_extensions import Buffer

# grid_change, alpha, color
_Fields = tuple[Buffer, Buffer, Buffer]
# morphed, older, newer, share of the newer, whether colours are premultiplied
_Mixed = tuple[Buffer, _Fields, _Fields | None, float, bool]

def shown(fields: _Mixed, rgba: Buffer, side: int, row: int, end: int, /) -> int: ...
def signals(fields: _Mixed, signals: Buffer, side: int, row: int, end: int, /) -> int: ...
def traced(
    fields: _Mixed,
    picture: Buffer,
    face_flow: Buffer | None,
    face_x: int,
    face_y: int,
    face_size: int,
    pairs: Buffer,
    marks: Buffer,
    flow: Buffer,
    keep: Buffer,
    extents: Buffer,
    side: int,
    row: int,
    end: int,
    /,
) -> int: ...
def keep(
    marks: Buffer,
    flow: Buffer,
    extents: Buffer,
    keep: Buffer,
    limits: tuple[float, float, float, float, float],
    side: int,
    row: int,
    end: int,
    /,
) -> None: ...
def enlarge(
    pairs: Buffer,
    keep: Buffer,
    flow: Buffer,
    extents: Buffer,
    original: Buffer,
    rgba: Buffer,
    side: int,
    size: int,
    row: int,
    end: int,
    /,
) -> None: ...
