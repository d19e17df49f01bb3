/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* The source "vtbridge avatar". Its id and its settings are those of the script's source, so that
 * scenes made with either work with the other. */
#ifndef VTB_AVATAR_SOURCE_H
#define VTB_AVATAR_SOURCE_H

#include <obs-module.h>

#include "vtbf_reader.h"

#define VTB_SOURCE_ID "vtbridge_avatar"

typedef struct vtb_avatar vtb_avatar;

void vtb_avatar_register(void);

/* The avatar behind a source, NULL if the source is of another kind. */
vtb_avatar *vtb_avatar_from_source(obs_source_t *source);

/* What people and programs may want to know; to be released by the caller; from any thread. */
obs_data_t *vtb_avatar_status(vtb_avatar *avatar);

/* The avatar's name and the OSC port of its daemon; from any thread. */
uint16_t vtb_avatar_address(vtb_avatar *avatar, char name[VTB_NAME_BYTES]);

#endif
