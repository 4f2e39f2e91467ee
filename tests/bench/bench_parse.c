/* tests/bench/bench_parse.c - parses each message given once, for callgrind: see tests/bench/run.
 *
 *   bench_parse FILE     copies the file into an arena and parses it, as the transport does, then reads what a proxy reads
 *
 * callgrind collects inside bench_parse_min() and bench_parse_full() only (--toggle-collect). */
#include <stdio.h>
#include <stdlib.h>
#include "common/sip/msg.h"
#include "common/util/arena.h"

#define REPEATS 3		/* the first ones warm caches of the C library */

int bench_parse_min(struct str raw);		/* global: --toggle-collect finds them by name */
int bench_parse_full(struct str raw);

/* The least a proxy needs: the message in its arena, start line, top Via, Call-ID, CSeq, tags, first Route. */
__attribute__((noinline)) int bench_parse_min(struct str raw)
{
	struct sip_parse_error err;
	struct sip_msg *m = NULL;
	struct sip_nameaddr route;
	int rc = sip_msg_parse_copy(raw, NULL, &m, &err);
	struct str v;

	if (rc < 0)
		return rc;
	v = sip_msg_value(m, SIP_H_ROUTE);
	if (v.l) {
		struct sip_values it = sip_values(m, SIP_H_ROUTE);

		if (sip_values_next(&it, &v))
			rc = sip_nameaddr_parse(v, &route);
	}
	sip_msg_unref(m);
	return rc;
}

static int each_nameaddr(const struct sip_msg *m, enum sip_hdr_id id)
{
	struct sip_values it = sip_values(m, id);
	struct sip_nameaddr na;
	struct str v;
	int rc = 0;

	while (rc == 0 && sip_values_next(&it, &v))
		rc = sip_nameaddr_parse(v, &na);
	return rc;
}

/* Every list of addresses and every Via brought to its structure. */
__attribute__((noinline)) int bench_parse_full(struct str raw)
{
	static const enum sip_hdr_id lists[] = { SIP_H_ROUTE, SIP_H_RECORD_ROUTE, SIP_H_PATH, SIP_H_CONTACT, SIP_H_PAI,
						 SIP_H_SERVICE_ROUTE };
	struct sip_parse_error err;
	struct sip_msg *m = NULL;
	struct sip_values it;
	struct sip_via via;
	struct str v;
	int rc = sip_msg_parse_copy(raw, NULL, &m, &err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < sizeof(lists) / sizeof(lists[0]); i++)
		rc = each_nameaddr(m, lists[i]);
	it = sip_values(m, SIP_H_VIA);
	while (rc == 0 && sip_values_next(&it, &v))
		rc = sip_via_parse(v, &via);
	sip_msg_unref(m);
	return rc;
}

int main(int argc, char **argv)
{
	static char text[SIP_MSG_MAX_BYTES];
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	struct str raw = { text, 0 };
	int rc = 0;

	if (!f) {
		fprintf(stderr, "usage: bench_parse FILE\n");
		return 2;
	}
	raw.l = fread(text, 1, sizeof(text), f);
	fclose(f);
	for (int i = 0; i < REPEATS && rc == 0; i++) {
		rc = bench_parse_min(raw);
		if (rc == 0)
			rc = bench_parse_full(raw);
	}
	if (rc < 0)
		fprintf(stderr, "%s is not parsed: %d\n", argv[1], rc);
	return rc < 0;
}
