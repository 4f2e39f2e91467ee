/* common/transport/tls_view.c - what certificates say, for people. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "common/transport/tls.h"
#include "common/util/bytes.h"

static void name_text(const X509_NAME *name, char *dst, size_t size)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long l;

	dst[0] = '\0';
	if (!b)
		return;
	X509_NAME_print_ex(b, (X509_NAME *)(uintptr_t)name, 0, XN_FLAG_RFC2253);
	l = BIO_get_mem_data(b, &p);
	if (l > 0)
		snprintf(dst, size, "%.*s", (int)l, p);
	BIO_free(b);
}

static void names_text(X509 *cert, char *dst, size_t size)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long l;

	dst[0] = '\0';
	for (int i = 0; b && i < sk_GENERAL_NAME_num(all); i++) {
		if (i)
			BIO_puts(b, ", ");
		GENERAL_NAME_print(b, sk_GENERAL_NAME_value(all, i));
	}
	l = b ? BIO_get_mem_data(b, &p) : 0;
	if (l > 0)
		snprintf(dst, size, "%.*s", (int)l, p);
	BIO_free(b);
	GENERAL_NAMES_free(all);
}

static int64_t seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void hex_of(const unsigned char *p, size_t n, char *dst, size_t size)
{
	dst[0] = '\0';
	for (size_t i = 0; i < n && 2 * i + 2 < size; i++)
		snprintf(dst + 2 * i, size - 2 * i, "%02x", p[i]);
}

static void view(X509 *cert, struct tls_cert_view *v)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	memset(v, 0, sizeof(*v));
	name_text(X509_get_subject_name(cert), v->subject, sizeof(v->subject));
	name_text(X509_get_issuer_name(cert), v->issuer, sizeof(v->issuer));
	names_text(cert, v->names, sizeof(v->names));
	hex_of(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial), v->serial, sizeof(v->serial));
	if (X509_digest(cert, EVP_sha256(), md, &n))
		hex_of(md, n, v->fingerprint, sizeof(v->fingerprint));
	v->not_before_s = seconds_of(X509_get0_notBefore(cert));
	v->not_after_s = seconds_of(X509_get0_notAfter(cert));
}

size_t tls_certs_view(const char *pem, struct tls_cert_view *ret, size_t max)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	size_t n = 0;
	X509 *cert;

	while (b && n < max && (cert = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		view(cert, &ret[n++]);
		X509_free(cert);
	}
	BIO_free(b);
	return n;
}
