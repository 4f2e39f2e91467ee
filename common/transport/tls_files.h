/* common/transport/tls_files.h - OpenSSL contexts from PEM files for connections that are not SIP: HTTP/2, Redis.  SIP has contexts of its
 * own (tls.h), since its certificates name domains (RFC 5922). */
#pragma once
#include <openssl/ssl.h>
#include "common/util/str.h"

struct tls_files {
	const char *cert_file, *key_file;	/* NULL: a client shows none */
	const char *ca_file;			/* whom we trust; NULL: the system's */
	bool verify;				/* a server asks for certificates; a client holds the chain and the name against its own */
};
#define TLS_FILES_ERROR_BYTES 256u
/* TLS 1.2 at least.  NULL with a sentence for people in reterr (which file, why). */
SSL_CTX *tls_files_context(const struct tls_files *f, bool server, char reterr[TLS_FILES_ERROR_BYTES]);
/* The name that the peer's certificate must have (RFC 9110 §4.3.4): a host name, or an address with or without brackets; asked for by SNI
 * when it is a host name. */
bool tls_expect_name(SSL *ssl, struct str name);
