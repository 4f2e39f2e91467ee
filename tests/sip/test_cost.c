/* tests/sip/test_cost.c - no input is superlinear: the worst shapes we know, at 16, 32 and 64 KiB, against a plain INVITE.
 *
 * Processor time of this thread, the least of several runs.  An octet of a worst case may cost RATIO times one of the INVITE, and
 * twice the octets less than GROWTH times the time: both are generous, a square is caught by far. */
#include <errno.h>
#include <time.h>
#include "common/sip/auth.h"
#include "common/sip/out.h"
#include "common/sip/sdp.h"
#include "tests/check.h"

#define RATIO 20.0
#define GROWTH 3.2
#define FLOOR_NS 20000.0	/* below that, growth is noise */
#define RUNS 9
#define ATTEMPTS 6
#ifdef __SANITIZE_THREAD__
#define MOST 60000u	/* above, ThreadSanitizer maps shadow memory anew for each copy of the message: its cost, not ours */
#else
#define MOST 65000u
#endif

static const char plain[] =
	"INVITE sip:+4930222@home.example;user=phone SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 10.9.0.1:5060;branch=z9hG4bKnashds7;rport;keep\r\n"
	"Via: SIP/2.0/UDP 10.9.0.7:5060;branch=z9hG4bKnashds8;received=10.9.0.7;rport=5060\r\n"
	"Max-Forwards: 69\r\nRoute: <sip:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcY@scscf.home.example:6060;lr>\r\n"
	"Record-Route: <sip:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcY@pcscf.home.example:5060;lr>\r\n"
	"From: \"Alice\" <sip:+4930111@home.example>;tag=1928301774\r\nTo: <sip:+4930222@home.example;user=phone>\r\n"
	"Call-ID: a84b4c76e66710@10.9.0.1\r\nCSeq: 314159 INVITE\r\n"
	"Contact: <sip:alice@10.9.0.1:5060;transport=udp>;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\"\r\n"
	"P-Asserted-Identity: \"Alice\" <sip:+4930111@home.example>, <tel:+4930111>\r\nP-Charging-Vector: icid-value=1234bc9876e\r\n"
	"P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010019B01\r\nSupported: 100rel,timer,precondition\r\n"
	"Require: sec-agree\r\nAllow: INVITE,ACK,CANCEL,BYE,PRACK,UPDATE,INFO,REFER,NOTIFY,MESSAGE,OPTIONS\r\nUser-Agent: phone/1.0\r\n"
	"Session-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\nContent-Length: 0\r\n\r\n";

/* head, then `piece` until the size is reached, then tail: inside of one message unless head is NULL */
static const struct { const char *name, *head, *piece, *tail; } shapes[] = {
	{ "one header with many parameters", "Contact: <sip:a@b>", ";a=b", "\r\n" },
	{ "parameters without values", "Contact: <sip:a@b>", ";a", "\r\n" },
	{ "the same in the top Via", "Via: SIP/2.0/UDP x", ";a=b", "\r\n" },
	{ "many headers", "", "A: b\r\n", "" }, { "many known headers", "", "k: a\r\n", "" }, { "empty headers", "", "A:\r\n", "" },
	{ "Routes in one line", "Route: <sip:a>", ",<sip:a>", "\r\n" }, { "Routes in lines", "", "Route: <sip:a;lr>\r\n", "" },
	{ "Vias in one line", "Via: SIP/2.0/UDP x", ",SIP/2.0/UDP x", "\r\n" }, { "P-Asserted-Identity", "P-Asserted-Identity: a:b", ",a:b", "\r\n" },
	{ "folds", "Subject: a", "\r\n ", "b\r\n" }, { "folds with LF", "Subject: a", "\n\t", "b\r\n" }, { "blanks", "Subject: ", " ", "b\r\n" },
	{ "folded list", "Require: a", ",\r\n b", "\r\n" }, { "quotes", "Contact: ", "\"\"", "<sip:a@b>\r\n" },
	{ "escaped quotes", "Contact: \"", "\\\"", "\" <sip:a@b>\r\n" }, { "open quote", "Contact: \"", ",", "\r\n" },
	{ "angles", "Contact: ", "<", "\r\n" }, { "commas", "Route: ", ",", "<sip:a>\r\n" }, { "semicolons", "Contact: <sip:a>", ";", "\r\n" },
	{ "option tags", "Require: a", ",a", "\r\n" }, { "escapes in a URI", "Contact: <sip:a", "%41", "@b>\r\n" },
	{ "parameters of a URI", "Contact: <sip:a@b", ";c", ">\r\n" }, { "headers of a URI", "Contact: <sip:a@b?c=d", "&c=d", ">\r\n" },
	{ "Authorization", "Authorization: Digest a=b", ",a=b", "\r\n" }, { "Authorizations", "", "Authorization: Digest a=\"b\"\r\n", "" },
	{ "long name", "A", "a", ": b\r\n" }, { "Content-Lengths", "", "Content-Length: 0\r\n", "" }, { "Contact lines", "", "m: <sip:a>\r\n", "" },
	{ "SDP lines", NULL, "a=b\r\n", "" }, { "SDP attributes", NULL, "a=curr:qos local none\r\n", "" }, { "SDP media", NULL, "m=a 1 b 0\r\n", "" },
	{ "SDP line ends", NULL, "\n", "" },
};

static size_t build(char *to, size_t octets, unsigned i)
{
	static const char first[] = "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\n"
				    "To: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n";
	static const char sdp[] = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\n";
	const char *piece = shapes[i].piece;
	size_t l = strlen(piece), n;

	n = (size_t)sprintf(to, "%s%s", first, shapes[i].head ? shapes[i].head : "\r\n");
	if (!shapes[i].head)
		n += (size_t)sprintf(to + n, "%s", sdp);
	while (n + l < octets) {
		memcpy(to + n, piece, l);
		n += l;
	}
	n += (size_t)sprintf(to + n, "%s%s", shapes[i].tail, shapes[i].head ? "Content-Length: 0\r\n\r\n" : "");
	return n;
}

/* What all parts of a CSCF do to a message, once each; the result is not looked at, refused is fine as well. */
static void work(struct str raw)
{
	static const enum sip_hdr_id lists[] = { SIP_H_ROUTE, SIP_H_RECORD_ROUTE, SIP_H_PATH, SIP_H_CONTACT, SIP_H_PAI };
	struct sip_parse_error err;
	struct auth_params p;
	struct sip_msg *m;
	struct bytes *b;
	struct sip_out o;
	struct sdp sdp;
	size_t len;

	sip_frame(raw, &len);
	sip_scan_call_id(raw);
	if (sip_msg_parse_copy(raw, NULL, &m, &err) == 0) {
		struct str v, k, w, rest;
		struct sip_via via;
		struct sip_values it;
		char aor[512];

		for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
			for (it = sip_values(m, lists[i]); sip_values_next(&it, &v);) {
				struct sip_nameaddr na;

				if (sip_nameaddr_parse(v, &na) < 0 || na.star)
					continue;
				sip_uri_aor(&na.uri, aor, sizeof(aor), &w);
				for (rest = na.params; sip_param_next(&rest, &k, &w);)
					;
				sip_uri_has_lr(&na.uri);
				sip_uri_equal(&na.uri, &m->ruri);
			}
		}
		for (it = sip_values(m, SIP_H_VIA); sip_values_next(&it, &v);)
			sip_via_parse(v, &via);
		auth_find(m, SIP_H_AUTHORIZATION, STR("home"), &p);
		sip_out_init(&o, m);
		sip_out_fix_via(&o);
		sip_out_push(&o, SIP_H_VIA, STR("SIP/2.0/UDP me;branch=z9hG4bKme"));
		sip_out_drop_first(&o, SIP_H_ROUTE);
		sip_out_drop(&o, SIP_H_PAI);
		sip_out_drop_token(&o, SIP_H_REQUIRE, "sec-agree");
		sip_out_add_token(&o, SIP_H_SUPPORTED, "path");
		if (sip_out_write(&o, &b) == 0)
			bytes_unref(b);
		sdp_parse(m->body, &sdp, NULL);
	}
	sip_msg_unref(m);
}

static double cost_ns(struct str raw)
{
	double best = 1e18;

	for (int i = 0; i < RUNS; i++) {
		struct timespec a, b;
		double ns;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		work(raw);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		ns = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
		best = ns < best ? ns : best;
	}
	return best;
}

/* On a busy machine a measurement can be bad however often it is taken: all of it is tried again before it counts. */
static bool within(unsigned i, bool last)
{
	static char text[MOST + 512];
	double octet = cost_ns(STR(plain)) / (double)(sizeof(plain) - 1), before = 0;

	for (size_t n = MOST / 4; n <= MOST; n *= 2) {
		struct str raw = str_make(text, build(text, n, i));
		double ns = cost_ns(raw);
		bool dear = ns > RATIO * octet * (double)raw.l, grows = ns > FLOOR_NS && before > FLOOR_NS && ns > GROWTH * before;

		if (getenv("TEST_COST"))
			printf("%-40s %6zu octets %9.0f ns, times %.1f\n", shapes[i].name, raw.l, ns, ns / octet / (double)raw.l);
		ck_assert_msg(!last || !dear, "%s, %zu octets: %.0f ns; an octet of the INVITE costs %.2f ns", shapes[i].name, raw.l, ns,
			      octet);
		ck_assert_msg(!last || !grows, "%s: %zu octets cost %.0f ns, half of them %.0f", shapes[i].name, raw.l, ns, before);
		if (dear || grows)
			return false;
		before = ns;
	}
	return true;
}

START_TEST(test_shape)
{
	for (unsigned attempt = 0; !within((unsigned)_i, attempt == ATTEMPTS - 1); attempt++)
		;
}
END_TEST

TEST_MAIN("cost", TEST_ROWS(test_shape, shapes))
