/* tests/fuzz/fuzz_auth.c - values of Authorization and WWW-Authenticate: Digest, AKA, AUTS, and what the P-CSCF makes of them.
 * RFC 7616, RFC 3310; S4, rows P2, R7.
 *
 * integrity-protected of the phone's never gets through, ck and ik never get out: looked for with a reader of our own here, that
 * splits at any comma outside of quotes, on the message as it would be written. */
#include <errno.h>
#include <string.h>
#include "common/sip/auth.h"
#include "common/sip/out.h"
#include "pcscf/trust.h"
#include "tests/fuzz/fuzz.h"

static const char head[] = "REGISTER sip:home SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa\r\nFrom: <sip:a@home>;tag=1\r\n"
			   "To: <sip:a@home>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n";

static void digest(struct str value)
{
	struct auth_params p;
	uint8_t octets[64];
	char text[AUTH_HEX_MAX], again[4 * 64];
	size_t n;

	if (auth_params_parse(value, &p) < 0)
		return;
	MUST(p.algorithm <= AUTH_ALG_UNKNOWN && str_ieq_c(p.scheme, "Digest"));
	if (auth_response(&p, STR("0123"), STR("REGISTER"), STR("body"), text) == 0)
		MUST(strlen(text) == (p.algorithm == AUTH_SHA256 || p.algorithm == AUTH_AKAV2_SHA256 ? 64 : 32));
	MUST(!auth_response_matches(&p, STR("0123"), STR("REGISTER"), STR("body")) || str_ieq_c(p.response, text));
	if (base64_decode(p.auts, false, octets, sizeof(octets), &n) == 0) {
		MUST(n <= sizeof(octets));
		base64_encode(octets, n, false, again);
	}
	hex_decode(p.response, octets, sizeof(octets), &n);
}

static bool names(struct str left_of_equals, const char *name)
{
	struct str k = str_trim(left_of_equals);
	size_t l = strlen(name);

	return k.l >= l && str_ieq_c(str_from(k, k.l - l), name) &&
	       (k.l == l || k.p[k.l - l - 1] == ' ' || k.p[k.l - l - 1] == '\t');
}

/* Is there a parameter of that name in the value, however it is spelled?  Commas and '=' count outside of quotes. */
static bool has_param(struct str v, const char *name)
{
	size_t from = 0;
	bool quoted = false;

	for (size_t i = 0; i < v.l; i++) {
		if (quoted && v.p[i] == '\\')
			i++;
		else if (v.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && v.p[i] == ',')
			from = i + 1;
		else if (!quoted && v.p[i] == '=' && names(str_make(v.p + from, i - from), name))
			return true;
	}
	return false;
}

static struct sip_msg *message(enum sip_hdr_id id, struct str value)
{
	struct sip_parse_error e;
	struct sip_msg *m = NULL;
	struct buf b;

	buf_init(&b, 2 * GUARD_INPUT_BYTES);
	buf_puts(&b, head);
	buf_put(&b, sip_hdr_name(id));
	buf_puts(&b, ": ");
	buf_put(&b, value);
	buf_puts(&b, "\r\n\r\n");
	if (b.failed || sip_msg_parse_copy(buf_str(&b), NULL, &m, &e) < 0) {
		sip_msg_unref(m);
		m = NULL;
	}
	buf_fini(&b);
	return m;
}

static struct sip_msg *written(struct sip_out *o)
{
	struct sip_parse_error e;
	struct sip_msg *w = NULL;
	struct bytes *b;

	if (sip_out_write(o, &b) < 0)
		return NULL;
	MUST(sip_msg_parse_copy(bytes_str(b), NULL, &w, &e) == 0);
	bytes_unref(b);
	return w;
}

static void inwards(struct str value)
{
	struct sip_msg *m = message(SIP_H_AUTHORIZATION, value), *w;
	struct auth_params p;
	struct sip_out o;

	if (!m)
		return;
	credentials_kind(m);
	sip_out_init(&o, m);
	if (credentials_set_integrity(&o, "no") == 0 && (w = written(&o)) != NULL) {
		for (const struct sip_hdr *h = sip_msg_hdr(w, SIP_H_AUTHORIZATION); h; h = sip_msg_hdr_next(w, h))
			if (auth_params_parse(sip_msg_hdr_value(w, h), &p) == 0)
				MUST(str_eq_c(p.integrity_protected, "no"));
		sip_msg_unref(w);
	}
	sip_msg_unref(m);
}

static void outwards(struct str value, enum sip_hdr_id id)
{
	struct sip_msg *m = message(id, value), *w;
	struct auth_params p;
	struct sip_out o;

	if (!m)
		return;
	sip_out_init(&o, m);
	credentials_hide_keys(&o);
	w = written(&o);
	for (const struct sip_hdr *h = w ? sip_msg_hdr(w, id) : NULL; h; h = sip_msg_hdr_next(w, h)) {
		MUST(!has_param(sip_msg_hdr_value(w, h), "ck") && !has_param(sip_msg_hdr_value(w, h), "ik"));
		if (auth_params_parse(sip_msg_hdr_value(w, h), &p) == 0)
			MUST(!p.ck.p && !p.ik.p);
	}
	sip_msg_unref(w);
	sip_msg_unref(m);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct str value = str_make((const char *)data, size);

	cost_step_begin();			/* each is a message of its own */
	digest(value);
	cost_step_end();
	cost_step_begin();
	inwards(value);
	cost_step_end();
	cost_step_begin();
	outwards(value, SIP_H_WWW_AUTHENTICATE);
	cost_step_end();
	cost_step_begin();
	outwards(value, SIP_H_AUTHENTICATION_INFO);
	cost_step_end();
}
