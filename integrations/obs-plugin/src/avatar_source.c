/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

#include "avatar_source.h"

#include <string.h>
#include <util/dstr.h>
#include <util/platform.h>
#include <util/threading.h>

#include "avatar_draw.h"
#include "avatar_hotkeys.h"
#include "avatar_text.h"
#include "osc_link.h"
#include "websocket_vendor.h"

#define DEFAULT_NAME "vtbridge"
#define TICK_PERIOD_NS UINT64_C(1000000000)
enum { DEFAULT_SIDE = 512 };

typedef enum when_away { AWAY_HOLD, AWAY_TRANSPARENT, AWAY_PLACEHOLDER } when_away;

struct vtb_avatar {
  obs_source_t *source;
  pthread_mutex_t lock; /* of the next two; held for a copy at most, and never around OBS's calls */
  vtbf_reader reader;   /* written by OBS's graphics thread only, which so reads it unlocked */
  uint16_t osc_port;

  /* Of the graphics thread alone, like everything that draws. */
  vtb_look look;
  when_away away;
  gs_texture_t *texture;
  enum gs_color_format texture_format;
  uint8_t texture_alpha;
  bool dirty; /* the reader has a frame that the texture has not */
  vtb_hotkeys hotkeys;
  uint64_t next_tick_ns;
  bool told;
  vtb_state told_state;
  uint32_t told_health;
};

static const char *get_name(void *unused)
{
  UNUSED_PARAMETER(unused);
  return obs_module_text("Source");
}

static void get_defaults(obs_data_t *settings)
{
  obs_data_array_t *expressions = vtb_default_expressions();
  obs_data_set_default_string(settings, "avatar", DEFAULT_NAME);
  obs_data_set_default_string(settings, "look", "gamma");
  obs_data_set_default_string(settings, "away", "hold");
  obs_data_set_default_int(settings, "osc_port", VTB_DEFAULT_OSC_PORT);
  obs_data_set_default_array(settings, "expressions", expressions);
  obs_data_array_release(expressions);
}

static vtb_look look_from_text(const char *text)
{
  if (strcmp(text, "obs") == 0) return VTB_LOOK_OBS;
  return strcmp(text, "linear") == 0 ? VTB_LOOK_LINEAR : VTB_LOOK_GAMMA;
}

static when_away away_from_text(const char *text)
{
  if (strcmp(text, "transparent") == 0) return AWAY_TRANSPARENT;
  return strcmp(text, "placeholder") == 0 ? AWAY_PLACEHOLDER : AWAY_HOLD;
}

static uint16_t port_from_number(long long number)
{
  return number > 0 && number <= UINT16_MAX ? (uint16_t)number : VTB_DEFAULT_OSC_PORT;
}

/* OBS calls it on the graphics thread, before a tick. */
static void update(void *data, obs_data_t *settings)
{
  vtb_avatar *avatar = data;
  const char *name = obs_data_get_string(settings, "avatar");
  uint16_t osc_port = port_from_number(obs_data_get_int(settings, "osc_port"));
  obs_data_array_t *expressions = obs_data_get_array(settings, "expressions");
  bool possible = true;
  avatar->look = look_from_text(obs_data_get_string(settings, "look"));
  avatar->away = away_from_text(obs_data_get_string(settings, "away"));
  pthread_mutex_lock(&avatar->lock);
  avatar->osc_port = osc_port;
  if (!avatar->told || strcmp(avatar->reader.name, name) != 0) {
    possible = vtbf_reader_follow(&avatar->reader, name);
    avatar->dirty = avatar->told = false;
  }
  pthread_mutex_unlock(&avatar->lock);
  if (!possible)
    blog(LOG_WARNING,
         "[vtbridge] '%s' cannot be an avatar's name: 1 to %d letters, digits, '_' or '-'", name,
         VTB_NAME_BYTES - 1);
  vtb_hotkeys_update(&avatar->hotkeys, avatar->source, avatar->reader.name, osc_port, expressions);
  obs_data_array_release(expressions);
}

static void *create(obs_data_t *settings, obs_source_t *source)
{
  vtb_avatar *avatar = bzalloc(sizeof *avatar);
  avatar->source = source;
  if (pthread_mutex_init(&avatar->lock, NULL) != 0) {
    bfree(avatar);
    return NULL;
  }
  update(avatar, settings);
  return avatar;
}

static void destroy(void *data)
{
  vtb_avatar *avatar = data;
  vtb_hotkeys_free(&avatar->hotkeys);
  obs_enter_graphics();
  gs_texture_destroy(avatar->texture);
  obs_leave_graphics();
  vtbf_reader_close(&avatar->reader);
  pthread_mutex_destroy(&avatar->lock);
  bfree(avatar);
}

static uint32_t get_side(vtb_avatar *avatar, bool width)
{
  uint32_t side = DEFAULT_SIDE;
  pthread_mutex_lock(&avatar->lock);
  if (avatar->reader.has_frame)
    side = width ? avatar->reader.frame.width : avatar->reader.frame.height;
  pthread_mutex_unlock(&avatar->lock);
  return side;
}

static uint32_t get_width(void *data) { return get_side(data, true); }
static uint32_t get_height(void *data) { return get_side(data, false); }

/* Say it once, in the log and to obs-websocket's clients. */
static void tell(vtb_avatar *avatar)
{
  const vtbf_reader *r = &avatar->reader;
  obs_data_t *status;
  if (avatar->told && avatar->told_state == r->state && avatar->told_health == r->health_flags)
    return;
  if (!avatar->told || avatar->told_state != r->state)
    blog(LOG_INFO, "[vtbridge] avatar '%s': %s%s%s", r->name, vtb_state_name(r->state),
         r->refusal[0] != '\0' ? ": " : "", r->refusal);
  avatar->told = true;
  avatar->told_state = r->state;
  avatar->told_health = r->health_flags;
  status = vtb_avatar_status(avatar);
  vtb_vendor_tell_state(status);
  obs_data_release(status);
}

static void video_tick(void *data, float seconds)
{
  vtb_avatar *avatar = data;
  uint64_t now_ns = os_gettime_ns();
  bool showing = obs_source_showing(avatar->source);
  UNUSED_PARAMETER(seconds);
  pthread_mutex_lock(&avatar->lock);
  if (vtbf_reader_poll(&avatar->reader, now_ns, showing)) avatar->dirty = true;
  pthread_mutex_unlock(&avatar->lock);
  tell(avatar);
  if (showing && avatar->reader.state == VTB_LIVE && now_ns >= avatar->next_tick_ns) {
    avatar->next_tick_ns = now_ns + TICK_PERIOD_NS;
    vtb_osc_send_tick(avatar->osc_port, obs_get_video_frame_time(), obs_get_frame_interval_ns());
  }
}

/* Bring the newest frame to the texture; what does not fit the device leaves the old one. */
static void upload(vtb_avatar *avatar)
{
  const vtbf_slot *frame = &avatar->reader.frame;
  enum gs_color_format format = frame->fourcc == VTBF_FOURCC_BGRA ? GS_BGRA : GS_RGBA;
  avatar->dirty = false;
  if (avatar->texture != NULL && (gs_texture_get_width(avatar->texture) != frame->width ||
                                  gs_texture_get_height(avatar->texture) != frame->height ||
                                  avatar->texture_format != format)) {
    gs_texture_destroy(avatar->texture);
    avatar->texture = NULL;
  }
  if (avatar->texture == NULL)
    avatar->texture = gs_texture_create(frame->width, frame->height, format, 1, NULL, GS_DYNAMIC);
  if (avatar->texture == NULL) return;
  avatar->texture_format = format;
  avatar->texture_alpha = frame->alpha_mode;
  gs_texture_set_image(avatar->texture, avatar->reader.shown.bytes, frame->stride, false);
}

static void video_render(void *data, gs_effect_t *unused)
{
  vtb_avatar *avatar = data;
  const vtbf_reader *r = &avatar->reader;
  bool away = r->state != VTB_LIVE;
  uint32_t width = r->has_frame ? r->frame.width : DEFAULT_SIDE;
  uint32_t height = r->has_frame ? r->frame.height : DEFAULT_SIDE;
  UNUSED_PARAMETER(unused);
  if (avatar->dirty) upload(avatar);
  if (away && avatar->away == AWAY_PLACEHOLDER) {
    vtb_draw_placeholder(avatar->look, width, height);
    return;
  }
  if (!r->has_frame || avatar->texture == NULL) return;
  if (away && avatar->away == AWAY_TRANSPARENT) return;
  vtb_draw(avatar->texture, avatar->look, avatar->texture_alpha, width, height);
}

obs_data_t *vtb_avatar_status(vtb_avatar *avatar)
{
  obs_data_t *status = obs_data_create();
  vtb_situation now;
  pthread_mutex_lock(&avatar->lock);
  now = vtb_situation_from_reader(&avatar->reader);
  pthread_mutex_unlock(&avatar->lock);
  obs_data_set_string(status, "source", obs_source_get_name(avatar->source));
  vtb_situation_to_data(&now, status);
  return status;
}

uint16_t vtb_avatar_address(vtb_avatar *avatar, char name[VTB_NAME_BYTES])
{
  uint16_t port;
  pthread_mutex_lock(&avatar->lock);
  memcpy(name, avatar->reader.name, VTB_NAME_BYTES);
  port = avatar->osc_port;
  pthread_mutex_unlock(&avatar->lock);
  return port;
}

vtb_avatar *vtb_avatar_from_source(obs_source_t *source)
{
  const char *id = obs_source_get_unversioned_id(source);
  return id != NULL && strcmp(id, VTB_SOURCE_ID) == 0 ? obs_obj_get_data(source) : NULL;
}

static void describe_state(obs_property_t *property, vtb_avatar *avatar)
{
  struct dstr text = {0};
  vtb_situation now;
  pthread_mutex_lock(&avatar->lock);
  now = vtb_situation_from_reader(&avatar->reader);
  pthread_mutex_unlock(&avatar->lock);
  vtb_situation_to_text(&now, &text);
  obs_property_set_description(property, text.array);
  obs_property_text_set_info_type(property, vtb_situation_is_well(&now) ? OBS_TEXT_INFO_NORMAL
                                                                        : OBS_TEXT_INFO_WARNING);
  dstr_free(&text);
}

static bool look_again(obs_properties_t *properties, obs_property_t *button, void *data)
{
  UNUSED_PARAMETER(button);
  describe_state(obs_properties_get(properties, "state"), data);
  return true; /* draw the properties anew */
}

static void add_choice(obs_property_t *list, const char *key, const char *value)
{
  obs_property_list_add_string(list, obs_module_text(key), value);
}

static void add_avatars(obs_properties_t *properties)
{
  char names[VTB_MAX_NAMES][VTB_NAME_BYTES];
  size_t count = vtb_segment_names(names, VTB_MAX_NAMES), index;
  obs_property_t *list =
      obs_properties_add_list(properties, "avatar", obs_module_text("Avatar"),
                              OBS_COMBO_TYPE_EDITABLE, OBS_COMBO_FORMAT_STRING);
  for (index = 0; index < count; index++)
    obs_property_list_add_string(list, names[index], names[index]);
  if (count == 0) obs_property_list_add_string(list, DEFAULT_NAME, DEFAULT_NAME);
}

static obs_properties_t *get_properties(void *data)
{
  obs_properties_t *properties = obs_properties_create();
  obs_property_t *list;
  if (data != NULL) {
    describe_state(obs_properties_add_text(properties, "state", "", OBS_TEXT_INFO), data);
    obs_properties_add_button2(properties, "look_again", obs_module_text("LookAgain"), look_again,
                               data);
  }
  add_avatars(properties);
  list = obs_properties_add_list(properties, "look", obs_module_text("Look"), OBS_COMBO_TYPE_LIST,
                                 OBS_COMBO_FORMAT_STRING);
  add_choice(list, "Look.Gamma", "gamma");
  add_choice(list, "Look.Obs", "obs");
  add_choice(list, "Look.Linear", "linear");
  list = obs_properties_add_list(properties, "away", obs_module_text("Away"), OBS_COMBO_TYPE_LIST,
                                 OBS_COMBO_FORMAT_STRING);
  add_choice(list, "Away.Hold", "hold");
  add_choice(list, "Away.Transparent", "transparent");
  add_choice(list, "Away.Placeholder", "placeholder");
  obs_properties_add_editable_list(properties, "expressions", obs_module_text("Expressions"),
                                   OBS_EDITABLE_LIST_TYPE_STRINGS, NULL, NULL);
  obs_properties_add_int(properties, "osc_port", obs_module_text("OscPort"), 1, UINT16_MAX, 1);
  return properties;
}

void vtb_avatar_register(void)
{
  struct obs_source_info info = {
      .id = VTB_SOURCE_ID,
      .type = OBS_SOURCE_TYPE_INPUT,
      .output_flags = OBS_SOURCE_VIDEO | OBS_SOURCE_CUSTOM_DRAW | OBS_SOURCE_SRGB,
      .get_name = get_name,
      .create = create,
      .destroy = destroy,
      .get_width = get_width,
      .get_height = get_height,
      .get_defaults = get_defaults,
      .get_properties = get_properties,
      .update = update,
      .video_tick = video_tick,
      .video_render = video_render,
      .icon_type = OBS_ICON_TYPE_CAMERA, /* by which the script knows this plugin */
  };
  obs_register_source(&info);
}
