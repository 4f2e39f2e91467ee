/* pcscf/session_stored.c - answered calls as records of the store: written with every change, deleted with their end.  Rows H1, P19.
 *
 * A call whose phone's registration ended while the daemon was away is released as soon as the daemon runs. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/store/fields.h"
#include "pcscf/session_private.h"
#include "pcscf/stored.h"

#define LOST_AFTER_MS 1000u		/* the sockets are open then */

struct kept {
	struct dialog_names names;
	struct str contact[2], route[2], remote, local, icid;
	uint32_t cseq[2], age_s;
	uint64_t binding_id;
	uint8_t phone_called, of_phone, proto;
};
static const struct field kept_fields[] = {
	FIELD(1, FIELD_STR, struct kept, names.call_id),
	FIELD(2, FIELD_STR, struct kept, names.uri[0]),
	FIELD(3, FIELD_STR, struct kept, names.uri[1]),
	FIELD(4, FIELD_STR, struct kept, names.tag[0]),
	FIELD(5, FIELD_STR, struct kept, names.tag[1]),
	FIELD(6, FIELD_STR, struct kept, contact[0]),
	FIELD(7, FIELD_STR, struct kept, contact[1]),
	FIELD(8, FIELD_STR, struct kept, route[0]),
	FIELD(9, FIELD_STR, struct kept, route[1]),
	FIELD(10, FIELD_U32, struct kept, cseq[0]),
	FIELD(11, FIELD_U32, struct kept, cseq[1]),
	FIELD(12, FIELD_U32, struct kept, age_s),
	FIELD(13, FIELD_U64, struct kept, binding_id),
	FIELD(14, FIELD_U8, struct kept, phone_called),
	FIELD(15, FIELD_U8, struct kept, of_phone),
	FIELD(16, FIELD_U8, struct kept, proto),
	FIELD(17, FIELD_STR, struct kept, remote),
	FIELD(18, FIELD_STR, struct kept, local),
	FIELD(19, FIELD_STR, struct kept, icid),
	{ 0 },
};

static struct store_port *port_of(const struct session *s)
{
	return s->ss->pw->w->store;
}

static struct str key_of(const struct session *s)
{
	return str_make((const char *)&s->key, sizeof(s->key));
}

void session_keep(const struct session *s)
{
	struct store_port *port = port_of(s);
	char remote[ADDR_STRLEN], local[ADDR_STRLEN];
	struct buf out;
	struct kept k;

	if (!port)
		return;
	k = (struct kept){
		.names = s->names, .icid = s->icid, .contact = { str_from_c(s->ends->contact[0]), str_from_c(s->ends->contact[1]) },
		.route = { str_from_c(s->ends->route[0]), str_from_c(s->ends->route[1]) }, .cseq = { s->ends->cseq[0], s->ends->cseq[1] },
		.age_s = s->age_s, .binding_id = s->binding_id, .phone_called = s->phone_called, .of_phone = s->of_phone,
	};
	if (!s->binding_id) {		/* else its registration says where it is */
		k.proto = (uint8_t)s->flow.proto;
		k.remote = str_from_c(addr_fmt(&s->flow.remote, remote));
		if (addr_is_set(&s->flow.local))
			k.local = str_from_c(addr_fmt(&s->flow.local, local));
	}
	buf_init(&out, STORED_MAX_BYTES);
	fields_write(kept_fields, &k, &out);
	if (out.failed ||
	    store_put(port, STORE_SESSION, key_of(s), buf_str(&out), store_now_ms(store_of(port)) + (uint64_t)s->age_s * 1000) < 0)
		log_error(LOG_SESS, "a call could not be kept", LOG_S("call_id", s->names.call_id));
	buf_fini(&out);
}

void session_forget(const struct session *s)
{
	store_del(port_of(s), STORE_SESSION, key_of(s));
}

/* ---- reading ---- */

static struct dialog_ends *ends_of(const struct kept *k)
{
	struct dialog_ends *e = calloc(1, sizeof(*e));

	for (int i = 0; e && i < 2; i++) {
		e->contact[i] = k->contact[i].l ? str_dup(k->contact[i]) : NULL;
		e->route[i] = k->route[i].l ? str_dup(k->route[i]) : NULL;
		e->cseq[i] = k->cseq[i];
		if (k->route[i].l && !e->route[i]) {		/* out of memory: without a contact it cannot be ended */
			free(e->contact[i]);
			e->contact[i] = NULL;
		}
	}
	return e;
}

static int fill(struct session *s, const struct kept *k)
{
	if (k->proto >= SIP_N_PROTOS || (k->remote.l && addr_parse_hostport(k->remote, 5060, &s->flow.remote) < 0) ||
	    (k->local.l && addr_parse_hostport(k->local, 5060, &s->flow.local) < 0))
		return -EBADMSG;
	s->flow.proto = (enum sip_proto)k->proto;
	s->binding_id = k->binding_id;
	s->phone_called = k->phone_called;
	s->of_phone = k->of_phone;
	s->age_s = k->age_s;
	return 0;
}

int session_restore(struct pcscf *p, const struct store_record *rec, uint64_t now_ms)
{
	struct kept k = { .age_s = 0 };
	struct session *s;
	struct binding *b;
	int rc = fields_read(kept_fields, rec->value, &k, NULL, NULL);

	if (rc == 0 && rec->expires_ms <= now_ms)
		rc = -ETIME;
	if (rc < 0 || rec->key.l != sizeof(s->key))
		return rc < 0 ? rc : -EBADMSG;
	s = session_new(&k.names, k.icid, ends_of(&k));
	if (!s)
		return -EBADMSG;
	rc = fill(s, &k);
	if (rc < 0) {
		session_free(s);
		return rc;
	}
	memcpy(&s->key, rec->key.p, sizeof(s->key));
	b = phone_by_id(p->phones, s->binding_id);
	s->lost = s->of_phone && !b;
	obj_unref(b);
	return session_insert(pcscf_of(stack_worker_of_call(p->stack, s->names.call_id))->sessions, s,
			      s->lost ? LOST_AFTER_MS : rec->expires_ms - now_ms) ? 0 : -ENOSPC;
}
