/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* The few messages that are sent, packed as Open Sound Control 1.0 says: strings end in one to
 * four zeros, everything is a multiple of four bytes and big-endian. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "osc_link.h"

#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#include <winsock2.h>
typedef SOCKET vtb_socket;
#define NO_SOCKET INVALID_SOCKET
#else
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
typedef int vtb_socket;
#define NO_SOCKET (-1)
#endif

enum { PACKET_BYTES = 160 };

typedef struct packet {
  unsigned char bytes[PACKET_BYTES];
  size_t size;
} packet;

static vtb_socket socket_to_daemon = NO_SOCKET;

bool vtb_osc_open(void)
{
#ifdef _WIN32
  WSADATA unused;
  u_long nonblocking = 1;
  if (WSAStartup(MAKEWORD(2, 2), &unused) != 0) return false;
  socket_to_daemon = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
  return socket_to_daemon != NO_SOCKET && ioctlsocket(socket_to_daemon, FIONBIO, &nonblocking) == 0;
#else
  socket_to_daemon = socket(AF_INET, SOCK_DGRAM, 0);
  return socket_to_daemon != NO_SOCKET && fcntl(socket_to_daemon, F_SETFD, FD_CLOEXEC) == 0 &&
         fcntl(socket_to_daemon, F_SETFL, O_NONBLOCK) == 0;
#endif
}

void vtb_osc_close(void)
{
#ifdef _WIN32
  if (socket_to_daemon != NO_SOCKET) closesocket(socket_to_daemon);
  WSACleanup();
#else
  if (socket_to_daemon != NO_SOCKET) close(socket_to_daemon);
#endif
  socket_to_daemon = NO_SOCKET;
}

bool vtb_expression_is_possible(const char *name)
{
  size_t length = strlen(name), index;
  if (length >= VTB_EXPRESSION_BYTES || name[0] < 'a' || name[0] > 'z') return false;
  for (index = 1; index < length; index++) {
    char c = name[index];
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_') return false;
  }
  return true;
}

static void add_text(packet *p, const char *text)
{
  size_t length = strlen(text);
  size_t padded = (length / 4 + 1) * 4;
  if (p->size + padded > PACKET_BYTES) {
    p->size = PACKET_BYTES + 1; /* too long: send() refuses it */
    return;
  }
  memset(p->bytes + p->size, 0, padded);
  memcpy(p->bytes + p->size, text, length);
  p->size += padded;
}

static void add_number(packet *p, uint64_t value, size_t width)
{
  size_t index;
  if (p->size + width > PACKET_BYTES) {
    p->size = PACKET_BYTES + 1;
    return;
  }
  for (index = 0; index < width; index++)
    p->bytes[p->size + index] = (unsigned char)(value >> (8 * (width - 1 - index)));
  p->size += width;
}

static bool send_packet(const packet *p, uint16_t port)
{
  struct sockaddr_in to;
  if (socket_to_daemon == NO_SOCKET || p->size > PACKET_BYTES) return false;
  memset(&to, 0, sizeof to);
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return sendto(socket_to_daemon, (const char *)p->bytes, p->size, 0, (struct sockaddr *)&to,
                sizeof to) == (long)p->size;
}

bool vtb_osc_send_switch(uint16_t port, const char *address, bool on)
{
  packet p = {.size = 0};
  add_text(&p, address);
  add_text(&p, ",i");
  add_number(&p, on ? 1 : 0, 4);
  return send_packet(&p, port);
}

static bool send_named(uint16_t port, const char *beginning, const char *name, bool on)
{
  char address[sizeof VTB_EXPRESSION_ADDRESS + VTB_EXPRESSION_BYTES];
  if (!vtb_expression_is_possible(name)) return false;
  snprintf(address, sizeof address, "%s%s", beginning, name);
  return vtb_osc_send_switch(port, address, on);
}

bool vtb_osc_send_expression(uint16_t port, const char *name, bool on)
{
  return send_named(port, VTB_EXPRESSION_ADDRESS, name, on);
}

bool vtb_osc_send_key(uint16_t port, const char *name, bool down)
{
  return send_named(port, VTB_KEY_ADDRESS, name, down);
}

bool vtb_osc_send_tick(uint16_t port, uint64_t tick_ns, uint64_t interval_ns)
{
  packet p = {.size = 0};
  add_text(&p, VTB_TICK_ADDRESS);
  add_text(&p, ",hh");
  add_number(&p, tick_ns, 8);
  add_number(&p, interval_ns, 8);
  return send_packet(&p, port);
}
