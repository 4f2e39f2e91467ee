/* common/transport/alias.c - a connection that a neighbour opened serves what goes to it too: RFC 5923.
 *
 * Its first request says so by `alias` in its Via, and at which port it listens there.  For TLS alone, with a certificate that was
 * verified, and for the domains in it: whoever asks for another one, or shows none, changes nothing.  A connection and its alias belong
 * to one worker; the others have connections of their own. */
#include "common/transport/private.h"

#define SIPS_PORT 5061u

static void listen_at(struct conn *c, uint16_t port)
{
	c->alias = c->flow.remote;
	addr_set_port(&c->alias, port ? port : SIPS_PORT);
	htab_add(&c->t->by_alias, &c->by_alias, addr_hash(&c->alias));
	c->in_by_alias = true;
}

void alias_learn(struct conn *c, struct str raw)
{
	struct sip_parse_error e;
	struct sip_msg *m = NULL;
	struct str none;

	if (str_starts(raw, STR("SIP/")))
		return;
	c->alias_asked = true;
	if (!tls_peer_verified(c))
		return;
	if (sip_msg_parse_copy(raw, &c->flow, &m, &e) == 0 && m->request && sip_param_get(m->via.params, "alias", &none))
		listen_at(c, m->via.port);
	sip_msg_unref(m);
}

void alias_forget(struct conn *c)
{
	if (c->in_by_alias)
		htab_del(&c->t->by_alias, &c->by_alias);
	c->in_by_alias = false;
}

static bool serves(const struct hnode *n, const void *key)
{
	const struct conn *c = container_of(n, struct conn, by_alias);
	const struct sip_flow *to = key;

	return addr_eq(&c->alias, &to->remote) &&
	       (!addr_is_set(&to->local) || addr_is_any(&to->local) || addr_host_eq(&c->flow.local, &to->local)) &&
	       tls_peer_serves(c, to);
}

struct conn *alias_to(struct transport *t, const struct sip_flow *to)
{
	struct hnode *n = to->proto == SIP_TLS ? htab_find(&t->by_alias, addr_hash(&to->remote), serves, to) : NULL;

	return n ? container_of(n, struct conn, by_alias) : NULL;
}
