/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

#include "avatar_text.h"

#include <string.h>

static const struct {
  vtb_state state;
  const char *name, *key;
} STATES[] = {
    {VTB_ABSENT, "absent", "State.Absent"}, {VTB_REFUSED, "refused", "State.Refused"},
    {VTB_ENDED, "ended", "State.Ended"},    {VTB_HUNG, "hung", "State.Hung"},
    {VTB_WAITING, "waiting", "State.Waiting"}, {VTB_LIVE, "live", "State.Live"},
};

/* The names are those of integrations/PROTOCOL.md. */
static const struct {
  uint32_t flag;
  const char *name, *key;
} REASONS[] = {
    {VTBF_HEALTH_TRACKER_LOST, "tracker_lost", "Health.TrackerLost"},
    {VTBF_HEALTH_INFERENCE_FAILED, "inference_failed", "Health.InferenceFailed"},
    {VTBF_HEALTH_RUNTIME_FALLBACK, "runtime_fallback", "Health.RuntimeFallback"},
    {VTBF_HEALTH_SLOW, "slow", "Health.Slow"},
    {VTBF_HEALTH_INPUT_DOWN, "input_down", "Health.InputDown"},
    {VTBF_HEALTH_OBS_UNREACHABLE, "obs_unreachable", "Health.ObsUnreachable"},
    {VTBF_HEALTH_RECORDER_OFF, "recorder_off", "Health.RecorderOff"},
};
enum { REASON_COUNT = sizeof REASONS / sizeof *REASONS };

vtb_situation vtb_situation_from_reader(const vtbf_reader *reader)
{
  vtb_situation now = {
      .state = reader->state,
      .refusal = reader->refusal,
      .health_flags = reader->health_flags,
      .width = reader->frame.width,
      .height = reader->frame.height,
      .frames = reader->frames,
      .skipped = reader->skipped,
      .torn = reader->torn,
      .frame_no = reader->frame.frame_no,
  };
  memcpy(now.avatar, reader->name, sizeof now.avatar);
  return now;
}

const char *vtb_state_name(vtb_state state)
{
  size_t index;
  for (index = 0; index < sizeof STATES / sizeof *STATES; index++)
    if (STATES[index].state == state) return STATES[index].name;
  return "unknown";
}

static const char *state_text(vtb_state state)
{
  size_t index;
  for (index = 0; index < sizeof STATES / sizeof *STATES; index++)
    if (STATES[index].state == state) return obs_module_text(STATES[index].key);
  return "";
}

bool vtb_situation_is_well(const vtb_situation *situation)
{
  size_t index;
  for (index = 0; index < REASON_COUNT; index++)
    if (situation->health_flags & REASONS[index].flag) return false;
  return situation->state == VTB_LIVE;
}

void vtb_situation_to_text(const vtb_situation *situation, struct dstr *text)
{
  char size[32];
  size_t index;
  dstr_copy(text, state_text(situation->state));
  dstr_replace(text, "%1", situation->avatar);
  if (situation->state == VTB_REFUSED) {
    dstr_cat(text, " ");
    dstr_cat(text, situation->refusal);
  }
  if (situation->state != VTB_LIVE) return;
  snprintf(size, sizeof size, "%u x %u", situation->width, situation->height);
  dstr_replace(text, "%2", size);
  for (index = 0; index < REASON_COUNT; index++) {
    if (!(situation->health_flags & REASONS[index].flag)) continue;
    dstr_cat(text, "\n- ");
    dstr_cat(text, obs_module_text(REASONS[index].key));
  }
}

void vtb_situation_to_data(const vtb_situation *situation, obs_data_t *data)
{
  obs_data_array_t *health = obs_data_array_create();
  struct dstr text = {0};
  size_t index;
  vtb_situation_to_text(situation, &text);
  obs_data_set_string(data, "avatar", situation->avatar);
  obs_data_set_string(data, "state", vtb_state_name(situation->state));
  obs_data_set_bool(data, "live", situation->state == VTB_LIVE);
  obs_data_set_bool(data, "ready", (situation->health_flags & VTBF_HEALTH_READY) != 0);
  obs_data_set_string(data, "text", text.array);
  dstr_free(&text);
  for (index = 0; index < REASON_COUNT; index++) {
    obs_data_t *item;
    if (!(situation->health_flags & REASONS[index].flag)) continue;
    item = obs_data_create();
    obs_data_set_string(item, "reason", REASONS[index].name);
    obs_data_set_string(item, "text", obs_module_text(REASONS[index].key));
    obs_data_array_push_back(health, item);
    obs_data_release(item);
  }
  obs_data_set_array(data, "health", health);
  obs_data_array_release(health);
  obs_data_set_int(data, "width", situation->width);
  obs_data_set_int(data, "height", situation->height);
  obs_data_set_int(data, "frame_no", (long long)situation->frame_no);
  obs_data_set_int(data, "frames", (long long)situation->frames);
  obs_data_set_int(data, "skipped", (long long)situation->skipped);
  obs_data_set_int(data, "torn", (long long)situation->torn);
}
