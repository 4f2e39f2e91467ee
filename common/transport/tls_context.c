/* common/transport/tls_context.c - contexts from certificate files: SNI, verification, resumption.  RFC 5246, RFC 8446, RFC 6066 §3. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/err.h>
#include "common/transport/tls_private.h"

#define TLS12_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"	/* forward secrecy and AEAD only */
#define SESSION_ID "cscf"
#define SESSIONS_MAX 256			/* of peers we connect to */

static void explain(char reterr[TLS_ERROR_BYTES], const char *what, const char *file)
{
	unsigned long e = ERR_peek_error();		/* the first one is the cause */
	const char *why = ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);

	snprintf(reterr, TLS_ERROR_BYTES, "%s%s%s: %s", what, file ? " " : "", file ? file : "", why ? why : "unknown reason");
	ERR_clear_error();
}

/* ---- sessions of peers we connect to: one per address and name, the newest ---- */

struct kept {
	uint64_t key;
	SSL_SESSION *s;
};

static struct kept *kept_for(struct tls_context *t, uint64_t key)
{
	return &t->kept[key % SESSIONS_MAX];
}

void tls_session_keep(struct tls_context *t, uint64_t key, SSL_SESSION *s)
{
	struct kept *k = kept_for(t, key);

	pthread_mutex_lock(&t->lock);
	SSL_SESSION_free(k->s);
	*k = (struct kept){ key, s };
	pthread_mutex_unlock(&t->lock);
}

/* A ticket of TLS 1.3 serves once (RFC 8446 §C.4): it is taken out. */
SSL_SESSION *tls_session_take(struct tls_context *t, uint64_t key)
{
	struct kept *k = kept_for(t, key);
	SSL_SESSION *s = NULL;

	pthread_mutex_lock(&t->lock);
	if (k->s && k->key == key) {
		s = k->s;
		k->s = NULL;
	}
	pthread_mutex_unlock(&t->lock);
	return s;
}

/* ---- SNI ---- */

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	struct tls_context *t = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	for (size_t i = 0; i < t->n_more; i++) {
		if (!tls_cert_names(SSL_CTX_get0_certificate(t->more[i]), str_from_c(name)))
			continue;
		SSL_set_SSL_CTX(ssl, t->more[i]);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_OK;			/* the first certificate serves whoever asks for another name */
}

/* ---- building ---- */

static int on_verify(int ok, X509_STORE_CTX *ctx)
{
	(void)ctx;
	return ok;
}

static SSL_CTX *side_new(const struct tls_config *c, const struct tls_cert *cert, bool server, char reterr[TLS_ERROR_BYTES])
{
	SSL_CTX *x = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	if (!x) {
		explain(reterr, "no TLS context", NULL);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(x, c->only_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_options(x, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(x, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	ERR_clear_error();
	if (SSL_CTX_set_cipher_list(x, TLS12_CIPHERS) != 1)
		explain(reterr, "ciphers", NULL);
	else if (cert->cert_file && SSL_CTX_use_certificate_chain_file(x, cert->cert_file) != 1)
		explain(reterr, "certificate", cert->cert_file);
	else if (cert->key_file && SSL_CTX_use_PrivateKey_file(x, cert->key_file, SSL_FILETYPE_PEM) != 1)
		explain(reterr, "key", cert->key_file);
	else if (cert->cert_file && SSL_CTX_check_private_key(x) != 1)
		explain(reterr, "the key does not belong to", cert->cert_file);
	else if (c->ca_file && SSL_CTX_load_verify_locations(x, c->ca_file, NULL) != 1)
		explain(reterr, "certificate authorities", c->ca_file);
	else if (!c->ca_file && SSL_CTX_set_default_verify_paths(x) != 1)
		explain(reterr, "certificate authorities of the system", NULL);
	else
		return x;
	SSL_CTX_free(x);
	return NULL;
}

static void verify_clients(SSL_CTX *x, const struct tls_config *c)
{
	int mode = c->verify_clients == TLS_VERIFY_NO ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;

	if (c->verify_clients == TLS_VERIFY_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(x, mode, on_verify);
	if (mode != SSL_VERIFY_NONE && c->ca_file)
		SSL_CTX_set_client_CA_list(x, SSL_load_client_CA_file(c->ca_file));
}

static SSL_CTX *server_new(const struct tls_config *c, const struct tls_cert *cert, char reterr[TLS_ERROR_BYTES])
{
	SSL_CTX *x = side_new(c, cert, true, reterr);

	if (!x)
		return NULL;
	verify_clients(x, c);
	SSL_CTX_set_session_id_context(x, (const unsigned char *)SESSION_ID, sizeof(SESSION_ID) - 1);
	return x;
}

static void context_free(struct obj *o)
{
	struct tls_context *t = (struct tls_context *)o;

	SSL_CTX_free(t->server);
	SSL_CTX_free(t->client);
	for (size_t i = 0; i < t->n_more; i++)
		SSL_CTX_free(t->more[i]);
	for (size_t i = 0; t->kept && i < SESSIONS_MAX; i++)
		SSL_SESSION_free(t->kept[i].s);
	free(t->kept);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

struct tls_context *tls_context_new(const struct tls_config *c, char reterr[TLS_ERROR_BYTES])
{
	struct tls_context *t = calloc(1, sizeof(*t));

	snprintf(reterr, TLS_ERROR_BYTES, "out of memory");
	if (!t)
		return NULL;
	obj_init(&t->o, context_free);
	pthread_mutex_init(&t->lock, NULL);
	t->verify_servers = c->verify_servers;
	t->kept = calloc(SESSIONS_MAX, sizeof(*t->kept));
	if (!t->kept || !(t->server = server_new(c, &c->cert, reterr)) || !(t->client = side_new(c, &c->cert, false, reterr)))
		goto fail;
	for (size_t i = 0; i < c->n_more && i < TLS_MAX_CERTS; i++) {
		t->more[i] = server_new(c, &c->more[i], reterr);
		if (!t->more[i])
			goto fail;
		t->n_more++;
	}
	SSL_CTX_set_tlsext_servername_callback(t->server, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(t->server, t);
	SSL_CTX_set_verify(t->client, c->verify_servers ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, on_verify);
	SSL_CTX_set_session_cache_mode(t->client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(t->client, tls_on_session);
	return t;
fail:
	tls_context_unref(t);
	return NULL;
}

void tls_context_unref(struct tls_context *t)
{
	obj_unref(t);
}
