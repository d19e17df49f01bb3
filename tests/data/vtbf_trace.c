/* Run the real writer and reader of vtbf.h once and print every access in program order, so that
 * a model can try all the orders in which a processor may carry them out.
 *
 *   = section
 *   store ORDER OFFSET VALUE   fence ORDER   copy OFFSET SIZE   load OFFSET SIZE
 *   decide SEQ_BEFORE SEQ_AFTER OUTCOME      (frame 1 with those two looks at its slot) */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static _Alignas(4096) unsigned char segment[1 << 16];
static int tracing;
static const uint64_t *forced_seq; /* what the next looks at a sequence number see */

static void *traced_memcpy(void *to, const void *from, size_t size)
{
  const unsigned char *at = to;
  if (tracing && at >= segment && at < segment + sizeof segment)
    printf("copy %td %zu\n", at - segment, size);
  return memmove(to, from, size);
}

static ssize_t traced_pread(int fd, void *into, size_t size, off_t offset)
{
  (void)fd;
  if (tracing) printf("load %jd %zu\n", (intmax_t)offset, size);
  memmove(into, segment + offset, size);
  if (forced_seq != NULL && offset >= 4096 && size == sizeof *forced_seq)
    memmove(into, forced_seq++, size);
  return (ssize_t)size;
}

static void traced_store(const char *order, const void *at, uint64_t value)
{
  if (tracing)
    printf("store %s %td %" PRIu64 "\n", order, (const unsigned char *)at - segment, value);
}

#define VTBF_OWN_ATOMICS
static inline void vtbf_fence_release(void)
{
  if (tracing) puts("fence release");
}
static inline void vtbf_fence_acquire(void)
{
  if (tracing) puts("fence acquire");
}
static inline void vtbf_store_relaxed_u64(uint64_t *at, uint64_t value)
{
  traced_store("relaxed", at, value);
  *at = value;
}
static inline void vtbf_store_release_u64(uint64_t *at, uint64_t value)
{
  traced_store("release", at, value);
  *at = value;
}
static inline void vtbf_store_release_u32(uint32_t *at, uint32_t value)
{
  traced_store("release", at, value);
  *at = value;
}

#define memcpy traced_memcpy
#define pread traced_pread
#include "vtbf.h"

static void section(const char *name)
{
  tracing = name != NULL;
  if (name != NULL) printf("= %s\n", name);
}

static void publish(vtbf_writer *w)
{
  unsigned char pixels[64];
  vtbf_slot slot;
  memset(pixels, (int)w->frame_no + 1, sizeof pixels);
  memset(&slot, 0, sizeof slot);
  slot.width = slot.height = 4;
  slot.stride = 16;
  slot.payload = sizeof pixels;
  slot.fourcc = VTBF_FOURCC_RGBA;
  memcpy(vtbf_write_begin(w), pixels, sizeof pixels);
  vtbf_write_commit(w, &slot);
}

int main(void)
{
  static const uint8_t uuid[16];
  vtbf_writer w = {segment, vtbf_geometry_for(2, 64), 0, 1};
  vtbf_writer next = {segment, vtbf_geometry_for(2, 64), 2, 2};
  vtbf_slot slot;
  unsigned char pixels[64];
  vtbf_outcome outcome;
  int before, after;
  vtbf_writer_start(&w, 1, uuid, 30000, 1);
  publish(&w);
  section("read");
  {
    uint64_t torn = 0;
    outcome = vtbf_pread_newest(0, &w.geometry, 0, &slot, pixels, &torn);
  }
  section(NULL);
  if (outcome != VTBF_READ_FRAME || pixels[0] != 1) return 1;
  for (before = 0; before < 6; before++)
    for (after = 0; after < 6; after++) {
      uint64_t looks[2] = {(uint64_t)before, (uint64_t)after};
      forced_seq = looks;
      outcome = vtbf_pread_slot(0, &w.geometry, 1, &slot);
      if (outcome == VTBF_READ_FRAME)
        outcome = vtbf_pread_pixels(0, &w.geometry, 1, &slot, pixels);
      forced_seq = NULL;
      printf("decide %d %d %d\n", before, after, (int)outcome);
    }
  section("publish 2");
  publish(&w);
  section("publish 3");
  publish(&w);
  /* Another writer takes over as if the first had died somewhere in frame 3. */
  section("take over");
  vtbf_writer_start(&next, 2, uuid, 30000, 2);
  section("publish 3 again");
  publish(&next);
  section("publish 4");
  publish(&next);
  section("publish 5");
  publish(&next);
  return 0;
}
