/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

#include "avatar_hotkeys.h"

#include <string.h>
#include <util/dstr.h>

#include "websocket_vendor.h"

enum { MAX_HOTKEYS = 64 };

/* Those that come with vtbridge: vtbridge/expressions/builtin.toml. */
static const char *const DEFAULT_EXPRESSIONS[] = {
    "smile", "joy",   "sad",       "angry",      "surprised", "shocked", "smug", "shy",
    "sleepy", "pout", "wink_left", "wink_right", "nod",       "shake",   "tilt", "look_away",
};

/* Never changed while it is registered, so that its callback needs no lock. */
struct vtb_hotkey {
  obs_hotkey_id id;
  obs_source_t *source;
  uint16_t osc_port;
  char avatar[VTB_NAME_BYTES];
  char expression[VTB_EXPRESSION_BYTES]; /* "" calibrates */
};

obs_data_array_t *vtb_default_expressions(void)
{
  obs_data_array_t *names = obs_data_array_create();
  size_t index;
  for (index = 0; index < sizeof DEFAULT_EXPRESSIONS / sizeof *DEFAULT_EXPRESSIONS; index++) {
    obs_data_t *item = obs_data_create();
    obs_data_set_string(item, "value", DEFAULT_EXPRESSIONS[index]);
    obs_data_array_push_back(names, item);
    obs_data_release(item);
  }
  return names;
}

static void on_hotkey(void *data, obs_hotkey_id id, obs_hotkey_t *hotkey, bool pressed)
{
  const vtb_hotkey *key = data;
  UNUSED_PARAMETER(id);
  UNUSED_PARAMETER(hotkey);
  if (key->expression[0] == '\0') {
    if (pressed) vtb_osc_send_switch(key->osc_port, VTB_CALIBRATE_ADDRESS, true);
  } else {
    vtb_osc_send_key(key->osc_port, key->expression, pressed);
  }
  vtb_vendor_tell_hotkey(obs_source_get_name(key->source), key->avatar, key->expression, pressed);
}

static void register_hotkey(vtb_hotkey *key)
{
  struct dstr name = {0}, description = {0};
  if (key->expression[0] == '\0') {
    dstr_printf(&name, "vtbridge.%s.calibrate", key->avatar);
    dstr_copy(&description, obs_module_text("Hotkey.Calibrate"));
  } else {
    dstr_printf(&name, "vtbridge.%s.expression.%s", key->avatar, key->expression);
    dstr_copy(&description, obs_module_text("Hotkey.Expression"));
    dstr_replace(&description, "%1", key->expression);
  }
  key->id = obs_hotkey_register_source(key->source, name.array, description.array, on_hotkey, key);
  dstr_free(&name);
  dstr_free(&description);
}

static vtb_hotkey *make(obs_source_t *source, const char *avatar, uint16_t osc_port,
                        const char *expression)
{
  vtb_hotkey *key = bzalloc(sizeof *key);
  key->id = OBS_INVALID_HOTKEY_ID;
  key->source = source;
  key->osc_port = osc_port;
  snprintf(key->avatar, sizeof key->avatar, "%s", avatar);
  snprintf(key->expression, sizeof key->expression, "%s", expression);
  return key;
}

static vtb_hotkey *find(const vtb_hotkeys *hotkeys, const char *expression)
{
  size_t index;
  for (index = 0; index < hotkeys->count; index++)
    if (strcmp(hotkeys->items[index]->expression, expression) == 0) return hotkeys->items[index];
  return NULL;
}

static bool are_same(const vtb_hotkeys *one, const vtb_hotkeys *other)
{
  size_t index;
  if (one->count != other->count) return false;
  for (index = 0; index < one->count; index++) {
    const vtb_hotkey *a = one->items[index], *b = other->items[index];
    if (a->osc_port != b->osc_port || strcmp(a->avatar, b->avatar) != 0 ||
        strcmp(a->expression, b->expression) != 0)
      return false;
  }
  return true;
}

/* What is wanted, not registered yet. */
static vtb_hotkeys make_wanted(obs_source_t *source, const char *avatar, uint16_t osc_port,
                               obs_data_array_t *names)
{
  size_t count = obs_data_array_count(names), index;
  vtb_hotkeys wanted = {bzalloc((MAX_HOTKEYS + 1) * sizeof(vtb_hotkey *)), 0};
  wanted.items[wanted.count++] = make(source, avatar, osc_port, "");
  for (index = 0; index < count && wanted.count <= MAX_HOTKEYS; index++) {
    obs_data_t *item = obs_data_array_item(names, index);
    const char *name = obs_data_get_string(item, "value");
    if (!vtb_expression_is_possible(name))
      blog(LOG_WARNING, "[vtbridge] '%s' cannot be an expression's name; no hotkey for it", name);
    else if (find(&wanted, name) == NULL)
      wanted.items[wanted.count++] = make(source, avatar, osc_port, name);
    obs_data_release(item);
  }
  return wanted;
}

void vtb_hotkeys_update(vtb_hotkeys *hotkeys, obs_source_t *source, const char *avatar,
                        uint16_t osc_port, obs_data_array_t *names)
{
  vtb_hotkeys wanted = make_wanted(source, avatar, osc_port, names);
  obs_data_array_t *bound[MAX_HOTKEYS + 1] = {0};
  size_t index;
  if (are_same(hotkeys, &wanted)) {
    vtb_hotkeys_free(&wanted);
    return;
  }
  for (index = 0; index < wanted.count; index++) {
    vtb_hotkey *old = find(hotkeys, wanted.items[index]->expression);
    if (old != NULL) bound[index] = obs_hotkey_save(old->id);
  }
  vtb_hotkeys_free(hotkeys);
  *hotkeys = wanted;
  for (index = 0; index < wanted.count; index++) {
    register_hotkey(wanted.items[index]);
    if (bound[index] == NULL) continue;
    obs_hotkey_load(wanted.items[index]->id, bound[index]);
    obs_data_array_release(bound[index]);
  }
}

void vtb_hotkeys_free(vtb_hotkeys *hotkeys)
{
  size_t index;
  for (index = 0; index < hotkeys->count; index++) {
    if (hotkeys->items[index]->id != OBS_INVALID_HOTKEY_ID)
      obs_hotkey_unregister(hotkeys->items[index]->id); /* waits for a callback that runs */
    bfree(hotkeys->items[index]);
  }
  bfree(hotkeys->items);
  memset(hotkeys, 0, sizeof *hotkeys);
}
