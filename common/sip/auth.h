/* common/sip/auth.h - Digest and IMS-AKA.  RFC 2617, 7616, 8760 (SHA-256), 3310 (AKAv1), 4169 (AKAv2), TS 33.102 §6.3 (AKA). */
#pragma once
#include "common/sip/msg.h"

enum auth_algorithm { AUTH_MD5, AUTH_SHA256, AUTH_AKAV1_MD5, AUTH_AKAV2_MD5, AUTH_AKAV2_SHA256, AUTH_ALG_UNKNOWN };
static inline bool auth_is_aka(enum auth_algorithm a)
{
	return a == AUTH_AKAV1_MD5 || a == AUTH_AKAV2_MD5 || a == AUTH_AKAV2_SHA256;
}

struct auth_params {			/* of Authorization or WWW-Authenticate; slices, unquoted */
	struct str scheme;		/* "Digest" */
	struct str username, realm, nonce, uri, response, algorithm_text, cnonce, opaque, qop, nc, auts;
	struct str integrity_protected, stale, ck, ik;
	enum auth_algorithm algorithm;	/* absent: AUTH_MD5 */
};
/* One header value.  Tolerates folding, any order, missing quotes, blanks around '='.  -EBADMSG, -ENOTSUP (not Digest). */
int auth_params_parse(struct str value, struct auth_params *ret);
/* The Authorization that belongs to `realm` (clients.md point 2: the answered one before an empty one).
 * Returns 0, -ENOENT (none), -EBADMSG (a broken one). */
int auth_find(const struct sip_msg *m, enum sip_hdr_id id, struct str realm, struct auth_params *ret);
const char *auth_algorithm_name(enum auth_algorithm a);		/* "AKAv1-MD5" */

#define AUTH_HEX_MAX 65			/* SHA-256 in hex and the NUL */
/* H(user ":" realm ":" password); password may hold any octets (RES). */
void auth_ha1(enum auth_algorithm a, struct str user, struct str realm, struct str password, char dst[AUTH_HEX_MAX]);
/* The same with what AKA yields: AKAv1: RES is the password (RFC 3310 §3.3); AKAv2: base64 of the HMAC, with the algorithm's hash, of a
 * fixed text under RES || IK || CK (RFC 4169 §3), 16 octets each of ik and ck.  dst empty when libcrypto fails. */
void auth_aka_ha1(enum auth_algorithm a, struct str user, struct str realm, struct str res, const uint8_t ik[16], const uint8_t ck[16],
		  char dst[AUTH_HEX_MAX]);
/* The expected response for these parameters (qop empty: RFC 2069 form; auth; auth-int with body).  ha1 in hex. */
int auth_response(const struct auth_params *p, struct str ha1, struct str method, struct str body, char dst[AUTH_HEX_MAX]);
/* rspauth of Authentication-Info: the server's proof (RFC 7616 §3.5).  body: of the response. */
static inline int auth_rspauth(const struct auth_params *p, struct str ha1, struct str body, char dst[AUTH_HEX_MAX])
{
	return auth_response(p, ha1, STR_NONE, body, dst);
}
bool auth_response_matches(const struct auth_params *p, struct str ha1, struct str method, struct str body);	/* constant time */

/* Milenage, TS 35.206.  All arrays in octets. */
struct milenage_out {
	uint8_t mac_a[8], mac_s[8], res[8], ck[16], ik[16], ak[6], ak_star[6];
};
void milenage_opc(const uint8_t k[16], const uint8_t op[16], uint8_t ret_opc[16]);
void milenage(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t sqn[6],
	      const uint8_t amf[2], struct milenage_out *ret);

struct aka_vector {
	uint8_t rand[16], autn[16], xres[16], ck[16], ik[16];
	uint8_t xres_len;		/* 4..16; Milenage: 8 */
};
/* Home side: TS 33.102 §6.3.2. */
void aka_vector_make(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t sqn[6],
		     const uint8_t amf[2], struct aka_vector *ret);
/* Home side, resynchronisation (§6.3.5): checks MAC-S of AUTS (14 octets) and yields SQN_MS.  -EPERM when it is wrong. */
int aka_auts_check(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t auts[14],
		   uint8_t ret_sqn_ms[6]);
/* Phone side (§6.3.3): checks AUTN.  Returns 0; -EPERM (MAC wrong); -ESTALE (SQN not fresh: ret_auts is set).
 * sqn_ms is the highest accepted so far and moves on success. */
int aka_usim(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t autn[16],
	     uint64_t *sqn_ms, struct milenage_out *ret, uint8_t ret_auts[14]);
