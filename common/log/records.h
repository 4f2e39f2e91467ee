/* common/log/records.h - a file of lines that others read: appended to, bounded, rotated.  Row G4.
 *
 * One thread writes.  When the file would grow above max_bytes it becomes FILE.1, that becomes FILE.2 and so on; `keep` old ones
 * stay.  A file that somebody moved away is made anew, so logrotate works too. */
#pragma once
#include "common/util/str.h"

struct records;
/* 0 or -errno.  path is copied. */
int records_open(struct records **ret, const char *path, uint64_t max_bytes, unsigned keep);
void records_close(struct records *l);		/* NULL is fine */
/* With its line end; never in half.  0 or -errno: the line is lost. */
int records_put(struct records *l, struct str line);
