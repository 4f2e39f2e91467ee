/* tests/ports.h - a TCP port that nobody has, below those that the kernel gives away by itself. */
#pragma once
#include <netinet/in.h>
#include <unistd.h>
#include "common/util/rand.h"
#include "tests/check.h"

#define TEST_PORTS_FROM 14000u
#define TEST_PORTS 6000u

static inline unsigned test_free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	for (unsigned i = 0; i < 200; i++) {
		unsigned port = TEST_PORTS_FROM + rand_below(TEST_PORTS);
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

		a.sin_port = htons((uint16_t)port);
		rc = bind(fd, (struct sockaddr *)&a, sizeof(a));
		close(fd);
		if (rc == 0)
			return port;
	}
	ck_abort_msg("no free port");
	return 0;
}
