/* tests/transport/certs.h - certificates made for a test, as PEM files in a folder of their own. */
#pragma once

#define CERT_PATH 128

struct cert_files {
	char cert[CERT_PATH], key[CERT_PATH];
};

/* dir: "/tmp/...XXXXXX", made.  Removed again by certs_remove(). */
void certs_dir(char *dir);
void certs_remove(const char *dir);
/* An authority "NAME.pem", and a certificate it signs: cn may be NULL; san as in openssl.cnf ("DNS:a,URI:sip:b") or NULL;
 * from_days, to_days: validity, relative to now. */
void certs_authority(const char *dir, const char *name, struct cert_files *ret);
void certs_make(const char *dir, const char *name, const char *authority, const char *cn, const char *san, int from_days, int to_days,
		struct cert_files *ret);
