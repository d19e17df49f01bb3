from vtbridge.datatypes import F32Array

def keep(
    grid_change: F32Array,
    alpha: F32Array,
    color: F32Array,
    rotated: F32Array,
    kept: F32Array,
    /,
) -> None: ...
def carry(
    kept: F32Array,
    then: F32Array,
    now: F32Array,
    grid_change: F32Array,
    alpha: F32Array,
    color: F32Array,
    /,
) -> None: ...
