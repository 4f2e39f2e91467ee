/* common/sip/secagree.h - Security-Client, Security-Server, Security-Verify.  RFC 3329 §2.2; TS 33.203 annex H; rows X1, X2.
 *
 * Only ipsec-3gpp with ESP is of use here, in transport mode or, through a NAT, in tunnel mode within UDP (annex M).  What else a list
 * holds is counted and skipped, so that an agent may offer what nobody knows yet. */
#pragma once
#include "common/sip/msg.h"
#include "common/util/bytes.h"

#define SECAGREE_MAX 32u			/* usable entries of one header; more are counted as others */
#define SECAGREE_Q_ONE 1000u			/* q in thousandths */
#define SECAGREE_SPI_MIN 256u			/* RFC 4303 §2.1: those below are reserved */

enum sec_alg { SEC_ALG_NULL, SEC_ALG_HMAC_MD5_96, SEC_ALG_HMAC_SHA1_96, SEC_ALG_AES_GMAC, SEC_N_ALGS };
enum sec_ealg { SEC_EALG_NULL, SEC_EALG_DES_EDE3_CBC, SEC_EALG_AES_CBC, SEC_EALG_AES_GCM, SEC_N_EALGS };

enum sec_mod { SEC_MOD_TRANS, SEC_MOD_UDP_ENC_TUN, SEC_N_MODS };

struct sec_agree {				/* one ipsec-3gpp entry */
	enum sec_alg alg;
	enum sec_ealg ealg;			/* absent: null */
	enum sec_mod mod;			/* absent: SEC_MOD_TRANS */
	uint16_t port_c, port_s;
	uint32_t spi_c, spi_s;
	uint16_t q;				/* absent: SECAGREE_Q_ONE */
};

struct sec_list {
	struct sec_agree entry[SECAGREE_MAX];
	unsigned n;
	unsigned others;			/* entries that are no use to us: mechanism, algorithm, mode, number */
};

/* All entries of that header, over commas and lines, in their order. */
void secagree_read(const struct sip_msg *m, enum sip_hdr_id id, struct sec_list *ret);
int secagree_parse(struct str value, struct sec_agree *ret);	/* one entry: 0, -ENOTSUP (not for us), -EBADMSG */
bool secagree_eq(const struct sec_agree *a, const struct sec_agree *b);	/* field by field, q too */
/* Same entries in the same order, and as many others besides. */
bool secagree_same(const struct sec_list *got, const struct sec_agree *want, unsigned n_want, unsigned others);
/* One entry as text, without a comma; spi and port are left out when they are 0. */
void secagree_put(struct buf *b, const struct sec_agree *a, bool with_q);
const char *sec_alg_name(enum sec_alg a);
const char *sec_ealg_name(enum sec_ealg a);
const char *sec_mod_name(enum sec_mod m);
int sec_alg_from_name(struct str name, enum sec_alg *ret);	/* 0 or -ENOTSUP */
int sec_ealg_from_name(struct str name, enum sec_ealg *ret);
