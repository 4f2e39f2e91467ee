/* tests/pcscf/test_sbi.c - redirects of N5's requests: who sees the token.  TS 29.500 §6.10.9; RFC 6750 §5.3; row Q13. */
#include <stdio.h>
#include "common/http2/h2.h"
#include "common/util/clock.h"
#include "pcscf/n5.h"
#include "tests/pcscf/rig.h"
#include "tests/transport/certs.h"

#define PATIENCE_MS 5000u

static struct rig r;
static struct loop *loop;
static struct h2_server *first, *second, *nrf;
static unsigned n_first, n_second;		/* asked with a token */
static unsigned n_bare;				/* without */
static char where[64];				/* the redirect */
static int status;

static bool has_token(struct h2_req *req)
{
	return str_eq(h2_req_header(req, "authorization"), STR("Bearer secret"));
}

static void on_nrf(void *u, struct h2_req *req)
{
	(void)u;
	h2_reply(req, 200, NULL, 0, STR("{\"access_token\":\"secret\",\"token_type\":\"Bearer\",\"expires_in\":600}"));
}

static void on_first(void *u, struct h2_req *req)
{
	const struct h2_header to = { STR("location"), str_from_c(where) };

	(void)u;
	n_first += has_token(req);
	h2_reply(req, 307, &to, 1, STR_NONE);
}

static void on_second(void *u, struct h2_req *req)
{
	(void)u;
	n_second += has_token(req);
	n_bare += !has_token(req);
	h2_reply(req, has_token(req) ? 204 : 401, NULL, 0, STR_NONE);
}

static struct h2_server *serve(struct h2_tls *tls, void (*fn)(void *u, struct h2_req *req))
{
	struct h2_server_config c = { .max_connections = 8, .max_streams = 8, .idle_ms = 60000, .request = fn, .tls = tls };
	struct h2_server *s;

	ck_assert_int_eq(addr_parse(STR("127.0.0.1"), 0, &c.listen), 0);
	ck_assert_int_eq(h2_server_new(&s, loop, &c), 0);
	return s;
}

static void on_answer(void *arg, const struct sbi_answer *a)
{
	(void)arg;
	status = a->err ? a->err : (int)a->status;
}

static const struct { const char *name; bool tls[2]; unsigned with_token; int status; } rows[] = {
	{ "TLS both", { true, true }, 1, 204 },
	{ "TLS lost", { true, false }, 0, 401 },
	{ "clear text both: the operator's own choice", { false, false }, 1, 204 },
	{ "TLS gained", { false, true }, 1, 204 },
};

START_TEST(test_redirect)
{
	char dir[] = "/tmp/sbi-test-XXXXXX", why[H2_TLS_ERROR_BYTES], config[1024], root[64];
	uint64_t end_us = clock_mono_us() + PATIENCE_MS * 1000;
	struct cert_files ca, cert;
	struct sbi_request q = { .service = SBI_PCF, .method = "POST", .path = STR("/x"), .deadline_ms = PATIENCE_MS };
	struct h2_server *spare;
	struct h2_tls *st, *ct;
	unsigned port;
	struct sbi *s;

	certs_dir(dir);
	certs_authority(dir, "ca", &ca);
	certs_make(dir, "pcf", "ca", NULL, "IP:127.0.0.1", -1, 10, &cert);
	st = h2_tls_new(&(struct h2_tls_config){ .cert_file = cert.cert, .key_file = cert.key, .ca_file = ca.cert, .verify = true }, true, why);
	ct = h2_tls_new(&(struct h2_tls_config){ .cert_file = cert.cert, .key_file = cert.key, .ca_file = ca.cert, .verify = true }, false, why);
	ck_assert_msg(st && ct, "%s", why);
	loop = loop_new();
	nrf = serve(NULL, on_nrf);
	first = serve(rows[_i].tls[0] ? st : NULL, on_first);
	second = serve(rows[_i].tls[1] ? st : NULL, on_second);
	spare = serve(NULL, on_nrf);		/* for a port that nobody has: the kernel's choice */
	port = h2_server_port(spare);
	h2_server_free(spare);
	n_first = n_second = n_bare = 0;
	status = 0;
	snprintf(where, sizeof(where), "http%s://127.0.0.1:%u/y", rows[_i].tls[1] ? "s" : "", h2_server_port(second));
	snprintf(root, sizeof(root), "http%s://127.0.0.1:%u", rows[_i].tls[0] ? "s" : "", h2_server_port(first));
	snprintf(config, sizeof(config), "  reg_event: false\npolicy: {mode: n5, n5: {nrf: \"http://127.0.0.1:%u\", oauth2: true, listen: \"127.0.0.1:%u\"}}\n",
		 h2_server_port(nrf), port);
	rig_init(&r, config, 1);
	s = sbi_new(pcscf_of(&r.workers[0].w), ct);
	q.root = str_from_c(root);
	ck_assert(s && sbi_send(s, &q, on_answer, NULL));
	while (!status && clock_mono_us() < end_us) {
		loop_run_for(r.workers[0].w.loop, 1);
		loop_run_for(loop, 1);
		rig_run(&r, 1);
	}
	ck_assert_msg(n_first >= 1 && n_second == rows[_i].with_token && status == rows[_i].status, "%s: %u with the token, %u without, %d", rows[_i].name,
		      n_second, n_bare, status);
	sbi_free(s);
	rig_fini(&r);
	h2_server_free(first);
	h2_server_free(second);
	h2_server_free(nrf);
	loop_free(loop);
	h2_tls_free(st);
	h2_tls_free(ct);
	certs_remove(dir);
}
END_TEST

TEST_MAIN("sbi", TEST_ROWS(test_redirect, rows))
