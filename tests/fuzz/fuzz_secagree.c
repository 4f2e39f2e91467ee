/* tests/fuzz/fuzz_secagree.c - one value of Security-Client, -Server or -Verify: RFC 3329 §2.2, TS 33.203 annex H.
 *
 * What is taken is complete, and written again it reads the same. */
#include <errno.h>
#include "common/sip/secagree.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	struct sec_agree a, back;
	struct buf b;
	int rc = secagree_parse(in, &a);

	MUST(rc == 0 || rc == -EBADMSG || rc == -ENOTSUP);
	if (rc < 0)
		return;
	MUST(a.alg < SEC_N_ALGS && a.ealg < SEC_N_EALGS && a.q <= SECAGREE_Q_ONE && a.spi_c != a.spi_s);
	MUST(a.spi_c >= SECAGREE_SPI_MIN && a.spi_s >= SECAGREE_SPI_MIN && a.port_c && a.port_s);
	MUST(a.alg != SEC_ALG_NULL || a.ealg == SEC_EALG_AES_GCM);		/* never without integrity */
	buf_init(&b, 512);
	secagree_put(&b, &a, true);
	MUST(!b.failed && secagree_parse(buf_str(&b), &back) == 0 && secagree_eq(&a, &back));
	buf_fini(&b);
}
