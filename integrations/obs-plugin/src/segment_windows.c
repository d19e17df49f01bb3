/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* Segments that are named mappings of the user's session. Not verified: no vtbridge writes
 * segments on Windows yet. The mapping is Local\vtbf-NAME, and a mutex Local\vtbf-NAME-writer is
 * owned by the writer's thread; the system abandons it when the writer dies. A mapping cannot be
 * truncated while somebody has it open, so copying out of it is safe. */
#include "segment.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vtb_segment {
  HANDLE mapping;
  HANDLE writer; /* the mutex, NULL if there is none */
  const unsigned char *base;
  uint64_t bytes;
};

enum { OBJECT_NAME_BYTES = 64 };

static const char DEFAULT_NAME[] = "vtbridge";

static void make_name(char into[OBJECT_NAME_BYTES], const char *name, const char *suffix)
{
  snprintf(into, OBJECT_NAME_BYTES, "Local\\vtbf-%s%s", name, suffix);
}

vtb_segment *vtb_segment_open(const char *name, vtb_absence *why)
{
  char object[OBJECT_NAME_BYTES];
  MEMORY_BASIC_INFORMATION region;
  vtb_segment *segment;
  *why = VTB_NOTHING_THERE;
  if (!vtb_name_is_possible(name)) return NULL;
  segment = calloc(1, sizeof *segment);
  if (segment == NULL) return NULL;
  make_name(object, name, "");
  segment->mapping = OpenFileMappingA(FILE_MAP_READ, FALSE, object);
  if (segment->mapping == NULL) {
    if (GetLastError() == ERROR_ACCESS_DENIED) *why = VTB_NOT_PRIVATE;
    vtb_segment_close(segment);
    return NULL;
  }
  segment->base = MapViewOfFile(segment->mapping, FILE_MAP_READ, 0, 0, 0);
  if (segment->base == NULL || VirtualQuery(segment->base, &region, sizeof region) == 0) {
    vtb_segment_close(segment);
    return NULL;
  }
  segment->bytes = region.RegionSize;
  make_name(object, name, "-writer");
  segment->writer = OpenMutexA(SYNCHRONIZE, FALSE, object);
  return segment;
}

void vtb_segment_close(vtb_segment *segment)
{
  if (segment == NULL) return;
  if (segment->base != NULL) UnmapViewOfFile(segment->base);
  if (segment->mapping != NULL) CloseHandle(segment->mapping);
  if (segment->writer != NULL) CloseHandle(segment->writer);
  free(segment);
}

uint64_t vtb_segment_bytes(const vtb_segment *segment) { return segment->bytes; }

bool vtb_segment_read(vtb_segment *segment, void *into, uint64_t size, uint64_t offset)
{
  if (offset > segment->bytes || size > segment->bytes - offset) return false;
  memcpy(into, segment->base + offset, (size_t)size);
  return true;
}

/* A name leads to another mapping only after everybody has closed this one; the writer says in
 * the header that it moved or ended, and then the reader lets go. */
bool vtb_segment_is_current(vtb_segment *segment)
{
  (void)segment;
  return true;
}

bool vtb_segment_has_writer(vtb_segment *segment)
{
  if (segment->writer == NULL) return false;
  switch (WaitForSingleObject(segment->writer, 0)) {
  case WAIT_TIMEOUT: return true;
  case WAIT_OBJECT_0:
  case WAIT_ABANDONED: ReleaseMutex(segment->writer); return false;
  default: return false;
  }
}

/* The session's names cannot be listed; the properties let people type another one. */
size_t vtb_segment_names(char (*names)[VTB_NAME_BYTES], size_t room)
{
  vtb_absence why;
  vtb_segment *segment = room > 0 ? vtb_segment_open(DEFAULT_NAME, &why) : NULL;
  if (segment == NULL) return 0;
  vtb_segment_close(segment);
  memcpy(names[0], DEFAULT_NAME, sizeof DEFAULT_NAME);
  return 1;
}
