/*
 * vtbf v1: finished frames through shared memory, from one writer to any number of readers.
 *
 * SPDX-License-Identifier: MIT
 * Copyright (c) the vtbridge authors
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy of this software
 * and associated documentation files (the "Software"), to deal in the Software without
 * restriction, including without limitation the rights to use, copy, modify, merge, publish,
 * distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
 * Software is furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in all copies or
 * substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING
 * BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
 * NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
 * DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
 *
 * Rules in one paragraph (PROTOCOL.md beside this folder tells the whole): each slot carries a
 * sequence number, odd while it is being written and 2n once frame n is complete. A reader copies
 * a slot out and keeps the copy only if the number was exactly 2n before and after. The writer
 * never waits for anybody. Readers treat every byte as hostile.
 *
 * Sections: layout (plain C, mirrored by the Lua script), atomics, validation, writing, and, on
 * Linux, reading by pread, the liveness lock and the futex.
 */
#ifndef VTBF_H
#define VTBF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && defined(__ORDER_BIG_ENDIAN__)
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "vtbf is little-endian; this machine is not"
#endif
#endif

/* The bytes "VTBFRM1" and a zero. */
#define VTBF_MAGIC UINT64_C(0x00314D5246425456)

/* ---- layout -------------------------------------------------------------------------------
 * No preprocessor between the two marks, so that LuaJIT's ffi.cdef takes the text as it is. */
/* <layout> */
enum {
  VTBF_ABI_MAJOR = 1,            /* readers refuse another one */
  VTBF_ABI_MINOR = 0,            /* only adds fields where reserved bytes were */
  VTBF_HEADER_BYTES = 4096,
  VTBF_SLOT_HEADER_BYTES = 128,
  VTBF_PAGE_BYTES = 4096,        /* slots start on multiples of it */
  VTBF_MIN_SLOTS = 2,
  VTBF_MAX_SLOTS = 16,
  VTBF_MAX_SIDE = 16384,         /* of a picture, in pixels */
  VTBF_MAX_PAYLOAD = 1073741824, /* 16384 * 16384 * 4 */
  VTBF_BYTES_PER_PIXEL = 4
};
enum { /* vtbf_header.state */
  VTBF_STATE_INIT = 0,
  VTBF_STATE_LIVE = 1,
  VTBF_STATE_CLOSED = 2, /* ended on purpose: nothing more comes from this segment */
  VTBF_STATE_MOVED = 3   /* a new segment replaces it under the same name: open again */
};
enum { /* vtbf_header.health_flags: a zero above bit 0 means that all is well */
  VTBF_HEALTH_READY = 1,             /* a character is loaded and its frames are shown */
  VTBF_HEALTH_TRACKER_LOST = 256,    /* no face data: the idle animation is shown */
  VTBF_HEALTH_INFERENCE_FAILED = 512,/* the last good frame is repeated */
  VTBF_HEALTH_RUNTIME_FALLBACK = 1024,/* a slower runtime than wanted is in use */
  VTBF_HEALTH_SLOW = 2048,           /* deadlines are missed */
  VTBF_HEALTH_INPUT_DOWN = 4096,     /* an input could not be opened */
  VTBF_HEALTH_OBS_UNREACHABLE = 8192,/* the OBS remote connection is down */
  VTBF_HEALTH_RECORDER_OFF = 16384   /* recording stopped against the user's will */
};
enum { /* vtbf_slot.fourcc: the letters in memory order */
  VTBF_FOURCC_RGBA = 0x41424752,
  VTBF_FOURCC_BGRA = 0x41524742
};
enum { /* vtbf_slot.flags */
  VTBF_FLAG_REPEAT = 1,       /* shows the same picture as the frame before */
  VTBF_FLAG_TRACKER_LOST = 2, /* no live face drives it */
  VTBF_FLAG_PLACEHOLDER = 4   /* not the avatar: a card shown while there is none */
};
enum { /* vtbf_slot.alpha_mode */
  VTBF_ALPHA_STRAIGHT = 0,
  VTBF_ALPHA_PREMULTIPLIED = 1, /* in the encoded (sRGB) values */
  VTBF_ALPHA_OPAQUE = 2         /* the fourth byte means nothing */
};
enum { /* vtbf_slot.primaries, .transfer, .range: code points of ITU-T H.273 */
  VTBF_PRIMARIES_BT709 = 1, /* those of sRGB */
  VTBF_TRANSFER_SRGB = 13,
  VTBF_RANGE_LIMITED = 0,
  VTBF_RANGE_FULL = 1
};

typedef struct vtbf_header {
  uint64_t magic; /* stored last, with release */
  uint16_t abi_major;
  uint16_t abi_minor;
  uint32_t header_bytes; /* offset of slot 0 */
  uint64_t total_bytes;
  uint32_t slot_count;
  uint32_t slot_header_bytes; /* offset of the pixels in a slot */
  uint64_t slot_stride;       /* from slot to slot */
  uint64_t max_payload;
  uint64_t epoch;      /* one more at each start of a writer */
  uint32_t writer_pid; /* for messages only, never for liveness */
  uint32_t state;
  uint8_t uuid[16];            /* of this start of the writer */
  uint32_t nominal_fps_x1000;  /* what the writer aims at */
  uint8_t reserved_static[44]; /* zero */
  uint64_t latest;             /* number of the newest complete frame, 0 = none; own cache line */
  uint32_t wake;               /* futex word: changes with each frame and at the end */
  uint32_t reserved_wake;
  uint64_t heartbeat_ns; /* CLOCK_MONOTONIC: the render loop was here */
  uint32_t health_flags;
  uint8_t reserved_live[3940]; /* zero */
} vtbf_header;

typedef struct vtbf_slot {
  uint64_t seq; /* odd = being written, 2n = frame n is complete */
  uint64_t frame_no;
  uint64_t epoch;
  uint64_t t_capture_ns; /* CLOCK_MONOTONIC: arrival of the face data it shows */
  uint64_t t_publish_ns; /* CLOCK_MONOTONIC: pixels complete */
  uint32_t width;        /* pixels */
  uint32_t height;
  uint32_t stride; /* bytes from row to row */
  uint32_t fourcc;
  uint32_t payload; /* bytes of pixels: stride * height */
  uint32_t flags;
  uint32_t crc32; /* of the pixels (ISO-HDLC, as in zlib); 0 = not computed */
  uint8_t alpha_mode;
  uint8_t primaries;
  uint8_t transfer;
  uint8_t range;
  uint8_t reserved[56]; /* zero */
} vtbf_slot;
/* </layout> */

#ifdef __cplusplus
#define VTBF_ASSERT(condition, text) static_assert(condition, text)
#else
#define VTBF_ASSERT(condition, text) _Static_assert(condition, text)
#endif
#define VTBF_AT(type, field, offset) \
  VTBF_ASSERT(offsetof(type, field) == (offset), #type "." #field " must lie at " #offset)

VTBF_ASSERT(sizeof(vtbf_header) == VTBF_HEADER_BYTES, "header size");
VTBF_AT(vtbf_header, magic, 0);
VTBF_AT(vtbf_header, abi_major, 8);
VTBF_AT(vtbf_header, abi_minor, 10);
VTBF_AT(vtbf_header, header_bytes, 12);
VTBF_AT(vtbf_header, total_bytes, 16);
VTBF_AT(vtbf_header, slot_count, 24);
VTBF_AT(vtbf_header, slot_header_bytes, 28);
VTBF_AT(vtbf_header, slot_stride, 32);
VTBF_AT(vtbf_header, max_payload, 40);
VTBF_AT(vtbf_header, epoch, 48);
VTBF_AT(vtbf_header, writer_pid, 56);
VTBF_AT(vtbf_header, state, 60);
VTBF_AT(vtbf_header, uuid, 64);
VTBF_AT(vtbf_header, nominal_fps_x1000, 80);
VTBF_AT(vtbf_header, latest, 128);
VTBF_AT(vtbf_header, wake, 136);
VTBF_AT(vtbf_header, heartbeat_ns, 144);
VTBF_AT(vtbf_header, health_flags, 152);
VTBF_ASSERT(sizeof(vtbf_slot) == VTBF_SLOT_HEADER_BYTES, "slot header size");
VTBF_AT(vtbf_slot, seq, 0);
VTBF_AT(vtbf_slot, frame_no, 8);
VTBF_AT(vtbf_slot, epoch, 16);
VTBF_AT(vtbf_slot, t_capture_ns, 24);
VTBF_AT(vtbf_slot, t_publish_ns, 32);
VTBF_AT(vtbf_slot, width, 40);
VTBF_AT(vtbf_slot, height, 44);
VTBF_AT(vtbf_slot, stride, 48);
VTBF_AT(vtbf_slot, fourcc, 52);
VTBF_AT(vtbf_slot, payload, 56);
VTBF_AT(vtbf_slot, flags, 60);
VTBF_AT(vtbf_slot, crc32, 64);
VTBF_AT(vtbf_slot, alpha_mode, 68);
VTBF_AT(vtbf_slot, primaries, 69);
VTBF_AT(vtbf_slot, transfer, 70);
VTBF_AT(vtbf_slot, range, 71);

/* ---- atomics ------------------------------------------------------------------------------
 * A checker that records every access defines VTBF_OWN_ATOMICS and these functions itself. */
#ifndef VTBF_OWN_ATOMICS
#if defined(__GNUC__) || defined(__clang__)
static inline void vtbf_fence_release(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }
static inline void vtbf_fence_acquire(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
static inline void vtbf_store_relaxed_u64(uint64_t *at, uint64_t value)
{
  __atomic_store_n(at, value, __ATOMIC_RELAXED);
}
static inline void vtbf_store_release_u64(uint64_t *at, uint64_t value)
{
  __atomic_store_n(at, value, __ATOMIC_RELEASE);
}
static inline void vtbf_store_release_u32(uint32_t *at, uint32_t value)
{
  __atomic_store_n(at, value, __ATOMIC_RELEASE);
}
#elif defined(_MSC_VER)
/* The interlocked functions would write, which a read-only mapping forbids; so: an untearable
 * access of the right width, and the barrier said separately. */
#include <intrin.h>
#if defined(_M_ARM64)
static inline void vtbf_fence_release(void) { __dmb(_ARM64_BARRIER_ISH); }
static inline void vtbf_fence_acquire(void) { __dmb(_ARM64_BARRIER_ISHLD); }
#elif defined(_M_X64) || defined(_M_IX86)
static inline void vtbf_fence_release(void) { _ReadWriteBarrier(); }
static inline void vtbf_fence_acquire(void) { _ReadWriteBarrier(); }
#else
#error "vtbf: no barriers are written for this processor"
#endif
static inline void vtbf_store_relaxed_u64(uint64_t *at, uint64_t value)
{
  __iso_volatile_store64((volatile __int64 *)at, (__int64)value);
}
static inline void vtbf_store_release_u64(uint64_t *at, uint64_t value)
{
  vtbf_fence_release();
  __iso_volatile_store64((volatile __int64 *)at, (__int64)value);
}
static inline void vtbf_store_release_u32(uint32_t *at, uint32_t value)
{
  vtbf_fence_release();
  __iso_volatile_store32((volatile __int32 *)at, (__int32)value);
}
#else
#error "vtbf: no atomics are written for this compiler"
#endif
#endif /* VTBF_OWN_ATOMICS */

/* ---- validation ---------------------------------------------------------------------------
 * Check a private copy, never the mapping itself: the other side could change it after. */
typedef enum vtbf_problem {
  VTBF_FINE = 0,
  VTBF_TOO_SHORT,
  VTBF_NO_MAGIC, /* zero: the writer is still at it, or died there */
  VTBF_WRONG_MAGIC,
  VTBF_WRONG_ABI,
  VTBF_BAD_HEADER_BYTES,
  VTBF_BAD_SLOT_COUNT,
  VTBF_BAD_SLOT_HEADER_BYTES,
  VTBF_BAD_MAX_PAYLOAD,
  VTBF_BAD_SLOT_STRIDE,
  VTBF_BAD_TOTAL_BYTES,
  VTBF_BAD_STATE,
  VTBF_BAD_LATEST,
  VTBF_BAD_FRAME_NO,
  VTBF_BAD_SIZE,
  VTBF_BAD_FOURCC,
  VTBF_BAD_STRIDE,
  VTBF_BAD_PAYLOAD,
  VTBF_BAD_ALPHA_MODE
} vtbf_problem;

static inline const char *vtbf_problem_text(vtbf_problem problem)
{
  switch (problem) {
  case VTBF_FINE: return "nothing is wrong";
  case VTBF_TOO_SHORT: return "it is shorter than its header says";
  case VTBF_NO_MAGIC: return "its header is not complete";
  case VTBF_WRONG_MAGIC: return "it is no vtbf segment";
  case VTBF_WRONG_ABI: return "it follows another major version of vtbf";
  case VTBF_BAD_HEADER_BYTES: return "header_bytes is out of range";
  case VTBF_BAD_SLOT_COUNT: return "slot_count is out of range";
  case VTBF_BAD_SLOT_HEADER_BYTES: return "slot_header_bytes is out of range";
  case VTBF_BAD_MAX_PAYLOAD: return "max_payload is out of range";
  case VTBF_BAD_SLOT_STRIDE: return "slot_stride does not fit max_payload";
  case VTBF_BAD_TOTAL_BYTES: return "total_bytes does not fit the slots";
  case VTBF_BAD_STATE: return "state is unknown";
  case VTBF_BAD_LATEST: return "latest is beyond any frame number";
  case VTBF_BAD_FRAME_NO: return "a slot's frame_no contradicts its sequence number";
  case VTBF_BAD_SIZE: return "a frame's width or height is out of range";
  case VTBF_BAD_FOURCC: return "a frame's fourcc is unknown";
  case VTBF_BAD_STRIDE: return "a frame's stride does not fit its width";
  case VTBF_BAD_PAYLOAD: return "a frame's payload does not fit its height or its slot";
  case VTBF_BAD_ALPHA_MODE: return "a frame's alpha_mode is unknown";
  }
  return "an unknown problem";
}

/* Where things lie; private to each process, so that nobody can move it under a reader's feet. */
typedef struct vtbf_geometry {
  uint64_t total_bytes;
  uint64_t slot_stride;
  uint64_t max_payload;
  uint32_t header_bytes;
  uint32_t slot_header_bytes;
  uint32_t slot_count;
} vtbf_geometry;

/* A frame number from here on cannot be doubled without overflow in sight. */
#define VTBF_FRAME_NO_END (UINT64_C(1) << 62)

static inline vtbf_geometry vtbf_geometry_for(uint32_t slot_count, uint64_t max_payload)
{
  vtbf_geometry g;
  uint64_t page = VTBF_PAGE_BYTES;
  g.max_payload = max_payload;
  g.slot_count = slot_count;
  g.header_bytes = VTBF_HEADER_BYTES;
  g.slot_header_bytes = VTBF_SLOT_HEADER_BYTES;
  g.slot_stride = (VTBF_SLOT_HEADER_BYTES + max_payload + page - 1) / page * page;
  g.total_bytes = g.header_bytes + slot_count * g.slot_stride;
  return g;
}

/* Check a copied header against the size of its file, and take its geometry out. */
static inline vtbf_problem vtbf_check_header(const vtbf_header *h, uint64_t file_bytes,
                                             vtbf_geometry *geometry)
{
  if (file_bytes < VTBF_HEADER_BYTES) return VTBF_TOO_SHORT;
  if (h->magic == 0) return VTBF_NO_MAGIC;
  if (h->magic != VTBF_MAGIC) return VTBF_WRONG_MAGIC;
  if (h->abi_major != VTBF_ABI_MAJOR) return VTBF_WRONG_ABI;
  if (h->header_bytes < VTBF_HEADER_BYTES || h->header_bytes > 16 * VTBF_HEADER_BYTES ||
      h->header_bytes % VTBF_PAGE_BYTES)
    return VTBF_BAD_HEADER_BYTES;
  if (h->slot_count < VTBF_MIN_SLOTS || h->slot_count > VTBF_MAX_SLOTS) return VTBF_BAD_SLOT_COUNT;
  if (h->slot_header_bytes < VTBF_SLOT_HEADER_BYTES || h->slot_header_bytes > VTBF_PAGE_BYTES ||
      h->slot_header_bytes % 64)
    return VTBF_BAD_SLOT_HEADER_BYTES;
  if (h->max_payload < VTBF_BYTES_PER_PIXEL || h->max_payload > VTBF_MAX_PAYLOAD)
    return VTBF_BAD_MAX_PAYLOAD;
  if (h->slot_stride < h->slot_header_bytes + h->max_payload ||
      h->slot_stride > UINT64_C(2) * VTBF_MAX_PAYLOAD || h->slot_stride % VTBF_PAGE_BYTES)
    return VTBF_BAD_SLOT_STRIDE;
  if (h->total_bytes < h->header_bytes + h->slot_count * h->slot_stride)
    return VTBF_BAD_TOTAL_BYTES;
  if (h->total_bytes > file_bytes) return VTBF_TOO_SHORT;
  if (h->state > VTBF_STATE_MOVED) return VTBF_BAD_STATE;
  if (h->latest >= VTBF_FRAME_NO_END) return VTBF_BAD_LATEST;
  geometry->total_bytes = h->total_bytes;
  geometry->slot_stride = h->slot_stride;
  geometry->max_payload = h->max_payload;
  geometry->header_bytes = h->header_bytes;
  geometry->slot_header_bytes = h->slot_header_bytes;
  geometry->slot_count = h->slot_count;
  return VTBF_FINE;
}

/* Check the copied metadata of frame n. */
static inline vtbf_problem vtbf_check_slot(const vtbf_geometry *g, const vtbf_slot *slot,
                                           uint64_t n)
{
  if (slot->frame_no != n) return VTBF_BAD_FRAME_NO;
  if (slot->width < 1 || slot->width > VTBF_MAX_SIDE || slot->height < 1 ||
      slot->height > VTBF_MAX_SIDE)
    return VTBF_BAD_SIZE;
  if (slot->fourcc != VTBF_FOURCC_RGBA && slot->fourcc != VTBF_FOURCC_BGRA)
    return VTBF_BAD_FOURCC;
  if (slot->stride < slot->width * VTBF_BYTES_PER_PIXEL || slot->stride % VTBF_BYTES_PER_PIXEL)
    return VTBF_BAD_STRIDE;
  if (slot->payload != (uint64_t)slot->stride * slot->height || slot->payload > g->max_payload)
    return VTBF_BAD_PAYLOAD;
  if (slot->alpha_mode > VTBF_ALPHA_OPAQUE) return VTBF_BAD_ALPHA_MODE;
  return VTBF_FINE;
}

/* Offset of the slot that holds frame n. */
static inline uint64_t vtbf_slot_offset(const vtbf_geometry *g, uint64_t n)
{
  return g->header_bytes + (n % g->slot_count) * g->slot_stride;
}

/* ---- writing ------------------------------------------------------------------------------ */
/* One writer; its own view of the segment, which no other process can change. */
typedef struct vtbf_writer {
  unsigned char *base; /* the mapping, readable and writable */
  vtbf_geometry geometry;
  uint64_t frame_no; /* of the newest complete frame */
  uint64_t epoch;
} vtbf_writer;

static inline vtbf_header *vtbf_writer_header(const vtbf_writer *w)
{
  return (vtbf_header *)(void *)w->base;
}

/* Fill the header of a zeroed mapping (magic == 0), or take over that of a dead writer with the
 * same geometry. latest is the number that counting goes on from: 0 in a new segment. */
static inline void vtbf_writer_start(vtbf_writer *w, uint32_t pid, const uint8_t uuid[16],
                                     uint32_t nominal_fps_x1000, uint64_t now_ns)
{
  vtbf_header *h = vtbf_writer_header(w);
  h->abi_major = VTBF_ABI_MAJOR;
  h->abi_minor = VTBF_ABI_MINOR;
  h->header_bytes = w->geometry.header_bytes;
  h->total_bytes = w->geometry.total_bytes;
  h->slot_count = w->geometry.slot_count;
  h->slot_header_bytes = w->geometry.slot_header_bytes;
  h->slot_stride = w->geometry.slot_stride;
  h->max_payload = w->geometry.max_payload;
  h->writer_pid = pid;
  memcpy(h->uuid, uuid, sizeof h->uuid);
  h->nominal_fps_x1000 = nominal_fps_x1000;
  h->health_flags = 0;
  vtbf_store_relaxed_u64(&h->epoch, w->epoch);
  vtbf_store_relaxed_u64(&h->latest, w->frame_no);
  vtbf_store_relaxed_u64(&h->heartbeat_ns, now_ns);
  vtbf_store_release_u32(&h->state, VTBF_STATE_LIVE);
  vtbf_store_release_u64(&h->magic, VTBF_MAGIC);
}

/* Mark the next slot as being written and return where its pixels go (max_payload bytes). */
static inline unsigned char *vtbf_write_begin(vtbf_writer *w)
{
  unsigned char *slot = w->base + vtbf_slot_offset(&w->geometry, w->frame_no + 1);
  vtbf_store_relaxed_u64((uint64_t *)(void *)slot, 2 * w->frame_no + 1);
  vtbf_fence_release();
  return slot + w->geometry.slot_header_bytes;
}

/* Complete the slot begun: metadata (seq, frame_no and epoch are set here), then the sequence
 * number, then the number of the newest frame. t_publish_ns becomes the heartbeat too. */
static inline uint64_t vtbf_write_commit(vtbf_writer *w, const vtbf_slot *metadata)
{
  vtbf_header *h = vtbf_writer_header(w);
  uint64_t n = w->frame_no + 1;
  unsigned char *slot = w->base + vtbf_slot_offset(&w->geometry, n);
  vtbf_slot m = *metadata;
  m.frame_no = n;
  m.epoch = w->epoch;
  memcpy(slot + sizeof m.seq, (const unsigned char *)&m + sizeof m.seq, sizeof m - sizeof m.seq);
  vtbf_store_release_u64((uint64_t *)(void *)slot, 2 * n);
  vtbf_store_release_u64(&h->latest, n);
  vtbf_store_relaxed_u64(&h->heartbeat_ns, m.t_publish_ns);
  vtbf_store_release_u32(&h->wake, (uint32_t)n);
  w->frame_no = n;
  return n;
}

/* Leave: closed or moved. The word changes too, so that no reader sleeps through it. */
static inline void vtbf_writer_end(vtbf_writer *w, uint32_t state)
{
  vtbf_header *h = vtbf_writer_header(w);
  vtbf_store_release_u32(&h->state, state);
  vtbf_store_release_u32(&h->wake, (uint32_t)w->frame_no + 1);
}

/* ---- Linux: reading, liveness, wake-up ----------------------------------------------------
 * Readers use pread and no mapping: a segment that somebody truncates is then a short read and
 * no SIGBUS, and a system call costs far less than the copy. Define _GNU_SOURCE before the first
 * include. */
#if defined(__linux__)
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

typedef enum vtbf_outcome {
  VTBF_READ_FRAME = 1, /* a verified copy */
  VTBF_READ_NONE = 0,  /* nothing newer */
  VTBF_READ_TORN = -1, /* the writer was faster; try again, or keep the last frame */
  VTBF_READ_GONE = -2, /* the file is shorter than it was: open the segment again */
  VTBF_READ_BAD = -3   /* the segment breaks the rules: let go of it */
} vtbf_outcome;

enum { VTBF_READ_ATTEMPTS = 8 };

/* Read exactly size bytes; 0, or -1 if the file is too short or fails. */
static inline int vtbf_pread_exactly(int fd, void *into, uint64_t size, uint64_t offset)
{
  unsigned char *at = (unsigned char *)into;
  while (size > 0) {
    ssize_t got = pread(fd, at, (size_t)size, (off_t)offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -1;
    at += got;
    offset += (uint64_t)got;
    size -= (uint64_t)got;
  }
  return 0;
}

/* Read the part of the header that changes: epoch to health_flags. */
static inline int vtbf_pread_live(int fd, vtbf_header *h)
{
  uint64_t from = offsetof(vtbf_header, epoch);
  uint64_t to = offsetof(vtbf_header, reserved_live);
  int failed = vtbf_pread_exactly(fd, (unsigned char *)h + from, to - from, from);
  vtbf_fence_acquire();
  return failed;
}

static inline vtbf_outcome vtbf_pread_verify(int fd, uint64_t slot_offset, uint64_t n)
{
  uint64_t seq;
  vtbf_fence_acquire(); /* all that was read before lies before this look at seq */
  if (vtbf_pread_exactly(fd, &seq, sizeof seq, slot_offset)) return VTBF_READ_GONE;
  return seq == 2 * n ? VTBF_READ_FRAME : VTBF_READ_TORN;
}

/* Read and check the metadata of frame n. It is trusted for bounds at once, and for meaning only
 * after vtbf_pread_pixels has returned VTBF_READ_FRAME. */
static inline vtbf_outcome vtbf_pread_slot(int fd, const vtbf_geometry *g, uint64_t n,
                                           vtbf_slot *slot)
{
  uint64_t at = vtbf_slot_offset(g, n);
  if (vtbf_pread_exactly(fd, &slot->seq, sizeof slot->seq, at)) return VTBF_READ_GONE;
  if (slot->seq != 2 * n) return VTBF_READ_TORN;
  vtbf_fence_acquire(); /* a second pread, because one read promises no order inside */
  if (vtbf_pread_exactly(fd, (unsigned char *)slot + sizeof slot->seq,
                         sizeof *slot - sizeof slot->seq, at + sizeof slot->seq))
    return VTBF_READ_GONE;
  if (vtbf_check_slot(g, slot, n) != VTBF_FINE) {
    vtbf_outcome again = vtbf_pread_verify(fd, at, n);
    return again == VTBF_READ_FRAME ? VTBF_READ_BAD : again;
  }
  return VTBF_READ_FRAME;
}

/* Copy the pixels (slot->payload bytes) of frame n out, then verify pixels and metadata. */
static inline vtbf_outcome vtbf_pread_pixels(int fd, const vtbf_geometry *g, uint64_t n,
                                             const vtbf_slot *slot, void *into)
{
  uint64_t at = vtbf_slot_offset(g, n);
  if (vtbf_pread_exactly(fd, into, slot->payload, at + g->slot_header_bytes))
    return VTBF_READ_GONE;
  return vtbf_pread_verify(fd, at, n);
}

/* Copy the newest frame out if its number is beyond seen. into holds g->max_payload bytes.
 * Adds the copies it threw away to *torn. */
static inline vtbf_outcome vtbf_pread_newest(int fd, const vtbf_geometry *g, uint64_t seen,
                                             vtbf_slot *slot, void *into, uint64_t *torn)
{
  vtbf_header live;
  int attempt;
  for (attempt = 0; attempt < VTBF_READ_ATTEMPTS; attempt++) {
    vtbf_outcome outcome;
    if (vtbf_pread_live(fd, &live)) return VTBF_READ_GONE;
    if (live.latest >= VTBF_FRAME_NO_END) return VTBF_READ_BAD;
    if (live.latest <= seen) return VTBF_READ_NONE;
    outcome = vtbf_pread_slot(fd, g, live.latest, slot);
    if (outcome == VTBF_READ_FRAME)
      outcome = vtbf_pread_pixels(fd, g, live.latest, slot, into);
    if (outcome != VTBF_READ_TORN) return outcome;
    (*torn)++;
  }
  return VTBF_READ_TORN;
}

/* Read and check the header of a freshly opened segment. */
static inline vtbf_problem vtbf_pread_header(int fd, uint64_t file_bytes, vtbf_header *h,
                                             vtbf_geometry *g)
{
  if (vtbf_pread_exactly(fd, h, sizeof *h, 0)) return VTBF_TOO_SHORT;
  vtbf_fence_acquire();
  return vtbf_check_header(h, file_bytes, g);
}

static inline uint64_t vtbf_now_ns(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

#ifdef F_OFD_SETLK
/* Take the writer's lock: 1 = taken, 0 = another writer lives, -1 = failed (errno). The kernel
 * drops it when the last copy of the descriptor is closed, kill -9 included. */
static inline int vtbf_try_lock(int fd)
{
  struct flock lock;
  memset(&lock, 0, sizeof lock);
  lock.l_type = F_WRLCK;
  if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return 1;
  return errno == EAGAIN || errno == EACCES ? 0 : -1;
}

/* Ask whether a writer lives: 1 = yes, 0 = no, -1 = failed (errno). Read-only is enough. */
static inline int vtbf_is_locked(int fd)
{
  struct flock lock;
  memset(&lock, 0, sizeof lock);
  lock.l_type = F_RDLCK;
  if (fcntl(fd, F_OFD_GETLK, &lock) != 0) return -1;
  return lock.l_type != F_UNLCK;
}
#endif

static inline void vtbf_wake_all(uint32_t *word)
{
  syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Sleep until the word differs from seen; 0 = woken, else an errno: EAGAIN = differs already,
 * ETIMEDOUT, EINTR, EFAULT = the segment was truncated. Only the kernel looks at the word, so a
 * mapping of the header page (PROT_READ) that nobody dereferences cannot raise SIGBUS. */
static inline int vtbf_wait(const uint32_t *word, uint32_t seen, uint64_t timeout_ns)
{
  struct timespec t;
  t.tv_sec = (time_t)(timeout_ns / UINT64_C(1000000000));
  t.tv_nsec = (long)(timeout_ns % UINT64_C(1000000000));
  return syscall(SYS_futex, word, FUTEX_WAIT, seen, &t, NULL, 0) == 0 ? 0 : errno;
}
#endif /* __linux__ */

#endif /* VTBF_H */
