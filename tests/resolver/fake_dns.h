/* tests/resolver/fake_dns.h - a DNS server on the test's own loop: it answers from rows, fails or stays silent on order. */
#pragma once
#include "common/loop/loop.h"
#include "common/util/addr.h"

#define FAKE_DNS_MAX_ROWS 16

struct fake_dns_row {
	const char *name;		/* "host.test" */
	uint16_t type;			/* 1 A, 33 SRV, 35 NAPTR */
	uint32_t ttl_s;
	const char *data;		/* "10.0.0.1"; "prio weight port target"; "order pref flag service replacement" */
};

struct fake_dns {
	struct loop_fd f;
	struct loop *l;
	struct addr a;			/* where it listens */
	const struct fake_dns_row *rows;
	size_t n_rows;
	enum { FAKE_DNS_SERVES, FAKE_DNS_SILENT, FAKE_DNS_SERVFAIL, FAKE_DNS_GARBAGE } mode;
	unsigned asked;			/* questions seen */
};

void fake_dns_open(struct fake_dns *d, struct loop *l, const struct fake_dns_row *rows, size_t n);
void fake_dns_close(struct fake_dns *d);
