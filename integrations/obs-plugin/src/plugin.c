/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

#include <obs-module.h>

#include "avatar_draw.h"
#include "avatar_source.h"
#include "osc_link.h"
#include "websocket_vendor.h"

OBS_DECLARE_MODULE()
OBS_MODULE_USE_DEFAULT_LOCALE("vtbridge", "en-US")
OBS_MODULE_AUTHOR("the vtbridge authors")

MODULE_EXPORT const char *obs_module_name(void) { return "vtbridge"; }

MODULE_EXPORT const char *obs_module_description(void) { return obs_module_text("Description"); }

bool obs_module_load(void)
{
  if (!vtb_osc_open())
    blog(LOG_WARNING, "[vtbridge] no UDP socket to be had: hotkeys will not reach the daemon");
  vtb_avatar_register();
  blog(LOG_INFO, "[vtbridge] plugin %s is ready (built for OBS %d, runs in %s)", VTB_PLUGIN_VERSION,
       LIBOBS_API_MAJOR_VER, obs_get_version_string());
  return true;
}

void obs_module_post_load(void) { vtb_vendor_register(); }

void obs_module_unload(void)
{
  vtb_draw_unload();
  vtb_osc_close();
}
