/* tests/bench/bench_store.c - bench_store_scscf DIR N, bench_store_pcscf DIR N: puts N registrations (bindings) into a state directory as the daemon
 * does, and says as JSON what that cost: processor time of the owner for one, of the whole process with its commits, octets on disk. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include "common/log/log.h"
#include "tests/bench/bench_store.h"

#define DOMAIN "ims.mnc001.mcc001.3gppnetwork.org"

static double cpu_us(clockid_t c)
{
	struct timespec t;

	clock_gettime(c, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void bench_user(struct bench_user *u, unsigned i)
{
	snprintf(u->impi, sizeof(u->impi), "00101%010u@" DOMAIN, i);
	snprintf(u->impu, sizeof(u->impu), "sip:00101%010u@" DOMAIN, i);
	snprintf(u->number, sizeof(u->number), "sip:+49152%06u@" DOMAIN, i);
	snprintf(u->tel, sizeof(u->tel), "tel:+49152%06u", i);
	snprintf(u->address, sizeof(u->address), "10.%u.%u.%u:5060", i >> 16 & 255, i >> 8 & 255, i & 255);
	snprintf(u->contact, sizeof(u->contact), "sip:00101%010u@%s", i, u->address);
	snprintf(u->path, sizeof(u->path), "<sip:AQAAAGNLpUJ3zZ-zxEVj8m-QNMe2Nk%02u@pcscf." DOMAIN ":5060;lr>", i % 100);
	snprintf(u->call_id, sizeof(u->call_id), "BnuPqFLo1wIYyrJIZINK8NN%09u", i);
}

int main(int argc, char **argv)
{
	struct store_config c = { .max_bytes = UINT64_C(4) << 30, .max_pending_bytes = 1 << 30, .journal_bytes = 4 << 20, .commit_ms = 500 };
	double began, own = 0;
	struct store *s;
	char file[4096];
	struct stat st;
	unsigned n;

	if (argc != 3)
		return 2;
	c.dir = argv[1];
	n = (unsigned)atoi(argv[2]);
	log_open("bench", LOG_TEXT, LOG_WARN);
	if (store_open(&s, &c, 1) < 0 || store_start(s) < 0)
		return 1;
	began = cpu_us(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned i = 0; i < n; i++) {
		double t = cpu_us(CLOCK_THREAD_CPUTIME_ID);

		if (bench_put(store_port(s, 0), i) < 0)
			return 1;
		own += cpu_us(CLOCK_THREAD_CPUTIME_ID) - t;
		if (i % 500 == 499)
			store_flush(s);		/* a thousand a second, twice a second */
	}
	store_close(s);
	snprintf(file, sizeof(file), "%s/state.mdb", argv[1]);
	if (stat(file, &st) < 0)
		return 1;
	printf("{\"records\": %u, \"owner_us\": %.2f, \"process_us\": %.2f, \"octets\": %.0f}\n", n, own / n,
	       (cpu_us(CLOCK_PROCESS_CPUTIME_ID) - began) / n, (double)st.st_size / n);
	return 0;
}
