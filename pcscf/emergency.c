/* pcscf/emergency.c - emergency calls: TS 24.229 §5.2.10, §7.6; RFC 5031; TS 23.167; row P21, SEC-19.
 *
 * A service URN below "sos", or a number of access.emergency.numbers, however it is written.  It goes to the E-CSCF of
 * access.emergency.ecscf and to nowhere else: what the caller wrote as Route plays no part, so that nobody without a
 * registration reaches anything but the PSAP.  Without an E-CSCF the phone hears 380 and turns to another domain, at once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "pcscf/pcscf.h"
#include "pcscf/trust.h"

#define NUMBER_BYTES 64u

static METRIC_DEF(m_calls, "cscf_pcscf_emergency_requests_total", METRIC_COUNTER, "Emergency requests of phones, by what came of them.",
		  "outcome", NULL);

void emergency_init(void)
{
	metrics_register(&m_calls);
}

/* ---- configuration ---- */

static bool is_sos(struct str urn)
{
	static const char sos[] = "urn:service:sos";
	struct str tail;

	if (!str_istarts(urn, STR(sos)))
		return false;
	tail = str_from(urn, sizeof(sos) - 1);
	return tail.l == 0 || tail.p[0] == '.' || tail.p[0] == ';';
}

/* "112", "110=sos.police". */
static int number_parse(struct str text, struct str *ret_number, struct str *ret_service)
{
	static const char allowed[] = "0123456789*#abcdABCD";

	str_cut(text, '=', ret_number, ret_service);
	*ret_number = str_trim(*ret_number);
	*ret_service = str_trim(*ret_service);
	if (!ret_service->l)
		*ret_service = STR("sos");
	if (!ret_number->l || ret_number->l >= NUMBER_BYTES || !str_istarts(*ret_service, STR("sos")) ||
	    (ret_service->l > 3 && (ret_service->p[3] != '.' || ret_service->l == 4)))
		return -EINVAL;
	for (size_t i = 0; i < ret_number->l; i++)
		if (!strchr(allowed, ret_number->p[i]))
			return -EINVAL;
	for (size_t i = 3; i < ret_service->l; i++) {		/* RFC 5031 §4.1: labels of letters, digits and dashes */
		char c = ret_service->p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
			return -EINVAL;
	}
	return 0;
}

static bool ecscf_ok(struct str text)
{
	struct sip_uri u;

	return sip_uri_parse(text, &u, NULL) == 0 && !u.headers.l && (u.scheme == SIP_SCHEME_SIP || u.scheme == SIP_SCHEME_SIPS);
}

void emergency_config_check(const struct cfg_node *r, struct buf *errors)
{
	struct str number, service;

	if (cfg_has(r, "access.emergency.ecscf") && !ecscf_ok(cfg_str(r, "access.emergency.ecscf")))
		cfg_error(r, "access.emergency.ecscf", errors, "access.emergency.ecscf: not a SIP URI");
	if (cfg_list_len(r, "access.emergency.numbers") > PCSCF_MAX_EMERGENCY)
		cfg_error(r, "access.emergency.numbers", errors, "access.emergency.numbers: more than %u entries", PCSCF_MAX_EMERGENCY);
	for (size_t i = 0; i < cfg_list_len(r, "access.emergency.numbers"); i++) {
		struct str one = cfg_strs_at(r, "access.emergency.numbers", i);

		if (number_parse(one, &number, &service) < 0)
			cfg_error(r, "access.emergency.numbers", errors,
				  "access.emergency.numbers: %.*s is neither NUMBER nor NUMBER=sos.SERVICE", STR_ARG(one));
	}
	if (!cfg_has(r, "access.emergency.ecscf") && cfg_bool(r, "access.emergency.allow_anonymous"))
		cfg_error(r, "access.emergency.allow_anonymous", errors, "access.emergency.allow_anonymous: there is no ecscf");
}

int emergency_config_read(struct emergency_config *c, const struct cfg_node *r)
{
	c->allow_anonymous = cfg_bool(r, "access.emergency.allow_anonymous");
	c->need_registration = cfg_bool(r, "access.emergency.need_registration");
	for (size_t i = 0; i < cfg_list_len(r, "access.emergency.numbers") && c->n_numbers < PCSCF_MAX_EMERGENCY; i++)
		if (number_parse(cfg_strs_at(r, "access.emergency.numbers", i), &c->number[c->n_numbers].digits,
				 &c->number[c->n_numbers].service) == 0)
			c->n_numbers++;
	if (!cfg_has(r, "access.emergency.ecscf") || !ecscf_ok(cfg_str(r, "access.emergency.ecscf")))
		return 0;
	c->ecscf = pcscf_route_of_uri(cfg_str(r, "access.emergency.ecscf"));
	return c->ecscf ? 0 : -ENOMEM;
}

void emergency_config_fini(struct emergency_config *c)
{
	free(c->ecscf);
}

/* ---- is it one? ---- */

/* What is dialled: without escapes, visual separators (RFC 3966 §5.1.1) and parameters. */
static bool dialled(const struct sip_uri *u, char dst[NUMBER_BYTES], struct str *ret)
{
	char plain[NUMBER_BYTES];
	struct str user;
	size_t n = 0;

	if (u->user.l >= sizeof(plain) || sip_unescape(u->user, plain, sizeof(plain), &user) < 0)
		return false;
	for (size_t i = 0; i < user.l && user.p[i] != ';'; i++)
		if (!strchr("-.() ", user.p[i]))
			dst[n++] = user.p[i];
	*ret = str_make(dst, n);
	return n > 0;
}

/* A SIP URI is a number of ours when the host is: sip:112@elsewhere is somebody's name there (RFC 3261 §19.1.6). */
static bool may_be_number(const struct pcscf *p, const struct sip_uri *u)
{
	struct str user;

	if (u->scheme == SIP_SCHEME_TEL)
		return true;
	if (u->scheme != SIP_SCHEME_SIP && u->scheme != SIP_SCHEME_SIPS)
		return false;
	return stack_is_home_domain(p->stack, u->host) || stack_is_self(p->stack, u) ||
	       (sip_uri_param(u, "user", &user) && (str_ieq_c(user, "phone") || str_ieq_c(user, "dialstring")));
}

static const struct emergency_number *number_of(const struct pcscf *p, const struct sip_uri *u)
{
	const struct emergency_config *c = &p->cfg.emergency;
	char text[NUMBER_BYTES];
	struct str number;

	if (!c->n_numbers || !may_be_number(p, u) || !dialled(u, text, &number))
		return NULL;
	for (unsigned i = 0; i < c->n_numbers; i++)
		if (str_ieq(number, c->number[i].digits))
			return &c->number[i];
	return NULL;
}

bool pcscf_is_emergency(const struct pcscf *p, const struct sip_uri *u)
{
	return u->scheme == SIP_SCHEME_OTHER ? is_sos(u->text) : number_of(p, u) != NULL;
}

/* An emergency registration: the contact says so (TS 24.229 §5.1.6.2). */
static bool registers_for_sos(const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_CONTACT);
	struct sip_nameaddr na;
	struct str v;

	while (sip_values_next(&it, &v))
		if (sip_nameaddr_parse(v, &na) == 0 && !na.star && sip_uri_param(&na.uri, "sos", &v))
			return true;
	return false;
}

bool pcscf_urgent(struct worker *w, struct str ruri, const struct sip_msg *m)
{
	const struct pcscf *p = pcscf_of(w)->p;
	struct sip_uri u;

	if (m && m->method == SIP_REGISTER)
		return registers_for_sos(m);
	return sip_uri_parse(ruri, &u, NULL) == 0 && pcscf_is_emergency(p, &u);
}

/* ---- 380 ---- */

/* TS 24.229 §5.2.10, §7.6: the identity shows the phone that its own P-CSCF says so, the contact which service was meant. */
static void alternative(struct pcscf_req *r, struct str urn, const char *action, const char *reason)
{
	struct arena *a = r->m->arena;
	struct str extra = arena_printf(a, "P-Asserted-Identity: <sip:%.*s>\r\nContact: <%.*s>\r\n", STR_ARG(r->pw->p->cfg.path_host),
					STR_ARG(urn));
	struct str body = arena_printf(a, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<ims-3gpp version=\"1\"><alternative-service>"
				       "<type>emergency</type><reason>%s</reason>%s%s%s</alternative-service></ims-3gpp>\r\n", reason,
				       action ? "<action>" : "", action ? action : "", action ? "</action>" : "");

	metric_add(&m_calls, "alternative service", NULL, 1);
	log_info(LOG_SESS, "emergency request turned to another service", LOG_C("why", reason), LOG_S("call_id", r->m->call_id));
	if (r->st)
		tx_server_reply_body(r->st, 380, NULL, extra, STR("application/3gpp-ims+xml"), body);
}

/* ---- to the E-CSCF ---- */

/* The PSAP calls back by number: beside the identity that the phone prefers, one of the other kind (RFC 3325 §9.1). */
static void assert_caller(struct pcscf_req *r)
{
	const struct binding *b = r->b;
	struct str sip = STR_NONE, tel = STR_NONE;

	for (unsigned i = 0; i < b->n_identities; i++) {
		bool is_tel = str_istarts(b->identity[i].aor, STR("tel:"));

		if (is_tel && !tel.l)
			tel = b->identity[i].value;
		else if (!is_tel && !sip.l)
			sip = b->identity[i].value;
	}
	if (!sip.l || !tel.l || sip_msg_hdr(r->m, SIP_H_PPI))
		pcscf_assert_sender(&r->out, b);
	else
		sip_out_set(&r->out, SIP_H_PAI, arena_printf(r->m->arena, "%.*s, %.*s", STR_ARG(sip), STR_ARG(tel)));
}

static void to_ecscf(struct pcscf_req *r, struct str urn)
{
	const struct pcscf_config *c = &r->pw->p->cfg;

	if (credentials_set_integrity(&r->out, NULL) < 0) {
		pcscf_refuse(r, 400, "authorization cannot be read", STR_NONE);
		return;
	}
	trust_strip(c, &r->out, TRUST_REQ_FROM_PHONE);
	if (r->b)
		assert_caller(r);
	r->icid = pcscf_charging_new(r->pw, &r->out);
	sip_out_set_ruri(&r->out, urn);
	sip_out_drop(&r->out, SIP_H_ROUTE);
	sip_out_push(&r->out, SIP_H_ROUTE, str_from_c(c->emergency.ecscf));
	r->emergency = true;
	metric_add(&m_calls, r->b ? "forwarded" : "forwarded anonymous", NULL, 1);
	log_info(LOG_SESS, "emergency request", LOG_S("urn", urn), LOG_S("impi", r->b ? r->b->impi : STR_NONE),
		 LOG_S("call_id", r->m->call_id));
	pcscf_forward_to_core(r, true, true);
}

void pcscf_emergency(struct pcscf_req *r)
{
	const struct emergency_config *c = &r->pw->p->cfg.emergency;
	const struct emergency_number *n = number_of(r->pw->p, &r->m->ruri);
	struct str urn = n ? arena_printf(r->m->arena, "urn:service:%.*s", STR_ARG(n->service)) : r->m->ruri.text;

	r->b = pcscf_phone_of(r);
	if (!c->ecscf)
		alternative(r, urn, NULL, "emergency calls are not served here");
	else if (!r->b && !c->allow_anonymous)		/* §5.2.10.2 */
		alternative(r, urn, "emergency-registration", "an emergency registration is needed");
	else if (r->b && c->need_registration && !binding_is_emergency(r->b))
		alternative(r, urn, "emergency-registration", "an emergency registration is needed");
	else
		to_ecscf(r, urn);
}

/* SEC-19: who is not registered talks within an emergency call to the E-CSCF, or to who it put on the way, and to nobody else. */
bool pcscf_knows_sos_hop(const struct pcscf *p, const struct sip_uri *u)
{
	struct sip_nameaddr na;

	if (p->cfg.emergency.ecscf && sip_nameaddr_parse(str_from_c(p->cfg.emergency.ecscf), &na) == 0 && !na.star &&
	    str_ieq(na.uri.host, u->host) && na.uri.port == u->port)
		return true;
	return pcscf_knows_hop_as(p, "sos", u);
}
