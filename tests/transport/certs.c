/* tests/transport/certs.c - P-256 keys and X.509 certificates by OpenSSL. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "tests/check.h"
#include "tests/transport/certs.h"

void certs_dir(char *dir)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

void certs_remove(const char *dir)
{
	char path[CERT_PATH * 3];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	closedir(d);
	rmdir(dir);
}

static void paths(const char *dir, const char *name, struct cert_files *f)
{
	snprintf(f->cert, sizeof(f->cert), "%s/%s.pem", dir, name);
	snprintf(f->key, sizeof(f->key), "%s/%s.key", dir, name);
}

static EVP_PKEY *read_key(const char *path)
{
	FILE *f = fopen(path, "r");
	EVP_PKEY *k = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

	ck_assert_ptr_nonnull(k);
	fclose(f);
	return k;
}

static void extension(X509 *c, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, c, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ck_assert_ptr_nonnull(e);
	X509_add_ext(c, e, -1);
	X509_EXTENSION_free(e);
}

static void make(const struct cert_files *out, const char *cn, const char *san, int from_days, int to_days, bool is_ca,
		 const struct cert_files *by)
{
	static long serial = 1;
	EVP_PKEY *key = EVP_EC_gen("P-256"), *signer = by ? read_key(by->key) : key;
	X509 *c = X509_new(), *issuer = c;
	FILE *f;

	if (by) {
		f = fopen(by->cert, "r");
		issuer = PEM_read_X509(f, NULL, NULL, NULL);
		fclose(f);
	}
	X509_set_version(c, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c), from_days * 86400L);
	X509_gmtime_adj(X509_getm_notAfter(c), to_days * 86400L);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "O", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
	if (cn)
		X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(c, X509_get_subject_name(issuer));
	X509_set_pubkey(c, key);
	if (is_ca)
		extension(c, issuer, NID_basic_constraints, "critical,CA:TRUE");
	if (san)
		extension(c, issuer, NID_subject_alt_name, san);
	ck_assert_int_gt(X509_sign(c, signer, EVP_sha256()), 0);
	f = fopen(out->cert, "w");
	PEM_write_X509(f, c);
	fclose(f);
	f = fopen(out->key, "w");
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	if (by) {
		EVP_PKEY_free(signer);
		X509_free(issuer);
	}
	EVP_PKEY_free(key);
	X509_free(c);
}

void certs_authority(const char *dir, const char *name, struct cert_files *ret)
{
	paths(dir, name, ret);
	make(ret, name, NULL, -1, 10, true, NULL);
}

void certs_make(const char *dir, const char *name, const char *authority, const char *cn, const char *san, int from_days, int to_days,
		struct cert_files *ret)
{
	struct cert_files by;

	paths(dir, authority, &by);
	paths(dir, name, ret);
	make(ret, cn, san, from_days, to_days, false, &by);
}
