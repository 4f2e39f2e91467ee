/* pcscf/secpolicy.c - what the operator wants of phones: access.ipsec.  TS 33.203 §7.2, annex H; RFC 3329 §2.3; S1, rows X1, X2. */
#include <errno.h>
#include "common/util/arena.h"
#include "pcscf/security.h"

#define HEADER_BYTES 4096u

static const char *const default_pairs[] = { "hmac-sha-1-96/aes-cbc", "null/aes-gcm" };

static int pair_parse(struct str text, struct security_pair *ret)
{
	struct str alg, ealg;

	if (!str_cut(text, '/', &alg, &ealg) || sec_alg_from_name(alg, &ret->alg) < 0 || sec_ealg_from_name(ealg, &ret->ealg) < 0)
		return -EINVAL;
	if ((ret->ealg == SEC_EALG_AES_GCM) != (ret->alg == SEC_ALG_NULL) ||
	    (ret->alg == SEC_ALG_AES_GMAC && ret->ealg != SEC_EALG_NULL))
		return -EINVAL;
	return 0;
}

static bool overlap(int64_t a, int64_t b, int64_t n)
{
	return a < b + n && b < a + n;
}

/* ---- which policy where ---- */

static int policy_parse(struct str text, enum security_policy *ret)
{
	static const char *const names[] = { "off", "prefer", "require" };

	for (unsigned i = 0; i < 3; i++)
		if (str_eq_c(text, names[i])) {
			*ret = (enum security_policy)i;
			return 0;
		}
	return -EINVAL;
}

static int listener_parse(struct str text, enum sip_proto *ret_proto, struct addr *ret_at)
{
	struct str proto, rest;

	if (!str_cut(text, ':', &proto, &rest) || sip_proto_from_name(proto, ret_proto) < 0)
		return -EINVAL;
	return addr_parse_hostport(rest, *ret_proto == SIP_TLS ? 5061 : 5060, ret_at);
}

static bool is_listener(const struct cfg_node *r, enum sip_proto proto, const struct addr *at)
{
	for (size_t i = 0; i < cfg_list_len(r, "sip.listen"); i++) {
		enum sip_proto p;
		struct addr a;

		if (listener_parse(cfg_strs_at(r, "sip.listen", i), &p, &a) == 0 && p == proto && addr_eq(&a, at))
			return true;
	}
	return false;
}

static void check_listeners(const struct cfg_node *r, struct buf *errors)
{
	struct str name, value;
	enum security_policy policy;
	enum sip_proto proto;
	struct addr at;
	size_t i;

	for (i = 0; cfg_map_at(r, "access.ipsec.listeners", i, &name, &value); i++) {
		if (policy_parse(value, &policy) < 0)
			cfg_error(r, "access.ipsec.listeners", errors, "access.ipsec.listeners: %.*s: require, prefer or off, not %.*s",
				  STR_ARG(name), STR_ARG(value));
		if (listener_parse(name, &proto, &at) < 0 || !is_listener(r, proto, &at))
			cfg_error(r, "access.ipsec.listeners", errors, "access.ipsec.listeners: %.*s is not in sip.listen", STR_ARG(name));
		else if (proto == SIP_TLS && value.l && !str_eq_c(value, "off"))
			cfg_error(r, "access.ipsec.listeners", errors, "access.ipsec.listeners: %.*s: phones on TLS have no use for IPsec",
				  STR_ARG(name));
	}
	if (i > SECURITY_MAX_LISTENERS)
		cfg_error(r, "access.ipsec.listeners", errors, "access.ipsec.listeners: more than %u entries", SECURITY_MAX_LISTENERS);
}

static void read_listeners(struct security_config *c, const struct cfg_node *r)
{
	struct str name, value;

	c->on = c->policy != SECURITY_OFF;
	for (size_t i = 0; c->n_listeners < SECURITY_MAX_LISTENERS && cfg_map_at(r, "access.ipsec.listeners", i, &name, &value); i++) {
		struct security_listener *l = &c->listener[c->n_listeners];

		if (listener_parse(name, &l->proto, &l->at) < 0 || policy_parse(value, &l->policy) < 0)
			continue;
		c->n_listeners++;
		c->on = c->on || l->policy != SECURITY_OFF;
	}
}

enum security_policy security_policy_at(const struct security_config *c, const struct sip_flow *f)
{
	for (unsigned i = 0; i < c->n_listeners; i++)
		if (c->listener[i].proto == f->proto && addr_eq(&c->listener[i].at, &f->local))
			return c->listener[i].policy;
	return f->proto == SIP_TLS ? SECURITY_OFF : c->policy;
}

/* ---- configuration ---- */

void security_config_check(const struct cfg_node *r, struct buf *errors)
{
	int64_t s = cfg_int(r, "access.ipsec.server_port"), c = cfg_int(r, "access.ipsec.client_port"), n = cfg_int(r, "access.ipsec.ports");
	size_t pairs = cfg_list_len(r, "access.ipsec.algorithms");
	struct security_pair p;

	if (pairs > SECURITY_MAX_PAIRS)
		cfg_error(r, "access.ipsec.algorithms", errors, "access.ipsec.algorithms: more than %u entries", SECURITY_MAX_PAIRS);
	for (size_t i = 0; i < pairs; i++) {
		struct str one = cfg_strs_at(r, "access.ipsec.algorithms", i);

		if (pair_parse(one, &p) < 0)
			cfg_error(r, "access.ipsec.algorithms", errors, "access.ipsec.algorithms: %.*s is no pair of TS 33.203 annex H",
				  STR_ARG(one));
		else if (ipsec_pair_is_null(p.alg, p.ealg) && !cfg_bool(r, "access.ipsec.allow_null"))
			cfg_error(r, "access.ipsec.algorithms", errors,
				  "access.ipsec.algorithms: %.*s encrypts nothing; access.ipsec.allow_null says that it may be", STR_ARG(one));
	}
	check_listeners(r, errors);
	if (overlap(s, c, n))
		cfg_error(r, "access.ipsec.client_port", errors, "access.ipsec: server and client ports overlap");
	for (size_t i = 0; cfg_has(r, "access.ipsec") && i < cfg_list_len(r, "sip.listen"); i++) {
		struct str proto, rest, text = cfg_strs_at(r, "sip.listen", i);
		struct addr a;
		char host[ADDR_STRLEN];

		str_cut(text, ':', &proto, &rest);
		if (addr_parse_hostport(rest, 5060, &a) < 0)
			continue;
		if (overlap(addr_port(&a), s, n) || overlap(addr_port(&a), c, n))
			cfg_error(r, "sip.listen", errors, "sip.listen: %.*s is one of the protected ports of access.ipsec", STR_ARG(text));
		addr_host(&a, host);
		if (!strcmp(host, "0.0.0.0") || !strcmp(host, "[::]"))
			cfg_error(r, "sip.listen", errors, "sip.listen: access.ipsec needs addresses, not %.*s", STR_ARG(text));
	}
}

void security_config_read(struct security_config *c, const struct cfg_node *r)
{
	size_t n = cfg_list_len(r, "access.ipsec.algorithms");

	if (!cfg_has(r, "access.ipsec") || policy_parse(cfg_str(r, "access.ipsec.policy"), &c->policy) < 0)
		c->policy = SECURITY_OFF;
	read_listeners(c, r);
	for (size_t i = 0; i < n && c->n_pairs < SECURITY_MAX_PAIRS; i++)
		if (pair_parse(cfg_strs_at(r, "access.ipsec.algorithms", i), &c->pair[c->n_pairs]) == 0)
			c->n_pairs++;
	for (size_t i = 0; n == 0 && i < sizeof(default_pairs) / sizeof(default_pairs[0]); i++)
		if (pair_parse(str_from_c(default_pairs[i]), &c->pair[c->n_pairs]) == 0)
			c->n_pairs++;
	c->port_s = (uint16_t)cfg_int(r, "access.ipsec.server_port");
	c->port_c = (uint16_t)cfg_int(r, "access.ipsec.client_port");
	c->n_ports = (uint16_t)cfg_int(r, "access.ipsec.ports");
	c->spi_first = (uint32_t)cfg_int(r, "access.ipsec.spi_first");
	c->n_spis = (uint32_t)cfg_int(r, "access.ipsec.spis");
	c->reqid_first = (uint32_t)cfg_int(r, "access.ipsec.reqid_first");
	c->await_auth_s = (uint32_t)cfg_int(r, "access.ipsec.await_auth_s");
	c->max_pending = (uint32_t)cfg_int(r, "access.ipsec.max_pending");
	c->max_pending_per_source = (uint32_t)cfg_int(r, "access.ipsec.max_pending_per_source");
	c->nat_port = (uint16_t)cfg_int(r, "access.ipsec.nat_port");
	c->margin_s = (uint32_t)cfg_int(r, "access.ipsec.margin_s");
	c->quarantine_s = (uint32_t)cfg_int(r, "access.ipsec.quarantine_s");
	c->old_ms = 64 * (uint32_t)cfg_int(r, "sip.ue_timers.t1_ms");
}

/* TR 33.926 annex O.2: the order of the phone's offer plays no part, nor any q that it wrote. */
int security_choose(const struct security_config *c, const struct sec_list *client, enum sec_mod mod, unsigned *ret_pair)
{
	for (unsigned p = 0; p < c->n_pairs; p++)
		for (unsigned i = 0; i < client->n; i++)
			if (client->entry[i].alg == c->pair[p].alg && client->entry[i].ealg == c->pair[p].ealg &&
			    client->entry[i].mod == mod) {
				*ret_pair = p;
				return (int)i;
			}
	return -ENOENT;
}

/* q falls in even steps, so that the phone's best choice is ours: the highest q among what it knows. */
unsigned security_server_list(const struct security_config *c, enum sec_mod mod, const struct ipsec_end *mine,
			      struct sec_agree ret[SECURITY_MAX_PAIRS])
{
	for (unsigned i = 0; i < c->n_pairs; i++)
		ret[i] = (struct sec_agree){
			.alg = c->pair[i].alg, .ealg = c->pair[i].ealg, .mod = mod, .q = (uint16_t)(900 - 100 * i), .port_c = mine->port_c,
			.port_s = mine->port_s, .spi_c = mine->spi_c, .spi_s = mine->spi_s,
		};
	return c->n_pairs;
}

struct str security_server_value(const struct sec_agree *list, unsigned n, struct arena *a)
{
	struct str ret = STR_NONE;
	struct buf b;

	buf_init(&b, HEADER_BYTES);
	for (unsigned i = 0; i < n; i++) {
		if (i)
			buf_puts(&b, ", ");
		secagree_put(&b, &list[i], true);
	}
	if (!b.failed)
		ret = arena_dup(a, buf_str(&b));
	buf_fini(&b);
	return ret;
}

struct str security_server_line(const struct security_config *c, enum sec_mod mod, struct arena *a)
{
	const struct ipsec_end none = { 0 };
	struct sec_agree list[SECURITY_MAX_PAIRS];
	struct str v = security_server_value(list, security_server_list(c, mod, &none, list), a);

	return arena_printf(a, "Security-Server: %.*s\r\n", STR_ARG(v));
}
