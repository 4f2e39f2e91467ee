/* tests/diameter/test_node.c - Cx between two processes over TCP: every field of the six commands, silence, loss and return of
 * the peer, bounds.  TS 29.229 §6; RFC 6733; rows D1 to D10; cx_peer.c is the other process. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/diameter/cx.h"
#include "common/log/log.h"
#include "common/util/clock.h"
#include "tests/check.h"
#include "tests/ports.h"

#define MAX_WAITING 8
#define WAIT_MS 20000

static struct loop *loop;
static struct dia_client *client;
static pid_t peer;
static unsigned port;			/* of the peer, whenever it lives */
static unsigned answers;
static int last_err;
static uint32_t last_code;
static bool last_experimental;

static pid_t start_another(unsigned at, const char *identity)
{
	char text[16], line[8] = "";
	const char *path = "tests/diameter/cx_peer";
	pid_t pid;
	int out[2];

	ck_assert_int_eq(pipe(out), 0);
	snprintf(text, sizeof(text), "%u", at);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		close(out[0]);
		execl(path, path, text, identity, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	ck_assert_msg(read(out[0], line, sizeof(line)) > 0 && strncmp(line, "ready", 5) == 0, "the peer did not start");
	close(out[0]);
	return pid;
}

static void start_peer(void)
{
	if (!port)
		port = test_free_port();
	peer = start_another(port, "hss.test");
}

static void kill_peer(void)
{
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
}

/* Waits for a condition that the loop brings about; the loop serves meanwhile. */
#define AWAIT(cond) \
	do { \
		uint64_t end_ = clock_mono_ms() + WAIT_MS; \
		while (!(cond) && clock_mono_ms() < end_) \
			loop_run_for(loop, 5); \
		ck_assert_msg(cond, "did not happen: %s", #cond); \
	} while (0)

/* Each test is a process of its own: the library starts once per process. */
static void start_client(uint32_t timeout_ms, uint32_t max)
{
	static struct dia_peer_config p;
	struct dia_config c = { .identity = "client.test", .realm = "test", .peers = &p, .n_peers = 1,
				.request_timeout_ms = timeout_ms, .max_outstanding = max, .watchdog_s = 6 };

	if (!port)
		port = test_free_port();
	p = (struct dia_peer_config){ "hss.test", NULL, "127.0.0.1", (uint16_t)port };
	log_open("test", LOG_TEXT, LOG_ERROR);
	if (!loop)
		loop = loop_new();
	ck_assert_int_eq(dia_start(&c), 0);
	client = dia_client_new(loop, timeout_ms, max, MAX_WAITING);
	ck_assert_ptr_nonnull(client);
}

static void end(void)
{
	dia_client_free(client);
	dia_stop();
	loop_free(loop);
}

static void note(const struct dia_result *r)
{
	answers++;
	last_err = r->err;
	last_code = r->code;
	last_experimental = r->experimental;
}

static void on_uaa(void *arg, const struct cx_uaa *a)
{
	note(&a->result);
	if (!arg)
		return;
	ck_assert(str_eq(a->origin_host, STR("hss.test")));
	ck_assert(a->has_caps && a->caps.mandatory.n == 2 && a->caps.mandatory.v[0] == 7 && a->caps.mandatory.v[1] == CX_UAR_DE_REGISTRATION);
	ck_assert(a->caps.optional.n == 1 && a->caps.optional.v[0] == 1);
	ck_assert(a->caps.server_names.n == 2 && str_eq(a->caps.server_names.v[0], STR("sip:me@test")) &&
		  str_eq(a->caps.server_names.v[1], STR("visited.test")));
}

static void on_lia(void *arg, const struct cx_lia *a)
{
	note(&a->result);
	if (!arg)
		return;
	ck_assert(str_eq(a->server_name, str_from_c(arg)));
	if (str_eq(a->server_name, STR("sip:o"))) {
		ck_assert(a->has_caps && a->caps.mandatory.n == 1 && a->caps.mandatory.v[0] == 0);
		ck_assert(str_eq(a->wildcarded_impu, STR("sip:wild")) && str_eq(a->wildcarded_psi, STR("sip:psi")));
	}
}

static void on_maa(void *arg, const struct cx_maa *a)
{
	(void)arg;
	note(&a->result);
	ck_assert(str_eq(a->impi, STR("me")) && str_eq(a->impu, STR("sip:me")));
	ck_assert_uint_eq(a->n_items, 3);
	for (unsigned i = 0; i < 3; i++) {
		const struct cx_auth_item *it = &a->item[i];

		ck_assert_uint_eq(it->number, i + 1);
		ck_assert(str_eq(it->scheme, STR("Digest-AKAv1-MD5")) && str_eq(it->authenticate, STR("sip:s")));
		ck_assert(str_eq(it->authorization, STR("\x01\0\x02")) && str_eq(it->ck, STR("\0ck")) && str_eq(it->ik, STR("ik\0")));
		ck_assert(str_eq(it->framed_ip, STR("\0ip4")) && str_eq(it->framed_ip6, STR("\0\x40" "prefix")) && str_eq(it->framed_interface, STR("\0interfa")));
		ck_assert(str_eq(it->digest_realm, STR("realm")) && str_eq(it->digest_ha1, STR("ha1")));
		ck_assert(str_eq(it->digest_qop, STR("auth")) && str_eq(it->digest_algorithm, STR("MD5")));
	}
}

static void on_saa(void *arg, const struct cx_saa *a)
{
	note(&a->result);
	if (!arg)
		return;
	ck_assert(str_eq(a->user_data, STR("<IMSSubscription/>")) && str_eq(a->primary_ccf, STR("sip:s")));
	ck_assert(str_eq(a->secondary_ccf, STR("sip:a")) && str_eq(a->primary_ecf, STR("tel:+1")));
	ck_assert(str_eq(a->secondary_ecf, STR("registration")));
	ck_assert(a->associated_impis.n == 2 && str_eq(a->associated_impis.v[1], STR("i2")));
	/* D9: Supported-Features and SCSCF-Restoration-Info, there and back. */
	ck_assert_uint_eq(cx_features(a->n_features, a->features), CX_FEATURE_RESTORATION);
	ck_assert(a->n_restorations == 1 && a->restoration[0].n == 2 && str_eq(a->restoration[0].impi, STR("me")));
	ck_assert(str_eq(a->restoration[0].v[1].path, STR("<sip:p;lr>, <sip:q;lr>")) && str_eq(a->restoration[0].v[1].contact, STR("<sip:c>;expires=1")));
	ck_assert(a->restoration[0].v[1].cseq == 7 && str_eq(a->restoration[0].v[1].call_id, STR("id")) && a->restoration[0].v[0].cseq == 0);
}

static void expect(int err, uint32_t code, bool experimental)
{
	unsigned before = answers;

	AWAIT(answers == before + 1);
	ck_assert_int_eq(last_err, err);
	ck_assert_uint_eq(last_code, code);
	ck_assert(last_experimental == experimental);
}

START_TEST(test_every_field_of_every_command)
{
	struct cx_uar uar = { .impi = STR("me"), .impu = STR("sip:me@test"), .visited_network = STR("visited.test"),
			      .type = CX_UAR_DE_REGISTRATION, .flags = 1 };
	struct cx_lir lir = { .impu = STR("sip:x"), .originating = true, .session_priority = 0 };
	struct cx_mar mar = { .impi = STR("me"), .impu = STR("sip:me"), .server_name = STR("sip:s"), .n_items = 3,
			      .item = { .scheme = STR("Digest-AKAv1-MD5"), .authorization = STR("\x01\0\x02") } };
	struct cx_sar sar = { .impi = STR("me"), .impus = { 2, { STR("sip:a"), STR("tel:+1") } }, .server_name = STR("sip:s"),
			      .type = CX_SAR_REGISTRATION, .n_features = 1, .n_restorations = 1,
			      .features = { cx_features_make(CX_FEATURE_RESTORATION) },
			      .restoration = { { STR("me"), 2, { { STR(""), STR("<sip:b>"), STR(""), 0 },
				{ STR("<sip:p;lr>, <sip:q;lr>"), STR("<sip:c>;expires=1"), STR("id"), 7 } } } } };

	start_peer();
	start_client(5000, 16);
	AWAIT(dia_any_open());
	ck_assert(cx_uar_send(client, &uar, on_uaa, &uar) != 0);
	ck_assert_uint_eq(answers, 0);			/* never from inside the call */
	expect(0, CX_FIRST_REGISTRATION, true);
	cx_lir_send(client, &lir, on_lia, (void *)(uintptr_t)"sip:o");
	expect(0, DIA_SUCCESS, false);
	lir.originating = false;
	lir.session_priority = UINT32_MAX;
	cx_lir_send(client, &lir, on_lia, (void *)(uintptr_t)"sip:t");
	expect(0, DIA_SUCCESS, false);
	cx_mar_send(client, &mar, on_maa, NULL);
	expect(0, DIA_SUCCESS, false);
	cx_sar_send(client, &sar, on_saa, &sar);
	expect(0, DIA_SUCCESS, false);
	sar.impi = STR("unknown");
	cx_sar_send(client, &sar, on_saa, NULL);
	expect(0, CX_USER_UNKNOWN, true);
	uar.impi = STR("busy");
	cx_uar_send(client, &uar, on_uaa, NULL);
	expect(0, DIA_TOO_BUSY, false);
	ck_assert_uint_eq(dia_client_outstanding(client), 0);
	end();
	kill_peer();
}
END_TEST

/* The library's listener ends the node when accept() fails: node.c stands between. */
static void *give_back(void *arg)
{
	const struct timespec pause = { 0, 150000000 };

	nanosleep(&pause, NULL);
	setrlimit(RLIMIT_NOFILE, arg);
	return NULL;
}

START_TEST(test_listener_waits_for_descriptors_D1)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, from;
	socklen_t l = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0), own = socket(AF_INET, SOCK_STREAM, 0), next = dup(own), got;
	struct rlimit was, none;
	pthread_t t;

	ck_assert(listener >= 0 && next >= 0 && getrlimit(RLIMIT_NOFILE, &was) == 0);
	ck_assert(bind(listener, (struct sockaddr *)&at, l) == 0 && listen(listener, 4) == 0);
	ck_assert(getsockname(listener, (struct sockaddr *)&at, &l) == 0 && connect(own, (struct sockaddr *)&at, l) == 0);
	close(next);
	none = (struct rlimit){ (rlim_t)next, was.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
	ck_assert(accept(listener, NULL, NULL) < 0 && errno == EMFILE);		/* somebody else's: as ever */
	ck_assert_int_eq(fcntl(listener, F_SETFL, 0), 0);
	ck_assert_int_eq(pthread_create(&t, NULL, give_back, &was), 0);
	l = sizeof(from);
	got = accept(listener, (struct sockaddr *)&from, &l);
	ck_assert_msg(got >= 0, "%s", strerror(errno));
	ck_assert(l == sizeof(from) && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	pthread_join(t, NULL);
	close(got);
	close(own);
	shutdown(listener, SHUT_RDWR);
	ck_assert(accept(listener, NULL, NULL) < 0);				/* what does not pass ends it */
	close(listener);
}
END_TEST

static unsigned rtrs, pprs;

static void on_rtr(void *u, struct dia_peer_request *q, const struct cx_rtr *r)
{
	struct cx_rta a = { .result = { 0, DIA_SUCCESS, false }, .associated_impis = { 1, { STR("other") } },
			    .n_emergency = 2, .emergency = { { STR("me"), STR("sip:me") }, { STR("other"), STR("sip:o") } } };

	(void)u;
	ck_assert(str_eq(r->impi, STR("me")) && r->impus.n == 2 && str_eq(r->impus.v[1], STR("tel:+1")));
	ck_assert(r->associated_impis.n == 1 && str_eq(r->associated_impis.v[0], STR("other")));
	ck_assert(r->reason_code == 2 && str_eq(r->reason_info, STR("moved")) && str_eq(r->origin_host, STR("hss.test")));
	rtrs++;
	cx_rta_send(q, &a);
}

static void on_ppr(void *u, struct dia_peer_request *q, const struct cx_ppr *r)
{
	struct cx_ppa a = { .result = { 0, CX_TOO_MUCH_DATA, true } };

	(void)u;
	ck_assert(str_eq(r->impi, STR("me")) && str_eq(r->user_data, STR("<x/>")));
	ck_assert(str_eq(r->primary_ccf, STR("aaa://c1")) && str_eq(r->secondary_ecf, STR("aaa://e2")) && r->primary_ecf.l == 0);
	pprs++;
	cx_ppa_send(q, &a);
}

/* The HSS sends one of each after a LIR that says how; so many of them reach us. */
static void pushed(const char *how, unsigned n)
{
	static const struct cx_server_ops ops = { .rtr = on_rtr, .ppr = on_ppr };
	struct cx_lir lir = { .impu = str_from_c(how), .session_priority = UINT32_MAX };

	start_peer();
	loop = loop_new();
	cx_serve(loop, &ops, NULL);
	start_client(5000, 16);
	AWAIT(dia_any_open());
	cx_lir_send(client, &lir, on_lia, (void *)(uintptr_t)"sip:pushed");
	expect(0, DIA_SUCCESS, false);
	ck_assert(rtrs == n && pprs == n);
	end();
	kill_peer();
}

START_TEST(test_pushes_of_the_hss_reach_the_loop_S16_S17)
{
	pushed("push", 1);
}
END_TEST

START_TEST(test_pushes_that_demand_too_much_D9)	/* 5011 with what we can do; nobody here hears of them */
{
	pushed("demand", 0);
}
END_TEST

START_TEST(test_silence_ends_at_the_deadline_and_bounds_hold)
{
	struct cx_uar uar = { .impi = STR("silent"), .impu = STR("sip:me"), .visited_network = STR("v") };
	uint64_t began, id;

	start_peer();
	start_client(300, 2);
	AWAIT(dia_any_open());
	began = clock_mono_ms();
	cx_uar_send(client, &uar, on_uaa, NULL);
	cx_uar_send(client, &uar, on_uaa, NULL);
	for (unsigned i = 0; i < MAX_WAITING; i++)
		cx_uar_send(client, &uar, on_uaa, NULL);	/* over max_outstanding: they wait */
	cx_uar_send(client, &uar, on_uaa, NULL);		/* and this one would be too many of them */
	expect(-EBUSY, 0, false);
	ck_assert_uint_eq(dia_client_outstanding(client), 2);
	AWAIT(answers == 3 + MAX_WAITING);
	ck_assert_int_eq(last_err, -ETIMEDOUT);
	ck_assert_msg(clock_mono_ms() - began < 600, "who waited had no deadline of his own");
	ck_assert(clock_mono_ms() - began >= 300);
	ck_assert_uint_eq(dia_client_outstanding(client), 0);
	id = cx_uar_send(client, &uar, on_uaa, NULL);
	dia_client_cancel(client, id);
	uar.impi = STR("unknown");			/* answered after the cancelled one would have timed out */
	loop_run_for(loop, 400);
	cx_uar_send(client, &uar, on_uaa, NULL);
	AWAIT(answers == 4 + MAX_WAITING);
	ck_assert_uint_eq(last_code, CX_USER_UNKNOWN);
	end();
	kill_peer();
}
END_TEST

/* Reliability row L3: a burst is served in turn; who gives up while waiting costs nobody his turn. */
START_TEST(test_a_burst_waits_its_turn)
{
	struct cx_uar uar = { .impi = STR("unknown"), .impu = STR("sip:me"), .visited_network = STR("v") };
	uint64_t id[MAX_WAITING];

	start_peer();
	start_client(2000, 2);
	AWAIT(dia_any_open());
	for (unsigned i = 0; i < MAX_WAITING; i++)
		id[i] = cx_uar_send(client, &uar, on_uaa, NULL);
	ck_assert_uint_eq(dia_client_outstanding(client), 2);
	dia_client_cancel(client, id[0]);		/* one with the library, */
	dia_client_cancel(client, id[5]);		/* one that waits */
	AWAIT(answers == MAX_WAITING - 2);
	ck_assert_uint_eq(last_code, CX_USER_UNKNOWN);
	ck_assert_uint_eq(dia_client_outstanding(client), 0);
	for (unsigned i = 0; i < MAX_WAITING; i++)
		cx_uar_send(client, &uar, on_uaa, NULL);
	end();						/* with all of them on the way: no callback, no leak */
	kill_peer();
}
END_TEST

START_TEST(test_the_peer_dies_and_comes_back)
{
	struct cx_uar uar = { .impi = STR("unknown"), .impu = STR("sip:me"), .visited_network = STR("v") };
	struct dia_peer_view v;
	uint64_t began;

	start_client(1000, 16);		/* up without its HSS */
	cx_uar_send(client, &uar, on_uaa, NULL);
	expect(-ENOTCONN, 0, false);
	ck_assert_uint_eq(dia_peers(&v, 1), 1);
	ck_assert(!v.open);
	ck_assert_str_eq(v.identity, "hss.test");
	start_peer();
	AWAIT(dia_any_open());
	cx_uar_send(client, &uar, on_uaa, NULL);
	expect(0, CX_USER_UNKNOWN, true);
	ck_assert_uint_eq(dia_peers(&v, 1), 1);
	ck_assert(v.open && v.reason[0] == '\0');
	ck_assert_str_eq(v.state, "open");
	kill_peer();
	began = clock_mono_ms();
	AWAIT(!dia_any_open());
	dia_peers(&v, 1);
	ck_assert_msg(v.reason[0] != '\0', "why it is not open is not said");
	cx_uar_send(client, &uar, on_uaa, NULL);
	expect(-ENOTCONN, 0, false);
	start_peer();
	AWAIT(dia_any_open());
	ck_assert_msg(clock_mono_ms() - began < 10000, "back after %lu ms", (unsigned long)(clock_mono_ms() - began));
	cx_uar_send(client, &uar, on_uaa, NULL);
	expect(0, CX_USER_UNKNOWN, true);
	end();
	kill_peer();
}
END_TEST

/* D12: a HSS dies while it owes answers: the other one is asked, with the T flag, and nobody waits for the deadline.  And what REST says
 * of each. */
static unsigned first, again;

static void on_either(void *arg, const struct cx_uaa *a)
{
	(void)arg;
	note(&a->result);
	ck_assert_msg(a->result.err == 0 && str_eq(a->origin_host, STR("hss2.test")), "%d", a->result.err);
	first += str_eq(a->server_name, STR("first"));
	again += str_eq(a->server_name, STR("again"));
}

START_TEST(test_the_second_peer_takes_over_D12)
{
	struct cx_uar uar = { .impi = STR("one"), .impu = STR("sip:me"), .visited_network = STR("v") };
	enum { N = 40 };
	unsigned second = test_free_port();
	struct dia_peer_config p[2];
	struct dia_config c = { .identity = "client.test", .realm = "test", .peers = p, .n_peers = 2, .request_timeout_ms = 8000,
				.max_outstanding = N, .watchdog_s = 6 };
	struct dia_peer_view v[2] = { 0 };
	uint64_t began;
	pid_t other;

	start_peer();
	other = start_another(second, "hss2.test");
	p[0] = (struct dia_peer_config){ "hss.test", NULL, "127.0.0.1", (uint16_t)port };
	p[1] = (struct dia_peer_config){ "hss2.test", NULL, "127.0.0.1", (uint16_t)second };
	log_open("test", LOG_TEXT, LOG_ERROR);
	loop = loop_new();
	ck_assert_int_eq(dia_start(&c), 0);
	client = dia_client_new(loop, 8000, N, MAX_WAITING);
	AWAIT(dia_peers(v, 2) == 2 && v[0].open && v[1].open);
	for (unsigned i = 0; i < N; i++)
		cx_uar_send(client, &uar, on_either, NULL);
	loop_run_for(loop, 500);
	ck_assert_uint_eq(again, 0);
	ck_assert_msg(dia_client_outstanding(client) > 0 && dia_client_outstanding(client) == N - first, "all went to one peer");
	kill_peer();
	began = clock_mono_ms();
	AWAIT(answers == N);
	ck_assert_msg(clock_mono_ms() - began < 5000, "took over after %lu ms", (unsigned long)(clock_mono_ms() - began));
	ck_assert_msg(first + again == N && again > 0, "%u at first, %u again", first, again);
	dia_peers(v, 2);
	for (unsigned i = 0; i < 2; i++)
		if (strcmp(v[i].identity, "hss2.test") == 0)
			ck_assert(v[i].answers == N && v[i].errors == 0 && v[i].mean_us > 0 && v[i].longest_us >= v[i].mean_us);
	end();
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}
END_TEST

/* ---- a HSS that stands still: its connection stays open ---- */

static char answered_by[64];

static void on_maa_of(void *arg, const struct cx_maa *a)
{
	(void)arg;
	note(&a->result);
	str_copy(a->origin_host, answered_by, sizeof(answered_by));
}

static void ask_mar(struct str host)
{
	struct cx_mar mar = { .impi = STR("me"), .impu = STR("sip:me"), .server_name = STR("sip:s"), .n_items = 1,
			      .item = { .scheme = STR("SIP Digest") }, .dest_host = host };
	unsigned before = answers;

	answered_by[0] = '\0';
	cx_mar_send(client, &mar, on_maa_of, NULL);
	AWAIT(answers > before);
}

START_TEST(test_a_peer_that_stands_still_is_passed_over_D12)
{
	enum { N = 20, TIMEOUT_MS = 400 };
	unsigned second = test_free_port();
	struct dia_peer_config p[2];
	struct dia_config c = { .identity = "client.test", .realm = "test", .peers = p, .n_peers = 2, .request_timeout_ms = TIMEOUT_MS,
				.max_outstanding = N, .watchdog_s = 6 };
	struct dia_peer_view v[2] = { 0 };
	pid_t other;

	start_peer();
	other = start_another(second, "hss2.test");
	p[0] = (struct dia_peer_config){ "hss.test", NULL, "127.0.0.1", (uint16_t)port };
	p[1] = (struct dia_peer_config){ "hss2.test", NULL, "127.0.0.1", (uint16_t)second };
	log_open("test", LOG_TEXT, LOG_ERROR);
	loop = loop_new();
	ck_assert_int_eq(dia_start(&c), 0);
	client = dia_client_new(loop, TIMEOUT_MS, N, MAX_WAITING);
	AWAIT(dia_peers(v, 2) == 2 && v[0].open && v[1].open);
	ask_mar(STR("hss.test"));
	ck_assert_str_eq(answered_by, "hss.test");
	kill(peer, SIGSTOP);
	ask_mar(STR("hss.test"));
	ck_assert_int_eq(last_err, -ETIMEDOUT);
	for (unsigned i = 0; i < N; i++) {
		ask_mar(i % 2 ? STR("hss.test") : STR_NONE);
		ck_assert_msg(last_err == 0 && strcmp(answered_by, "hss2.test") == 0, "request %u: %d, %s", i, last_err, answered_by);
	}
	ck_assert(dia_is_open(STR("hss.test")));
	kill(other, SIGSTOP);			/* both: whoever was named is asked, for want of a better one */
	ask_mar(STR("hss2.test"));
	ck_assert_int_eq(last_err, -ETIMEDOUT);
	kill(peer, SIGCONT);
	while (strcmp(answered_by, "hss.test") != 0)	/* bounded by the test's own time */
		ask_mar(STR("hss.test"));
	end();
	kill_peer();
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}
END_TEST

static struct dia_peer_view peer_view(const char *identity)
{
	struct dia_peer_view v[2] = { 0 };

	dia_peers(v, 2);
	return strcmp(v[0].identity, identity) == 0 ? v[0] : v[1];
}

/* Row O2: who runs us sets a peer aside: the other one is asked, also for what names the first; with nobody else it is asked still. */
START_TEST(test_a_peer_is_set_aside_O2)
{
	enum { TIMEOUT_MS = 2000 };
	unsigned second = test_free_port();
	struct dia_peer_config p[2];
	struct dia_config c = { .identity = "client.test", .realm = "test", .peers = p, .n_peers = 2, .request_timeout_ms = TIMEOUT_MS,
				.max_outstanding = 4, .watchdog_s = 6 };
	struct dia_peer_view v[2] = { 0 };
	pid_t other;

	start_peer();
	other = start_another(second, "hss2.test");
	p[0] = (struct dia_peer_config){ "hss.test", NULL, "127.0.0.1", (uint16_t)port };
	p[1] = (struct dia_peer_config){ "hss2.test", NULL, "127.0.0.1", (uint16_t)second };
	log_open("test", LOG_TEXT, LOG_ERROR);
	loop = loop_new();
	ck_assert_int_eq(dia_start(&c), 0);
	client = dia_client_new(loop, TIMEOUT_MS, 4, MAX_WAITING);
	AWAIT(dia_peers(v, 2) == 2 && v[0].open && v[1].open);
	ck_assert_int_eq(dia_peer_set_aside(STR("nobody.test"), true), -ENOENT);
	ck_assert_int_eq(dia_peer_set_aside(STR("HSS.test"), true), 0);
	ck_assert(peer_view("hss.test").aside && peer_view("hss.test").open && !peer_view("hss2.test").aside);
	for (unsigned i = 0; i < 10; i++) {
		ask_mar(i % 2 ? STR("hss.test") : STR_NONE);
		ck_assert_msg(last_err == 0 && strcmp(answered_by, "hss2.test") == 0, "request %u: %d, %s", i, last_err, answered_by);
	}
	ck_assert_int_eq(dia_peer_set_aside(STR("hss2.test"), true), 0);
	ask_mar(STR("hss.test"));
	ck_assert_msg(last_err == 0, "both are set aside: one is asked all the same");
	ck_assert_int_eq(dia_peer_set_aside(STR("hss.test"), false), 0);
	ask_mar(STR("hss2.test"));
	ck_assert_str_eq(answered_by, "hss.test");
	end();
	kill_peer();
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}
END_TEST

/* ---- Dx: RFC 6733 §6.1.8, §6.12; TS 29.228 §5.2 ---- */

static char from[64];

static void on_dx_uaa(void *arg, const struct cx_uaa *a)
{
	(void)arg;
	note(&a->result);
	str_copy(a->origin_host, from, sizeof(from));
	if (a->result.code == CX_FIRST_REGISTRATION)
		ck_assert(a->has_caps && str_eq(a->caps.server_names.v[0], STR("sip:me")) && str_eq(a->caps.server_names.v[1], STR("v")));
}

static void on_dx_maa(void *arg, const struct cx_maa *a)
{
	(void)arg;
	note(&a->result);
	str_copy(a->origin_host, from, sizeof(from));
	ck_assert(a->n_items == 2 && str_eq(a->item[0].scheme, STR("SIP Digest")) && str_eq(a->item[0].authenticate, STR("sip:s")));
}

static void on_dx_saa(void *arg, const struct cx_saa *a)
{
	(void)arg;
	note(&a->result);
	str_copy(a->origin_host, from, sizeof(from));
	ck_assert(str_eq(a->primary_ccf, STR("sip:s")) && str_eq(a->secondary_ccf, STR("sip:a")) && a->n_restorations == 1);
}

static void on_dx_lia(void *arg, const struct cx_lia *a)
{
	(void)arg;
	note(&a->result);
	str_copy(a->origin_host, from, sizeof(from));
	ck_assert(str_eq(a->server_name, STR("sip:o")));
}

/* hss.test is the SLF, hss2.test the user's HSS. */
static pid_t start_dx(void)
{
	static struct dia_peer_config p[2];
	struct dia_config c = { .identity = "client.test", .realm = "test", .peers = p, .n_peers = 2, .request_timeout_ms = 8000,
				.max_outstanding = 16, .watchdog_s = 6 };
	unsigned second = test_free_port();
	pid_t other;

	start_peer();
	other = start_another(second, "hss2.test");
	p[0] = (struct dia_peer_config){ "hss.test", NULL, "127.0.0.1", (uint16_t)port };
	p[1] = (struct dia_peer_config){ "hss2.test", NULL, "127.0.0.1", (uint16_t)second };
	log_open("test", LOG_TEXT, LOG_ERROR);
	loop = loop_new();
	ck_assert_int_eq(dia_start(&c), 0);
	client = dia_client_new(loop, 8000, 16, MAX_WAITING);
	ck_assert_int_eq(dia_client_redirects(client, 100, 3600), 0);
	AWAIT(peer_view("hss.test").open && peer_view("hss2.test").open);
	return other;
}

START_TEST(test_a_redirect_is_followed_I8_RFC_6733_6_1_8)
{
	struct cx_uar uar = { .impi = STR("now"), .impu = STR("sip:me"), .visited_network = STR("v"), .dest_host = STR("hss.test") };
	struct cx_lir lir = { .impu = STR("elsewhere"), .originating = true, .session_priority = UINT32_MAX, .dest_host = STR("hss.test") };
	struct cx_mar mar = { .impi = STR("elsewhere"), .impu = STR("sip:other"), .server_name = STR("sip:s"), .n_items = 2,
			      .item = { .scheme = STR("SIP Digest") }, .dest_host = STR("hss.test") };
	struct cx_sar sar = { .impi = STR("elsewhere"), .impus = { 2, { STR("sip:a"), STR("tel:+1") } }, .server_name = STR("sip:s"),
			      .type = CX_SAR_REGISTRATION, .n_restorations = 1, .dest_host = STR("hss.test"),
			      .restoration = { { STR("me"), 1, { { STR("<sip:p;lr>"), STR("<sip:c>"), STR("id"), 7 } } } } };
	pid_t other = start_dx();

	for (unsigned i = 0; i < 2; i++) {	/* the second time anew: "now" is not to be remembered */
		cx_uar_send(client, &uar, on_dx_uaa, NULL);
		expect(0, CX_FIRST_REGISTRATION, true);
		ck_assert_str_eq(from, "hss2.test");
		ck_assert_uint_eq(peer_view("hss.test").answers, i + 1);
	}
	cx_lir_send(client, &lir, on_dx_lia, NULL);
	expect(0, DIA_SUCCESS, false);
	ck_assert_str_eq(from, "hss2.test");
	cx_mar_send(client, &mar, on_dx_maa, NULL);
	expect(0, DIA_SUCCESS, false);
	ck_assert_str_eq(from, "hss2.test");
	cx_sar_send(client, &sar, on_dx_saa, NULL);
	expect(0, DIA_SUCCESS, false);
	ck_assert_str_eq(from, "hss2.test");
	ck_assert(peer_view("hss.test").answers == 5 && peer_view("hss.test").errors == 0 && peer_view("hss2.test").answers == 5);
	lir.dest_host = mar.dest_host = sar.dest_host = STR_NONE;
	for (unsigned i = 0; i < 10; i++) {	/* remembered: by realm, and the SLF is not asked any more */
		cx_lir_send(client, &lir, on_dx_lia, NULL);
		expect(0, DIA_SUCCESS, false);
		cx_mar_send(client, &mar, on_dx_maa, NULL);
		expect(0, DIA_SUCCESS, false);
		cx_sar_send(client, &sar, on_dx_saa, NULL);
		expect(0, DIA_SUCCESS, false);
	}
	ck_assert_uint_eq(peer_view("hss.test").answers, 5);
	ck_assert_uint_eq(dia_client_outstanding(client), 0);
	end();
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	kill_peer();
}
END_TEST

START_TEST(test_redirects_that_lead_nowhere_I8)	/* 3006 for the caller: a host that is no peer; a circle ends */
{
	struct cx_uar uar = { .impi = STR("nowhere"), .impu = STR("sip:me"), .visited_network = STR("v") };
	pid_t other = start_dx();

	cx_uar_send(client, &uar, on_dx_uaa, NULL);
	expect(0, DIA_REDIRECT_INDICATION, false);
	ck_assert_uint_eq(peer_view("hss.test").answers + peer_view("hss2.test").answers, 1);
	uar.impi = STR("round");
	cx_uar_send(client, &uar, on_dx_uaa, NULL);
	expect(0, DIA_REDIRECT_INDICATION, false);
	ck_assert_uint_eq(peer_view("hss.test").answers + peer_view("hss2.test").answers, 1 + 1 + DIA_MAX_REDIRECTS);
	ck_assert_uint_eq(dia_client_outstanding(client), 0);
	uar.impi = STR("elsewhere");		/* its host is away: nobody else can answer */
	uar.dest_host = STR("hss.test");
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	AWAIT(!dia_is_open(STR("hss2.test")));
	cx_uar_send(client, &uar, on_dx_uaa, NULL);
	expect(0, DIA_REDIRECT_INDICATION, false);
	end();
	kill_peer();
}
END_TEST

static void on_left(void *arg, const struct cx_uaa *a)
{
	*(int *)arg = a->result.err ? a->result.err : (int)a->result.code;
}

/* RFC 6733 §5.4: the peer says goodbye while it owes answers. */
START_TEST(test_a_peer_that_disconnects_D12)
{
	struct cx_uar uar = { .impi = STR("one"), .impu = STR("sip:me"), .visited_network = STR("v") };
	struct cx_uar leave = { .impi = STR("leave"), .impu = STR("sip:me"), .visited_network = STR("v"), .dest_host = STR("hss.test") };
	enum { N = 10 };
	pid_t other = start_dx();
	uint64_t began;
	int left = 0;

	for (unsigned i = 0; i < N; i++)
		cx_uar_send(client, &uar, on_either, NULL);
	loop_run_for(loop, 300);
	cx_uar_send(client, &leave, on_left, &left);
	began = clock_mono_ms();
	AWAIT(answers == N && left);
	ck_assert_msg(clock_mono_ms() - began < 6000, "took over after %lu ms", (unsigned long)(clock_mono_ms() - began));
	ck_assert_msg(left == -ENOTCONN || left == DIA_UNABLE_TO_DELIVER, "%d", left);		/* it named that host */
	ck_assert_uint_eq(first + again, N);
	AWAIT(!peer_view("hss.test").open);
	cx_uar_send(client, &uar, on_either, NULL);	/* and the next ones */
	AWAIT(answers == N + 1);
	waitpid(peer, NULL, 0);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	end();
}
END_TEST

START_TEST(test_a_destination_with_a_port_D12)	/* README.md trap 7 */
{
	static const struct { struct str to; int code; } hosts[] = {
		{ STR("hss.test"), CX_USER_UNKNOWN }, { STR("hss.test:3868"), CX_USER_UNKNOWN }, { STR("HSS.test:1"), CX_USER_UNKNOWN },
		{ STR("hss.tester"), DIA_UNABLE_TO_DELIVER }, { STR("another.test"), DIA_UNABLE_TO_DELIVER },
	};
	struct cx_uar uar = { .impi = STR("unknown"), .impu = STR("sip:me"), .visited_network = STR("v") };

	start_peer();
	start_client(5000, 16);
	AWAIT(dia_any_open());
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		unsigned before = answers;

		uar.dest_host = hosts[i].to;
		cx_uar_send(client, &uar, on_uaa, NULL);
		AWAIT(answers == before + 1);
		ck_assert_msg(last_err == 0 && last_code == (uint32_t)hosts[i].code, "%.*s: %d %u", STR_ARG(hosts[i].to), last_err, last_code);
	}
	end();
	kill_peer();
}
END_TEST

static char watched[256];

static void on_watch(void *u, const char *name, const struct dia_result *r, struct str correlation)
{
	size_t l = strlen(watched);

	snprintf(watched + l, sizeof(watched) - l, "%s%s %.*s %d %u;", (const char *)u, name, STR_ARG(correlation),
		 r ? r->err : 0, r ? r->code : 0);
}

static void on_uaa_correlated(void *arg, const struct cx_uaa *a)
{
	note(&a->result);
	ck_assert(str_eq(log_correlation_get(), str_from_c(arg)));
}

START_TEST(test_a_watcher_sees_what_belongs_to_which_request)
{
	struct cx_uar uar = { .impi = STR("unknown"), .impu = STR("sip:me"), .visited_network = STR("v") };
	static char one[] = "icid-1", two[] = "icid-2";

	start_client(5000, 16);
	dia_client_watch(client, on_watch, (void *)(uintptr_t)"*");
	log_correlation(str_from_c(one));
	cx_uar_send(client, &uar, on_uaa_correlated, one);
	log_correlation(STR_NONE);
	expect(-ENOTCONN, 0, false);
	ck_assert_str_eq(watched, "*UAA icid-1 -107 0;");
	watched[0] = '\0';
	start_peer();
	AWAIT(dia_any_open());
	log_correlation(str_from_c(two));
	cx_uar_send(client, &uar, on_uaa_correlated, two);
	log_correlation(STR("something else"));
	expect(0, CX_USER_UNKNOWN, true);
	ck_assert_str_eq(watched, "*UAR icid-2 0 0;*UAA icid-2 0 5001;");
	ck_assert_uint_eq(log_correlation_get().l, 0);		/* nothing sticks to what the thread does next */
	end();
	kill_peer();
}
END_TEST

/* README.md trap 11: the library must find our usleep, not the one of the C library. */
/* ---- start ---- */

static struct dia_peer_config *the_peer(void)
{
	static struct dia_peer_config p;

	p = (struct dia_peer_config){ "hss.test", NULL, "127.0.0.1", (uint16_t)port };
	return &p;
}

static struct dia_config listening(unsigned at)
{
	struct dia_config c = { .identity = "client.test", .realm = "test", .peers = the_peer(), .n_peers = 1, .request_timeout_ms = 5000,
				.max_outstanding = 4, .watchdog_s = 6 };

	ck_assert_int_eq(addr_parse(STR("127.0.0.1"), (uint16_t)at, &c.listen), 0);
	log_open("test", LOG_TEXT, LOG_ERROR);
	loop = loop_new();
	return c;
}

static void use_it(void)
{
	client = dia_client_new(loop, 5000, 4, MAX_WAITING);
	AWAIT(dia_any_open());
	ask_mar(STR_NONE);
	ck_assert_int_eq(last_err, 0);
}

/* A child that has the port for so long: a process before us whose end the kernel has not finished. */
static pid_t hold(unsigned at, unsigned ms)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)at), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	pid_t pid;

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	pid = fork();
	if (pid == 0) {
		usleep(ms * 1000);
		_exit(0);
	}
	close(fd);
	return pid;
}

START_TEST(test_an_address_that_is_free_soon_is_waited_for)
{
	unsigned at = test_free_port();
	struct dia_config c;
	pid_t holder;

	start_peer();
	c = listening(at);
	holder = hold(at, 700);
	ck_assert_int_eq(dia_start(&c), 0);
	waitpid(holder, NULL, 0);
	use_it();
	end();
	kill_peer();
}
END_TEST

START_TEST(test_an_address_of_another_is_named_as_the_reason)
{
	unsigned at = test_free_port();
	struct dia_config c;
	pid_t holder;

	port = test_free_port();		/* nobody is there: it does not come so far */
	c = listening(at);
	holder = hold(at, 60000);
	ck_assert_int_eq(dia_start(&c), -EADDRINUSE);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	loop_free(loop);
}
END_TEST

/* Connects and goes at once: silently, with a reset, with nonsense. */
static pid_t hammer(unsigned at)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)at), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct linger reset = { 1, 0 };
	pid_t pid = fork();

	for (unsigned n = 0; pid == 0; n++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
			usleep(100);
		else if (n % 3 == 1)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		else if (n % 3 == 2 && send(fd, "\x01\0\0\x14nonsense", 12, MSG_NOSIGNAL) < 0)
			usleep(100);
		close(fd);
	}
	return pid;
}

START_TEST(test_connections_that_go_at_once_do_not_stop_the_start)
{
	unsigned at = test_free_port();
	struct dia_config c;
	pid_t child;

	(void)_i;
	start_peer();
	c = listening(at);
	child = hammer(at);
	ck_assert_int_eq(dia_start(&c), 0);
	use_it();
	loop_run_for(loop, 200);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ask_mar(STR_NONE);
	ck_assert_int_eq(last_err, 0);
	end();
	kill_peer();
}
END_TEST

static const char starts[2];

START_TEST(test_the_pauses_of_the_library_are_ours)
{
	ck_assert_ptr_eq(dlsym(RTLD_DEFAULT, "usleep"), (void *)(uintptr_t)usleep);
	ck_assert_ptr_ne(dlsym(RTLD_NEXT, "usleep"), (void *)(uintptr_t)usleep);
}
END_TEST

TEST_MAIN("node", TEST_ONE(test_listener_waits_for_descriptors_D1), TEST_ONE(test_an_address_that_is_free_soon_is_waited_for), TEST_ONE(test_an_address_of_another_is_named_as_the_reason),
	  TEST_ROWS(test_connections_that_go_at_once_do_not_stop_the_start, starts), TEST_ONE(test_a_peer_that_stands_still_is_passed_over_D12), TEST_ONE(test_a_peer_that_disconnects_D12), TEST_ONE(test_a_destination_with_a_port_D12), TEST_ONE(test_a_redirect_is_followed_I8_RFC_6733_6_1_8), TEST_ONE(test_redirects_that_lead_nowhere_I8),
	  TEST_ONE(test_the_second_peer_takes_over_D12), TEST_ONE(test_a_peer_is_set_aside_O2), TEST_ONE(test_the_pauses_of_the_library_are_ours), TEST_ONE(test_a_watcher_sees_what_belongs_to_which_request), TEST_ONE(test_every_field_of_every_command), TEST_ONE(test_pushes_of_the_hss_reach_the_loop_S16_S17), TEST_ONE(test_pushes_that_demand_too_much_D9),
	  TEST_ONE(test_silence_ends_at_the_deadline_and_bounds_hold), TEST_ONE(test_a_burst_waits_its_turn), TEST_ONE(test_the_peer_dies_and_comes_back))
