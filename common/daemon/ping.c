/* common/daemon/ping.c - POST /api/v1/sip/ping: OPTIONS to a next hop (RFC 3261 §11), who answers it and after how long. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"
#include "common/proxy/uac.h"
#include "common/util/clock.h"
#include "common/util/rand.h"

#define WAIT_MS 4000u
#define MAX_WAIT_MS 32000u
#define TAG_CHARS 10

struct ping {
	struct ask *a;
	uint64_t began_us;
};

static void on_answer(void *arg, unsigned status, const struct sip_msg *m)
{
	struct ping *p = arg;
	struct ask *a = p->a;
	cJSON *o = cJSON_CreateObject();
	char text[SIP_FLOW_STRLEN], *reason;

	cJSON_AddStringToObject(o, "uri", strchr(a->key, ' ') + 1);
	cJSON_AddBoolToObject(o, "answered", m != NULL);
	cJSON_AddNumberToObject(o, "ms", (double)(clock_mono_us() - p->began_us) / 1000.0);
	if (m) {
		reason = str_dup(m->reason);
		cJSON_AddNumberToObject(o, "status", status);
		cJSON_AddStringToObject(o, "reason", reason ? reason : "");
		cJSON_AddStringToObject(o, "answeredBy", sip_flow_fmt(&m->flow, text));
		free(reason);
	} else {
		cJSON_AddStringToObject(o, "why", status == 408 ? "nobody answered in time" : "it could not be sent: no address, or refused");
	}
	a->status = 200;
	a->json = o;
	free(p);
	ask_done(a);
}

static struct bytes *options(struct worker *w, struct str uri)
{
	char call_id[STACK_CALL_ID_STRLEN], tag[TAG_CHARS + 1];
	struct str us = stack_sip_name(w->stack);
	struct buf b;

	stack_call_id(w, call_id);
	rand_token(tag, TAG_CHARS);
	tag[TAG_CHARS] = '\0';
	buf_init(&b, 4096);
	buf_printf(&b, "OPTIONS %.*s SIP/2.0\r\nMax-Forwards: 70\r\nFrom: <sip:%.*s>;tag=%s\r\nTo: <%.*s>\r\nCall-ID: %s\r\n"
		       "CSeq: 1 OPTIONS\r\nContact: <sip:%.*s>\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n",
		   STR_ARG(uri), STR_ARG(us), tag, STR_ARG(uri), call_id, STR_ARG(us));
	return buf_take(&b);
}

/* key: "TIMEOUT URI" */
static void ping_here(struct worker *w, struct ask *a)
{
	struct str wait, uri;
	struct sip_uri parsed;
	struct bytes *wire;
	struct ping *p;
	uint32_t ms = WAIT_MS;

	str_cut(str_from_c(a->key), ' ', &wait, &uri);
	str_to_u32(wait, &ms);
	a->status = 400;
	snprintf(a->cause, sizeof(a->cause), "INVALID_URI");
	snprintf(a->detail, sizeof(a->detail), "uri is no SIP URI that can be asked");
	if (str_chr(uri, '>') >= 0 || str_chr(uri, '<') >= 0 || sip_uri_parse(uri, &parsed, NULL) < 0)
		return;
	p = calloc(1, sizeof(*p));
	wire = options(w, uri);
	if (p)
		*p = (struct ping){ a, clock_mono_us() };
	a->later = true;
	if (!p || !wire || !uac_send(w->proxy, bytes_str(wire), TX_CORE, ms, on_answer, p)) {
		a->later = false;
		free(p);
	}
	bytes_unref(wire);
}

static void post_ping(void *u, struct http_req *r)
{
	const cJSON *doc = http_json(r), *uri = doc ? cJSON_GetObjectItemCaseSensitive(doc, "uri") : NULL, *wait;
	struct stack *s = u;
	char key[400];

	if (!doc)
		return;
	wait = cJSON_GetObjectItemCaseSensitive(doc, "timeoutMs");
	if (!cJSON_IsString(uri) || strlen(uri->valuestring) > 360 || strpbrk(uri->valuestring, " \t\r\n\"")) {
		http_problem(r, 422, "INVALID_URI", "uri must be a SIP URI");
	} else if (wait && (!cJSON_IsNumber(wait) || wait->valuedouble < 100 || wait->valuedouble > MAX_WAIT_MS)) {
		http_problem(r, 422, "INVALID_TIME", "timeoutMs is 100 to %u", MAX_WAIT_MS);
	} else {
		snprintf(key, sizeof(key), "%u %s", wait ? (unsigned)wait->valuedouble : WAIT_MS, uri->valuestring);
		stack_ask(s, r, &s->workers[0].w, str_from_c(key), ping_here);
	}
}

const struct http_route ping_routes[] = {
	{ "POST", "/api/v1/sip/ping", HTTP_OPERATE, post_ping,
	  "Sends OPTIONS to uri, as requests of this node go there, and says who answered what after how long; timeoutMs is 4000 when absent." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
