/* common/daemon/sources.h - what each source address may cost: a token bucket, and bans for scans.  Rows X10, SEC-06, SEC-10, SEC-11.
 *
 * A source is an IPv4 address or an IPv6 /64.  One table for all workers, in stripes with a lock each, bounded: the one that was
 * quiet for the longest time makes room.  Any thread; time comes in as a parameter. */
#pragma once
#include "common/util/addr.h"

#define SOURCES_MAX_EXEMPT 64u
#define SOURCE_STRLEN (ADDR_STRLEN + 4)		/* "2001:db8::/64" */

enum source_event {
	SOURCE_MALFORMED,			/* a message that could not be parsed */
	SOURCE_REFUSED,				/* asked for what it may not have: 403, 404, 481 */
	SOURCE_AUTH_FAILED,			/* wrong credentials */
	SOURCE_N_EVENTS
};
enum source_verdict {
	SOURCE_PASS,
	SOURCE_LIMITED,
	SOURCE_BANNED,				/* by what it did: who is registered there does not suffer for it */
	SOURCE_BARRED				/* banned by hand: nobody there is heard */
};

struct sources_config {
	uint32_t per_s, burst;			/* messages; per_s 0: no limit */
	uint32_t answers_per_s;			/* events that are PASS: to malformed messages an answer; 0: no limit */
	uint32_t ban_after[SOURCE_N_EVENTS];	/* events within the window; 0: never */
	uint32_t window_s, ban_s;
	uint32_t max_sources;
	bool exempt_loopback;
	struct {
		struct addr a;
		unsigned bits;
	} exempt[SOURCES_MAX_EXEMPT];
	unsigned n_exempt;
};

struct sources;
struct sources *sources_new(const struct sources_config *c);	/* NULL when out of memory */
void sources_free(struct sources *s);
bool sources_is_exempt(const struct sources *s, const struct addr *from);
/* One message from there. */
enum source_verdict sources_take(struct sources *s, const struct addr *from, uint64_t now_ms);
/* The same for one flow, port and all: a registered phone, whatever others behind its address do. */
enum source_verdict sources_take_flow(struct sources *s, const struct addr *from, uint64_t now_ms);
/* Notes what it did.  PASS; LIMITED: too many events to speak of each; BANNED: by this event, so it is
 * told once. */
enum source_verdict sources_event(struct sources *s, const struct addr *from, enum source_event e, uint64_t now_ms);

struct source_view {
	char source[SOURCE_STRLEN];
	const char *reason;
	uint64_t since_ms, until_ms;
	uint64_t dropped;			/* messages since then */
};
/* Bans in force, `skip` of them left out; at most max.  Returns how many were written. */
size_t sources_bans(struct sources *s, uint64_t now_ms, size_t skip, struct source_view *ret, size_t max);
/* Keeps a source out for ban_s, by hand; a ban in force gets longer by it, never shorter.  reason: static; ret: the ban as it is now.
 * 0; -EPERM: it is exempt; -EEXIST: it is banned by hand already, and as long; -ENOMEM. */
int sources_ban(struct sources *s, const struct addr *a, const char *reason, uint32_t ban_s, uint64_t now_ms, struct source_view *ret);
bool sources_unban(struct sources *s, const struct addr *a, uint64_t now_ms);	/* false: was not banned */
size_t sources_count(struct sources *s);
const char *source_event_name(enum source_event e);
const char *source_fmt(const struct addr *a, char dst[SOURCE_STRLEN]);
