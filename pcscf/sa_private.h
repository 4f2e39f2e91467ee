/* pcscf/sa_private.h - what sa.c, sa_make.c and sa_pool.c share. */
#pragma once
#include "pcscf/stored.h"

#define SA_ANSWER_MS 1000u		/* the last answer leaves by the set that goes (S2: gone within a second) */

/* ---- sa_pool.c ---- */
int sa_pool_take(struct sa_pool *p, struct sa_set *s, uint16_t preferred_s);	/* SPIs and ports; it is found by them from now on */
void sa_pool_give(struct sa_pool *p, struct sa_set *s);
int sa_pool_take_again(struct sa_pool *p, struct sa_set *s);	/* its own of before: 0, -EEXIST */
void sa_pool_proven(struct sa_pool *p, struct sa_set *s);	/* somebody has answered for it */
void sa_pool_phone(struct sa_pool *p, struct sa_set *s);		/* it is its phone's newest */

/* ---- sa.c: an owner's sets ---- */

struct sa_phone {				/* that has sets */
	struct hnode node;
	struct list sets;		/* struct sa_owned, oldest first */
	unsigned n;
	size_t l;
	char key[];
};
struct sa_owned {
	struct list link, of_phone;
	struct sa_spi {
		struct hnode node;
		uint32_t spi;
		struct sa_owned *owned;
	} spi[2];			/* ours: what the kernel tells names one of them */
	uint64_t mapping_from_ms;	/* until then its NAT's port stays as it is */
	struct timer timer;
	struct sa_owner *owner;
	struct sa_phone *phone;
	struct sa_set *set;
	struct ipsec_req req;
	bool asked;			/* the helper works on it */
	bool over;			/* and when it is done, it goes */
	void (*done)(void *arg, int rc);
	void *arg;
};
struct sa_owner {
	struct sa_pool *pool;
	const struct security_config *cfg;
	struct wheel *wheel;
	struct ipsec_port *port;
	struct htab by_key, by_spi;
	struct list all;
	size_t n;
	void (*on_dead)(void *arg, const struct sa_set *s);
	void *on_dead_arg;
	struct store_port *store;	/* NULL: nothing is kept */
};

struct sa_phone *sa_phone_find(struct sa_owner *o, struct str key);
void sa_owned_timer(struct timer *t);				/* its time is over */
void sa_owned_born(const struct sa_owned *w);			/* counted */
void sa_owned_index(struct sa_owned *w);			/* it has SPIs: events find it */
void sa_owned_free(struct sa_owned *w);
void sa_owned_end(struct sa_owned *w, const char *why);		/* nobody finds it any more, the kernel forgets it, then it is freed */
void sa_owned_state(struct sa_owned *w, enum sa_state to);
void sa_owned_leave(struct sa_owned *w, enum sa_state to, uint32_t ms);
void sa_owned_keep(const struct sa_owned *w);			/* as a record, as it is now */

/* ---- sa_make.c ---- */
struct sa_owned *sa_owned_new(struct sa_owner *o, struct sa_set *s);	/* MAKING; NULL: out of memory, or the phone has too many */
void sa_make_metrics(void);
