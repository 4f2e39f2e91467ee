/* tests/fuzz/fuzz_dns.c - our own reader of DNS answers (the least TTL): never past the end, never for ever.  REG-14. */
#include <errno.h>
#include "common/resolver/private.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
	uint32_t ttl = 0xdeadbeef;
	int rc = dns_min_ttl(data, size, &ttl);

	MUST(rc == 0 || rc == -ENOENT || rc == -EBADMSG);
	MUST(rc == 0 ? ttl < 0x80000000u : ttl == 0xdeadbeef);
}
