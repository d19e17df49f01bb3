/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* The bytes of an avatar's segment, whatever the system keeps them in. One of segment_posix.c and
 * segment_windows.c is built. Nothing here writes, locks or deletes, and nothing needs libobs. */
#ifndef VTB_SEGMENT_H
#define VTB_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  VTB_NAME_BYTES = 17, /* of an avatar's name, with its zero */
  VTB_MAX_NAMES = 64   /* avatars that a list shows */
};

typedef struct vtb_segment vtb_segment;

/* Why there is no segment. */
typedef enum vtb_absence {
  VTB_NOTHING_THERE,
  VTB_NOT_PRIVATE /* no ordinary file, of somebody else, or open to others */
} vtb_absence;

/* True if the name is 1 to 16 letters, digits, '-' or '_', a letter or digit first. */
bool vtb_name_is_possible(const char *name);

/* Open the segment of the avatar; NULL with *why if that is refused. */
vtb_segment *vtb_segment_open(const char *name, vtb_absence *why);
void vtb_segment_close(vtb_segment *segment);

/* Its size when it was opened. */
uint64_t vtb_segment_bytes(const vtb_segment *segment);

/* Copy exactly size bytes out, each call after those before; false if they are not there. */
bool vtb_segment_read(vtb_segment *segment, void *into, uint64_t size, uint64_t offset);

/* True while the avatar's name leads to this segment and no other. */
bool vtb_segment_is_current(vtb_segment *segment);

/* True while a writer holds the lock that the system drops when it dies. */
bool vtb_segment_has_writer(vtb_segment *segment);

/* Fill in the names of the avatars whose segments exist, sorted, and return how many. */
size_t vtb_segment_names(char (*names)[VTB_NAME_BYTES], size_t room);

#endif
