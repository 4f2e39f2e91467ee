/* common/loop/wheel.c - hierarchical timer wheel: 5 levels of 256 slots, level n ticks every 256^n ms. */
#include "common/loop/wheel.h"

#define SLOTS (1u << WHEEL_BITS)
#define MASK (SLOTS - 1)
#define RANGE_MS ((1ull << (WHEEL_BITS * WHEEL_LEVELS)) - 1)

void wheel_init(struct wheel *w, uint64_t now_ms)
{
	w->now_ms = now_ms;
	w->n_pending = 0;
	w->firing = false;
	for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
		for (unsigned i = 0; i < SLOTS; i++)
			list_init(&w->slot[l][i]);
		for (unsigned i = 0; i < SLOTS / 64; i++)
			w->map[l][i] = 0;
	}
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	list_init(&t->link);
	t->at_ms = 0;
	t->wheel = NULL;
	t->fn = fn;
}

static void insert(struct wheel *w, struct timer *t)
{
	uint64_t least = w->now_ms + (w->firing ? 1 : 0), at = t->at_ms < least ? least : t->at_ms, diff = at - w->now_ms;
	unsigned level = 0, slot;

	if (diff > RANGE_MS) {			/* parked; looked at again when the top level comes round */
		at = w->now_ms + RANGE_MS;
		diff = RANGE_MS;
	}
	while (level + 1 < WHEEL_LEVELS && diff >> (WHEEL_BITS * (level + 1)))
		level++;
	slot = (unsigned)(at >> (WHEEL_BITS * level)) & MASK;
	list_add_tail(&w->slot[level][slot], &t->link);
	w->map[level][slot / 64] |= 1ull << (slot % 64);
}

void timer_start(struct wheel *w, struct timer *t, uint64_t delay_ms)
{
	timer_stop(t);
	t->at_ms = delay_ms < UINT64_MAX - w->now_ms ? w->now_ms + delay_ms : UINT64_MAX;
	t->wheel = w;
	w->n_pending++;
	insert(w, t);
}

void timer_stop(struct timer *t)
{
	if (!t->wheel)
		return;
	list_del(&t->link);
	t->wheel->n_pending--;
	t->wheel = NULL;
}

/* Takes the whole slot out into `out`. */
static void take_slot(struct wheel *w, unsigned level, unsigned slot, struct list *out)
{
	struct list *head = &w->slot[level][slot];

	list_init(out);
	w->map[level][slot / 64] &= ~(1ull << (slot % 64));
	if (list_empty(head))
		return;
	out->next = head->next;
	out->prev = head->prev;
	out->next->prev = out;
	out->prev->next = out;
	list_init(head);
}

static void cascade(struct wheel *w, unsigned level)
{
	unsigned slot = (unsigned)(w->now_ms >> (WHEEL_BITS * level)) & MASK;
	struct list due, *p;

	if (slot == 0 && level + 1 < WHEEL_LEVELS)
		cascade(w, level + 1);
	take_slot(w, level, slot, &due);
	while (!list_empty(&due)) {
		p = due.next;
		list_del(p);
		insert(w, list_entry(p, struct timer, link));
	}
}

static void fire(struct wheel *w, unsigned slot)
{
	struct list due;

	take_slot(w, 0, slot, &due);
	w->firing = true;
	while (!list_empty(&due)) {
		struct timer *t = list_entry(due.next, struct timer, link);

		list_del(&t->link);
		if (t->at_ms > w->now_ms) {	/* was parked, or restarted for later */
			insert(w, t);
			continue;
		}
		w->n_pending--;
		t->wheel = NULL;
		t->fn(t);
	}
	w->firing = false;
}

/* Ticks from now_ms until a slot of level 0 may be occupied, at most `max` and at most to the next cascade. */
static unsigned quiet_ticks(const struct wheel *w)
{
	unsigned at = (unsigned)w->now_ms & MASK;

	for (unsigned i = at; i < SLOTS;) {
		uint64_t word = w->map[0][i / 64] >> (i % 64);

		if (word)
			return i + (unsigned)__builtin_ctzll(word) - at;
		i = (i / 64 + 1) * 64;
	}
	return SLOTS - at;
}

static bool level_empty(const struct wheel *w, unsigned level)
{
	for (unsigned i = 0; i < SLOTS / 64; i++)
		if (w->map[level][i])
			return false;
	return true;
}

/* Milliseconds until the next slot of `level` that may be occupied is taken apart, at most until that level wraps. */
static uint64_t to_slot(const struct wheel *w, unsigned level)
{
	unsigned shift = WHEEL_BITS * level, at = (unsigned)(w->now_ms >> shift) & MASK, i = at + 1;

	while (i < SLOTS && !(w->map[level][i / 64] >> (i % 64) & 1))
		i++;
	return (((w->now_ms >> shift) + (i - at)) << shift) - w->now_ms;
}

uint64_t wheel_next_ms(const struct wheel *w, uint64_t max_ms)
{
	uint64_t next;
	unsigned level = 1;

	if (w->n_pending == 0)
		return max_ms;
	next = quiet_ticks(w);
	/* Nothing in what is left of level 0: sleep over whole slots of the higher levels when they are empty too. */
	if (next == SLOTS - ((unsigned)w->now_ms & MASK) && level_empty(w, 0)) {
		while (level + 1 < WHEEL_LEVELS && level_empty(w, level))
			level++;
		next = to_slot(w, level);
	}
	return next < max_ms ? next : max_ms;
}

void wheel_advance(struct wheel *w, uint64_t now_ms)
{
	/* Due at the present tick: zero delays started since. */
	fire(w, (unsigned)w->now_ms & MASK);
	while (w->now_ms < now_ms) {
		/* Over all slots that are empty, on every level: a clock that jumps (suspend) costs little. */
		uint64_t skip = wheel_next_ms(w, now_ms - w->now_ms);

		w->now_ms += skip ? skip : 1;
		if (((unsigned)w->now_ms & MASK) == 0)
			cascade(w, 1);
		fire(w, (unsigned)w->now_ms & MASK);
	}
}
