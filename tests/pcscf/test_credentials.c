/* tests/pcscf/test_credentials.c - integrity-protected and keys at the border: S4, rows P2, R7, X11. */
#include <errno.h>
#include <string.h>
#include "pcscf/trust.h"
#include "tests/check.h"

static struct sip_msg *message(const char *start, const char *lines)
{
	struct sip_parse_error err;
	struct sip_msg *m;
	struct buf b;

	buf_init(&b, 60000);
	buf_printf(&b, "%s\r\nVia: SIP/2.0/UDP 10.9.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@home>;tag=1\r\nTo: <sip:a@home>\r\nCall-ID: c\r\n"
		   "CSeq: 1 REGISTER\r\n%s\r\nContent-Length: 0\r\n\r\n", start, lines);
	ck_assert_msg(sip_msg_parse_copy(buf_str(&b), NULL, &m, &err) == 0, "%s\n%s", err.why, lines);
	buf_fini(&b);
	return m;
}

static unsigned count(const struct bytes *b, const char *text)
{
	size_t l = strlen(text);
	unsigned n = 0;

	for (size_t i = 0; i + l <= b->l; i++)
		n += mem_ieq(b->p + i, text, l);
	return n;
}

#define D "Authorization: Digest username=\"u\", realm=\"home\", nonce=\"n\", uri=\"sip:home\", response=\"r\""
static const struct { const char *name, *lines; int rc; unsigned ours; const char *stays; } forged[] = {
	{ "not there", D, 0, 1, "username=\"u\"" },
	{ "bare", D ", integrity-protected=yes", 0, 1, "response=\"r\"" },
	{ "quoted", D ", integrity-protected=\"yes\"", 0, 1, "response=\"r\"" },
	{ "upper case", D ", INTEGRITY-PROTECTED=YES", 0, 1, "response=\"r\"" },
	{ "blanks around =", D ", integrity-protected \t = \"yes\"", 0, 1, "response=\"r\"" },
	{ "first", "Authorization: Digest integrity-protected=\"yes\", username=\"u\"", 0, 1, "Digest username=\"u\"" },
	{ "between, no blanks", "Authorization: Digest username=\"u\",integrity-protected=tls-yes,realm=\"home\"", 0, 1, "realm=\"home\"" },
	{ "twice", D ", integrity-protected=no, integrity-protected=yes", 0, 1, "response=\"r\"" },
	{ "folded", D ",\r\n integrity-protected=\r\n \"yes\"", 0, 1, "response=\"r\"" },
	{ "in a second Authorization", D "\r\nAuthorization: Digest username=\"v\", integrity-protected=yes", 0, 2, "username=\"v\"" },
	{ "in Proxy-Authorization", D "\r\nProxy-Authorization: Digest username=\"v\", integrity-protected=yes", 0, 1, "username=\"v\"" },
	{ "ip-assoc", D ", integrity-protected=\"ip-assoc-yes\"", 0, 1, "response=\"r\"" },
	{ "without a value", D ", integrity-protected", 0, 1, "response=\"r\"" },
	{ "empty elements", D ",, , integrity-protected=yes,,", 0, 1, "response=\"r\"" },
	{ "only this", "Authorization: Digest integrity-protected=yes", 0, 1, "Digest integrity-protected=\"no\"" },
	{ "another scheme", "Authorization: Bearer x, integrity-protected=yes", 0, 0, "Bearer x" },
	{ "lower-case scheme", "authorization: digest username=\"u\",integrity-protected=yes", 0, 1, "username=\"u\"" },
	{ "behind a quote that never ends", "Authorization: Digest username=\"u, integrity-protected=yes", -EBADMSG, 0, NULL },
	{ "in the user's name", "Authorization: Digest username=\"integrity-protected=yes\"", -EBADMSG, 0, NULL },
	{ "semicolon", D ";integrity-protected=yes", -EBADMSG, 0, NULL },
	{ "open quote", "Authorization: Digest username=\"u", -EBADMSG, 0, NULL },
	{ "open angle", "Authorization: Digest username=\"u\", realm=<home", -EBADMSG, 0, NULL },
};

START_TEST(test_forged)	/* S4 */
{
	struct sip_msg *m = message("REGISTER sip:home SIP/2.0", forged[_i].lines);
	struct bytes *wire = NULL;
	struct sip_out o;
	int rc;

	sip_out_init(&o, m);
	rc = credentials_set_integrity(&o, "no");
	ck_assert_msg(rc == forged[_i].rc, "%s: %d", forged[_i].name, rc);
	if (rc == 0) {
		ck_assert_int_eq(sip_out_write(&o, &wire), 0);
		ck_assert_msg(count(wire, "integrity-protected") == forged[_i].ours &&
			      count(wire, "integrity-protected=\"no\"") == forged[_i].ours && count(wire, forged[_i].stays) > 0 &&
			      count(wire, "yes") == 0, "%s:\n%.*s", forged[_i].name, STR_ARG(bytes_str(wire)));
	}
	bytes_unref(wire);
	sip_msg_unref(m);
}
END_TEST

#define CH "WWW-Authenticate: Digest realm=\"home\", nonce=\"n\", algorithm=AKAv1-MD5"
static const struct { const char *name, *lines, *stays; } keys[] = {
	{ "as we write it", CH ",ck=\"SECRET1\",ik=\"SECRET2\"", "nonce=\"n\"" },
	{ "bare", CH ", ck=SECRET1, ik=SECRET2", "algorithm=AKAv1-MD5" },
	{ "upper case", CH ", CK=\"SECRET1\", Ik=\"SECRET2\"", "nonce=\"n\"" },
	{ "blanks", CH " ,  ck = \"SECRET1\" , ik\t=\"SECRET2\" ", "nonce=\"n\"" },
	{ "first", "WWW-Authenticate: Digest ck=\"SECRET1\", ik=\"SECRET2\", realm=\"home\", nonce=\"n\"", "Digest realm=\"home\"" },
	{ "same length as before", "WWW-Authenticate: Digest a=1,b=2,c=3,d=4,e=5,f=6,ck=\"SECRET1\"", "f=6" },
	{ "folded", CH ",\r\n ck=\r\n\t\"SECRET1\",\r\n ik=\"SECRET2\"", "nonce=\"n\"" },
	{ "twice", CH ", ck=\"SECRET1\", ck=\"SECRET3\"", "nonce=\"n\"" },
	{ "second challenge", CH "\r\nWWW-Authenticate: Digest realm=\"other\", ck=\"SECRET1\"", "realm=\"other\"" },
	{ "two on a line", CH ", Digest ck=\"SECRET1\", realm=\"other\"", "realm=\"other\"" },
	{ "Proxy-Authenticate", "Proxy-Authenticate: Digest realm=\"home\", ik=\"SECRET2\"", "realm=\"home\"" },
	{ "Authentication-Info", "Authentication-Info: nextnonce=\"m\", ck=\"SECRET1\"", "nextnonce=\"m\"" },
	{ "semicolons: gone as a whole", CH ";ck=\"SECRET1\"", NULL },
	{ "no comma: gone as a whole", CH " ck=\"SECRET1\"", NULL },
	{ "open quote: gone as a whole", "WWW-Authenticate: Digest realm=\"home, ck=\"SECRET1\"", NULL },
	{ "angle: gone as a whole", "WWW-Authenticate: Digest realm=<x, ck=\"SECRET1\"", NULL },
	{ "no keys", CH ", domain=\"sip:ck=1\", tick=1", "tick=1" },
};

START_TEST(test_keys)	/* row R7 */
{
	struct sip_msg *m = message("SIP/2.0 401 Unauthorized", keys[_i].lines);
	struct bytes *wire = NULL;
	struct sip_out o;

	sip_out_init(&o, m);
	credentials_hide_keys(&o);
	ck_assert_int_eq(sip_out_write(&o, &wire), 0);
	ck_assert_msg(count(wire, "SECRET") == 0 && (!keys[_i].stays || count(wire, keys[_i].stays) == 1), "%s:\n%.*s", keys[_i].name,
		      STR_ARG(bytes_str(wire)));
	bytes_unref(wire);
	sip_msg_unref(m);
}
END_TEST

/* "a,a,a..." is longer with our blanks than it was. */
static void many_short(struct buf *b, const char *head, const char *last)
{
	buf_init(b, 60000);
	buf_puts(b, head);
	for (int i = 0; i < 5000; i++)
		buf_puts(b, "a,");
	buf_puts(b, last);
	buf_putc(b, '\0');
}

START_TEST(test_many_short)	/* found by fuzz_auth: more octets were written than there was room for */
{
	struct bytes *in, *out;
	struct sip_out o, p;
	struct sip_msg *m, *w;
	struct buf b, c;

	many_short(&b, "Authorization: Digest ", "integrity-protected=yes");
	many_short(&c, "WWW-Authenticate: Digest ", "ck=SECRET1");
	m = message("REGISTER sip:home SIP/2.0", b.p);
	w = message("SIP/2.0 401 Unauthorized", c.p);
	sip_out_init(&o, m);
	sip_out_init(&p, w);
	ck_assert_int_eq(credentials_set_integrity(&o, "no"), 0);
	credentials_hide_keys(&p);
	ck_assert_int_eq(sip_out_write(&o, &in), 0);
	ck_assert_int_eq(sip_out_write(&p, &out), 0);
	ck_assert_uint_eq(count(in, ", a"), 4999);
	ck_assert_uint_eq(count(in, "integrity-protected=\"no\""), 1);
	ck_assert_uint_eq(count(out, ", a"), 4999);
	ck_assert_uint_eq(count(out, "SECRET"), 0);
	bytes_unref(in);
	bytes_unref(out);
	sip_msg_unref(m);
	sip_msg_unref(w);
	buf_fini(&b);
	buf_fini(&c);
}
END_TEST

static const struct { const char *name, *lines; enum credentials want; } kinds[] = {
	{ "none", "Subject: x", CREDENTIALS_NONE },
	{ "IMS first", "Authorization: Digest username=\"u\", realm=\"home\", nonce=\"\", uri=\"sip:home\", response=\"\"", CREDENTIALS_EMPTY },
	{ "AKA", D ", algorithm=AKAv1-MD5", CREDENTIALS_AKA },
	{ "AKAv2", D ", algorithm=AKAv2-SHA-256", CREDENTIALS_AKA },
	{ "AUTS", "Authorization: Digest username=\"u\", nonce=\"n\", algorithm=AKAv1-MD5, response=\"\", auts=\"x\"", CREDENTIALS_AKA },
	{ "MD5", D ", algorithm=MD5", CREDENTIALS_DIGEST },
	{ "no algorithm", D, CREDENTIALS_DIGEST },
	{ "clients.md 2", "Authorization: Digest username=\"u\", realm=\"*\", response=\"\"\r\n" D, CREDENTIALS_DIGEST },
};

START_TEST(test_kind)
{
	struct sip_msg *m = message("REGISTER sip:home SIP/2.0", kinds[_i].lines);

	ck_assert_msg(credentials_kind(m) == kinds[_i].want, "%s: %d", kinds[_i].name, credentials_kind(m));
	sip_msg_unref(m);
}
END_TEST

TEST_MAIN("credentials", TEST_ROWS(test_forged, forged), TEST_ROWS(test_keys, keys), TEST_ONE(test_many_short), TEST_ROWS(test_kind, kinds))
