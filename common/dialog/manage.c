/* common/dialog/manage.c - what is done with the dialogs of a table beside watching them: shown, limited, ended by us.
 * TS 24.229 §5.4.5. */
#include <errno.h>
#include "common/dialog/entries.h"

void dialog_table_keep_ends(struct dialog_table *t)
{
	t->keep_ends = true;
}

void dialog_table_attach(struct dialog_table *t, const struct sip_msg *invite, unsigned which, struct obj *o)
{
	struct call *c = dialog_call_find(t, invite->call_id);
	struct entry *e = c ? dialog_entry_find_attempt(c, invite) : NULL;

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
	struct call *c = dialog_call_find(t, call_id);
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

static bool holds(const struct entry *e, const struct obj *o)
{
	for (unsigned i = 0; i < DIALOG_MAX_ATTACHED; i++)
		if (e->held[i] == o)
			return true;
	return false;
}

uint64_t dialog_table_holding(const struct dialog_table *t, struct str call_id, const struct obj *o, uint64_t after, unsigned end,
			      struct str *ret_contact)
{
	struct call *c = dialog_call_find(t, call_id);
	uint64_t id = 0;
	struct list *i;

	*ret_contact = STR_NONE;
	if (!c)
		return 0;
	list_for_each(i, &c->entries) {
		const struct entry *e = list_entry(i, const struct entry, in_call);

		if (e->state != ENTRY_CONFIRMED || e->id <= after || (id && e->id > id) || !holds(e, o))
			continue;
		id = e->id;
		*ret_contact = str_from_c(e->ends ? e->ends->contact[end] : NULL);
	}
	return id;
}

static struct entry *find_confirmed(const struct dialog_table *t, struct str call_id, uint64_t id)
{
	struct call *c = dialog_call_find(t, call_id);
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
		ret[to] = dialog_ends_bye(e->ends, to, &n, reason, STR_NONE);
	if (!ret[0] && !ret[1])
		return -EPROTO;
	dialog_entry_bye_seen(e);
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
		v = dialog_entry_view(e);
		fn(arg, &v);
	}
}

void dialog_table_each_of(const struct dialog_table *t, struct str call_id, void (*fn)(void *arg, const struct dialog_view *v), void *arg)
{
	struct call *c = dialog_call_find(t, call_id);
	struct dialog_view v;
	struct list *i;

	if (!c)
		return;
	list_for_each(i, &c->entries) {
		const struct entry *e = list_entry(i, const struct entry, in_call);

		if (e->has_dialogs)
			continue;
		v = dialog_entry_view(e);
		fn(arg, &v);
	}
}
