/* tests/guard.h - text at the very end of a page, with nothing behind it: one octet read too far is a SIGSEGV in every build. */
#pragma once
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "common/util/str.h"
#include "tests/check.h"

struct guard {
	char *base;
	size_t room;			/* octets before the page that cannot be touched */
};

static inline void guard_init(struct guard *g, size_t room)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	g->room = (room + page - 1) / page * page;
	g->base = mmap(NULL, g->room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(g->base != MAP_FAILED);
	ck_assert_int_eq(mprotect(g->base + g->room, page, PROT_NONE), 0);
}

static inline void guard_fini(struct guard *g)
{
	munmap(g->base, g->room + (size_t)sysconf(_SC_PAGESIZE));
}

/* A copy that ends where the page ends.  The one before is gone. */
static inline struct str guard_put(struct guard *g, struct str s)
{
	char *to = g->base + g->room - s.l;

	ck_assert(s.l <= g->room);
	if (s.l)
		memcpy(to, s.p, s.l);
	return str_make(to, s.l);
}
