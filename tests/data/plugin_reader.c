/* Drive the OBS plugin's reader against segments that nobody wrote properly.
 *
 * usage: plugin_reader fuzz ROUNDS SEED    mutated segments; run it under sanitizers
 *        plugin_reader race FRAMES SEED    a writer that gets ahead between any two reads
 *        plugin_reader watch NAME FRAMES   a real segment, until FRAMES were taken, its writer ended
 *                                          or it was refused
 *
 * The first two have a segment in memory in the place of the system's (-DOWN_SEGMENT). Prints
 * "WORD COUNT" lines; leaves with 1 if a promise was broken. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vtbf_reader.h"

static int broken(const char *what)
{
  fprintf(stderr, "promise broken: %s\n", what);
  return 1;
}

/* What the plugin does next: hand all rows to the graphics card. */
static int walk(const vtbf_reader *r)
{
  const vtbf_slot *f = &r->frame;
  uint64_t sum = 0, at, size = (uint64_t)f->stride * f->height;
  if (!r->has_frame || size > r->shown.room || size > VTB_MAX_SHOWN_BYTES)
    return broken("the frame is larger than its room");
  if (f->width < 1 || f->height < 1 || f->stride < f->width * 4 || f->alpha_mode > 2)
    return broken("the frame's measures");
  for (at = 0; at < size; at++) sum += r->shown.bytes[at];
  return sum == UINT64_MAX ? broken("arithmetic") : 0;
}

/* True if every byte is the frame's own number, as both writers here write it. */
static bool is_whole(const vtbf_reader *r, unsigned shades)
{
  uint64_t at;
  for (at = 0; at < r->frame.payload; at++)
    if (r->shown.bytes[at] != r->frame.frame_no % shades) return false;
  return true;
}

#ifdef OWN_SEGMENT
enum { SIDE = 16, PAYLOAD = SIDE * SIDE * 4, SLOTS = 2, FILE_BYTES = 1 << 16, SHADES = 251 };

struct vtb_segment {
  uint64_t bytes;
};

static _Alignas(4096) unsigned char memory[FILE_BYTES];
static uint64_t bytes_now, random_state;
static bool is_there, is_current, has_writer;
static void (*between_reads)(void);

static uint64_t random_u64(void)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static uint64_t random_below(uint64_t end) { return random_u64() % end; }

vtb_segment *vtb_segment_open(const char *name, vtb_absence *why)
{
  vtb_segment *segment;
  (void)name;
  *why = random_below(2) ? VTB_NOTHING_THERE : VTB_NOT_PRIVATE;
  if (!is_there) return NULL;
  segment = malloc(sizeof *segment);
  if (segment != NULL) segment->bytes = bytes_now;
  return segment;
}

void vtb_segment_close(vtb_segment *segment) { free(segment); }
uint64_t vtb_segment_bytes(const vtb_segment *segment) { return segment->bytes; }
bool vtb_segment_has_writer(vtb_segment *segment) { return segment != NULL && has_writer; }
bool vtb_segment_is_current(vtb_segment *segment) { return segment != NULL && is_current; }

bool vtb_segment_read(vtb_segment *segment, void *into, uint64_t size, uint64_t offset)
{
  (void)segment;
  between_reads();
  if (offset > bytes_now || size > bytes_now - offset) return false;
  memcpy(into, memory + offset, size);
  return true;
}

static vtbf_writer start_writer(void)
{
  static const uint8_t uuid[16] = {1};
  vtbf_writer w = {memory, vtbf_geometry_for(SLOTS, PAYLOAD), 0, 1};
  memset(memory, 0, sizeof memory);
  vtbf_writer_start(&w, 1, uuid, 30000, 1);
  bytes_now = w.geometry.total_bytes;
  is_there = is_current = has_writer = true;
  return w;
}

static vtbf_slot metadata(void)
{
  vtbf_slot slot;
  memset(&slot, 0, sizeof slot);
  slot.width = slot.height = SIDE;
  slot.stride = SIDE * 4;
  slot.payload = PAYLOAD;
  slot.fourcc = VTBF_FOURCC_RGBA;
  slot.alpha_mode = VTBF_ALPHA_PREMULTIPLIED;
  return slot;
}

/* ---- mutated segments */
static uint64_t nasty(void)
{
  static const uint64_t values[] = {
      0, 1, 2, 3, 4, 6, 15, 16, 17, 63, 64, 127, 128, 129, 4095, 4096, 4097, 8192, 16384, 16385,
      65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0x3FFFFFFF, 0x40000000, 0x40000001,
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

static void mutate_segment(void)
{
  vtbf_geometry g = vtbf_geometry_for(SLOTS, PAYLOAD);
  uint64_t where = random_below(4);
  if (where != 0) mutate(memory + (where == 1 ? 0 : 128), where == 1 ? 160 : 32);
  if (where != 1) mutate(memory + vtbf_slot_offset(&g, random_below(2)), 72);
}

static void disturb(void)
{
  if (random_below(64) == 0) mutate_segment();
  if (random_below(512) == 0) bytes_now = random_below(FILE_BYTES);
}

static int fuzz(unsigned long rounds)
{
  static const char *const names[] = {"absent", "refused", "ended", "hung", "waiting", "live"};
  unsigned long counts[6] = {0}, frames = 0, torn = 0, round;
  int state;
  for (round = 0; round < rounds; round++) {
    vtbf_reader reader;
    vtbf_writer w;
    uint64_t now_ns = 1 + random_below(3) * 1000000000;
    int turn, number;
    memset(&reader, 0, sizeof reader);
    w = start_writer();
    for (number = (int)random_below(4); number > 0; number--) {
      vtbf_slot slot = metadata();
      if (random_below(8) == 0) slot.crc32 = (uint32_t)nasty();
      memset(vtbf_write_begin(&w), number, PAYLOAD);
      vtbf_write_commit(&w, &slot);
    }
    if (random_below(8) != 0) mutate_segment();
    is_there = random_below(32) != 0;
    has_writer = random_below(32) != 0;
    between_reads = disturb;
    vtbf_reader_follow(&reader, "x");
    for (turn = 0; turn < 4; turn++) {
      now_ns += 300000000;
      is_current = random_below(16) != 0;
      if (vtbf_reader_poll(&reader, now_ns, random_below(8) != 0)) {
        frames++;
        if (walk(&reader)) return 1;
      }
      if ((reader.state == VTB_REFUSED) != (reader.refusal[0] != '\0'))
        return broken("a refusal has a reason, and nothing else has");
      counts[reader.state]++;
    }
    torn += reader.torn;
    vtbf_reader_close(&reader);
  }
  for (state = 0; state < 6; state++) printf("%s %lu\n", names[state], counts[state]);
  printf("frames %lu\ntorn %lu\n", frames, torn);
  return 0;
}

/* ---- a writer that gets ahead */
static vtbf_writer racer;
static unsigned char *racer_pixels;
static int racer_step;

static void race_on(void)
{
  while (random_below(3) != 0) {
    vtbf_slot slot = metadata();
    int shade = (int)((racer.frame_no + 1) % SHADES);
    switch (racer_step++) {
    case 0: racer_pixels = vtbf_write_begin(&racer); break;
    case 1: memset(racer_pixels, shade, PAYLOAD / 2); break;
    case 2: memset(racer_pixels + PAYLOAD / 2, shade, PAYLOAD / 2); break;
    default: vtbf_write_commit(&racer, &slot); racer_step = 0;
    }
  }
}

static int race(unsigned long frames)
{
  vtbf_reader reader;
  uint64_t now_ns = 0, shown = 0;
  unsigned long mixed = 0;
  memset(&reader, 0, sizeof reader);
  racer = start_writer();
  between_reads = race_on;
  vtbf_reader_follow(&reader, "x");
  while (reader.frames < frames) {
    now_ns += 1000000;
    if (!vtbf_reader_poll(&reader, now_ns, true)) continue;
    if (walk(&reader)) return 1;
    if (!is_whole(&reader, SHADES)) mixed++;
    if (reader.frame.frame_no <= shown) return broken("time runs backwards");
    shown = reader.frame.frame_no;
  }
  printf("frames %lu\ntorn %lu\nskipped %lu\nmixed %lu\n", frames, (unsigned long)reader.torn,
         (unsigned long)reader.skipped, mixed);
  vtbf_reader_close(&reader);
  return 0;
}

#else
/* ---- a real segment */
enum { SHADES = 16 };

static uint64_t now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int watch(const char *name, unsigned long frames)
{
  char names[VTB_MAX_NAMES][VTB_NAME_BYTES];
  size_t count = vtb_segment_names(names, VTB_MAX_NAMES);
  unsigned long mixed = 0, listed = 0;
  vtbf_reader reader;
  memset(&reader, 0, sizeof reader);
  if (!vtbf_reader_follow(&reader, name)) return broken("the name");
  while (count-- > 0) listed += strcmp(names[count], name) == 0;
  do {
    if (!vtbf_reader_poll(&reader, now(), true)) continue;
    if (walk(&reader)) return 1;
    if (!is_whole(&reader, SHADES)) mixed++;
  } while (reader.frames < frames && reader.state != VTB_REFUSED &&
           (reader.frames == 0 || reader.state == VTB_LIVE));
  printf("frames %lu\ntorn %lu\nmixed %lu\nlisted %lu\nrefused %d\n",
         (unsigned long)reader.frames, (unsigned long)reader.torn, mixed, listed,
         reader.state == VTB_REFUSED);
  vtbf_reader_close(&reader);
  return 0;
}
#endif

int main(int count, char **arguments)
{
  if (count != 4) return 2;
#ifdef OWN_SEGMENT
  random_state = strtoull(arguments[3], NULL, 10) * 2654435761u + 1;
  if (strcmp(arguments[1], "fuzz") == 0) return fuzz(strtoul(arguments[2], NULL, 10));
  return race(strtoul(arguments[2], NULL, 10));
#else
  return watch(arguments[2], strtoul(arguments[3], NULL, 10));
#endif
}
