/* pcscf/registration.c - reading REGISTER and its 200: contact, granted time, Service-Route, P-Associated-URI.
 * TS 24.229 §5.2.2.3; RFC 3261 §10.2, §10.3; RFC 3608; RFC 7315 §4.1; row P7. */
#include <errno.h>
#include "common/sip/auth.h"
#include "common/util/clock.h"
#include "pcscf/registration.h"

#define EXPIRES_DEFAULT_S 3600u		/* RFC 3261 §10.2.1.1, when nobody says anything */

/* The private identity as TS 24.229 §5.3.1.2 derives it without Authorization. */
static int read_impi(struct sip_msg *m, struct registration *reg)
{
	struct auth_params p;
	char text[512];
	struct str aor;

	if (auth_find(m, SIP_H_AUTHORIZATION, STR_NONE, &p) == 0 && p.username.l) {
		reg->impi = p.username;
		return 0;
	}
	if (sip_uri_aor(&m->to.uri, text, sizeof(text), &aor) < 0)
		return -EBADMSG;
	if (str_istarts(aor, STR("sip:")))
		aor = str_from(aor, 4);
	reg->impi = arena_dup(m->arena, aor);
	return reg->impi.p ? 0 : -ENOMEM;
}

static int read_contacts(struct sip_msg *m, struct registration *reg)
{
	struct sip_values it = sip_values(m, SIP_H_CONTACT);
	struct sip_nameaddr na;
	struct str v;

	for (; sip_values_next(&it, &v); reg->n_contacts++) {
		if (sip_nameaddr_parse(v, &na) < 0)
			return -EBADMSG;
		reg->star = reg->star || na.star;
		if (reg->n_contacts == 0)
			reg->contact = na;
	}
	if (reg->star && reg->n_contacts > 1)		/* RFC 3261 §10.3 step 6 */
		return -EBADMSG;
	return 0;
}

/* TS 24.229 §5.1.6.2: an emergency registration stands beside the normal one, with the same instance. */
static bool is_sos(const struct sip_uri *contact)
{
	struct str v;

	return sip_uri_param(contact, "sos", &v);
}

/* The same phone comes back with the same instance (RFC 5626 §4.1), else with the same contact. */
static int make_key(struct sip_msg *m, struct registration *reg)
{
	const char *sos = is_sos(&reg->contact.uri) ? BINDING_KEY_SOS : "";
	struct str instance, reg_id = STR_NONE, contact;

	reg->by_instance = sip_nameaddr_param(&reg->contact, "+sip.instance", &instance) && instance.l;
	if (reg->by_instance) {
		reg->outbound = sip_nameaddr_param(&reg->contact, "reg-id", &reg_id) && reg_id.l &&
				sip_msg_has_token(m, SIP_H_SUPPORTED, "outbound");
		reg->key = arena_printf(m->arena, "%.*s|%.*s|%.*s%s", STR_ARG(reg->impi), STR_ARG(sip_unquote(instance)),
					STR_ARG(reg_id), sos);
	} else {
		contact = binding_contact_aor(m->arena, &reg->contact.uri);
		reg->key = arena_printf(m->arena, "%.*s|%.*s%s", STR_ARG(reg->impi), STR_ARG(contact), sos);
	}
	return reg->key.p ? 0 : -ENOMEM;
}

/* Of the contact's parameter, else of the header.  -ENOENT: neither. */
static int expires_of(const struct sip_nameaddr *contact, const struct sip_msg *m, uint32_t *ret)
{
	struct str v;

	if (sip_nameaddr_param(contact, "expires", &v))
		return str_to_u32(v, ret) == -ERANGE ? (*ret = UINT32_MAX, 0) : str_to_u32(v, ret);
	return sip_msg_u32(m, SIP_H_EXPIRES, ret);
}

int registration_read(struct sip_msg *m, struct registration *reg)
{
	uint32_t n;
	int rc;

	*reg = (struct registration){ 0 };
	rc = read_impi(m, reg);
	if (rc == 0)
		rc = read_contacts(m, reg);
	if (rc < 0 || reg->n_contacts == 0 || reg->star)
		return rc;
	if (reg->contact.uri.scheme != SIP_SCHEME_SIP && reg->contact.uri.scheme != SIP_SCHEME_SIPS) {
		reg->n_contacts = 0;		/* tel, mailto...: nothing that we could reach */
		return 0;
	}
	reg->zero = expires_of(&reg->contact, m, &n) == 0 && n == 0;
	return make_key(m, reg);
}

uint32_t registration_granted(const struct registration *reg, const struct sip_msg *answer)
{
	struct sip_values it = sip_values(answer, SIP_H_CONTACT);
	struct sip_nameaddr na;
	uint32_t n = EXPIRES_DEFAULT_S;
	unsigned others = 0;
	struct str v;

	while (sip_values_next(&it, &v)) {
		if (sip_nameaddr_parse(v, &na) < 0 || na.star)
			continue;
		if (!sip_uri_equal(&na.uri, &reg->contact.uri) || is_sos(&na.uri) != is_sos(&reg->contact.uri)) {
			others++;
			continue;
		}
		return expires_of(&na, answer, &n) < 0 ? EXPIRES_DEFAULT_S : n;
	}
	/* Not listed is gone.  A registrar that lists nothing at all means what it says in Expires. */
	return !reg->zero && !others && sip_msg_u32(answer, SIP_H_EXPIRES, &n) == 0 ? n : 0;
}

/* ---- the binding ---- */

static int take_routes(struct binding *b, const struct sip_msg *answer)
{
	struct sip_values it = sip_values(answer, SIP_H_SERVICE_ROUTE);
	struct sip_nameaddr na;
	struct str v;

	while (sip_values_next(&it, &v)) {
		if (b->n_routes == BINDING_MAX_ROUTES || sip_nameaddr_parse(v, &na) < 0 || na.star || !sip_uri_has_lr(&na.uri))
			return -EBADMSG;
		b->route[b->n_routes] = arena_dup(b->arena, v);
		if (!b->route[b->n_routes++].p)
			return -ENOMEM;
	}
	return 0;
}

static int take_identities(struct binding *b, const struct sip_msg *m, const struct sip_msg *answer)
{
	struct sip_values it = sip_values(answer, SIP_H_PASSOCIATED_URI);
	struct str v, own;
	int rc;

	while (sip_values_next(&it, &v)) {
		rc = binding_add_identity(b, v);
		if (rc == -ENOMEM)
			return rc;
		if (rc == -ENOSPC)
			break;
	}
	if (b->n_identities)
		return 0;
	own = arena_printf(b->arena, "<%.*s>", STR_ARG(m->to.uri.text));	/* a registrar that says none */
	return own.p ? binding_add_identity(b, own) : -ENOMEM;
}

int registration_binding(const struct registration *reg, const struct sip_msg *m, const struct sip_msg *answer, uint64_t id,
			 enum binding_auth auth, uint32_t expires_s, struct binding **ret)
{
	struct binding *b = binding_new(1024);
	struct str transport;
	int rc;

	if (!b)
		return -ENOMEM;
	b->id = id;
	b->auth = auth;
	b->outbound = reg->outbound;
	b->flow = m->flow;
	b->impi = arena_dup(b->arena, reg->impi);
	b->key = arena_dup(b->arena, reg->key);
	b->contact = arena_dup(b->arena, reg->contact.uri.text);
	b->contact_aor = binding_contact_aor(b->arena, &reg->contact.uri);
	b->user_agent = arena_dup(b->arena, sip_msg_value(m, SIP_H_USER_AGENT));
	b->access = arena_dup(b->arena, sip_msg_value(m, SIP_H_PAANI));
	sip_uri_host_addr(&reg->contact.uri, &b->contact_addr);
	b->contact_proto = reg->contact.uri.scheme == SIP_SCHEME_SIPS ? SIP_TLS : SIP_UDP;
	if (sip_uri_param(&reg->contact.uri, "transport", &transport))
		sip_proto_from_name(transport, &b->contact_proto);
	b->registered_wall_us = clock_wall_us();
	b->expires_wall_us = b->registered_wall_us + (uint64_t)expires_s * 1000000;
	rc = b->impi.p && b->key.p && b->contact.p && b->contact_aor.p ? take_routes(b, answer) : -ENOMEM;
	if (rc == 0)
		rc = take_identities(b, m, answer);
	if (rc < 0) {
		obj_unref(b);
		return rc;
	}
	*ret = b;
	return 0;
}
