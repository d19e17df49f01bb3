/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

#include "avatar_draw.h"

#include <math.h>

enum { PLACEHOLDER_SIDE = 256 };

typedef struct blending {
  bool linear;     /* the canvas blends linear light */
  bool srgb;       /* the texture is decoded while it is sampled */
  bool own_effect; /* linear.effect instead of OBS's default one */
  const char *technique;
  enum gs_blend_type source, target;
} blending;

/* Alpha itself is always blended ONE, INVSRCALPHA, or replaced where the frame is opaque. */
static const blending BLENDINGS[VTB_LOOKS][3] = {
    [VTB_LOOK_GAMMA] =
        {
            [VTBF_ALPHA_STRAIGHT] = {false, false, false, "Draw", GS_BLEND_SRCALPHA,
                                     GS_BLEND_INVSRCALPHA},
            [VTBF_ALPHA_PREMULTIPLIED] = {false, false, false, "Draw", GS_BLEND_ONE,
                                          GS_BLEND_INVSRCALPHA},
            [VTBF_ALPHA_OPAQUE] = {false, false, false, "Draw", GS_BLEND_ONE, GS_BLEND_ZERO},
        },
    [VTB_LOOK_OBS] =
        {
            [VTBF_ALPHA_STRAIGHT] = {true, true, false, "DrawNonlinearAlpha", GS_BLEND_ONE,
                                     GS_BLEND_INVSRCALPHA},
            [VTBF_ALPHA_PREMULTIPLIED] = {true, true, false, "Draw", GS_BLEND_ONE,
                                          GS_BLEND_INVSRCALPHA},
            [VTBF_ALPHA_OPAQUE] = {true, true, false, "Draw", GS_BLEND_ONE, GS_BLEND_ZERO},
        },
    [VTB_LOOK_LINEAR] =
        {
            [VTBF_ALPHA_STRAIGHT] = {true, true, false, "Draw", GS_BLEND_SRCALPHA,
                                     GS_BLEND_INVSRCALPHA},
            [VTBF_ALPHA_PREMULTIPLIED] = {true, false, true, "Draw", GS_BLEND_ONE,
                                          GS_BLEND_INVSRCALPHA},
            [VTBF_ALPHA_OPAQUE] = {true, true, false, "Draw", GS_BLEND_ONE, GS_BLEND_ZERO},
        },
};

static gs_effect_t *linear_effect;
static bool linear_effect_failed;
static gs_texture_t *placeholder;

/* OBS has no technique that takes encoded premultiplied values to linear premultiplied ones. */
static gs_effect_t *find_linear_effect(void)
{
  if (linear_effect == NULL && !linear_effect_failed) {
    char *path = obs_module_file("linear.effect");
    char *error = NULL;
    if (path != NULL) linear_effect = gs_effect_create_from_file(path, &error);
    if (linear_effect == NULL) {
      linear_effect_failed = true;
      blog(LOG_WARNING, "[vtbridge] the look of linear light cannot be drawn (%s); drawing as OBS does",
           error != NULL ? error : "linear.effect is not installed");
    }
    bfree(error);
    bfree(path);
  }
  return linear_effect;
}

void vtb_draw(gs_texture_t *texture, vtb_look look, uint8_t alpha_mode, uint32_t width,
              uint32_t height)
{
  const blending *how;
  gs_effect_t *effect = obs_get_base_effect(OBS_EFFECT_DEFAULT);
  gs_eparam_t *image;
  enum gs_blend_type target_alpha;
  bool before = gs_framebuffer_srgb_enabled();
  /* A caller that does not composite linear light (some filters) gets the encoded values. */
  if (!gs_get_linear_srgb()) look = VTB_LOOK_GAMMA;
  how = &BLENDINGS[look][alpha_mode];
  if (how->own_effect) {
    gs_effect_t *own = find_linear_effect();
    if (own != NULL)
      effect = own;
    else
      how = &BLENDINGS[VTB_LOOK_OBS][alpha_mode];
  }
  image = gs_effect_get_param_by_name(effect, "image");
  gs_enable_framebuffer_srgb(how->linear);
  if (how->srgb)
    gs_effect_set_texture_srgb(image, texture);
  else
    gs_effect_set_texture(image, texture);
  target_alpha = alpha_mode == VTBF_ALPHA_OPAQUE ? GS_BLEND_ZERO : GS_BLEND_INVSRCALPHA;
  gs_blend_state_push();
  gs_blend_function_separate(how->source, how->target, GS_BLEND_ONE, target_alpha);
  while (gs_effect_loop(effect, how->technique)) gs_draw_sprite(texture, 0, width, height);
  gs_blend_state_pop();
  gs_enable_framebuffer_srgb(before);
}

/* A grey head and shoulders, premultiplied; small, since it is drawn scaled. */
static gs_texture_t *make_placeholder(void)
{
  size_t bytes = (size_t)PLACEHOLDER_SIDE * PLACEHOLDER_SIDE * 4;
  uint8_t *pixels = bmalloc(bytes);
  const uint8_t *levels[1] = {pixels};
  gs_texture_t *texture;
  int x, y;
  for (y = 0; y < PLACEHOLDER_SIDE; y++) {
    for (x = 0; x < PLACEHOLDER_SIDE; x++) {
      double head = 46 - hypot(x - 128, y - 96);
      double shoulders = 84 - hypot(x - 128, (y - 256) * 0.8);
      double cover = fmin(fmax(fmax(head, shoulders), 0), 1);
      uint8_t *pixel = pixels + ((size_t)y * PLACEHOLDER_SIDE + (size_t)x) * 4;
      pixel[0] = pixel[1] = pixel[2] = (uint8_t)(96 * cover + 0.5);
      pixel[3] = (uint8_t)(160 * cover + 0.5);
    }
  }
  texture = gs_texture_create(PLACEHOLDER_SIDE, PLACEHOLDER_SIDE, GS_RGBA, 1, levels, 0);
  bfree(pixels);
  return texture;
}

void vtb_draw_placeholder(vtb_look look, uint32_t width, uint32_t height)
{
  if (placeholder == NULL) placeholder = make_placeholder();
  if (placeholder != NULL) vtb_draw(placeholder, look, VTBF_ALPHA_PREMULTIPLIED, width, height);
}

void vtb_draw_unload(void)
{
  obs_enter_graphics();
  gs_texture_destroy(placeholder);
  gs_effect_destroy(linear_effect);
  obs_leave_graphics();
  placeholder = NULL;
  linear_effect = NULL;
}
