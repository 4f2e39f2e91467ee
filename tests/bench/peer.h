/* tests/bench/peer.h - main() of a program that parses one message with another library, as bench_parse.c does with ours:
 *
 *   PROGRAM FILE          a few times, for callgrind
 *   PROGRAM --ns FILE     the least nanoseconds of processor time for one
 *
 * The library's file defines peer_init() and peer_parse(). */
#pragma once
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PEER_REPEATS 3			/* as bench_parse.c */
#define PEER_ROUNDS 20
#define PEER_LOOP 200

int peer_init(void);
int peer_parse(const char *text, size_t l);		/* all of it, and gives it back; 0 or -1 */

static double peer_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	static char text[65536];
	FILE *f = argc > 1 ? fopen(argv[argc - 1], "rb") : NULL;
	double best = 1e18;
	size_t l;

	if (!f || peer_init() < 0) {
		fprintf(stderr, "usage: PROGRAM [--ns] FILE\n");
		return 2;
	}
	l = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	if (argc == 2) {
		for (int i = 0; i < PEER_REPEATS; i++)
			if (peer_parse(text, l) < 0)
				return 1;
		return 0;
	}
	for (int round = 0; round < PEER_ROUNDS; round++) {
		double from = peer_ns();

		for (int i = 0; i < PEER_LOOP; i++)
			if (peer_parse(text, l) < 0)
				return 1;
		from = (peer_ns() - from) / PEER_LOOP;
		best = from < best ? from : best;
	}
	printf("%.0f\n", best);
	return 0;
}
