/* Feed mutated segments to the reader of vtbf.h; run it under sanitizers.
 *
 * usage: vtbf_fuzz ROUNDS SEED
 * Prints "problem N COUNT" for each answer of the header check and "outcome N COUNT" for each of
 * the read; leaves with 1 if an answer breaks what the header promises. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vtbf.h"

enum { SIDE = 16, PAYLOAD = SIDE * SIDE * 4, SLOTS = 2, FILE_BYTES = 1 << 18 };

static uint64_t random_state;

static uint64_t random_u64(void)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static uint64_t random_below(uint64_t end) { return random_u64() % end; }

static void make_segment(unsigned char *memory)
{
  static const uint8_t uuid[16] = {1};
  vtbf_writer w = {memory, vtbf_geometry_for(SLOTS, PAYLOAD), 0, 1};
  int n;
  vtbf_writer_start(&w, 1, uuid, 30000, 1);
  for (n = 0; n < 3; n++) {
    vtbf_slot slot;
    memset(&slot, 0, sizeof slot);
    slot.width = slot.height = SIDE;
    slot.stride = SIDE * 4;
    slot.payload = PAYLOAD;
    slot.fourcc = VTBF_FOURCC_RGBA;
    memset(vtbf_write_begin(&w), n, PAYLOAD);
    vtbf_write_commit(&w, &slot);
  }
}

/* Values on which careless arithmetic breaks. */
static uint64_t nasty(void)
{
  static const uint64_t values[] = {
      0, 1, 2, 3, 15, 16, 17, 63, 64, 127, 128, 129, 4095, 4096, 4097, 8192, 16384, 16385, 65536,
      0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0x3FFFFFFF, 0x40000000, 0x40000001,
      UINT64_MAX, UINT64_MAX - 4095, UINT64_MAX / 2, (uint64_t)1 << 62, PAYLOAD, PAYLOAD + 4};
  return values[random_below(sizeof values / sizeof *values)];
}

static void mutate(unsigned char *bytes, size_t size)
{
  static const size_t widths[] = {1, 2, 4, 8};
  uint64_t count = 1 + random_below(3);
  while (count-- > 0) {
    size_t width = widths[random_below(4)];
    size_t at = random_below(size / width) * width;
    uint64_t value = random_below(2) ? nasty() : random_u64();
    if (random_below(4) == 0)
      bytes[at] ^= (unsigned char)(1u << random_below(8));
    else
      memcpy(bytes + at, &value, width);
  }
}

static int broken(const char *what)
{
  fprintf(stderr, "promise broken: %s\n", what);
  return 1;
}

static int try_once(int fd, uint64_t file_bytes, unsigned long *problems, unsigned long *outcomes)
{
  vtbf_header h;
  vtbf_geometry g;
  vtbf_slot slot;
  uint64_t torn = 0;
  unsigned char *into;
  vtbf_outcome outcome;
  vtbf_problem problem = vtbf_pread_header(fd, file_bytes, &h, &g);
  problems[problem]++;
  if (problem != VTBF_FINE) return 0;
  if (g.total_bytes > file_bytes || g.max_payload > file_bytes) return broken("total_bytes");
  if (vtbf_slot_offset(&g, g.slot_count - 1) + g.slot_header_bytes + g.max_payload > file_bytes)
    return broken("the last slot lies beyond the end");
  into = malloc(g.max_payload);
  if (into == NULL) return broken("memory");
  outcome = vtbf_pread_newest(fd, &g, random_below(2), &slot, into, &torn);
  outcomes[outcome + 3]++;
  if (outcome == VTBF_READ_FRAME) {
    /* What every reader does next: walk all pixels of all rows. */
    uint64_t sum = 0;
    uint32_t x, y;
    for (y = 0; y < slot.height; y++)
      for (x = 0; x < slot.width * 4; x++) sum += into[(uint64_t)y * slot.stride + x];
    if (sum == UINT64_MAX) return broken("arithmetic");
  }
  free(into);
  return 0;
}

int main(int count, char **arguments)
{
  static _Alignas(4096) unsigned char valid[FILE_BYTES], mutant[FILE_BYTES];
  unsigned long problems[32] = {0}, outcomes[8] = {0}, round;
  vtbf_geometry g = vtbf_geometry_for(SLOTS, PAYLOAD);
  int i, fd = memfd_create("vtbf_fuzz", 0);
  if (count != 3 || fd < 0) return 2;
  random_state = strtoull(arguments[2], NULL, 10) * 2654435761u + 1;
  make_segment(valid);
  for (round = strtoul(arguments[1], NULL, 10); round > 0; round--) {
    uint64_t file_bytes = FILE_BYTES;
    memcpy(mutant, valid, g.total_bytes);
    switch (random_below(4)) {
    case 0: mutate(mutant, 96); break;                      /* the fixed part of the header */
    case 1: mutate(mutant, 160); break;
    case 2: mutate(mutant + vtbf_slot_offset(&g, 3), 72); break; /* the newest frame's slot */
    default:
      mutate(mutant, 160);
      mutate(mutant + vtbf_slot_offset(&g, 3), 72);
    }
    if (random_below(8) == 0) file_bytes = random_below(FILE_BYTES);
    if (ftruncate(fd, (off_t)file_bytes) ||
        pwrite(fd, mutant, file_bytes < g.total_bytes ? file_bytes : g.total_bytes, 0) < 0)
      return 2;
    /* Somebody cuts the file between the reader's fstat and its reading. */
    if (random_below(8) == 0 && ftruncate(fd, (off_t)random_below(file_bytes + 1))) return 2;
    if (try_once(fd, file_bytes, problems, outcomes)) return 1;
  }
  for (i = 0; i <= VTBF_BAD_LATEST; i++) printf("problem %d %lu\n", i, problems[i]);
  for (i = 0; i < 5; i++) printf("outcome %d %lu\n", i - 3, outcomes[i]);
  return 0;
}
