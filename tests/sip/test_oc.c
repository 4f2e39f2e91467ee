/* tests/sip/test_oc.c - overload control parameters of a Via: RFC 7339 §4. */
#include <errno.h>
#include "common/sip/oc.h"
#include "tests/check.h"

#define VIA "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKx"

static const struct { const char *name, *params; int rc; unsigned percent, validity_ms; uint64_t seq; bool asked; } reads[] = {
	{ "nothing", "", -ENOENT, 0, 0, 0, false },
	{ "an offer", ";oc;oc-algo=\"loss\"", -ENOENT, 0, 0, 0, true },
	{ "an offer of two", ";oc;oc-algo=\"rate,loss\"", -ENOENT, 0, 0, 0, true },
	{ "an offer of another", ";oc;oc-algo=\"rate\"", -ENOENT, 0, 0, 0, false },
	{ "an offer of nothing", ";oc", -ENOENT, 0, 0, 0, false },
	{ "all of it", ";oc=20;oc-algo=\"loss\";oc-validity=700;oc-seq=1282321615.782", 0, 20, 700, 1282321615782u, true },
	{ "the least", ";oc=7", 0, 7, SIP_OC_VALIDITY_MS, 0, false },
	{ "a short fraction", ";oc=7;oc-seq=5.1", 0, 7, SIP_OC_VALIDITY_MS, 5100, false },
	{ "ages", ";oc=100;oc-validity=4294967295", 0, 100, SIP_OC_VALIDITY_MAX_MS, 0, false },
	{ "over 100", ";oc=101", -EBADMSG, 0, 0, 0, false },
	{ "no number", ";oc=x", -EBADMSG, 0, 0, 0, false },
	{ "of another algorithm", ";oc=50;oc-algo=\"rate\"", -EBADMSG, 0, 0, 0, false },
	{ "a broken sequence", ";oc=50;oc-seq=1.x", -EBADMSG, 0, 0, 0, false },
};

START_TEST(test_read)
{
	char text[256];
	struct sip_via v;
	struct sip_oc oc = { 0 };

	snprintf(text, sizeof(text), VIA "%s", reads[_i].params);
	ck_assert_int_eq(sip_via_parse(str_from_c(text), &v), 0);
	ck_assert_msg(sip_oc_read(&v, &oc) == reads[_i].rc, "%s", reads[_i].name);
	ck_assert_msg(oc.percent == reads[_i].percent && oc.validity_ms == reads[_i].validity_ms && oc.seq == reads[_i].seq, "%s",
		      reads[_i].name);
	ck_assert_msg(sip_oc_asked(&v) == reads[_i].asked, "%s", reads[_i].name);
}
END_TEST

#define SAID ";oc=30;oc-algo=\"loss\";oc-validity=500;oc-seq=12.345"

static const struct { const char *name, *in, *out; } stamps[] = {
	{ "an offer is answered", "Via: " VIA ";oc;oc-algo=\"loss\";received=10.0.0.9\r\nVia: " VIA "\r\nTo: x\r\n\r\nbody",
	  "Via: " VIA ";received=10.0.0.9" SAID "\r\nVia: " VIA "\r\nTo: x\r\n\r\nbody" },
	{ "two on a line, compact", "To: x\r\nv: " VIA ";oc;oc-algo=\"rate,loss\", " VIA ";oc\r\n\r\n",
	  "To: x\r\nv: " VIA SAID ", " VIA ";oc\r\n\r\n" },
	{ "what stood there goes", "Via: " VIA ";oc=99;oc-algo=\"loss\";oc-validity=1;oc-seq=1.0\r\n\r\n", "Via: " VIA SAID "\r\n\r\n" },
	{ "no Via", "To: x\r\n\r\nVia: " VIA "\r\n", NULL },
};

START_TEST(test_stamp)
{
	const struct sip_oc oc = { 30, 500, 12345 };
	char in[1024], out[1024];
	struct bytes *b;

	snprintf(in, sizeof(in), "SIP/2.0 200 OK\r\n%s", stamps[_i].in);
	snprintf(out, sizeof(out), "SIP/2.0 200 OK\r\n%s", stamps[_i].out ? stamps[_i].out : "");
	b = sip_oc_stamp(str_from_c(in), &oc);
	ck_assert((b != NULL) == (stamps[_i].out != NULL));
	ck_assert_msg(!b || str_eq_c(bytes_str(b), out), "%s: %.*s", stamps[_i].name, STR_ARG(bytes_str(b)));
	bytes_unref(b);
}
END_TEST

TEST_MAIN("oc", TEST_ROWS(test_read, reads), TEST_ROWS(test_stamp, stamps))
