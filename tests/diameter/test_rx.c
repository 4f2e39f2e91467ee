/* tests/diameter/test_rx.c - every field of the Rx commands through octets and back: TS 29.214 §5.3, §5.6; rows Q1 Q2 Q4 Q5 Q6 Q8 Q9. */
#include <stdarg.h>
#include "common/diameter/private.h"
#include "common/log/log.h"
#include "tests/check.h"

static void no_log(int level, const char *fmt, va_list ap)
{
	(void)level, (void)fmt, (void)ap;
}

static void open_once(void)
{
	fd_log_handler_register(no_log);
	ck_assert_int_eq(fd_core_initialize(), 0);
	ck_assert_int_eq(dictionary_open(fd_g_config->cnf_dict), 0);
}

/* Writes the struct as that half of the command, and reads the octets into `out`. */
static void through(enum dia_command_id cmd, bool request, const void *in, void *out, struct arena *a)
{
	const struct dia_command *c = &dia_commands[cmd];
	struct msg *m = NULL, *got = NULL;
	struct msg_hdr *h;
	uint8_t *octets;
	size_t n;

	ck_assert_int_eq(fd_msg_new(dictionary_command(cmd, request), 0, &m), 0);
	ck_assert_int_eq(fd_msg_hdr(m, &h), 0);
	h->msg_appl = RX_APPLICATION_ID;
	ck_assert_int_eq(codec_add_application(m, DIA_RX), 0);
	ck_assert_int_eq(codec_write(m, request ? c->request : c->answer, in), 0);
	ck_assert_int_eq(fd_msg_bufferize(m, &octets, &n), 0);
	ck_assert_int_eq(fd_msg_free(m), 0);
	ck_assert_int_eq(fd_msg_parse_buffer(&octets, n, &got), 0);
	ck_assert_int_eq(fd_msg_parse_dict(got, dictionary_get(), NULL), 0);
	ck_assert_int_eq(codec_read(got, request ? c->request : c->answer, out, a), 0);
	ck_assert_int_eq(fd_msg_free(got), 0);
}

static void set_media(struct rx_media *m)
{
	rx_media_init(m);
	m->number = 1;
	m->type = RX_AUDIO;
	m->status = RX_ENABLED_UPLINK;		/* 0 means something */
	m->ul_bps = 41000;
	m->dl_bps = 0;
	m->rr_bps = 2000;
	m->n_subs = 2;
	m->sub[0] = (struct rx_sub){ 1, 2, { { STR("permit out 17 from 10.0.0.1 1 to 10.0.0.2 2") }, { STR("permit in") } }, RX_ABSENT, RX_ABSENT, 0 };
	m->sub[1] = (struct rx_sub){ 2, 1, { { STR("permit out") } }, RX_ENABLED, RX_RTCP, 1 };
	m->n_codecs = 2;
	m->codec[0].v = STR("uplink\noffer\nm=audio 1 RTP/AVP 8\n");
	m->codec[1].v = STR("downlink\nanswer\n");
	m->reservation_priority = 7;
}

START_TEST(test_aar)
{
	struct arena *a = arena_new(8192);
	struct rx_aar in, out = { 0 };

	open_once();
	rx_aar_init(&in);
	in.framed_ip = STR("\012\055\0\002");
	in.framed_ip6 = STR("\0\200 \001\r\270\0\0\0\0\0\0\0\0\0\0\0\001");
	in.n_ids = 2;
	in.id[0] = (struct rx_id){ 2, STR("sip:001010000000001@ims") };
	in.id[1] = (struct rx_id){ 0, STR("491510000001") };
	in.af_application = STR("ims");
	in.af_charging = STR("icid");
	in.service_urn = STR("sos.fire");
	in.mps = STR("MPS");
	in.reservation_priority = 3;
	in.service_info_status = 0;
	in.forking = 1;
	in.request_type = 0;
	in.actions = (struct cx_u32s){ 2, { RX_LOSS_OF_BEARER, RX_ACCESS_NETWORK_INFO } };
	in.required_access = (struct cx_u32s){ 1, { 0 } };
	in.n_media = 2;
	set_media(&in.media[0]);
	rx_media_init(&in.media[1]);
	in.media[1].number = 2;
	in.media[1].type = RX_OTHER;
	in.media[1].status = RX_REMOVED;
	through(RX_AA, true, &in, &out, a);
	ck_assert(str_eq(out.framed_ip, in.framed_ip) && str_eq(out.framed_ip6, in.framed_ip6));
	ck_assert_uint_eq(out.framed_ip6.l, 18);
	ck_assert_uint_eq(out.n_ids, 2);
	ck_assert(out.id[0].type == 2 && str_eq(out.id[0].data, in.id[0].data) && out.id[1].type == 0);
	ck_assert(str_eq(out.af_application, in.af_application) && str_eq(out.af_charging, in.af_charging));
	ck_assert(str_eq(out.service_urn, in.service_urn) && str_eq(out.mps, in.mps));
	ck_assert(out.reservation_priority == 3 && out.service_info_status == 0 && out.forking == 1 && out.request_type == 0);
	ck_assert(out.actions.n == 2 && out.actions.v[1] == RX_ACCESS_NETWORK_INFO && out.required_access.n == 1);
	ck_assert_uint_eq(out.n_media, 2);
	ck_assert(out.media[0].number == 1 && out.media[0].type == RX_AUDIO && out.media[0].status == RX_ENABLED_UPLINK);
	ck_assert(out.media[0].ul_bps == 41000 && out.media[0].dl_bps == 0 && out.media[0].rs_bps == RX_ABSENT && out.media[0].rr_bps == 2000);
	ck_assert(out.media[0].reservation_priority == 7 && out.media[0].n_subs == 2 && out.media[0].n_codecs == 2);
	ck_assert(out.media[0].sub[0].n_flows == 2 && str_eq(out.media[0].sub[0].flow[1].v, STR("permit in")));
	ck_assert(out.media[0].sub[0].usage == RX_ABSENT && out.media[0].sub[1].usage == RX_RTCP && out.media[0].sub[1].number == 2 && out.media[0].sub[1].protocol == 1);
	ck_assert(str_eq(out.media[0].codec[0].v, in.media[0].codec[0].v));
	ck_assert(out.media[1].type == RX_OTHER && out.media[1].status == RX_REMOVED && out.media[1].n_subs == 0);
	arena_unref(a);
}
END_TEST

START_TEST(test_others)
{
	struct arena *a = arena_new(8192);
	const struct rx_access access = { .ip_can = 5, .rat = 1004, .user_location = STR("\202\0"), .ms_time_zone = STR("\1\0"),
					  .serving_plmn = STR("00101"), .charging_address = STR("\0\001\012\0\0\001"),
					  .charging_id = STR("\0\0\0\001") };
	struct rx_aaa aaa = { .access = access }, aaa2 = { 0 };
	struct rx_str str = { .cause = 1, .required_access = { 1, { 0 } } }, str2 = { 0 };
	struct rx_asr asr = { .cause = RX_BEARER_RELEASED }, asr2 = { .cause = 9 };
	struct rx_rar rar = { .actions = { 1, { RX_LOSS_OF_BEARER } }, .n_flows = 1, .abort_cause = RX_ABSENT, .access = access }, rar2 = { 0 };

	open_once();
	rar.flow[0] = (struct rx_report){ 2, { 2, { 1, 2 } } };
	through(RX_AA, false, &aaa, &aaa2, a);
	ck_assert(aaa2.access.ip_can == 5 && aaa2.access.rat == 1004 && str_eq(aaa2.access.user_location, access.user_location));
	ck_assert(str_eq(aaa2.access.charging_id, access.charging_id) && str_eq(aaa2.access.charging_address, access.charging_address));
	through(RX_ST, true, &str, &str2, a);
	ck_assert(str2.cause == 1 && str2.required_access.n == 1);
	through(RX_AS, true, &asr, &asr2, a);
	ck_assert_uint_eq(asr2.cause, RX_BEARER_RELEASED);
	through(RX_RA, true, &rar, &rar2, a);
	ck_assert(rar2.actions.n == 1 && rar2.actions.v[0] == RX_LOSS_OF_BEARER && rar2.abort_cause == RX_ABSENT);
	ck_assert(rar2.n_flows == 1 && rar2.flow[0].media == 2 && rar2.flow[0].flows.n == 2 && rar2.flow[0].flows.v[1] == 2);
	ck_assert(rar2.access.rat == 1004 && str_eq(rar2.access.charging_id, access.charging_id));
	arena_unref(a);
}
END_TEST

START_TEST(test_session_tail)		/* the worker that owns a session is found again by its id */
{
	char id[RX_SESSION_ID_BYTES];
	unsigned n = 0;

	rx_session_id(id, 3);
	ck_assert_int_eq(rx_session_tail(str_from_c(id), &n), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_int_lt(rx_session_tail(STR("other"), &n), 0);
	ck_assert_int_lt(rx_session_tail(STR("a;1;2;x"), &n), 0);
}
END_TEST

TEST_MAIN("rx", TEST_ONE(test_aar), TEST_ONE(test_others), TEST_ONE(test_session_tail))
