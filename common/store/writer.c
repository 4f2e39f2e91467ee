/* common/store/writer.c - the thread that takes the journals and commits.  It alone waits for the disk: what is slow or full there is felt by
 * no worker, nor by REST.  Reliability F13. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/store/private.h"
#include "common/util/clock.h"

METRIC_DEF(store_m_changes, "cscf_store_changes_total", METRIC_COUNTER, "Records put and deleted.", "op", "table");
METRIC_DEF(store_m_commits, "cscf_store_commits_total", METRIC_COUNTER, "Commits of changes to the disk.", "outcome", NULL);
METRIC_DEF(store_m_commit_seconds, "cscf_store_commit_seconds", METRIC_HISTOGRAM, "How long a commit took.", NULL, NULL);
METRIC_DEF(store_m_pending, "cscf_store_pending_bytes", METRIC_GAUGE, "Changes that wait in memory for the disk.", NULL, NULL);
METRIC_DEF(store_m_failing, "cscf_store_failing", METRIC_GAUGE, "1 while the disk takes no state.  An alarm.", NULL, NULL);
METRIC_DEF(store_m_lost, "cscf_store_lost_total", METRIC_COUNTER, "Changes that could not be kept.  An alarm.", NULL, NULL);
METRIC_DEF(store_m_bad, "cscf_store_bad_records_total", METRIC_COUNTER, "Records read that were not what was written.", NULL, NULL);
METRIC_DEF(store_m_aside, "cscf_store_files_put_aside_total", METRIC_COUNTER, "Damaged state files.  An alarm.", NULL, NULL);

static void take(struct store *s, const struct change *c)
{
	if (pending_add(&s->pending, c) < 0)
		metric_add(&store_m_lost, NULL, NULL, 1);
	if (s->shared)
		shared_change(s->shared, c);
}

static void take_port(struct store *s, struct store_port *p)
{
	struct change c;

	while (journal_take(p->j, s->room, &c)) {
		p->taken++;
		take(s, &c);
	}
}

void writer_take(struct store *s)
{
	for (unsigned i = 0; i < s->n_ports; i++) {
		atomic_store(&s->port[i].woken, false);
		take_port(s, &s->port[i]);
	}
}

/* ---- the mailbox, when a ring is full ---- */

struct mail {
	struct store_port *p;
	struct change c;
	char text[];
};

static void on_mail(void *arg)
{
	struct mail *m = arg;

	take_port(m->p->s, m->p);		/* what the ring has is older */
	m->p->taken++;
	take(m->p->s, &m->c);
	atomic_fetch_sub(&m->p->overflow, 1);
	explicit_bzero(m->text, m->c.r.key.l + m->c.r.value.l);
	free(m);
}

int writer_mail(struct store_port *p, const struct change *c)
{
	struct mail *m;

	if (!p->s->started) {			/* one thread does it all yet */
		take_port(p->s, p);
		p->taken++;
		return pending_add(&p->s->pending, c);
	}
	m = malloc(sizeof(*m) + c->r.key.l + c->r.value.l);
	if (!m)
		return -ENOSPC;
	m->p = p;
	m->c = *c;
	m->c.r.key = str_make(m->text, c->r.key.l);
	m->c.r.value = str_make(m->text + c->r.key.l, c->r.value.l);
	if (c->r.key.l)
		memcpy(m->text, c->r.key.p, c->r.key.l);
	if (c->r.value.l)
		memcpy(m->text + c->r.key.l, c->r.value.p, c->r.value.l);
	atomic_fetch_add(&p->overflow, 1);
	if (loop_post(p->s->loop, on_mail, m) == 0)
		return 0;
	atomic_fetch_sub(&p->overflow, 1);
	free(m);
	return -ENOSPC;
}

/* ---- commits ---- */

static void note(struct store *s, int rc)
{
	int was = atomic_exchange(&s->failing, -rc);

	metric_add(&store_m_commits, rc == 0 ? "ok" : "failed", NULL, 1);
	metric_set(&store_m_failing, NULL, NULL, rc != 0);
	if (rc < 0 && was != -rc)
		log_error(LOG_CORE, "state cannot be written: it is kept in memory until it can", LOG_C("dir", s->dir),
			  LOG_C("error", strerror(-rc)), LOG_U("pending_bytes", s->pending.bytes));
	else if (rc == 0 && was)
		log_info(LOG_CORE, "state is written again", LOG_C("dir", s->dir));
}

static void release_all(struct store *s)
{
	for (unsigned i = 0; i < s->n_ports; i++)
		journal_release(s->port[i].j);
}

static bool any_half_full(const struct store *s)
{
	for (unsigned i = 0; i < s->n_ports; i++)
		if (journal_half_full(s->port[i].j))
			return true;
	return false;
}

static void commit(struct store *s)
{
	uint64_t began = clock_mono_us();
	struct change meta;
	char text[64];
	int rc = store_meta(s, &meta, text);

	if (rc == 0)
		rc = pending_add(&s->pending, &meta);
	if (rc == 0)
		rc = s->backend->commit(s->backend, &s->pending);
	metric_observe_us(&store_m_commit_seconds, NULL, NULL, clock_mono_us() - began);
	note(s, rc);
	if (rc == 0) {
		pending_clear(&s->pending);
		release_all(s);
		s->committed_ms = store_now_ms(s);
		if (s->old_journals)
			store_remove_old_journals(s);
	} else if (any_half_full(s)) {
		release_all(s);			/* memory is all that is left */
	}
	metric_set(&store_m_pending, NULL, NULL, (int64_t)s->pending.bytes);
}

/* Store time is written down now and then also when nothing else is. */
#define CLOCK_EVERY_MS 60000u

void writer_run(struct store *s)
{
	writer_take(s);
	if (s->pending.by_key.n || s->old_journals || store_now_ms(s) >= s->committed_ms + CLOCK_EVERY_MS)
		commit(s);
}

void writer_tick(struct timer *t)
{
	struct store *s = container_of(t, struct store, timer);

	writer_run(s);
	timer_start(loop_wheel(s->loop), t, s->commit_ms);
}

static void on_wake(void *arg)
{
	writer_run(arg);
}

void writer_wake(struct store_port *p)
{
	if (p->s->started && !atomic_exchange(&p->woken, true) && loop_post(p->s->loop, on_wake, p->s) < 0)
		atomic_store(&p->woken, false);
}

static void on_nudge(void *arg)
{
	struct store_port *p = arg;

	atomic_store(&p->nudged, false);
	take_port(p->s, p);
}

void writer_nudge(struct store_port *p)
{
	if (p->s->started && !atomic_exchange(&p->nudged, true) && loop_post(p->s->loop, on_nudge, p) < 0)
		atomic_store(&p->nudged, false);
}
