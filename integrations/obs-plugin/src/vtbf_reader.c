/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* Every byte of the segment is hostile: it is copied into private memory, bounded, and used only
 * once its sequence number has proved that the writer did not touch it meanwhile. The rules are
 * those of integrations/PROTOCOL.md. */
#include "vtbf_reader.h"

#include <stdlib.h>
#include <string.h>

typedef enum vtb_take {
  TAKE_FRAME, /* a verified copy */
  TAKE_NONE,  /* nothing newer, or no room for it now */
  TAKE_TORN,  /* the writer was faster: again */
  TAKE_GONE,  /* ended, moved or shortened: open anew */
  TAKE_BAD    /* it breaks the rules: let go of it */
} vtb_take;

static void let_go(vtbf_reader *r)
{
  vtb_segment_close(r->segment);
  r->segment = NULL;
}

static bool make_room(vtb_pixels *pixels, uint64_t bytes)
{
  if (bytes <= pixels->room) return true;
  free(pixels->bytes);
  pixels->bytes = malloc((size_t)bytes);
  pixels->room = pixels->bytes != NULL ? bytes : 0;
  return pixels->bytes != NULL;
}

/* The checksum of zlib (ISO-HDLC). Few writers store one, so a small table will do. */
static uint32_t checksum(const unsigned char *bytes, uint64_t count)
{
  uint32_t table[16], crc = UINT32_MAX, entry;
  unsigned index, bit;
  for (index = 0; index < 16; index++) {
    for (entry = index, bit = 0; bit < 4; bit++)
      entry = entry >> 1 ^ (entry & 1 ? UINT32_C(0xEDB88320) : 0);
    table[index] = entry;
  }
  while (count-- > 0) {
    crc ^= *bytes++;
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return ~crc;
}

/* The part of the header that changes. */
static bool read_live(vtbf_reader *r, vtbf_header *live)
{
  uint64_t from = offsetof(vtbf_header, epoch);
  uint64_t to = offsetof(vtbf_header, reserved_live);
  bool whole = vtb_segment_read(r->segment, (unsigned char *)live + from, to - from, from);
  vtbf_fence_acquire();
  return whole;
}

/* Whether the slot holds frame n, complete. */
static vtb_take look_at_seq(vtbf_reader *r, uint64_t slot_offset, uint64_t n)
{
  uint64_t seq;
  vtbf_fence_acquire(); /* all that was read before lies before this look */
  if (!vtb_segment_read(r->segment, &seq, sizeof seq, slot_offset)) return TAKE_GONE;
  vtbf_fence_acquire();
  return seq == 2 * n ? TAKE_FRAME : TAKE_TORN;
}

static vtb_take refuse(vtbf_reader *r, const char *why)
{
  r->refusal = why;
  return TAKE_BAD;
}

/* Copy frame n to r->spare and its metadata to *slot. */
static vtb_take copy_frame(vtbf_reader *r, uint64_t n, vtbf_slot *slot)
{
  uint64_t at = vtbf_slot_offset(&r->geometry, n);
  vtbf_problem problem;
  vtb_take take = look_at_seq(r, at, n);
  if (take != TAKE_FRAME) return take;
  if (!vtb_segment_read(r->segment, (unsigned char *)slot + sizeof slot->seq,
                        sizeof *slot - sizeof slot->seq, at + sizeof slot->seq))
    return TAKE_GONE;
  problem = vtbf_check_slot(&r->geometry, slot, n);
  if (problem != VTBF_FINE) {
    take = look_at_seq(r, at, n); /* a mixture of two frames looks senseless, too */
    return take == TAKE_FRAME ? refuse(r, vtbf_problem_text(problem)) : take;
  }
  if (slot->payload > VTB_MAX_SHOWN_BYTES) {
    take = look_at_seq(r, at, n);
    return take == TAKE_FRAME ? refuse(r, "its frames are larger than 64 MiB") : take;
  }
  if (!make_room(&r->spare, slot->payload)) return TAKE_NONE;
  if (!vtb_segment_read(r->segment, r->spare.bytes, slot->payload,
                        at + r->geometry.slot_header_bytes))
    return TAKE_GONE;
  take = look_at_seq(r, at, n);
  if (take == TAKE_FRAME && slot->crc32 != 0 &&
      slot->crc32 != checksum(r->spare.bytes, slot->payload))
    return refuse(r, "a frame's pixels do not fit their checksum");
  return take;
}

static vtb_take take_newest(vtbf_reader *r)
{
  int attempt;
  for (attempt = 0; attempt < VTB_READ_ATTEMPTS; attempt++) {
    vtbf_header live;
    vtbf_slot slot;
    vtb_pixels taken;
    vtb_take take;
    if (!read_live(r, &live)) return TAKE_GONE;
    if (live.state != VTBF_STATE_LIVE) return TAKE_GONE;
    if (live.latest >= VTBF_FRAME_NO_END) return refuse(r, vtbf_problem_text(VTBF_BAD_LATEST));
    r->health_flags = live.health_flags;
    if (live.latest < r->seen) r->seen = 0; /* no writer counts back; a new one counts anew */
    if (live.latest == r->seen) return TAKE_NONE;
    take = copy_frame(r, live.latest, &slot);
    if (take == TAKE_TORN) {
      r->torn++;
      continue;
    }
    if (take != TAKE_FRAME) return take;
    taken = r->spare;
    r->spare = r->shown;
    r->shown = taken;
    if (r->seen != 0) r->skipped += live.latest - r->seen - 1;
    r->seen = live.latest;
    r->frame = slot;
    r->has_frame = true;
    r->frames++;
    return TAKE_FRAME;
  }
  return TAKE_NONE;
}

/* Open the segment if it is private, sound and written by a living daemon; else tell the state. */
static vtb_state attach(vtbf_reader *r)
{
  vtbf_header header;
  vtbf_problem problem;
  vtb_absence why;
  vtb_state state = VTB_WAITING;
  r->segment = vtb_segment_open(r->name, &why);
  if (r->segment == NULL) {
    if (why == VTB_NOTHING_THERE) return VTB_ABSENT;
    refuse(r, "it is no private file of yours");
    return VTB_REFUSED;
  }
  if (!vtb_segment_read(r->segment, &header, sizeof header, 0)) {
    problem = VTBF_TOO_SHORT;
  } else {
    vtbf_fence_acquire();
    problem = vtbf_check_header(&header, vtb_segment_bytes(r->segment), &r->geometry);
  }
  if (problem == VTBF_NO_MAGIC) {
    state = VTB_ENDED; /* the writer is still at it, or died there; look again later */
  } else if (problem != VTBF_FINE) {
    refuse(r, vtbf_problem_text(problem));
    state = VTB_REFUSED;
  } else if (header.state != VTBF_STATE_LIVE || !vtb_segment_has_writer(r->segment)) {
    state = VTB_ENDED;
  }
  if (state != VTB_WAITING) {
    let_go(r);
    return state;
  }
  r->seen = 0;
  return state;
}

/* What a daemon that sent nothing for a while is up to. */
static vtb_state judge_silence(vtbf_reader *r, uint64_t now_ns)
{
  vtbf_header live;
  if (!vtb_segment_has_writer(r->segment)) return VTB_ENDED;
  if (!read_live(r, &live) || live.state != VTBF_STATE_LIVE) return VTB_ENDED;
  r->health_flags = live.health_flags;
  if ((int64_t)(now_ns - live.heartbeat_ns) >= VTB_HUNG_NS) return VTB_HUNG;
  return live.latest == 0 ? VTB_WAITING : VTB_LIVE;
}

static void probe(vtbf_reader *r, uint64_t now_ns)
{
  vtb_state found = VTB_LIVE;
  const char *refusal = r->refusal;
  r->next_probe_ns = now_ns + VTB_PROBE_NS;
  if (r->segment != NULL && !vtb_segment_is_current(r->segment)) let_go(r);
  if (r->segment == NULL) found = attach(r);
  /* A segment that moved leaves a gap; the state waits until it is longer than that. */
  if (r->last_frame_ns != 0 && now_ns - r->last_frame_ns < VTB_PROBE_NS) {
    r->refusal = refusal;
    return;
  }
  if (r->segment != NULL) found = judge_silence(r, now_ns);
  /* A header may be sound and its frames not: only a good frame ends that. */
  if (r->state == VTB_REFUSED && found == VTB_LIVE) return;
  r->state = found;
  if (found != VTB_REFUSED) r->refusal = "";
}

bool vtbf_reader_follow(vtbf_reader *r, const char *name)
{
  bool possible = vtb_name_is_possible(name);
  let_go(r);
  r->name[0] = '\0';
  if (possible) memcpy(r->name, name, strlen(name) + 1);
  r->state = VTB_ABSENT;
  r->refusal = "";
  r->health_flags = 0;
  r->has_frame = false;
  memset(&r->frame, 0, sizeof r->frame);
  r->seen = r->last_frame_ns = r->next_probe_ns = 0;
  return possible;
}

bool vtbf_reader_poll(vtbf_reader *r, uint64_t now_ns, bool wanted)
{
  bool fresh = false;
  if (r->name[0] == '\0') return false;
  if (r->segment != NULL && wanted) {
    vtb_take take = take_newest(r);
    if (take == TAKE_FRAME) {
      fresh = true;
      r->last_frame_ns = now_ns;
      r->state = VTB_LIVE;
      r->refusal = "";
    } else if (take == TAKE_BAD) {
      let_go(r);
      r->state = VTB_REFUSED;
      r->next_probe_ns = now_ns + VTB_PROBE_NS;
    } else if (take == TAKE_GONE) {
      let_go(r);
      r->next_probe_ns = now_ns; /* a segment that moved has its successor already */
    }
  }
  if (now_ns >= r->next_probe_ns) probe(r, now_ns);
  return fresh;
}

void vtbf_reader_close(vtbf_reader *r)
{
  let_go(r);
  free(r->shown.bytes);
  free(r->spare.bytes);
  memset(r, 0, sizeof *r);
}
