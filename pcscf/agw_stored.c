/* pcscf/agw_stored.c - sessions at media relays as records of the store: from the first offer until the relay has confirmed the end.
 * Rows H1, P17.
 *
 * After a restart one whose call goes on is that call's again; every other one is ended, for nobody else would. */
#include <errno.h>
#include "common/log/log.h"
#include "common/store/fields.h"
#include "pcscf/agw_private.h"
#include "pcscf/stored.h"

#define END_AFTER_MS 1000u		/* the loops run then */
#define KEPT_BEYOND_S 86400u		/* policy.max_call_s */

struct kept {
	struct str relay, call_id, final_tag;
	uint64_t binding_id, call_key;	/* call_key 0: no call's any more */
	uint8_t core_ip6, core_known;
	uint32_t n_left;
};
static const struct field kept_fields[] = {
	FIELD(1, FIELD_STR, struct kept, relay),
	FIELD(2, FIELD_STR, struct kept, call_id),
	FIELD(3, FIELD_STR, struct kept, final_tag),
	FIELD(4, FIELD_U64, struct kept, binding_id),
	FIELD(5, FIELD_U64, struct kept, call_key),
	FIELD(6, FIELD_U8, struct kept, core_ip6),
	FIELD(7, FIELD_U8, struct kept, core_known),
	FIELD(8, FIELD_U32, struct kept, n_left),
	{ 0 },
};

static bool keep(const struct agw_session *s, uint64_t call_key)
{
	struct store_port *port = s->pw->w->store;
	const struct kept k = { .relay = str_from_c(s->pw->p->relay[s->relay].name), .call_id = s->c->call_id, .final_tag = str_from_c(s->final_tag),
				.binding_id = s->c->b->id, .call_key = call_key, .core_ip6 = s->core_family == AF_INET6,
				.core_known = s->core_family != 0, .n_left = s->n_left };
	uint64_t life_ms = ((uint64_t)s->pw->p->cfg.policy.max_call_s + KEPT_BEYOND_S) * 1000;
	struct buf out;
	bool kept;

	if (!port)
		return false;
	buf_init(&out, STORED_MAX_BYTES);
	fields_write(kept_fields, &k, &out);
	kept = !out.failed && store_put(port, STORE_MEDIA, str_from_c(s->id), buf_str(&out), store_now_ms(store_of(port)) + life_ms) == 0;
	if (!kept)
		log_error(LOG_SESS, "a media session could not be kept", LOG_C("session", s->id));
	buf_fini(&out);
	return kept;
}

/* What was kept before is there all the same when this is not. */
void agw_keep(struct agw_session *s)
{
	s->kept |= keep(s, s->c->key);
}

void agw_keep_left(struct agw_session *s)
{
	s->kept |= keep(s, 0);
}

void agw_forget(struct pcscf_worker *pw, const char *id)
{
	store_del(pw->w->store, STORE_MEDIA, str_from_c(id));
}

/* ---- reading ---- */

struct restoring {
	struct pcscf *p;
	struct store *store;
	unsigned n, ended;
};

static int relay_named(const struct pcscf *p, struct str name)
{
	for (unsigned i = 0; i < p->cfg.agw.n_relays; i++)
		if (str_eq_c(name, p->relay[i].name))
			return (int)i;
	return -1;
}

static void on_session(void *arg, const struct store_record *rec)
{
	struct restoring *r = arg;
	struct kept k = { .binding_id = 0 };
	char id[AGW_ID_BYTES];
	struct pcscf_worker *pw;
	struct agw_session *s = NULL;
	struct call *c;
	int relay = -1;

	if (str_copy(rec->key, id, sizeof(id)) && fields_read(kept_fields, rec->value, &k, NULL, NULL) == 0)
		relay = relay_named(r->p, k.relay);
	if (relay < 0) {
		log_warn(LOG_SESS, "a kept media session cannot be used", LOG_S("session", rec->key), LOG_S("relay", k.relay));
		store_del(store_port(r->store, 0), STORE_MEDIA, rec->key);
		return;
	}
	pw = pcscf_of(stack_worker_of_call(r->p->stack, k.call_id));
	c = pw->calls ? call_find(pw->calls, k.call_id, k.binding_id) : NULL;
	if (c && k.call_key && c->key == k.call_key && !c->agw)
		s = agw_session_new(pw, c, id, k.n_left);
	if (!s) {
		log_info(LOG_SESS, "a media session of before is to be ended", LOG_C("session", id));
		agw_end_at(pw->agw, (unsigned)relay, id, true, END_AFTER_MS);
		r->ended++;
		return;
	}
	s->kept = true;
	s->core_family = !k.core_known ? 0 : k.core_ip6 ? AF_INET6 : AF_INET;
	str_copy(k.final_tag, s->final_tag, sizeof(s->final_tag));
	agw_opened(s, (unsigned)relay);
	r->n++;
}

int agw_restore(struct pcscf *p, struct store *store)
{
	struct restoring r = { .p = p, .store = store };
	int rc;

	if (!pcscf_of(stack_worker(p->stack, 0))->agw)		/* there is nobody any more who could be told */
		return 0;
	rc = store_scan(store, STORE_MEDIA, on_session, &r);
	if (rc == 0 && (r.n || r.ended))
		log_info(LOG_SESS, "media sessions are back", LOG_U("sessions", r.n), LOG_U("to_be_ended", r.ended));
	return rc;
}
