from vtbridge.datatypes import F32Array

class Engine:
    def __init__(self, threads: int, isa: str | None = None) -> None: ...
    @property
    def isa(self) -> str: ...
    @property
    def columns(self) -> int: ...

class Program:
    def __init__(
        self,
        engine: Engine,
        operations: bytes,
        weights: bytes | memoryview,
        arena_floats: int,
        array_floats: tuple[int, ...],
    ) -> None: ...
    def run(self, *arrays: F32Array) -> None: ...
