/* tests/daemon/test_rest.c - REST of a stack that runs: what is asked together with something else. */
#include <errno.h>
#include <sys/stat.h>
#include "common/daemon/private.h"
#include "tests/http/connection.h"

static struct stack *stack;
static struct daemon d = { .name = "test" };
static unsigned sip_requests, drained;

static void on_request(struct worker *w, struct tx_server *st, struct sip_msg *m)
{
	(void)w, (void)st, (void)m;
	__atomic_add_fetch(&sip_requests, 1, __ATOMIC_RELEASE);	/* never answered: the drain waits for it */
}

static void on_ack(struct worker *w, struct sip_msg *m)
{
	(void)w, (void)m;
}

static const struct role_ops ops = { .request = on_request, .ack = on_ack };
static const struct cfg_row *const schemas[] = { cfg_common_schema, NULL };

static void start(void)
{
	char text[512];
	struct buf err;

	buf_init(&err, 4096);
	snprintf(text, sizeof(text), "plmn: {mcc: \"001\", mnc: \"01\"}\nworkers: 1\nsip: {listen: [\"udp:127.0.32.1:6065\"]}\n"
		 "rest: {listen: \"127.0.32.1:6065\", token: \"" TOKEN "\"}\n");
	ck_assert_msg(cfg_load_text(str_from_c(text), "test", schemas, &d.config, &err) == 0, "%.*s", STR_ARG(buf_str(&err)));
	buf_fini(&err);
	l = d.loop = loop_new();
	ck_assert_int_eq(stack_start(&stack, &d, &ops, NULL), 0);
	ck_assert_int_eq(addr_parse(STR("127.0.32.1"), 6065, &to), 0);
}

static void stop(void)
{
	stack_free(stack);
	loop_free(l);
	cfg_unref(d.config);
}

static void send_body(int fd, const char *line, struct str body)
{
	char headers[256];

	snprintf(headers, sizeof(headers), WITH_TOKEN "Content-Length: %zu\r\n", body.l);
	request(fd, line, headers);
	ck_assert_int_eq(write(fd, body.p, body.l), (ssize_t)body.l);
}

/* The n-th request reaches the role. */
static void sip_request(unsigned n, size_t body)
{
	static char text[65000];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), at;

	at = snprintf(text, sizeof(text), "OPTIONS sip:x@ims.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.32.9;rport;branch=z9hG4bK%u\r\n"
		      "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: %u\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
		      "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", n, n, body);
	memset(text + at, 'x', body);
	ck_assert_int_gt(sendto(fd, text, (size_t)at + body, 0, &to.sa, sizeof(to.in4)), 0);
	for (unsigned i = 0; i < SERVE_MS && __atomic_load_n(&sip_requests, __ATOMIC_ACQUIRE) < n; i++)
		loop_run_for(l, 1);
	close(fd);
	ck_assert_uint_eq(__atomic_load_n(&sip_requests, __ATOMIC_ACQUIRE), n);
}

static void on_drained(void *arg)
{
	(void)arg;
	drained++;
}

/* SIGTERM's drain goes on, whoever takes back the one that was asked for by REST. */
static const bool terminated[] = { false, true };
START_TEST(test_drain_cancelled)
{
	char text[4096], line[128], id[40] = "";
	const char *at;
	int fd;

	start();
	sip_request(1, 0);
	fd = dial();
	send_body(fd, "PATCH /api/v1/overload", STR("{\"draining\": true}"));
	await(fd, text, "{\"id\":\"");
	at = strstr(text, "{\"id\":\"") + strlen("{\"id\":\"");
	snprintf(id, sizeof(id), "%.*s", (int)strcspn(at, "\""), at);
	if (terminated[_i])
		stack_drain(stack, on_drained, NULL);
	snprintf(line, sizeof(line), "DELETE /api/v1/operations/%s", id);
	request(fd, line, WITH_TOKEN);
	await(fd, text, " 202 ");
	request(fd, "GET /api/v1/overload", WITH_TOKEN);
	await(fd, text, terminated[_i] ? "\"draining\":true" : "\"draining\":false");
	ck_assert_uint_eq(drained, 0);
	close(fd);
	stop();
}
END_TEST

/* A text of others makes us read no file, whatever way it says so. */
#define WIDE "\xff\xfei\0n\0c\0l\0u\0d\0e\0:\0 \0/\0x\0\n"		/* UTF-16; the literal's end is the last octet */
#define TEXT(s) { s, sizeof(s) - 1 }
static const struct { const char *name; struct str text; bool includes; } texts[] = {
	{ "plain", TEXT("workers: 1\ninclude: /etc/shadow\n"), true },
	{ "flow", TEXT("{include: [/etc/shadow]}"), true },
	{ "escaped", TEXT("\"\\x69nclude\": /etc/shadow\n"), true },
	{ "UTF-16", { WIDE, sizeof(WIDE) }, true },
	{ "a word in a comment", TEXT("workers: 1 # include\n"), false },
	{ "a key of a section", TEXT("log: {include: x}\n"), false },
	{ "no YAML", TEXT("include: [\n"), false },
	{ "nothing", TEXT(""), false },
};

START_TEST(test_validate_includes)
{
	char text[4096];
	int fd;

	ck_assert_msg(cfg_text_includes(texts[_i].text) == texts[_i].includes, "%s", texts[_i].name);
	if (!texts[_i].includes)
		return;
	start();
	fd = dial();
	send_body(fd, "POST /api/v1/config/validate", texts[_i].text);
	await(fd, text, "INCLUDE_REFUSED");
	close(fd);
	stop();
}
END_TEST

/* A file of tokens that is a FIFO without a writer, or a device, does not hang the main loop. */
START_TEST(test_slurp_fifo)
{
	char path[64], *text = NULL;
	bool open_to_all;

	snprintf(path, sizeof(path), "/tmp/cscf-test-rest.%d", (int)getpid());
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(rest_slurp(path, &text, &open_to_all), -ENOTSUP);
	ck_assert_int_eq(rest_slurp("/dev/zero", &text, &open_to_all), -ENOTSUP);
	ck_assert_int_eq(rest_slurp("/", &text, &open_to_all), -ENOTSUP);
	unlink(path);
}
END_TEST

static void ask(int fd, const char *line, const char *what, char text[4096])
{
	request(fd, line, WITH_TOKEN);
	await(fd, text, what);
}

/* Who fetches a capture and reads nothing holds it in memory once; when he has gone another may, though the trace was deleted. */
START_TEST(test_one_download)
{
	int slow, fd, few = 4096, messages = 0;
	char text[4096];

	start();
	fd = dial();
	send_body(fd, "POST /api/v1/traces", STR("{\"match\": {}, \"maxBytes\": 33554432}"));
	await(fd, text, " 201 ");
	for (unsigned n = 1; n <= 200; n++)
		sip_request(n, 60000);
	for (unsigned i = 0; i < 200 && messages < 200; i++) {	/* they come from the worker */
		loop_run_for(l, 5);
		ask(fd, "GET /api/v1/traces", "\"messages\":", text);
		messages = atoi(strstr(text, "\"messages\":") + strlen("\"messages\":"));
	}
	ck_assert_int_ge(messages, 200);
	slow = dial();
	ck_assert_int_eq(setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &few, sizeof(few)), 0);
	request(slow, "GET /api/v1/traces/1/pcap", WITH_TOKEN);
	for (unsigned i = 0; i < SERVE_MS && recv(slow, text, 12, MSG_PEEK) < 12; i++)
		loop_run_for(l, 1);
	ck_assert_mem_eq(text, "HTTP/1.1 200", 12);
	ask(fd, "GET /api/v1/traces/1/pcap", "DOWNLOAD_RUNS", text);
	ask(fd, "DELETE /api/v1/traces/1", " 204 ", text);
	close(slow);
	loop_run_for(l, 20);
	send_body(fd, "POST /api/v1/traces", STR("{\"match\": {}}"));
	await(fd, text, " 201 ");
	ask(fd, "GET /api/v1/traces/2/pcap", "application/x-pcapng", text);
	close(fd);
	stop();
}
END_TEST

static atomic_bool held, let_go;

static void hold(struct worker *w, void *arg)
{
	(void)w, (void)arg;
	atomic_store(&held, true);
	while (!atomic_load(&let_go))
		usleep(1000);
}

/* 201 is the promise that whatever comes from now on is in the trace: it waits for a worker that is busy. */
START_TEST(test_trace_stands)
{
	char text[4096];
	int fd, messages = 0;

	start();
	fd = dial();
	atomic_store(&held, false);
	atomic_store(&let_go, false);
	ck_assert_int_eq(worker_post(stack_worker(stack, 0), hold, NULL), 0);
	while (!atomic_load(&held))
		usleep(1000);
	send_body(fd, "POST /api/v1/traces", STR("{\"match\": {}}"));
	loop_run_for(l, 200);
	ck_assert_int_eq(recv(fd, text, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	atomic_store(&let_go, true);
	await(fd, text, " 201 ");
	sip_request(1, 0);
	for (unsigned i = 0; i < SERVE_MS && messages < 1; i++) {
		loop_run_for(l, 1);
		ask(fd, "GET /api/v1/traces", "\"messages\":", text);
		messages = atoi(strstr(text, "\"messages\":") + strlen("\"messages\":"));
	}
	ck_assert_int_eq(messages, 1);
	close(fd);
	stop();
}
END_TEST

TEST_MAIN("rest", TEST_ROWS(test_drain_cancelled, terminated), TEST_ROWS(test_validate_includes, texts), TEST_ONE(test_slurp_fifo),
	  TEST_ONE(test_one_download), TEST_ONE(test_trace_stands))
