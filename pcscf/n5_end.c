/* pcscf/n5_end.c - how an application session ends at the PCF: told until it is confirmed, and found again when nobody knows its name.
 * TS 29.514 §4.2.4, §4.2.5; row Q4.
 *
 * A create whose answer never came may have made a session all the same.  Nothing finds it by itself: TS 29.514 has no query.  But it
 * has our notification URI, with a number that is its alone, and each notification names the resource.  So what is left is an orphan with
 * that number (the call's session goes on under another one): the first that the PCF tells of it is its end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/util/rand.h"
#include "pcscf/n5.h"

#define END_MS 5000u
#define END_FIRST_RETRY_S 1u		/* doubled each time */
#define END_MAX_RETRY_S 64u
#define END_MAX_TRIES 12u		/* some ten minutes: then the PCF has forgotten by itself */
#define EVENTS_SUFFIX "/events-subscription"

static METRIC_DEF(m_lost, "cscf_pcscf_n5_unended_total", METRIC_COUNTER, "N5 application sessions whose end no PCF has confirmed.", NULL, NULL);
static METRIC_DEF(m_orphans, "cscf_pcscf_n5_orphans_total", METRIC_COUNTER,
		  "N5 application sessions that may exist without a name that we know: left (their create broke), found (and ended), given up.", "what", NULL);

void n5_end_register(void)
{
	metrics_register(&m_lost);
	metrics_register(&m_orphans);
}

static void on_ended(void *arg, const struct sbi_answer *a);

static void wait_to_retry(struct n5_session *s)
{
	unsigned wait_s = END_FIRST_RETRY_S << (s->tries < 6 ? s->tries : 6);

	timer_start(s->pw->w->wheel, &s->retry, (uint64_t)(wait_s < END_MAX_RETRY_S ? wait_s : END_MAX_RETRY_S) * 1000);
}

static void send_end(struct n5_session *s)
{
	s->busy = n5_send_to_resource(s, "POST", "/delete", NULL, NULL, END_MS, on_ended);
	if (!s->busy)
		wait_to_retry(s);
}

void n5_end_again(struct timer *t)
{
	send_end(container_of(t, struct n5_session, retry));
}

/* It is over there, or unknown there. */
static bool has_ended(const struct sbi_answer *a)
{
	return a->err == 0 && a->status < 500 && a->status / 100 != 3 && a->status != 401 && a->status != 408 && a->status != 429;
}

static void on_ended(void *arg, const struct sbi_answer *a)
{
	struct n5_session *s = arg;

	s->busy = false;
	if (a->err == -ECANCELED)
		return;
	if (has_ended(a)) {
		n5_forget(s);
		log_debug(LOG_SESS, "N5 session ended", LOG_C("session", s->resource), LOG_U("status", a->status));
		n5_session_free(s);
	} else if (++s->tries >= END_MAX_TRIES) {
		n5_forget(s);
		log_warn(LOG_SESS, "the PCF confirms no end of a session", LOG_C("session", s->resource));
		metric_add(&m_lost, NULL, NULL, 1);
		n5_session_free(s);
	} else {
		wait_to_retry(s);
	}
}

void n5_session_end(struct n5_session *s)
{
	bool first = !s->over;

	s->over = true;
	s->call = NULL;
	if (first)
		n5_keep(s);		/* as over: the next process ends it, should this one not come to it */
	timer_stop(&s->life);
	if (s->signalling)
		htab_del(&s->pw->n5->by_phone, &s->by_phone);
	s->signalling = false;
	if (s->busy || timer_pending(&s->retry))	/* conclude() goes on */
		return;
	if (s->resource[0])
		send_end(s);
	else
		n5_session_free(s);
}

/* ---- orphans ---- */

static void on_given_up(struct timer *t)
{
	struct n5_session *s = container_of(t, struct n5_session, life);

	metric_add(&m_orphans, "given up", NULL, 1);
	metric_add(&m_lost, NULL, NULL, 1);
	n5_session_free(s);
}

void n5_orphan(struct n5_session *s, struct str root)
{
	struct n5_worker *n = s->pw->n5;
	struct n5_session *o = n->n_orphans < N5_MAX_ORPHANS ? n5_session_new(s->pw, NULL) : NULL;
	uint64_t number = s->number;

	n5_session_renumber(s, rand_u64());
	if (!o) {
		metric_add(&m_lost, NULL, NULL, 1);
		return;
	}
	n5_session_renumber(o, number);
	o->over = true;
	o->orphan = true;
	snprintf(o->root, sizeof(o->root), "%.*s", STR_ARG(root));
	n->n_orphans++;
	timer_init(&o->life, on_given_up);
	timer_start(s->pw->w->wheel, &o->life, (uint64_t)s->pw->p->cfg.policy.max_call_s * 1000);
	metric_add(&m_orphans, "left", NULL, 1);
	log_info(LOG_SESS, "a PCF may have a session that we know no name of", LOG_U("worker", s->pw->w->id), LOG_C("pcf", o->root));
}

static struct str resource_in(const cJSON *notification)
{
	static const char *const names[] = { "resUri", "evSubsUri" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const cJSON *v = cJSON_GetObjectItemCaseSensitive(notification, names[i]);
		struct str uri = cJSON_IsString(v) ? str_from_c(v->valuestring) : STR_NONE;

		if (str_ends(uri, STR(EVENTS_SUFFIX)))
			uri.l -= sizeof(EVENTS_SUFFIX) - 1;
		if (uri.l)
			return uri;
	}
	return STR_NONE;
}

/* Where its create went: a notification sends no request of ours elsewhere.  Behind an SCP (no root) all goes to that anyway. */
static bool is_there(const struct sbi_uri *u, const struct n5_session *orphan)
{
	struct sbi_uri asked;

	return !orphan->root[0] || (sbi_uri_parse(str_from_c(orphan->root), &asked) == 0 && u->tls == asked.tls && u->port == asked.port &&
				    str_ieq(u->host, asked.host));
}

bool n5_orphan_found(struct n5_session *s, const cJSON *notification)
{
	struct str uri = resource_in(notification);
	struct sbi_uri u;

	if (!s->orphan || sbi_uri_parse(uri, &u) < 0 || !is_there(&u, s) ||
	    str_find(u.path, STR(N5_SESSIONS_PATH "/")) < 0 || !str_copy(uri, s->resource, sizeof(s->resource)))
		return false;
	s->orphan = false;
	s->pw->n5->n_orphans--;
	timer_stop(&s->life);
	metric_add(&m_orphans, "found", NULL, 1);
	log_info(LOG_SESS, "a session without a name is found, and ended", LOG_C("session", s->resource));
	n5_keep(s);
	send_end(s);
	return true;
}
