/* tests/bench/bench_criteria.c - how long the filter criteria of one user take on one request: see tests/bench/run.
 *
 *   bench_criteria FILE...     one line of JSON for each message
 *
 * Ten criteria of five conditions each, none of which fits in the end, so that all are looked at: method, session case, a header
 * that is there, one that is not, and an expression over a header or over the session description. */
#include <stdio.h>
#include <time.h>
#include "scscf/criteria.h"

#define CRITERIA 10
#define ROUNDS 20000

static const char *const last[CRITERIA] = {
	"<SIPHeader><Header>Accept-Contact</Header><Content>icsi.*(nothing|of the kind)</Content></SIPHeader>",
	"<SessionDescription><Line>m</Line><Content>^(text|message) [0-9]+ </Content></SessionDescription>",
	"<SIPHeader><Header>P-Access-Network-Info</Header><Content>^IEEE-802\\.11[abn]?</Content></SIPHeader>",
	"<RequestURI>^sip:[+]1900[0-9]{7}@</RequestURI>",
	"<SIPHeader><Header>Supported</Header><Content>[[:alpha:]]+-none</Content></SIPHeader>",
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int make(struct criteria **ret)
{
	struct buf b;
	int rc;

	buf_init(&b, CRITERIA_MAX_BYTES);
	for (unsigned i = 0; i < CRITERIA; i++)
		buf_printf(&b, "<InitialFilterCriteria><Priority>%u</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>"
			   "<SPT><ConditionNegated>1</ConditionNegated><Group>0</Group><Method>REGISTER</Method></SPT>"
			   "<SPT><Group>1</Group><SessionCase>0</SessionCase></SPT><SPT><Group>2</Group><SIPHeader><Header>Via</Header></SIPHeader></SPT>"
			   "<SPT><ConditionNegated>1</ConditionNegated><Group>3</Group><SIPHeader><Header>X-Not-There</Header></SIPHeader></SPT>"
			   "<SPT><Group>4</Group>%s</SPT></TriggerPoint><ApplicationServer><ServerName>sip:as%u.example</ServerName>"
			   "</ApplicationServer></InitialFilterCriteria>", i, last[i % 5], i);
	rc = criteria_get(NULL, buf_str(&b), ret);
	buf_fini(&b);
	return rc < 0 || (*ret)->n != CRITERIA ? -1 : 0;
}

static int measure(const struct criteria *c, const char *file)
{
	static char text[SIP_MSG_MAX_BYTES];
	struct criteria_query q = { .scase = CASE_ORIGINATING, .registered = true };
	struct sip_parse_error err;
	FILE *f = fopen(file, "rb");
	struct sip_msg *m = NULL;
	unsigned hits = 0;
	double from;
	size_t n;

	if (!f)
		return -1;
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	if (sip_msg_parse_copy(str_make(text, n), NULL, &m, &err) < 0 || !m->request) {
		sip_msg_unref(m);
		return -1;
	}
	q.m = m;
	q.ruri = m->ruri_text;
	for (unsigned i = 0; i < ROUNDS / 10; i++)
		hits += criteria_next(c, 0, &q) != CRITERIA_NONE;
	from = now_us();
	for (unsigned i = 0; i < ROUNDS; i++)
		hits += criteria_next(c, 0, &q) != CRITERIA_NONE;
	printf("{\"file\":\"%s\",\"criteria\":%d,\"conditions\":%d,\"us\":%.3f,\"hits\":%u}\n", file, CRITERIA, CRITERIA * 5,
	       (now_us() - from) / ROUNDS, hits);
	sip_msg_unref(m);
	return 0;
}

int main(int argc, char **argv)
{
	struct criteria *c = NULL;
	int rc = make(&c);

	for (int i = 1; i < argc && rc == 0; i++)
		rc = measure(c, argv[i]);
	if (rc < 0)
		fprintf(stderr, "bench_criteria: no such message, or not a request\n");
	obj_unref(c);
	return rc < 0;
}
