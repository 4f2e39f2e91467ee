/* pcscf/call.c - see call.h.  RFC 4028 §8.3; TS 24.229 §5.2.8. */
#include <stdlib.h>
#include "common/log/log.h"
#include "common/util/clock.h"
#include "common/util/rand.h"
#include "pcscf/agw.h"
#include "pcscf/call_private.h"
#include "pcscf/policy.h"
#include "pcscf/records.h"
#include "pcscf/session.h"

#define CALL_ARENA_BYTES 1024u
#define WARN_EVERY_MS 60000u
#define REFRESH_GRACE_S 32u		/* RFC 4028 §10: what may still be on its way when the interval is over */

static METRIC_DEF(m_calls, "cscf_pcscf_calls", METRIC_GAUGE, "Parts of phones in calls that are kept: for policy control, media relays, call records.", NULL, NULL);
static METRIC_DEF(m_not_kept, "cscf_pcscf_calls_not_kept_total", METRIC_COUNTER, "The same that were not kept: more than policy.max_calls.", NULL, NULL);

struct calls {
	struct pcscf_worker *pw;
	struct htab by_call, by_phone;
	struct list all;
	uint32_t n, max, max_age_s;
	uint64_t last_id;
	uint64_t warn_ms, n_not_kept;	/* no warning before that; how many since the last one */
};

struct call_key {
	struct str call_id;
	const uint64_t *binding_id;	/* NULL: any */
};

static bool is_key(const struct hnode *n, const void *key)
{
	const struct call *c = container_of(n, struct call, by_call);
	const struct call_key *k = key;

	return (!k->binding_id || c->b->id == *k->binding_id) && str_eq(c->call_id, k->call_id);
}

static bool is_ordinary_of(const struct hnode *n, const void *key)
{
	const struct call *c = container_of(n, struct call, by_phone);

	return c->b->id == *(const uint64_t *)key && !c->emergency;
}

static struct call *find(struct calls *cs, struct str call_id, const uint64_t *binding_id)
{
	const struct call_key k = { call_id, binding_id };
	struct hnode *n = cs && cs->n ? htab_find(&cs->by_call, hash_str(call_id), is_key, &k) : NULL;

	return n ? container_of(n, struct call, by_call) : NULL;
}

struct call *call_find(struct calls *cs, struct str call_id, uint64_t binding_id)
{
	return find(cs, call_id, &binding_id);
}

static void call_drop(struct call *c)
{
	obj_unref(c->b);
	arena_unref(c->a);
	free(c);
}

static void call_free(struct call *c)
{
	timer_stop(&c->life);
	htab_del(&c->cs->by_call, &c->by_call);
	htab_del(&c->cs->by_phone, &c->by_phone);
	list_del(&c->link);
	c->cs->n--;
	metric_adjust(&m_calls, NULL, NULL, -1);
	call_drop(c);
}

void call_end(struct call *c, const char *why)
{
	log_debug(LOG_SESS, "call over", LOG_C("why", why), LOG_S("call_id", c->call_id));
	record_call(c->cs->pw->p->records, c, why);
	policy_call_over(c, why);
	agw_call_over(c);
	call_forget(c);
	call_free(c);
}

static void on_life(struct timer *t)
{
	struct call *c = container_of(t, struct call, life);

	log_correlation(c->icid);
	call_end(c, "expired");
	log_correlation(STR_NONE);
}

/* TS 29.214 §5.3.23: the URN without "urn:service:". */
static struct str service_of(struct arena *a, struct str ruri)
{
	struct str urn = STR("urn:service:");

	return str_istarts(ruri, urn) ? arena_dup(a, str_from(ruri, urn.l)) : STR_NONE;
}

struct call *call_new(struct binding *b)
{
	struct call *c = calloc(1, sizeof(*c));

	if (!c || !(c->a = arena_new(CALL_ARENA_BYTES))) {
		free(c);
		return NULL;
	}
	c->b = obj_ref(b);
	c->key = rand_u64();
	return c;
}

static void live_for(struct call *c, uint64_t ms)
{
	struct wheel *w = call_worker(c)->wheel;

	c->ends_ms = w->now_ms + ms;
	timer_start(w, &c->life, ms);
}

uint64_t call_left_ms(const struct call *c)
{
	uint64_t now = call_worker(c)->wheel->now_ms;

	return c->ends_ms > now ? c->ends_ms - now : 0;
}

bool call_insert(struct calls *cs, struct call *c, uint64_t left_ms)
{
	if (cs->n >= cs->max) {
		call_drop(c);
		return false;
	}
	c->cs = cs;
	c->id = ++cs->last_id;
	timer_init(&c->life, on_life);
	live_for(c, left_ms);
	htab_add(&cs->by_call, &c->by_call, hash_str(c->call_id));
	htab_add(&cs->by_phone, &c->by_phone, c->b->id);
	list_add_tail(&cs->all, &c->link);
	cs->n++;
	metric_adjust(&m_calls, NULL, NULL, 1);
	return true;
}

static bool not_kept(struct calls *cs, const char *why)
{
	uint64_t now = cs->pw->w->wheel->now_ms;

	metric_add(&m_not_kept, NULL, NULL, 1);
	cs->n_not_kept++;
	if (now < cs->warn_ms)
		return false;
	log_warn(LOG_SESS, "calls pass that are not kept", LOG_C("why", why), LOG_U("calls", cs->n_not_kept), LOG_U("max_calls", cs->max));
	cs->n_not_kept = 0;
	cs->warn_ms = now + WARN_EVERY_MS;
	return false;
}

bool call_begin(struct pcscf_req *r, struct proxy *p, bool to_phone)
{
	struct calls *cs = r->pw->calls;
	struct call *c;

	if (!cs || !r->b || call_find(cs, r->m->call_id, r->b->id))
		return true;
	if (cs->n >= cs->max)
		return not_kept(cs, "there are too many");
	c = call_new(r->b);
	if (!c)
		return not_kept(cs, "out of memory");
	c->ue_called = to_phone;
	c->invite = p;
	c->call_id = arena_dup(c->a, r->m->call_id);
	c->icid = arena_dup(c->a, r->icid);
	c->priority = arena_dup(c->a, sip_msg_value(r->m, SIP_H_RESOURCE_PRIORITY));
	c->emergency = r->emergency;
	c->service = service_of(c->a, r->out.ruri.l ? r->out.ruri : r->m->ruri_text);
	c->from = arena_dup(c->a, r->m->from.uri.text);
	c->to = arena_dup(c->a, r->m->to.uri.text);
	c->caller_tag = arena_dup(c->a, r->m->from_tag);
	c->started_wall_us = clock_wall_us();
	if (call_insert(cs, c, (uint64_t)cs->max_age_s * 1000))
		policy_call_begins(r->pw, c);
	return true;
}

/* ---- what passes ---- */

static void refreshed(struct call *c, const struct sip_msg *m)
{
	uint32_t s;

	if (sip_msg_u32(m, SIP_H_SESSION_EXPIRES, &s) < 0 || s > c->cs->max_age_s)
		s = c->cs->max_age_s;
	live_for(c, ((uint64_t)s + REFRESH_GRACE_S) * 1000);
}

/* The dialog of these tags, whoever sends; NULL: not one of this call, or none that is answered. */
static struct call_dialog *dialog_of(struct call *c, const struct sip_msg *m)
{
	bool caller = str_eq(m->from_tag, c->caller_tag), callee = str_eq(m->to_tag, c->caller_tag);

	for (unsigned i = 0; i < c->n_dialogs; i++)
		if ((caller && str_eq(m->to_tag, c->dialog[i].callee_tag)) || (callee && str_eq(m->from_tag, c->dialog[i].callee_tag)))
			return &c->dialog[i];
	return NULL;
}

/* RFC 3261 §15: a callee sends none before it has had the ACK, so this one is of an answer that is still on its way. */
bool call_bye(struct call *c, const struct sip_msg *m)
{
	if (dialog_of(c, m))
		return true;
	if (c->state == CALL_EARLY && str_eq(m->to_tag, c->caller_tag))
		str_copy(m->from_tag, c->bye_tag, sizeof(c->bye_tag));
	return false;
}

static void add_dialog(struct call *c, const struct sip_msg *m)
{
	if (!dialog_of(c, m) && c->n_dialogs < CALL_MAX_DIALOGS)
		c->dialog[c->n_dialogs++] = (struct call_dialog){ arena_dup(c->a, m->to_tag), str_eq_c(m->to_tag, c->bye_tag) };
}

bool call_answered(struct call *c, const struct sip_msg *req, const struct sip_msg *m)
{
	if (!req->to_tag.l)
		add_dialog(c, m);
	if (!dialog_of(c, m))
		return true;
	refreshed(c, m);
	if (req->to_tag.l || c->state == CALL_CONFIRMED) {
		call_keep(c);
		return true;
	}
	c->state = CALL_CONFIRMED;
	c->status = m->status;
	c->answered_wall_us = clock_wall_us();
	policy_call_answered(c);
	if (!c->dialog[0].over) {
		call_keep(c);
		return true;
	}
	call_end(c, "BYE");
	return false;
}

void call_dialog_over(struct call *c, const struct sip_msg *req, const char *why)
{
	struct call_dialog *d = dialog_of(c, req);
	bool over = d != NULL;

	if (d)
		d->over = true;
	for (unsigned i = 0; i < c->n_dialogs; i++)
		over = over && c->dialog[i].over;
	if (over)
		call_end(c, why);
	else if (d)
		call_keep(c);
}

void call_invite_over(struct call *c, unsigned status)
{
	if (status && c->state == CALL_EARLY)
		c->status = status;
	c->invite = NULL;
	if (c->state == CALL_EARLY)
		call_end(c, "failed");
}

/* ---- life ---- */

struct calls *calls_new(struct pcscf_worker *pw, uint32_t max, uint32_t max_age_s)
{
	struct calls *cs = calloc(1, sizeof(*cs));

	if (!cs)
		return NULL;
	if (htab_init(&cs->by_call, 64) < 0 || htab_init(&cs->by_phone, 64) < 0) {
		htab_fini(&cs->by_call);
		free(cs);
		return NULL;
	}
	list_init(&cs->all);
	cs->pw = pw;
	cs->max = max;
	cs->max_age_s = max_age_s;
	metrics_register(&m_calls);
	metrics_register(&m_not_kept);
	return cs;
}

void calls_free(struct calls *cs)
{
	if (!cs)
		return;
	while (!list_empty(&cs->all)) {
		struct call *c = list_entry(cs->all.next, struct call, link);

		if (c->state == CALL_CONFIRMED && cs->pw->w->store && policy_call_stays(c)) {
			agw_call_stays(c);
			call_free(c);
		} else {
			call_end(c, "the daemon stops");
		}
	}
	htab_fini(&cs->by_call);
	htab_fini(&cs->by_phone);
	free(cs);
}

struct worker *call_worker(const struct call *c)
{
	return c->cs->pw->w;
}

void calls_each(struct calls *cs, void (*fn)(void *arg, struct call *c), void *arg)
{
	if (!cs)
		return;
	for (struct list *i = cs->all.next, *next; i != &cs->all; i = next) {
		next = i->next;
		fn(arg, list_entry(i, struct call, link));
	}
}

/* ---- ended from here ---- */

void calls_over(struct calls *cs, struct str call_id, uint64_t binding_id, const char *why)
{
	struct call *c;

	while ((c = find(cs, call_id, binding_id ? &binding_id : NULL)))
		call_end(c, why);
}

void call_release(struct call *c, unsigned status, const char *why, struct str reason)
{
	struct pcscf_worker *pw = c->cs->pw;
	struct refusal r = { .status = status, .why = why };
	struct proxy *invite = c->invite;
	struct arena *a = c->a;

	arena_ref(a);			/* its Call-ID outlives it */
	if (c->state == CALL_CONFIRMED) {
		struct str call_id = c->call_id;
		uint64_t id = c->b->id;

		if (!sessions_release_answered(pw->sessions, call_id, id, why, reason))
			log_warn(LOG_SESS, "a call cannot be ended", LOG_C("why", why), LOG_S("call_id", call_id));
		calls_over(pw->calls, call_id, id, why);
	} else {
		c->status = status;
		log_info(LOG_SESS, "call released before it was answered", LOG_C("why", why), LOG_S("call_id", c->call_id));
		call_end(c, why);	/* before: the proxy tells us of its end */
		if (invite && reason.l)
			r.extra = arena_printf(proxy_request(invite)->arena, "Reason: %.*s\r\n", STR_ARG(reason));
		if (invite)
			proxy_reject(invite, &r);
	}
	arena_unref(a);
}

/* ---- a phone that is gone ---- */

static void phone_gone(struct worker *w, void *arg)
{
	struct calls *cs = pcscf_of(w)->calls;
	const uint64_t *id = arg;
	struct hnode *n;

	while (cs && (n = htab_find(&cs->by_phone, *id, is_ordinary_of, id)))
		call_end(container_of(n, struct call, by_phone), "the registration has ended");
	policy_left_gone(pcscf_of(w), STR_NONE, *id);
	free(arg);
}

void calls_phone_gone(struct pcscf_worker *pw, uint64_t binding_id)
{
	struct stack *s = pw->p->stack;

	for (unsigned i = 0; pw->calls && i < stack_n_workers(s); i++) {
		uint64_t *id = malloc(sizeof(*id));

		if (!id)
			return;			/* they end by their session timers */
		*id = binding_id;
		if (worker_call(pw->w, stack_worker(s, i), phone_gone, id) < 0)
			free(id);
	}
}
