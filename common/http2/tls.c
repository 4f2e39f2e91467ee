/* common/http2/tls.c - TLS under HTTP/2: TS 33.501 §13.1, RFC 9113 §9.2.  ALPN "h2", TLS 1.2 at least. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/http2/private.h"

static const unsigned char alpn_h2[] = { 2, 'h', '2' };

struct h2_tls {
	SSL_CTX *ctx;
	bool verify;
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

static bool set_files(SSL_CTX *x, const struct h2_tls_config *c, const char **ret_what)
{
	*ret_what = c->cert_file;
	if (c->cert_file && SSL_CTX_use_certificate_chain_file(x, c->cert_file) != 1)
		return false;
	*ret_what = c->key_file;
	if (c->key_file && (SSL_CTX_use_PrivateKey_file(x, c->key_file, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(x) != 1))
		return false;
	*ret_what = c->ca_file;
	return c->ca_file ? SSL_CTX_load_verify_file(x, c->ca_file) == 1 : SSL_CTX_set_default_verify_paths(x) == 1;
}

struct h2_tls *h2_tls_new(const struct h2_tls_config *c, bool server, char reterr[H2_TLS_ERROR_BYTES])
{
	struct h2_tls *t = calloc(1, sizeof(*t));
	const char *what = NULL;

	ERR_clear_error();
	if (t)
		t->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!t || !t->ctx) {
		snprintf(reterr, H2_TLS_ERROR_BYTES, "out of memory");
		free(t);
		return NULL;
	}
	t->verify = c->verify;
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	if (!set_files(t->ctx, c, &what)) {
		snprintf(reterr, H2_TLS_ERROR_BYTES, "%s: %s", what ? what : "the system's certificates", ERR_reason_error_string(ERR_peek_last_error()));
		ERR_clear_error();
		h2_tls_free(t);
		return NULL;
	}
	if (c->verify)
		SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER | (server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
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

/* The name that the certificate must have (RFC 9110 §4.3.4): a host name, or an address. */
static bool expect(SSL *ssl, struct str name)
{
	char host[256];
	struct addr a;

	if (name.l > 1 && name.p[0] == '[')
		name = str_make(name.p + 1, name.l - 2);
	if (!str_copy(name, host, sizeof(host)))
		return false;
	if (addr_parse(name, 0, &a) == 0)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
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
		if (!expect(ssl, name)) {
			SSL_free(ssl);
			return NULL;
		}
	}
	return ssl;
}
