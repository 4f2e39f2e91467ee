/* pcscf/policy_stored.c - what policy control knows of an answered call, as a record within the call's (call_stored.c).  Rows H1, Q4. */
#include <errno.h>
#include <stdlib.h>
#include "common/store/fields.h"
#include "pcscf/policy_private.h"
#include "pcscf/stored.h"

enum { COMPONENT = 100, FLOW };

struct kept {
	struct str backend, tag, location, charging;
	uint8_t agreed;
	struct policy_session *s;
};
static const struct field kept_fields[] = {
	FIELD(1, FIELD_STR, struct kept, backend),
	FIELD(2, FIELD_STR, struct kept, tag),
	FIELD(3, FIELD_STR, struct kept, location),
	FIELD(4, FIELD_U8, struct kept, agreed),
	FIELD(5, FIELD_STR, struct kept, charging),
	{ 0 },
};

struct kept_component {
	uint32_t number, type, way, ul_bps, dl_bps, rs_bps, rr_bps;
	uint64_t texts;
	uint8_t ue_offered;
};
static const struct field component_fields[] = {
	FIELD(1, FIELD_U32, struct kept_component, number),
	FIELD(2, FIELD_U32, struct kept_component, type),
	FIELD(3, FIELD_U32, struct kept_component, way),
	FIELD(4, FIELD_U32, struct kept_component, ul_bps),
	FIELD(5, FIELD_U32, struct kept_component, dl_bps),
	FIELD(6, FIELD_U32, struct kept_component, rs_bps),
	FIELD(7, FIELD_U32, struct kept_component, rr_bps),
	FIELD(8, FIELD_U8, struct kept_component, ue_offered),
	FIELD(9, FIELD_U64, struct kept_component, texts),
	{ 0 },
};

struct kept_flow {
	struct str ue, remote;
	uint8_t protocol, rtcp;
};
static const struct field flow_fields[] = {
	FIELD(1, FIELD_STR, struct kept_flow, ue),
	FIELD(2, FIELD_STR, struct kept_flow, remote),
	FIELD(3, FIELD_U8, struct kept_flow, protocol),
	FIELD(4, FIELD_U8, struct kept_flow, rtcp),
	{ 0 },
};

/* ---- writing ---- */

static struct str address(const struct addr *a, char dst[ADDR_STRLEN])
{
	return addr_is_set(a) ? str_from_c(addr_fmt(a, dst)) : STR_NONE;
}

static void nested(uint8_t number, const struct field *table, const void *from, struct buf *out)
{
	struct buf in;

	buf_init(&in, STORED_MAX_BYTES);
	fields_write(table, from, &in);
	out->failed = out->failed || in.failed;
	field_write(number, buf_str(&in), out);
	buf_fini(&in);
}

/* A component, and behind it its flows. */
static void write_component(const struct media_component *c, struct buf *out)
{
	const struct kept_component k = { .number = c->number, .type = c->type, .way = c->way, .ul_bps = c->ul_bps, .dl_bps = c->dl_bps,
					  .rs_bps = c->rs_bps, .rr_bps = c->rr_bps, .ue_offered = c->ue_offered, .texts = c->texts };
	char ue[ADDR_STRLEN], remote[ADDR_STRLEN];

	nested(COMPONENT, component_fields, &k, out);
	for (unsigned i = 0; i < c->n_flows; i++) {
		const struct media_flow *f = &c->flow[i];
		const struct kept_flow kf = { address(&f->ue, ue), address(&f->remote, remote), f->protocol, f->rtcp };

		nested(FLOW, flow_fields, &kf, out);
	}
}

void policy_keep(const struct call *c, struct buf *out)
{
	const struct policy_session *s = c->policy;
	const struct kept k = { .backend = str_from_c(s->backend->name), .tag = str_from_c(s->have_tag), .location = str_from_c(s->location),
				 .charging = str_from_c(s->charging),
				.agreed = s->agreed };

	fields_write(kept_fields, &k, out);
	for (unsigned i = 0; i < s->have.n; i++)
		write_component(&s->have.c[i], out);
}

/* ---- reading ---- */

static int read_component(struct media_set *to, struct str octets)
{
	struct kept_component k = { .number = 0 };
	int rc = fields_read(component_fields, octets, &k, NULL, NULL);

	if (rc < 0 || to->n == SDP_MAX_MEDIA || k.type > MEDIA_OTHER || k.way > MEDIA_REMOVED)
		return rc < 0 ? rc : -EBADMSG;
	to->c[to->n++] = (struct media_component){ .number = k.number, .type = (enum media_type)k.type, .way = (enum media_way)k.way, .ul_bps = k.ul_bps,
						   .dl_bps = k.dl_bps, .rs_bps = k.rs_bps, .rr_bps = k.rr_bps, .ue_offered = k.ue_offered,
						   .texts = k.texts };
	return 0;
}

static int read_flow(struct media_set *to, struct str octets)
{
	struct media_component *c = to->n ? &to->c[to->n - 1] : NULL;
	struct kept_flow k = { .protocol = 0 };
	struct media_flow *f;
	int rc = fields_read(flow_fields, octets, &k, NULL, NULL);

	if (rc < 0 || !c || c->n_flows == sizeof(c->flow) / sizeof(c->flow[0]))
		return rc < 0 ? rc : -EBADMSG;
	f = &c->flow[c->n_flows++];
	*f = (struct media_flow){ .protocol = k.protocol, .rtcp = k.rtcp };
	if ((k.ue.l && addr_parse_hostport(k.ue, 0, &f->ue) < 0) || (k.remote.l && addr_parse_hostport(k.remote, 0, &f->remote) < 0))
		return -EBADMSG;
	return 0;
}

static int on_part(void *arg, uint8_t number, struct str octets)
{
	struct kept *k = arg;

	return number == COMPONENT ? read_component(&k->s->have, octets) : number == FLOW ? read_flow(&k->s->have, octets) : 0;
}

/* A phone may have another mode now (the configuration has changed): then the call goes on without, its old session ends. */
void policy_restore_call(struct pcscf_worker *pw, struct call *c, struct str octets)
{
	struct kept k = { .s = policy_session_new(pw, c) };
	struct policy_session *s = k.s;
	const struct policy_backend *backend = NULL;

	if (s && fields_read(kept_fields, octets, &k, on_part, &k) == 0)
		backend = policy_backend_kept(pw, c->b, k.backend);
	if (!backend) {
		policy_call_over(c, "not restored");
		return;
	}
	s->backend = backend;
	if (!s->backend->leave) {		/* a new session, at the next question */
		s->have = (struct media_set){ 0 };
		return;
	}
	s->agreed = s->opened = k.agreed;
	str_copy(k.tag, s->have_tag, sizeof(s->have_tag));
	str_copy(k.location, s->location, sizeof(s->location));
	str_copy(k.charging, s->charging, sizeof(s->charging));
}

bool policy_adopt(struct call *c, const struct policy_backend *k, void *peer)
{
	struct policy_session *s = c->policy;

	if (!s || s->backend != k || s->peer)
		return false;
	s->peer = peer;
	s->opened = true;
	return true;
}
