/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

#include "websocket_vendor.h"

#include <string.h>

#include "avatar_source.h"
#include "osc_link.h"

/* What obs-websocket expects behind the "callback" of vendor_request_register; it copies it. */
typedef void (*request_function)(obs_data_t *request, obs_data_t *response, void *data);
struct request_callback {
  request_function function;
  void *data;
};

static proc_handler_t *websocket;
static void *vendor;

static void find_websocket(void)
{
  calldata_t call = {0};
  if (proc_handler_call(obs_get_proc_handler(), "obs_websocket_api_get_ph", &call))
    websocket = calldata_ptr(&call, "ph");
  calldata_free(&call);
}

static void register_vendor(void)
{
  calldata_t call = {0};
  calldata_set_string(&call, "name", "vtbridge");
  if (proc_handler_call(websocket, "vendor_register", &call)) vendor = calldata_ptr(&call, "vendor");
  calldata_free(&call);
}

static void register_request(const char *type, request_function function)
{
  struct request_callback callback = {function, NULL};
  calldata_t call = {0};
  calldata_set_ptr(&call, "vendor", vendor);
  calldata_set_string(&call, "type", type);
  calldata_set_ptr(&call, "callback", &callback);
  if (!proc_handler_call(websocket, "vendor_request_register", &call) ||
      !calldata_bool(&call, "success"))
    blog(LOG_WARNING, "[vtbridge] obs-websocket did not take the request %s", type);
  calldata_free(&call);
}

static void emit(const char *type, obs_data_t *data)
{
  calldata_t call = {0};
  if (vendor == NULL) return;
  calldata_set_ptr(&call, "vendor", vendor);
  calldata_set_string(&call, "type", type);
  calldata_set_ptr(&call, "data", data);
  proc_handler_call(websocket, "vendor_event_emit", &call);
  calldata_free(&call);
}

static bool add_status(void *data, obs_source_t *source)
{
  obs_data_array_t *statuses = data;
  vtb_avatar *avatar = vtb_avatar_from_source(source);
  if (avatar != NULL) {
    obs_data_t *status = vtb_avatar_status(avatar);
    obs_data_array_push_back(statuses, status);
    obs_data_release(status);
  }
  return true;
}

static void get_status(obs_data_t *request, obs_data_t *response, void *unused)
{
  obs_data_array_t *statuses = obs_data_array_create();
  UNUSED_PARAMETER(request);
  UNUSED_PARAMETER(unused);
  obs_enum_sources(add_status, statuses);
  obs_data_set_string(response, "plugin_version", VTB_PLUGIN_VERSION);
  obs_data_set_int(response, "abi_major", VTBF_ABI_MAJOR);
  obs_data_set_array(response, "sources", statuses);
  obs_data_array_release(statuses);
}

struct port_search {
  const char *avatar; /* "" is any */
  uint16_t port;      /* 0 until found */
};

static bool look_for_port(void *data, obs_source_t *source)
{
  struct port_search *search = data;
  vtb_avatar *avatar = vtb_avatar_from_source(source);
  char name[VTB_NAME_BYTES];
  uint16_t port;
  if (avatar == NULL) return true;
  port = vtb_avatar_address(avatar, name);
  if (search->avatar[0] != '\0' && strcmp(search->avatar, name) != 0) return true;
  search->port = port;
  return false;
}

/* The port of the daemon that a request means, or 0 with the response's "error" set. */
static uint16_t port_from_request(obs_data_t *request, obs_data_t *response)
{
  struct port_search search = {obs_data_get_string(request, "avatar"), 0};
  obs_enum_sources(look_for_port, &search);
  if (search.port == 0) obs_data_set_string(response, "error", "no source shows that avatar");
  return search.port;
}

static void trigger_expression(obs_data_t *request, obs_data_t *response, void *unused)
{
  const char *expression = obs_data_get_string(request, "expression");
  bool on = !obs_data_has_user_value(request, "on") || obs_data_get_bool(request, "on");
  bool sent = false;
  uint16_t port;
  UNUSED_PARAMETER(unused);
  if (!vtb_expression_is_possible(expression)) {
    obs_data_set_string(response, "error", "expression must be the name of an expression");
  } else if ((port = port_from_request(request, response)) != 0) {
    sent = vtb_osc_send_expression(port, expression, on);
  }
  obs_data_set_bool(response, "sent", sent);
}

static void calibrate(obs_data_t *request, obs_data_t *response, void *unused)
{
  uint16_t port = port_from_request(request, response);
  UNUSED_PARAMETER(unused);
  obs_data_set_bool(response, "sent",
                    port != 0 && vtb_osc_send_switch(port, VTB_CALIBRATE_ADDRESS, true));
}

void vtb_vendor_register(void)
{
  find_websocket();
  if (websocket != NULL) register_vendor();
  if (vendor == NULL) {
    blog(LOG_INFO, "[vtbridge] no obs-websocket here: no vendor requests and events");
    return;
  }
  register_request("GetStatus", get_status);
  register_request("TriggerExpression", trigger_expression);
  register_request("Calibrate", calibrate);
}

void vtb_vendor_tell_state(obs_data_t *source_status) { emit("AvatarStateChanged", source_status); }

void vtb_vendor_tell_hotkey(const char *source, const char *avatar, const char *expression,
                            bool pressed)
{
  bool calibrates = expression[0] == '\0';
  obs_data_t *data;
  if (vendor == NULL) return;
  data = obs_data_create();
  obs_data_set_string(data, "source", source);
  obs_data_set_string(data, "avatar", avatar);
  if (!calibrates) obs_data_set_string(data, "expression", expression);
  obs_data_set_bool(data, "pressed", pressed);
  emit(calibrates ? "CalibrateHotkey" : "ExpressionHotkey", data);
  obs_data_release(data);
}
