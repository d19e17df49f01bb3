-- vtbridge.lua: the OBS source "vtbridge avatar", which shows the frames that the vtbridge daemon
-- publishes in shared memory (vtbf; the layout is integrations/include/vtbf.h).
--
-- The segment is treated as hostile: it is read by pread into private memory and never mapped, so a
-- truncated segment is a short read and not a SIGBUS in OBS; every number in it is bounded before use;
-- it is opened read-only and never written.
--
-- Rules of OBS that shape this file:
--   * gs_* only inside video_render. OBS holds the script's lock around every callback, and other
--     threads take the graphics lock first, so obs_enter_graphics here could deadlock: textures are
--     made, filled and freed where OBS has entered graphics already.
--   * 60 calls a second: 64-bit fields are read as two 32-bit halves and pointers are kept, because
--     LuaJIT allocates every 64-bit integer and every pointer it returns.

local obs = obslua

local SCRIPT_VERSION = "1"
local SOURCE_ID = "vtbridge_avatar"
local DESCRIPTION = [[<b>vtbridge avatar</b><br>
Adds the source <i>vtbridge avatar</i>, which shows the live, transparent avatar of the vtbridge daemon.
Add it to a scene like any other source, or run <i>vtbridge obs setup</i>.
Expressions have hotkeys under Settings &gt; Hotkeys.<br><br>
OBS from Flatpak cannot see the shared memory of the host until it is allowed to:
<i>flatpak override --user --device=shm com.obsproject.Studio</i>]]
local UNSUPPORTED = [[<br><br><b>Not on this system:</b> the shared-memory source needs Linux and LuaJIT.
<i>vtbridge obs setup</i> uses a Media Source instead, which needs no script.]]

local has_ffi, ffi = pcall(require, "ffi")
local supported = has_ffi and ffi.os == "Linux" and ffi.abi("64bit") and ffi.abi("le")

function script_description()
  return DESCRIPTION .. (supported and "" or UNSUPPORTED)
end

if not supported then
  return
end

-- The plugin has the same source, and more; its icon tells it from what an earlier load of this script left.
if obs.obs_source_get_icon_type(SOURCE_ID) == obs.OBS_ICON_TYPE_CAMERA then
  obs.script_log(obs.LOG_INFO, "the vtbridge plugin is loaded, so this script stays aside")
  return
end

local bit = require("bit")

ffi.cdef [[
typedef struct {
  uint32_t magic_lo, magic_hi;
  uint16_t abi_major, abi_minor; uint32_t header_bytes;
  uint32_t total_lo, total_hi;
  uint32_t slot_count, slot_header_bytes;
  uint32_t slot_stride_lo, slot_stride_hi;
  uint32_t max_payload_lo, max_payload_hi;
  uint32_t epoch_lo, epoch_hi;
  uint32_t writer_pid, state;
  uint8_t instance[16];
  uint32_t nominal_fps_x1000;
  uint8_t reserved[44];
  uint32_t latest_lo, latest_hi;
  uint32_t wake, reserved_wake;
  uint32_t heartbeat_lo, heartbeat_hi;
  uint32_t health_flags, reserved_health;
} vtb_header;

typedef struct {
  uint32_t seq_lo, seq_hi;
  uint32_t frame_no_lo, frame_no_hi;
  uint32_t epoch_lo, epoch_hi;
  uint32_t t_capture_lo, t_capture_hi;
  uint32_t t_publish_lo, t_publish_hi;
  uint32_t width, height, stride, fourcc;
  uint32_t payload, flags, crc32;
  uint8_t alpha_mode, primaries, transfer, range;
  uint8_t reserved[56];
} vtb_slot;

typedef struct { int16_t type, whence; int64_t start, length; int32_t pid; } vtb_flock;

typedef struct {
  uint32_t mask, blksize; uint64_t attributes;
  uint32_t nlink, uid, gid; uint16_t mode, pad;
  uint32_t ino_lo, ino_hi, size_lo, size_hi;
  uint8_t rest[208];
} vtb_statx;

int open(const char *path, int flags, ...);
int close(int fd);
/* Declared to return int: reads here stay far below 2 GiB, and a 64-bit result would be garbage to collect. */
int pread(int fd, void *buffer, size_t size, int64_t offset);
int fcntl(int fd, int command, ...);
int statx(int directory, const char *path, int flags, unsigned int mask, vtb_statx *result);
unsigned int getuid(void);

typedef struct { uint16_t family; uint8_t port[2], address[4], rest[8]; } vtb_address;
int socket(int domain, int type, int protocol);
int sendto(int fd, const void *data, size_t size, int flags, const vtb_address *to, unsigned int to_size);

typedef struct os_dir os_dir_t;
struct os_dirent { char d_name[256]; bool directory; };
os_dir_t *os_opendir(const char *path);
struct os_dirent *os_readdir(os_dir_t *directory);
void os_closedir(os_dir_t *directory);
uint64_t os_gettime_ns(void);
uint64_t obs_get_video_frame_time(void);
uint64_t obs_get_frame_interval_ns(void);

typedef struct gs_texture gs_texture_t;
typedef struct gs_effect gs_effect_t;
typedef struct gs_effect_param gs_eparam_t;
gs_texture_t *gs_texture_create(uint32_t width, uint32_t height, int format, uint32_t levels,
                                const uint8_t **data, uint32_t flags);
void gs_texture_destroy(gs_texture_t *texture);
void gs_texture_set_image(gs_texture_t *texture, const uint8_t *data, uint32_t linesize, bool invert);
void gs_draw_sprite(gs_texture_t *texture, uint32_t flip, uint32_t width, uint32_t height);
gs_effect_t *obs_get_base_effect(int effect);
gs_effect_t *gs_effect_create(const char *text, const char *filename, char **error);
void gs_effect_destroy(gs_effect_t *effect);
gs_eparam_t *gs_effect_get_param_by_name(const gs_effect_t *effect, const char *name);
void gs_effect_set_texture(gs_eparam_t *parameter, gs_texture_t *texture);
void gs_effect_set_texture_srgb(gs_eparam_t *parameter, gs_texture_t *texture);
bool gs_effect_loop(gs_effect_t *effect, const char *technique);
void gs_blend_state_push(void);
void gs_blend_state_pop(void);
void gs_blend_function_separate(int source, int target, int source_alpha, int target_alpha);
bool gs_get_linear_srgb(void);
bool gs_framebuffer_srgb_enabled(void);
void gs_enable_framebuffer_srgb(bool enable);
]]

local C = ffi.C
local HEADER_READ = ffi.sizeof("vtb_header")
local SLOT_READ = ffi.sizeof("vtb_slot")
assert(HEADER_READ == 160 and SLOT_READ == 128)
assert(ffi.offsetof("vtb_header", "latest_lo") == 128 and ffi.offsetof("vtb_slot", "width") == 40)
assert(ffi.sizeof("vtb_address") == 16 and ffi.sizeof("vtb_flock") == 32 and ffi.sizeof("vtb_statx") == 256)

-- vtbf.h
local MAGIC_LO, MAGIC_HI = 0x46425456, 0x00314D52 -- "VTBFRM1\0"
local ABI_MAJOR = 1
local PAGE_BYTES = 4096
local STATE_LIVE = 1
local FOURCC_RGBA, FOURCC_BGRA = 0x41424752, 0x41524742
local ALPHA_STRAIGHT, ALPHA_PREMULTIPLIED, ALPHA_OPAQUE = 0, 1, 2
local MAX_SIDE = 16384
local MAX_PAYLOAD = 1073741824
local MAX_SHOWN_BYTES = 64 * 1024 * 1024 -- 4096x4096: more than this is not copied at 60 frames a second
local TWO_32 = 4294967296
local MAX_EXACT = 2 ^ 52 -- frame and epoch numbers stay exact in a Lua number below this

-- Linux
local O_RDONLY_NOFOLLOW_CLOEXEC_NONBLOCK = 0x20000 + 0x80000 + 0x800
if ffi.arch == "arm64" then
  O_RDONLY_NOFOLLOW_CLOEXEC_NONBLOCK = 0x8000 + 0x80000 + 0x800
end
local F_OFD_GETLK, F_RDLCK, F_UNLCK = 36, 0, 2
local AT_FDCWD, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH = -100, 0x100, 0x1000
local STATX_BASIC = 0x7ff
local S_IFMT, S_IFREG = 0xf000, 0x8000
local AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC = 2, 2 + 0x800 + 0x80000

-- libobs
local EFFECT_DEFAULT = 0
local GS_RGBA, GS_BGRA, GS_DYNAMIC = 3, 5, 2
local ZERO, ONE, SRC_ALPHA, INV_SRC_ALPHA = 0, 1, 4, 5

local DIRECTORY = "/dev/shm/"
local DEFAULT_NAME = "vtbridge"
local MAX_NAME = 16
local DEFAULT_SIDE = 512
local PROBE_S = 0.25   -- how often the file system and the lock are asked
local HUNG_NS = 1e9    -- a heartbeat older than this is a daemon that hangs
local TICK_S = 1       -- how often the daemon is told when OBS takes frames
local READ_ATTEMPTS = 8

local uid = C.getuid()
local prefix = string.format("vtbf-%d-", uid)

local function log(level, text, ...)
  obs.script_log(level, string.format(text, ...))
end

-- ---------------------------------------------------------------------------------------------
-- The segment
-- ---------------------------------------------------------------------------------------------

local header = ffi.new("vtb_header") -- scratch: OBS runs one callback of a script at a time
local slot = ffi.new("vtb_slot")
local slot_bytes = ffi.cast("uint8_t *", slot)
local seq = ffi.new("uint32_t[2]")
local lock_query = ffi.new("vtb_flock[1]") -- an array, since fcntl takes its argument by reference
local lock = lock_query[0]
local status = ffi.new("vtb_statx")

-- The path of a segment, or nil if the name cannot be one.
local function path_from_name(name)
  if #name <= MAX_NAME and name:find("^%w[%w_-]*$") then
    return DIRECTORY .. prefix .. name
  end
end

local function detach(avatar)
  if avatar.fd >= 0 then
    C.close(avatar.fd)
    avatar.fd = -1
  end
end

-- True if the header read last describes slots that lie inside its segment.
local function header_is_sound()
  local h = header
  if h.magic_lo ~= MAGIC_LO or h.magic_hi ~= MAGIC_HI or h.abi_major ~= ABI_MAJOR or h.state ~= STATE_LIVE then
    return false
  end
  if h.header_bytes < PAGE_BYTES or h.header_bytes > 16 * PAGE_BYTES or h.header_bytes % PAGE_BYTES ~= 0 then
    return false
  end
  if h.slot_header_bytes < SLOT_READ or h.slot_header_bytes > PAGE_BYTES or h.slot_header_bytes % 64 ~= 0 then
    return false
  end
  if h.slot_count < 2 or h.slot_count > 16 then
    return false
  end
  if h.max_payload_hi ~= 0 or h.max_payload_lo < 4 or h.max_payload_lo > MAX_PAYLOAD then
    return false
  end
  return h.slot_stride_hi == 0
    and h.slot_stride_lo <= 2 * MAX_PAYLOAD
    and h.slot_stride_lo % PAGE_BYTES == 0
    and h.slot_stride_lo >= h.slot_header_bytes + h.max_payload_lo
    and h.total_hi * TWO_32 + h.total_lo >= h.header_bytes + h.slot_count * h.slot_stride_lo
end

local function writer_holds_lock(fd)
  lock.type, lock.whence, lock.start, lock.length, lock.pid = F_RDLCK, 0, 0, 0, 0
  return C.fcntl(fd, F_OFD_GETLK, lock_query) == 0 and lock.type ~= F_UNLCK
end

-- Open the segment of the avatar's name, if it is ours, sound and written by a living daemon.
local function attach(avatar)
  if not avatar.path then
    return
  end
  local fd = C.open(avatar.path, O_RDONLY_NOFOLLOW_CLOEXEC_NONBLOCK)
  if fd < 0 then
    return
  end
  local trusted = C.statx(fd, "", AT_EMPTY_PATH, STATX_BASIC, status) == 0
    and bit.band(status.mode, S_IFMT) == S_IFREG
    and bit.band(status.mode, 63) == 0 -- nobody else may write or read it
    and status.uid == uid
    and C.pread(fd, header, HEADER_READ, 0) == HEADER_READ
    and header_is_sound()
    and status.size_hi * TWO_32 + status.size_lo >= header.total_hi * TWO_32 + header.total_lo
    and writer_holds_lock(fd)
  if not trusted then
    C.close(fd)
    return
  end
  avatar.fd = fd
  avatar.ino_lo, avatar.ino_hi = status.ino_lo, status.ino_hi
  avatar.epoch_lo, avatar.epoch_hi = header.epoch_lo, header.epoch_hi
  avatar.frame_no = 0
end

-- True while the open segment is the one that its name leads to.
local function still_linked(avatar)
  return C.statx(avatar.fd, "", AT_EMPTY_PATH, STATX_BASIC, status) == 0
    and status.nlink > 0
    and C.statx(AT_FDCWD, avatar.path, AT_SYMLINK_NOFOLLOW, STATX_BASIC, status) == 0
    and status.ino_lo == avatar.ino_lo
    and status.ino_hi == avatar.ino_hi
end

local function writer_is_alive(avatar)
  if not writer_holds_lock(avatar.fd) then
    return false
  end
  if C.pread(avatar.fd, header, HEADER_READ, 0) ~= HEADER_READ then
    return false
  end
  local heartbeat_ns = header.heartbeat_hi * TWO_32 + header.heartbeat_lo
  return tonumber(C.os_gettime_ns()) - heartbeat_ns < HUNG_NS
end

local function grow(avatar, bytes)
  if bytes > avatar.capacity then
    avatar.front = ffi.new("uint8_t[?]", bytes)
    avatar.back = ffi.new("uint8_t[?]", bytes)
    avatar.capacity = bytes
    avatar.dirty = false -- what was copied but not drawn went with the old buffers
  end
end

-- True if the metadata read last is that of frame `number` and its picture lies inside its slot.
local function slot_is_sound(number)
  local s = slot
  if s.frame_no_hi * TWO_32 + s.frame_no_lo ~= number or (s.fourcc ~= FOURCC_RGBA and s.fourcc ~= FOURCC_BGRA) then
    return false
  end
  if s.width < 1 or s.width > MAX_SIDE or s.height < 1 or s.height > MAX_SIDE then
    return false
  end
  return s.stride >= s.width * 4
    and s.stride % 4 == 0
    and s.stride * s.height == s.payload
    and s.payload <= header.max_payload_lo
    and s.payload <= MAX_SHOWN_BYTES
    and s.alpha_mode <= ALPHA_OPAQUE
end

-- Read the sequence number of the slot at `offset`: nil if the segment became too short, else whether
-- frame `number` is complete in it.
local function slot_holds(fd, offset, number)
  if C.pread(fd, seq, 8, offset) ~= 8 then
    return nil
  end
  return seq[1] * TWO_32 + seq[0] == 2 * number
end

-- Copy frame `number` to avatar.back: true = whole, false = overtaken by the writer, nil = the
-- segment cannot be trusted. Each step is a system call of its own, which gives their order.
local function copy_frame(avatar, number)
  local fd = avatar.fd
  local offset = header.header_bytes + (number % header.slot_count) * header.slot_stride_lo
  local whole = slot_holds(fd, offset, number)
  if not whole then
    return whole
  end
  if C.pread(fd, slot_bytes + 8, SLOT_READ - 8, offset + 8) ~= SLOT_READ - 8 then
    return nil
  end
  if not slot_is_sound(number) then
    if slot_holds(fd, offset, number) == false then
      return false -- the metadata was a mixture of two frames
    end
    return nil
  end
  grow(avatar, slot.payload)
  if C.pread(fd, avatar.back, slot.payload, offset + header.slot_header_bytes) ~= slot.payload then
    return nil
  end
  return slot_holds(fd, offset, number)
end

-- Make the newest frame avatar.front. Returns whether the segment can still be trusted, and whether
-- a new frame came.
local function take_newest(avatar)
  for _ = 1, READ_ATTEMPTS do
    if C.pread(avatar.fd, header, HEADER_READ, 0) ~= HEADER_READ or not header_is_sound() then
      return false, false
    end
    if header.epoch_lo ~= avatar.epoch_lo or header.epoch_hi ~= avatar.epoch_hi then
      avatar.epoch_lo, avatar.epoch_hi = header.epoch_lo, header.epoch_hi
      avatar.frame_no = 0
    end
    local number = header.latest_hi * TWO_32 + header.latest_lo
    if number <= avatar.frame_no then
      return true, false
    end
    if number > MAX_EXACT then
      return false, false
    end
    local whole = copy_frame(avatar, number)
    if whole == nil then
      return false, false
    end
    if whole then
      avatar.front, avatar.back = avatar.back, avatar.front
      avatar.width, avatar.height, avatar.stride = slot.width, slot.height, slot.stride
      avatar.alpha_mode = slot.alpha_mode
      avatar.format = slot.fourcc == FOURCC_RGBA and GS_RGBA or GS_BGRA
      avatar.frame_no = number
      avatar.dirty = true
      return true, true
    end
  end
  return true, false
end

-- Names of the avatars whose segments exist now.
local function list_names()
  local names = {}
  local directory = C.os_opendir(DIRECTORY)
  if directory == nil then
    return names
  end
  local entry = C.os_readdir(directory)
  while entry ~= nil do
    local file = ffi.string(entry.d_name)
    if file:sub(1, #prefix) == prefix then
      names[#names + 1] = file:sub(#prefix + 1)
    end
    entry = C.os_readdir(directory)
  end
  C.os_closedir(directory)
  table.sort(names)
  return names
end

-- ---------------------------------------------------------------------------------------------
-- Commands to the daemon: OSC datagrams on loopback, sent and forgotten
-- ---------------------------------------------------------------------------------------------

local DEFAULT_OSC_PORT = 39581
-- Those of vtbridge/expressions/builtin.toml.
local DEFAULT_EXPRESSIONS = {
  "smile", "joy", "sad", "angry", "surprised", "shocked", "smug", "shy",
  "sleepy", "pout", "wink_left", "wink_right", "nod", "shake", "tilt", "look_away",
}

local daemon = ffi.new("vtb_address", { AF_INET, { 0, 0 }, { 127, 0, 0, 1 } })
local daemon_socket = C.socket(AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0)
local tick_times = ffi.new("uint64_t[2]")

local function set_daemon_port(port)
  daemon.port[0], daemon.port[1] = math.floor(port / 256), port % 256
end

-- Text ends in one to four zeros, so that everything is a multiple of four bytes.
local function osc_text(text)
  return text .. string.rep("\0", 4 - #text % 4)
end

local function send_osc(address, tags, numbers)
  local packet = osc_text(address) .. osc_text(tags) .. numbers
  C.sendto(daemon_socket, packet, #packet, 0, daemon, 16)
end

-- 1: the key is down; 0: it was let go.
local function send_switch(address, down)
  send_osc(address, ",i", down and "\0\0\0\1" or "\0\0\0\0")
end

-- Tell when OBS takes frames, so that the daemon has them ready just before.
local function send_tick()
  tick_times[0], tick_times[1] = C.obs_get_frame_interval_ns(), C.obs_get_video_frame_time()
  send_osc("/vtbridge/tick", ",hh", ffi.string(tick_times, 16):reverse()) -- big-endian, the tick first
end

local hotkeys = {} -- by name: { id =, callback = }

local function add_hotkey(settings, name, label, callback)
  local id = obs.obs_hotkey_register_frontend(name, label, callback)
  local keys = obs.obs_data_get_array(settings, name) -- bound by the user earlier
  obs.obs_hotkey_load(id, keys)
  obs.obs_data_array_release(keys)
  hotkeys[name] = { id = id, callback = callback }
end

-- The expressions that the script's settings list, by the names of their hotkeys.
local function wanted_hotkeys(settings)
  local wanted = {}
  local list = obs.obs_data_get_array(settings, "expressions")
  for index = 0, obs.obs_data_array_count(list) - 1 do
    local item = obs.obs_data_array_item(list, index)
    local expression = obs.obs_data_get_string(item, "value")
    if expression:find("^%l[%l%d_]*$") and #expression <= 32 then
      wanted["vtbridge.expression." .. expression] = expression
    end
    obs.obs_data_release(item)
  end
  obs.obs_data_array_release(list)
  return wanted
end

function script_defaults(settings)
  local list = obs.obs_data_array_create()
  for _, expression in ipairs(DEFAULT_EXPRESSIONS) do
    local item = obs.obs_data_create()
    obs.obs_data_set_string(item, "value", expression)
    obs.obs_data_array_push_back(list, item)
    obs.obs_data_release(item)
  end
  obs.obs_data_set_default_array(settings, "expressions", list)
  obs.obs_data_array_release(list)
  obs.obs_data_set_default_int(settings, "osc_port", DEFAULT_OSC_PORT)
end

function script_properties()
  local properties = obs.obs_properties_create()
  obs.obs_properties_add_editable_list(
    properties, "expressions", "Expressions with a hotkey", obs.OBS_EDITABLE_LIST_TYPE_STRINGS, nil, nil)
  obs.obs_properties_add_int(properties, "osc_port", "OSC port of vtbridge", 1, 65535, 1)
  return properties
end

function script_update(settings)
  set_daemon_port(obs.obs_data_get_int(settings, "osc_port"))
  local wanted = wanted_hotkeys(settings)
  for name, hotkey in pairs(hotkeys) do
    if not wanted[name] and name ~= "vtbridge.calibrate" then
      obs.obs_hotkey_unregister(hotkey.callback)
      hotkeys[name] = nil
    end
  end
  for name, expression in pairs(wanted) do
    if not hotkeys[name] then
      add_hotkey(settings, name, "vtbridge: " .. expression, function(pressed)
        send_switch("/vtbridge/key/" .. expression, pressed) -- its mode says what that does
      end)
    end
  end
  if not hotkeys["vtbridge.calibrate"] then
    add_hotkey(settings, "vtbridge.calibrate", "vtbridge: calibrate the neutral face", function(pressed)
      if pressed then
        send_switch("/vtbridge/calibrate", true)
      end
    end)
  end
end

function script_save(settings)
  for name, hotkey in pairs(hotkeys) do
    local keys = obs.obs_hotkey_save(hotkey.id)
    obs.obs_data_set_array(settings, name, keys)
    obs.obs_data_array_release(keys)
  end
end

-- ---------------------------------------------------------------------------------------------
-- Drawing
-- ---------------------------------------------------------------------------------------------

-- How each look turns each kind of alpha into light on the canvas. `linear`: blend linear light, as
-- OBS does by default; else blend the encoded values, as browsers and drawing programs do.
local PREMULTIPLIED = { ONE, INV_SRC_ALPHA, ONE, INV_SRC_ALPHA }
local STRAIGHT = { SRC_ALPHA, INV_SRC_ALPHA, ONE, INV_SRC_ALPHA }
local OPAQUE = { ONE, ZERO, ONE, ZERO }
local LOOKS = {
  gamma = {
    [ALPHA_PREMULTIPLIED] = { linear = false, srgb = false, technique = "Draw", blend = PREMULTIPLIED },
    [ALPHA_STRAIGHT] = { linear = false, srgb = false, technique = "Draw", blend = STRAIGHT },
    [ALPHA_OPAQUE] = { linear = false, srgb = false, technique = "Draw", blend = OPAQUE },
  },
  obs = {
    [ALPHA_PREMULTIPLIED] = { linear = true, srgb = true, technique = "Draw", blend = PREMULTIPLIED },
    [ALPHA_STRAIGHT] = { linear = true, srgb = true, technique = "DrawNonlinearAlpha", blend = PREMULTIPLIED },
    [ALPHA_OPAQUE] = { linear = true, srgb = true, technique = "Draw", blend = OPAQUE },
  },
  linear = {
    [ALPHA_PREMULTIPLIED] = { linear = true, srgb = false, own_effect = true, technique = "Draw", blend = PREMULTIPLIED },
    [ALPHA_STRAIGHT] = { linear = true, srgb = true, technique = "Draw", blend = STRAIGHT },
    [ALPHA_OPAQUE] = { linear = true, srgb = true, technique = "Draw", blend = OPAQUE },
  },
}

-- OBS has no technique that takes encoded premultiplied values to linear premultiplied ones.
local LINEAR_EFFECT = [[
uniform float4x4 ViewProj;
uniform texture2d image;
sampler_state def_sampler { Filter = Linear; AddressU = Clamp; AddressV = Clamp; };
struct VertInOut { float4 pos : POSITION; float2 uv : TEXCOORD0; };
VertInOut VSPlace(VertInOut vert_in)
{
  VertInOut vert_out;
  vert_out.pos = mul(float4(vert_in.pos.xyz, 1.0), ViewProj);
  vert_out.uv = vert_in.uv;
  return vert_out;
}
float decode(float u) { return (u <= 0.04045) ? (u / 12.92) : pow((u + 0.055) / 1.055, 2.4); }
float4 PSLinear(VertInOut vert_in) : TARGET
{
  float4 rgba = image.Sample(def_sampler, vert_in.uv);
  float share = (rgba.a > 0.0) ? (1.0 / rgba.a) : 0.0;
  float3 straight = saturate(rgba.rgb * share);
  return float4(float3(decode(straight.r), decode(straight.g), decode(straight.b)) * rgba.a, rgba.a);
}
technique Draw { pass { vertex_shader = VSPlace(vert_in); pixel_shader = PSLinear(vert_in); } }
]]

local effects = {}     -- made at the first draw and kept: { effect =, image = }
local retired = {}     -- textures of removed sources, freed at the next draw
local placeholder      -- texture shared by all sources

local function default_effect()
  if not effects.default then
    local effect = C.obs_get_base_effect(EFFECT_DEFAULT)
    effects.default = { effect = effect, image = C.gs_effect_get_param_by_name(effect, "image") }
  end
  return effects.default
end

local function linear_effect()
  if effects.linear == nil then
    local effect = C.gs_effect_create(LINEAR_EFFECT, nil, nil)
    if effect == nil then
      effects.linear = false
      log(obs.LOG_WARNING, "the shader of the linear look does not compile here; drawing as OBS does")
    else
      effects.linear = { effect = effect, image = C.gs_effect_get_param_by_name(effect, "image"), own = true }
    end
  end
  return effects.linear
end

local function free_retired()
  for index = #retired, 1, -1 do
    C.gs_texture_destroy(retired[index])
    retired[index] = nil
  end
end

-- A grey head and shoulders, premultiplied; small, since it is drawn scaled.
local function make_placeholder()
  local side = 256
  local pixels = ffi.new("uint8_t[?]", side * side * 4)
  for y = 0, side - 1 do
    for x = 0, side - 1 do
      local head = 46 - math.sqrt((x - 128) ^ 2 + (y - 96) ^ 2)
      local shoulders = 84 - math.sqrt((x - 128) ^ 2 + ((y - 256) * 0.8) ^ 2)
      local cover = math.max(0, math.min(1, math.max(head, shoulders)))
      local at = (y * side + x) * 4
      local alpha = math.floor(160 * cover + 0.5)
      local grey = math.floor(96 * cover + 0.5)
      pixels[at], pixels[at + 1], pixels[at + 2], pixels[at + 3] = grey, grey, grey, alpha
    end
  end
  local texture = C.gs_texture_create(side, side, GS_RGBA, 1, nil, GS_DYNAMIC)
  if texture ~= nil then
    C.gs_texture_set_image(texture, pixels, side * 4, false)
  end
  return texture
end

local function upload(avatar)
  local fits = avatar.texture_width == avatar.width
    and avatar.texture_height == avatar.height
    and avatar.texture_format == avatar.format
  if avatar.texture and not fits then
    C.gs_texture_destroy(avatar.texture)
    avatar.texture = nil
  end
  if not avatar.texture then
    local texture = C.gs_texture_create(avatar.width, avatar.height, avatar.format, 1, nil, GS_DYNAMIC)
    if texture == nil then
      return
    end
    avatar.texture = texture
    avatar.texture_width, avatar.texture_height = avatar.width, avatar.height
    avatar.texture_format = avatar.format
  end
  C.gs_texture_set_image(avatar.texture, avatar.front, avatar.stride, false)
  avatar.texture_alpha = avatar.alpha_mode
  avatar.dirty = false
end

local function draw(texture, how, width, height)
  local shader
  if how.own_effect then
    shader = linear_effect()
    if not shader then
      how = LOOKS.obs[ALPHA_PREMULTIPLIED]
    end
  end
  shader = shader or default_effect()
  local before = C.gs_framebuffer_srgb_enabled()
  C.gs_enable_framebuffer_srgb(how.linear)
  if how.srgb then
    C.gs_effect_set_texture_srgb(shader.image, texture)
  else
    C.gs_effect_set_texture(shader.image, texture)
  end
  local blend = how.blend
  C.gs_blend_state_push()
  C.gs_blend_function_separate(blend[1], blend[2], blend[3], blend[4])
  while C.gs_effect_loop(shader.effect, how.technique) do
    C.gs_draw_sprite(texture, 0, width, height)
  end
  C.gs_blend_state_pop()
  C.gs_enable_framebuffer_srgb(before)
end

-- ---------------------------------------------------------------------------------------------
-- The source
-- ---------------------------------------------------------------------------------------------

local function tell(avatar)
  local now = avatar.away and "away" or "live"
  if now == avatar.told then
    return
  end
  avatar.told = now
  if avatar.away then
    log(obs.LOG_INFO, "avatar '%s': no running daemon; showing: %s", avatar.name, avatar.when_away)
  else
    log(obs.LOG_INFO, "avatar '%s': live, %dx%d", avatar.name, avatar.width, avatar.height)
  end
end

local function probe(avatar)
  if avatar.fd >= 0 and not still_linked(avatar) then
    detach(avatar)
  end
  if avatar.fd < 0 then
    attach(avatar)
  end
  if avatar.silent_s >= PROBE_S then
    avatar.away = avatar.fd < 0 or not writer_is_alive(avatar)
  end
  if avatar.away or avatar.has_frame then
    tell(avatar)
  end
end

local source = {}
source.id = SOURCE_ID
source.type = obs.OBS_SOURCE_TYPE_INPUT
source.output_flags = bit.bor(obs.OBS_SOURCE_VIDEO, obs.OBS_SOURCE_CUSTOM_DRAW, obs.OBS_SOURCE_SRGB)

source.get_name = function()
  return "vtbridge avatar"
end

source.get_defaults = function(settings)
  obs.obs_data_set_default_string(settings, "avatar", DEFAULT_NAME)
  obs.obs_data_set_default_string(settings, "look", "gamma")
  obs.obs_data_set_default_string(settings, "away", "hold")
end

source.update = function(avatar, settings)
  local name = obs.obs_data_get_string(settings, "avatar")
  if name ~= avatar.name then
    detach(avatar)
    avatar.name = name
    avatar.path = path_from_name(name)
    avatar.has_frame = false
    avatar.away = true
    avatar.silent_s = PROBE_S
    avatar.since_probe_s = PROBE_S
    avatar.told = nil
    if not avatar.path then
      log(obs.LOG_WARNING, "'%s' cannot be an avatar's name: 1 to %d letters, digits, '_' or '-'", name, MAX_NAME)
    end
  end
  avatar.look = LOOKS[obs.obs_data_get_string(settings, "look")] or LOOKS.gamma
  avatar.when_away = obs.obs_data_get_string(settings, "away")
end

source.create = function(settings, handle)
  local avatar = {
    handle = handle,
    fd = -1,
    frame_no = 0,
    width = DEFAULT_SIDE,
    height = DEFAULT_SIDE,
    stride = DEFAULT_SIDE * 4,
    alpha_mode = ALPHA_PREMULTIPLIED,
    format = GS_RGBA,
    texture_alpha = ALPHA_PREMULTIPLIED,
    capacity = 0,
    dirty = false,
    has_frame = false,
    since_tick_s = 0,
  }
  source.update(avatar, settings)
  return avatar
end

source.destroy = function(avatar)
  detach(avatar)
  if avatar.texture then
    retired[#retired + 1] = avatar.texture
    avatar.texture = nil
  end
end

source.get_width = function(avatar)
  return avatar.width
end

source.get_height = function(avatar)
  return avatar.height
end

source.video_tick = function(avatar, seconds)
  avatar.silent_s = avatar.silent_s + seconds
  avatar.since_probe_s = avatar.since_probe_s + seconds
  if avatar.fd >= 0 and obs.obs_source_showing(avatar.handle) then
    local trusted, fresh = take_newest(avatar)
    if fresh then
      avatar.silent_s = 0
      avatar.has_frame = true
      avatar.away = false
    elseif not trusted then
      detach(avatar)
      avatar.since_probe_s = PROBE_S -- a segment that moved has its successor already
    end
  end
  if avatar.since_probe_s >= PROBE_S then
    avatar.since_probe_s = 0
    probe(avatar)
  end
  avatar.since_tick_s = avatar.since_tick_s + seconds
  if avatar.since_tick_s >= TICK_S and not avatar.away and obs.obs_source_showing(avatar.handle) then
    avatar.since_tick_s = 0
    send_tick()
  end
end

source.video_render = function(avatar, _)
  free_retired()
  if avatar.dirty then
    upload(avatar)
  end
  -- A caller that does not composite linear light (some filters) gets the encoded values as they are.
  local look = C.gs_get_linear_srgb() and avatar.look or LOOKS.gamma
  if avatar.away and avatar.when_away == "placeholder" then
    if not placeholder then
      placeholder = make_placeholder()
    end
    if placeholder ~= nil then
      draw(placeholder, look[ALPHA_PREMULTIPLIED], avatar.width, avatar.height)
    end
  elseif avatar.texture and avatar.has_frame and not (avatar.away and avatar.when_away == "transparent") then
    draw(avatar.texture, look[avatar.texture_alpha], avatar.width, avatar.height)
  end
end

source.get_properties = function(avatar)
  local properties = obs.obs_properties_create()
  local names = obs.obs_properties_add_list(
    properties, "avatar", "Avatar", obs.OBS_COMBO_TYPE_EDITABLE, obs.OBS_COMBO_FORMAT_STRING)
  local found = list_names()
  for _, name in ipairs(found) do
    obs.obs_property_list_add_string(names, name, name)
  end
  if #found == 0 then
    obs.obs_property_list_add_string(names, DEFAULT_NAME, DEFAULT_NAME)
  end
  local looks = obs.obs_properties_add_list(
    properties, "look", "Transparency", obs.OBS_COMBO_TYPE_LIST, obs.OBS_COMBO_FORMAT_STRING)
  obs.obs_property_list_add_string(looks, "As browsers show it (gamma)", "gamma")
  obs.obs_property_list_add_string(looks, "As OBS shows images", "obs")
  obs.obs_property_list_add_string(looks, "Linear light", "linear")
  local away = obs.obs_properties_add_list(
    properties, "away", "When vtbridge is not running", obs.OBS_COMBO_TYPE_LIST, obs.OBS_COMBO_FORMAT_STRING)
  obs.obs_property_list_add_string(away, "Keep the last picture", "hold")
  obs.obs_property_list_add_string(away, "Show nothing", "transparent")
  obs.obs_property_list_add_string(away, "Show a silhouette", "placeholder")
  if avatar and obs.OBS_TEXT_INFO then
    local state = avatar.away and "vtbridge is not running: start it with <i>vtbridge run</i>"
      or string.format("live, %d x %d pixels", avatar.width, avatar.height)
    obs.obs_properties_add_text(properties, "state", state, obs.OBS_TEXT_INFO)
  end
  return properties
end

obs.obs_register_source(source)

-- Called after OBS has taken the source away from its threads, so entering graphics is safe here.
function script_unload()
  obs.obs_enter_graphics()
  free_retired()
  if placeholder and placeholder ~= nil then
    C.gs_texture_destroy(placeholder)
  end
  if effects.linear then
    C.gs_effect_destroy(effects.linear.effect)
  end
  obs.obs_leave_graphics()
  placeholder, effects = nil, {}
  C.close(daemon_socket)
  daemon_socket = -1
end

log(obs.LOG_INFO, "vtbridge.lua %s: source '%s' is ready (%s %s)", SCRIPT_VERSION, SOURCE_ID, ffi.os, ffi.arch)
