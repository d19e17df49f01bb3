/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* Commands to the daemon: OSC datagrams to a port on loopback. Nothing is received, nothing ever
 * blocks, and a daemon that is away costs nothing. No libobs in here. */
#ifndef VTB_OSC_LINK_H
#define VTB_OSC_LINK_H

#include <stdbool.h>
#include <stdint.h>

#define VTB_EXPRESSION_ADDRESS "/vtbridge/expression/"
#define VTB_KEY_ADDRESS "/vtbridge/key/"
#define VTB_CALIBRATE_ADDRESS "/vtbridge/calibrate"
#define VTB_TICK_ADDRESS "/vtbridge/tick"

enum {
  VTB_DEFAULT_OSC_PORT = 39581,
  VTB_EXPRESSION_BYTES = 33 /* of an expression's name, with its zero */
};

/* One socket for all sources; false if the system has none to give. */
bool vtb_osc_open(void);
void vtb_osc_close(void);

/* True if the name is 1 to 32 small letters, digits or '_', a letter first. */
bool vtb_expression_is_possible(const char *name);

/* ADDRESS, or its beginning with an expression's name behind it, with one int32: 1 or 0. */
bool vtb_osc_send_switch(uint16_t port, const char *address, bool on);
/* Switch it on or off, whatever it was. */
bool vtb_osc_send_expression(uint16_t port, const char *name, bool on);
/* Its key went down or up; what that does is the expression's own mode: toggle, hold, ... */
bool vtb_osc_send_key(uint16_t port, const char *name, bool down);

/* /vtbridge/tick with two int64, nanoseconds of the monotonic clock: when OBS took a frame, and
 * how long it is from one tick to the next. */
bool vtb_osc_send_tick(uint16_t port, uint64_t tick_ns, uint64_t interval_ns);

#endif
