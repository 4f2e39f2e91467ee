/* tests/pcscf/test_live.c - the daemon's real stack: four workers on four threads, real sockets, REST.  For ThreadSanitizer
 * too: what the workers share is tried from all sides.  Rows P7, P13, C8, P20, O1. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/daemon/stack.h"
#include "common/log/log.h"
#include "pcscf/pcscf.h"
#include "tests/check.h"

#define N_PHONES 40u
#define N_CALLS 12u
#define WAIT_MS 20000

/* Addresses of this process, so that runs side by side do not meet. */
static char US[16], CORE[16], PHONES[16];

static struct daemon d = { .name = "pcscf", .schema = pcscf_schema, .config_file = "test" };
static struct pcscf p;
static pthread_t main_thread;
static int core;

static void *main_loop(void *arg)
{
	(void)arg;
	loop_run(d.loop);
	return NULL;
}

static int bound(int type, const char *at, uint16_t port)
{
	struct addr a;
	int fd = socket(AF_INET, type, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(addr_parse(str_from_c(at), port, &a), 0);
	ck_assert_msg(bind(fd, &a.sa, addr_len(&a)) == 0, "%s:%u: %s", at, port, strerror(errno));
	return fd;
}

static uint16_t port_of(int fd)
{
	struct addr a;
	socklen_t l = sizeof(a);

	ck_assert_int_eq(getsockname(fd, &a.sa, &l), 0);
	return addr_port(&a);
}

static void begin(void)
{
	static const struct cfg_row *const schemas[] = { cfg_common_schema, pcscf_schema, NULL };
	unsigned pid = (unsigned)getpid();
	struct buf errors;
	char config[512];

	snprintf(US, sizeof(US), "127.%u.%u.%u", 100 + (pid >> 14 & 63), pid >> 6 & 255, (pid & 63) * 4);
	snprintf(CORE, sizeof(CORE), "127.%u.%u.%u", 100 + (pid >> 14 & 63), pid >> 6 & 255, (pid & 63) * 4 + 1);
	snprintf(PHONES, sizeof(PHONES), "127.%u.%u.%u", 100 + (pid >> 14 & 63), pid >> 6 & 255, (pid & 63) * 4 + 2);
	snprintf(config, sizeof(config),
		 "domain: home\nworkers: 4\nsip: {listen: [\"udp:%s:5060\", \"tcp:%s:5060\"]}\n"
		 "access: {reg_event: false}\ndns: {next_hops: {home: \"udp:%s:4060\"}}\nrest: {listen: \"%s:8080\", token: t}\n", US, US, CORE, US);
	buf_init(&errors, 4096);
	ck_assert_msg(cfg_load_text(str_from_c(config), "live", schemas, &d.config, &errors) == 0, "%.*s", STR_ARG(buf_str(&errors)));
	buf_fini(&errors);
	log_open("pcscf", LOG_TEXT, LOG_WARN);
	d.loop = loop_new();
	core = bound(SOCK_DGRAM, CORE, 4060);
	ck_assert_int_eq(pcscf_init(&p), 0);
	ck_assert_int_eq(stack_start(&p.stack, &d, &pcscf_ops, &p), 0);
	pthread_create(&main_thread, NULL, main_loop, NULL);
}

static void end(void)
{
	loop_stop(d.loop, 0);
	pthread_join(main_thread, NULL);
	stack_free(p.stack);
	pcscf_fini(&p);
	loop_free(d.loop);
	cfg_unref(d.config);
	close(core);
}

static void await(int fd)
{
	struct pollfd f = { .fd = fd, .events = POLLIN };

	ck_assert_msg(poll(&f, 1, WAIT_MS) == 1, "nothing came");
}

/* The next SIP message but 100; NUL-terminated.  from may be NULL. */
static char *take(int fd, struct addr *from)
{
	static char text[65536];
	socklen_t l = sizeof(*from);
	ssize_t n;

	do {
		await(fd);
		n = recvfrom(fd, text, sizeof(text) - 1, 0, from ? &from->sa : NULL, from ? &l : NULL);
		ck_assert_int_gt(n, 0);
		text[n] = '\0';
	} while (strncmp(text, "SIP/2.0 100", 11) == 0);
	return text;
}

static void send_to(int fd, const char *at, uint16_t port, const char *text)
{
	struct addr a;

	addr_parse(str_from_c(at), port, &a);
	ck_assert_int_eq(sendto(fd, text, strlen(text), 0, &a.sa, addr_len(&a)), (ssize_t)strlen(text));
}

static void request(char *dst, size_t size, const char *proto, const char *at, uint16_t port, const char *method, const char *user, unsigned cseq,
		    const char *extra)
{
	snprintf(dst, size,
		 "%s sip:home SIP/2.0\r\nVia: SIP/2.0/%s %s:%u;branch=z9hG4bK%s%u\r\nMax-Forwards: 70\r\n"
		 "From: <sip:%s@home>;tag=1\r\nTo: <sip:%s@home>\r\nCall-ID: %s%s\r\nCSeq: %u %s\r\n%sContent-Length: 0\r\n\r\n", method, proto,
		 at, port, user, cseq, user, user, user, method, cseq, method, extra);
}

static void header(const char *msg, const char *name, char *dst, size_t size)
{
	char want[64];
	const char *at, *stop;

	snprintf(want, sizeof(want), "\r\n%s: ", name);
	at = strstr(msg, want);
	ck_assert_msg(at != NULL, "no %s in\n%s", name, msg);
	at += strlen(want);
	stop = strstr(at, "\r\n");
	ck_assert(str_copy(str_make(at, (size_t)(stop - at)), dst, size));
}

/* Answers the request that the core took, back to where its topmost Via says. */
static void answer(const char *msg, const struct addr *to, const char *extra)
{
	struct sip_parse_error err;
	struct sip_msg *m;
	struct bytes *wire;

	ck_assert_int_eq(sip_msg_parse_copy(str_from_c(msg), NULL, &m, &err), 0);
	wire = sip_reply_make(m, 200, NULL, STR("core"), str_from_c(extra), STR_NONE, STR_NONE);
	ck_assert_int_gt(sendto(core, wire->p, wire->l, 0, &to->sa, addr_len(to)), 0);
	bytes_unref(wire);
	sip_msg_unref(m);
}

static void register_at_core(const char *user, const char *contact, unsigned expires, char path[256])
{
	char extra[512], *msg;
	struct addr from;

	msg = take(core, &from);
	ck_assert_msg(strncmp(msg, "REGISTER ", 9) == 0, "%s", msg);
	header(msg, "Path", path, 256);
	snprintf(extra, sizeof(extra), "Contact: <%s>;expires=%u\r\nService-Route: <sip:orig@%s:4060;lr>\r\n"
		 "P-Associated-URI: <sip:%s@home>\r\n", contact, expires, CORE, user);
	answer(msg, &from, expires ? extra : "");
}

/* ---- REST ---- */

static unsigned rest(const char *method, const char *path, char *body, size_t size)
{
	char text[512];
	struct addr a;
	size_t n = 0;
	ssize_t r;
	unsigned status = 0;
	char *at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr_parse(str_from_c(US), 8080, &a);
	ck_assert_int_eq(connect(fd, &a.sa, addr_len(&a)), 0);
	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nConnection: close\r\n\r\n", method, path);
	ck_assert_int_gt(write(fd, text, strlen(text)), 0);
	for (;;) {
		await(fd);
		r = read(fd, body + n, size - n - 1);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	body[n] = '\0';
	close(fd);
	ck_assert_int_eq(sscanf(body, "HTTP/1.1 %u", &status), 1);
	at = strstr(body, "\r\n\r\n");
	memmove(body, at ? at + 4 : "", at ? strlen(at + 4) + 1 : 1);
	return status;
}

static unsigned list_all(void)
{
	static char body[65536];
	char path[256] = "/api/v1/registrations?limit=7";
	unsigned total = 0;

	for (;;) {
		cJSON *doc, *page;

		ck_assert_uint_eq(rest("GET", path, body, sizeof(body)), 200);
		ck_assert(!strstr(body, "nonce") && !strstr(body, "response"));
		doc = cJSON_Parse(body);
		ck_assert_ptr_nonnull(doc);
		total += (unsigned)cJSON_GetArraySize(cJSON_GetObjectItem(doc, "items"));
		page = cJSON_GetObjectItem(cJSON_GetObjectItem(doc, "page"), "nextCursor");
		if (!cJSON_IsString(page)) {
			cJSON_Delete(doc);
			return total;
		}
		snprintf(path, sizeof(path), "/api/v1/registrations?limit=7&cursor=%s", page->valuestring);
		cJSON_Delete(doc);
	}
}

/* ---- tests ---- */

START_TEST(test_many)
{
	static char paths[N_PHONES][256], body[65536];
	int phone[N_PHONES];
	char text[2048], user[32], contact[64], extra[512], *msg;
	struct addr from;

	begin();
	for (unsigned i = 0; i < N_PHONES; i++) {
		phone[i] = bound(SOCK_DGRAM, PHONES, 0);
		snprintf(user, sizeof(user), "u%u", i);
		snprintf(contact, sizeof(contact), "sip:%s@%s:%u", user, PHONES, port_of(phone[i]));
		snprintf(extra, sizeof(extra), "Contact: <%s>\r\n", contact);
		request(text, sizeof(text), "UDP", PHONES, port_of(phone[i]), "REGISTER", user, 1, extra);
		send_to(phone[i], US, 5060, text);
		register_at_core(user, contact, 600, paths[i]);
		ck_assert(strncmp(take(phone[i], NULL), "SIP/2.0 200", 11) == 0);
		/* At once, on another Call-ID and so another worker: it is known. */
		request(text, sizeof(text), "UDP", PHONES, port_of(phone[i]), "MESSAGE", user, 2, "");
		send_to(phone[i], US, 5060, text);
		msg = take(core, &from);
		ck_assert_msg(strncmp(msg, "MESSAGE ", 8) == 0, "%s", msg);
		header(msg, "P-Asserted-Identity", text, sizeof(text));
		snprintf(extra, sizeof(extra), "<sip:%s@home>", user);
		ck_assert_str_eq(text, extra);
		answer(msg, &from, "");
		ck_assert(strncmp(take(phone[i], NULL), "SIP/2.0 200", 11) == 0);
	}
	for (unsigned i = 0; i < N_PHONES; i++) {
		snprintf(user, sizeof(user), "in%u", i);
		snprintf(extra, sizeof(extra), "Route: %.200s\r\n", paths[i]);
		request(text, sizeof(text), "UDP", CORE, 4060, "MESSAGE", user, 3, extra);
		send_to(core, US, 5060, text);
		ck_assert(strncmp(take(phone[i], NULL), "MESSAGE ", 8) == 0);
	}
	ck_assert_uint_eq(list_all(), N_PHONES);
	ck_assert_uint_eq(rest("GET", "/api/v1/registrations/sip:u3@home", body, sizeof(body)), 200);
	ck_assert(strstr(body, "\"impi\":\"u3@home\"") && strstr(body, "serviceRoute"));
	ck_assert_uint_eq(rest("GET", "/api/v1/registrations?impi=u4@home", body, sizeof(body)), 200);
	ck_assert(strstr(body, "u4@home") && !strstr(body, "u5@home"));
	ck_assert_uint_eq(rest("DELETE", "/api/v1/registrations/u3%40home", body, sizeof(body)), 204);
	ck_assert_uint_eq(rest("GET", "/api/v1/registrations/sip:u3@home", body, sizeof(body)), 404);
	ck_assert_uint_eq(list_all(), N_PHONES - 1);
	for (unsigned i = 0; i < N_PHONES; i++) {
		snprintf(user, sizeof(user), "u%u", i);
		snprintf(contact, sizeof(contact), "sip:%s@%s:%u", user, PHONES, port_of(phone[i]));
		snprintf(extra, sizeof(extra), "Contact: <%s>\r\nExpires: 0\r\n", contact);
		request(text, sizeof(text), "UDP", PHONES, port_of(phone[i]), "REGISTER", user, 4, extra);
		send_to(phone[i], US, 5060, text);
		register_at_core(user, contact, 0, paths[i]);
		ck_assert(strncmp(take(phone[i], NULL), "SIP/2.0 200", 11) == 0);
		close(phone[i]);
	}
	ck_assert_uint_eq(list_all(), 0);
	end();
}
END_TEST

/* Row P20: a connection that closes is no de-registration; the phone is reached at its contact (row C8). */
START_TEST(test_tcp)
{
	int listener, c, again;
	char text[2048], contact[64], extra[512], path[256];
	struct addr us;

	begin();
	c = bound(SOCK_STREAM, PHONES, 0);
	listener = bound(SOCK_STREAM, PHONES, 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	addr_parse(str_from_c(US), 5060, &us);
	ck_assert_int_eq(connect(c, &us.sa, addr_len(&us)), 0);
	snprintf(contact, sizeof(contact), "sip:tcp@%s:%u;transport=tcp", PHONES, port_of(listener));
	snprintf(extra, sizeof(extra), "Contact: <%s>\r\n", contact);
	request(text, sizeof(text), "TCP", PHONES, port_of(c), "REGISTER", "tcp", 1, extra);
	ck_assert_int_gt(write(c, text, strlen(text)), 0);
	register_at_core("tcp", contact, 600, path);
	ck_assert(strncmp(take(c, NULL), "SIP/2.0 200", 11) == 0);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(extra, sizeof(extra), "Route: %.200s\r\n", path);
		request(text, sizeof(text), "UDP", CORE, 4060, "MESSAGE", i ? "late" : "soon", 2, extra);
		if (i) {	/* closed on both sides before the request comes */
			shutdown(c, SHUT_WR);
			await(c);
			ck_assert_int_eq(read(c, text, sizeof(text)), 0);
			close(c);
			request(text, sizeof(text), "UDP", CORE, 4060, "MESSAGE", "late", 2, extra);
		}
		send_to(core, US, 5060, text);
		if (i) {
			await(listener);
			again = accept(listener, NULL, NULL);
			ck_assert_int_ge(again, 0);
			ck_assert(strncmp(take(again, NULL), "MESSAGE ", 8) == 0);
			close(again);
		} else {
			ck_assert(strncmp(take(c, NULL), "MESSAGE ", 8) == 0);
		}
	}
	ck_assert_uint_eq(list_all(), 1);
	close(listener);
	end();
}
END_TEST

/* The next BYE of each call, answered.  seen: which calls it was. */
static void take_byes(int fd, bool seen[N_CALLS])
{
	unsigned n = 0;

	while (n < N_CALLS) {
		char id[64], *msg;
		struct addr from;
		unsigned i;

		msg = take(fd, &from);
		if (strncmp(msg, "BYE ", 4) != 0)		/* an answer, or an INVITE that came again */
			continue;
		header(msg, "Call-ID", id, sizeof(id));
		ck_assert_int_eq(sscanf(id, "ends-%u", &i), 1);
		ck_assert(i < N_CALLS && strstr(msg, "Reason: SIP;cause=503"));
		n += !seen[i];
		seen[i] = true;
		answer(msg, &from, "");
	}
}

/* Row P19: calls of one phone on all workers end with its registration, wherever that is owned. */
START_TEST(test_calls_end)
{
	char text[2048], contact[64], extra[512], path[256], body[4096], *msg;
	bool at_phone[N_CALLS] = { false }, at_core[N_CALLS] = { false };
	struct addr from;
	int phone;

	begin();
	phone = bound(SOCK_DGRAM, PHONES, 0);
	snprintf(contact, sizeof(contact), "sip:caller@%s:%u", PHONES, port_of(phone));
	snprintf(extra, sizeof(extra), "Contact: <%s>\r\n", contact);
	request(text, sizeof(text), "UDP", PHONES, port_of(phone), "REGISTER", "caller", 1, extra);
	send_to(phone, US, 5060, text);
	register_at_core("caller", contact, 600, path);
	ck_assert(strncmp(take(phone, NULL), "SIP/2.0 200", 11) == 0);
	for (unsigned i = 0; i < N_CALLS; i++) {
		snprintf(text, sizeof(text), "INVITE sip:x@home SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bKi%u\r\nMax-Forwards: 70\r\n"
			 "From: <sip:caller@home>;tag=1\r\nTo: <sip:x@home>\r\nCall-ID: ends-%u\r\nCSeq: 1 INVITE\r\nContact: <%s>\r\n"
			 "Content-Length: 0\r\n\r\n", PHONES, port_of(phone), i, i, contact);
		send_to(phone, US, 5060, text);
		msg = take(core, &from);
		ck_assert_msg(strncmp(msg, "INVITE ", 7) == 0, "%s", msg);
		header(msg, "Record-Route", path, sizeof(path));
		snprintf(extra, sizeof(extra), "Contact: <sip:x@%s:4060>\r\nRecord-Route: %s\r\n", CORE, path);
		answer(msg, &from, extra);
		ck_assert(strncmp(take(phone, NULL), "SIP/2.0 200", 11) == 0);
	}
	ck_assert_uint_eq(rest("DELETE", "/api/v1/registrations/caller%40home", body, sizeof(body)), 204);
	take_byes(phone, at_phone);
	take_byes(core, at_core);
	close(phone);
	end();
}
END_TEST

TEST_MAIN("live", TEST_ONE(test_many), TEST_ONE(test_tcp), TEST_ONE(test_calls_end))
