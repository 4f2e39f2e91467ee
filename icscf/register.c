/* icscf/register.c - REGISTER: TS 24.229 §5.3.1; UAR: TS 29.228 §6.1.1; rows I1-I3. */
#include <errno.h>
#include "common/log/log.h"
#include "common/sip/auth.h"
#include "common/util/clock.h"
#include "icscf/icscf.h"

#define AOR_MAX 512
#define IMPI_MAX 256

/* The private identity: what the phone says, else derived from the public one (clients.md: many phones send no
 * Authorization at first; TS 24.229 §5.3.1.2 says the same).  A name without a realm is completed with the home domain
 * (TS 23.003 §13.3), as the S-CSCF does.  Empty: out of memory. */
static struct str private_identity(const struct icscf_ask *a)
{
	struct str scheme, user, home = a->iw->i->home_domain;
	struct auth_params p;
	int rc = auth_find(a->m, SIP_H_AUTHORIZATION, home, &p);

	if (rc == -ENOENT)			/* the HSS's digest realm may be another */
		rc = auth_find(a->m, SIP_H_AUTHORIZATION, STR_NONE, &p);
	str_cut(a->impu, ':', &scheme, &user);
	if (rc == 0 && p.username.l)
		user = p.username;
	return str_chr(user, '@') >= 0 ? user : arena_printf(a->m->arena, "%.*s@%.*s", STR_ARG(user), STR_ARG(home));
}

static bool plausible(struct str impi)
{
	for (size_t i = 0; i < impi.l; i++)
		if ((unsigned char)impi.p[i] <= ' ' || (unsigned char)impi.p[i] >= 0x7f)
			return false;
	return impi.l > 0 && impi.l <= IMPI_MAX;
}

static bool public_identity(struct icscf_ask *a)
{
	char text[AOR_MAX];
	struct str aor;

	if (sip_uri_aor(&a->m->to.uri, text, sizeof(text), &aor) < 0)
		return false;
	a->impu = arena_dup(a->m->arena, aor);
	return a->impu.p;
}

/* One bare domain: Open5GS makes identities out of it (integration.md §2). */
static struct str visited_network(const struct icscf_ask *a)
{
	struct sip_values it = sip_values(a->m, SIP_H_PVNI);
	struct str value, rest;

	if (!sip_values_next(&it, &value))
		return a->iw->i->home_domain;
	if (value.l && value.p[0] == '"') {
		ssize_t end = str_chr(str_from(value, 1), '"');

		value = end < 0 ? str_from(value, 1) : str_head(str_from(value, 1), (size_t)end);
	} else {
		str_cut(value, ';', &value, &rest);
	}
	value = str_trim(value);
	return value.l ? value : a->iw->i->home_domain;
}

/* Expires 0 for every contact: de-registration.  A value that cannot be read counts as 3600 (RFC 3261 §10.2.1.1). */
static void read_contacts(struct icscf_ask *a)
{
	struct sip_values it = sip_values(a->m, SIP_H_CONTACT);
	uint32_t of_all = 3600, one;
	struct sip_nameaddr na;
	struct str value, text;
	unsigned n = 0;
	bool none_stays = true;

	if (sip_msg_u32(a->m, SIP_H_EXPIRES, &of_all) < 0)
		of_all = 3600;
	while (sip_values_next(&it, &value)) {
		if (sip_nameaddr_parse(value, &na) < 0)
			continue;
		n++;
		one = of_all;
		if (!na.star && sip_nameaddr_param(&na, "expires", &text) && str_to_u32(text, &one) < 0)
			one = 3600;
		none_stays = none_stays && one == 0;
		a->emergency = a->emergency || (!na.star && sip_uri_param(&na.uri, "sos", &text));
	}
	a->deregister = n && none_stays;
}

/* ---- UAA ---- */

/* The answer to REGISTRATION_AND_CAPABILITIES names the S-CSCF that has just failed, and what another one must have. */
static void on_second_uaa(struct icscf_ask *a, const struct cx_uaa *r, const struct icscf_verdict *v)
{
	char text[SCSCF_URI_MAX];
	struct str uri;

	if (v->action == ICSCF_REFUSE) {
		log_info(LOG_REG, "no capabilities for another S-CSCF", LOG_C("why", v->why), LOG_S("impu", a->impu));
		icscf_answer_last(a);
		return;
	}
	a->may_choose = true;
	if (r->has_caps)
		icscf_caps_keep(a, &r->caps);
	else if (r->server_name.l && scscf_uri(r->server_name, text, &uri) == 0 && !scscf_was_tried(&a->tried, uri)) {
		icscf_to_named(a, uri);
		return;
	}
	if (!icscf_to_next(a))
		icscf_answer_last(a);
}

static void on_uaa(void *arg, const struct cx_uaa *r)
{
	struct icscf_verdict v = icscf_uaa_judge(r);
	struct icscf_ask *a = arg;

	a->cx = 0;
	if (!icscf_ask_open(a))
		return;
	icscf_heard(a, r->origin_host);
	if (a->asked_caps) {
		on_second_uaa(a, r, &v);
		return;
	}
	if (r->has_caps) {
		icscf_caps_keep(a, &r->caps);
		a->may_choose = a->caps != NULL;
	}
	switch (v.action) {
	case ICSCF_REFUSE:
		icscf_refuse(a, v.status, v.retry_after, v.why);
		break;
	case ICSCF_TO_SERVER:
		icscf_to_named(a, r->server_name);
		break;
	case ICSCF_SELECT:
	case ICSCF_UNREGISTERED:
		icscf_to_chosen(a);
		break;
	}
}

/* PyHSS forgets the S-CSCF at a UAR with DE_REGISTRATION, before the S-CSCF has said a word (integration.md §1). */
static uint32_t uar_type(const struct icscf_ask *a)
{
	if (a->asked_caps)
		return CX_UAR_REGISTRATION_AND_CAPABILITIES;
	return a->deregister && a->iw->i->hss != HSS_PYHSS ? CX_UAR_DE_REGISTRATION : CX_UAR_REGISTRATION;
}

static bool send_uar(struct icscf_ask *a)
{
	struct cx_uar r = { .impi = a->impi, .impu = a->impu, .visited_network = a->visited, .type = uar_type(a),
			    .flags = a->emergency ? CX_UAR_FLAG_EMERGENCY : 0 };

	a->asked_us = clock_mono_us();
	a->cx = cx_uar_send(a->iw->w->dia, &r, on_uaa, a);
	return a->cx != 0;
}

bool icscf_register_ask_capabilities(struct icscf_ask *a)
{
	a->asked_caps = true;
	return send_uar(a);
}

void icscf_register(struct icscf_worker *iw, struct tx_server *st, struct sip_msg *m)
{
	struct icscf_ask *a = icscf_ask_new(iw, st, m, PROC_REGISTER);

	if (!a)
		return;
	if (!icscf_trusts(iw->i, &m->flow)) {
		icscf_refuse(a, 403, false, "the sender is no P-CSCF of the trust domain");
		return;
	}
	sip_out_drop(proxy_out(a->p), SIP_H_ROUTE);	/* the HSS says where: clients.md point 9 */
	if (!public_identity(a)) {
		icscf_refuse(a, 400, false, "To is not an identity");
		return;
	}
	a->impi = private_identity(a);
	if (!plausible(a->impi)) {
		/* Derived from a To that is well formed (RFC 4475 §3.1.1.4: an escaped NUL): nobody, not a mistake. */
		icscf_refuse(a, str_ends(a->impu, a->impi) ? 403 : 400, false, "the private identity cannot be one");
		return;
	}
	a->visited = visited_network(a);
	read_contacts(a);
	if (!send_uar(a))
		icscf_refuse(a, 503, true, "out of memory");
}
