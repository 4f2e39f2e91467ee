/* scscf/subscription.c - subscriptions to registration state: their tables, their life, one NOTIFY after the other.
 * RFC 6665 §4.2; RFC 3680 §4; TS 24.229 §5.4.2.1.2; rows S14, S15. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/sip/charging.h"
#include "common/util/rand.h"
#include "scscf/keep.h"
#include "scscf/registrar.h"
#include "scscf/subscription.h"

#define NOTIFY_NO_MEMORY_MS 1000

static METRIC_DEF(m_now, "cscf_reg_subscriptions", METRIC_GAUGE, "Subscriptions to registration state.", NULL, NULL);
static METRIC_DEF(m_notifies, "cscf_reg_notifies_total", METRIC_COUNTER, "NOTIFYs of registration state by what came of them.",
		  "outcome", NULL);

struct watched {
	struct hnode node;
	struct list subscriptions;	/* oldest first */
	unsigned n;
	size_t l;
	char aor[];
};
struct subscriptions {
	struct scscf_worker *sw;
	struct htab by_dialog, by_aor;
};

struct stack *subscription_stack(const struct subscription *s)
{
	return s->ss->sw->w->stack;
}

struct str subscription_aor(const struct subscription *s)
{
	return str_make(s->watched->aor, s->watched->l);
}

struct worker *subscription_worker(const struct subscription *s)
{
	return s->ss->sw->w;
}

/* ---- the tables ---- */

static uint64_t dialog_hash(struct str call_id, struct str local_tag)
{
	return hash_mix(hash_str(call_id), hash_str(local_tag));
}

static bool is_dialog_of(const struct hnode *n, const void *key)
{
	return dialog_matches(container_of(n, struct subscription, node)->d, key);
}

struct subscription *subscription_find(const struct subscriptions *ss, const struct sip_msg *m)
{
	struct hnode *n = htab_find(&ss->by_dialog, dialog_hash(m->call_id, m->to_tag), is_dialog_of, m);

	return n ? container_of(n, struct subscription, node) : NULL;
}

static bool is_aor(const struct hnode *n, const void *key)
{
	const struct watched *x = container_of(n, struct watched, node);

	return str_eq(str_make(x->aor, x->l), *(const struct str *)key);
}

static struct watched *watched_find(const struct subscriptions *ss, struct str aor)
{
	struct hnode *n = htab_find(&ss->by_aor, hash_str(aor), is_aor, &aor);

	return n ? container_of(n, struct watched, node) : NULL;
}

static struct watched *watched_get(struct subscriptions *ss, struct str aor)
{
	struct watched *x = watched_find(ss, aor);

	if (x)
		return x;
	x = calloc(1, sizeof(*x) + aor.l);
	if (!x || watch_index_set(ss->sw->s->watch, aor, ss->sw->w->id) < 0) {
		free(x);
		return NULL;
	}
	list_init(&x->subscriptions);
	x->l = aor.l;
	memcpy(x->aor, aor.p, aor.l);
	htab_add(&ss->by_aor, &x->node, hash_str(aor));
	return x;
}

static void watched_put(struct subscriptions *ss, struct watched *x)
{
	if (x->n)
		return;
	watch_index_clear(ss->sw->s->watch, str_make(x->aor, x->l), ss->sw->w->id);
	htab_del(&ss->by_aor, &x->node);
	free(x);
}

/* ---- life ---- */

static void news_drop(struct subscription *s)
{
	while (!list_empty(&s->news)) {
		struct news *n = list_entry(s->news.next, struct news, link);

		list_del(&n->link);
		arena_unref(n->c->arena);
		free(n);
	}
	s->n_news = 0;
}

static void remove_subscription(struct subscription *s)
{
	struct subscriptions *ss = s->ss;

	timer_stop(&s->expiry);
	timer_stop(&s->retry);
	uac_forget(s->notify);
	news_drop(s);
	obj_unref(s->told);
	htab_del(&ss->by_dialog, &s->node);
	list_del(&s->of_identity);
	s->watched->n--;
	watched_put(ss, s->watched);
	dialog_free(s->d);
	free(s->event);
	free(s->subscriber);
	free(s);
	metric_adjust(&m_now, NULL, NULL, -1);
}

/* It ends here, not because the process does. */
static void end_subscription(struct subscription *s)
{
	keep_forget_subscription(s);
	remove_subscription(s);
}

static void log_gone(const struct subscription *s, const char *why, unsigned status)
{
	log_info(LOG_REG, "subscription ended", LOG_S("impu", subscription_aor(s)), LOG_C("subscriber", s->subscriber), LOG_C("why", why),
		 LOG_U("status", status), LOG_S("call_id", dialog_call_id(s->d)));
}

/* ---- NOTIFY ---- */

static void state_write(const struct subscription *s, struct buf *b)
{
	uint64_t now = s->ss->sw->w->wheel->now_ms, left_s = s->expires_ms > now ? (s->expires_ms - now + 999) / 1000 : 0;

	if (s->ended)
		buf_printf(b, "Subscription-State: terminated;reason=%s\r\n", s->ended);
	else
		buf_printf(b, "Subscription-State: active;expires=%llu\r\n", (unsigned long long)left_s);
}

/* TS 24.229 §5.4.2.1.2: each NOTIFY is a transaction of its own, and has an ICID of its own (§4.5.2). */
static void put_charging(const struct subscription *s, struct buf *b)
{
	struct stack *stack = s->ss->sw->w->stack;
	struct arena *a = arena_new(CHARGING_BYTES);
	struct charging_vector v;
	struct str value;

	if (!a)
		return;
	charging_new(a, stack_sip_name(stack), &v);
	v.orig_ioi = charging_ioi(a, s->service ? IOI_SERVICE : IOI_ACCESS, stack_home_domain(stack));
	value = charging_write(a, &v);
	if (value.l)
		buf_printf(b, "P-Charging-Vector: %.*s\r\n", STR_ARG(value));
	arena_unref(a);
}

static void put_headers(const struct subscription *s, struct buf *b)
{
	struct stack *stack = s->ss->sw->w->stack;

	buf_printf(b, "Event: %s\r\n", s->event);
	state_write(s, b);
	buf_printf(b, "Contact: <sip:%.*s>\r\n", STR_ARG(stack_sip_name(stack)));
	put_charging(s, b);
}

/* RFC 6665 §4.2.2, RFC 5057: these end the subscription, whatever else they say. */
static bool ends_dialog(unsigned status)
{
	static const unsigned all[] = { 404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604 };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (status == all[i])
			return true;
	return false;
}

static void on_notified(void *arg, unsigned status, const struct sip_msg *m)
{
	struct subscription *s = arg;
	uint32_t retry_s = 0;

	s->notify = NULL;
	if (uac_stopping(s->ss->sw->w->proxy))		/* the daemon ends, not the subscription: it is kept */
		return;
	metric_add(&m_notifies, status < 300 ? "ok" : m ? "refused" : "unanswered", NULL, 1);
	if (status < 300 && !s->ended) {
		if (m)
			dialog_response_in(s->d, m);
		subscription_tell(s);
		return;
	}
	if (status >= 300 && !ends_dialog(status) && m && sip_msg_u32(m, SIP_H_RETRY_AFTER, &retry_s) == 0 &&
	    retry_s <= SUBSCRIPTION_RETRY_MAX_S) {
		s->dirty = s->full = true;		/* what was said in it was not heard */
		timer_start(s->ss->sw->w->wheel, &s->retry, (uint64_t)(retry_s ? retry_s : 1) * 1000);
		return;
	}
	log_gone(s, status < 300 ? s->ended : "the NOTIFY failed", status);
	end_subscription(s);
}

static void on_retry(struct timer *t)
{
	subscription_tell(container_of(t, struct subscription, retry));
}

/* The document, with less in it when a message cannot hold all.  0, -ENODATA (nothing to say), -EMSGSIZE, -ENOMEM. */
static int document(const struct subscription *s, const struct aor_view *now, struct buf *ret)
{
	bool full = s->full || !s->told || !s->ss->sw->s->reg->notify_partial;

	for (int detail = NOTIFY_ALL; detail < NOTIFY_N_DETAILS; detail++) {
		buf_fini(ret);
		buf_init(ret, REGINFO_MAX_BYTES - 4096);	/* headers and the route set have to fit as well */
		if (!notify_write(s, now, full, (enum notify_detail)detail, ret) && !s->ended)
			return -ENODATA;
		if (buf_error(ret) != -EMSGSIZE)
			return buf_error(ret);
	}
	return -EMSGSIZE;
}

static int send_notify(struct subscription *s, struct aor_view *now)
{
	struct worker *w = s->ss->sw->w;
	struct buf body, headers;
	struct bytes *wire;
	int rc;

	buf_init(&body, 0);
	rc = document(s, now, &body);
	if (rc < 0) {
		buf_fini(&body);
		return rc;
	}
	buf_init(&headers, 4096);
	put_headers(s, &headers);
	wire = headers.failed ? NULL : dialog_request_make(s->d, STR("NOTIFY"), 0, STR_NONE, buf_str(&headers), STR(REGINFO_TYPE),
							   buf_str(&body));
	buf_fini(&headers);
	buf_fini(&body);
	s->notify = wire ? uac_send(w->proxy, bytes_str(wire), TX_CORE, 0, on_notified, s) : NULL;
	bytes_unref(wire);
	return s->notify ? 0 : -ENOBUFS;
}

/* A registration for emergencies is none that is told of (§5.4.8). */
static bool has_contacts(const struct aor_view *set)
{
	for (unsigned i = 0; set && i < set->n; i++)
		if (set->v[i]->n_contacts && !set->v[i]->emergency)
			return true;
	return false;
}

/* Nothing is registered any more, under no identity of the set: the subscription ends with it (TS 24.229 §5.4.2.1.2).
 * One to a user that was not registered when it began waits. */
static bool is_over(const struct subscription *s, const struct aor_view *now)
{
	return !has_contacts(now) && (has_contacts(s->told) || !now);
}

void subscription_tell(struct subscription *s)
{
	struct aor_view *now;
	int rc;

	if (s->notify || timer_pending(&s->retry) || (!s->dirty && !s->ended))
		return;
	now = reg_directory_aor(s->ss->sw->s->dir, subscription_aor(s));
	if (!s->ended && is_over(s, now))
		s->ended = "noresource";
	rc = send_notify(s, now);
	if (rc == -ENOMEM) {			/* that passes */
		log_error(LOG_REG, "no memory for a NOTIFY: later", LOG_S("impu", subscription_aor(s)));
		obj_unref(now);
		timer_start(s->ss->sw->w->wheel, &s->retry, NOTIFY_NO_MEMORY_MS);
		return;
	}
	s->dirty = false;
	if (rc < 0 && rc != -ENODATA) {
		log_error(LOG_REG, "a NOTIFY cannot be sent", LOG_I("errno", -rc), LOG_S("impu", subscription_aor(s)));
		obj_unref(now);
		end_subscription(s);
		return;
	}
	if (rc == 0) {
		s->version++;
		s->full = false;
	}
	news_drop(s);
	obj_unref(s->told);
	s->told = now;
	if (rc == 0)
		keep_subscription(s);
}

static void news_add(struct subscription *s, struct reg_change *c)
{
	struct news *n = c->n_ended ? malloc(sizeof(*n)) : NULL;

	s->dirty = true;
	if (!n)
		return;
	n->c = c;
	arena_ref(c->arena);
	list_add_tail(&s->news, &n->link);
	if (++s->n_news > SUBSCRIPTION_MAX_NEWS) {
		n = list_entry(s->news.next, struct news, link);
		list_del(&n->link);
		arena_unref(n->c->arena);
		free(n);
		s->n_news--;
	}
}

void subscriptions_changed(struct worker *w, void *arg)
{
	struct subscriptions *ss = scscf_of(w)->subscriptions;
	struct reg_change *c = arg;
	struct list *pos, *next;

	for (unsigned i = 0; i < c->n_aors; i++) {
		struct watched *x = watched_find(ss, c->aor[i]);

		if (!x)
			continue;
		x->n++;				/* stays while we walk */
		list_for_each_safe(pos, next, &x->subscriptions) {
			struct subscription *s = list_entry(pos, struct subscription, of_identity);

			news_add(s, c);
			subscription_tell(s);
		}
		x->n--;
		watched_put(ss, x);
	}
	arena_unref(c->arena);
}

void subscription_end(struct subscription *s, const char *reason)
{
	timer_stop(&s->expiry);
	timer_stop(&s->retry);
	s->ended = reason;
	s->full = true;
	subscription_tell(s);
}

static void on_expiry(struct timer *t)
{
	subscription_end(container_of(t, struct subscription, expiry), "timeout");
}

/* ---- begun, prolonged ---- */

void subscription_extend(struct subscription *s, uint32_t expires_s)
{
	struct wheel *w = s->ss->sw->w->wheel;

	s->expires_ms = w->now_ms + (uint64_t)expires_s * 1000;
	timer_start(w, &s->expiry, (uint64_t)expires_s * 1000);
}

static void enter_table(struct subscriptions *ss, struct subscription *s, struct watched *x)
{
	s->ss = ss;
	s->watched = x;
	x->n++;
	list_add_tail(&x->subscriptions, &s->of_identity);
	list_init(&s->news);
	timer_init(&s->expiry, on_expiry);
	timer_init(&s->retry, on_retry);
	htab_add(&ss->by_dialog, &s->node, dialog_hash(dialog_call_id(s->d), dialog_local_tag(s->d)));
	metric_adjust(&m_now, NULL, NULL, 1);
}

struct subscription *subscription_restore(struct subscriptions *ss, struct dialog *d, struct str aor, struct str event,
					  struct str subscriber, uint32_t version, uint64_t left_ms)
{
	struct subscription *s = calloc(1, sizeof(*s));
	struct watched *x = s && ss ? watched_get(ss, aor) : NULL;

	if (x) {
		s->event = str_dup(event);
		s->subscriber = str_dup(subscriber);
	}
	if (!x || !s->event || !s->subscriber) {
		if (x)
			watched_put(ss, x);
		if (s) {
			free(s->event);
			free(s->subscriber);
		}
		free(s);
		return NULL;
	}
	s->d = d;
	s->version = version;
	enter_table(ss, s, x);
	s->told = reg_directory_aor(ss->sw->s->dir, aor);
	s->expires_ms = ss->sw->w->wheel->now_ms + left_ms;
	timer_start(ss->sw->w->wheel, &s->expiry, left_ms);
	return s;
}

struct subscription *subscription_new(struct subscriptions *ss, struct session_in *in, struct str aor, int *reterr)
{
	struct subscription *s = calloc(1, sizeof(*s));
	struct watched *x = s ? watched_get(ss, aor) : NULL;
	struct sip_values it = sip_values(in->m, SIP_H_PAI);
	struct str v = STR_NONE;

	*reterr = x ? 0 : -ENOMEM;
	if (x)
		*reterr = dialog_new_uas(in->m, tx_server_to_tag(in->st), &s->d);
	if (*reterr == 0) {
		(void)sip_values_next(&it, &v);
		s->event = str_dup(sip_msg_value(in->m, SIP_H_EVENT));
		s->subscriber = str_dup(v);
		*reterr = s->event && s->subscriber ? 0 : -ENOMEM;
	}
	if (*reterr < 0) {
		if (x)
			watched_put(ss, x);
		if (s) {
			dialog_free(s->d);
			free(s->event);
		}
		free(s);
		return NULL;
	}
	enter_table(ss, s, x);
	return s;
}

void subscriptions_make_room(struct watched *x)
{
	struct subscription *s = list_entry(x->subscriptions.next, struct subscription, of_identity);

	if (x->n <= SUBSCRIPTIONS_PER_IDENTITY)
		return;
	log_gone(s, "the oldest makes room", 0);
	end_subscription(s);
}

/* ---- the worker's ---- */

struct subscriptions *subscriptions_new(struct scscf_worker *sw)
{
	struct subscriptions *ss = calloc(1, sizeof(*ss));

	if (!ss)
		return NULL;
	ss->sw = sw;
	if (htab_init(&ss->by_dialog, 16) < 0 || htab_init(&ss->by_aor, 16) < 0) {
		htab_fini(&ss->by_dialog);
		free(ss);
		return NULL;
	}
	metrics_register(&m_now);
	subscribe_register_metrics();
	metrics_register(&m_notifies);
	return ss;
}

static void free_watched(struct hnode *n, void *arg)
{
	struct watched *x = container_of(n, struct watched, node);

	x->n++;					/* htab_each lets us delete this one only, at its end */
	while (!list_empty(&x->subscriptions))
		remove_subscription(list_entry(x->subscriptions.next, struct subscription, of_identity));
	x->n--;
	watched_put(arg, x);
}

void subscriptions_free(struct subscriptions *ss)
{
	if (!ss)
		return;
	htab_each(&ss->by_aor, free_watched, ss);
	htab_fini(&ss->by_dialog);
	htab_fini(&ss->by_aor);
	free(ss);
}

/* ---- for REST ---- */

struct listing {
	struct gather *g;
	uint64_t n;
	uint64_t now_ms;
};

static void list_one(struct hnode *n, void *arg)
{
	const struct subscription *s = container_of(n, struct subscription, node);
	struct listing *l = arg;
	struct str aor = subscription_aor(s), call_id = dialog_call_id(s->d);
	char text[512];
	cJSON *o;

	if (++l->n <= l->g->after)
		return;
	if (l->g->limit == 0) {
		l->g->more = true;
		return;
	}
	o = cJSON_CreateObject();
	str_copy(aor, text, sizeof(text));
	cJSON_AddStringToObject(o, "impu", text);
	cJSON_AddStringToObject(o, "subscriber", s->subscriber ? s->subscriber : "");
	str_copy(call_id, text, sizeof(text));
	cJSON_AddStringToObject(o, "callId", text);
	cJSON_AddStringToObject(o, "state", s->ended ? "terminated" : "active");
	cJSON_AddNumberToObject(o, "expiresInS", (double)(s->expires_ms > l->now_ms ? (s->expires_ms - l->now_ms) / 1000 : 0));
	cJSON_AddNumberToObject(o, "version", s->version);
	cJSON_AddItemToArray(l->g->items, o);
	l->g->last = l->n;
	l->g->limit--;
}

void subscriptions_list(struct subscriptions *ss, struct gather *g)
{
	struct listing l = { g, 0, ss->sw->w->wheel->now_ms };

	htab_each(&ss->by_dialog, list_one, &l);
}
