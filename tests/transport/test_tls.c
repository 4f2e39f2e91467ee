/* tests/transport/test_tls.c - SIP over TLS between two transports: RFC 3261 §26.3.1, RFC 5922 §7.1, §7.2, §7.3, RFC 5923,
 * RFC 6066 §3; row C9, SEC-15. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "common/metrics/metrics.h"
#include "common/transport/tls.h"
#include "common/transport/transport.h"
#include "common/util/names.h"
#include "tests/check.h"
#include "tests/transport/certs.h"

#define WAIT_MS 5000

struct end {
	struct transport_group *g;
	struct transport *t;
	struct addr at;			/* its listener */
	unsigned messages, errors, closed;
	int error;
	struct sip_flow from;		/* of the last message */
	size_t body;
};

static char dir[] = "/tmp/cscf-tls-XXXXXX";
static struct loop *l;
static struct end server, client;
static struct cert_files ca, other_ca;

static void on_message(void *u, struct sip_msg *m)
{
	struct end *e = u;

	e->messages++;
	e->from = m->flow;
	e->body = m->body.l;
}
static void on_bad(void *u, struct sip_msg *m, const struct sip_flow *from, struct str raw, const struct sip_parse_error *e)
{
	(void)u, (void)m, (void)from, (void)raw, (void)e;
}
static void on_error(void *u, uint64_t origin, int err)
{
	struct end *e = u;

	ck_assert_uint_eq(origin, 77);
	e->errors++;
	e->error = err;
}
static void on_closed(void *u, const struct sip_flow *flow)
{
	struct end *e = u;

	(void)flow;
	e->closed++;
}
static const struct transport_ops ops = { on_message, on_bad, on_error, NULL, on_closed };

static struct tls_context *context(const struct tls_config *c)
{
	char why[TLS_ERROR_BYTES];
	struct tls_context *t = tls_context_new(c, why);

	ck_assert_msg(t, "%s", why);
	return t;
}

static void end_open(struct end *e, const struct tls_config *c)
{
	struct transport_limits lim = transport_limits_default;
	struct sip_flow to = { .proto = SIP_TLS };
	struct tls_context *t = context(c);
	struct addr a;

	lim.connect_timeout_ms = 2000;
	*e = (struct end){ .g = transport_group_new(1) };
	transport_group_set_tls(e->g, t);
	tls_context_unref(t);
	e->t = transport_new(e->g, 0, l, &lim, &ops, e);
	ck_assert_int_eq(addr_parse(STR("127.0.0.1"), 0, &a), 0);
	ck_assert_int_eq(transport_listen(e->t, SIP_TLS, &a), 0);
	to.remote = a;
	ck_assert_int_eq(transport_local_for(e->t, &to, &e->at), 0);
}

static void end_close(struct end *e)
{
	transport_free(e->t);
	transport_group_free(e->g);
}

static void begin(void)
{
	l = loop_new();
	certs_dir(dir);
	certs_authority(dir, "ca", &ca);
	certs_authority(dir, "other", &other_ca);
}

static void finish(void)
{
	end_close(&client);
	end_close(&server);
	loop_free(l);
	certs_remove(dir);
}

static void until(const unsigned *n, unsigned want)
{
	for (unsigned i = 0; *n < want && i < WAIT_MS / 5; i++)
		loop_run_for(l, 5);
	ck_assert_uint_ge(*n, want);
}

/* Sends one from `e` to `to`; body: octets of it. */
static int send_one(struct end *e, const struct sip_flow *to, unsigned body)
{
	char *text = malloc(body + 600);
	int n = snprintf(text, 600, "MESSAGE sip:a@h SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK1\r\nFrom: <sip:x@h>;tag=1\r\n"
			 "To: <sip:a@h>\r\nCall-ID: one\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: %u\r\n\r\n", body);
	struct bytes *wire;
	int rc;

	memset(text + n, 'b', body);
	wire = bytes_new(str_make(text, (size_t)n + body));
	rc = transport_send(e->t, to, wire, 77);
	bytes_unref(wire);
	free(text);
	return rc;
}

static struct sip_flow to_server(const char *name)
{
	return (struct sip_flow){ .proto = SIP_TLS, .remote = server.at, .name = name ? name_number(str_from_c(name)) : 0 };
}

/* ---- whose certificate (RFC 5922) ---- */

static const struct identity_row {
	const char *name, *cn, *san, *dialled;
	const char *authority;
	int to_days;
	bool ok;
} identities[] = {
	{ "dNSName fits", NULL, "DNS:scscf.test", "scscf.test", "ca", 5, true },
	{ "dNSName fits without case", NULL, "DNS:SCSCF.Test", "scscf.test", "ca", 5, true },
	{ "SIP URI fits, RFC 5922 §7.1", NULL, "URI:sip:ims.test", "ims.test", "ca", 5, true },
	{ "one of several", NULL, "DNS:a.test,DNS:b.test,URI:sip:ims.test,URI:sip:ims2.test", "ims2.test", "ca", 5, true },
	{ "SIP URIs count alone", NULL, "URI:sip:other.test,DNS:scscf.test", "scscf.test", "ca", 5, false },
	{ "a URI of another scheme does not count", NULL, "URI:http://other.test,DNS:scscf.test", "scscf.test", "ca", 5, true },
	{ "a person is no domain", NULL, "URI:sip:alice@ims.test", "ims.test", "ca", 5, false },
	{ "no wildcards, RFC 5922 §7.2", NULL, "DNS:*.test", "scscf.test", "ca", 5, false },
	{ "no subdomain", NULL, "DNS:test", "scscf.test", "ca", 5, false },
	{ "common name when there is no other", "scscf.test", NULL, "scscf.test", "ca", 5, true },
	{ "common name beside others", "scscf.test", "DNS:icscf.test", "scscf.test", "ca", 5, false },
	{ "address dialled without a name", NULL, "IP:127.0.0.1", NULL, "ca", 5, true },
	{ "another address", NULL, "IP:127.0.0.2", NULL, "ca", 5, false },
	{ "literal as name", NULL, "IP:127.0.0.1", "127.0.0.1", "ca", 5, true },
	{ "literal in the common name", "127.0.0.1", NULL, "127.0.0.1", "ca", 5, false },
	{ "expired", NULL, "DNS:scscf.test", "scscf.test", "ca", 0, false },
	{ "an authority that we do not trust", NULL, "DNS:scscf.test", "scscf.test", "other", 5, false },
};

START_TEST(test_identity)
{
	const struct identity_row *w = &identities[_i];
	struct tls_config c = { .ca_file = NULL, .verify_servers = true };
	struct cert_files f;
	struct sip_flow to;

	begin();
	certs_make(dir, "server", w->authority, w->cn, w->san, -2, w->to_days, &f);
	end_open(&server, &(struct tls_config){ .cert = { f.cert, f.key }, .ca_file = ca.cert });
	certs_make(dir, "client", "ca", NULL, "DNS:client.test", -2, 5, &f);
	c.cert = (struct tls_cert){ f.cert, f.key };
	c.ca_file = ca.cert;
	end_open(&client, &c);
	to = to_server(w->dialled);
	ck_assert_int_eq(send_one(&client, &to, 10), 0);
	if (w->ok) {
		until(&server.messages, 1);
		ck_assert_uint_eq(client.errors, 0);
	} else {
		until(&client.errors, 1);
		ck_assert_msg(server.messages == 0, "%s: a message went to the wrong server", w->name);
		ck_assert_uint_eq(client.closed, 0);		/* it never was up */
	}
	finish();
}
END_TEST

/* ---- clients ---- */

static const struct client_row { const char *name; enum tls_verify verify; const char *authority; bool ok; } clients[] = {
	{ "not asked", TLS_VERIFY_NO, "other", true },
	{ "if given, good", TLS_VERIFY_IF_GIVEN, "ca", true },
	{ "if given, bad", TLS_VERIFY_IF_GIVEN, "other", false },
	{ "if given, none", TLS_VERIFY_IF_GIVEN, NULL, true },
	{ "required, good", TLS_VERIFY_REQUIRED, "ca", true },
	{ "required, bad", TLS_VERIFY_REQUIRED, "other", false },
	{ "required, none", TLS_VERIFY_REQUIRED, NULL, false },
};

START_TEST(test_client)
{
	const struct client_row *w = &clients[_i];
	struct tls_config c = { .ca_file = NULL, .verify_servers = true };
	struct cert_files f;
	struct sip_flow to;

	begin();
	certs_make(dir, "server", "ca", NULL, "DNS:scscf.test", -2, 5, &f);
	end_open(&server, &(struct tls_config){ .cert = { f.cert, f.key }, .ca_file = ca.cert, .verify_clients = w->verify });
	if (w->authority) {
		certs_make(dir, "client", w->authority, NULL, "DNS:client.test", -2, 5, &f);
		c.cert = (struct tls_cert){ f.cert, f.key };
	}
	c.ca_file = ca.cert;
	end_open(&client, &c);
	to = to_server("scscf.test");
	ck_assert_int_eq(send_one(&client, &to, 10), 0);
	if (w->ok) {
		until(&server.messages, 1);
	} else {
		/* TLS 1.3: the client hears of it after its first octets, when it is up already. */
		for (unsigned i = 0; !client.errors && !client.closed && i < WAIT_MS / 5; i++)
			loop_run_for(l, 5);
		ck_assert_uint_ge(client.errors + client.closed, 1);
		ck_assert_msg(server.messages == 0, "%s", w->name);
	}
	finish();
}
END_TEST

/* ---- one connection for both ways, large messages, resumption, new certificates ---- */

static void open_pair(void)
{
	struct cert_files f;

	begin();
	certs_make(dir, "server", "ca", NULL, "DNS:scscf.test,DNS:icscf.test", -2, 5, &f);
	end_open(&server, &(struct tls_config){ .cert = { f.cert, f.key }, .ca_file = ca.cert, .verify_servers = true });
	certs_make(dir, "client", "ca", NULL, "DNS:client.test", -2, 5, &f);
	end_open(&client, &(struct tls_config){ .cert = { f.cert, f.key }, .ca_file = ca.cert, .verify_servers = true });
}

static uint32_t connections(const struct end *e)
{
	struct transport_stats s;

	transport_stats(e->t, &s);
	return s.connections;
}

START_TEST(test_both_ways)
{
	struct sip_flow to, second, wrong;

	open_pair();
	to = to_server("scscf.test");
	ck_assert_int_eq(send_one(&client, &to, 60000), 0);	/* several records */
	until(&server.messages, 1);
	ck_assert_uint_eq(server.body, 60000);
	ck_assert_int_eq(server.from.proto, SIP_TLS);
	ck_assert_int_eq(send_one(&server, &server.from, 60000), 0);	/* on the same connection */
	until(&client.messages, 1);
	ck_assert_uint_eq(client.body, 60000);
	ck_assert_uint_eq(connections(&client), 1);
	second = to_server("icscf.test");		/* RFC 5923 §9.2: its certificate stands for that domain too */
	ck_assert_int_eq(send_one(&client, &second, 1), 0);
	until(&server.messages, 2);
	ck_assert_uint_eq(connections(&client), 1);
	wrong = to_server("pcscf.test");		/* not for this one: a new connection, which is refused */
	ck_assert_int_eq(send_one(&client, &wrong, 1), 0);
	until(&client.errors, 1);
	ck_assert_uint_eq(server.messages, 2);
	finish();
}
END_TEST

/* RFC 5923: who opened a connection gets requests over it, when he said so and is who he is asked to be. */
static const struct alias_row {
	const char *name, *params, *san, *asked;
	enum tls_verify verify;
	bool certificate, other_port, used;
} aliases[] = {
	{ "the domain of its certificate", ";alias", "DNS:client.test", "client.test", TLS_VERIFY_IF_GIVEN, true, false, true },
	{ "its address", ";alias", "IP:127.0.0.1", NULL, TLS_VERIFY_REQUIRED, true, false, true },
	{ "not said", "", "DNS:client.test", "client.test", TLS_VERIFY_IF_GIVEN, true, false, false },
	{ "another domain", ";alias", "DNS:client.test", "bank.test", TLS_VERIFY_IF_GIVEN, true, false, false },
	{ "no domain, and not its address", ";alias", "DNS:client.test", NULL, TLS_VERIFY_IF_GIVEN, true, false, false },
	{ "no certificate", ";alias", "DNS:client.test", "client.test", TLS_VERIFY_IF_GIVEN, false, false, false },
	{ "a certificate that nobody looked at", ";alias", "DNS:client.test", "client.test", TLS_VERIFY_NO, true, false, false },
	{ "another port", ";alias", "DNS:client.test", "client.test", TLS_VERIFY_IF_GIVEN, true, true, false },
};

START_TEST(test_alias)
{
	const struct alias_row *w = &aliases[_i];
	struct tls_config c = { .verify_servers = true };
	struct sip_flow to, back;
	struct bytes *wire;
	struct cert_files f;
	char text[600];

	begin();
	certs_make(dir, "server", "ca", NULL, "DNS:scscf.test", -2, 5, &f);
	end_open(&server, &(struct tls_config){ .cert = { f.cert, f.key }, .ca_file = ca.cert, .verify_servers = true, .verify_clients = w->verify });
	certs_make(dir, "client", "ca", NULL, w->san, -2, 5, &f);
	c.ca_file = ca.cert;
	if (w->certificate)
		c.cert = (struct tls_cert){ f.cert, f.key };
	end_open(&client, &c);
	to = to_server("scscf.test");
	snprintf(text, sizeof(text), "MESSAGE sip:a@h SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:%u;branch=z9hG4bK1%s\r\nFrom: <sip:x@h>;tag=1\r\n"
		 "To: <sip:a@h>\r\nCall-ID: one\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
		 addr_port(&client.at) + w->other_port, w->params);
	wire = bytes_new(str_from_c(text));
	ck_assert_int_eq(transport_send(client.t, &to, wire, 77), 0);
	bytes_unref(wire);
	until(&server.messages, 1);
	ck_assert_uint_eq(connections(&server), 1);
	back = (struct sip_flow){ .proto = SIP_TLS, .remote = client.at, .name = w->asked ? name_number(str_from_c(w->asked)) : 0 };
	ck_assert_int_eq(send_one(&server, &back, 10), 0);
	ck_assert_msg(connections(&server) == (w->used ? 1 : 2), "%s", w->name);
	if (w->used)
		until(&client.messages, 1);
	finish();
}
END_TEST

START_TEST(test_alias_goes_with_its_connection)
{
	struct sip_flow to, back;
	struct cert_files f;
	struct bytes *wire;
	char text[600];

	begin();
	certs_make(dir, "server", "ca", NULL, "DNS:scscf.test", -2, 5, &f);
	end_open(&server, &(struct tls_config){ .cert = { f.cert, f.key }, .ca_file = ca.cert, .verify_servers = true,
						.verify_clients = TLS_VERIFY_REQUIRED });
	certs_make(dir, "client", "ca", NULL, "DNS:client.test", -2, 5, &f);
	end_open(&client, &(struct tls_config){ .cert = { f.cert, f.key }, .ca_file = ca.cert, .verify_servers = true });
	to = to_server("scscf.test");
	back = (struct sip_flow){ .proto = SIP_TLS, .remote = client.at, .name = name_number(STR("client.test")) };
	snprintf(text, sizeof(text), "MESSAGE sip:a@h SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:%u;branch=z9hG4bK1;alias\r\nFrom: <sip:x@h>;tag=1\r\n"
		 "To: <sip:a@h>\r\nCall-ID: one\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", addr_port(&client.at));
	wire = bytes_new(str_from_c(text));
	ck_assert_int_eq(transport_send(client.t, &to, wire, 77), 0);
	bytes_unref(wire);
	until(&server.messages, 1);
	end_close(&client);			/* gone; another one takes its port */
	until(&server.closed, 1);
	ck_assert_int_eq(send_one(&server, &back, 10), 0);
	until(&server.errors, 1);
	ck_assert_int_eq(server.error, -ECONNREFUSED);
	end_open(&client, &(struct tls_config){ .cert = { f.cert, f.key }, .ca_file = ca.cert, .verify_servers = true });
	finish();
}
END_TEST

static unsigned handshakes(const char *outcome)
{
	struct buf b;
	char want[128];
	unsigned n = 0;
	ssize_t at;

	buf_init(&b, 1u << 20);
	metrics_write(&b);
	snprintf(want, sizeof(want), "cscf_tls_handshakes_total{side=\"client\",outcome=\"%s\"} ", outcome);
	at = str_find(buf_str(&b), str_from_c(want));
	if (at >= 0)
		sscanf(b.p + at + strlen(want), "%u", &n);
	buf_fini(&b);
	return n;
}

static void until_alone(void)
{
	for (unsigned i = 0; (connections(&client) || connections(&server)) && i < WAIT_MS / 5; i++)
		loop_run_for(l, 5);
	ck_assert_uint_eq(connections(&client), 0);
}

START_TEST(test_resumption)
{
	unsigned full, resumed;
	struct sip_flow to;

	open_pair();
	to = to_server("scscf.test");
	full = handshakes("full");
	resumed = handshakes("resumed");
	ck_assert_int_eq(send_one(&client, &to, 1), 0);
	until(&server.messages, 1);
	ck_assert_int_eq(send_one(&server, &server.from, 1), 0);	/* the ticket comes along */
	until(&client.messages, 1);
	end_close(&server);
	until(&client.closed, 1);
	server = (struct end){ 0 };
	ck_assert_uint_eq(handshakes("full"), full + 1);
	/* The same certificates and keys, but another process: a full handshake.  Then one that is resumed. */
	{
		struct tls_config c = { .verify_servers = true, .ca_file = ca.cert };
		char cert[CERT_PATH], key[CERT_PATH];

		snprintf(cert, sizeof(cert), "%s/server.pem", dir);
		snprintf(key, sizeof(key), "%s/server.key", dir);
		c.cert = (struct tls_cert){ cert, key };
		end_open(&server, &c);
	}
	for (unsigned i = 1; i <= 2; i++) {
		struct addr at = server.at;

		to = to_server("scscf.test");
		ck_assert_int_eq(send_one(&client, &to, 1), 0);
		until(&server.messages, i);
		ck_assert_int_eq(send_one(&server, &server.from, 1), 0);
		until(&client.messages, 1 + i);
		/* The client's connection ends, its sessions stay with the context. */
		transport_free(client.t);
		client.t = transport_new(client.g, 0, l, &transport_limits_default, &ops, &client);
		ck_assert_int_eq(transport_listen(client.t, SIP_TLS, &client.at), 0);
		until_alone();
		ck_assert(addr_eq(&at, &server.at));
	}
	ck_assert_uint_eq(handshakes("resumed"), resumed + 1);
	finish();
}
END_TEST

START_TEST(test_new_certificate)
{
	struct tls_context *t;
	struct cert_files f;
	struct sip_flow to;

	open_pair();
	to = to_server("scscf.test");
	ck_assert_int_eq(send_one(&client, &to, 1), 0);
	until(&server.messages, 1);
	certs_make(dir, "renamed", "ca", NULL, "DNS:new.test", -2, 5, &f);
	t = context(&(struct tls_config){ .cert = { f.cert, f.key }, .ca_file = ca.cert });
	transport_group_set_tls(server.g, t);
	tls_context_unref(t);
	ck_assert_int_eq(send_one(&client, &to, 1), 0);		/* the open connection goes on */
	until(&server.messages, 2);
	to = to_server("new.test");
	ck_assert_int_eq(send_one(&client, &to, 1), 0);		/* a new one meets the new certificate */
	until(&server.messages, 3);
	ck_assert_uint_eq(connections(&client), 2);
	finish();
}
END_TEST

START_TEST(test_sni)
{
	struct cert_files f[3];
	struct tls_cert more[2];
	struct sip_flow to;

	begin();
	certs_make(dir, "one", "ca", NULL, "DNS:one.test", -2, 5, &f[0]);
	certs_make(dir, "two", "ca", NULL, "DNS:two.test", -2, 5, &f[1]);
	certs_make(dir, "three", "ca", NULL, "URI:sip:three.test", -2, 5, &f[2]);
	more[0] = (struct tls_cert){ f[1].cert, f[1].key };
	more[1] = (struct tls_cert){ f[2].cert, f[2].key };
	end_open(&server, &(struct tls_config){ .cert = { f[0].cert, f[0].key }, .more = more, .n_more = 2, .ca_file = ca.cert });
	certs_make(dir, "client", "ca", NULL, "DNS:client.test", -2, 5, &f[0]);
	end_open(&client, &(struct tls_config){ .cert = { f[0].cert, f[0].key }, .ca_file = ca.cert, .verify_servers = true });
	to = to_server("two.test");
	ck_assert_int_eq(send_one(&client, &to, 1), 0);
	until(&server.messages, 1);
	to = to_server("three.test");
	ck_assert_int_eq(send_one(&client, &to, 1), 0);
	until(&server.messages, 2);
	to = to_server("one.test");
	ck_assert_int_eq(send_one(&client, &to, 1), 0);
	until(&server.messages, 3);
	finish();
}
END_TEST

/* ---- who does not speak TLS ---- */

static const char *const plain[] = {
	"OPTIONS sip:a@h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n",
	"\x16\x03\x01\x40",			/* begins a hello, and then nothing */
	"",
};

START_TEST(test_not_tls)
{
	char c[64];
	ssize_t n;
	int fd;

	open_pair();
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, &server.at.sa, addr_len(&server.at)), 0);
	if (*plain[_i])
		ck_assert_int_gt(send(fd, plain[_i], strlen(plain[_i]), 0), 0);
	for (unsigned i = 0; (connections(&server) || i < 2) && i < WAIT_MS / 5; i++)
		loop_run_for(l, 5);
	ck_assert_uint_eq(connections(&server), 0);	/* by the error, or by the time limit */
	ck_assert_uint_eq(server.closed, 0);
	do
		n = recv(fd, c, sizeof(c), 0);		/* an alert perhaps, then the end */
	while (n > 0);
	close(fd);
	finish();
}
END_TEST

/* ---- files ---- */

static const struct file_row { const char *name, *cert, *key, *ca, *says; } files[] = {
	{ "no certificate file", "%s/none.pem", "%s/a.key", "%s/ca.pem", "none.pem: No such file" },
	{ "no key file", "%s/a.pem", "%s/none.key", "%s/ca.pem", "none.key: No such file" },
	{ "key of another", "%s/a.pem", "%s/b.key", "%s/ca.pem", "b.key" },
	{ "key instead of a certificate", "%s/a.key", "%s/a.key", "%s/ca.pem", "a.key: no start line" },
	{ "no authorities", "%s/a.pem", "%s/a.key", "%s/none.pem", "none.pem: No such file" },
};

START_TEST(test_files)
{
	const struct file_row *w = &files[_i];
	char cert[CERT_PATH * 2], key[CERT_PATH * 2], authority[CERT_PATH * 2], why[TLS_ERROR_BYTES];
	struct cert_files f;

	begin();
	certs_make(dir, "a", "ca", NULL, "DNS:a.test", -2, 5, &f);
	certs_make(dir, "b", "ca", NULL, "DNS:b.test", -2, 5, &f);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(cert, sizeof(cert), w->cert, dir);
	snprintf(key, sizeof(key), w->key, dir);
	snprintf(authority, sizeof(authority), w->ca, dir);
#pragma GCC diagnostic pop
	ck_assert_ptr_null(tls_context_new(&(struct tls_config){ .cert = { cert, key }, .ca_file = authority }, why));
	ck_assert_msg(strstr(why, w->says), "%s: %s", w->name, why);
	loop_free(l);
	certs_remove(dir);
}
END_TEST

TEST_MAIN("tls", TEST_ROWS(test_identity, identities), TEST_ROWS(test_client, clients), TEST_ONE(test_both_ways), TEST_ROWS(test_alias, aliases), TEST_ONE(test_alias_goes_with_its_connection),
	  TEST_ONE(test_resumption), TEST_ONE(test_new_certificate), TEST_ONE(test_sni), TEST_ROWS(test_not_tls, plain),
	  TEST_ROWS(test_files, files))
