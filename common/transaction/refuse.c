/* common/transaction/refuse.c - see refuse.h.  RFC 3261 §8.2.6, §20.33, §20.43; TS 24.229 §7.2.17; row R18. */
#include "common/transaction/private.h"
#include "common/transaction/refuse.h"
#include "common/util/rand.h"

void tx_layer_set_agent(struct tx_layer *l, const struct tx_agent *a)
{
	l->agent = *a;
}

/* A challenge is no refusal of anything, and CANCEL's 487 is what the caller asked for. */
static bool is_error(unsigned status)
{
	return status >= 400 && status != 401 && status != 407;
}

/* RFC 3261 §25.1 quoted-string: our phrases hold neither quotes nor backslashes. */
static struct str stamp(const struct tx_agent *g, struct arena *a, const struct refusal *r)
{
	struct str s = r->extra;

	if (r->retry_after_s)
		s = arena_printf(a, "Retry-After: %u\r\n%.*s",
				 r->retry_after_s + rand_below(REFUSAL_RETRY_SPREAD(r->retry_after_s)), STR_ARG(s));
	if (!is_error(r->status))
		return s;
	if (g->name.l && r->why && !r->secret)
		s = arena_printf(a, "%.*sWarning: 399 %.*s \"%s\"\r\n", STR_ARG(s), STR_ARG(g->name), r->why);
	if (g->fe)
		s = arena_printf(a, "%.*sResponse-Source: fe=<urn:3gpp:fe:%s%s%s>\r\n", STR_ARG(s), g->fe, r->side ? "." : "",
				 r->side ? r->side : "");
	return s;
}

/* What was found wrong with a request while memory lacked may be our own fault: RFC 3261 §21.5.1. */
static bool is_doubtful(const struct sip_msg *m, unsigned status)
{
	return arena_failed(m->arena) && is_error(status) && status / 100 != 5 && status != 487;
}

/* Writes it; *r becomes what it is in the end. */
static struct bytes *make(struct tx_layer *l, const struct sip_msg *m, struct refusal *r, struct str to_tag)
{
	const struct tx_agent *g = &l->agent;

	if (is_doubtful(m, r->status))
		*r = (struct refusal){ .status = 500, .why = "out of memory", .side = r->side, .max_bytes = r->max_bytes };
	if (g->judge)
		g->judge(g->u, m, r);
	if (g->refused && r->status >= 300)
		g->refused(g->u, m, r);
	return sip_reply_make(m, r->status, r->reason, to_tag, stamp(g, m->arena, r), r->content_type, r->body);
}

void tx_refuse(struct tx_server *st, const struct refusal *given)
{
	struct tx_layer *l = st->t.l;
	struct refusal r = *given;
	struct bytes *wire;

	if (!st->req || st->final_sent) {		/* answered already */
		l->st.responses_dropped++;
		return;
	}
	wire = make(l, st->req, &r, str_from_c(st->to_tag));
	if (!wire)
		wire = tx_bare_reply(st, r.status);
	tx_server_send(st, r.status, wire);
	bytes_unref(wire);
}

void tx_refuse_why(struct tx_server *st, unsigned status, const char *why)
{
	tx_refuse(st, &(const struct refusal){ .status = status, .why = why });
}

struct bytes *tx_refusal_make(struct tx_layer *l, const struct sip_msg *m, const struct refusal *given, struct str to_tag)
{
	struct refusal r = *given;
	struct bytes *wire = make(l, m, &r, to_tag);

	if (wire && r.max_bytes && wire->l > r.max_bytes) {
		bytes_unref(wire);
		wire = sip_reply_make(m, r.status, NULL, to_tag, STR_NONE, STR_NONE, STR_NONE);
	}
	if (wire && r.max_bytes && wire->l > r.max_bytes) {
		bytes_unref(wire);
		wire = NULL;
	}
	return wire;
}
