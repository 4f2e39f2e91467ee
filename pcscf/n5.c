/* pcscf/n5.c - the AF's side of N5: one application session per call and phone (and per registration: n5_signalling.c).
 * TS 29.514 §4.2.2, §4.2.3, §4.2.4; rows Q2 Q3 Q4 Q7 Q8 Q10.
 *
 *   (new) --find, POST--> creating --201 Location--> open --PATCH, 200...--> open --call over: POST .../delete--> ending --204--> (gone)
 *
 * One request of a session at a time: a PATCH needs the Location, and two of them must not overtake each other.  What is asked
 * meanwhile is put together and goes next.  A session that exists at the PCF is ended there whatever was answered, also when the
 * 201 comes long after its call; an end that gets no answer is sent again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/http/http.h"
#include "common/log/log.h"
#include "common/util/rand.h"
#include "pcscf/n5.h"

#define CREATE_MS 30000u		/* so long a 201 is worth waiting for: without it nobody can end what it made */

static METRIC_DEF(m_sessions, "cscf_pcscf_n5_sessions", METRIC_GAUGE, "N5 application sessions that the PCF may have.", NULL, NULL);

static bool is_number(const struct hnode *n, const void *key)
{
	return container_of(n, struct n5_session, node)->number == *(const uint64_t *)key;
}

struct n5_session *n5_session_find(struct n5_worker *n, uint64_t number)
{
	struct hnode *h = n ? htab_find(&n->by_number, hash_mix(number, 0), is_number, &number) : NULL;

	return h ? container_of(h, struct n5_session, node) : NULL;
}

static void on_later(struct timer *t);

void n5_session_renumber(struct n5_session *s, uint64_t number)
{
	struct pcscf_worker *pw = s->pw;

	htab_del(&pw->n5->by_number, &s->node);
	s->number = number;
	snprintf(s->notify_uri, sizeof(s->notify_uri), "%s" N5_NOTIFY_PATH "%u/%016llx", pw->p->cfg.policy.n5.notify_root, pw->w->id,
		 (unsigned long long)s->number);
	htab_add(&pw->n5->by_number, &s->node, hash_mix(s->number, 0));
}

struct n5_session *n5_session_new(struct pcscf_worker *pw, struct binding *b)
{
	struct n5_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->pw = pw;
	s->b = obj_ref(b);
	timer_init(&s->retry, n5_end_again);
	timer_init(&s->later, on_later);
	timer_init(&s->life, NULL);
	n5_session_renumber(s, rand_u64());
	list_add_tail(&pw->n5->all, &s->link);
	metric_adjust(&m_sessions, NULL, NULL, 1);
	return s;
}

static void *n5_open(struct pcscf_worker *pw, struct call *c)
{
	struct n5_session *s = n5_session_new(pw, c->b);

	if (s)
		s->call = c;
	return s;
}

void n5_session_free(struct n5_session *s)
{
	timer_stop(&s->retry);
	timer_stop(&s->later);
	timer_stop(&s->life);
	s->pw->n5->n_left -= s->left_call != NULL;
	s->pw->n5->n_orphans -= s->orphan;
	free(s->left_call);
	if (s->signalling)
		htab_del(&s->pw->n5->by_phone, &s->by_phone);
	htab_del(&s->pw->n5->by_number, &s->node);
	list_del(&s->link);
	metric_adjust(&m_sessions, NULL, NULL, -1);
	cJSON_Delete(s->now.media);
	cJSON_Delete(s->next.media);
	obj_unref(s->b);
	free(s);
}

/* ---- requests ---- */

static bool send_json(struct n5_session *s, const char *method, struct str root, struct str path, const char *type, cJSON *body, uint32_t deadline_ms,
		      sbi_fn fn)
{
	char *text = body ? cJSON_PrintUnformatted(body) : NULL;
	const struct sbi_request r = { .service = SBI_PCF, .method = method, .root = root, .path = path, .content_type = body ? type : NULL,
				       .body = str_from_c(text), .deadline_ms = deadline_ms };
	bool sent = (!body || (text && r.body.l <= H2_MAX_BODY_BYTES)) && sbi_send(s->pw->n5->sbi, &r, fn, s);

	cJSON_free(text);
	cJSON_Delete(body);
	return sent;
}

/* Splits the resource's URI; suffix: of its path.  The root is that of the process: a prefix belongs to the path here. */
bool n5_send_to_resource(struct n5_session *s, const char *method, const char *suffix, const char *type, cJSON *body, uint32_t deadline_ms, sbi_fn fn)
{
	char path[N5_RESOURCE_BYTES + 16];
	struct sbi_uri u;

	if (sbi_uri_parse(str_from_c(s->resource), &u) < 0) {
		cJSON_Delete(body);
		return false;
	}
	snprintf(path, sizeof(path), "%.*s%s", STR_ARG(u.path), suffix);
	return send_json(s, method, u.root, str_from_c(path), type, body, deadline_ms, fn);
}

/* ---- the end of a question ---- */

static void proceed(struct n5_session *s);

static void question_clear(struct n5_question *q)
{
	cJSON_Delete(q->media);
	*q = (struct n5_question){ 0 };
}

static void conclude(struct n5_session *s, struct policy_answer *a)
{
	struct call *c = s->call;
	uint64_t number = s->now.number;
	char reason[160];

	s->busy = false;
	question_clear(&s->now);
	if (s->over) {
		n5_session_end(s);
		return;
	}
	if (a->verdict != POLICY_YES)
		a->reason = str_make(reason, (size_t)snprintf(reason, sizeof(reason), "SIP;cause=%u;text=\"Policy control: %s\"",
							      a->verdict == POLICY_NO && a->media ? 488 : 503, a->cause));
	if (s->next.set)
		proceed(s);
	if (s->signalling) {
		s->agreed = a->verdict == POLICY_YES;
		if (!s->agreed)
			log_info(LOG_REG, "no policy session for the signalling", LOG_C("cause", a->cause), LOG_S("impi", s->b->impi));
	} else {
		policy_answered(c, number, a);		/* may end s */
	}
}

static const char *error_name(int err)
{
	switch (err) {
	case -ETIMEDOUT: return "no answer";
	case -ENOENT: return "PDU_SESSION_NOT_AVAILABLE";
	case -EPERM: return "no token";
	case -EBUSY: return "too many questions";
	case -EPROTO: return "malformed answer";
	case -EACCES: return "TLS refused";
	default: return "no peer";
	}
}

static void conclude_error(struct n5_session *s, int err)
{
	struct policy_answer a = { .verdict = err == -ENOENT ? POLICY_NO : POLICY_SILENT };

	snprintf(a.cause, sizeof(a.cause), "%s", error_name(err));
	conclude(s, &a);
}

static void on_later(struct timer *t)
{
	struct n5_session *s = container_of(t, struct n5_session, later);

	conclude_error(s, s->later_err);
}

/* Told from a timer: nobody is answered from inside his question. */
static void fail_later(struct n5_session *s, int err)
{
	s->later_err = err;
	timer_start(s->pw->w->wheel, &s->later, 0);
}

/* ---- POST app-sessions ---- */

static void on_created(void *arg, const struct sbi_answer *a);

static void create(struct n5_session *s)
{
	const struct policy_config *cfg = &s->pw->p->cfg.policy;
	const struct n5_subject who = { &cfg->n5, s->b, s->call, s->notify_uri, cfg->location && s->call };
	cJSON *media = cJSON_Duplicate(s->now.media, true), *body = media ? n5_create_body(&who, media, s->now.final) : NULL;

	if (!body || !send_json(s, "POST", str_from_c(s->root), STR(N5_SESSIONS_PATH), "application/json", body, CREATE_MS, on_created))
		fail_later(s, body ? -EBUSY : -ENOMEM);
}

static void on_found(void *arg, const struct n5_found *f)
{
	struct n5_session *s = arg;

	if (f->err || s->over || !str_copy(f->root, s->root, sizeof(s->root)))
		fail_later(s, f->err ? f->err : -ECANCELED);
	else
		create(s);
}

static void find(struct n5_session *s)
{
	bool chosen = policy_mode_of(&s->pw->p->cfg.policy, s->b) == POLICY_BSF;	/* N5 whatever the BSF knows: it was asked already */

	if (!n5_find(s->pw->n5->finder, &s->b->flow.remote, chosen, on_found, s))
		fail_later(s, -EBUSY);
}

/* Location is the resource's URI, absolute or a path: RFC 9110 §10.2.2. */
static bool take_location(struct n5_session *s, const struct sbi_answer *a)
{
	struct sbi_uri u, from;
	int l = 0;

	if (sbi_uri_parse(a->location, &u) == 0)
		l = snprintf(s->resource, sizeof(s->resource), "%.*s", STR_ARG(a->location));
	else if (str_starts(a->location, STR("/")) && sbi_uri_parse(a->root, &from) == 0)
		l = snprintf(s->resource, sizeof(s->resource), "%.*s%.*s", STR_ARG(from.root), STR_ARG(a->location));
	if (l <= 0 || (size_t)l >= sizeof(s->resource) || sbi_uri_parse(str_from_c(s->resource), &u) < 0)
		s->resource[0] = '\0';
	return s->resource[0] != '\0';
}

/* Nobody has seen it: the next one of the list. */
static bool try_another(struct n5_session *s, const struct sbi_answer *a)
{
	if ((a->err != -ECONNREFUSED && a->err != -EHOSTUNREACH) || s->over || s->hops++ >= N5_MAX_PCFS ||
	    !n5_find_failed(s->pw->n5->finder, str_from_c(s->root)))
		return false;
	find(s);
	return true;
}

static void on_created(void *arg, const struct sbi_answer *a)
{
	struct n5_session *s = arg;
	struct policy_answer answer = { .verdict = POLICY_YES, .code = a->status };
	int err;
	cJSON *j;

	if (a->err == -ECANCELED)	/* the daemon stops: its call is put away already */
		return;
	if (a->err || a->status / 100 != 2)		/* a PDU session of yesterday: TS 29.514 §4.2.2.2 */
		n5_find_forget(s->pw->n5->finder, &s->b->flow.remote);
	if (a->err) {
		if (try_another(s, a))
			return;
		if (a->err == -ETIMEDOUT || a->err == -ECONNRESET)
			n5_orphan(s, a->root);	/* it may exist, under a name that we do not know */
		conclude_error(s, a->err);
		return;
	}
	if (a->status / 100 != 2) {
		n5_read_problem(a->status, a->body, &answer);
		conclude(s, &answer);
		return;
	}
	if (!take_location(s, a)) {
		log_warn(LOG_SESS, "a PCF made a session and does not say where", LOG_S("location", a->location));
		conclude_error(s, -EPROTO);
		return;
	}
	n5_keep(s);
	j = http_json_parse(a->body, &err);
	n5_take_events(s, cJSON_GetObjectItemCaseSensitive(j, "evsNotif"));
	cJSON_Delete(j);
	conclude(s, &answer);
}

/* ---- PATCH ---- */

static void on_updated(void *arg, const struct sbi_answer *a)
{
	struct policy_answer answer = { .verdict = POLICY_YES, .code = a->status };

	if (a->err == -ECANCELED)
		return;
	if (a->err) {
		conclude_error(arg, a->err);
		return;
	}
	if (a->status / 100 != 2)
		n5_read_problem(a->status, a->body, &answer);
	conclude(arg, &answer);
}

static void update(struct n5_session *s)
{
	cJSON *media = cJSON_Duplicate(s->now.media, true);
	cJSON *body = media ? n5_update_body(media, s->now.final, s->now.several, s->told_several) : NULL;

	s->told_several = s->now.several;
	if (!body || !n5_send_to_resource(s, "PATCH", "", "application/merge-patch+json", body, s->pw->p->cfg.policy.n5.timeout_ms, on_updated))
		fail_later(s, body ? -EBUSY : -ENOMEM);
}

static void proceed(struct n5_session *s)
{
	s->busy = true;
	s->hops = 0;
	s->now = s->next;
	s->next = (struct n5_question){ 0 };
	if (s->resource[0])
		update(s);
	else
		find(s);
}

bool n5_session_ask(struct n5_session *s, cJSON *media, uint64_t number, bool final, bool several)
{
	if (!media)
		return false;
	if (s->next.media)
		n5_media_merge(s->next.media, media);
	else
		s->next.media = media;
	s->next.set = true;
	s->next.number = number;
	s->next.final = final;
	s->next.several = several;
	if (!s->busy)
		proceed(s);
	return true;
}

static bool n5_ask(void *session, const struct policy_question *q)
{
	return n5_session_ask(session, n5_media(q->media), q->number, q->final, q->several);
}

static void n5_end(void *session)
{
	n5_session_end(session);
}

static void n5_leave(void *session)
{
	((struct n5_session *)session)->call = NULL;
}

static void n5_answered(void *session)
{
	struct n5_session *s = session;

	s->answered = true;
	n5_keep(s);
}

static const char *n5_id(const void *session)
{
	return ((const struct n5_session *)session)->resource;
}

/* ---- what a PCF tells of the access ---- */

void n5_take_events(struct n5_session *s, const cJSON *n)
{
	char text[POLICY_LOCATION_BYTES], charging[CHARGING_ACCESS_BYTES];
	struct str where = n5_location(cJSON_GetObjectItemCaseSensitive(n, "ueLoc"), text);

	if (where.l && s->call)
		policy_located(s->call, where);
	where = n5_charging(n, charging);
	if (where.l && s->call)
		policy_charged(s->call, where);
}

/* ---- life ---- */

static int n5_start(struct pcscf_worker *pw)
{
	struct n5_worker *n = calloc(1, sizeof(*n));
	int rc = 0;

	if (!n)
		return -ENOMEM;
	pw->n5 = n;
	n->pw = pw;
	list_init(&n->all);
	if (pw->w->id == 0)
		rc = n5_peer_open(&pw->p->n5, pw->p);
	if (rc < 0)
		return rc;
	n->sbi = sbi_new(pw, n5_peer_client_tls(pw->p->n5));
	n->finder = n->sbi ? n5_finder_new(pw, n->sbi) : NULL;
	if (!n->finder || htab_init(&n->by_number, 64) < 0 || htab_init(&n->by_phone, 64) < 0)
		return -ENOMEM;
	metrics_register(&m_sessions);
	n5_end_register();
	return 0;
}

static void n5_stop(struct pcscf_worker *pw)
{
	struct n5_worker *n = pw->n5;

	if (!n)
		return;
	sbi_free(n->sbi);
	while (!list_empty(&n->all))
		n5_session_free(list_entry(n->all.next, struct n5_session, link));
	n5_finder_free(n->finder);
	htab_fini(&n->by_number);
	htab_fini(&n->by_phone);
	free(n);
	pw->n5 = NULL;
}

const struct policy_backend n5_backend = {
	.name = "n5", .start = n5_start, .stop = n5_stop, .open = n5_open, .ask = n5_ask, .end = n5_end, .id = n5_id,
	.registered = n5_signalling_registered, .unregistered = n5_signalling_ended, .answered = n5_answered, .restore = n5_restore, .leave = n5_leave,
	.left_gone = n5_left_gone,
};
