/* common/sip/charging.c - see charging.h. */
#include "common/sip/charging.h"
#include "common/sip/nameaddr.h"
#include "common/util/rand.h"

#define ICID_OCTETS 16u

/* What is of the session and goes wherever the ICID goes.  Anything unknown counts as the access network's, whose parameters are
 * generic ones and which must not leave the home network. */
static const char *const of_session[] = { "related-icid", "related-icid-generated-at", "loopback" };

static bool is_of_session(struct str name)
{
	for (size_t i = 0; i < sizeof(of_session) / sizeof(of_session[0]); i++)
		if (str_ieq_c(name, of_session[i]))
			return true;
	return false;
}

static void put(struct arena_text *t, struct str name, struct str value)
{
	arena_text_put(t, STR(";"));
	arena_text_put(t, name);
	arena_text_put(t, value.l ? STR("=") : STR_NONE);
	arena_text_put(t, value);
}

void charging_read(struct arena *a, const struct sip_msg *m, struct charging_vector *ret)
{
	struct arena_text session = arena_text(a), access = arena_text(a), domain = arena_text(a);
	struct str rest = sip_msg_value(m, SIP_H_PCV), name, value;
	const struct { const char *name; struct str *to; } rows[] = {
		{ "icid-value", &ret->icid }, { "icid-generated-at", &ret->generated_at }, { "orig-ioi", &ret->orig_ioi },
		{ "term-ioi", &ret->term_ioi }, { "transit-ioi", NULL },
	};

	*ret = (struct charging_vector){ .icid = STR_NONE };
	while (sip_param_next(&rest, &name, &value)) {
		size_t i = 0;

		while (i < sizeof(rows) / sizeof(rows[0]) && !str_ieq_c(name, rows[i].name))
			i++;
		if (i == sizeof(rows) / sizeof(rows[0]))
			put(is_of_session(name) ? &session : str_ieq_c(name, "fe-identifier") ? &domain : &access, name, value);
		else if (rows[i].to && rows[i].to->l == 0)
			*rows[i].to = value;
	}
	ret->session = arena_text_str(&session);
	ret->access = arena_text_str(&access);
	ret->domain = arena_text_str(&domain);
}

void charging_new(struct arena *a, struct str host, struct charging_vector *ret)
{
	uint8_t random[ICID_OCTETS];
	char icid[2 * ICID_OCTETS + 1];
	ssize_t colon = str_rchr(host, ':');

	if (colon > 0 && host.p[host.l - 1] != ']')
		host = str_head(host, (size_t)colon);
	rand_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), icid);
	*ret = (struct charging_vector){ .icid = arena_printf(a, "\"%s\"", icid), .generated_at = host };
}

struct str charging_ioi(struct arena *a, enum charging_ioi type, struct str network)
{
	struct arena_text t = arena_text(a);
	bool token = type == IOI_NETWORK && network.l;

	for (size_t i = 0; i < network.l; i++) {	/* what cannot stand in a quoted string as it is cannot stand in a network's name */
		unsigned char c = (unsigned char)network.p[i];

		if (c < ' ' || c == '"' || c == '\\')
			return STR_NONE;
		token = token && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~", c);
	}
	if (token)
		return network;
	arena_text_put(&t, type == IOI_ACCESS ? STR("\"Type 1") : type == IOI_SERVICE ? STR("\"Type 3") : STR("\""));
	arena_text_put(&t, network);
	arena_text_put(&t, STR("\""));
	return t.failed ? STR_NONE : arena_text_str(&t);
}

enum charging_ioi charging_type(struct str ioi)
{
	ioi = sip_unquote(ioi);
	return str_istarts(ioi, STR("Type 1")) ? IOI_ACCESS : str_istarts(ioi, STR("Type 3")) ? IOI_SERVICE : IOI_NETWORK;
}

bool charging_is_of(const struct charging_vector *v, struct str network)
{
	return v->orig_ioi.l == 0 || str_ieq(sip_unquote(v->orig_ioi), network);
}

struct str charging_write(struct arena *a, const struct charging_vector *v)
{
	struct arena_text t = arena_text(a);

	if (v->icid.l == 0)
		return STR_NONE;
	arena_text_put(&t, STR("icid-value="));
	arena_text_put(&t, v->icid);
	if (v->generated_at.l)
		put(&t, STR("icid-generated-at"), v->generated_at);
	arena_text_put(&t, v->session);
	arena_text_put(&t, v->domain);
	arena_text_put(&t, v->access);
	if (v->orig_ioi.l)
		put(&t, STR("orig-ioi"), v->orig_ioi);
	if (v->term_ioi.l)
		put(&t, STR("term-ioi"), v->term_ioi);
	return t.failed ? STR_NONE : arena_text_str(&t);
}

struct str charging_answer(struct arena *a, const struct sip_msg *req, enum charging_ioi type, struct str network)
{
	struct charging_vector v;

	charging_read(a, req, &v);
	v.session = v.access = v.domain = STR_NONE;
	v.term_ioi = charging_ioi(a, type, network);
	return charging_write(a, &v);
}
