/* common/loop/loop.h - one thread's event loop: epoll, timer wheel, and a bounded mailbox for other threads.
 *
 * Everything here is called by the loop's own thread, except loop_post() and loop_stop(). */
#pragma once
#include <stdint.h>
#include "common/loop/wheel.h"

struct loop;

struct loop_fd {
	int fd;
	uint32_t events;				/* EPOLLIN and friends; level-triggered */
	void (*fn)(struct loop_fd *, uint32_t revents);	/* may loop_fd_del() itself or others */
	/* private */
	uint32_t gen;
	uint32_t slot;
};

struct loop *loop_new(void);				/* NULL when out of memory or descriptors */
void loop_free(struct loop *l);				/* runs nothing more; what is still posted is dropped */
int loop_run(struct loop *l);				/* until loop_stop(); returns its rc */
void loop_run_for(struct loop *l, uint64_t ms);		/* tests: serve for that long at most */
void loop_stop(struct loop *l, int rc);			/* any thread */

struct wheel *loop_wheel(struct loop *l);
uint64_t loop_now_ms(const struct loop *l);		/* as of this turn */
/* clock_mono_us() since which the descriptors served now may have been ready: when this turn began, or the first of a row of
 * turns in which more were ready than one turn serves. */
uint64_t loop_turn_us(const struct loop *l);

int loop_fd_add(struct loop *l, struct loop_fd *f);	/* 0 or -errno */
int loop_fd_mod(struct loop *l, struct loop_fd *f, uint32_t events);
void loop_fd_del(struct loop *l, struct loop_fd *f);	/* does not close; harmless when not added */

#define LOOP_MAILBOX_SLOTS 65536			/* power of two; a full mailbox refuses */
typedef void (*loop_fn)(void *arg);
/* Has fn(arg) run on l's thread.  Any thread, never blocks, wakes the loop only when it sleeps.
 * Returns 0, -EAGAIN (mailbox full: the caller keeps arg), -ESHUTDOWN (stopped). */
int loop_post(struct loop *l, loop_fn fn, void *arg);
/* Called once per turn after all events (transport flushes its sends here). */
void loop_on_turn_end(struct loop *l, loop_fn fn, void *arg);

struct loop_stats {
	uint64_t turns, posted, post_refused;
	uint64_t lag_max_us;				/* longest turn since the last read */
};
void loop_stats(struct loop *l, struct loop_stats *ret);	/* own thread; resets lag_max_us */
