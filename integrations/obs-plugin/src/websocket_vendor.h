/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* The vendor "vtbridge" of obs-websocket 5: CallVendorRequest and VendorEvent.
 *
 * Requests: GetStatus; TriggerExpression {expression, on = true, avatar = any}; Calibrate
 * {avatar = any}. Events: AvatarStateChanged (an entry of GetStatus's sources); ExpressionHotkey
 * {source, avatar, expression, pressed}; CalibrateHotkey {source, avatar, pressed}.
 * Without obs-websocket all of it does nothing. */
#ifndef VTB_WEBSOCKET_VENDOR_H
#define VTB_WEBSOCKET_VENDOR_H

#include <obs-module.h>

/* From obs_module_post_load, when obs-websocket is there if it will ever be. */
void vtb_vendor_register(void);

void vtb_vendor_tell_state(obs_data_t *source_status);
/* An expression "" is the hotkey that calibrates. */
void vtb_vendor_tell_hotkey(const char *source, const char *avatar, const char *expression,
                            bool pressed);

#endif
