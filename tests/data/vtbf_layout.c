/* Print where vtbf.h puts every field ("field NAME OFFSET BYTES"), then the bytes of a small
 * segment that its writer made ("bytes OFFSET HEX..."), so that another language can compare. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <string.h>

#include "vtbf.h"

#define FIELD(type, name) \
  printf("field %s.%s %zu %zu\n", #type, #name, offsetof(type, name), \
         sizeof(((type *)0)->name))

static void show(const unsigned char *memory, size_t offset, size_t size)
{
  size_t i;
  printf("bytes %zu ", offset);
  for (i = 0; i < size; i++) printf("%02x", memory[offset + i]);
  putchar('\n');
}

int main(void)
{
  static _Alignas(4096) unsigned char memory[3 * 4096];
  static const uint8_t uuid[16] = {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
                                   0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f};
  static const unsigned char pixels[16] = {255, 0,  0,  255, 0, 128, 0, 128,
                                           0,   0, 64,  64,  0, 0,   0, 0};
  vtbf_writer w = {memory, vtbf_geometry_for(2, 16), 0, 1};
  vtbf_slot slot;
  FIELD(vtbf_header, magic);
  FIELD(vtbf_header, abi_major);
  FIELD(vtbf_header, abi_minor);
  FIELD(vtbf_header, header_bytes);
  FIELD(vtbf_header, total_bytes);
  FIELD(vtbf_header, slot_count);
  FIELD(vtbf_header, slot_header_bytes);
  FIELD(vtbf_header, slot_stride);
  FIELD(vtbf_header, max_payload);
  FIELD(vtbf_header, epoch);
  FIELD(vtbf_header, writer_pid);
  FIELD(vtbf_header, state);
  FIELD(vtbf_header, uuid);
  FIELD(vtbf_header, nominal_fps_x1000);
  FIELD(vtbf_header, latest);
  FIELD(vtbf_header, wake);
  FIELD(vtbf_header, heartbeat_ns);
  FIELD(vtbf_header, health_flags);
  FIELD(vtbf_slot, seq);
  FIELD(vtbf_slot, frame_no);
  FIELD(vtbf_slot, epoch);
  FIELD(vtbf_slot, t_capture_ns);
  FIELD(vtbf_slot, t_publish_ns);
  FIELD(vtbf_slot, width);
  FIELD(vtbf_slot, height);
  FIELD(vtbf_slot, stride);
  FIELD(vtbf_slot, fourcc);
  FIELD(vtbf_slot, payload);
  FIELD(vtbf_slot, flags);
  FIELD(vtbf_slot, crc32);
  FIELD(vtbf_slot, alpha_mode);
  FIELD(vtbf_slot, primaries);
  FIELD(vtbf_slot, transfer);
  FIELD(vtbf_slot, range);

  /* The worked example of PROTOCOL.md: two slots of at most 16 bytes, one frame of 2 x 2. */
  vtbf_writer_start(&w, 4242, uuid, 30000, 1000000000);
  vtbf_writer_header(&w)->health_flags = VTBF_HEALTH_READY;
  memset(&slot, 0, sizeof slot);
  slot.t_capture_ns = 2000000000;
  slot.t_publish_ns = 2005000000;
  slot.width = slot.height = 2;
  slot.stride = 8;
  slot.fourcc = VTBF_FOURCC_RGBA;
  slot.payload = sizeof pixels;
  slot.flags = VTBF_FLAG_TRACKER_LOST;
  slot.alpha_mode = VTBF_ALPHA_PREMULTIPLIED;
  slot.primaries = VTBF_PRIMARIES_BT709;
  slot.transfer = VTBF_TRANSFER_SRGB;
  slot.range = VTBF_RANGE_FULL;
  memcpy(vtbf_write_begin(&w), pixels, sizeof pixels);
  vtbf_write_commit(&w, &slot);
  show(memory, 0, 160);
  show(memory, vtbf_slot_offset(&w.geometry, 1), 144);
  return 0;
}
