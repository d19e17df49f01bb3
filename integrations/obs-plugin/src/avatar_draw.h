/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* How a frame with transparency becomes light on OBS's canvas. Only from video_render. */
#ifndef VTB_AVATAR_DRAW_H
#define VTB_AVATAR_DRAW_H

#include <obs-module.h>

#include "vtbf.h"

/* Which values are blended: the encoded ones, as browsers and drawing programs do; or linear
 * light, with the encoded values premultiplied (OBS's own images) or the linear ones. */
typedef enum vtb_look { VTB_LOOK_GAMMA, VTB_LOOK_OBS, VTB_LOOK_LINEAR, VTB_LOOKS } vtb_look;

/* Draw with the alpha of vtbf_slot.alpha_mode. */
void vtb_draw(gs_texture_t *texture, vtb_look look, uint8_t alpha_mode, uint32_t width,
              uint32_t height);

/* Draw the silhouette that stands for an absent avatar. */
void vtb_draw_placeholder(vtb_look look, uint32_t width, uint32_t height);

/* Free what is shared by all sources; from any thread. */
void vtb_draw_unload(void);

#endif
