/* tests/fuzz/fuzz_dns.c - answers of a DNS server as the resolver reads them: SRV, NAPTR (expressions of ENUM, too), A, AAAA through c-ares, the least TTL by a
 * reader of our own.  Never past the end, never for ever.  REG-14. */
#include <errno.h>
#include <string.h>
#include "common/resolver/private.h"
#include "tests/fuzz/fuzz.h"

/* ENUM: RFC 6116 */
static void number(const struct rec *rec)
{
	char uri[ENUM_URI_MAX];
	bool pstn;

	enum_service(rec->service, &pstn);
	if (enum_rewrite(rec->name, STR("+4930222"), uri) == 0)
		MUST(memchr(uri, '\0', sizeof(uri)));
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { DNS_A, DNS_AAAA, DNS_SRV, DNS_NAPTR };
	struct rec rec[DNS_MAX_RECS];
	uint32_t ttl = 0xdeadbeef;
	int rc = dns_min_ttl(data, size, &ttl);

	MUST(rc == 0 || rc == -ENOENT || rc == -EBADMSG);
	MUST(rc == 0 ? ttl < 0x80000000u : ttl == 0xdeadbeef);
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		unsigned n = dns_read(types[t], data, (int)size, rec);

		MUST(n <= DNS_MAX_RECS);
		for (unsigned i = 0; i < n; i++) {
			MUST(memchr(rec[i].name, '\0', DNS_NAME_MAX) && memchr(rec[i].service, '\0', sizeof(rec[i].service)));
			MUST(types[t] != DNS_SRV || rec[i].name[0]);
			if (types[t] == DNS_NAPTR)
				number(&rec[i]);
			MUST(types[t] != DNS_A || rec[i].a.sa.sa_family == AF_INET);
		}
	}
}
