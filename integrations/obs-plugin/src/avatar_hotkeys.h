/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* Hotkeys of one source: one for each expression, and one that calibrates. Pressed or let go, they
 * send OSC to the daemon and tell obs-websocket's clients. */
#ifndef VTB_AVATAR_HOTKEYS_H
#define VTB_AVATAR_HOTKEYS_H

#include <obs-module.h>

#include "osc_link.h"
#include "segment.h"

typedef struct vtb_hotkey vtb_hotkey;

typedef struct vtb_hotkeys {
  vtb_hotkey **items;
  size_t count;
} vtb_hotkeys;

/* Make the hotkeys those of the names in the array (objects with a "value", as OBS's editable
 * lists keep them). The keys that the user bound stay with their expression. Never call it with a
 * lock held that a hotkey's callback could want. */
void vtb_hotkeys_update(vtb_hotkeys *hotkeys, obs_source_t *source, const char *avatar,
                        uint16_t osc_port, obs_data_array_t *names);
void vtb_hotkeys_free(vtb_hotkeys *hotkeys);

/* Put the names of vtbridge's own expressions into an array of that form. */
obs_data_array_t *vtb_default_expressions(void);

#endif
