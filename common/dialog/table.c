/* common/dialog/table.c - the dialogs that pass through a proxy: early ones per To tag, confirmed by a 2xx, ended by BYE.
 * RFC 3261 §12.1, §12.3, §13.2.2.4, §15; RFC 4028 §8.3; RFC 6228.
 *
 * Entries of one Call-ID hang on one struct call: a handful, walked in line.  The INVITE itself is an entry without a To tag, the
 * attempt: it stands until its final response has left upstream, and as often as the INVITE came (an S-CSCF on both sides of a
 * call sees it twice).  It shows as a dialog only while no response has made one. */
#include <errno.h>
#include <stdlib.h>
#include "common/dialog/dialog.h"
#include "common/dialog/ends.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/clock.h"

static METRIC_DEF(m_setup, "cscf_session_setup_seconds", METRIC_HISTOGRAM, "From an INVITE to its 200.", NULL, NULL);

#define TABLE_MAX_PER_CALL 64u		/* forks of one call; more are not watched */
#define TABLE_LINGER_MS 32000u		/* 64*T1: losers of a fork after the 2xx, and a BYE that nobody answers */

enum entry_state { ENTRY_EARLY, ENTRY_CONFIRMED, ENTRY_TERMINATED };
static const char *const state_names[] = { "early", "confirmed", "terminated" };

struct call {
	struct hnode node;
	char *call_id;
	struct list entries;
	unsigned n;
};

struct entry {
	struct list in_call, in_table;	/* in_table: in order of id */
	struct dialog_table *t;
	struct call *call;
	struct timer timer;
	enum entry_state state;
	uint8_t side;
	uint64_t id, started_wall_us, answered_wall_us;
	uint32_t invite_cseq;		/* of the INVITE that made it */
	uint64_t branch;		/* hash of our Via on the response that made it: the branch it lives on */
	uint16_t open;			/* of an attempt: INVITEs without a final response */
	bool has_dialogs;		/* of an attempt: some response made one */
	uint32_t session_s;		/* RFC 4028: it ends when not refreshed so long; 0: no session timer */
	bool refresher_uas;
	char *from_tag, *to_tag;	/* to_tag "": no response with a tag yet */
	char *from_uri, *to_uri, *icid;
	struct dialog_ends *ends;	/* NULL: not kept */
	struct timer limit;
	bool rang, told_end;		/* what the watcher has heard */
	struct obj *held[2];		/* dialog_table_attach() */
};

struct dialog_table {
	struct wheel *wheel;
	struct htab calls;
	struct list entries;
	uint32_t n, max, max_age_s;
	uint32_t hidden;		/* of n: attempts that do not show */
	uint64_t last_id, expired;
	bool keep_ends;
	uint32_t limit_s;
	dialog_limit_fn limit_fn;
	void *limit_arg;
	dialog_watch_fn watch_fn;
	void *watch_arg;
};

static bool call_eq(const struct hnode *n, const void *key)
{
	const struct call *c = container_of(n, struct call, node);

	return str_eq(*(const struct str *)key, str_from_c(c->call_id));
}

static struct call *call_find(const struct dialog_table *t, struct str call_id)
{
	struct hnode *n = htab_find(&t->calls, hash_str(call_id), call_eq, &call_id);

	return n ? container_of(n, struct call, node) : NULL;
}

static struct call *call_get(struct dialog_table *t, struct str call_id)
{
	struct call *c = call_find(t, call_id);

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->call_id = str_dup(call_id);
	if (!c->call_id) {
		free(c);
		return NULL;
	}
	list_init(&c->entries);
	htab_add(&t->calls, &c->node, hash_str(call_id));
	return c;
}

static void call_drop_empty(struct dialog_table *t, struct call *c)
{
	if (c->n)
		return;
	htab_del(&t->calls, &c->node);
	free(c->call_id);
	free(c);
}

static void entry_texts_free(struct entry *e)
{
	free(e->from_tag);
	free(e->to_tag);
	free(e->from_uri);
	free(e->to_uri);
	free(e->icid);
	dialog_ends_free(e->ends);
	obj_unref(e->held[0]);
	obj_unref(e->held[1]);
	free(e);
}

static bool is_attempt(const struct entry *e)
{
	return !e->to_tag[0];
}

static struct dialog_view view_of(const struct entry *e);

static void tell(struct entry *e, const char *what, unsigned status)
{
	struct dialog_view v;

	if (!e->t->watch_fn)
		return;
	v = view_of(e);
	e->t->watch_fn(e->t->watch_arg, what, status, &v);
}

static void tell_end(struct entry *e)
{
	if (e->answered_wall_us && !e->told_end)
		tell(e, "ended", 0);
	e->told_end = true;
}

static void entry_free(struct entry *e)
{
	struct call *c = e->call;
	struct dialog_table *t = e->t;

	tell_end(e);
	timer_stop(&e->timer);
	timer_stop(&e->limit);
	t->hidden -= e->has_dialogs;
	list_del(&e->in_call);
	list_del(&e->in_table);
	c->n--;
	t->n--;
	call_drop_empty(t, c);
	entry_texts_free(e);
}

static void on_limit(struct timer *tm)
{
	struct entry *e = container_of(tm, struct entry, limit);

	if (e->state == ENTRY_CONFIRMED && e->t->limit_fn)
		e->t->limit_fn(e->t->limit_arg, str_from_c(e->call->call_id), e->id);
}

static void on_timer(struct timer *tm)
{
	struct entry *e = container_of(tm, struct entry, timer);

	if (e->session_s && e->state == ENTRY_CONFIRMED) {	/* RFC 4028 §8.3: nobody refreshed it */
		e->t->expired++;
		log_info(LOG_SESS, "session expired without a refresh", LOG_U("session_s", e->session_s), LOG_C("from", e->from_uri),
			 LOG_C("to", e->to_uri), LOG_C("call_id", e->call->call_id));
	} else {
		log_debug(LOG_SESS, "dialog forgotten", LOG_C("state", state_names[e->state]),
			  LOG_C("call_id", e->call->call_id));
	}
	entry_free(e);
}

/* A session timer counts from the refreshes only, anything else within a dialog puts its age off. */
static void entry_age(struct entry *e)
{
	if (!e->session_s || e->state != ENTRY_CONFIRMED)
		timer_start(e->t->wheel, &e->timer, (uint64_t)e->t->max_age_s * 1000);
}

static void session_start(struct entry *e)
{
	timer_start(e->t->wheel, &e->timer, (uint64_t)e->session_s * 1000 + TABLE_LINGER_MS);
}

/* All texts are copied.  NULL when the table or the call is full, or out of memory. */
static struct entry *entry_new(struct dialog_table *t, struct str call_id, struct str from_tag, struct str to_tag,
			       struct str from_uri, struct str to_uri, struct str icid)
{
	struct call *c = t->n < t->max ? call_get(t, call_id) : NULL;
	struct entry *e = c && c->n < TABLE_MAX_PER_CALL ? calloc(1, sizeof(*e)) : NULL;

	if (!e) {
		log_debug(LOG_SESS, "dialog not watched: limit", LOG_U("dialogs", t->n), LOG_S("call_id", call_id));
		goto fail;
	}
	e->from_tag = str_dup(from_tag);
	e->to_tag = str_dup(to_tag);
	e->from_uri = str_dup(from_uri);
	e->to_uri = str_dup(to_uri);
	e->icid = str_dup(icid);
	if (!e->from_tag || !e->to_tag || !e->from_uri || !e->to_uri || !e->icid) {
		entry_texts_free(e);
		goto fail;
	}
	e->t = t;
	e->call = c;
	e->id = ++t->last_id;
	e->started_wall_us = clock_wall_us();
	list_add_tail(&c->entries, &e->in_call);
	list_add_tail(&t->entries, &e->in_table);
	c->n++;
	t->n++;
	timer_init(&e->timer, on_timer);
	timer_init(&e->limit, on_limit);
	entry_age(e);
	return e;
fail:
	if (c)
		call_drop_empty(t, c);
	return NULL;
}

struct dialog_table *dialog_table_new(struct wheel *w, uint32_t max_dialogs, uint32_t max_age_s)
{
	struct dialog_table *t = calloc(1, sizeof(*t));

	metrics_register(&m_setup);
	if (!t)
		return NULL;
	if (htab_init(&t->calls, 64)) {
		free(t);
		return NULL;
	}
	t->wheel = w;
	t->max = max_dialogs;
	t->max_age_s = max_age_s;
	list_init(&t->entries);
	return t;
}

void dialog_table_free(struct dialog_table *t)
{
	if (!t)
		return;
	t->watch_fn = NULL;
	while (!list_empty(&t->entries))
		entry_free(list_entry(t->entries.next, struct entry, in_table));
	htab_fini(&t->calls);
	free(t);
}

/* ---- lookup ---- */

static struct entry *find_attempt(const struct call *c, const struct sip_msg *m)
{
	struct list *i;

	list_for_each(i, &c->entries) {
		struct entry *e = list_entry(i, struct entry, in_call);

		if (is_attempt(e) && e->invite_cseq == m->cseq && str_eq_c(m->from_tag, e->from_tag))
			return e;
	}
	return NULL;
}

/* By both tags, whichever end sent it. */
static struct entry *find_dialog(const struct call *c, const struct sip_msg *m)
{
	struct list *i;

	if (!m->to_tag.l)
		return NULL;
	list_for_each(i, &c->entries) {
		struct entry *e = list_entry(i, struct entry, in_call);

		if ((str_eq_c(m->from_tag, e->from_tag) && str_eq_c(m->to_tag, e->to_tag)) ||
		    (str_eq_c(m->from_tag, e->to_tag) && str_eq_c(m->to_tag, e->from_tag)))
			return e;
	}
	return NULL;
}

/* Early dialogs that this INVITE, or the INVITE of this response, made; not the attempt. */
static bool is_early_of(const struct entry *e, const struct sip_msg *m)
{
	return e->state == ENTRY_EARLY && !is_attempt(e) && e->invite_cseq == m->cseq && str_eq_c(m->from_tag, e->from_tag);
}

/* ---- what passes ---- */

/* Did the callee send the request, or is it answered by the caller? */
static bool from_callee(const struct entry *e, const struct sip_msg *m)
{
	return !str_eq_c(m->from_tag, e->from_tag);
}

static void bye_seen(struct entry *e)
{
	e->state = ENTRY_TERMINATED;
	tell_end(e);
	timer_start(e->t->wheel, &e->timer, TABLE_LINGER_MS);
}

/* Another BYE follows. */
static void bye_challenged(struct entry *e)
{
	e->state = e->answered_wall_us ? ENTRY_CONFIRMED : ENTRY_EARLY;
	if (e->session_s)
		session_start(e);
	else
		entry_age(e);
}

void dialog_table_request(struct dialog_table *t, const struct sip_msg *m, uint8_t side, struct str icid)
{
	struct call *c = call_find(t, m->call_id);
	struct entry *e;

	if (m->to_tag.l) {
		e = c ? find_dialog(c, m) : NULL;
		if (!e || e->state == ENTRY_TERMINATED)
			return;
		if (e->ends)
			dialog_ends_request(e->ends, from_callee(e, m), m);
		if (m->method == SIP_BYE)
			bye_seen(e);
		else if (e->state == ENTRY_CONFIRMED)
			entry_age(e);
		return;
	}
	if (m->method != SIP_INVITE)
		return;
	e = c ? find_attempt(c, m) : NULL;
	if (e) {
		e->open++;
		return;
	}
	e = entry_new(t, m->call_id, m->from_tag, STR_NONE, m->from.uri.text, m->to.uri.text, icid);
	if (!e)
		return;
	e->side = side;
	e->invite_cseq = m->cseq;
	e->open = 1;
	if (t->keep_ends)
		e->ends = dialog_ends_new(m);
	tell(e, "started", 0);
}

/* The attempt, or when it is over another dialog that the same INVITE made. */
static struct entry *find_sibling(struct call *c, const struct sip_msg *m)
{
	struct entry *e = find_attempt(c, m);
	struct list *i;

	if (e)
		return e;
	list_for_each(i, &c->entries) {
		e = list_entry(i, struct entry, in_call);
		if (e->invite_cseq == m->cseq && str_eq_c(m->from_tag, e->from_tag))
			return e;
	}
	return NULL;
}

/* The dialog a 101..299 belongs to: there already, or one that this response makes. */
static struct entry *entry_for(struct dialog_table *t, struct call *c, const struct sip_msg *m)
{
	struct entry *e = find_dialog(c, m), *sibling;

	if (e)
		return e;
	sibling = find_sibling(c, m);
	if (!sibling)
		return NULL;
	e = entry_new(t, m->call_id, m->from_tag, m->to_tag, str_from_c(sibling->from_uri), str_from_c(sibling->to_uri),
		      str_from_c(sibling->icid));
	if (!e)
		return NULL;
	e->side = sibling->side;
	e->invite_cseq = sibling->invite_cseq;
	e->started_wall_us = sibling->started_wall_us;
	e->branch = hash_str(m->via.branch);
	e->ends = dialog_ends_copy(sibling->ends);
	e->held[0] = obj_ref(sibling->held[0]);
	e->held[1] = obj_ref(sibling->held[1]);
	if (is_attempt(sibling) && !sibling->has_dialogs) {
		sibling->has_dialogs = true;
		t->hidden++;
	}
	return e;
}

/* §13.2.2.4: other early dialogs of this INVITE end 64*T1 after the first 2xx. */
static void losers_linger(struct call *c, const struct sip_msg *m)
{
	struct list *i;

	list_for_each(i, &c->entries) {
		struct entry *e = list_entry(i, struct entry, in_call);

		if (is_early_of(e, m))
			timer_start(e->t->wheel, &e->timer, TABLE_LINGER_MS);
	}
}

/* The early dialogs of this INVITE: all, or those that the response ends: that of its To tag and the others of its branch
 * (RFC 3261 §13.2.2.3; a 199 ends only the one, RFC 6228 §1). */
static void early_end(struct call *c, const struct sip_msg *m, bool all)
{
	uint64_t branch = m->request || m->status < 200 ? 0 : hash_str(m->via.branch);
	struct list *i, *tmp;
	unsigned n = c->n;

	list_for_each_safe(i, tmp, &c->entries) {
		struct entry *e = list_entry(i, struct entry, in_call);

		n--;
		if (is_early_of(e, m) && (all || str_eq_c(m->to_tag, e->to_tag) || (branch && e->branch == branch)))
			entry_free(e);	/* the last one takes c along */
		if (!n)
			break;
	}
}

void dialog_table_final(struct dialog_table *t, const struct sip_msg *invite, unsigned status)
{
	struct call *c = invite->method == SIP_INVITE && !invite->to_tag.l ? call_find(t, invite->call_id) : NULL;
	struct entry *e = c ? find_attempt(c, invite) : NULL;

	if (!e || --e->open)
		return;
	if (status / 100 != 2) {
		early_end(c, invite, true);	/* leaves c: the attempt is still there */
		tell(e, "failed", status);
	}
	entry_free(e);
}

void dialog_table_session(struct dialog_table *t, const struct sip_msg *m, uint32_t session_s, bool refresher_uas)
{
	struct call *c = call_find(t, m->call_id);
	struct entry *e = c ? find_dialog(c, m) : NULL;

	if (!e || e->state != ENTRY_CONFIRMED)
		return;
	e->session_s = session_s;
	e->refresher_uas = refresher_uas;
	if (session_s)
		session_start(e);
	else
		entry_age(e);
}

static void invite_response(struct dialog_table *t, struct call *c, const struct sip_msg *m)
{
	struct entry *e = find_dialog(c, m);
	bool first;

	if (e && e->state != ENTRY_EARLY) {	/* of a re-INVITE: §12.2.1.2 */
		if (m->status == 408 || m->status == 481)
			entry_free(e);
		else if (m->status < 300 && e->state == ENTRY_CONFIRMED)
			entry_age(e);
		if (m->status >= 200 && m->status < 300 && e->ends)	/* who answers is not who asked */
			dialog_ends_response(e->ends, !from_callee(e, m), m);
		return;
	}
	if (m->status >= 300 || m->status == 199) {
		early_end(c, m, false);
		return;
	}
	if (m->status == 100 || !m->to_tag.l)
		return;
	e = entry_for(t, c, m);
	if (e && m->status == 180 && !e->rang) {
		e->rang = true;
		tell(e, "ringing", 180);
	}
	if (!e || m->status < 200)
		return;
	if (m->method == SIP_INVITE && e->state != ENTRY_CONFIRMED)
		metric_observe_us(&m_setup, NULL, NULL, clock_wall_us() - e->started_wall_us);
	first = e->state == ENTRY_EARLY;
	e->state = ENTRY_CONFIRMED;
	e->answered_wall_us = clock_wall_us();
	if (first)
		tell(e, "answered", m->status);
	if (e->ends)
		dialog_ends_answered(e->ends, m, 1);
	if (t->limit_s)
		timer_start(t->wheel, &e->limit, (uint64_t)t->limit_s * 1000);
	entry_age(e);
	losers_linger(c, m);
}

void dialog_table_response(struct dialog_table *t, const struct sip_msg *m, uint8_t side)
{
	struct call *c = call_find(t, m->call_id);
	struct entry *e;

	(void)side;		/* settled by the INVITE */
	if (!c)
		return;
	if (m->method == SIP_INVITE) {
		invite_response(t, c, m);
		return;
	}
	e = find_dialog(c, m);
	if (!e)
		return;
	if (m->method == SIP_BYE && m->status >= 200 && m->status != 401 && m->status != 407)	/* §15.1.1 */
		entry_free(e);
	else if (m->status == 481 && e->state == ENTRY_CONFIRMED)	/* §12.2.1.2 */
		entry_free(e);
	else if (m->method == SIP_BYE && m->status >= 200)
		bye_challenged(e);
}

/* ---- ended by us: TS 24.229 §5.4.5 ---- */

void dialog_table_keep_ends(struct dialog_table *t)
{
	t->keep_ends = true;
}

void dialog_table_attach(struct dialog_table *t, const struct sip_msg *invite, unsigned which, struct obj *o)
{
	struct call *c = call_find(t, invite->call_id);
	struct entry *e = c ? find_attempt(c, invite) : NULL;

	if (!e)
		return;
	obj_unref(e->held[which]);
	e->held[which] = obj_ref(o);
}

void dialog_table_limit(struct dialog_table *t, uint32_t limit_s, dialog_limit_fn fn, void *arg)
{
	t->limit_s = limit_s;
	t->limit_fn = fn;
	t->limit_arg = arg;
}

uint64_t dialog_table_of_call(const struct dialog_table *t, struct str call_id, uint64_t after)
{
	struct call *c = call_find(t, call_id);
	uint64_t id = 0;
	struct list *i;

	if (!c)
		return 0;
	list_for_each(i, &c->entries) {
		const struct entry *e = list_entry(i, const struct entry, in_call);

		if (e->state == ENTRY_CONFIRMED && e->id > after && (id == 0 || e->id < id))
			id = e->id;
	}
	return id;
}

static struct entry *find_confirmed(const struct dialog_table *t, struct str call_id, uint64_t id)
{
	struct call *c = call_find(t, call_id);
	struct list *i;

	if (!c)
		return NULL;
	list_for_each(i, &c->entries) {
		struct entry *e = list_entry(i, struct entry, in_call);

		if (e->id == id)
			return e->state == ENTRY_CONFIRMED ? e : NULL;
	}
	return NULL;
}

int dialog_table_release(struct dialog_table *t, struct str call_id, uint64_t id, struct str reason, struct bytes *ret[2])
{
	struct entry *e = find_confirmed(t, call_id, id);
	struct dialog_names n;

	if (!e)
		return -ENOENT;
	if (!e->ends)
		return -EPROTO;
	n = (struct dialog_names){ .call_id = str_from_c(e->call->call_id), .uri = { str_from_c(e->from_uri), str_from_c(e->to_uri) },
				   .tag = { str_from_c(e->from_tag), str_from_c(e->to_tag) } };
	for (unsigned to = 0; to < 2; to++)
		ret[to] = dialog_ends_bye(e->ends, to, &n, reason);
	if (!ret[0] && !ret[1])
		return -EPROTO;
	bye_seen(e);
	return 0;
}

uint32_t dialog_table_count(const struct dialog_table *t)
{
	return t->n - t->hidden;
}

uint64_t dialog_table_expired(const struct dialog_table *t)
{
	return t->expired;
}

static uint32_t session_left_s(const struct entry *e)
{
	uint64_t now = e->t->wheel->now_ms + TABLE_LINGER_MS;

	return e->session_s && e->state == ENTRY_CONFIRMED && e->timer.at_ms > now ? (uint32_t)((e->timer.at_ms - now) / 1000) : 0;
}

static struct dialog_view view_of(const struct entry *e)
{
	return (struct dialog_view){
		.id = e->id, .state = state_names[e->state], .call_id = str_from_c(e->call->call_id),
		.from_tag = str_from_c(e->from_tag), .to_tag = str_from_c(e->to_tag),
		.from_uri = str_from_c(e->from_uri), .to_uri = str_from_c(e->to_uri), .icid = str_from_c(e->icid),
		.session_s = e->session_s, .refresher = e->session_s ? e->refresher_uas ? "uas" : "uac" : NULL,
		.session_left_s = session_left_s(e),
		.started_wall_us = e->started_wall_us, .answered_wall_us = e->answered_wall_us, .side = e->side,
	};
}

void dialog_table_watch(struct dialog_table *t, dialog_watch_fn fn, void *arg)
{
	t->watch_fn = fn;
	t->watch_arg = arg;
}

void dialog_table_each(const struct dialog_table *t, uint64_t after_id, unsigned max,
		       void (*fn)(void *arg, const struct dialog_view *v), void *arg)
{
	struct dialog_view v;
	struct list *i;

	list_for_each(i, &t->entries) {
		const struct entry *e = list_entry(i, const struct entry, in_table);

		if (e->id <= after_id || e->has_dialogs)
			continue;
		if (!max--)
			return;
		v = view_of(e);
		fn(arg, &v);
	}
}
