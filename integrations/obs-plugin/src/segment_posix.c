/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (c) the vtbridge authors */

/* Segments that are files. Linux: /dev/shm, and the lock of an open file description. macOS (not
 * verified; no vtbridge writes segments there yet): files below the user's temporary folder, which
 * the writer maps, and a record lock. Both are read by pread, so that a file which somebody
 * truncates is a short read and no SIGBUS in OBS. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef F_OFD_GETLK
#define VTB_GETLK F_OFD_GETLK
#else
#define VTB_GETLK F_GETLK
#endif

enum { PATH_BYTES = 1024 };

struct vtb_segment {
  int fd;
  uint64_t bytes;
  dev_t device;
  ino_t inode;
  char path[PATH_BYTES];
};

/* The folder of the segments, with its slash; false if there is none. */
static bool find_folder(char *into, size_t room)
{
#ifdef __APPLE__
  size_t length = confstr(_CS_DARWIN_USER_TEMP_DIR, into, room);
  return length > 0 && length <= room;
#else
  return snprintf(into, room, "/dev/shm/") < (int)room;
#endif
}

static int make_prefix(char *into, size_t room)
{
  return snprintf(into, room, "vtbf-%u-", (unsigned)getuid());
}

static bool make_path(char *into, size_t room, const char *name)
{
  char folder[PATH_BYTES / 2], prefix[32];
  if (!vtb_name_is_possible(name) || !find_folder(folder, sizeof folder)) return false;
  make_prefix(prefix, sizeof prefix);
  return snprintf(into, room, "%s%s%s", folder, prefix, name) < (int)room;
}

static bool is_private(const struct stat *found)
{
  return S_ISREG(found->st_mode) && found->st_uid == getuid() && (found->st_mode & 077) == 0;
}

vtb_segment *vtb_segment_open(const char *name, vtb_absence *why)
{
  struct stat found;
  vtb_segment *segment = calloc(1, sizeof *segment);
  *why = VTB_NOTHING_THERE;
  if (segment == NULL || !make_path(segment->path, sizeof segment->path, name)) {
    free(segment);
    return NULL;
  }
  /* O_NONBLOCK: opening a FIFO that somebody put there must not wait for its other end. */
  segment->fd = open(segment->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (segment->fd < 0) {
    if (errno != ENOENT) *why = VTB_NOT_PRIVATE;
    free(segment);
    return NULL;
  }
  if (fstat(segment->fd, &found) != 0 || !is_private(&found)) {
    *why = VTB_NOT_PRIVATE;
    vtb_segment_close(segment);
    return NULL;
  }
  segment->bytes = (uint64_t)found.st_size;
  segment->device = found.st_dev;
  segment->inode = found.st_ino;
  return segment;
}

void vtb_segment_close(vtb_segment *segment)
{
  if (segment == NULL) return;
  close(segment->fd);
  free(segment);
}

uint64_t vtb_segment_bytes(const vtb_segment *segment) { return segment->bytes; }

bool vtb_segment_read(vtb_segment *segment, void *into, uint64_t size, uint64_t offset)
{
  unsigned char *at = into;
  while (size > 0) {
    ssize_t got = pread(segment->fd, at, (size_t)size, (off_t)offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    offset += (uint64_t)got;
    size -= (uint64_t)got;
  }
  return true;
}

bool vtb_segment_is_current(vtb_segment *segment)
{
  struct stat there;
  return lstat(segment->path, &there) == 0 && there.st_dev == segment->device &&
         there.st_ino == segment->inode;
}

bool vtb_segment_has_writer(vtb_segment *segment)
{
  struct flock lock;
  memset(&lock, 0, sizeof lock);
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  return fcntl(segment->fd, VTB_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static int compare_names(const void *one, const void *other) { return strcmp(one, other); }

size_t vtb_segment_names(char (*names)[VTB_NAME_BYTES], size_t room)
{
  char folder[PATH_BYTES / 2], prefix[32];
  size_t count = 0, skip = (size_t)make_prefix(prefix, sizeof prefix);
  struct dirent *entry;
  DIR *directory = find_folder(folder, sizeof folder) ? opendir(folder) : NULL;
  if (directory == NULL) return 0;
  while (count < room && (entry = readdir(directory)) != NULL) {
    if (strncmp(entry->d_name, prefix, skip) != 0) continue;
    if (!vtb_name_is_possible(entry->d_name + skip)) continue;
    strcpy(names[count++], entry->d_name + skip); /* a possible name fits */
  }
  closedir(directory);
  qsort(names, count, sizeof *names, compare_names);
  return count;
}
