/* common/diameter/flight.c - requests that are with the library, and the way of their answers back to the worker.
 *
 * The library's threads touch nothing but a mailbox: they copy the values of an answer into an arena of its own and post it to
 * the loop that asked.  A client that has gone leaves its mailbox behind, closed. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include "common/diameter/doic.h"
#include "common/diameter/private.h"
#include "common/diameter/redirect.h"
#include "common/util/clock.h"
#include "common/util/list.h"
#include "common/util/obj.h"

#define LIBRARY_GRACE_S 2		/* the library forgets a request that long after our own deadline */
#define ANSWER_ARENA_BYTES 2048

/* What the library's threads know of a client; outlives it. */
struct mailbox {
	struct obj o;
	pthread_mutex_t lock;
	struct loop *loop;		/* NULL: the client is gone */
	struct dia_client *c;		/* own thread only */
};

struct flight {				/* with the library */
	struct list link;		/* flights */
	struct mailbox *box;
	uint64_t id, began_us;
	enum dia_command_id cmd;
};

struct delivery {			/* on its way to the worker; lives in its own arena */
	struct arena *a;
	struct mailbox *box;
	uint64_t id;
	enum dia_command_id cmd;
	void *answer;
	struct redirection *redirect;	/* NULL: none */
};

/* ---- mailboxes ---- */

static void box_free(struct obj *o)
{
	struct mailbox *b = container_of(o, struct mailbox, o);

	pthread_mutex_destroy(&b->lock);
	free(b);
}

struct mailbox *mailbox_new(struct loop *l, struct dia_client *c)
{
	struct mailbox *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	obj_init(&b->o, box_free);
	pthread_mutex_init(&b->lock, NULL);
	b->loop = l;
	b->c = c;
	return b;
}

void mailbox_close(struct mailbox *b)
{
	pthread_mutex_lock(&b->lock);
	b->loop = NULL;
	b->c = NULL;
	pthread_mutex_unlock(&b->lock);
	obj_unref(b);
}

/* On the worker's thread again. */
static void delivered(void *arg)
{
	struct delivery *d = arg;

	if (d->box->c && !(d->redirect && client_redirected(d->box->c, d->id, d->cmd, d->redirect)))
		client_delivered(d->box->c, d->id, d->cmd, d->answer);
	obj_unref(d->box);
	arena_unref(d->a);
}

/* ---- the library's threads ---- */

/* The library forgets its callbacks' data when it stops while answers are missing: dia_stop() ends them here. */
static struct {
	pthread_mutex_t lock;
	struct list head;
} flights = { PTHREAD_MUTEX_INITIALIZER, { &flights.head, &flights.head } };

static void flight_begin(struct flight *f)
{
	pthread_mutex_lock(&flights.lock);
	list_add_tail(&flights.head, &f->link);
	pthread_mutex_unlock(&flights.lock);
}

static void flight_free(struct flight *f)
{
	pthread_mutex_lock(&flights.lock);
	list_del(&f->link);
	pthread_mutex_unlock(&flights.lock);
	free(f);
}

void flights_end(void)
{
	while (!list_empty(&flights.head)) {
		struct flight *f = list_entry(flights.head.next, struct flight, link);

		obj_unref(f->box);
		flight_free(f);
	}
}

static bool is_redirect(const struct dia_result *r)
{
	return r->err == 0 && !r->experimental && r->code == DIA_REDIRECT_INDICATION;
}

/* Where to, and the request for it: read back from the message that the answer belongs to.  NULL: it cannot be followed. */
static struct redirection *read_redirect(struct msg *m, enum dia_command_id cmd, struct arena *a)
{
	struct redirection *x = arena_zalloc(a, sizeof(*x));
	struct msg *request = NULL;

	if (!x || fd_msg_answ_getq(m, &request) != 0 || !request)
		return NULL;
	x->request = arena_zalloc(a, dia_commands[cmd].request_size);
	if (!x->request || codec_read(m, dia_redirect_rows, &x->r, a) < 0 || codec_read(request, dia_commands[cmd].request, x->request, a) < 0)
		return NULL;
	dia_request_set_text(cmd, x->request, 264, STR_NONE);
	dia_request_set_text(cmd, x->request, 293, STR_NONE);
	return x->r.n && redirect_identity(cmd, x->request).l ? x : NULL;
}

/* RFC 7683 §5.2.1: an answer that we can read may say that its sender has too much to do. */
static void read_overload(struct msg *m, struct arena *a)
{
	struct doic_answer d = { 0 };
	struct doic_origin o = { 0 };

	if (codec_read(m, doic_answer_rows, &d, a) == 0 && d.report && codec_read(m, doic_origin_rows, &o, a) == 0)
		doic_report(o.host, o.realm, &d, clock_mono_ms());
}

static void read_answer(struct msg *m, const struct flight *f, struct arena *a, void *answer)
{
	struct dia_result *r = answer;
	DiamId_t from = NULL;
	size_t len;
	int rc;

	/* An answer without a source is the library's own: nobody to send the request to. */
	if (fd_msg_source_get(m, &from, &len) == 0 && !from) {
		r->err = -ENOTCONN;
		return;
	}
	rc = codec_read(m, dia_commands[f->cmd].answer, answer, a);
	if (rc == 0)
		rc = codec_read_result(m, r);
	r->err = rc;
	if (rc == 0 && dia_node()->c.doic)
		read_overload(m, a);
	if (from)
		peer_answered(from, clock_mono_us() - f->began_us, rc < 0 || (!r->experimental && r->code / 1000 == 3 && !is_redirect(r)));
}

static void post(struct flight *f, struct msg *m, int err)
{
	struct arena *a = arena_new(ANSWER_ARENA_BYTES);
	struct delivery *d = a ? arena_zalloc(a, sizeof(*d)) : NULL;
	bool posted = false;

	if (d)
		d->answer = arena_zalloc(a, dia_commands[f->cmd].answer_size);
	if (d && d->answer) {
		d->a = a;
		d->box = f->box;
		d->id = f->id;
		d->cmd = f->cmd;
		if (m)
			read_answer(m, f, a, d->answer);
		else
			((struct dia_result *)d->answer)->err = err;
		if (m && is_redirect(d->answer))
			d->redirect = read_redirect(m, f->cmd, a);
		pthread_mutex_lock(&f->box->lock);
		posted = f->box->loop && loop_post(f->box->loop, delivered, d) == 0;
		pthread_mutex_unlock(&f->box->lock);
	}
	if (!posted) {			/* the deadline completes it */
		obj_unref(f->box);
		arena_unref(a);
	}
	flight_free(f);
}

static void on_answer(void *data, struct msg **m)
{
	post(data, *m, 0);
	fd_msg_free(*m);
	*m = NULL;
}

static void on_expiry(void *data, DiamId_t to, size_t len, struct msg **m)
{
	(void)len;
	if (to)
		peer_timed_out(to);
	post(data, NULL, -ETIMEDOUT);
	fd_msg_free(*m);
	*m = NULL;
}

/* ---- the worker's thread ---- */

int flight_start(struct mailbox *box, uint64_t id, enum dia_command_id cmd, struct msg *m, uint32_t timeout_ms)
{
	struct flight *f = malloc(sizeof(*f));
	struct timespec until;
	int rc;

	if (!f) {
		fd_msg_free(m);
		return -ENOMEM;
	}
	*f = (struct flight){ .box = obj_ref(box), .id = id, .cmd = cmd, .began_us = clock_mono_us() };
	flight_begin(f);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000 + LIBRARY_GRACE_S;
	rc = -fd_msg_send_timeout(&m, on_answer, f, on_expiry, &until);
	if (rc < 0) {
		obj_unref(f->box);
		flight_free(f);
		if (m)
			fd_msg_free(m);
	}
	return rc;
}
