/* tests/bench/bench_state.c - what state costs: octets of a live INVITE and of a dialog, nanoseconds of a timer.
 *
 *   bench_state FILE N     N INVITEs like the one in FILE, N dialogs, a million timers; JSON to standard output
 *
 * Octets are the growth of what malloc() has given out and of the process (VmRSS), divided by N. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "common/dialog/dialog.h"
#include "tests/bench/node.h"

#define TIMERS 1000000u

struct usage {
	size_t heap, resident;
};

static struct usage usage(void)
{
	struct mallinfo2 m = mallinfo2();
	struct usage u = { .heap = m.uordblks + m.hblkhd };
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f) {
		if (fscanf(f, "%*u %lu", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	u.resident = pages * (size_t)sysconf(_SC_PAGESIZE);
	return u;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void show(const char *name, struct usage before, struct usage after, unsigned n)
{
	printf("\"%s\": {\"heap\": %zu, \"resident\": %zu}, ", name, (after.heap - before.heap) / n,
	       (after.resident - before.resident) / n);
}

/* ---- a live INVITE ---- */

static void invites(char *text, size_t l, unsigned n)
{
	static struct wheel w;
	struct usage before, sent, ringing;
	struct node node;

	wheel_init(&w, 1000);
	if (node_ringing_init(&node, &w) < 0)
		exit(1);
	for (unsigned i = 0; i < n / 10; i++) {			/* what grows once */
		node_number(text, 0x80000000u + i);
		node_input(&node, str_make(text, l));
	}
	before = usage();
	for (unsigned i = 0; i < n; i++) {
		node_number(text, i);
		node_input(&node, str_make(text, l));
	}
	sent = usage();
	show("invite_sent", before, sent, n);
	before = usage();
	for (unsigned i = 0; i < n; i++) {
		node_number(text, 0x40000000u + i);
		node_input(&node, str_make(text, l));
		node_ring(&node);
	}
	ringing = usage();
	show("invite_ringing", before, ringing, n);
	node_fini(&node);
}

/* ---- a dialog that passes ---- */

static void dialogs(char *text, size_t l, unsigned n)
{
	static struct wheel w;
	struct dialog_table *t;
	struct usage before;

	wheel_init(&w, 1000);
	t = dialog_table_new(&w, 2 * n, 86400);
	before = usage();
	for (unsigned i = 0; t && i < n; i++) {
		struct sip_msg *m, *r;
		struct bytes *wire;

		node_number(text, i);
		m = node_parsed(str_make(text, l));
		wire = sip_reply_make(m, 200, NULL, STR("far-end-tag"), STR("Contact: <sip:far@10.0.0.1>\r\n"), STR_NONE, STR_NONE);
		r = node_parsed(bytes_str(wire));
		dialog_table_request(t, m, 0, STR("pcscf01-62f0a8b4-00000a31"));
		dialog_table_response(t, r, 0);
		dialog_table_final(t, m, 200);
		bytes_unref(wire);
		sip_msg_unref(r);
		sip_msg_unref(m);
	}
	show("dialog", before, usage(), n);
	if (t && dialog_table_count(t) != n)
		exit(1);
	dialog_table_free(t);
}

/* ---- timers ---- */

static void never(struct timer *t)
{
	(void)t;
}

static void timers(void)
{
	static struct wheel w;
	struct timer *t = calloc(TIMERS, sizeof(*t));
	uint32_t r = 12345;
	double from, best = 1e18;

	if (!t)
		exit(1);
	wheel_init(&w, 1000);
	for (unsigned i = 0; i < TIMERS; i++) {
		timer_init(&t[i], never);
		r = r * 1664525 + 1013904223;
		timer_start(&w, &t[i], 1 + (r >> 8) % 180000);
	}
	for (int run = 0; run < 5; run++) {
		from = now_ns();
		for (unsigned i = 0; i < TIMERS; i++) {
			r = r * 1664525 + 1013904223;
			timer_start(&w, &t[(r >> 4) % TIMERS], 1 + (r >> 8) % 180000);
		}
		best = (now_ns() - from) / TIMERS < best ? (now_ns() - from) / TIMERS : best;
	}
	printf("\"timers\": {\"pending\": %llu, \"rearm_ns\": %.1f}", (unsigned long long)w.n_pending, best);
	free(t);
}

int main(int argc, char **argv)
{
	static char text[SIP_MSG_MAX_BYTES];
	unsigned n = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	size_t l = n ? node_read(argv[1], text, sizeof(text)) : 0;

	if (!l) {
		fprintf(stderr, "usage: bench_state FILE N\n");
		return 2;
	}
	printf("{");
	invites(text, l, n);
	dialogs(text, l, n);
	timers();
	printf("}\n");
	return 0;
}
