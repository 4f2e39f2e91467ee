/* pcscf/call_stored.c - answered calls over a restart, as policy control and call records need them.  Rows H1, Q4, G4.
 *
 * A call that could have gone on only with what ended meanwhile is over at once: its record is written, and what the peer of policy
 * control has of it is ended by the backend, which finds no call for it. */
#include <errno.h>
#include "common/log/log.h"
#include "common/store/fields.h"
#include "pcscf/call_private.h"
#include "pcscf/policy.h"
#include "pcscf/stored.h"

enum { DIALOG = 100, DIALOG_OVER, POLICY };
struct kept {
	uint64_t binding_id, started_wall_us, answered_wall_us;
	uint32_t status;
	uint8_t ue_called, emergency;
	struct str call_id, icid, from, to, caller_tag, service, priority, impi, identity;
	struct call_dialog dialog[CALL_MAX_DIALOGS];
	unsigned n_dialogs;
	struct str policy;
};
static const struct field kept_fields[] = {
	FIELD(1, FIELD_U64, struct kept, binding_id),
	FIELD(2, FIELD_U64, struct kept, started_wall_us),
	FIELD(3, FIELD_U64, struct kept, answered_wall_us),
	FIELD(4, FIELD_U32, struct kept, status),
	FIELD(5, FIELD_U8, struct kept, ue_called),
	FIELD(6, FIELD_U8, struct kept, emergency),
	FIELD(7, FIELD_STR, struct kept, call_id),
	FIELD(8, FIELD_STR, struct kept, icid),
	FIELD(9, FIELD_STR, struct kept, from),
	FIELD(10, FIELD_STR, struct kept, to),
	FIELD(11, FIELD_STR, struct kept, caller_tag),
	FIELD(12, FIELD_STR, struct kept, service),
	FIELD(13, FIELD_STR, struct kept, priority),
	FIELD(14, FIELD_STR, struct kept, impi),
	FIELD(15, FIELD_STR, struct kept, identity),
	{ 0 },
};

static struct str key_of(const struct call *c)
{
	return str_make((const char *)&c->key, sizeof(c->key));
}

void call_keep(const struct call *c)
{
	struct worker *w = call_worker(c);
	struct buf out, policy;
	struct kept k;

	if (!w->store || c->state != CALL_CONFIRMED)
		return;
	k = (struct kept){
		.binding_id = c->b->id, .started_wall_us = c->started_wall_us, .answered_wall_us = c->answered_wall_us, .status = c->status,
		.ue_called = c->ue_called, .emergency = c->emergency, .call_id = c->call_id, .icid = c->icid, .from = c->from, .to = c->to,
		.caller_tag = c->caller_tag, .service = c->service, .priority = c->priority, .impi = c->b->impi,
		.identity = c->b->n_identities ? c->b->identity[0].value : STR_NONE,
	};
	buf_init(&out, STORED_MAX_BYTES);
	buf_init(&policy, STORED_MAX_BYTES);
	fields_write(kept_fields, &k, &out);
	for (unsigned i = 0; i < c->n_dialogs; i++)
		field_write(c->dialog[i].over ? DIALOG_OVER : DIALOG, c->dialog[i].callee_tag, &out);
	if (c->policy)
		policy_keep(c, &policy);
	if (policy.l)
		field_write(POLICY, buf_str(&policy), &out);
	if (out.failed || policy.failed ||
	    store_put(w->store, STORE_CALL, key_of(c), buf_str(&out), store_now_ms(store_of(w->store)) + call_left_ms(c)) < 0)
		log_error(LOG_SESS, "a call could not be kept", LOG_S("call_id", c->call_id));
	buf_fini(&policy);
	buf_fini(&out);
}

void call_forget(const struct call *c)
{
	store_del(call_worker(c)->store, STORE_CALL, key_of(c));
}

/* ---- reading ---- */

static int on_part(void *arg, uint8_t number, struct str octets)
{
	struct kept *k = arg;

	if (number == POLICY)
		k->policy = octets;
	if (number != DIALOG && number != DIALOG_OVER)
		return 0;
	if (k->n_dialogs == CALL_MAX_DIALOGS)
		return -EBADMSG;
	k->dialog[k->n_dialogs++] = (struct call_dialog){ octets, number == DIALOG_OVER };
	return 0;
}

/* Its registration is gone: so much of it as the record of the call wants. */
static struct binding *stand_in(const struct kept *k)
{
	struct binding *b = binding_new(256);

	if (!b)
		return NULL;
	b->id = k->binding_id;
	b->impi = arena_dup(b->arena, k->impi);
	if (b->impi.p && binding_add_identity(b, k->identity) == 0)
		return b;
	obj_unref(b);
	return NULL;
}

static struct call *call_of(const struct kept *k, struct binding *b)
{
	struct call *c = call_new(b);

	if (!c)
		return NULL;
	c->ue_called = k->ue_called;
	c->emergency = k->emergency;
	c->state = CALL_CONFIRMED;
	c->status = k->status;
	c->started_wall_us = k->started_wall_us;
	c->answered_wall_us = k->answered_wall_us;
	c->call_id = arena_dup(c->a, k->call_id);
	c->icid = arena_dup(c->a, k->icid);
	c->from = arena_dup(c->a, k->from);
	c->to = arena_dup(c->a, k->to);
	c->caller_tag = arena_dup(c->a, k->caller_tag);
	c->service = arena_dup(c->a, k->service);
	c->priority = arena_dup(c->a, k->priority);
	for (unsigned i = 0; i < k->n_dialogs; i++)
		c->dialog[c->n_dialogs++] = (struct call_dialog){ arena_dup(c->a, k->dialog[i].callee_tag), k->dialog[i].over };
	return c;
}

int call_restore(struct pcscf *p, const struct store_record *rec, uint64_t now_ms)
{
	struct kept k = { .n_dialogs = 0 };
	int rc = fields_read(kept_fields, rec->value, &k, on_part, &k);
	bool over = rec->expires_ms <= now_ms, gone;
	struct pcscf_worker *pw;
	struct binding *b;
	struct call *c;

	if (rc < 0 || !k.call_id.l || !k.n_dialogs || rec->key.l != sizeof(c->key))
		return rc < 0 ? rc : -EBADMSG;
	pw = pcscf_of(stack_worker_of_call(p->stack, k.call_id));
	if (!pw->calls)
		return -ENOTSUP;
	b = phone_by_id(p->phones, k.binding_id);
	gone = !b;
	if (gone)
		b = stand_in(&k);
	c = b ? call_of(&k, b) : NULL;
	obj_unref(b);
	if (!c)
		return -ENOMEM;
	memcpy(&c->key, rec->key.p, sizeof(c->key));
	if (!call_insert(pw->calls, c, over ? 0 : rec->expires_ms - now_ms))
		return -ENOSPC;
	if (over || gone) {
		call_end(c, over ? "expired" : "the registration has ended");
		return 0;
	}
	if (k.policy.l)
		policy_restore_call(pw, c, k.policy);
	return 0;
}
