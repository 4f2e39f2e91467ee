/* tests/hss/test_labhssd.c - the program itself: a Cx client and a REST client against labhssd, each a process of its own;
 * rows S16, S17, D1, D3 to D8, F6; restart by kill -9. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/diameter/cx.h"
#include "common/log/log.h"
#include "common/sip/auth.h"
#include "common/util/clock.h"
#include "tests/check.h"

#define FIRST_PORT 13310
#define WAIT_MS 20000
#define DOMAIN "ims.mnc001.mcc001.3gppnetwork.org"
#define IMPI "001010000000001@" DOMAIN
#define IMPU "sip:001010000000001@" DOMAIN
#define TEL "tel:+491510000001"
#define S "sip:scscf." DOMAIN ":6060;lr"

static struct loop *loop;
static struct dia_client *client;
static pid_t hss;
static char dir[64];
static unsigned port;

/* Waits for a condition that the loop brings about; the loop serves meanwhile. */
#define AWAIT(cond) \
	do { \
		uint64_t end_ = clock_mono_ms() + WAIT_MS; \
		while (!(cond) && clock_mono_ms() < end_) \
			loop_run_for(loop, 5); \
		ck_assert_msg(cond, "did not happen: %s", #cond); \
	} while (0)

static void write_file(const char *name, const char *fmt, ...)
{
	char path[128];
	va_list ap;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
}

#define ALICE "- {imsi: \"001010000000001\", msisdn: \"491510000001\", k: 465b5ce8b199b49faa5f0a2ee238a6bc, opc: cd63cb71954a9f4e48a5994e37a02baf}\n"

static void write_config(unsigned n)
{
	snprintf(dir, sizeof(dir), "labhssd-test.%d", (int)getpid());
	ck_assert(mkdir(dir, 0700) == 0 || errno == EEXIST);
	port = FIRST_PORT + n;
	write_file("hss.yaml", "plmn: {mcc: \"001\", mnc: \"01\"}\ndiameter: {identity: hss." DOMAIN ", listen: \"127.0.35.40:%u\"}\n"
		   "rest: {unix_socket: rest.sock}\nstate: {dir: state}\nlog: {level: warn}\nsubscribers_file: subs.yaml\n"
		   "hss: {primary_ccf: \"aaa://ccf\"}\n", port);
	write_file("subs.yaml", ALICE);
}

static pid_t spawn(const char *more, int err)
{
	char path[128];
	pid_t p = fork();

	if (p == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);	/* a test that fails leaves nothing behind */
		snprintf(path, sizeof(path), "%s/hss.yaml", dir);
		if (err >= 0)
			dup2(err, 2);
		execl("tests/hss/labhssd", "labhssd", "-c", path, more, (char *)NULL);
		_exit(127);
	}
	return p;
}

/* ---- REST over the unix socket, the loop serving meanwhile ---- */

static int rest_connect(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/rest.sock", dir);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static char body[65536];

static int rest(const char *method, const char *path, const char *json)
{
	static char in[65536];
	char head[4096], *at;
	size_t n = 0;
	int fd = rest_connect(), status = 0;

	ck_assert_msg(fd >= 0, "no REST");
	snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n"
		 "Content-Length: %zu\r\n\r\n%s", method, path, strlen(json), json);
	ck_assert_int_eq(write(fd, head, strlen(head)), (ssize_t)strlen(head));
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (loop)
			AWAIT(poll(&p, 1, 0) == 1);
		got = read(fd, in + n, sizeof(in) - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	in[n] = '\0';
	ck_assert_msg(sscanf(in, "HTTP/1.1 %d", &status) == 1, "%s", in);
	at = strstr(in, "\r\n\r\n");
	snprintf(body, sizeof(body), "%s", at ? at + 4 : "");
	return status;
}

static void has(const char *text)
{
	ck_assert_msg(strstr(body, text) != NULL, "no %s in %s", text, body);
}

static void start_hss(void)
{
	char path[128];
	uint64_t end = clock_mono_ms() + WAIT_MS;
	int fd = -1;

	snprintf(path, sizeof(path), "%s/rest.sock", dir);
	unlink(path);
	hss = spawn(NULL, -1);
	while (clock_mono_ms() < end && (fd = rest_connect()) < 0) {
		ck_assert_msg(waitpid(hss, NULL, WNOHANG) == 0, "labhssd ended");
		poll(NULL, 0, 10);		/* what appears is a socket in the file system: nothing to wait on */
	}
	ck_assert_msg(fd >= 0, "labhssd did not start");
	close(fd);
}

static void stop_hss(int sig)
{
	int status;

	kill(hss, sig);
	ck_assert_int_eq(waitpid(hss, &status, 0), hss);
	if (sig == SIGTERM)
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "exit %d", status);
}

/* ---- the Cx client ---- */

static unsigned rtrs, pprs, answers;
static uint32_t rtr_reason;
static const char *server = S;
static struct dia_result last;
static char text1[4096], text2[256];
static struct aka_vector vec;
static unsigned items;

static void on_rtr(void *u, struct dia_peer_request *q, const struct cx_rtr *r)
{
	struct cx_rta a = { .result = { 0, DIA_SUCCESS, false }, .associated_impis = { 1, { STR("other@home") } } };

	(void)u;
	ck_assert(str_eq(r->impi, STR(IMPI)) && r->reason_info.l);
	ck_assert(r->reason_code == 1 || (r->impus.n == 1 && str_eq(r->impus.v[0], STR(TEL)) && str_eq(r->reason_info, STR("move"))));
	rtr_reason = r->reason_code;
	rtrs++;
	cx_rta_send(q, &a);
}

static void on_ppr(void *u, struct dia_peer_request *q, const struct cx_ppr *r)
{
	struct cx_ppa a = { .result = { 0, pprs ? CX_TOO_MUCH_DATA : DIA_SUCCESS, pprs > 0 } };

	(void)u;
	ck_assert(str_eq(r->impi, STR(IMPI)) && str_eq(r->primary_ccf, STR("aaa://ccf")));
	str_copy(r->user_data, text1, sizeof(text1));
	pprs++;
	cx_ppa_send(q, &a);
}

static void open_client_as(const char *identity)
{
	static const struct cx_server_ops ops = { .rtr = on_rtr, .ppr = on_ppr };
	static struct dia_peer_config p;
	struct dia_config c = { .identity = identity, .realm = DOMAIN, .peers = &p, .n_peers = 1, .request_timeout_ms = 1000,
				.max_outstanding = 32, .watchdog_s = 6 };

	p = (struct dia_peer_config){ "hss." DOMAIN, NULL, "127.0.35.40", (uint16_t)port };
	log_open("test", LOG_TEXT, LOG_ERROR);
	loop = loop_new();
	cx_serve(loop, &ops, NULL);
	ck_assert_int_eq(dia_start(&c), 0);
	client = dia_client_new(loop, 1000, 32, 0);
	AWAIT(dia_any_open());
}

static void open_client(void)
{
	open_client_as("scscf." DOMAIN);
}

static void note(const struct dia_result *r)
{
	last = *r;
	answers++;
}

static void on_uaa(void *arg, const struct cx_uaa *a)
{
	(void)arg;
	str_copy(a->server_name, text2, sizeof(text2));
	note(&a->result);
}

static void on_lia(void *arg, const struct cx_lia *a)
{
	(void)arg;
	str_copy(a->server_name, text2, sizeof(text2));
	note(&a->result);
}

static void on_maa(void *arg, const struct cx_maa *a)
{
	(void)arg;
	items = a->n_items;
	if (a->n_items && a->item[0].authenticate.l == 32) {
		memcpy(vec.rand, a->item[0].authenticate.p, 16);
		memcpy(vec.autn, a->item[0].authenticate.p + 16, 16);
	}
	note(&a->result);
}

static void on_saa(void *arg, const struct cx_saa *a)
{
	(void)arg;
	str_copy(a->user_data, text1, sizeof(text1));
	note(&a->result);
}

static void expect(uint64_t id, uint32_t code, bool exp)
{
	unsigned before = answers;

	ck_assert(id != 0);
	AWAIT(answers == before + 1);
	ck_assert_msg(last.err == 0 && last.code == code && last.experimental == exp, "err %d code %u%s, not %u", last.err, last.code,
		      last.experimental ? "E" : "", code);
}

static uint64_t uar(void)
{
	struct cx_uar r = { .impi = STR(IMPI), .impu = STR(IMPU), .visited_network = STR(DOMAIN) };

	return cx_uar_send(client, &r, on_uaa, NULL);
}

static uint64_t mar(struct str auts)
{
	struct cx_mar r = { .impi = STR(IMPI), .impu = STR(IMPU), .server_name = str_from_c(server), .n_items = 3,
			    .item = { .scheme = STR("Digest-AKAv1-MD5"), .authorization = auts } };

	return cx_mar_send(client, &r, on_maa, NULL);
}

static uint64_t sar(uint32_t type)
{
	struct cx_sar r = { .impi = STR(IMPI), .impus = { 1, { STR(IMPU) } }, .server_name = str_from_c(server), .type = type };

	return cx_sar_send(client, &r, on_saa, NULL);
}

static uint64_t lir(void)
{
	struct cx_lir r = { .impu = STR(TEL), .session_priority = UINT32_MAX };

	return cx_lir_send(client, &r, on_lia, NULL);
}

static int usim(uint64_t *ms, uint8_t rand_auts[30])
{
	uint8_t k[16], opc[16];
	struct milenage_out m;
	size_t n;

	hex_decode(STR("465b5ce8b199b49faa5f0a2ee238a6bc"), k, 16, &n);
	hex_decode(STR("cd63cb71954a9f4e48a5994e37a02baf"), opc, 16, &n);
	memcpy(rand_auts, vec.rand, 16);
	return aka_usim(k, opc, vec.rand, vec.autn, ms, &m, rand_auts + 16);
}

static void register_user(void)
{
	expect(uar(), CX_FIRST_REGISTRATION, true);
	expect(mar(STR_NONE), DIA_SUCCESS, false);
	expect(sar(CX_SAR_REGISTRATION), DIA_SUCCESS, false);
}

static void end(void)
{
	char cmd[128];

	dia_client_free(client);
	dia_stop();
	loop_free(loop);
	stop_hss(SIGTERM);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

START_TEST(test_registration_call_and_kill)
{
	uint8_t ra[30];
	uint64_t ms = 0;

	write_config(0);
	start_hss();				/* without any peer */
	open_client();
	register_user();
	ck_assert_uint_eq(items, 3);
	ck_assert_int_eq(usim(&ms, ra), 0);
	ck_assert_msg(strstr(text1, "<Identity>" TEL "</Identity>") != NULL, "%s", text1);
	expect(lir(), DIA_SUCCESS, false);
	ck_assert_str_eq(text2, S);
	ck_assert_int_eq(rest("GET", "/api/v1/subscribers/" IMPI, ""), 200);
	has("\"state\":\"registered\"");
	has("\"serverHost\":\"scscf." DOMAIN "\"");
	has("\"sqn\":\"000000000063\"");	/* three vectors on */
	ck_assert_msg(!strstr(body, "465b5ce8") && !strstr(body, "cd63cb71"), "a key is shown");

	stop_hss(SIGKILL);
	AWAIT(!dia_any_open());		/* the loss is noticed; before, the old connection would count as open */
	start_hss();
	AWAIT(dia_any_open());
	expect(lir(), DIA_SUCCESS, false);
	ck_assert_str_eq(text2, S);
	expect(uar(), CX_SUBSEQUENT_REGISTRATION, true);
	expect(mar(STR_NONE), DIA_SUCCESS, false);
	ck_assert_int_eq(usim(&ms, ra), 0);	/* the SQN went on, not back */
	ms = 0x777777;
	ck_assert_int_eq(usim(&ms, ra), -ESTALE);
	expect(mar(str_make((char *)ra, 30)), DIA_SUCCESS, false);
	ck_assert_int_eq(usim(&ms, ra), 0);
	end();
}
END_TEST

START_TEST(test_pushes_by_rest_S16_S17)
{
	write_config(1);
	start_hss();
	open_client();
	ck_assert_int_eq(rest("POST", "/api/v1/subscribers/" IMPI "/rtr", ""), 409);
	has("NO_SERVER_ASSIGNED");
	ck_assert_int_eq(rest("POST", "/api/v1/subscribers/nobody/rtr", ""), 404);
	register_user();
	ck_assert_int_eq(rest("POST", "/api/v1/subscribers/" IMPI "/ppr", ""), 200);
	has("\"result\":\"SUCCESS\"");
	ck_assert(strstr(text1, "<PrivateID>" IMPI "</PrivateID>") != NULL);
	ck_assert_int_eq(rest("POST", "/api/v1/subscribers/" IMPI "/ppr", "{\"userData\":\"garbage\"}"), 200);
	has("\"experimentalCode\":5008");
	ck_assert_str_eq(text1, "garbage");
	ck_assert_int_eq(rest("POST", "/api/v1/subscribers/" IMPI "/rtr", "{\"reasonCode\":4}"), 400);
	ck_assert_int_eq(rest("POST", "/api/v1/subscribers/" IMPI "/rtr", "{\"reasonCode\":2,\"reasonInfo\":\"move\",\"impus\":[\"" TEL "\"]}"), 200);
	has("\"resultCode\":2001");
	has("\"associatedIdentities\":[\"other@home\"]");
	has("\"state\":\"not-registered\"");
	ck_assert(rtrs == 1 && rtr_reason == 2 && pprs == 2);
	expect(lir(), CX_IDENTITY_NOT_REGISTERED, true);
	ck_assert_int_eq(rest("GET", "/api/v1/counters", ""), 200);
	has("\"RTR\":{\"2001\":1},\"PPR\":{\"2001\":1,\"5008E\":1}");
	end();
}
END_TEST

/* TS 29.228 §6.1.3.1: the second S-CSCF, a process of its own, takes the user; the first one hears NEW_SERVER_ASSIGNED. */
START_TEST(test_the_first_server_hears_that_it_lost_the_user)
{
	int go[2], status;
	pid_t other;
	char c;

	write_config(5);
	start_hss();
	ck_assert_int_eq(pipe2(go, O_CLOEXEC), 0);
	other = fork();
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		open_client_as("scscf2." DOMAIN);
		server = "sip:scscf2." DOMAIN ":6060;lr";
		expect(sar(CX_SAR_REGISTRATION), CX_IDENTITY_ALREADY_REGISTERED, true);
		expect(mar(STR_NONE), DIA_SUCCESS, false);
		expect(sar(CX_SAR_REGISTRATION), DIA_SUCCESS, false);
		dia_client_free(client);
		dia_stop();
		_exit(0);
	}
	open_client();
	register_user();
	ck_assert_int_eq(write(go[1], "x", 1), 1);
	AWAIT(rtrs == 1);
	ck_assert_uint_eq(rtr_reason, 1);
	ck_assert_int_eq(waitpid(other, &status, 0), other);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the second S-CSCF failed");
	expect(lir(), DIA_SUCCESS, false);
	ck_assert_str_eq(text2, "sip:scscf2." DOMAIN ":6060;lr");
	end();
}
END_TEST

START_TEST(test_misbehaviour_F6)
{
	uint64_t began;

	write_config(2);
	start_hss();
	open_client();
	ck_assert_int_eq(rest("PUT", "/api/v1/behaviour", "{\"UAR\":{\"silent\":true,\"count\":1},\"MAR\":{\"resultCode\":3004},"
			      "\"SAR\":{\"delayMs\":300,\"userData\":\"<broken\"},\"LIR\":{\"experimentalCode\":5001}}"), 200);
	uar();
	AWAIT(answers == 1);
	ck_assert_int_eq(last.err, -ETIMEDOUT);
	expect(uar(), CX_FIRST_REGISTRATION, true);
	expect(mar(STR_NONE), DIA_TOO_BUSY, false);
	expect(lir(), CX_USER_UNKNOWN, true);
	began = clock_mono_ms();
	expect(sar(CX_SAR_REGISTRATION), DIA_SUCCESS, false);
	ck_assert(clock_mono_ms() - began >= 290);
	ck_assert_str_eq(text1, "<broken");
	ck_assert_int_eq(rest("GET", "/api/v1/counters", ""), 200);
	has("\"UAR\":{\"2001E\":1,\"silent\":1}");
	has("\"registered\":1");
	ck_assert_int_eq(rest("PUT", "/api/v1/behaviour", "{\"UAR\":{\"what\":1}}"), 400);
	ck_assert_int_eq(rest("PUT", "/api/v1/behaviour", "{}"), 200);
	expect(lir(), DIA_SUCCESS, false);
	/* going while an answer is held back */
	ck_assert_int_eq(rest("PUT", "/api/v1/behaviour", "{\"LIR\":{\"delayMs\":50000}}"), 200);
	lir();
	AWAIT(rest("GET", "/api/v1/counters", "") == 200 && strstr(body, "\"delayed\":1"));
	end();
}
END_TEST

START_TEST(test_subscribers_come_and_go)
{
	write_config(3);
	start_hss();
	open_client();
	register_user();
	ck_assert_int_eq(rest("POST", "/api/v1/subscribers", "{\"imsi\":\"001010000000007\",\"msisdn\":\"497\",\"password\":\"pw\",\"barred\":[\"tel:+497\"]}"), 201);
	has("\"authentication\":\"SIP Digest\"");
	has("{\"uri\":\"tel:+497\",\"barred\":true}");
	ck_assert_msg(!strstr(body, "\"pw\""), "the password is shown");
	ck_assert_int_eq(rest("POST", "/api/v1/subscribers", "{\"imsi\":\"001010000000007\",\"password\":\"pw\"}"), 409);
	ck_assert_int_eq(rest("POST", "/api/v1/subscribers", "{\"imsi\":\"8\",\"what\":1}"), 400);
	has("unknown key");
	ck_assert_int_eq(rest("GET", "/api/v1/subscribers?limit=1", ""), 200);
	has(IMPU);
	has("\"nextCursor\":\"1\"");
	ck_assert_int_eq(rest("GET", "/api/v1/subscribers?limit=1&cursor=1", ""), 200);
	has("001010000000007");
	ck_assert_int_eq(rest("GET", "/api/v1/subscribers?state=registered", ""), 200);
	ck_assert(strstr(body, IMPI) && !strstr(body, "001010000000007"));
	/* the file again, with one more: states and what came by REST stay */
	write_file("subs.yaml", ALICE "- {imsi: \"001010000000002\", password: x}\n");
	kill(hss, SIGHUP);
	AWAIT(rest("GET", "/api/v1/subscribers/001010000000002%40" DOMAIN, "") == 200);
	expect(lir(), DIA_SUCCESS, false);
	ck_assert_int_eq(rest("GET", "/api/v1/subscribers/tel%3A%2B497", ""), 200);
	/* a bad file changes nothing */
	write_file("subs.yaml", "- {imsi: x}\n");
	kill(hss, SIGHUP);
	expect(lir(), DIA_SUCCESS, false);
	ck_assert_int_eq(rest("DELETE", "/api/v1/subscribers/" IMPI, ""), 204);
	expect(lir(), CX_USER_UNKNOWN, true);
	write_file("subs.yaml", ALICE);
	end();
}
END_TEST

START_TEST(test_mistakes_end_it_with_78)
{
	char said[4096] = "", cmd[128];
	int out[2], status;
	ssize_t n = 0, got;
	pid_t p;

	write_config(4);
	write_file("subs.yaml", ALICE "- {imsi: x, password: y}\n- {what: 1}\n");
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	p = spawn(NULL, out[1]);
	close(out[1]);
	while ((got = read(out[0], said + n, sizeof(said) - 1 - (size_t)n)) > 0)
		n += got;
	ck_assert_int_eq(waitpid(p, &status, 0), p);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 78);
	ck_assert_msg(strstr(said, "subs.yaml:2:10: imsi: must be") && strstr(said, "subs.yaml:3:4: unknown key \"what\""), "%s", said);
	close(out[0]);
	write_file("subs.yaml", ALICE);
	p = spawn("-t", -1);
	ck_assert_int_eq(waitpid(p, &status, 0), p);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}
END_TEST

TEST_MAIN("labhssd", TEST_ONE(test_registration_call_and_kill), TEST_ONE(test_pushes_by_rest_S16_S17), TEST_ONE(test_the_first_server_hears_that_it_lost_the_user),
	  TEST_ONE(test_misbehaviour_F6),
	  TEST_ONE(test_subscribers_come_and_go), TEST_ONE(test_mistakes_end_it_with_78))
