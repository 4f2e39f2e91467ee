/* tests/fuzz/fuzz_trust.c - the trust border: octet 0 says which way, the rest is a message.  TS 24.229 §4.4, RFC 3325, SEC-03, REG-08.
 *
 * What is written is read again twice: by our parser, and by a reader of its own here that knows lines, folds, colons and the
 * compact forms and nothing else.  Neither may find a name that does not cross on this way. */
#include <string.h>
#include "common/sip/out.h"
#include "pcscf/pcscf.h"
#include "pcscf/trust.h"
#include "tests/fuzz/fuzz.h"

#define RQI TRUST_REQ_FROM_PHONE
#define RSI TRUST_RESP_FROM_PHONE
#define OUT (TRUST_REQ_TO_PHONE | TRUST_RESP_TO_PHONE)
#define ALL (RQI | RSI | OUT)

static const struct { const char *name; unsigned goes; } gone[] = {
	{ "P-Asserted-Identity", RQI | RSI }, { "P-Preferred-Identity", ALL }, { "Remote-Party-ID", ALL }, { "P-Called-Party-ID", RQI | RSI },
	{ "P-Charging-Vector", ALL }, { "P-Charging-Function-Addresses", ALL }, { "P-Served-User", ALL }, { "P-Profile-Key", ALL },
	{ "P-User-Database", ALL }, { "P-Visited-Network-ID", ALL }, { "P-Access-Network-Info", OUT }, { "Path", ALL },
	{ "Record-Route", RQI }, { "Feature-Caps", RQI | RSI }, { "History-Info", RQI | RSI }, { "Security-Client", ALL },
	{ "Security-Server", ALL }, { "Security-Verify", ALL }, { "Diversion", RQI | RSI }, { "Identity", RQI | RSI },
	{ "P-DCS-LAES", ALL }, { "P-Whatever", RQI | RSI }, { "X-Evil", RQI | RSI }, { "Restoration-Info", ALL },
	{ "y", RQI | RSI }, { "n", RQI | RSI },	/* compact Identity (RFC 8224), Identity-Info (RFC 4474) */
};

static bool crosses(struct str name, unsigned way)
{
	name = str_trim(name);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		if ((gone[i].goes & way) && str_ieq_c(name, gone[i].name))
			return false;
	return true;
}

/* Line ends are LF, CRLF; what begins with a blank belongs to the line above. */
static void read_plainly(struct str text, unsigned way)
{
	struct str line, name, value;

	str_cut(text, '\n', &line, &text);			/* the start line */
	while (str_cut(text, '\n', &line, &text)) {
		if (line.l == 0 || str_eq(line, STR("\r")))
			return;
		if (line.p[0] == ' ' || line.p[0] == '\t')
			continue;
		if (str_cut(line, ':', &name, &value) && !crosses(name, way)) {
			fprintf(stderr, "crossed: %.*s\n", STR_ARG(line));
			abort();
		}
	}
}

static void read_parsed(struct str text, unsigned way)
{
	struct sip_parse_error e;
	struct sip_msg *m = NULL;

	MUST(sip_msg_parse_copy(text, NULL, &m, &e) == 0);
	for (unsigned i = 0; i < m->n_hdrs; i++) {
		MUST(crosses(sip_msg_hdr_name(m, &m->hdrs[i]), way));
		if (m->hdrs[i].id)
			MUST(crosses(sip_hdr_name((enum sip_hdr_id)m->hdrs[i].id), way));
	}
	MUST(!sip_msg_has_token(m, SIP_H_REQUIRE, "sec-agree") && !sip_msg_has_token(m, SIP_H_PROXY_REQUIRE, "sec-agree"));
	sip_msg_unref(m);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static const unsigned ways[] = { TRUST_REQ_FROM_PHONE, TRUST_RESP_FROM_PHONE, TRUST_REQ_TO_PHONE, TRUST_RESP_TO_PHONE };
	static const struct pcscf_config none;
	struct sip_parse_error e;
	struct sip_msg *m = NULL;
	struct sip_out o;
	struct bytes *b;
	unsigned way;

	if (size < 2)
		return;
	if (sip_msg_parse_copy(str_make((const char *)data + 1, size - 1), NULL, &m, &e) == 0) {
		way = ways[(data[0] & 1) * 2 + (m->request ? 0 : 1)];
		sip_out_init(&o, m);
		trust_strip(&none, &o, (enum trust_way)way);
		if (sip_out_write(&o, &b) == 0) {
			read_plainly(bytes_str(b), way);
			read_parsed(bytes_str(b), way);
			bytes_unref(b);
		}
	}
	sip_msg_unref(m);
}
