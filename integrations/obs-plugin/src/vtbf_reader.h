/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* The newest frame of an avatar, copied out of its segment and proved whole. No libobs in here. */
#ifndef VTBF_READER_H
#define VTBF_READER_H

#include "segment.h"
#include "vtbf.h"

#define VTB_PROBE_NS UINT64_C(250000000) /* how often the name and the lock are asked */
#define VTB_HUNG_NS 1000000000           /* a heartbeat older than this: the daemon hangs */

enum {
  VTB_READ_ATTEMPTS = 8,
  VTB_MAX_SHOWN_BYTES = 64 << 20 /* 4096 x 4096: more is not copied at 60 frames a second */
};

/* How the avatar stands. Only VTB_LIVE has frames to come. */
typedef enum vtb_state {
  VTB_ABSENT,  /* there is no segment of its name */
  VTB_REFUSED, /* there is something, but it breaks the rules: see refusal */
  VTB_ENDED,   /* its daemon ended or died */
  VTB_HUNG,    /* its daemon lives and does nothing */
  VTB_WAITING, /* its daemon lives and has made no frame yet */
  VTB_LIVE
} vtb_state;

typedef struct vtb_pixels {
  unsigned char *bytes;
  uint64_t room;
} vtb_pixels;

/* Zeroed except for the name, it is ready. Read its fields as you like; write none. */
typedef struct vtbf_reader {
  char name[VTB_NAME_BYTES];
  vtb_state state;
  const char *refusal; /* in English; "" unless VTB_REFUSED */
  uint32_t health_flags;
  bool has_frame; /* shown and frame hold a picture; it stays when the daemon goes away */
  vtbf_slot frame;
  vtb_pixels shown;
  uint64_t frames;  /* taken so far */
  uint64_t skipped; /* published, but overtaken before they could be taken */
  uint64_t torn;    /* copies thrown away, because the writer was faster */

  vtb_segment *segment;
  vtbf_geometry geometry;
  uint64_t seen; /* number of the frame taken last */
  uint64_t last_frame_ns, next_probe_ns;
  vtb_pixels spare;
} vtbf_reader;

/* Follow another avatar; what was shown of the old one is forgotten. False, and nothing is
 * followed, if the name cannot be one. */
bool vtbf_reader_follow(vtbf_reader *reader, const char *name);

/* Look once, at the beat of the caller, and return true if shown is a new frame. now_ns is the
 * monotonic clock; with wanted false no frame is copied, but the state is kept. */
bool vtbf_reader_poll(vtbf_reader *reader, uint64_t now_ns, bool wanted);

/* Let go of everything. */
void vtbf_reader_close(vtbf_reader *reader);

#endif
