/* common/dialog/table.c - the dialogs that pass through a proxy: early ones per To tag, confirmed by a 2xx, ended by BYE.
 * RFC 3261 §12.1, §12.3, §13.2.2.4, §15.
 *
 * Entries of one Call-ID hang on one struct call: a handful, walked in line. */
#include <errno.h>
#include <stdlib.h>
#include "common/dialog/dialog.h"
#include "common/log/log.h"
#include "common/util/clock.h"

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
	char *from_tag, *to_tag;	/* to_tag "": no response with a tag yet */
	char *from_uri, *to_uri, *icid;
};

struct dialog_table {
	struct wheel *wheel;
	struct htab calls;
	struct list entries;
	uint32_t n, max, max_age_s;
	uint64_t last_id;
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
	free(e);
}

static void entry_free(struct entry *e)
{
	struct call *c = e->call;
	struct dialog_table *t = e->t;

	timer_stop(&e->timer);
	list_del(&e->in_call);
	list_del(&e->in_table);
	c->n--;
	t->n--;
	call_drop_empty(t, c);
	entry_texts_free(e);
}

static void on_timer(struct timer *tm)
{
	struct entry *e = container_of(tm, struct entry, timer);

	log_debug(LOG_SESS, "dialog forgotten", LOG_C("state", state_names[e->state]), LOG_C("call_id", e->call->call_id));
	entry_free(e);
}

static void entry_age(struct entry *e)
{
	timer_start(e->t->wheel, &e->timer, (uint64_t)e->t->max_age_s * 1000);
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
	while (!list_empty(&t->entries))
		entry_free(list_entry(t->entries.next, struct entry, in_table));
	htab_fini(&t->calls);
	free(t);
}

/* ---- lookup ---- */

static struct entry *find_pending(const struct call *c, const struct sip_msg *m)
{
	struct list *i;

	list_for_each(i, &c->entries) {
		struct entry *e = list_entry(i, struct entry, in_call);

		if (!e->to_tag[0] && e->invite_cseq == m->cseq && str_eq_c(m->from_tag, e->from_tag))
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

/* Early dialogs that the INVITE of this response made, the call attempt itself included. */
static bool is_early_of(const struct entry *e, const struct sip_msg *m)
{
	return e->state == ENTRY_EARLY && e->invite_cseq == m->cseq && str_eq_c(m->from_tag, e->from_tag);
}

/* ---- what passes ---- */

static void bye_seen(struct entry *e)
{
	e->state = ENTRY_TERMINATED;
	timer_start(e->t->wheel, &e->timer, TABLE_LINGER_MS);
}

/* Another BYE follows. */
static void bye_challenged(struct entry *e)
{
	e->state = e->answered_wall_us ? ENTRY_CONFIRMED : ENTRY_EARLY;
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
		if (m->method == SIP_BYE)
			bye_seen(e);
		else if (e->state == ENTRY_CONFIRMED)
			entry_age(e);
		return;
	}
	if (m->method != SIP_INVITE || (c && find_pending(c, m)))
		return;
	e = entry_new(t, m->call_id, m->from_tag, STR_NONE, m->from.uri.text, m->to.uri.text, icid);
	if (!e)
		return;
	e->side = side;
	e->invite_cseq = m->cseq;
}

/* The dialog a 101..299 belongs to: there already, the attempt that gets its tag now, or one more fork beside it. */
static struct entry *entry_for(struct dialog_table *t, struct call *c, const struct sip_msg *m)
{
	struct entry *e = find_dialog(c, m), *sibling = NULL;
	struct list *i;
	char *tag;

	if (e)
		return e;
	e = find_pending(c, m);
	if (e) {
		tag = str_dup(m->to_tag);
		if (!tag)
			return NULL;
		free(e->to_tag);
		e->to_tag = tag;
		return e;
	}
	list_for_each(i, &c->entries) {
		e = list_entry(i, struct entry, in_call);
		if (e->invite_cseq == m->cseq && str_eq_c(m->from_tag, e->from_tag))
			sibling = e;
	}
	if (!sibling)
		return NULL;
	e = entry_new(t, m->call_id, m->from_tag, m->to_tag, str_from_c(sibling->from_uri), str_from_c(sibling->to_uri),
		      str_from_c(sibling->icid));
	if (e) {
		e->side = sibling->side;
		e->invite_cseq = sibling->invite_cseq;
		e->started_wall_us = sibling->started_wall_us;
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

static void early_end(struct call *c, const struct sip_msg *m)
{
	struct list *i, *tmp;
	unsigned n = c->n;

	list_for_each_safe(i, tmp, &c->entries) {
		struct entry *e = list_entry(i, struct entry, in_call);

		n--;
		if (is_early_of(e, m))
			entry_free(e);	/* the last one takes c along */
		if (!n)
			break;
	}
}

static void invite_response(struct dialog_table *t, struct call *c, const struct sip_msg *m)
{
	struct entry *e = find_dialog(c, m);

	if (e && e->state != ENTRY_EARLY) {	/* of a re-INVITE: §12.2.1.2 */
		if (m->status == 408 || m->status == 481)
			entry_free(e);
		else if (m->status < 300 && e->state == ENTRY_CONFIRMED)
			entry_age(e);
		return;
	}
	if (m->status >= 300) {
		early_end(c, m);
		return;
	}
	if (m->status == 100 || !m->to_tag.l)
		return;
	e = entry_for(t, c, m);
	if (!e || m->status < 200)
		return;
	e->state = ENTRY_CONFIRMED;
	e->answered_wall_us = clock_wall_us();
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

uint32_t dialog_table_count(const struct dialog_table *t)
{
	return t->n;
}

void dialog_table_each(const struct dialog_table *t, uint64_t after_id, unsigned max,
		       void (*fn)(void *arg, const struct dialog_view *v), void *arg)
{
	struct list *i;

	list_for_each(i, &t->entries) {
		const struct entry *e = list_entry(i, const struct entry, in_table);

		if (e->id <= after_id)
			continue;
		if (!max--)
			return;
		fn(arg, &(struct dialog_view){
			.id = e->id, .state = state_names[e->state], .call_id = str_from_c(e->call->call_id),
			.from_tag = str_from_c(e->from_tag), .to_tag = str_from_c(e->to_tag),
			.from_uri = str_from_c(e->from_uri), .to_uri = str_from_c(e->to_uri), .icid = str_from_c(e->icid),
			.started_wall_us = e->started_wall_us, .answered_wall_us = e->answered_wall_us, .side = e->side,
		});
	}
}
