"""What the OBS script makes of a frame that is overwritten while it is copied."""

from __future__ import annotations

import ctypes
import ctypes.util
import re

import pytest

from tests.conftest import skip_loudly
from tests.support.vtbf import REPOSITORY

SCRIPT = REPOSITORY / "integrations" / "obs-script" / "vtbridge.lua"
SURROUNDINGS = """
local SLOT_READ = 72
local header = {{ header_bytes = 4096, slot_count = 2, slot_stride_lo = 4096 }}
header.slot_header_bytes = 128
local slot, slot_bytes = {{ payload = 4 }}, 0
local C = {{ pread = function(_, _, bytes) return bytes end }}
local function grow() end
local looks = {{ {looks} }}
local looked = 0
local function slot_holds()
  looked = looked + 1
  if looks[looked] == "gone" then return nil end
  return looks[looked]
end
local function slot_is_sound() return {sound} end
{copy_frame}
return tostring(copy_frame({{ fd = 3 }}, 2))
"""


def run_lua(chunk: str) -> str:
    """Return the string that ``chunk`` returns in the Lua that OBS runs scripts with."""
    library = ctypes.util.find_library("luajit-5.1")
    if library is None:
        skip_loudly("libluajit-5.1 is not installed; it comes with OBS")
    lua = ctypes.CDLL(str(library))
    lua.luaL_newstate.restype = ctypes.c_void_p
    lua.lua_tolstring.restype = ctypes.c_char_p
    lua.lua_tolstring.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
    state = ctypes.c_void_p(lua.luaL_newstate())
    try:
        lua.luaL_openlibs(state)
        failed = lua.luaL_loadstring(state, chunk.encode()) or lua.lua_pcall(state, 0, 1, 0)
        answer = lua.lua_tolstring(state, -1, None)
        assert not failed, answer
        return str(answer, "utf-8")
    finally:
        lua.lua_close(state)


@pytest.mark.parametrize(
    ("looks", "sound", "answer"),
    [
        ("true, true", "true", "true"),
        ("true, false", "true", "false"),
        ("true, 'gone'", "true", "nil"),
        ("false", "true", "false"),
        ("'gone'", "true", "nil"),
        ("true, false", "false", "false"),  # senseless, for it is a mixture: try again
        ("true, true", "false", "nil"),  # senseless although nobody touched it: hostile
        ("true, 'gone'", "false", "nil"),
    ],
)
def test_overtaken_frame_is_told_from_an_untrusted_segment(
    looks: str, sound: str, answer: str
) -> None:
    copy_frame = re.search(
        r"^local function copy_frame\(.*?^end$", SCRIPT.read_text(), re.MULTILINE | re.DOTALL
    )
    assert copy_frame is not None
    chunk = SURROUNDINGS.format(looks=looks, sound=sound, copy_frame=copy_frame[0])
    assert run_lua(chunk) == answer
