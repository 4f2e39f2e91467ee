/* tests/pcrf/test_pcrf.c - what the lab PCRF finds wrong in an AAR: TS 29.214 §4.4, §5.3. */
#include "tests/check.h"
#include "tests/pcrf/pcrf.h"

static void good(struct rx_aar *r)
{
	struct rx_media *m = &r->media[0];

	rx_aar_init(r);
	r->session_id = STR("pcscf.ims;1;2;0");
	r->origin_host = STR("pcscf.ims");
	r->framed_ip = STR("\177\0\1\1");
	r->id[r->n_ids++] = (struct rx_id){ 2, STR("sip:a@ims") };
	r->af_application = STR("IMS Services");
	r->af_charging = STR("icid");
	r->request_type = 0;
	r->actions = (struct cx_u32s){ 2, { RX_LOSS_OF_BEARER, RX_RELEASE_OF_BEARER } };
	r->n_media = 1;
	rx_media_init(m);
	m->number = 1;
	m->type = RX_AUDIO;
	m->status = RX_ENABLED;
	m->n_subs = 2;
	m->sub[0] = (struct rx_sub){ 1, 2, { { STR("permit out 17 from 10.0.0.9 4000 to 10.0.0.1 5000") }, { STR("permit in 17 from 10.0.0.1 5000 to 10.0.0.9 4000") } }, RX_ABSENT, RX_ABSENT, 0 };
	m->sub[1] = (struct rx_sub){ 2, 2, { { STR("permit out 17 from any to 10.0.0.1 5001") }, { STR("permit in 17 from 10.0.0.1 5001 to any") } }, RX_ABSENT, RX_RTCP, 0 };
	m->n_codecs = 2;
	m->codec[0].v = STR("uplink\noffer\nm=audio\n");
	m->codec[1].v = STR("downlink\nanswer\nm=audio\n");
}

static void no_change(struct rx_aar *r) { (void)r; }
static void no_type(struct rx_aar *r) { r->media[0].type = RX_NO_TYPE; }
static void short_prefix(struct rx_aar *r) { r->framed_ip = STR_NONE; r->framed_ip6 = STR("\0\100 \1\r\270\0\0\0\0"); }
static void no_address(struct rx_aar *r) { r->framed_ip = STR_NONE; }
static void bad_rule(struct rx_aar *r) { r->media[0].sub[0].flow[0].v = STR("permit out 17 from 10.0.0.9 to 10.0.0.1 5000"); }
static void one_way(struct rx_aar *r) { r->media[0].sub[0].n_flows = 1; }
static void no_usage(struct rx_aar *r) { r->media[0].sub[1].usage = RX_ABSENT; }
static void update(struct rx_aar *r) { r->request_type = 1; }
static void removed(struct rx_aar *r) { r->media[0].status = RX_REMOVED; }
static void no_interest(struct rx_aar *r) { r->actions.n = 0; }
static void number(struct rx_aar *r) { r->id[0] = (struct rx_id){ 0, STR("49151") }; }
static void foreign(struct rx_aar *r) { r->session_id = STR("other;1;2"); }
static void no_codec(struct rx_aar *r) { r->media[0].n_codecs = 1; }
static void twice(struct rx_aar *r) { r->media[1] = r->media[0]; r->n_media = 2; }
static void hold(struct rx_aar *r) { r->request_type = 1; r->media[0].status = RX_ENABLED_UPLINK; }

static const struct { const char *name; void (*fn)(struct rx_aar *r); bool known; unsigned wrong; } rows[] = {
	{ "good", no_change, false, 0 }, { "Media-Type", no_type, false, 1 }, { "a /64", short_prefix, false, 1 }, { "no address", no_address, false, 1 },
	{ "a rule without a port", bad_rule, false, 2 }, { "one direction", one_way, false, 1 }, { "RTCP not named", no_usage, false, 1 },
	{ "an update of nothing", update, false, 1 }, { "removed, never there", removed, false, 1 }, { "no interest in the bearer", no_interest, false, 1 },
	{ "the number first", number, false, 1 }, { "another's Session-Id", foreign, false, 1 }, { "Codec-Data of one side", no_codec, false, 1 },
	{ "twice", twice, false, 1 }, { "told again", update, true, 1 }, { "a change", hold, true, 0 }, { "initial again", no_change, true, 2 },
};

static void on_wrong(void *arg, const char *what)
{
	(void)what;
	++*(unsigned *)arg;
}

START_TEST(test_row)
{
	static struct pcrf p;
	struct pcrf_session *s = NULL;
	static struct rx_aar r;
	unsigned n = 0;

	list_init(&p.sessions);
	good(&r);
	if (rows[_i].known) {
		s = session_new(&p, &r);
		session_take(s, &r);
	}
	rows[_i].fn(&r);
	pcrf_check_aar(s, &r, on_wrong, &n);
	ck_assert_msg(n == rows[_i].wrong, "%s: %u", rows[_i].name, n);
	if (s)
		session_free(s);
}
END_TEST

START_TEST(test_session)		/* what it came to: changed, removed */
{
	static struct pcrf p;
	static struct rx_aar r;
	struct pcrf_session *s;

	list_init(&p.sessions);
	good(&r);
	s = session_new(&p, &r);
	session_take(s, &r);
	ck_assert_str_eq(s->address, "127.0.1.1");
	ck_assert(s->n_media == 1 && s->media[0].n_flows == 4 && session_find(&p, r.session_id) == s && session_by_number(&p, 1) == s);
	hold(&r);
	session_take(s, &r);
	ck_assert(s->n_media == 1 && s->media[0].status == RX_ENABLED_UPLINK);
	removed(&r);
	session_take(s, &r);
	ck_assert(s->n_media == 0 && s->aars == 3);
	session_free(s);
}
END_TEST

TEST_MAIN("pcrf", TEST_ROWS(test_row, rows), TEST_ONE(test_session))
