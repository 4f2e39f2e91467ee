/* common/daemon/operations.h - what takes long: 202 and a place to look at its progress, to cancel it.  Main thread, unless said.
 *
 * Work over everything that the workers own goes in pieces: a worker starts some of it and says when that is done, so that neither the
 * worker nor the HSS has all of it at once. */
#pragma once
#include "common/daemon/stack.h"

struct operation;

/* Has answered r: 202 with Location and the operation; on NULL with a problem (another of the kind runs, or too many do). */
struct operation *operation_begin(struct stack *s, struct http_req *r, const char *kind, void (*cancel)(void *u), void *u);
void operation_progress(struct operation *o, uint64_t done, uint64_t total);
void operation_cancel(struct operation *o);	/* one that runs: its cancel() is called, and it is "cancelled" at its end */
/* Over: result is taken over (NULL: none); why: what went wrong, NULL: nothing. */
void operation_end(struct operation *o, cJSON *result, const char *why);

#define OPERATION_PIECE 32u		/* how many a worker should begin at once */
struct op_piece {
	uint64_t after;			/* cursor inside the worker; piece() moves it on */
	unsigned done, failed;		/* of this piece */
	uint64_t total;			/* set by count() */
	bool more;			/* set by piece(): there are others behind it */
	/* private */
	struct op_walk *walk;
	unsigned waits;
};
struct op_kind {
	const char *name;
	uint64_t (*count)(struct worker *w);			/* how many there are, for the progress */
	void (*piece)(struct worker *w, struct op_piece *p);	/* begins some; op_piece_wait() for each that ends later */
};
/* On the worker: one of the piece ends later, by op_piece_done() on that worker, perhaps before piece() returns. */
void op_piece_wait(struct op_piece *p);
void op_piece_done(struct op_piece *p, bool good);
/* A route's whole answer: begins the operation over all workers, one after the other. */
void operation_walk(struct stack *s, struct http_req *r, const struct op_kind *k);
