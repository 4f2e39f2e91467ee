/* common/http2/tls.c - TLS under HTTP/2: TS 33.501 §13.1, RFC 9113 §9.2.  ALPN "h2", TLS 1.2 at least. */
#include <stdio.h>
#include <stdlib.h>
#include "common/http2/private.h"
#include "common/transport/tls_files.h"

static const unsigned char alpn_h2[] = { 2, 'h', '2' };

struct h2_tls {
	SSL_CTX *ctx;
};

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *ret_l, const unsigned char *in, unsigned in_l, void *u)
{
	unsigned char *chosen;

	(void)ssl;
	(void)u;
	if (SSL_select_next_proto(&chosen, ret_l, alpn_h2, sizeof(alpn_h2), in, in_l) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

struct h2_tls *h2_tls_new(const struct h2_tls_config *c, bool server, char reterr[H2_TLS_ERROR_BYTES])
{
	const struct tls_files files = { c->cert_file, c->key_file, c->ca_file, c->verify };
	struct h2_tls *t = calloc(1, sizeof(*t));

	if (t)
		t->ctx = tls_files_context(&files, server, reterr);
	if (!t || !t->ctx) {
		if (!t)
			snprintf(reterr, H2_TLS_ERROR_BYTES, "out of memory");
		free(t);
		return NULL;
	}
	if (server)
		SSL_CTX_set_alpn_select_cb(t->ctx, choose_alpn, NULL);
	else
		SSL_CTX_set_alpn_protos(t->ctx, alpn_h2, sizeof(alpn_h2));
	return t;
}

void h2_tls_free(struct h2_tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

SSL *h2_tls_connection(struct h2_tls *t, bool server, struct str name)
{
	SSL *ssl = SSL_new(t->ctx);

	if (!ssl)
		return NULL;
	if (server) {
		SSL_set_accept_state(ssl);
	} else {
		SSL_set_connect_state(ssl);
		if (!tls_expect_name(ssl, name)) {
			SSL_free(ssl);
			return NULL;
		}
	}
	return ssl;
}
