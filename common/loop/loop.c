/* common/loop/loop.c - epoll, the timer wheel, and the mailbox (a bounded queue with sequence numbers per cell: many
 * producers claim cells by compare-and-swap, one consumer reads). */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "common/loop/loop.h"
#include "common/util/clock.h"

#define BATCH 64
#define MAX_SLEEP_MS 1000
#define MAIL_PER_TURN 4096

struct cell {
	atomic_size_t seq;		/* lap(position) when free for it, one more when filled */
	loop_fn fn;
	void *arg;
};

struct slot {
	struct loop_fd *f;
	uint32_t gen;
};

struct loop {
	int ep, wake;
	struct wheel wheel;
	uint64_t turn_us;
	bool behind;			/* the last turn was full */
	struct slot *slot;
	uint32_t n_slots;
	uint32_t *free_slot;
	uint32_t n_free;
	loop_fn turn_end;
	void *turn_end_arg;
	struct loop_stats stats;
	atomic_bool stopped;
	atomic_int stop_rc;
	struct cell *cell;
	_Alignas(64) atomic_size_t head;	/* producers; also how many were ever posted */
	atomic_uint_fast64_t refused;
	_Alignas(64) atomic_bool asleep;	/* read by producers, written when the consumer sleeps and wakes */
	_Alignas(64) size_t tail;		/* consumer */
};

struct loop *loop_new(void)
{
	struct loop *l = aligned_alloc(64, (sizeof(*l) + 63) / 64 * 64);
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = UINT64_MAX };

	if (!l)
		return NULL;
	*l = (struct loop){ .ep = -1, .wake = -1 };
	l->cell = calloc(LOOP_MAILBOX_SLOTS, sizeof(*l->cell));		/* zeros are an empty mailbox: no page is touched before its use */
	l->ep = epoll_create1(EPOLL_CLOEXEC);
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!l->cell || l->ep < 0 || l->wake < 0 || epoll_ctl(l->ep, EPOLL_CTL_ADD, l->wake, &ev) < 0) {
		loop_free(l);
		return NULL;
	}
	wheel_init(&l->wheel, clock_mono_ms());
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	if (l->ep >= 0)
		close(l->ep);
	if (l->wake >= 0)
		close(l->wake);
	free(l->cell);
	free(l->slot);
	free(l->free_slot);
	free(l);
}

struct wheel *loop_wheel(struct loop *l)
{
	return &l->wheel;
}

uint64_t loop_now_ms(const struct loop *l)
{
	return l->wheel.now_ms;
}

uint64_t loop_turn_us(const struct loop *l)
{
	return l->turn_us;
}

void loop_on_turn_end(struct loop *l, loop_fn fn, void *arg)
{
	l->turn_end = fn;
	l->turn_end_arg = arg;
}

/* ---- descriptors: a slot and a generation in the event, so that a stale event of a closed one is recognised ---- */

static int slot_take(struct loop *l, struct loop_fd *f)
{
	if (l->n_free == 0) {
		uint32_t n = l->n_slots ? l->n_slots * 2 : 64;
		struct slot *s = realloc(l->slot, n * sizeof(*s));
		uint32_t *fr;

		if (!s)
			return -ENOMEM;
		l->slot = s;
		fr = realloc(l->free_slot, n * sizeof(*fr));
		if (!fr)
			return -ENOMEM;
		l->free_slot = fr;
		for (uint32_t i = n; i-- > l->n_slots;) {
			l->slot[i] = (struct slot){ NULL, 1 };
			l->free_slot[l->n_free++] = i;
		}
		l->n_slots = n;
	}
	f->slot = l->free_slot[--l->n_free];
	l->slot[f->slot].f = f;
	f->gen = l->slot[f->slot].gen;
	return 0;
}

static void slot_give(struct loop *l, struct loop_fd *f)
{
	l->slot[f->slot].f = NULL;
	if (++l->slot[f->slot].gen == 0)
		l->slot[f->slot].gen = 1;	/* 0 says "not added" */
	l->free_slot[l->n_free++] = f->slot;
	f->gen = 0;
}

static uint64_t event_key(const struct loop_fd *f)
{
	return (uint64_t)f->slot << 32 | f->gen;
}

int loop_fd_add(struct loop *l, struct loop_fd *f)
{
	struct epoll_event ev = { .events = f->events };
	int rc;

	if (f->gen)
		return -EEXIST;
	rc = slot_take(l, f);
	if (rc < 0)
		return rc;
	ev.data.u64 = event_key(f);
	if (epoll_ctl(l->ep, EPOLL_CTL_ADD, f->fd, &ev) < 0) {
		rc = -errno;
		slot_give(l, f);
	}
	return rc;
}

int loop_fd_mod(struct loop *l, struct loop_fd *f, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = event_key(f) };

	if (f->gen == 0)
		return -ENOENT;
	if (f->events == events)
		return 0;
	f->events = events;
	return epoll_ctl(l->ep, EPOLL_CTL_MOD, f->fd, &ev) < 0 ? -errno : 0;
}

void loop_fd_del(struct loop *l, struct loop_fd *f)
{
	if (f->gen == 0)
		return;
	epoll_ctl(l->ep, EPOLL_CTL_DEL, f->fd, NULL);
	slot_give(l, f);
}

/* ---- mailbox ---- */

/* How often the ring had been gone through before that position, in cells. */
static size_t lap(size_t pos)
{
	return pos & ~(size_t)(LOOP_MAILBOX_SLOTS - 1);
}

int loop_post(struct loop *l, loop_fn fn, void *arg)
{
	size_t pos = atomic_load_explicit(&l->head, memory_order_relaxed);
	struct cell *c;
	uint64_t one = 1;

	if (atomic_load_explicit(&l->stopped, memory_order_relaxed))
		return -ESHUTDOWN;
	for (;;) {
		size_t seq;

		c = &l->cell[pos & (LOOP_MAILBOX_SLOTS - 1)];
		seq = atomic_load_explicit(&c->seq, memory_order_acquire);
		if (seq == lap(pos)) {
			if (atomic_compare_exchange_weak_explicit(&l->head, &pos, pos + 1, memory_order_relaxed,
								  memory_order_relaxed))
				break;
		} else if ((intptr_t)(seq - lap(pos)) < 0) {
			atomic_fetch_add_explicit(&l->refused, 1, memory_order_relaxed);
			return -EAGAIN;
		} else {
			pos = atomic_load_explicit(&l->head, memory_order_relaxed);
		}
	}
	c->fn = fn;
	c->arg = arg;
	atomic_store_explicit(&c->seq, lap(pos) + 1, memory_order_seq_cst);
	/* The consumer sets `asleep`, then looks at the queue once more: one of us sees the other.  The plain
	 * load first spares busy producers the exchange. */
	if (atomic_load_explicit(&l->asleep, memory_order_seq_cst) &&
	    atomic_exchange_explicit(&l->asleep, false, memory_order_seq_cst) &&
	    write(l->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return 0;	/* an eventfd that is full is awake already; nothing else can fail here */
	return 0;
}

static bool mail_waiting(struct loop *l)
{
	struct cell *c = &l->cell[l->tail & (LOOP_MAILBOX_SLOTS - 1)];

	return atomic_load_explicit(&c->seq, memory_order_seq_cst) == lap(l->tail) + 1;
}

static void mail_run(struct loop *l)
{
	for (unsigned n = 0; n < MAIL_PER_TURN && mail_waiting(l); n++) {
		struct cell *c = &l->cell[l->tail & (LOOP_MAILBOX_SLOTS - 1)];
		loop_fn fn = c->fn;
		void *arg = c->arg;

		atomic_store_explicit(&c->seq, lap(l->tail) + LOOP_MAILBOX_SLOTS, memory_order_release);
		l->tail++;
		fn(arg);
	}
}

/* ---- turns ---- */

static void turn(struct loop *l, uint64_t max_sleep_ms)
{
	struct epoll_event ev[BATCH];
	uint64_t wait = wheel_next_ms(&l->wheel, max_sleep_ms < MAX_SLEEP_MS ? max_sleep_ms : MAX_SLEEP_MS), began, junk;
	uint64_t behind = clock_mono_ms() - l->wheel.now_ms;
	int n;

	wait = wait > behind ? wait - behind : 0;
	if (wait) {
		atomic_store_explicit(&l->asleep, true, memory_order_seq_cst);
		if (mail_waiting(l))
			wait = 0;
	}
	n = epoll_wait(l->ep, ev, BATCH, (int)wait);
	atomic_store_explicit(&l->asleep, false, memory_order_relaxed);
	began = clock_mono_us();
	if (!l->behind)
		l->turn_us = began;
	l->behind = n == BATCH;
	wheel_advance(&l->wheel, began / 1000);
	for (int i = 0; i < n; i++) {
		uint32_t slot = (uint32_t)(ev[i].data.u64 >> 32), gen = (uint32_t)ev[i].data.u64;

		if (ev[i].data.u64 == UINT64_MAX) {
			if (read(l->wake, &junk, sizeof(junk)) < 0)
				continue;
		} else if (slot < l->n_slots && l->slot[slot].f && l->slot[slot].gen == gen) {
			l->slot[slot].f->fn(l->slot[slot].f, ev[i].events);
		}
	}
	mail_run(l);
	if (l->turn_end)
		l->turn_end(l->turn_end_arg);
	l->stats.turns++;
	began = clock_mono_us() - began;
	if (began > l->stats.lag_max_us)
		l->stats.lag_max_us = began;
}

int loop_run(struct loop *l)
{
	while (!atomic_load_explicit(&l->stopped, memory_order_acquire))
		turn(l, MAX_SLEEP_MS);
	return atomic_load(&l->stop_rc);
}

void loop_run_for(struct loop *l, uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms, now;

	while (!atomic_load_explicit(&l->stopped, memory_order_acquire) && (now = clock_mono_ms()) < end)
		turn(l, end - now);
}

void loop_stop(struct loop *l, int rc)
{
	uint64_t one = 1;

	atomic_store(&l->stop_rc, rc);
	atomic_store_explicit(&l->stopped, true, memory_order_release);
	if (write(l->wake, &one, sizeof(one)) < 0)
		return;		/* full: awake already */
}

void loop_stats(struct loop *l, struct loop_stats *ret)
{
	l->stats.posted = atomic_load_explicit(&l->head, memory_order_relaxed);
	l->stats.post_refused = atomic_load_explicit(&l->refused, memory_order_relaxed);
	*ret = l->stats;
	l->stats.lag_max_us = 0;
}
