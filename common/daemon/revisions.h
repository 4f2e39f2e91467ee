/* common/daemon/revisions.h - texts that the configuration file had: in state.dir, the newest ones, mode 0600 (secrets are in them).
 * Main thread only; blocking. */
#pragma once
#include "common/util/bytes.h"

struct revision {
	uint32_t number;		/* grows; never used again */
	uint64_t wall_us;
	char origin[12];		/* "file", "api", "restore" */
	char by[64];			/* who asked; "" for a file that was found changed */
};

struct revisions;
/* dir NULL: only numbers are given out, nothing is kept.  NULL when out of memory. */
struct revisions *revisions_open(const char *dir, unsigned max);
void revisions_free(struct revisions *r);
/* What the file says from now on.  The same text as before is no new revision.  A disk that takes none is logged: the number goes on. */
void revisions_add(struct revisions *r, struct str text, const char *origin, const char *by);
uint32_t revisions_newest(const struct revisions *r);		/* 0: none yet */
struct str revisions_text(const struct revisions *r);		/* of the newest one */
/* Copies those with numbers below `before` (0: all), newest first. */
size_t revisions_list(const struct revisions *r, uint32_t before, struct revision *ret, size_t max);
int revisions_read(const struct revisions *r, uint32_t number, struct buf *text);	/* 0, -ENOENT, -errno */
