/* common/transport/tls.c - TLS under a stream connection: handshake, octets in and out, whom we talk to.
 * RFC 3261 §26.3.1, RFC 5922 §7.3, §7.5 (client and server), RFC 5923 §9.2; row C9. */
#include <errno.h>
#include <openssl/err.h>
#include "common/metrics/metrics.h"
#include "common/transport/private.h"
#include "common/transport/tls_private.h"
#include "common/util/names.h"

static METRIC_DEF(m_handshakes, "cscf_tls_handshakes_total", METRIC_COUNTER, "TLS handshakes by side and outcome.", "side",
		  "outcome");

static const char *side(const struct conn *c)
{
	return c->accepted ? "server" : "client";
}

static void failed(struct conn *c, const char *why)
{
	char from[SIP_FLOW_STRLEN];

	metrics_register(&m_handshakes);
	metric_add(&m_handshakes, side(c), "failed", 1);
	log_info(LOG_TP, "TLS handshake failed", LOG_C("side", side(c)), LOG_C("peer", sip_flow_fmt(&c->flow, from)),
		 LOG_C("why", why));
}

static const char *ssl_reason(const SSL *ssl)
{
	long v = SSL_get_verify_result(ssl);
	unsigned long e = ERR_peek_last_error();

	if (v != X509_V_OK)
		return X509_verify_cert_error_string(v);
	return e && ERR_reason_error_string(e) ? ERR_reason_error_string(e) : "the connection was closed";
}

/* What an OpenSSL call says: -EAGAIN with the events to wait for, or the end. */
static int result(struct conn *c, int n)
{
	int e = SSL_get_error(c->ssl, n), rc;

	c->ssl_wants_write = e == SSL_ERROR_WANT_WRITE;
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	rc = e == SSL_ERROR_SYSCALL && errno ? -errno : -EPROTO;
	if (e == SSL_ERROR_ZERO_RETURN)
		rc = 0;				/* close_notify */
	ERR_clear_error();
	return rc;
}

/* ---- octets below TLS: as OpenSSL's own, but a peer that has gone raises no SIGPIPE ---- */

static int below(BIO *b, ssize_t n)
{
	BIO_clear_retry_flags(b);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_flags(b, BIO_FLAGS_SHOULD_RETRY);
	return (int)n;
}

static int below_read(BIO *b, char *dst, int n)
{
	const struct conn *c = BIO_get_data(b);
	int r = below(b, recv(c->f.fd, dst, (size_t)n, MSG_DONTWAIT));

	if (BIO_should_retry(b))
		BIO_set_flags(b, BIO_FLAGS_READ);
	return r;
}

static int below_write(BIO *b, const char *src, int n)
{
	const struct conn *c = BIO_get_data(b);
	int r = below(b, send(c->f.fd, src, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL));

	if (BIO_should_retry(b))
		BIO_set_flags(b, BIO_FLAGS_WRITE);
	return r;
}

static long below_ctrl(BIO *b, int cmd, long n, void *p)
{
	(void)b, (void)n, (void)p;
	return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *below_method;

static void __attribute__((constructor)) below_make(void)
{
	below_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
	BIO_meth_set_read(below_method, below_read);
	BIO_meth_set_write(below_method, below_write);
	BIO_meth_set_ctrl(below_method, below_ctrl);
}

static void __attribute__((destructor)) below_free(void)
{
	BIO_meth_free(below_method);
}

static BIO *below_new(struct conn *c)
{
	BIO *b = BIO_new(below_method);

	if (b) {
		BIO_set_data(b, c);
		BIO_set_init(b, 1);
	}
	return b;
}

/* ---- sessions ---- */

static uint64_t session_key(const struct conn *c)
{
	return hash_mix(addr_hash(&c->flow.remote), c->flow.name);
}

int tls_on_session(SSL *ssl, SSL_SESSION *s)
{
	struct conn *c = SSL_get_app_data(ssl);

	if (!c)
		return 0;
	tls_session_keep(c->tls, session_key(c), s);
	return 1;				/* the reference is ours now */
}

/* ---- a connection's TLS ---- */

static int tls_open(struct conn *c)
{
	char name[NAME_BYTES];
	SSL_SESSION *s;
	struct addr a;
	BIO *b;

	c->tls = group_tls(c->t->group);
	if (!c->tls)
		return -ENOTSUP;
	c->ssl = SSL_new(c->accepted ? c->tls->server : c->tls->client);
	b = below_new(c);
	if (!c->ssl || !b) {
		BIO_free(b);
		return -ENOMEM;
	}
	SSL_set_bio(c->ssl, b, b);
	SSL_set_app_data(c->ssl, c);
	if (c->accepted) {
		SSL_set_accept_state(c->ssl);
		return 0;
	}
	SSL_set_connect_state(c->ssl);
	if (name_text(c->flow.name, name) && addr_parse(str_from_c(name), 0, &a) < 0)
		SSL_set_tlsext_host_name(c->ssl, name);	/* RFC 6066 §3: no literals */
	s = tls_session_take(c->tls, session_key(c));
	if (s) {
		SSL_set_session(c->ssl, s);
		SSL_SESSION_free(s);
	}
	return 0;
}

/* RFC 5922 §7.3: the server must be the domain we were going to; without a domain, the address we dialled. */
static bool server_is_right(const struct conn *c)
{
	char name[NAME_BYTES], host[ADDR_STRLEN];
	X509 *cert;
	bool ok;

	if (!c->tls->verify_servers)
		return true;
	if (!name_text(c->flow.name, name))
		str_copy(str_from_c(addr_host(&c->flow.remote, host)), name, sizeof(name));
	cert = SSL_get0_peer_certificate(c->ssl);
	ok = cert && SSL_get_verify_result(c->ssl) == X509_V_OK && tls_cert_names(cert, str_from_c(name));
	if (!ok)
		log_warn(LOG_SEC, "the certificate is not that of the domain", LOG_C("domain", name));
	return ok;
}

static int tls_handshake(struct conn *c)
{
	int n, rc;

	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(c->ssl);
	if (n != 1) {
		const char *why = ssl_reason(c->ssl);

		rc = result(c, n);
		if (rc != -EAGAIN)
			failed(c, why);
		return rc == 0 ? -ECONNRESET : rc;
	}
	c->ssl_wants_write = false;
	if (!c->accepted && !server_is_right(c)) {
		failed(c, "the certificate is not that of the domain");
		return -EACCES;
	}
	metrics_register(&m_handshakes);
	metric_add(&m_handshakes, side(c), SSL_session_reused(c->ssl) ? "resumed" : "full", 1);
	return 0;
}

static ssize_t tls_read(struct conn *c, char *dst, size_t n)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_read(c->ssl, dst, n > INT32_MAX ? INT32_MAX : (int)n);
	return r > 0 ? r : result(c, r);
}

static ssize_t tls_write(struct conn *c, const char *src, size_t n)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_write(c->ssl, src, n > INT32_MAX ? INT32_MAX : (int)n);
	if (r > 0)
		return r;
	r = result(c, r);
	return r == 0 ? -ECONNRESET : r;
}

static void tls_close(struct conn *c)
{
	if (c->ssl && !c->connecting && !c->handshaking && c->failed != -EPROTO)
		(void)SSL_shutdown(c->ssl);	/* close_notify, as far as it goes without waiting */
	ERR_clear_error();
	SSL_free(c->ssl);
	tls_context_unref(c->tls);
}

static const X509 *peer_certificate(const struct conn *c)
{
	X509 *cert = c->ssl && !c->handshaking && !c->connecting ? SSL_get0_peer_certificate(c->ssl) : NULL;

	return cert && SSL_get_verify_result(c->ssl) == X509_V_OK ? cert : NULL;
}

bool tls_peer_verified(const struct conn *c)
{
	return peer_certificate(c) != NULL;
}

bool tls_peer_is(const struct conn *c, uint32_t name_no)
{
	char name[NAME_BYTES];
	const X509 *cert = peer_certificate(c);

	if (c->flow.name && c->flow.name == name_no)
		return true;
	return cert && name_text(name_no, name) && tls_cert_names(cert, str_from_c(name));
}

bool tls_peer_serves(const struct conn *c, const struct sip_flow *to)
{
	char host[ADDR_STRLEN];
	const X509 *cert = peer_certificate(c);

	return to->name ? tls_peer_is(c, to->name) : cert && tls_cert_names(cert, str_from_c(addr_host(&to->remote, host)));
}

const struct conn_io conn_io_tls = { tls_read, tls_write, tls_open, tls_handshake, tls_close };
