"""The bytes of vtbf v1 are a promise to other programs: C, Python, Lua and prose must agree."""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import skip_loudly
from tests.support.vtbf import C_SOURCES, HEADER, REPOSITORY, compile_c, unused_name
from vtbridge.datatypes import Frame, FrameFlag
from vtbridge.publish.vtbf import FrameWriter, HealthFlag, segment_path

PROTOCOL = REPOSITORY / "integrations" / "PROTOCOL.md"

# name, struct code; in order of their offsets, "x" codes are reserved bytes
HEADER_FIELDS = {
    "magic": "8s",
    "abi_major": "H",
    "abi_minor": "H",
    "header_bytes": "I",
    "total_bytes": "Q",
    "slot_count": "I",
    "slot_header_bytes": "I",
    "slot_stride": "Q",
    "max_payload": "Q",
    "epoch": "Q",
    "writer_pid": "I",
    "state": "I",
    "uuid": "16s",
    "nominal_fps_x1000": "I",
    "reserved 84": "44x",
    "latest": "Q",
    "wake": "I",
    "reserved 140": "4x",
    "heartbeat_ns": "Q",
    "health_flags": "I",
    "reserved 156": "4x",  # and on to 4096
}
SLOT_FIELDS = {
    "seq": "Q",
    "frame_no": "Q",
    "epoch": "Q",
    "t_capture_ns": "Q",
    "t_publish_ns": "Q",
    "width": "I",
    "height": "I",
    "stride": "I",
    "fourcc": "4s",
    "payload": "I",
    "flags": "I",
    "crc32": "I",
    "alpha_mode": "B",
    "primaries": "B",
    "transfer": "B",
    "range": "B",
    "reserved 72": "56x",
}
EXAMPLE_HEADER = {
    "magic": b"VTBFRM1\0",
    "abi_major": 1,
    "abi_minor": 0,
    "header_bytes": 4096,
    "total_bytes": 12288,
    "slot_count": 2,
    "slot_header_bytes": 128,
    "slot_stride": 4096,
    "max_payload": 16,
    "epoch": 1,
    "writer_pid": 4242,
    "state": 1,
    "uuid": bytes(range(16, 32)),
    "nominal_fps_x1000": 30_000,
    "latest": 1,
    "wake": 1,
    "heartbeat_ns": 2_005_000_000,
    "health_flags": 1,
}
EXAMPLE_SLOT = {
    "seq": 2,
    "frame_no": 1,
    "epoch": 1,
    "t_capture_ns": 2_000_000_000,
    "t_publish_ns": 2_005_000_000,
    "width": 2,
    "height": 2,
    "stride": 8,
    "fourcc": b"RGBA",
    "payload": 16,
    "flags": 2,
    "crc32": 0,
    "alpha_mode": 1,
    "primaries": 1,
    "transfer": 13,
    "range": 1,
}
EXAMPLE_PIXELS = bytes([255, 0, 0, 255, 0, 128, 0, 128, 0, 0, 64, 64, 0, 0, 0, 0])


def offsets(fields: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Return offset and size of every field that carries a value."""
    places, at = {}, 0
    for name, code in fields.items():
        size = struct.calcsize("<" + code)
        if "x" not in code:
            places[name] = (at, size)
        at += size
    return places


def pack(fields: dict[str, str], values: dict[str, object]) -> bytes:
    return struct.pack("<" + "".join(fields.values()), *(values[name] for name in offsets(fields)))


def unpack(fields: dict[str, str], data: bytes) -> dict[str, object]:
    form = "<" + "".join(fields.values())
    return dict(zip(offsets(fields), struct.unpack_from(form, data), strict=True))


@pytest.fixture(scope="module")
def c_lines(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    program = compile_c(C_SOURCES / "vtbf_layout.c", tmp_path_factory.mktemp("layout"))
    output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return [line.split() for line in output.splitlines()]


def test_every_field_lies_where_c_puts_it(c_lines: list[list[str]]) -> None:
    in_c = {name: (int(at), int(size)) for kind, name, at, size in filter(is_field, c_lines)}
    in_python = {f"vtbf_header.{name}": place for name, place in offsets(HEADER_FIELDS).items()}
    in_python |= {f"vtbf_slot.{name}": place for name, place in offsets(SLOT_FIELDS).items()}
    assert in_c == in_python


def is_field(line: list[str]) -> bool:
    return line[0] == "field"


def test_writer_in_c_makes_the_bytes_of_the_example(c_lines: list[list[str]]) -> None:
    written = {
        int(at): bytes.fromhex(text)
        for kind, at, text in (line for line in c_lines if line[0] == "bytes")
    }
    assert written == {
        0: pack(HEADER_FIELDS, EXAMPLE_HEADER),
        8192: pack(SLOT_FIELDS, EXAMPLE_SLOT) + EXAMPLE_PIXELS,
    }


def test_protocol_document_shows_the_bytes_of_the_example() -> None:
    shown: dict[int, int] = {}
    for line in PROTOCOL.read_text().splitlines():
        dump = re.match(r"([0-9a-f]{4})  ((?:[0-9a-f]{2} {1,2}){16})", line)
        if dump:
            at = int(dump[1], 16)
            shown.update(enumerate(bytes.fromhex(dump[2]), start=at))
    wanted = dict(enumerate(pack(HEADER_FIELDS, EXAMPLE_HEADER)))
    slot = pack(SLOT_FIELDS, EXAMPLE_SLOT) + EXAMPLE_PIXELS
    wanted |= dict(enumerate(slot, start=8192))
    assert {at: value for at, value in wanted.items() if value} == {
        at: value for at, value in shown.items() if value
    }
    assert shown.keys() <= wanted.keys()


def test_protocol_document_lists_every_field_and_constant() -> None:
    text = PROTOCOL.read_text()
    rows = re.findall(r"^\| (\d+) \| (\w+) \| `(\w+)`", text, re.MULTILINE)
    sizes = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "bytes8": 8, "bytes16": 16}
    listed = {(name, int(at), sizes[kind]) for at, kind, name in rows}
    assert listed == {
        (name, *place)
        for fields in (HEADER_FIELDS, SLOT_FIELDS)
        for name, place in offsets(fields).items()
    }
    enumerated = re.findall(r"(VTBF_(?:STATE|HEALTH|FOURCC|FLAG|ALPHA)_\w+) = (\w+)", layout())
    assert len(enumerated) == 20
    for name, value in enumerated:
        short = name.split("_", 2)[2].lower()
        # fourcc values are shown by their letters
        wanted = short.upper() if "FOURCC" in name else value
        assert re.search(rf"^\| `?{wanted}`? \| `{short}`", text, re.MULTILINE | re.IGNORECASE), (
            name
        )


def test_writer_in_python_makes_these_bytes_too() -> None:
    pixels = np.frombuffer(EXAMPLE_PIXELS, np.uint8).reshape(2, 2, 4)
    with (
        unused_name() as name,
        FrameWriter.open(name, max_width=2, max_height=2, slot_count=2) as writer,
    ):
        writer.set_health(HealthFlag.READY)
        writer.write(Frame(pixels, 2_000_000_000, FrameFlag.TRACKER_LOST))
        content = segment_path(name).read_bytes()
    header = unpack(HEADER_FIELDS, content)
    slot = unpack(SLOT_FIELDS, content[8192:])
    assert slot["t_publish_ns"] == header["heartbeat_ns"]
    own = ("writer_pid", "uuid", "heartbeat_ns", "t_publish_ns")
    assert header == EXAMPLE_HEADER | {name: header[name] for name in own if name in header}
    assert slot == EXAMPLE_SLOT | {name: slot[name] for name in own if name in slot}
    assert content[8192 + 128 :][: len(EXAMPLE_PIXELS)] == EXAMPLE_PIXELS


def layout() -> str:
    """Return the part of the header that other languages mirror."""
    return HEADER.read_text().split("/* <layout> */")[1].split("/* </layout> */")[0]


def test_layout_part_holds_no_preprocessor() -> None:
    assert "#" not in layout()


def test_luajit_takes_the_layout_as_it_is() -> None:
    library = ctypes.util.find_library("luajit-5.1")
    if library is None:
        skip_loudly("LuaJIT is not installed (it comes with OBS: apt install obs-studio)")
    checks = "\n".join(
        f'if ffi.offsetof("vtbf_{part}", "{name}") ~= {at} then return "{name}" end'
        for part, fields in (("header", HEADER_FIELDS), ("slot", SLOT_FIELDS))
        for name, (at, _) in offsets(fields).items()
    )
    assert (
        run_lua(
            str(library),
            f'local ffi = require("ffi")\nffi.cdef[[{layout()}]]\n{checks}\n'
            'if ffi.sizeof("vtbf_header") ~= 4096 or ffi.sizeof("vtbf_slot") ~= 128 then\n'
            '  return "size"\nend\nreturn "same"',
        )
        == "same"
    )


def run_lua(library: str, chunk: str) -> str:
    """Run a chunk in a fresh LuaJIT state and return the string it returns, or its error."""
    lua = ctypes.CDLL(library)
    lua.luaL_newstate.restype = ctypes.c_void_p
    lua.lua_tolstring.restype = ctypes.c_char_p
    state = ctypes.c_void_p(lua.luaL_newstate())
    lua.luaL_openlibs(state)
    try:
        lua.luaL_loadstring(state, chunk.encode())
        lua.lua_pcall(state, 0, 1, 0)
        result = lua.lua_tolstring(state, -1, None)
        return bytes(result or b"").decode()
    finally:
        lua.lua_close(state)


@pytest.mark.parametrize("standard", ["-std=c11", "-std=gnu17"])
def test_header_compiles_alone_without_warnings(standard: str, tmp_path: Path) -> None:
    source = tmp_path / "alone.c"
    source.write_text("#define _GNU_SOURCE\n#include <vtbf.h>\nint main(void) { return 0; }\n")
    compile_c(source, tmp_path, standard, "-pedantic", "-Wconversion")
    compile_c(source, tmp_path, standard, "-pedantic", "-U__linux__")
