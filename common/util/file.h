/* common/util/file.h - small files, read and written as a whole.  Blocking: not on a worker. */
#pragma once
#include <sys/types.h>
#include "common/util/bytes.h"

int file_read(const char *path, struct buf *out);	/* appended; 0, -errno, -EFBIG when it is more than out takes */
/* Writes beside it, to the disk, and takes its place: whoever reads, or a power cut, finds the old text or the new one.  A file that
 * is there keeps its owner and mode, a link stays one; a new file has `mode`.  0 or -errno. */
int file_replace(const char *path, struct str text, mode_t mode);
