/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* Which names an avatar can have; the same on every system. */
#include "segment.h"

static bool is_letter_or_digit(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool vtb_name_is_possible(const char *name)
{
  size_t length = 0;
  if (!is_letter_or_digit(name[0])) return false;
  for (; name[length] != '\0'; length++) {
    if (length == VTB_NAME_BYTES - 1) return false;
    if (!is_letter_or_digit(name[length]) && name[length] != '-' && name[length] != '_')
      return false;
  }
  return true;
}
