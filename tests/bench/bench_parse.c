/* tests/bench/bench_parse.c - parses a message: see tests/bench/run.
 *
 *   bench_parse FILE         a few times, for callgrind: copies it into an arena, as the transport does, and parses it there
 *   bench_parse --ns FILE    prints the least nanoseconds of processor time, min and full
 *   --plain                  as on a processor without AVX2
 *
 * callgrind collects inside bench_parse_min() and bench_parse_full() only (--toggle-collect). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "common/sip/auth.h"
#include "common/sip/scan.h"
#include "common/util/arena.h"

#define REPEATS 3		/* the first one fills what a thread keeps */
#define ROUNDS 20
#define LOOP 200

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

/* ---- full: every header as far as it has a structure ---- */

enum kind { LIST, TOKENS, ADDRESSES, VIAS, AUTH, TEXT };	/* LIST: values with parameters */

static const uint8_t kinds[SIP_N_HDRS] = {
	[SIP_H_ROUTE] = ADDRESSES, [SIP_H_RECORD_ROUTE] = ADDRESSES, [SIP_H_PATH] = ADDRESSES, [SIP_H_SERVICE_ROUTE] = ADDRESSES,
	[SIP_H_CONTACT] = ADDRESSES, [SIP_H_PAI] = ADDRESSES, [SIP_H_PPI] = ADDRESSES, [SIP_H_PASSOCIATED_URI] = ADDRESSES,
	[SIP_H_PCALLED_PARTY_ID] = ADDRESSES, [SIP_H_PSERVED_USER] = ADDRESSES, [SIP_H_REFER_TO] = ADDRESSES,
	[SIP_H_REFERRED_BY] = ADDRESSES, [SIP_H_HISTORY_INFO] = ADDRESSES, [SIP_H_VIA] = VIAS,
	[SIP_H_AUTHORIZATION] = AUTH, [SIP_H_WWW_AUTHENTICATE] = AUTH, [SIP_H_PROXY_AUTHORIZATION] = AUTH,
	[SIP_H_PROXY_AUTHENTICATE] = AUTH,
	[SIP_H_USER_AGENT] = TEXT, [SIP_H_SERVER] = TEXT, [SIP_H_SUBJECT] = TEXT, [SIP_H_DATE] = TEXT, [SIP_H_ORGANIZATION] = TEXT,
	[SIP_H_ALLOW] = TOKENS, [SIP_H_ALLOW_EVENTS] = TOKENS, [SIP_H_SUPPORTED] = TOKENS, [SIP_H_REQUIRE] = TOKENS,
	[SIP_H_PROXY_REQUIRE] = TOKENS, [SIP_H_UNSUPPORTED] = TOKENS,
	/* parsed with the message itself */
	[SIP_H_FROM] = TEXT, [SIP_H_TO] = TEXT, [SIP_H_CALL_ID] = TEXT, [SIP_H_CSEQ] = TEXT, [SIP_H_MAX_FORWARDS] = TEXT,
	[SIP_H_CONTENT_LENGTH] = TEXT,
};

static void parameters(struct str rest)
{
	struct str name, value;

	while (sip_param_next(&rest, &name, &value))
		;
}

static int one_value(enum kind kind, struct str v)
{
	struct sip_nameaddr na;
	struct sip_via via;
	int rc = 0;

	if (kind == VIAS)
		return sip_via_parse(v, &via);
	if (kind == ADDRESSES)
		rc = sip_nameaddr_parse(v, &na);
	if (rc == 0 && kind != TOKENS)
		parameters(kind == ADDRESSES ? na.params : v);
	return rc;
}

static int one_header(const struct sip_msg *m, const struct sip_hdr *h)
{
	enum kind kind = (enum kind)kinds[h->id];
	struct str rest = sip_msg_hdr_value(m, h), v;
	struct auth_params auth;
	int rc = 0;

	if (kind == AUTH)
		(void)auth_find(m, (enum sip_hdr_id)h->id, STR("ims.mnc001.mcc001.3gppnetwork.org"), &auth);
	if (kind == VIAS && h == sip_msg_hdr(m, SIP_H_VIA))
		sip_list_next(&rest, &v);		/* the topmost one is in m->via */
	while (kind < AUTH && rc == 0 && sip_list_next(&rest, &v))
		rc = one_value(kind, v);
	return rc;
}

__attribute__((noinline)) int bench_parse_full(struct str raw)
{
	struct sip_parse_error err;
	struct sip_msg *m = NULL;
	int rc = sip_msg_parse_copy(raw, NULL, &m, &err);

	for (unsigned i = 0; rc == 0 && i < m->n_hdrs; i++)
		rc = one_header(m, &m->hdrs[i]);
	sip_msg_unref(m);
	return rc;
}

/* ---- */

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int least_ns(int (*fn)(struct str raw), struct str raw, double *ret)
{
	*ret = 1e18;
	for (int round = 0; round < ROUNDS; round++) {
		double ns = now_ns();

		for (int i = 0; i < LOOP; i++)
			if (fn(raw) < 0)
				return -1;
		ns = (now_ns() - ns) / LOOP;
		*ret = ns < *ret ? ns : *ret;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static char text[SIP_MSG_MAX_BYTES];
	FILE *f = argc > 1 ? fopen(argv[argc - 1], "rb") : NULL;
	struct str raw = { text, 0 };
	double min = 0, full = 0;
	int rc = 0;

	if (!f) {
		fprintf(stderr, "usage: bench_parse [--plain] [--ns] FILE\n");
		return 2;
	}
	raw.l = fread(text, 1, sizeof(text), f);
	fclose(f);
	if (strcmp(argv[1], "--plain") == 0)
		scan_set_level(SCAN_PLAIN);
	if (argc > 2 && strcmp(argv[argc - 2], "--ns") == 0) {
		rc = least_ns(bench_parse_min, raw, &min) || least_ns(bench_parse_full, raw, &full) ? -1 : 0;
		printf("%.0f %.0f\n", min, full);
	}
	for (int i = 0; i < REPEATS && rc == 0; i++) {
		rc = bench_parse_min(raw);
		if (rc == 0)
			rc = bench_parse_full(raw);
	}
	if (rc < 0)
		fprintf(stderr, "%s is not parsed: %d\n", argv[argc - 1], rc);
	return rc < 0;
}
