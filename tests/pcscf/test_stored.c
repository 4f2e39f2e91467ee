/* tests/pcscf/test_stored.c - phones, associations and subscriptions over a restart: TS 24.229 §5.2.2, TS 33.203 §7.4; rows H1, P7, P8, P13, X3;
 * reliability F2, F4, F14. */
#include <string.h>
#include "common/store/private.h"
#include "common/util/clock.h"
#include "pcscf/policy.h"
#include "pcscf/reg_event.h"
#include "pcscf/rx.h"
#include "pcscf/session.h"
#include "pcscf/stored.h"
#include "tests/pcscf/rig.h"

static char dir[64];
static struct rig r;
static struct store *store;

static void open_store(int64_t later_ms)
{
	const struct store_config c = { .dir = dir, .max_bytes = 64 << 20, .max_pending_bytes = 1 << 20, .journal_bytes = 65536, .commit_ms = 100 };

	ck_assert_int_eq(store_open(&store, &c, 2), 0);
	store->offset_ms += later_ms;
	rig_use_store(store);
}

static void begin(const char *access)
{
	snprintf(dir, sizeof(dir), "/tmp/cscf-stored-XXXXXX");
	ck_assert(mkdtemp(dir));
	open_store(0);
	rig_init(&r, access, 1);
}

/* The process goes, and another one comes later. */
static void restart(const char *access, int64_t later_ms)
{
	rig_fini(&r);
	store_close(store);
	open_store(later_ms);
	rig_init(&r, access, 1);
	ck_assert_int_eq(pcscf_ops.restore(&r.p, &r.stack, store), 0);
}

static void end(void)
{
	char command[128];

	rig_fini(&r);
	rig_use_store(NULL);
	store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void to_bob(const char *path)
{
	char lines[512];

	snprintf(lines, sizeof(lines), "Route: %s\n", path);
	rig_request_as(&r, SCSCF, "MESSAGE", "sip:bob@10.9.0.2:5060", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "mt", lines);
}

/* Policy control chooses by what the phone said of its access: row Q10. */
START_TEST(test_access_is_kept)
{
	char contact[128], key[256];
	struct binding *b;

	begin(NULL);
	rig_register(&r, "bob", BOB, NULL, ";x\nP-Access-Network-Info: IEEE-802.11;i-wlan-node-id=1", NULL);
	restart(NULL, 60000);
	rig_contact("bob", BOB, contact);
	snprintf(key, sizeof(key), "bob@home|%s", contact + 4);
	b = phone_by_key(r.p.phones, str_from_c(key));
	ck_assert_ptr_nonnull(b);
	ck_assert(str_eq_c(b->access, "IEEE-802.11;i-wlan-node-id=1"));
	obj_unref(b);
	end();
}
END_TEST

/* Both ways, as if nothing had been. */
START_TEST(test_both_ways)
{
	struct rig_sent *s;
	char path[256];

	begin(NULL);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	restart(NULL, 60000);
	to_bob(path);
	s = rig_expect(&r, "MESSAGE", BOB);
	rig_reply(&r, s, 200, "");
	rig_expect_status(&r, 200, SCSCF);
	rig_request(&r, BOB, "MESSAGE", "sip:carol@home", "Route: <sip:orig-bob@10.0.0.30:6060;lr>\n");
	s = rig_expect(&r, "MESSAGE", SCSCF);
	ck_assert_str_eq(rig_hdr(s, "Route"), "<sip:orig-bob@10.0.0.30:6060;lr>");
	ck_assert(strstr(rig_hdr(s, "P-Asserted-Identity"), "sip:bob@home") != NULL);
	end();
}
END_TEST

START_TEST(test_expires)
{
	char path[256];

	begin(NULL);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	restart(NULL, 60000);
	ck_assert_uint_eq(bindings_count(pcscf_of(&r.workers[0].w)->bindings), 1);
	rig_run(&r, 3600000);
	ck_assert_uint_eq(bindings_count(pcscf_of(&r.workers[0].w)->bindings), 0);
	restart(NULL, 0);
	ck_assert_uint_eq(bindings_count(pcscf_of(&r.workers[0].w)->bindings), 0);
	end();
}
END_TEST

START_TEST(test_expired_while_away)
{
	char path[256];

	begin(NULL);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	restart(NULL, INT64_C(31536000000));
	ck_assert_uint_eq(bindings_count(pcscf_of(&r.workers[0].w)->bindings), 0);
	restart(NULL, 0);
	ck_assert_uint_eq(bindings_count(pcscf_of(&r.workers[0].w)->bindings), 0);
	end();
}
END_TEST

/* Its connection went with the process: its contact is how to reach it. */
START_TEST(test_stream)
{
	struct rig_sent *s;
	char path[256];

	begin(NULL);
	rig_register(&r, "bob", "tcp:10.9.0.2:40000", "sip:bob@10.9.0.2:5062;transport=tcp", NULL, path);
	restart(NULL, 0);
	to_bob(path);
	s = rig_expect(&r, "MESSAGE", "tcp:10.9.0.2:5062");
	ck_assert_uint_eq(s->to.conn, 0);
	end();
}
END_TEST

/* RFC 5626 §5.3.1: of a phone that keeps its flows it is not; the S-CSCF tries another flow, or waits for the next. */
START_TEST(test_outbound)
{
	struct rig_sent *s;
	char path[256];

	begin(NULL);
	rig_request_as(&r, "tcp:10.9.0.2:40000", "REGISTER", "sip:home", "From: <sip:bob@home>;tag=r\nTo: <sip:bob@home>\n", "r1",
		       "Contact: <sip:bob@10.9.0.2:5062;transport=tcp>;+sip.instance=\"<urn:uuid:1>\";reg-id=1\nSupported: outbound\n");
	s = rig_expect(&r, "REGISTER", DOOR);
	snprintf(path, sizeof(path), "%s", rig_hdr(s, "Path"));
	rig_reply(&r, s, 200, "Contact: <sip:bob@10.9.0.2:5062;transport=tcp>;expires=600\nRequire: outbound\n"
		  "Service-Route: <sip:o@10.0.0.30:6060;lr>\nP-Associated-URI: <sip:bob@home>\n");
	rig_expect_status(&r, 200, "tcp:10.9.0.2:40000");
	restart(NULL, 0);
	to_bob(path);
	rig_expect_status(&r, 430, SCSCF);
	end();
}
END_TEST

/* ---- sets of associations ---- */

static struct sa_set *make_set(struct sec_list *client, bool udp)
{
	struct sa_wish w = { .impi = STR("bob@home"), .key = STR("bob@home|phone"), .client = client, .chosen = 1 };
	struct sa_set *s;

	*client = (struct sec_list){ .n = 2, .others = 3, .entry = {
		{ .alg = SEC_ALG_HMAC_MD5_96, .port_c = 1, .port_s = 2, .spi_c = 1000, .spi_s = 1001, .q = 500 },
		{ .alg = SEC_ALG_HMAC_SHA1_96, .ealg = SEC_EALG_AES_CBC, .mod = udp ? SEC_MOD_UDP_ENC_TUN : SEC_MOD_TRANS, .port_c = 6000,
		  .port_s = 6001, .spi_c = 2000, .spi_s = 2001, .q = 1000 } } };
	addr_parse(STR("10.9.0.2"), 0, &w.phone);
	addr_parse(STR("10.0.0.10"), 0, &w.us);
	memset(w.ck, 0xc1, 16);
	memset(w.ik, 0xd2, 16);
	s = sa_set_new(&w);
	ck_assert_ptr_nonnull(s);
	return s;
}

static void place(struct sa_set *s, const struct security_config *c)
{
	s->k.mine = (struct ipsec_end){ c->spi_first + 8, c->spi_first + 9, c->port_c, c->port_s };
	s->k.reqid = c->reqid_first + 8;
}

static void begin_ipsec(int64_t later_ms)
{
	open_store(later_ms);
	rig_init_ipsec(&r, "{policy: prefer}", NULL);
}

START_TEST(test_set)
{
	struct sec_list client;
	struct sa_set *s, *back;
	struct pcscf_worker *pw;

	snprintf(dir, sizeof(dir), "/tmp/cscf-stored-XXXXXX");
	ck_assert(mkdtemp(dir));
	begin_ipsec(0);
	s = make_set(&client, _i);
	place(s, &r.p.cfg.security);
	s->made_ms = clock_mono_us() / 1000;
	if (_i) {
		s->k.encap_us = 4500;
		s->k.encap_peer = 61073;
	}
	stored_set(store_port(store, 0), s, SA_LIVE, 100000);
	rig_fini(&r);
	store_close(store);
	begin_ipsec(40000);
	r.kernel.set[r.kernel.n++] = s->k;		/* it was never gone */
	ck_assert_uint_eq(r.p.stored.n, 1);
	back = r.p.stored.v[0].s;
	ck_assert(str_eq(back->impi, s->impi) && str_eq(back->key, s->key) && back->n_client == 2 && back->client_others == 3);
	ck_assert(secagree_eq(&back->client[0], &client.entry[0]) && secagree_eq(&back->client[1], &client.entry[1]));
	ck_assert(back->k.encap_us == s->k.encap_us && back->k.encap_peer == s->k.encap_peer && sa_mod(back) == back->server[0].mod);
	ck_assert_mem_eq(back->k.ck, s->k.ck, 16);
	ck_assert_mem_eq(back->k.ik, s->k.ik, 16);
	ck_assert(back->k.mine.spi_s == s->k.mine.spi_s && back->k.theirs.port_s == 6001 && back->k.reqid == s->k.reqid);
	ck_assert(r.p.stored.v[0].left_ms <= 60000 && r.p.stored.v[0].left_ms >= 50000);
	obj_ref(back);
	ck_assert_int_eq(pcscf_ops.restore(&r.p, &r.stack, store), 0);
	pw = pcscf_of(&r.workers[0].w);
	ck_assert_uint_eq(sa_count(pw->sets), 1);
	ck_assert_int_eq(sa_state(back), SA_LIVE);
	rig_run(&r, 61000);
	ck_assert_uint_eq(sa_count(pw->sets), 0);
	ck_assert_uint_eq(r.kernel.deleted, 1);
	obj_unref(back);
	obj_unref(s);
	end();
}
END_TEST

/* Of other pools (the configuration has changed), or over: not taken up, and forgotten. */
START_TEST(test_set_of_others)
{
	struct sec_list client;
	struct sa_set *s;

	snprintf(dir, sizeof(dir), "/tmp/cscf-stored-XXXXXX");
	ck_assert(mkdtemp(dir));
	begin_ipsec(0);
	s = make_set(&client, false);
	place(s, &r.p.cfg.security);
	s->made_ms = clock_mono_us() / 1000;
	if (_i == 0)
		s->k.mine.port_s = 9;
	else if (_i == 1)
		s->k.reqid++;
	stored_set(store_port(store, 0), s, SA_LIVE, _i == 2 ? 10 : 100000);
	obj_unref(s);
	for (int again = 0; again < 2; again++) {
		rig_fini(&r);
		store_close(store);
		begin_ipsec(1000);
		ck_assert_uint_eq(r.p.stored.n, 0);
		ck_assert_int_eq(pcscf_ops.restore(&r.p, &r.stack, store), 0);
	}
	end();
}
END_TEST

/* A set that cannot be had again takes its phone with it: there is no way to it, and none in clear.  Its ports are another's, or the kernel
 * has not got it. */
START_TEST(test_set_lost)
{
	struct sec_list client;
	struct sa_set *s[2];
	struct binding *b = binding_new(512);
	bool lost[2] = { false, _i == 1 };

	snprintf(dir, sizeof(dir), "/tmp/cscf-stored-XXXXXX");
	ck_assert(mkdtemp(dir));
	begin_ipsec(0);
	for (unsigned i = 0; i < 2; i++) {
		s[i] = make_set(&client, false);
		place(s[i], &r.p.cfg.security);
		s[i]->made_ms = clock_mono_us() / 1000;
	}
	s[1]->k.mine.spi_c += 2;
	s[1]->k.mine.spi_s += 2;
	s[1]->k.reqid += 2;
	s[1]->k.mine.port_s += _i == 1;
	s[1]->k.mine.port_c += _i == 1;
	for (unsigned i = 0; i < 2; i++)
		stored_set(store_port(store, 0), s[i], SA_LIVE, 100000);
	b->impi = s[1]->impi;
	b->key = s[1]->key;
	b->contact = STR("sip:bob@10.9.0.2:6001");
	b->sa = obj_ref(s[1]);
	b->id = 1;
	ck_assert_int_eq(binding_add_identity(b, STR("sip:bob@home")), 0);
	ck_assert_int_eq(addr_parse(STR("10.9.0.2"), 6001, &b->flow.remote), 0);
	stored_phone(store_port(store, 0), b, 100000);
	for (int again = 0; again < 2; again++) {
		rig_fini(&r);
		store_close(store);
		begin_ipsec(1000);
		ck_assert_uint_eq(r.p.stored.n, again ? 1 : 2);
		if (!again)
			stored_sets_lost(&r.p, lost);
		ck_assert_int_eq(pcscf_ops.restore(&r.p, &r.stack, store), 0);
		ck_assert_uint_eq(sa_count(pcscf_of(&r.workers[0].w)->sets), 1);
		ck_assert_uint_eq(bindings_count(pcscf_of(&r.workers[0].w)->bindings), 0);
	}
	obj_unref(b);
	obj_unref(s[0]);
	obj_unref(s[1]);
	end();
}
END_TEST

/* ---- F4 ---- */

struct cutting {
	enum store_table table;
	char key[128], value[4096];
	size_t key_l, l;
};

static void take(void *arg, const struct store_record *rec)
{
	struct cutting *c = arg;

	c->key_l = rec->key.l;
	c->l = rec->value.l;
	memcpy(c->key, rec->key.p, rec->key.l);
	memcpy(c->value, rec->value.p, rec->value.l);
}

/* A record that is cut anywhere makes no phone, or the one that it was. */
START_TEST(test_cut)
{
	struct cutting c = { .l = 0 };
	struct binding *b;
	char path[256];

	begin(NULL);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	restart(NULL, 0);
	ck_assert_int_eq(store_scan(store, STORE_PHONE, take, &c), 0);
	ck_assert_uint_gt(c.l, 0);
	for (size_t l = 0; l < c.l; l += 1) {
		ck_assert_int_eq(store_put(store_port(store, 0), STORE_PHONE, str_make(c.key, c.key_l), str_make(c.value, l), 0), 0);
		restart(NULL, 0);
		b = phone_by_key(r.p.phones, str_make(c.key, c.key_l));
		ck_assert(!b || (str_eq_c(b->impi, "bob@home") && b->n_identities && b->id));
		obj_unref(b);
	}
	end();
}
END_TEST

/* ---- calls: rows P19, Q4, G4 ---- */

#define S_RR "<sip:s@10.0.0.30:6060;lr>"
static char rr[512];

static void call_bob(const char *extra)
{
	struct rig_sent *s;
	char text[1024];

	rig_request_as(&r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "call",
		       "Contact: <sip:alice@10.9.0.1:5060>\n");
	s = rig_expect(&r, "INVITE", SCSCF);
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	snprintf(text, sizeof(text), "Contact: <sip:bob@10.9.0.2:6000>\nRecord-Route: " S_RR ", %s\n%s", rr, extra);
	rig_reply(&r, s, 200, text);
	rig_expect_status(&r, 200, ALICE);
}

static size_t sessions(void)
{
	return sessions_count(pcscf_of(&r.workers[0].w)->sessions);
}

/* TS 24.229 §5.2.8: calls from before the restart are ended like others, with CSeqs that go on. */
START_TEST(test_call_is_released)
{
	struct rig_sent *s;
	char route[1024];

	begin(NULL);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	call_bob("");
	snprintf(route, sizeof(route), "Route: %s, " S_RR "\n", rr);
	r.cseq = 40;
	rig_request_as(&r, ALICE, "INFO", "sip:bob@10.9.0.2:6000", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "call", route);
	rig_reply(&r, rig_expect(&r, "INFO", SCSCF), 200, NULL);
	rig_expect_status(&r, 200, ALICE);
	restart(NULL, 60000);
	ck_assert_uint_eq(sessions(), 1);
	restart(NULL, 60000);
	ck_assert(bindings_del(pcscf_of(&r.workers[0].w)->bindings, STR("alice@home|alice@10.9.0.1:5060"), "administration"));
	s = rig_expect(&r, "BYE", SCSCF);
	ck_assert_uint_eq(s->m->cseq, 42);
	ck_assert_str_eq(rig_hdr(s, "Route"), S_RR);
	ck_assert(str_eq_c(s->m->ruri_text, "sip:bob@10.9.0.2:6000"));
	s = rig_expect(&r, "BYE", ALICE);
	ck_assert_str_eq(rig_hdr(s, "From"), "<sip:bob@home>;tag=T");
	rig_none(&r);
	restart(NULL, 0);
	ck_assert_uint_eq(sessions(), 0);
	end();
}
END_TEST

/* Its phone's registration ran out while nobody ran, or its session timer did. */
START_TEST(test_call_over_meanwhile)
{
	begin(NULL);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	call_bob(_i ? "Session-Expires: 90;refresher=uac\n" : "");
	restart(NULL, _i ? 200000 : 700000);
	rig_run(&r, 1100);
	if (_i == 0) {
		rig_expect(&r, "BYE", SCSCF);
		rig_expect(&r, "BYE", "udp:10.9.0.1:5060");
	}
	rig_none(&r);
	ck_assert_uint_eq(sessions(), 0);
	restart(NULL, 0);
	ck_assert_uint_eq(sessions(), 0);
	end();
}
END_TEST

static const struct { const char *name; const char *records[2]; } call_rows[] = {
	{ "BYE after it", { "BYE", NULL } }, { "ended meanwhile", { "the registration has ended", NULL } },
};

static struct call *net_call;
static unsigned net_asked, net_ended;
static struct policy_question net_q;

static void *net_open(struct pcscf_worker *pw, struct call *c)
{
	(void)pw;
	net_call = c;
	return &net_call;
}

static bool net_ask(void *session, const struct policy_question *q)
{
	(void)session;
	net_asked++;
	net_q = *q;
	return true;
}

static void net_end(void *session)
{
	(void)session;
	net_ended++;
}

static const char *net_id(const void *session)
{
	(void)session;
	return "id";
}

static void net_leave(void *session)
{
	(void)session;
}

static const struct policy_backend backend = { .name = "test", .open = net_open, .ask = net_ask, .end = net_end, .id = net_id, .leave = net_leave };

#define SDP(ip, media) "Content-Type: application/sdp\n", "v=0\no=- 1 1 IN IP4 " ip "\ns=-\nc=IN IP4 " ip "\nt=0 0\n" media
#define AUDIO(port) "m=audio " port " RTP/AVP 0\nb=AS:64\n"

static void restart_policy(const char *config, int64_t later_ms)
{
	rig_fini(&r);
	store_close(store);
	open_store(later_ms);
	rig_init_policy(&r, config, 1, &backend);
	ck_assert_int_eq(pcscf_ops.restore(&r.p, &r.stack, store), 0);
}

static unsigned records_of(const char *file, const char *cause)
{
	FILE *f = fopen(file, "r");
	char line[4096], want[80];
	unsigned n = 0;

	ck_assert_ptr_nonnull(f);
	snprintf(want, sizeof(want), "\"cause\":\"%s\"", cause);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "\"type\":\"call\"") && (!cause[0] || (strstr(line, want) && strstr(line, "answeredAt") && strstr(line, "\"icid\"")));
	fclose(f);
	return n;
}

static void on_net_call(void *arg, struct call *c)
{
	(void)arg;
	net_call = c;
}

/* What was agreed stands; a change is a change; the end is told; one record is written, whenever the daemon was away. */
START_TEST(test_policy_of_a_call)
{
	char config[512], file[80], text[1024], route[1024];
	struct rig_sent *s;
	const struct policy_answer yes = { .verdict = POLICY_YES };

	snprintf(dir, sizeof(dir), "/tmp/cscf-stored-XXXXXX");
	ck_assert(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/records", dir);
	snprintf(config, sizeof(config), "  reg_event: false\npolicy: {mode: rx}\ndiameter: {identity: pcscf.home}\nrecords: {file: %s}\n", file);
	open_store(0);
	net_asked = net_ended = 0;
	rig_init_policy(&r, config, 1, &backend);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request_body(&r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "call",
			 "Contact: <sip:alice@10.9.0.1:5060>\n", SDP("10.9.0.1", AUDIO("5000")));
	s = rig_expect(&r, "INVITE", SCSCF);
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	snprintf(text, sizeof(text), "Contact: <sip:bob@10.9.0.2:6000>\nRecord-Route: " S_RR ", %s\n", rr);
	rig_reply_body(&r, s, 200, "T", text, SDP("10.46.0.9", AUDIO("4000")));
	policy_answered(net_call, 1, &yes);
	rig_expect_status(&r, 200, ALICE);
	for (unsigned i = 0; i < 2; i++) {
		restart_policy(config, _i ? 700000 : 60000);
		ck_assert_uint_eq(records_of(file, ""), _i);
		net_call = NULL;
		calls_each(pcscf_of(&r.workers[0].w)->calls, on_net_call, NULL);
		ck_assert((net_call != NULL) == !_i);
		if (net_call)
			ck_assert(policy_adopt(net_call, &backend, &net_call) && !policy_adopt(net_call, &backend, &net_call));
	}
	ck_assert_uint_eq(net_ended, 0);
	if (!_i) {
		snprintf(route, sizeof(route), "Route: %s, " S_RR "\nContact: <sip:alice@10.9.0.1:5060>\n", rr);
		rig_request_body(&r, ALICE, "INVITE", "sip:bob@10.9.0.2:6000", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "call",
				 route, SDP("10.9.0.1", AUDIO("5000") "m=video 0 RTP/AVP 99\n"));
		rig_reply_body(&r, rig_expect(&r, "INVITE", SCSCF), 200, "T", "Contact: <sip:bob@10.9.0.2:6000>\n",
			       SDP("10.46.0.9", AUDIO("4400") "m=video 0 RTP/AVP 99\n"));
		ck_assert_uint_eq(net_asked, 2);
		ck_assert(!net_q.first && net_q.final);
		policy_answered(net_call, net_q.number, &yes);
		rig_expect_status(&r, 200, ALICE);
		snprintf(route, sizeof(route), "Route: %s, " S_RR "\n", rr);
		rig_request_as(&r, ALICE, "BYE", "sip:bob@10.9.0.2:6000", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "call", route);
		rig_reply(&r, rig_expect(&r, "BYE", SCSCF), 200, NULL);
		rig_expect_status(&r, 200, ALICE);
		ck_assert_uint_eq(net_ended, 1);
	}
	restart_policy(config, 0);
	ck_assert_uint_eq(records_of(file, ""), 1);
	ck_assert_uint_eq(records_of(file, call_rows[_i].records[0]), 1);
	end();
}
END_TEST

/* F4: the records of a call, cut anywhere, make no call or one that can be ended. */
START_TEST(test_cut_call)
{
	static const enum store_table tables[] = { STORE_SESSION, STORE_CALL };
	static const char config[] = "  reg_event: false\npolicy: {mode: rx}\ndiameter: {identity: pcscf.home}\n";
	const struct policy_answer yes = { .verdict = POLICY_YES };
	struct cutting c = { .l = 0 };
	struct rig_sent *s;
	char text[1024];

	snprintf(dir, sizeof(dir), "/tmp/cscf-stored-XXXXXX");
	ck_assert(mkdtemp(dir));
	open_store(0);
	rig_init_policy(&r, config, 1, &backend);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request_body(&r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "call",
			 "Contact: <sip:alice@10.9.0.1:5060>\n", SDP("10.9.0.1", AUDIO("5000")));
	s = rig_expect(&r, "INVITE", SCSCF);
	snprintf(text, sizeof(text), "Contact: <sip:bob@10.9.0.2:6000>\nRecord-Route: " S_RR ", %s\n", rig_hdr(s, "Record-Route"));
	rig_reply_body(&r, s, 200, "T", text, SDP("10.46.0.9", AUDIO("4000")));
	policy_answered(net_call, 1, &yes);
	rig_expect_status(&r, 200, ALICE);
	restart_policy(config, 0);
	ck_assert_int_eq(store_scan(store, tables[_i], take, &c), 0);
	ck_assert_uint_gt(c.l, 0);
	for (size_t l = 0; l <= c.l; l++) {
		ck_assert_int_eq(store_put(store_port(store, 0), tables[_i], str_make(c.key, c.key_l), str_make(c.value, l),
					   store_now_ms(store) + 3600000), 0);
		restart_policy(config, 0);
		sessions_release_call(pcscf_of(&r.workers[0].w)->sessions, STR("call"), "administration");
		calls_each(pcscf_of(&r.workers[0].w)->calls, on_net_call, NULL);
	}
	end();
}
END_TEST

/* Row Q1: a registration that got a new Rx session while the end of the old one is on its way has one after a restart; the old one is ended. */
START_TEST(test_signalling_session_over)
{
	static const char config[] = "  reg_event: false\npolicy: {mode: rx, registration: true}\ndiameter: {identity: pcscf.home}\n";
	struct worker *w = &r.workers[0].w;
	unsigned living = 0, n = 0;
	struct list *i;

	begin(config);
	w->dia = dia_client_new(w->loop, 1000, 8, 8);
	ck_assert_ptr_nonnull(w->dia);
	for (unsigned k = 0; k < 2; k++) {
		rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
		loop_run_for(w->loop, 5);		/* no PCRF is there: the AAR has failed, and so does the STR */
	}
	dia_client_free(w->dia);
	w->dia = NULL;
	restart(config, 0);
	list_for_each(i, &pcscf_of(w)->rx->all) {
		const struct rx_session *s = list_entry(i, const struct rx_session, link);

		living += s->signalling && !s->over;
		n++;
	}
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(living, 1);
	end();
}
END_TEST

static const int others[] = { 0, 1, 2 }, losses[] = { 0, 1 }, modes[] = { SEC_MOD_TRANS, SEC_MOD_UDP_ENC_TUN };
TEST_MAIN("stored", TEST_ONE(test_access_is_kept), TEST_ONE(test_both_ways), TEST_ONE(test_expires), TEST_ONE(test_expired_while_away), TEST_ONE(test_outbound), TEST_ONE(test_stream), TEST_ROWS(test_set, modes),
	  TEST_ROWS(test_set_of_others, others), TEST_ROWS(test_set_lost, losses), TEST_ONE(test_cut), TEST_ONE(test_call_is_released),
	  { &(test_call_over_meanwhile), 2 }, TEST_ROWS(test_policy_of_a_call, call_rows), TEST_ONE(test_signalling_session_over), { &(test_cut_call), 2 })
