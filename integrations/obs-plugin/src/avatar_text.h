/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* How an avatar stands, in words for people and in values for programs. */
#ifndef VTB_AVATAR_TEXT_H
#define VTB_AVATAR_TEXT_H

#include <obs-module.h>
#include <util/dstr.h>

#include "vtbf_reader.h"

/* What a reader knew at one moment. */
typedef struct vtb_situation {
  char avatar[VTB_NAME_BYTES];
  vtb_state state;
  const char *refusal;
  uint32_t health_flags, width, height;
  uint64_t frames, skipped, torn, frame_no;
} vtb_situation;

vtb_situation vtb_situation_from_reader(const vtbf_reader *reader);

/* True if frames come and the daemon has nothing to complain of. */
bool vtb_situation_is_well(const vtb_situation *situation);

/* In the user's language. */
void vtb_situation_to_text(const vtb_situation *situation, struct dstr *text);
void vtb_situation_to_data(const vtb_situation *situation, obs_data_t *data);

/* "live", "absent", ...: for logs and programs. */
const char *vtb_state_name(vtb_state state);

#endif
