/* tests/pcscf/test_identity.c - who the callee is told that calls: TS 24.229 §5.2.6.3.3; RFC 3325 §9; rows P10, S6, SEC-02.
 *
 * Alice has sip:alice@home (default), tel:+491 and sip:+491@home; Bob has sip:bob@home and tel:+492. */
#include <string.h>
#include "pcscf/pcscf.h"
#include "pcscf/trust.h"
#include "tests/check.h"

static struct binding *alice(void)
{
	struct binding *b = binding_new(512);

	ck_assert_ptr_nonnull(b);
	ck_assert_int_eq(binding_add_identity(b, STR("\"Alice A.\" <sip:alice@home>")), 0);
	ck_assert_int_eq(binding_add_identity(b, STR("<tel:+491>")), 0);
	ck_assert_int_eq(binding_add_identity(b, STR("<sip:+491@home;user=phone>")), 0);
	return b;
}

static struct sip_msg *message(const char *start, const char *from, const char *lines)
{
	struct sip_parse_error err;
	struct sip_msg *m;
	struct buf b;

	buf_init(&b, 60000);
	buf_printf(&b, "%s\r\nVia: SIP/2.0/UDP 10.9.0.1;branch=z9hG4bKx\r\nFrom: %s;tag=1\r\nTo: <sip:bob@home>\r\nCall-ID: c\r\n"
		   "CSeq: 1 INVITE\r\n%sContent-Length: 0\r\n\r\n", start, from, lines);
	ck_assert_msg(sip_msg_parse_copy(buf_str(&b), NULL, &m, &err) == 0, "%s\n%s", err.why, lines);
	buf_fini(&b);
	return m;
}

/* All P-Asserted-Identity values of what is written, joined. */
static void asserted(const struct sip_out *o, char dst[512])
{
	struct sip_parse_error err;
	struct bytes *wire = NULL;
	struct sip_values it;
	struct sip_msg *m;
	struct str v;
	size_t n = 0;

	ck_assert_int_eq(sip_out_write(o, &wire), 0);
	ck_assert_int_eq(sip_msg_parse_copy(bytes_str(wire), NULL, &m, &err), 0);
	dst[0] = '\0';
	for (it = sip_values(m, SIP_H_PAI); sip_values_next(&it, &v);)
		n += (size_t)snprintf(dst + n, 512 - n, "%s%.*s", n ? ", " : "", STR_ARG(v));
	ck_assert(!sip_msg_hdr(m, SIP_H_PPI) && !sip_msg_hdr(m, SIP_H_REMOTE_PARTY_ID));
	sip_msg_unref(m);
	bytes_unref(wire);
}

#define DEFAULT "\"Alice A.\" <sip:alice@home>"
#define PPI "P-Preferred-Identity: "
#define PAI "P-Asserted-Identity: "
#define RPI "Remote-Party-ID: "
static const struct { const char *name, *from, *lines, *want; } senders[] = {
	{ "nothing said", "<sip:alice@home>", "", DEFAULT },
	{ "From of another", "<sip:bob@home>", "", DEFAULT },
	{ "From of an own identity: still the default", "<sip:+491@home>", "", DEFAULT },
	{ "From tel of another", "<tel:+492>", "", DEFAULT },
	{ "From anonymous", "\"Anonymous\" <sip:anonymous@anonymous.invalid>", "", DEFAULT },
	{ "display name of another", "\"Bob\" <sip:alice@home>", "", DEFAULT },
	{ "PPI default", "<sip:alice@home>", PPI "<sip:alice@home>\r\n", DEFAULT },
	{ "PPI tel", "<sip:alice@home>", PPI "<tel:+491>\r\n", "<tel:+491>" },
	{ "PPI tel with separators", "<sip:alice@home>", PPI "<tel:+4-9.1>\r\n", "<tel:+491>" },
	{ "PPI sip number", "<sip:alice@home>", PPI "<sip:+491@home;user=phone>\r\n", "<sip:+491@home;user=phone>" },
	{ "PPI other case of the host", "<sip:alice@home>", PPI "<sip:alice@HOME>\r\n", DEFAULT },
	{ "PPI with port and parameters", "<sip:alice@home>", PPI "<sip:alice@home:5060;x=y>\r\n", DEFAULT },
	{ "PPI two, sip and tel", "<sip:alice@home>", PPI "<sip:alice@home>, <tel:+491>\r\n", DEFAULT ", <tel:+491>" },
	{ "PPI two lines", "<sip:alice@home>", PPI "<tel:+491>\r\n" PPI "<sip:alice@home>\r\n", DEFAULT ", <tel:+491>" },
	{ "PPI two sip: the first", "<sip:alice@home>", PPI "<sip:+491@home>, <sip:alice@home>\r\n", "<sip:+491@home;user=phone>" },
	{ "PPI of another", "<sip:alice@home>", PPI "<sip:bob@home>\r\n", DEFAULT },
	{ "PPI tel of another", "<sip:alice@home>", PPI "<tel:+492>\r\n", DEFAULT },
	{ "PPI own and of another", "<sip:alice@home>", PPI "<sip:bob@home>, <tel:+491>\r\n", "<tel:+491>" },
	{ "PPI own display of another", "<sip:alice@home>", PPI "\"Bob\" <sip:alice@home>\r\n", DEFAULT },
	{ "PPI other domain", "<sip:alice@home>", PPI "<sip:alice@evil>\r\n", DEFAULT },
	{ "PPI user in another case", "<sip:alice@home>", PPI "<sip:ALICE@home>\r\n", DEFAULT },
	{ "PPI escaped", "<sip:alice@home>", PPI "<sip:%61lice@home>\r\n", DEFAULT },
	{ "PPI with a password", "<sip:alice@home>", PPI "<sip:alice:bob@home>\r\n", DEFAULT },
	{ "PPI is no URI", "<sip:alice@home>", PPI "bob\r\n", DEFAULT },
	{ "PPI star", "<sip:alice@home>", PPI "*\r\n", DEFAULT },
	{ "PPI http", "<sip:alice@home>", PPI "<http://bob>\r\n", DEFAULT },
	{ "PPI empty", "<sip:alice@home>", PPI "\r\n", DEFAULT },
	{ "PPI with a second line inside", "<sip:alice@home>", PPI "\"x\r\n P-Asserted-Identity: bob\" <tel:+491>\r\n", "<tel:+491>" },
	{ "PAI forged", "<sip:alice@home>", PAI "<sip:bob@home>\r\n", DEFAULT },
	{ "PAI own: still ours to say", "<sip:alice@home>", PAI "<tel:+491>\r\n", DEFAULT },
	{ "PAI forged twice", "<sip:alice@home>", PAI "<sip:bob@home>\r\n" PAI "<tel:+492>\r\n", DEFAULT },
	{ "PAI forged, other case", "<sip:alice@home>", "p-asserted-IDENTITY : <sip:bob@home>\r\n", DEFAULT },
	{ "PAI forged, folded", "<sip:alice@home>", "P-Asserted-Identity:\r\n <sip:bob@home>\r\n", DEFAULT },
	{ "PAI forged, PPI good", "<sip:alice@home>", PAI "<sip:bob@home>\r\n" PPI "<tel:+491>\r\n", "<tel:+491>" },
	{ "PAI list", "<sip:alice@home>", PAI "<sip:alice@home>, <tel:+492>\r\n", DEFAULT },
	{ "RPI forged", "<sip:alice@home>", RPI "<sip:bob@home>;screen=yes\r\n", DEFAULT },
	{ "all at once", "<sip:bob@home>", RPI "<sip:bob@home>\r\n" PAI "<sip:bob@home>\r\n" PPI "<sip:bob@home>\r\n", DEFAULT },
	{ "privacy", "<sip:anonymous@anonymous.invalid>", "Privacy: id\r\n" PPI "<tel:+491>\r\n", "<tel:+491>" },
	{ "privacy none", "<sip:alice@home>", "Privacy: none\r\n", DEFAULT },
	{ "sip for a tel of another", "<sip:alice@home>", PPI "<sip:+492@home;user=phone>\r\n", DEFAULT },
};

START_TEST(test_sender)
{
	struct binding *b = alice();
	struct sip_msg *m = message("INVITE sip:bob@home SIP/2.0", senders[_i].from, senders[_i].lines);
	const struct pcscf_config c = { 0 };
	struct sip_out o;
	char got[512];

	sip_out_init(&o, m);
	trust_strip(&c, &o, TRUST_REQ_FROM_PHONE);
	pcscf_assert_sender(&o, b);
	asserted(&o, got);
	ck_assert_msg(strcmp(got, senders[_i].want) == 0, "%s: %s", senders[_i].name, got);
	sip_msg_unref(m);
	obj_unref(b);
}
END_TEST

static const struct { const char *name, *request, *response, *want; } callees[] = {
	{ "nothing said", "", "", DEFAULT },
	{ "called by number", "P-Called-Party-ID: <tel:+491>\r\n", "", "<tel:+491>" },
	{ "called by what is not its own", "P-Called-Party-ID: <sip:bob@home>\r\n", "", DEFAULT },
	{ "called party is no URI", "P-Called-Party-ID: x\r\n", "", DEFAULT },
	{ "PPI wins", "P-Called-Party-ID: <tel:+491>\r\n", PPI "<sip:+491@home>\r\n", "<sip:+491@home;user=phone>" },
	{ "PPI of another", "P-Called-Party-ID: <tel:+491>\r\n", PPI "<sip:bob@home>\r\n", "<tel:+491>" },
	{ "PAI forged", "", PAI "<sip:bob@home>\r\n", DEFAULT },
};

START_TEST(test_callee)		/* §5.2.6.4.4 */
{
	struct binding *b = alice();
	struct sip_msg *req = message("INVITE sip:bob@home SIP/2.0", "<sip:bob@home>", callees[_i].request);
	struct sip_msg *m = message("SIP/2.0 200 OK", "<sip:bob@home>", callees[_i].response);
	const struct pcscf_config c = { 0 };
	struct sip_out o;
	char got[512];

	sip_out_init(&o, m);
	trust_strip(&c, &o, TRUST_RESP_FROM_PHONE);
	pcscf_assert_callee(&o, req, b);
	asserted(&o, got);
	ck_assert_msg(strcmp(got, callees[_i].want) == 0, "%s: %s", callees[_i].name, got);
	sip_msg_unref(m);
	sip_msg_unref(req);
	obj_unref(b);
}
END_TEST

TEST_MAIN("identity", TEST_ROWS(test_sender, senders), TEST_ROWS(test_callee, callees))
