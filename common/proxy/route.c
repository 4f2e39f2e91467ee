/* common/proxy/route.c - Route and Request-URI processing, Via, Max-Forwards.  RFC 3261 §16.4, §16.6 steps 3, 6, 7, 8. */
#include <errno.h>
#include "common/proxy/private.h"

static bool is_self(struct proxy_layer *l, const struct sip_uri *u)
{
	return (u->scheme == SIP_SCHEME_SIP || u->scheme == SIP_SCHEME_SIPS) && l->env.is_self(l->env.u, u);
}

/* values[from..n) joined on one line; empty when there are none. */
static struct str values_join(struct arena *a, const struct str *values, unsigned from, unsigned n)
{
	struct arena_text all = arena_text(a);

	for (unsigned i = from; i < n; i++)
		arena_text_item(&all, values[i]);
	return arena_text_str(&all);
}

static unsigned values_get(const struct sip_msg *m, struct str values[PROXY_MAX_ROUTES])
{
	struct sip_values it = sip_values(m, SIP_H_ROUTE);
	unsigned n = 0;

	while (n < PROXY_MAX_ROUTES && sip_values_next(&it, &values[n]))
		n++;
	return n;
}

/* Leading values that are ours, at most as many as `own` has room for. */
static unsigned own_count(struct proxy_layer *l, const struct str *values, unsigned n, struct sip_nameaddr *own, unsigned room)
{
	unsigned i = 0;

	while (i < n && i < room && !sip_nameaddr_parse(values[i], &own[i]) && is_self(l, &own[i].uri))
		i++;
	return i;
}

/* A strict router in front of us wrote our Record-Route URI into the Request-URI and put the real one behind the other
 * Route values: §16.4 first paragraph. */
static unsigned restore_ruri(struct proxy_layer *l, struct sip_msg *m, struct sip_out *o, const struct str *values, unsigned n,
			     struct sip_nameaddr own[2])
{
	struct sip_nameaddr last;
	unsigned popped;
	struct str rest;

	if (sip_nameaddr_parse(values[n - 1], &last))
		return 0;
	own[0] = (struct sip_nameaddr){ .text = m->ruri_text, .uri = m->ruri, .bracketed = true };
	popped = own_count(l, values, n - 1, own + 1, 1);
	rest = values_join(o->arena, values, popped, n - 1);
	sip_out_drop(o, SIP_H_ROUTE);
	if (rest.l)
		sip_out_push(o, SIP_H_ROUTE, rest);
	sip_out_set_ruri(o, last.uri.text);
	log_debug(LOG_PROXY, "strict router upstream: request uri restored", LOG_S("call_id", m->call_id));
	return popped + 1;
}

unsigned proxy_pop_own_routes(struct proxy_layer *l, struct sip_msg *m, struct sip_out *o, struct sip_nameaddr own[2])
{
	struct str values[PROXY_MAX_ROUTES];
	unsigned n = values_get(m, values), n_own = 0;

	if (n && is_self(l, &m->ruri) && sip_uri_has_lr(&m->ruri))
		n_own = restore_ruri(l, m, o, values, n, own);
	if (n_own)
		return n_own;
	n_own = own_count(l, values, n, own, 2);
	for (unsigned i = 0; i < n_own; i++)
		sip_out_drop_first(o, SIP_H_ROUTE);
	return n_own;
}

/* §16.6 step 6: the next hop is a strict router, so it gets its own URI as Request-URI and the real one as last Route. */
static int rewrite_strict(struct sip_out *o, struct sip_msg **ret_msg, struct sip_uri *ret)
{
	struct str values[PROXY_MAX_ROUTES], rest;
	struct sip_parse_error err;
	struct bytes *wire = NULL;
	struct sip_nameaddr top;
	struct sip_msg *m = NULL;
	unsigned n;
	int rc;

	rc = sip_out_write(o, &wire);
	if (!rc)
		rc = sip_msg_parse_copy(bytes_str(wire), &o->m->flow, &m, &err);
	bytes_unref(wire);
	if (rc) {
		sip_msg_unref(m);
		return rc;
	}
	n = values_get(m, values);
	if (!n || n == PROXY_MAX_ROUTES || sip_nameaddr_parse(values[0], &top)) {
		sip_msg_unref(m);
		return -EBADMSG;
	}
	sip_out_init(o, m);
	sip_out_drop(o, SIP_H_ROUTE);
	rest = values_join(m->arena, values, 1, n);
	sip_out_push(o, SIP_H_ROUTE, arena_printf(m->arena, "%.*s%s<%.*s>", STR_ARG(rest), rest.l ? ", " : "",
						  STR_ARG(m->ruri_text)));
	sip_out_set_ruri(o, top.uri.text);
	*ret = top.uri;
	*ret_msg = m;
	return 0;
}

int proxy_next_hop(struct sip_out *o, struct sip_uri *ret, struct sip_msg **ret_msg)
{
	struct sip_nameaddr top;
	struct str route;
	int rc;

	*ret_msg = NULL;
	rc = sip_out_top(o, SIP_H_ROUTE, &route);
	if (rc == -ENOENT)
		return sip_uri_parse(o->ruri.l ? o->ruri : o->m->ruri_text, ret, NULL);
	if (!rc)
		rc = sip_nameaddr_parse(route, &top);
	if (rc)
		return rc;
	*ret = top.uri;
	return sip_uri_has_lr(&top.uri) ? 0 : rewrite_strict(o, ret_msg, ret);
}

void proxy_set_max_forwards(struct sip_out *o)
{
	uint32_t n = o->m->max_forwards;
	const struct sip_hdr *h = sip_msg_hdr(o->m, SIP_H_MAX_FORWARDS);

	if (n == UINT32_MAX || !h)
		sip_out_set(o, SIP_H_MAX_FORWARDS, arena_printf(o->arena, "%u", PROXY_MAX_FORWARDS));
	else
		sip_out_set_line(o, h, arena_printf(o->arena, "%u", n ? n - 1 : 0));
}

void proxy_push_via(struct sip_out *o, const struct sip_flow *to, const struct addr *local, const char *branch,
		    const char *more)
{
	struct arena_text t = arena_text(o->arena);
	char sent_by[ADDR_STRLEN];

	arena_text_put(&t, STR("SIP/2.0/"));
	arena_text_put(&t, str_from_c(sip_proto_name(to->proto)));
	arena_text_put(&t, STR(" "));
	arena_text_put(&t, str_from_c(addr_fmt(local, sent_by)));
	if (to->proto == SIP_UDP)
		arena_text_put(&t, STR(";rport"));
	arena_text_put(&t, STR(";branch="));
	arena_text_put(&t, str_from_c(branch));
	arena_text_put(&t, str_from_c(more));
	sip_out_push(o, SIP_H_VIA, arena_text_str(&t));
}
