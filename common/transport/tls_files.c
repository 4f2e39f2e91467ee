/* common/transport/tls_files.c - see tls_files.h. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include "common/transport/tls_files.h"
#include "common/util/addr.h"

static bool set_files(SSL_CTX *x, const struct tls_files *c, const char **ret_what)
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

SSL_CTX *tls_files_context(const struct tls_files *f, bool server, char reterr[TLS_FILES_ERROR_BYTES])
{
	const char *what = NULL;
	SSL_CTX *x;

	ERR_clear_error();
	x = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!x) {
		snprintf(reterr, TLS_FILES_ERROR_BYTES, "out of memory");
		return NULL;
	}
	SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION);
	SSL_CTX_set_mode(x, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(x, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	if (!set_files(x, f, &what)) {
		snprintf(reterr, TLS_FILES_ERROR_BYTES, "%s: %s", what ? what : "the system's certificates",
			 ERR_reason_error_string(ERR_peek_last_error()));
		ERR_clear_error();
		SSL_CTX_free(x);
		return NULL;
	}
	if (f->verify)
		SSL_CTX_set_verify(x, SSL_VERIFY_PEER | (server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	return x;
}

bool tls_expect_name(SSL *ssl, struct str name)
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

