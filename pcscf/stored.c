/* pcscf/stored.c - bindings over a restart, and the order in which everything comes back.  See stored.h. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/store/fields.h"
#include "common/util/clock.h"
#include "pcscf/agw.h"
#include "pcscf/policy.h"
#include "pcscf/reg_event.h"
#include "pcscf/stored.h"

static METRIC_DEF(m_restored, "cscf_pcscf_restored_total", METRIC_COUNTER, "Bindings taken up again at the start, and those that could not be.",
		  "outcome", NULL);

enum { IDENTITY = 100, ROUTE };
struct kept {
	uint64_t id, registered_wall_us, ends_ms;	/* ends: store time */
	struct str impi, contact, user_agent, remote, local, access;
	uint32_t spi_s;			/* of its associations; 0: in clear */
	uint8_t proto, auth, outbound;
	struct binding *b;
};
static const struct field kept_fields[] = {
	FIELD(1, FIELD_U64, struct kept, id),
	FIELD(2, FIELD_U64, struct kept, registered_wall_us),
	FIELD(3, FIELD_U64, struct kept, ends_ms),
	FIELD(4, FIELD_STR, struct kept, impi),
	FIELD(5, FIELD_STR, struct kept, contact),
	FIELD(6, FIELD_STR, struct kept, user_agent),
	FIELD(7, FIELD_STR, struct kept, remote),
	FIELD(8, FIELD_STR, struct kept, local),
	FIELD(9, FIELD_U32, struct kept, spi_s),
	FIELD(10, FIELD_U8, struct kept, proto),
	FIELD(11, FIELD_U8, struct kept, auth),
	FIELD(12, FIELD_U8, struct kept, outbound),
	FIELD(13, FIELD_STR, struct kept, access),
	{ 0 },
};

/* ---- writing ---- */

void stored_phone(struct store_port *port, const struct binding *b, uint64_t left_ms)
{
	char remote[ADDR_STRLEN], local[ADDR_STRLEN];
	struct kept k;
	struct buf out;

	if (!port)
		return;
	k = (struct kept){
		.id = b->id, .registered_wall_us = b->registered_wall_us, .ends_ms = store_now_ms(store_of(port)) + left_ms, .impi = b->impi,
		.contact = b->contact, .user_agent = b->user_agent, .remote = str_from_c(addr_fmt(&b->flow.remote, remote)),
		.local = addr_is_set(&b->flow.local) ? str_from_c(addr_fmt(&b->flow.local, local)) : STR_NONE,
		.spi_s = b->sa ? b->sa->k.mine.spi_s : 0, .proto = (uint8_t)b->flow.proto, .auth = (uint8_t)b->auth,
		.outbound = b->outbound, .access = b->access,
	};
	buf_init(&out, STORED_MAX_BYTES);
	fields_write(kept_fields, &k, &out);
	for (unsigned i = 0; i < b->n_identities; i++)
		field_write(IDENTITY, b->identity[i].value, &out);
	for (unsigned i = 0; i < b->n_routes; i++)
		field_write(ROUTE, b->route[i], &out);
	if (out.failed || store_put(port, STORE_PHONE, b->key, buf_str(&out), k.ends_ms) < 0)
		log_error(LOG_REG, "a binding could not be kept", LOG_S("impi", b->impi));
	buf_fini(&out);
}

void stored_forget_phone(struct store_port *port, const struct binding *b)
{
	store_del(port, STORE_PHONE, b->key);
}

/* ---- reading ---- */

static int on_part(void *arg, uint8_t number, struct str octets)
{
	struct kept *k = arg;

	if (number == IDENTITY)
		return binding_add_identity(k->b, octets);
	if (number != ROUTE)
		return 0;
	if (k->b->n_routes == BINDING_MAX_ROUTES)
		return -EBADMSG;
	k->b->route[k->b->n_routes] = arena_dup(k->b->arena, octets);
	return k->b->route[k->b->n_routes++].p ? 0 : -ENOMEM;
}

static int fill(struct pcscf *p, struct binding *b, const struct kept *k, struct str key)
{
	struct sip_uri u;
	struct str transport;

	if (k->proto >= SIP_N_PROTOS || k->auth > BINDING_AUTH_AKA || !k->impi.l || !b->n_identities ||
	    sip_uri_parse(k->contact, &u, NULL) < 0 || addr_parse_hostport(k->remote, 5060, &b->flow.remote) < 0 ||
	    (k->local.l && addr_parse_hostport(k->local, 5060, &b->flow.local) < 0))
		return -EBADMSG;
	b->id = k->id;
	b->auth = (enum binding_auth)k->auth;
	b->outbound = k->outbound;
	b->flow.proto = (enum sip_proto)k->proto;
	b->flow_closed = sip_proto_is_reliable(b->flow.proto);		/* its connection went with the process */
	b->impi = arena_dup(b->arena, k->impi);
	b->key = arena_dup(b->arena, key);
	b->contact = arena_dup(b->arena, k->contact);
	b->contact_aor = binding_contact_aor(b->arena, &u);
	b->user_agent = arena_dup(b->arena, k->user_agent);
	b->access = arena_dup(b->arena, k->access);
	sip_uri_host_addr(&u, &b->contact_addr);
	b->contact_proto = u.scheme == SIP_SCHEME_SIPS ? SIP_TLS : SIP_UDP;
	if (sip_uri_param(&u, "transport", &transport))
		sip_proto_from_name(transport, &b->contact_proto);
	b->registered_wall_us = k->registered_wall_us;
	b->sa = k->spi_s ? obj_ref(stored_sets_find(p, k->spi_s)) : NULL;
	if (k->spi_s && !b->sa)
		return -ENOKEY;			/* the way to it is gone: it is not reached in clear instead */
	return b->impi.p && b->key.p && b->contact.p && b->contact_aor.p ? 0 : -ENOMEM;
}

struct restoring {
	struct pcscf *p;
	struct store *store;
	uint64_t now_ms, wall_us;
	unsigned n, gone, calls;
};

static int restore_phone(struct restoring *r, const struct store_record *rec)
{
	struct kept k = { .b = binding_new(1024) };
	int rc = k.b ? fields_read(kept_fields, rec->value, &k, on_part, &k) : -ENOMEM;
	uint64_t left_ms = k.ends_ms > r->now_ms ? k.ends_ms - r->now_ms : 0;
	struct pcscf_worker *pw;

	if (rc == 0)
		rc = left_ms ? fill(r->p, k.b, &k, rec->key) : -ETIME;
	if (rc < 0) {
		obj_unref(k.b);
		return rc;
	}
	k.b->expires_wall_us = r->wall_us + left_ms * 1000;
	pw = pcscf_of(stack_owner(r->p->stack, k.b->impi));
	if (k.b->n_routes)
		pcscf_learn_hop(r->p, k.b->route[0]);
	obj_ref(k.b);
	rc = bindings_restore(pw->bindings, k.b, left_ms);
	if (rc == 0)
		reg_event_restored(pw->reg_events, k.b);
	obj_unref(k.b);
	return rc;
}

static void on_phone(void *arg, const struct store_record *rec)
{
	struct restoring *r = arg;
	int rc = restore_phone(r, rec);

	metric_add(&m_restored, rc == 0 ? "ok" : rc == -ETIME ? "expired" : "failed", NULL, 1);
	r->n += rc == 0;
	r->gone += rc < 0;
	if (rc == 0)
		return;
	if (rc != -ETIME)
		log_warn(LOG_REG, "a kept binding cannot be used", LOG_S("key", rec->key), LOG_C("error", strerror(-rc)));
	store_del(store_port(r->store, 0), STORE_PHONE, rec->key);
}

static void on_watch(void *arg, const struct store_record *rec)
{
	struct restoring *r = arg;
	struct pcscf_worker *pw = pcscf_of(stack_owner(r->p->stack, rec->key));

	reg_event_restore(pw->reg_events, rec, r->now_ms);
}

/* Calls: what cannot be taken up is forgotten. */
static void on_call(void *arg, const struct store_record *rec)
{
	struct restoring *r = arg;

	if (call_restore(r->p, rec, r->now_ms) < 0)
		store_del(store_port(r->store, 0), STORE_CALL, rec->key);
}

static void on_session(void *arg, const struct store_record *rec)
{
	struct restoring *r = arg;
	int rc = session_restore(r->p, rec, r->now_ms);

	r->calls += rc == 0;
	if (rc < 0)
		store_del(store_port(r->store, 0), STORE_SESSION, rec->key);
}

static int restore_calls(struct restoring *r)
{
	int rc = store_scan(r->store, STORE_CALL, on_call, r);

	if (rc == 0)
		rc = store_scan(r->store, STORE_SESSION, on_session, r);
	if (rc == 0)
		rc = policy_restore(r->p, r->store);
	if (rc == 0)
		rc = agw_restore(r->p, r->store);
	if (rc == 0 && r->calls)
		log_info(LOG_SESS, "calls are back", LOG_U("calls", r->calls));
	return rc;
}

int stored_restore(void *u, struct stack *s, struct store *store)
{
	struct restoring r = { .p = u, .store = store, .now_ms = store_now_ms(store), .wall_us = clock_wall_us() };
	int rc;

	(void)s;
	metrics_register(&m_restored);
	if (r.p->sas)
		stored_sets_restore(r.p);
	rc = store_scan(store, STORE_WATCH, on_watch, &r);
	if (rc == 0)
		rc = store_scan(store, STORE_PHONE, on_phone, &r);
	stored_sets_free(r.p);
	if (rc == 0)
		rc = restore_calls(&r);
	if (rc == 0 && (r.n || r.gone))
		log_info(LOG_REG, "bindings are back", LOG_U("bindings", r.n), LOG_U("expired_or_unusable", r.gone));
	return rc;
}
