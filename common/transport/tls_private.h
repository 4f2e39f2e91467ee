/* common/transport/tls_private.h - between tls_context.c (contexts), tls_identity.c (whose certificate) and tls.c (connections). */
#pragma once
#include <openssl/ssl.h>
#include "common/transport/tls.h"
#include "common/util/obj.h"
#include "common/util/str.h"

struct tls_context {
	struct obj o;
	SSL_CTX *server, *client;
	SSL_CTX *more[TLS_MAX_CERTS];	/* servers for other names */
	size_t n_more;
	bool verify_servers;
	pthread_mutex_t lock;		/* of kept[] */
	struct kept *kept;
};

/* tls_context.c.  s is taken over; taken: the caller's, or NULL. */
void tls_session_keep(struct tls_context *t, uint64_t key, SSL_SESSION *s);
SSL_SESSION *tls_session_take(struct tls_context *t, uint64_t key);
/* tls.c: the peer gave us a session. */
int tls_on_session(SSL *ssl, SSL_SESSION *s);
/* tls_identity.c, RFC 5922 §7.1, §7.2: is this one of the SIP domains of the certificate (or its address, for a literal)? */
bool tls_cert_names(const X509 *cert, struct str name);
