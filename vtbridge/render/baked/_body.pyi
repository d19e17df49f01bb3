from typing import Any

from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, U8Array

# counts u8, words u32, scale f32, amounts f32, mean f32
_Part = tuple[U8Array, NDArray[Any], F32Array, F32Array, F32Array]

def mix(vector: F32Array, matrix: F32Array, out: F32Array, rows: int, columns: int, /) -> None: ...
def mix_steps(
    vector: F32Array,
    matrix: NDArray[Any],
    scale: F32Array,
    out: F32Array,
    rows: int,
    columns: int,
    /,
) -> None: ...
def expand(
    tiles: NDArray[Any], bend: _Part, paint: _Part, texture: F32Array, count: int, /
) -> None: ...
def fields(
    texture: F32Array,
    active: U8Array,
    controls: F32Array,
    grid_change: F32Array,
    alpha: F32Array,
    color: F32Array,
    /,
) -> None: ...
def draw(
    texture: F32Array, active: U8Array, controls: F32Array, morphed: F32Array, rgba: U8Array, /
) -> None: ...
