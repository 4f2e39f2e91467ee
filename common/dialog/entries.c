/* common/dialog/entries.c - calls and their entries: made, found, forgotten. */
#include <errno.h>
#include <stdlib.h>
#include "common/dialog/entries.h"
#include "common/log/log.h"
#include "common/util/clock.h"

static const char *const state_names[] = { "early", "confirmed", "terminated" };

static bool call_eq(const struct hnode *n, const void *key)
{
	const struct call *c = container_of(n, struct call, node);

	return str_eq(*(const struct str *)key, str_from_c(c->call_id));
}

struct call *dialog_call_find(const struct dialog_table *t, struct str call_id)
{
	struct hnode *n = htab_find(&t->calls, hash_str(call_id), call_eq, &call_id);

	return n ? container_of(n, struct call, node) : NULL;
}

static struct call *call_get(struct dialog_table *t, struct str call_id)
{
	struct call *c = dialog_call_find(t, call_id);

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
	for (unsigned i = 0; i < DIALOG_MAX_ATTACHED; i++)
		obj_unref(e->held[i]);
	free(e);
}

static uint32_t session_left_s(const struct entry *e)
{
	uint64_t now = e->t->wheel->now_ms + TABLE_LINGER_MS;

	return e->session_s && e->state == ENTRY_CONFIRMED && e->timer.at_ms > now ? (uint32_t)((e->timer.at_ms - now) / 1000) : 0;
}

struct dialog_view dialog_entry_view(const struct entry *e)
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

void dialog_entry_tell(struct entry *e, const char *what, unsigned status)
{
	struct dialog_view v;

	if (!e->t->watch_fn)
		return;
	v = dialog_entry_view(e);
	e->t->watch_fn(e->t->watch_arg, what, status, &v);
}

void dialog_entry_tell_end(struct entry *e)
{
	if (e->answered_wall_us && !e->told_end)
		dialog_entry_tell(e, "ended", 0);
	e->told_end = true;
}

void dialog_entry_free(struct entry *e)
{
	struct call *c = e->call;
	struct dialog_table *t = e->t;

	dialog_entry_tell_end(e);
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
	dialog_entry_free(e);
}

/* A session timer counts from the refreshes only, anything else within a dialog puts its age off. */
void dialog_entry_age(struct entry *e)
{
	if (!e->session_s || e->state != ENTRY_CONFIRMED)
		timer_start(e->t->wheel, &e->timer, (uint64_t)e->t->max_age_s * 1000);
}

void dialog_entry_session_start(struct entry *e)
{
	timer_start(e->t->wheel, &e->timer, (uint64_t)e->session_s * 1000 + TABLE_LINGER_MS);
}

void dialog_entry_bye_seen(struct entry *e)
{
	e->state = ENTRY_TERMINATED;
	dialog_entry_tell_end(e);
	timer_start(e->t->wheel, &e->timer, TABLE_LINGER_MS);
}

struct entry *dialog_entry_new(struct dialog_table *t, struct str call_id, struct str from_tag, struct str to_tag,
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
	dialog_entry_age(e);
	return e;
fail:
	if (c)
		call_drop_empty(t, c);
	return NULL;
}

struct entry *dialog_entry_find_attempt(const struct call *c, const struct sip_msg *m)
{
	struct list *i;

	list_for_each(i, &c->entries) {
		struct entry *e = list_entry(i, struct entry, in_call);

		if (dialog_entry_is_attempt(e) && e->invite_cseq == m->cseq && str_eq_c(m->from_tag, e->from_tag))
			return e;
	}
	return NULL;
}

struct entry *dialog_entry_find_dialog(const struct call *c, const struct sip_msg *m)
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
