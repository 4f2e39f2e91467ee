/* common/sip/auth.c - Digest: RFC 2617, RFC 7616, RFC 8760; with RES as the password RFC 3310, with what follows from RES, IK and CK
 * RFC 4169. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "common/sip/auth.h"
#include "common/util/per_thread.h"

static const char *const names[] = { "MD5", "SHA-256", "AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256", "unknown" };

const char *auth_algorithm_name(enum auth_algorithm a)
{
	return names[a];
}

static const struct {
	const char *name;
	size_t off;
} fields[] = {
#define F(n, member) { n, offsetof(struct auth_params, member) }
	F("username", username), F("realm", realm), F("nonce", nonce), F("uri", uri), F("response", response),
	F("algorithm", algorithm_text), F("cnonce", cnonce), F("opaque", opaque), F("qop", qop), F("nc", nc), F("auts", auts),
	F("integrity-protected", integrity_protected), F("stale", stale), F("ck", ck), F("ik", ik),
#undef F
};

static void take(struct auth_params *p, struct str name, struct str value)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct str *dst = (struct str *)((char *)p + fields[i].off);

		if (str_ieq_c(name, fields[i].name) && !dst->p)		/* the first one counts */
			*dst = str_make(sip_unquote(value).l ? sip_unquote(value).p : "", sip_unquote(value).l);
	}
}

int auth_params_parse(struct str value, struct auth_params *ret)
{
	struct auth_params p = { .algorithm = AUTH_MD5 };
	struct str rest = str_trim(value), one, k, v;
	size_t i = 0;

	while (i < rest.l && rest.p[i] != ' ' && rest.p[i] != '\t')
		i++;
	p.scheme = str_head(rest, i);
	if (!str_ieq(p.scheme, STR("Digest")))
		return p.scheme.l ? -ENOTSUP : -EBADMSG;
	rest = str_from(rest, i);
	while (sip_list_next(&rest, &one)) {
		if (!str_cut(one, '=', &k, &v))
			return -EBADMSG;
		v = str_trim(v);
		if (v.l && v.p[0] == '"' && (v.l < 2 || v.p[v.l - 1] != '"'))
			return -EBADMSG;
		take(&p, str_trim(k), v);
	}
	if (p.algorithm_text.l) {
		p.algorithm = AUTH_ALG_UNKNOWN;
		for (int a = AUTH_MD5; a < AUTH_ALG_UNKNOWN; a++)
			if (str_ieq_c(p.algorithm_text, names[a]))
				p.algorithm = (enum auth_algorithm)a;
	}
	*ret = p;
	return 0;
}

int auth_find(const struct sip_msg *m, enum sip_hdr_id id, struct str realm, struct auth_params *ret)
{
	int rc = -ENOENT;

	for (const struct sip_hdr *h = sip_msg_hdr(m, id); h; h = sip_msg_hdr_next(m, h)) {
		struct auth_params p;
		int one = auth_params_parse(sip_msg_hdr_value(m, h), &p);

		if (one == -EBADMSG && rc == -ENOENT)
			rc = one;
		if (one < 0 || (realm.l && p.realm.l && !str_eq(p.realm, STR("*")) && !str_ieq(p.realm, realm)))
			continue;
		/* clients.md point 2: the one with an answer before an empty one */
		if (rc != 0 || (!ret->response.l && p.response.l))
			*ret = p;
		rc = 0;
	}
	return rc;
}

/* ---- hashes ---- */

static const EVP_MD *md_of(enum auth_algorithm a)
{
	return a == AUTH_SHA256 || a == AUTH_AKAV2_SHA256 ? EVP_sha256() : EVP_md5();
}

struct hash {
	EVP_MD_CTX *c;
	bool some;
};

PER_THREAD(digest, EVP_MD_CTX, EVP_MD_CTX_new, EVP_MD_CTX_free)

static void hash_begin(struct hash *h, enum auth_algorithm a)
{
	h->c = digest();
	h->some = false;
	if (h->c)
		EVP_DigestInit_ex(h->c, md_of(a), NULL);
}

/* The parts are joined by ':'. */
static void hash_part(struct hash *h, struct str s)
{
	if (!h->c)
		return;
	if (h->some)
		EVP_DigestUpdate(h->c, ":", 1);
	h->some = true;
	if (s.l)
		EVP_DigestUpdate(h->c, s.p, s.l);
}

static void hash_end(struct hash *h, char dst[AUTH_HEX_MAX])
{
	uint8_t out[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	dst[0] = '\0';
	if (h->c && EVP_DigestFinal_ex(h->c, out, &n) == 1)
		hex_encode(out, n, dst);
}

void auth_ha1(enum auth_algorithm a, struct str user, struct str realm, struct str password, char dst[AUTH_HEX_MAX])
{
	struct hash h;

	hash_begin(&h, a);
	hash_part(&h, user);
	hash_part(&h, realm);
	hash_part(&h, password);
	hash_end(&h, dst);
}

void auth_aka_ha1(enum auth_algorithm a, struct str user, struct str realm, struct str res, const uint8_t ik[16], const uint8_t ck[16],
		  char dst[AUTH_HEX_MAX])
{
	static const char label[] = "http-digest-akav2-password";
	uint8_t key[16 + 16 + 16], mac[EVP_MAX_MD_SIZE];
	char password[EVP_MAX_MD_SIZE * 2];
	unsigned n = 0;

	dst[0] = '\0';
	if (a == AUTH_AKAV1_MD5) {
		auth_ha1(a, user, realm, res, dst);
		return;
	}
	if (res.l == 0 || res.l > 16)
		return;
	memcpy(key, res.p, res.l);
	memcpy(key + res.l, ik, 16);
	memcpy(key + res.l + 16, ck, 16);
	if (HMAC(md_of(a), key, (int)res.l + 32, (const uint8_t *)label, sizeof(label) - 1, mac, &n)) {
		base64_encode(mac, n, false, password);
		auth_ha1(a, user, realm, str_from_c(password), dst);
	}
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(mac, sizeof(mac));
	OPENSSL_cleanse(password, sizeof(password));
}

int auth_response(const struct auth_params *p, struct str ha1, struct str method, struct str body, char dst[AUTH_HEX_MAX])
{
	bool with_int = str_ieq(p->qop, STR("auth-int"));
	char ha2[AUTH_HEX_MAX], hbody[AUTH_HEX_MAX];
	struct hash h;

	if (p->algorithm == AUTH_ALG_UNKNOWN || (p->qop.l && !with_int && !str_ieq(p->qop, STR("auth"))))
		return -ENOTSUP;
	if (with_int) {
		hash_begin(&h, p->algorithm);
		hash_part(&h, body);
		hash_end(&h, hbody);
	}
	hash_begin(&h, p->algorithm);
	hash_part(&h, method);
	hash_part(&h, p->uri);
	if (with_int)
		hash_part(&h, str_from_c(hbody));
	hash_end(&h, ha2);
	hash_begin(&h, p->algorithm);
	hash_part(&h, ha1);
	hash_part(&h, p->nonce);
	if (p->qop.l) {
		hash_part(&h, p->nc);
		hash_part(&h, p->cnonce);
		hash_part(&h, p->qop);
	}
	hash_part(&h, str_from_c(ha2));
	hash_end(&h, dst);
	return dst[0] ? 0 : -ENOMEM;
}

bool auth_response_matches(const struct auth_params *p, struct str ha1, struct str method, struct str body)
{
	char want[AUTH_HEX_MAX], got[AUTH_HEX_MAX];

	if (auth_response(p, ha1, method, body, want) < 0 || !str_copy(p->response, got, sizeof(got)))
		return false;
	for (char *c = got; *c; c++)
		if (*c >= 'A' && *c <= 'F')
			*c = (char)(*c | 0x20);
	return str_const_time_eq(str_from_c(want), str_from_c(got));
}
