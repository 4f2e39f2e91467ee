/* common/proxy/check.c - may this request be forwarded?  RFC 3261 §16.3, loops by RFC 5393 §4. */
#include <stdlib.h>
#include "common/proxy/private.h"
#include "common/util/hash.h"

/* RFC 5393 §4.2.1: what the routing decision hangs on.  Via is not part of it: it differs on every turn of a loop. */
uint64_t proxy_loop_hash(const struct sip_msg *m)
{
	static const enum sip_hdr_id lists[] = { SIP_H_ROUTE, SIP_H_PROXY_REQUIRE, SIP_H_PROXY_AUTHORIZATION };
	uint64_t h = hash_str(m->ruri_text);
	struct str v;

	h = hash_mix(h, hash_str(m->call_id));
	h = hash_mix(h, hash_str(m->from_tag));
	h = hash_mix(h, hash_str(m->to_tag));
	h = hash_mix(h, m->cseq);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct sip_values it = sip_values(m, lists[i]);

		h = hash_mix(h, lists[i]);
		while (sip_values_next(&it, &v))
			h = hash_mix(h, hash_str(v));
	}
	return h;
}

void proxy_loop_text(uint64_t hash, char dst[PROXY_LOOP_CHARS + 1])
{
	uint8_t b[PROXY_LOOP_CHARS / 2];

	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(hash >> (56 - 8 * i));
	hex_encode(b, sizeof(b), dst);
}

/* Did we write this Via for a request with the same loop hash? */
static bool via_is_loop(struct proxy_layer *l, const struct sip_via *via, struct str loop)
{
	struct sip_uri u = { .scheme = SIP_SCHEME_SIP, .host = via->host, .port = via->port };
	ssize_t dot = str_rchr(via->branch, '.');

	return dot >= 0 && str_eq(str_from(via->branch, (size_t)dot + 1), loop) && l->env.is_self(l->env.u, &u);
}

static bool loops(struct proxy_layer *l, const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_VIA);
	char text[PROXY_LOOP_CHARS + 1];
	struct sip_via via;
	struct str v, loop;

	proxy_loop_text(proxy_loop_hash(m), text);
	loop = str_make(text, PROXY_LOOP_CHARS);
	while (sip_values_next(&it, &v))
		if (str_find(v, loop) >= 0 && !sip_via_parse(v, &via) && via_is_loop(l, &via, loop))
			return true;
	return false;
}

static bool is_supported(struct str option, const char *const *supported)
{
	for (; supported && *supported; supported++)
		if (str_ieq_c(option, *supported))
			return true;
	return false;
}

/* The options of Proxy-Require that we do not know, comma-separated; false: all known. */
static bool unsupported(struct sip_msg *m, const char *const *supported, struct str *ret)
{
	struct sip_values it = sip_values(m, SIP_H_PROXY_REQUIRE);
	struct arena_text bad = arena_text(m->arena);
	struct str v;

	while (sip_values_next(&it, &v))
		if (!is_supported(v, supported))
			arena_text_item(&bad, v);
	*ret = arena_text_str(&bad);
	return ret->l > 0;
}

static bool refuse(struct tx_server *st, unsigned status, const char *why, struct str extra)
{
	if (st)
		tx_refuse(st, &(const struct refusal){ .status = status, .why = why, .extra = extra });
	return false;
}

bool proxy_check(struct proxy_layer *l, struct tx_server *st, struct sip_msg *m, const char *const *supported)
{
	if (m->ruri.scheme == SIP_SCHEME_OTHER)		/* §16.3 step 2 */
		return refuse(st, 416, "a URI scheme that is not routed", STR_NONE);
	return proxy_check_but_scheme(l, st, m, supported);
}

bool proxy_check_but_scheme(struct proxy_layer *l, struct tx_server *st, struct sip_msg *m, const char *const *supported)
{
	struct str bad;

	if (m->max_forwards == 0)			/* step 3; OPTIONS is not answered in our own name */
		return refuse(st, 483, "too many hops", STR_NONE);
	if (loops(l, m)) {				/* step 4 */
		l->stats.loops++;
		return refuse(st, 482, "the request goes in a circle", STR_NONE);
	}
	if (unsupported(m, supported, &bad))		/* step 5 */
		return refuse(st, 420, "an extension that this node has not",
			      arena_printf(m->arena, "Unsupported: %.*s\r\n", STR_ARG(bad)));
	return true;
}
