/* pcscf/rx_stored.c - Rx sessions as records of the store: from the first AAR until the PCRF has confirmed the end.  Rows H1, Q4.
 *
 * After a restart one that belongs to a call or a registration that goes on is taken up again; every other one is ended, for nobody else
 * would: TS 29.214 §4.4.4. */
#include <errno.h>
#include "common/log/log.h"
#include "common/store/fields.h"
#include "pcscf/rx.h"
#include "pcscf/stored.h"

#define END_AFTER_MS 1000u		/* the PCRF's connection is open then, most likely; else it is tried again */

static METRIC_DEF(m_restored, "cscf_pcscf_rx_restored_total", METRIC_COUNTER, "Rx sessions of the process before this one.", "outcome", NULL);

struct kept {
	struct str host, realm, call_id;
	uint64_t binding_id, call_key;
	uint8_t signalling, unanswered;
};
static const struct field kept_fields[] = {
	FIELD(1, FIELD_STR, struct kept, host),
	FIELD(2, FIELD_STR, struct kept, realm),
	FIELD(3, FIELD_STR, struct kept, call_id),
	FIELD(4, FIELD_U64, struct kept, binding_id),
	FIELD(5, FIELD_U64, struct kept, call_key),
	FIELD(6, FIELD_U8, struct kept, signalling),
	FIELD(7, FIELD_U8, struct kept, unanswered),
	{ 0 },
};

void rx_session_keep(struct rx_session *s)
{
	struct store_port *port = s->pw->w->store;
	struct buf out;
	struct kept k;

	if (!port || s->kept)
		return;
	k = (struct kept){ .host = str_from_c(s->peer_host), .realm = str_from_c(s->peer_realm), .binding_id = s->b ? s->b->id : 0, .signalling = s->signalling,
			   .unanswered = s->outstanding || s->unanswered };
	if (s->call) {
		k.call_id = s->call->call_id;
		k.call_key = s->call->key;
	}
	buf_init(&out, STORED_MAX_BYTES);
	fields_write(kept_fields, &k, &out);
	s->kept = !out.failed && store_put(port, STORE_RX, str_from_c(s->id), buf_str(&out), 0) == 0;
	if (!s->kept)
		log_error(LOG_SESS, "an Rx session could not be kept", LOG_C("session", s->id));
	buf_fini(&out);
}

void rx_session_forget(const struct rx_session *s)
{
	store_del(s->pw->w->store, STORE_RX, str_from_c(s->id));
}

/* ---- reading ---- */

struct restoring {
	struct pcscf *p;
	struct store *store;
	unsigned n, ended;
};

static struct call *call_of(const struct pcscf *p, const struct kept *k)
{
	struct pcscf_worker *pw = pcscf_of(stack_worker_of_call(p->stack, k->call_id));
	struct call *c = k->call_id.l && pw->calls ? call_find(pw->calls, k->call_id, k->binding_id) : NULL;

	return c && c->key == k->call_key ? c : NULL;
}

static struct pcscf_worker *worker_of(const struct pcscf *p, struct str id)
{
	unsigned worker;

	if (rx_session_tail(id, &worker) < 0 || worker >= stack_n_workers(p->stack))
		worker = 0;
	return pcscf_of(stack_worker(p->stack, worker));
}

/* With another number of workers the worker of a call is not the one that its Session-Id names: then ASR and RAR do not find it. */
static bool take_up(struct pcscf *p, const struct kept *k, struct rx_session **ret, struct str id)
{
	struct call *c = call_of(p, k);
	struct binding *b = k->signalling ? phone_by_id(p->phones, k->binding_id) : NULL;
	struct rx_session *s = NULL;
	bool good = false;

	if (c && (s = rx_session_new(pcscf_of(call_worker(c)), c->b, id))) {
		good = policy_adopt(c, &rx_backend, s);
		s->call = good ? c : NULL;
	} else if (b && p->cfg.policy.registration && (s = rx_session_new(pcscf_of(stack_owner(p->stack, b->impi)), b, id))) {
		good = true;
		rx_signalling_begin(s);
	} else {
		s = rx_session_new(worker_of(p, id), NULL, id);
	}
	obj_unref(b);
	*ret = s;
	return good;
}

static void on_session(void *arg, const struct store_record *rec)
{
	struct restoring *r = arg;
	struct kept k = { .signalling = 0 };
	struct rx_session *s = NULL;
	bool good;

	if (rec->key.l >= sizeof(s->id) || fields_read(kept_fields, rec->value, &k, NULL, NULL) < 0) {
		log_warn(LOG_SESS, "a kept Rx session cannot be used", LOG_S("session", rec->key));
		store_del(store_port(r->store, 0), STORE_RX, rec->key);
		return;
	}
	good = take_up(r->p, &k, &s, rec->key);
	if (!s)
		return;
	s->kept = s->asked = true;
	s->agreed = good && !k.unanswered;
	s->unanswered = k.unanswered;
	str_copy(k.host, s->peer_host, sizeof(s->peer_host));
	str_copy(k.realm, s->peer_realm, sizeof(s->peer_realm));
	metric_add(&m_restored, good ? "taken up" : "ended", NULL, 1);
	r->n += good;
	r->ended += !good;
	if (good)
		return;
	log_info(LOG_SESS, "an Rx session of before is to be ended", LOG_C("session", s->id), LOG_S("call_id", k.call_id));
	rx_session_end_later(s, END_AFTER_MS);
}

int rx_restore(struct pcscf *p, struct store *store)
{
	struct restoring r = { .p = p, .store = store };
	int rc;

	if (!pcscf_of(stack_worker(p->stack, 0))->rx)		/* there is nobody any more who could be told */
		return 0;
	metrics_register(&m_restored);
	rc = store_scan(store, STORE_RX, on_session, &r);
	if (rc == 0 && (r.n || r.ended))
		log_info(LOG_SESS, "Rx sessions are back", LOG_U("sessions", r.n), LOG_U("to_be_ended", r.ended));
	return rc;
}
