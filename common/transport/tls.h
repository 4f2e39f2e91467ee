/* common/transport/tls.h - certificates and TLS contexts.  RFC 3261 §26.3, RFC 5922, RFC 5246, RFC 8446; row C9.
 *
 * A context is what one configuration says: our certificates (the one that fits the name asked for, SNI), whom we trust,
 * whether clients must have one.  It is immutable and counted: connections keep the one they began with, new ones take the
 * newest (transport_group_set_tls), so certificates change without losing a transaction. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_verify { TLS_VERIFY_NO, TLS_VERIFY_IF_GIVEN, TLS_VERIFY_REQUIRED };

struct tls_cert {
	const char *cert_file, *key_file;	/* PEM; cert_file with its chain */
};

struct tls_config {
	struct tls_cert cert;			/* shown when no other fits, and when we connect */
	const struct tls_cert *more;		/* chosen by SNI; the names are those in the certificates */
	size_t n_more;
	const char *ca_file;			/* PEM, whom we trust; NULL: the system's */
	enum tls_verify verify_clients;
	bool verify_servers;			/* chain, and identity by RFC 5922 §7: exactly the domain asked for, no wildcards */
	bool only_tls13;
};

#define TLS_MAX_CERTS 16u			/* tls_config.more */
#define TLS_ERROR_BYTES 512u

struct tls_context;
/* One reference, or NULL with a sentence for people in reterr (which file, why).  The configuration is not kept. */
struct tls_context *tls_context_new(const struct tls_config *c, char reterr[TLS_ERROR_BYTES]);
/* What a certificate says, for people. */
struct tls_cert_view {
	char subject[256], issuer[256], names[512], serial[64];	/* names: "DNS:a.example, IP:192.0.2.1"; empty: none */
	char fingerprint[65];				/* SHA-256, hex */
	int64_t not_before_s, not_after_s;		/* wall clock, since 1970 */
};
/* The certificates of a PEM text, in its order; what is no certificate is passed over.  How many were written. */
size_t tls_certs_view(const char *pem, struct tls_cert_view *ret, size_t max);
void tls_context_unref(struct tls_context *t);	/* NULL is fine */
