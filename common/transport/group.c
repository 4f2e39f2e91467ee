/* common/transport/group.c - the workers' shared part: who owns a Call-ID, which addresses are ours, jobs from one
 * worker to another. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/transport/private.h"
#include "common/util/obj.h"

struct transport_group *transport_group_new(unsigned n_workers)
{
	struct transport_group *g;
	size_t size = (sizeof(*g) + n_workers * sizeof(g->box[0]) + 63) / 64 * 64;

	if (n_workers == 0 || n_workers > UINT16_MAX)
		return NULL;
	g = aligned_alloc(64, size);
	if (!g)
		return NULL;
	memset(g, 0, size);
	g->n_workers = n_workers;
	pthread_mutex_init(&g->lock, NULL);
	return g;
}

void transport_group_free(struct transport_group *g)
{
	if (!g)
		return;
	tls_context_unref(g->tls);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

void transport_group_set_tls(struct transport_group *g, struct tls_context *t)
{
	struct tls_context *old;

	pthread_mutex_lock(&g->lock);
	old = g->tls;
	g->tls = obj_ref(t);
	pthread_mutex_unlock(&g->lock);
	tls_context_unref(old);
}

struct tls_context *group_tls(struct transport_group *g)
{
	struct tls_context *t;

	pthread_mutex_lock(&g->lock);
	t = obj_ref(g->tls);
	pthread_mutex_unlock(&g->lock);
	return t;
}

void transport_group_seed(struct transport_group *g, uint64_t seed)
{
	g->seed = seed;
}

unsigned transport_worker_of(const struct transport_group *g, struct str call_id)
{
	return g->n_workers == 1 ? 0 : (unsigned)(hash_seeded(call_id, g->seed) % g->n_workers);
}

/* ---- our addresses: only ever added to, read without the lock ---- */

bool group_knows(const struct transport_group *g, enum sip_proto proto, const struct addr *a)
{
	unsigned n = atomic_load_explicit(&g->n_local, memory_order_acquire);

	for (unsigned i = 0; i < n; i++)
		if (g->local[i].proto == proto && addr_eq(&g->local[i].a, a))
			return true;
	return false;
}

int group_add(struct transport_group *g, enum sip_proto proto, const struct addr *a)
{
	int rc = 0;
	unsigned n;

	pthread_mutex_lock(&g->lock);
	n = atomic_load_explicit(&g->n_local, memory_order_relaxed);
	if (group_knows(g, proto, a)) {
		rc = 0;
	} else if (n == TP_MAX_LISTENERS) {
		rc = -ENOSPC;
	} else {
		g->local[n] = (struct local){ proto, *a };
		atomic_store_explicit(&g->n_local, n + 1, memory_order_release);
	}
	pthread_mutex_unlock(&g->lock);
	return rc;
}

/* One may bind to an address exactly when it is this host's. */
static bool host_has(const struct addr *a)
{
	struct addr probe = *a;
	int fd = socket(a->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;
	addr_set_port(&probe, 0);
	ok = bind(fd, &probe.sa, addr_len(&probe)) == 0;
	close(fd);
	return ok;
}

bool transport_is_local(const struct transport_group *g, enum sip_proto proto, const struct addr *a)
{
	unsigned n = atomic_load_explicit(&g->n_local, memory_order_acquire);

	if (group_knows(g, proto, a))
		return true;
	for (unsigned i = 0; i < n; i++) {
		const struct local *l = &g->local[i];

		if (l->proto == proto && l->a.sa.sa_family == a->sa.sa_family && addr_is_any(&l->a) &&
		    addr_port(&l->a) == addr_port(a) && host_has(a))
			return true;
	}
	return false;
}

/* ---- jobs ---- */

void job_free(struct job *j)
{
	bytes_unref(j->wire);
	if (j->arena)
		arena_unref(j->arena);		/* j is in it */
	else
		free(j);
}

static void job_run(struct transport *t, struct job *j)
{
	int rc;

	switch (j->kind) {
	case JOB_INPUT:
		input_parse(t, &j->flow, j->arena, j->raw, j->recv_us);
		return;				/* the arena has gone, and the job with it */
	case JOB_SEND:
		rc = stream_send(t, &j->flow, j->wire, j->origin, j->asker);
		if (rc < 0)
			tell_error(t, j->asker, j->origin, rc);
		break;
	case JOB_UNREACHABLE:
		t->ops->unreachable(t->u, &j->flow.remote, j->raw, j->err);
		break;
	case JOB_FAILED:
		t->ops->error(t->u, j->origin, j->err);
		break;
	}
	job_free(j);
}

static struct job *box_take(struct box *b)
{
	struct job *j = atomic_exchange_explicit(&b->head, NULL, memory_order_acquire), *first = NULL;
	unsigned n = 0;

	while (j) {				/* the stack has the newest on top */
		struct job *next = j->next;

		j->next = first;
		first = j;
		j = next;
		n++;
	}
	atomic_fetch_sub_explicit(&b->n, n, memory_order_relaxed);
	return first;
}

static void box_run(void *arg)
{
	struct box *b = arg;
	struct transport *t = atomic_load_explicit(&b->t, memory_order_acquire);

	atomic_store_explicit(&b->posted, false, memory_order_seq_cst);	/* before taking: a later push posts anew */
	if (!t)
		return;
	t->doing = box_take(b);
	while (t->doing) {
		struct job *j = t->doing;

		t->doing = j->next;
		job_run(t, j);
	}
}

int box_post(struct transport_group *g, uint16_t worker, struct job *j)
{
	struct box *b = &g->box[worker];
	struct transport *t = atomic_load_explicit(&b->t, memory_order_acquire);

	if (!t)
		return -ESHUTDOWN;
	if (atomic_fetch_add_explicit(&b->n, 1, memory_order_relaxed) >= TP_MAX_BOX) {
		atomic_fetch_sub_explicit(&b->n, 1, memory_order_relaxed);
		return -EAGAIN;
	}
	j->next = atomic_load_explicit(&b->head, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&b->head, &j->next, j, memory_order_seq_cst, memory_order_relaxed))
		;
	/* A refused post leaves the job in the box: the next one that comes takes it along. */
	if (!atomic_exchange_explicit(&b->posted, true, memory_order_seq_cst) && loop_post(t->loop, box_run, b) < 0)
		atomic_store_explicit(&b->posted, false, memory_order_seq_cst);
	return 0;
}

void box_open(struct transport *t)
{
	atomic_store_explicit(&t->group->box[t->worker].t, t, memory_order_release);
}

void box_close(struct transport *t)
{
	struct box *b = &t->group->box[t->worker];
	struct job *next;

	atomic_store_explicit(&b->t, NULL, memory_order_release);
	for (struct job *j = box_take(b); j; j = next) {
		next = j->next;
		job_free(j);
	}
	for (struct job *j = t->doing; j; j = next) {
		next = j->next;
		job_free(j);
	}
	t->doing = NULL;
}
