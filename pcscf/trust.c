/* pcscf/trust.c - the trust border: which headers are taken out on which way.  TS 24.229 §4.4, §5.2.6.3, §5.2.6.4;
 * RFC 3325, 3603, 7315, 7316; rows P1, P12, SEC-02, SEC-03, SEC-05. */
#include "common/metrics/metrics.h"
#include "pcscf/pcscf.h"
#include "pcscf/trust.h"

METRIC_DEF(trust_metric_stripped, "cscf_pcscf_stripped_headers_total", METRIC_COUNTER,
	   "Headers taken out at the border to the phones, by way and name.", "way", "header");

#define IN (TRUST_REQ_FROM_PHONE | TRUST_RESP_FROM_PHONE)
#define TO (TRUST_REQ_TO_PHONE | TRUST_RESP_TO_PHONE)
#define ALL (IN | TO)
#define IMEI_URN_MAX 256u		/* octets; a longer gr is none that anybody needs */
#define KEEP_2XX_REGISTER 16		/* stays in a 2xx to REGISTER */

static const struct {
	enum sip_hdr_id id;
	uint8_t ways;
} by_id[] = {
	/* identities: only the network asserts (RFC 3325 §5); P-Preferred-Identity has done its work here */
	{ SIP_H_PAI, IN }, { SIP_H_PPI, ALL }, { SIP_H_REMOTE_PARTY_ID, ALL }, { SIP_H_PCALLED_PARTY_ID, IN },
	{ SIP_H_PASSOCIATED_URI, ALL | KEEP_2XX_REGISTER },
	{ SIP_H_PASSERTED_SERVICE, IN }, { SIP_H_PPREFERRED_SERVICE, TRUST_RESP_FROM_PHONE | TO },
	/* what the network's nodes tell each other (TS 24.229 §4.4; RFC 7315, RFC 5502, RFC 5002) */
	{ SIP_H_PCV, ALL }, { SIP_H_PCFA, ALL }, { SIP_H_PSERVED_USER, ALL }, { SIP_H_PPROFILE_KEY, ALL },
	{ SIP_H_PUSER_DATABASE, ALL }, { SIP_H_PVNI, ALL },
	/* where the far end is (SEC-05) */
	{ SIP_H_PAANI, TO },
	/* routes are ours to write (RFC 3327, RFC 3608).  Path stays hidden: its token opens the core side, neighbour.c */
	{ SIP_H_PATH, ALL }, { SIP_H_SERVICE_ROUTE, ALL | KEEP_2XX_REGISTER }, { SIP_H_RECORD_ROUTE, TRUST_REQ_FROM_PHONE },
	/* what a phone could gain by lying about */
	{ SIP_H_FEATURE_CAPS, IN }, { SIP_H_RESOURCE_PRIORITY, IN }, { SIP_H_HISTORY_INFO, IN },
	{ SIP_H_IDENTITY, IN }, { SIP_H_IDENTITY_INFO, IN },
	/* security agreement ends here (RFC 3329 §2.3.1; clients.md point 5) */
	{ SIP_H_SECURITY_CLIENT, ALL }, { SIP_H_SECURITY_SERVER, ALL }, { SIP_H_SECURITY_VERIFY, ALL },
};

static const struct {
	const char *name;
	uint8_t ways;
} by_name[] = {
	{ "Cellular-Network-Info", TO },	/* TS 24.229 §7.2.15: a cell again */
	{ "Diversion", IN }, { "Additional-Identity", TRUST_RESP_FROM_PHONE },
	{ "Attestation-Info", IN }, { "Origination-Id", IN }, { "Priority-Verstat", IN },
	{ "Restoration-Info", ALL }, { "Relayed-Charge", ALL }, { "Resource-Share", ALL }, { "Service-Interact-Info", ALL },
	{ "Priority-Share", ALL }, { "Response-Source", IN }, { "P-Private-Network-Indication", ALL },
	{ "P-DCS-Trace-Party-ID", ALL }, { "P-DCS-OSPS", ALL }, { "P-DCS-Billing-Info", ALL }, { "P-DCS-LAES", ALL },
	{ "P-DCS-Redirect", ALL }, { "P-Media-Authorization", IN },
};

/* Names with this start that nobody listed do not come in either (SEC-03). */
static const char *const private_prefix[] = { "P-", "X-" };
/* ... but these are the phone's to send. */
static const char *const phones_own[] = { "P-Answer-State", "P-Refused-URI-List" };

static const char *way_name(enum trust_way way)
{
	switch (way) {
	case TRUST_REQ_FROM_PHONE: return "request-in";
	case TRUST_RESP_FROM_PHONE: return "response-in";
	case TRUST_REQ_TO_PHONE: return "request-out";
	case TRUST_RESP_TO_PHONE: return "response-out";
	}
	return "?";
}

static bool passes(const struct pcscf_config *c, struct str name, enum trust_way way)
{
	for (unsigned i = 0; (way & IN) && i < c->n_pass; i++)
		if (str_ieq_c(name, c->pass_headers[i]))
			return true;
	return false;
}

static unsigned strip_known(const struct pcscf_config *c, struct sip_out *o, enum trust_way way)
{
	bool registered = !o->m->request && o->m->method == SIP_REGISTER && o->m->status / 100 == 2;
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(by_id) / sizeof(by_id[0]); i++) {
		const struct sip_hdr *h = sip_msg_hdr(o->m, by_id[i].id);

		if (!h || !(by_id[i].ways & way) || (registered && (by_id[i].ways & KEEP_2XX_REGISTER)) ||
		    passes(c, sip_hdr_name(by_id[i].id), way))
			continue;
		sip_out_drop(o, by_id[i].id);
		metric_add(&trust_metric_stripped, way_name(way), sip_hdr_name(by_id[i].id).p, 1);
		n++;
	}
	return n;
}

static bool is_foreign(struct str name, enum trust_way way)
{
	for (size_t i = 0; i < sizeof(by_name) / sizeof(by_name[0]); i++)
		if (str_ieq_c(name, by_name[i].name))
			return by_name[i].ways & way;
	for (size_t i = 0; i < sizeof(phones_own) / sizeof(phones_own[0]); i++)
		if (str_ieq_c(name, phones_own[i]))
			return false;
	for (size_t i = 0; (way & IN) && i < sizeof(private_prefix) / sizeof(private_prefix[0]); i++)
		if (str_istarts(name, str_from_c(private_prefix[i])))
			return true;
	return false;
}

static unsigned strip_others(const struct pcscf_config *c, struct sip_out *o, enum trust_way way)
{
	unsigned n = 0;

	for (const struct sip_hdr *h = sip_msg_hdr(o->m, SIP_H_OTHER); h; h = sip_msg_hdr_next(o->m, h)) {
		struct str name = sip_msg_hdr_name(o->m, h);

		if (!is_foreign(name, way) || passes(c, name, way))
			continue;
		sip_out_drop_line(o, h);
		metric_add(&trust_metric_stripped, way_name(way), "other", 1);
		n++;
	}
	return n;
}

/* A phone cannot say what only the network knows of its access: TS 24.229 §7.2A.4, row P1. */
static unsigned strip_network_pani(struct sip_out *o)
{
	unsigned n = 0;

	for (const struct sip_hdr *h = sip_msg_hdr(o->m, SIP_H_PAANI); h; h = sip_msg_hdr_next(o->m, h)) {
		struct arena_text kept = arena_text(o->arena);
		struct str rest = sip_msg_hdr_value(o->m, h), one;

		if (str_ifind(rest, STR("network-provided")) < 0)
			continue;
		while (sip_list_next(&rest, &one))
			if (str_ifind(one, STR("network-provided")) < 0)
				arena_text_item(&kept, one);
		o->failed = o->failed || kept.failed;
		if (kept.l)
			sip_out_set_line(o, h, arena_text_str(&kept));
		else
			sip_out_drop_line(o, h);
		metric_add(&trust_metric_stripped, way_name(TRUST_REQ_FROM_PHONE), "P-Access-Network-Info", 1);
		n++;
	}
	return n;
}

static bool is_imei(struct str value)
{
	char text[IMEI_URN_MAX];
	struct str plain;

	if (value.l > sizeof(text))		/* whatever it is */
		return true;
	return sip_unescape(value, text, sizeof(text), &plain) == 0 && str_istarts(plain, STR("urn:gsma:imei"));
}

/* A GRUU that a registrar made of the IMEI as it stands: the address of record remains. */
static void put_uri(struct arena_text *t, const struct sip_uri *u)
{
	struct str name, value, gr;
	const char *end = u->text.p + u->text.l;

	if (!sip_uri_param(u, "gr", &gr) || !is_imei(gr)) {
		arena_text_put(t, u->text);
		return;
	}
	arena_text_put(t, str_make(u->text.p, (size_t)(u->params.p - u->text.p) - 1));
	for (struct str p = u->params; sip_param_next(&p, &name, &value);) {
		if (str_ieq(name, STR("gr")))
			continue;
		arena_text_put(t, STR(";"));
		arena_text_put(t, name);
		arena_text_put(t, value.l ? STR("=") : STR_NONE);
		arena_text_put(t, value);
	}
	arena_text_put(t, str_make(u->params.p + u->params.l, (size_t)(end - u->params.p) - u->params.l));
}

static void put_without_instance(struct arena_text *t, struct str contact)
{
	struct sip_nameaddr na;
	struct str name, value;

	if (sip_nameaddr_parse(contact, &na) < 0 || na.star)
		return;
	arena_text_item(t, STR("<"));
	put_uri(t, &na.uri);
	arena_text_put(t, STR(">"));
	for (struct str p = na.params; sip_param_next(&p, &name, &value);) {
		if ((str_ieq(name, STR("+sip.instance")) && str_ifind(value, STR("imei")) >= 0) || (str_ieq(name, STR("gr")) && is_imei(value)))
			continue;
		arena_text_put(t, STR(";"));
		arena_text_put(t, name);
		arena_text_put(t, value.l ? STR("=") : STR_NONE);
		arena_text_put(t, value);
	}
}

/* SEC-05, RFC 7255 §4: the IMEI in +sip.instance is for the registrar alone; and in a GRUU it is for nobody. */
static unsigned strip_imei(struct sip_out *o, enum trust_way way)
{
	unsigned n = 0;

	for (const struct sip_hdr *h = sip_msg_hdr(o->m, SIP_H_CONTACT); h; h = sip_msg_hdr_next(o->m, h)) {
		struct arena_text all = arena_text(o->arena);
		struct str rest = sip_msg_hdr_value(o->m, h), one;

		if (str_ifind(rest, STR("imei")) < 0)
			continue;
		while (sip_list_next(&rest, &one))
			put_without_instance(&all, one);
		o->failed = o->failed || all.failed;
		if (all.l)
			sip_out_set_line(o, h, arena_text_str(&all));
		else
			sip_out_drop_line(o, h);	/* none of it can be read */
		metric_add(&trust_metric_stripped, way_name(way), "Contact", 1);
		n++;
	}
	return n;
}

/* RFC 5009 §7, §8; TS 24.229 §5.2.7.2, §5.2.8; row P15.  Who may send media before the answer is the network's to say.  What a phone may
 * write is that it understands the header, in a request. */
static unsigned strip_early_media(struct sip_out *o)
{
	unsigned n = 0;

	for (const struct sip_hdr *h = sip_msg_hdr(o->m, SIP_H_PEARLY_MEDIA); h; h = sip_msg_hdr_next(o->m, h)) {
		struct str rest = sip_msg_hdr_value(o->m, h), one;
		bool supported = false, other = false;

		while (sip_list_next(&rest, &one))
			*(o->m->request && str_ieq_c(one, "supported") ? &supported : &other) = true;
		if (!other)
			continue;
		if (supported)
			sip_out_set_line(o, h, STR("supported"));
		else
			sip_out_drop_line(o, h);
		metric_add(&trust_metric_stripped, way_name(o->m->request ? TRUST_REQ_FROM_PHONE : TRUST_RESP_FROM_PHONE), "P-Early-Media", 1);
		n++;
	}
	return n;
}

static void strip_sec_agree(struct sip_out *o)
{
	static const enum sip_hdr_id lists[] = { SIP_H_REQUIRE, SIP_H_PROXY_REQUIRE, SIP_H_SUPPORTED };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (sip_msg_has_token(o->m, lists[i], "sec-agree"))
			sip_out_drop_token(o, lists[i], "sec-agree");
}

/* RFC 3323 §4.2: one of the values of Privacy. */
static bool wants_privacy(const struct sip_msg *m, const char *value)
{
	for (const struct sip_hdr *h = sip_msg_hdr(m, SIP_H_PRIVACY); h; h = sip_msg_hdr_next(m, h)) {
		struct str rest = sip_msg_hdr_value(m, h), one;

		for (bool more = true; more && rest.l;) {
			struct str list, v;

			more = str_cut(rest, ';', &one, &rest);
			list = one;
			while (sip_list_next(&list, &v))
				if (str_ieq_c(v, value))
					return true;
		}
	}
	return false;
}

unsigned trust_strip(const struct pcscf_config *c, struct sip_out *o, enum trust_way way)
{
	unsigned n = strip_known(c, o, way) + strip_others(c, o, way);

	if (way & IN)
		n += strip_network_pani(o);
	if (o->m->method != SIP_REGISTER)		/* from our phone, and from a network that lets its phones' pass */
		n += strip_imei(o, way);
	if ((way & IN) && !c->early_media)
		n += strip_early_media(o);
	if ((way & TO) && sip_msg_hdr(o->m, SIP_H_PAI) && wants_privacy(o->m, "id")) {	/* RFC 3325 §5, §7 */
		sip_out_drop(o, SIP_H_PAI);
		n++;
	}
	if (way & TO)
		credentials_hide_keys(o);		/* in whatever it stands: a request too */
	if ((way & TO) && c->hide_topology) {
		sip_out_drop(o, SIP_H_WARNING);
		sip_out_drop(o, SIP_H_SERVER);
	}
	strip_sec_agree(o);
	return n;
}
