/* common/sip/secagree.c - the values of Security-Client, -Server and -Verify.  RFC 3329 §2.2; TS 33.203 annex H. */
#include <errno.h>
#include "common/sip/secagree.h"

static const char *const alg_names[SEC_N_ALGS] = {
	[SEC_ALG_NULL] = "null", [SEC_ALG_HMAC_MD5_96] = "hmac-md5-96", [SEC_ALG_HMAC_SHA1_96] = "hmac-sha-1-96",
	[SEC_ALG_AES_GMAC] = "aes-gmac",
};
static const char *const ealg_names[SEC_N_EALGS] = {
	[SEC_EALG_NULL] = "null", [SEC_EALG_DES_EDE3_CBC] = "des-ede3-cbc", [SEC_EALG_AES_CBC] = "aes-cbc",
	[SEC_EALG_AES_GCM] = "aes-gcm",
};
static const char *const mod_names[SEC_N_MODS] = { [SEC_MOD_TRANS] = "trans", [SEC_MOD_UDP_ENC_TUN] = "UDP-enc-tun" };

const char *sec_alg_name(enum sec_alg a)
{
	return alg_names[a];
}

const char *sec_ealg_name(enum sec_ealg a)
{
	return ealg_names[a];
}

const char *sec_mod_name(enum sec_mod m)
{
	return mod_names[m];
}

static int find(struct str name, const char *const names[], int n)
{
	for (int i = 0; i < n; i++)
		if (str_ieq_c(name, names[i]))
			return i;
	return -ENOTSUP;
}

int sec_alg_from_name(struct str name, enum sec_alg *ret)
{
	int i = find(name, alg_names, SEC_N_ALGS);

	if (i < 0)
		return i;
	*ret = (enum sec_alg)i;
	return 0;
}

int sec_ealg_from_name(struct str name, enum sec_ealg *ret)
{
	int i = find(name, ealg_names, SEC_N_EALGS);

	if (i < 0)
		return i;
	*ret = (enum sec_ealg)i;
	return 0;
}

/* ---- reading ---- */

static int read_spi(struct str v, uint32_t *ret)
{
	return str_to_u32(v, ret) == 0 && *ret >= SECAGREE_SPI_MIN ? 0 : -EBADMSG;
}

static int read_port(struct str v, uint16_t *ret)
{
	uint32_t n;

	if (str_to_u32(v, &n) < 0 || n == 0 || n > 65535)
		return -EBADMSG;
	*ret = (uint16_t)n;
	return 0;
}

/* qvalue of RFC 3261 §25.1: "0", "0.5", "1.000". */
static int read_q(struct str v, uint16_t *ret)
{
	unsigned scale = 100, q;

	if (!v.l || (v.p[0] != '0' && v.p[0] != '1') || v.l > 5 || (v.l > 1 && v.p[1] != '.'))
		return -EBADMSG;
	q = v.p[0] == '1' ? SECAGREE_Q_ONE : 0;
	for (size_t i = 2; i < v.l; i++, scale /= 10) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return -EBADMSG;
		q += (unsigned)(v.p[i] - '0') * scale;
	}
	if (q > SECAGREE_Q_ONE)
		return -EBADMSG;
	*ret = (uint16_t)q;
	return 0;
}

static int read_mod(struct str v, enum sec_mod *ret)
{
	int i = find(v, mod_names, SEC_N_MODS);

	if (i < 0)
		return i;
	*ret = (enum sec_mod)i;
	return 0;
}

static int must_be(struct str v, const char *what)
{
	return str_ieq_c(v, what) ? 0 : -ENOTSUP;
}

enum { P_ALG = 1, P_EALG = 2, P_SPI_C = 4, P_SPI_S = 8, P_PORT_C = 16, P_PORT_S = 32, P_Q = 64, P_PROT = 128, P_MOD = 256 };
#define P_NEEDED (P_ALG | P_SPI_C | P_SPI_S | P_PORT_C | P_PORT_S)

static int read_param(struct str name, struct str v, struct sec_agree *a, unsigned *ret_bit)
{
	static const struct {
		const char *name;
		unsigned bit;
	} names[] = {
		{ "alg", P_ALG }, { "ealg", P_EALG }, { "spi-c", P_SPI_C }, { "spi-s", P_SPI_S }, { "port-c", P_PORT_C },
		{ "port-s", P_PORT_S }, { "q", P_Q }, { "prot", P_PROT }, { "mod", P_MOD },
	};
	unsigned bit = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_ieq_c(name, names[i].name))
			bit = names[i].bit;
	*ret_bit = bit;
	switch (bit) {
	case P_ALG: return sec_alg_from_name(v, &a->alg);
	case P_EALG: return sec_ealg_from_name(v, &a->ealg);
	case P_SPI_C: return read_spi(v, &a->spi_c);
	case P_SPI_S: return read_spi(v, &a->spi_s);
	case P_PORT_C: return read_port(v, &a->port_c);
	case P_PORT_S: return read_port(v, &a->port_s);
	case P_Q: return read_q(v, &a->q);
	case P_PROT: return must_be(v, "esp");
	case P_MOD: return read_mod(v, &a->mod);
	}
	return 0;			/* digest-alg and what a later release adds */
}

int secagree_parse(struct str value, struct sec_agree *ret)
{
	struct sec_agree a = { .q = SECAGREE_Q_ONE };
	struct str mechanism, rest, one, name, v;
	unsigned seen = 0, bit;
	bool more = str_cut(value, ';', &mechanism, &rest);
	int rc;

	if (!str_ieq_c(str_trim(mechanism), "ipsec-3gpp"))
		return -ENOTSUP;
	while (more) {
		more = str_cut(rest, ';', &one, &rest);
		str_cut(one, '=', &name, &v);
		name = str_trim(name);
		v = str_trim(v);
		if (v.l >= 2 && v.p[0] == '"' && v.p[v.l - 1] == '"')
			v = str_make(v.p + 1, v.l - 2);
		rc = read_param(name, v, &a, &bit);
		if (rc < 0)
			return rc;
		if (seen & bit)		/* twice: one of them would go unread */
			return -EBADMSG;
		seen |= bit;
	}
	if ((seen & P_NEEDED) != P_NEEDED || a.spi_c == a.spi_s)
		return -EBADMSG;
	/* GCM authenticates by itself and GMAC encrypts nothing: other pairs of them mean nothing (annex H). */
	if ((a.ealg == SEC_EALG_AES_GCM) != (a.alg == SEC_ALG_NULL) || (a.alg == SEC_ALG_AES_GMAC && a.ealg != SEC_EALG_NULL))
		return -ENOTSUP;
	*ret = a;
	return 0;
}

void secagree_read(const struct sip_msg *m, enum sip_hdr_id id, struct sec_list *ret)
{
	struct sip_values it = sip_values(m, id);
	struct str v;

	ret->n = ret->others = 0;
	while (sip_values_next(&it, &v)) {
		if (ret->n < SECAGREE_MAX && secagree_parse(v, &ret->entry[ret->n]) == 0)
			ret->n++;
		else
			ret->others++;
	}
}

bool secagree_eq(const struct sec_agree *a, const struct sec_agree *b)
{
	return a->alg == b->alg && a->ealg == b->ealg && a->mod == b->mod && a->spi_c == b->spi_c && a->spi_s == b->spi_s &&
	       a->port_c == b->port_c && a->port_s == b->port_s && a->q == b->q;
}

bool secagree_same(const struct sec_list *got, const struct sec_agree *want, unsigned n_want, unsigned others)
{
	if (got->n != n_want || got->others != others)
		return false;
	for (unsigned i = 0; i < n_want; i++)
		if (!secagree_eq(&got->entry[i], &want[i]))
			return false;
	return true;
}

/* ---- writing ---- */

static void put_q(struct buf *b, unsigned q)
{
	if (q >= SECAGREE_Q_ONE)
		buf_puts(b, ";q=1.0");
	else
		buf_printf(b, ";q=0.%0*u", q % 100 == 0 ? 1 : q % 10 == 0 ? 2 : 3, q % 100 == 0 ? q / 100 : q % 10 == 0 ? q / 10 : q);
}

void secagree_put(struct buf *b, const struct sec_agree *a, bool with_q)
{
	buf_puts(b, "ipsec-3gpp");
	if (with_q)
		put_q(b, a->q);
	buf_printf(b, ";alg=%s;ealg=%s;prot=esp;mod=%s", alg_names[a->alg], ealg_names[a->ealg], mod_names[a->mod]);
	if (a->spi_c)
		buf_printf(b, ";spi-c=%u;spi-s=%u;port-c=%u;port-s=%u", a->spi_c, a->spi_s, a->port_c, a->port_s);
}
