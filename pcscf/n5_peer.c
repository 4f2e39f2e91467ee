/* pcscf/n5_peer.c - what the PCF notifies: events, and the end of a session.  TS 29.514 §4.2.5; TS 24.229 §5.2.8; rows Q5 Q6 Q9 Q11.
 *
 *   main loop: POST notifUri/notify, notifUri/terminate -> the worker that notifUri names -> the session -> main loop: 204 or 404
 *
 * The URI holds 64 random bits: who does not know them ends nobody's call. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/http/http.h"
#include "common/log/log.h"
#include "pcscf/n5.h"

#define MAX_CONNECTIONS 64u
#define MAX_STREAMS 100u
#define IDLE_MS 600000u
#define MAX_COMPONENTS 16u

static METRIC_DEF(m_events, "cscf_pcscf_n5_events_total", METRIC_COUNTER, "What PCFs told by themselves.", "event", NULL);

struct n5_peer {
	struct pcscf *p;
	struct h2_tls *server_tls, *client_tls;
	struct h2_server *server;
};
enum notice { NOTICE_EVENTS, NOTICE_TERMINATION };
struct job {
	struct n5_peer *n;
	struct h2_req *r;
	enum notice what;
	uint64_t number;
	char *body;
	struct worker_return back;
	unsigned status;
};

/* ---- on the worker ---- */

static struct str reason_of(const char *text, char dst[128])
{
	return str_make(dst, (size_t)snprintf(dst, 128, "SIP;cause=503;text=\"%s\"", text));
}

/* Members of enumerations become words of ours: what a peer writes goes nowhere. */
static const char *termination_name(const cJSON *j)
{
	static const char *const names[][2] = {
		{ "ALL_SDF_DEACTIVATION", "all service data flows deactivated" }, { "PDU_SESSION_TERMINATION", "PDU session terminated" },
		{ "PS_TO_CS_HO", "handover to circuit switched" }, { "INSUFFICIENT_SERVER_RESOURCES", "insufficient server resources" },
		{ "INSUFFICIENT_QOS_FLOW_RESOURCES", "insufficient QoS flow resources" },
	};
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(j, "termCause");

	for (size_t i = 0; cJSON_IsString(v) && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(v->valuestring, names[i][0]) == 0)
			return names[i][1];
	return "terminated by the PCF";
}

static unsigned terminate(struct n5_session *s, const cJSON *j)
{
	const char *why = termination_name(j);
	char text[128];

	metric_add(&m_events, "terminate", NULL, 1);
	log_info(LOG_SESS, "the PCF ends a session", LOG_C("why", why), LOG_C("session", s->resource));
	if (s->call)
		policy_lost(s->call, NULL, 0, true, why, reason_of(why, text));
	else if (s->signalling)
		signalling_lost(s->pw, s->b, why);
	else
		n5_session_end(s);		/* a left-over: nobody else would, TS 29.514 §4.2.5.3 */
	return 204;
}

static void add_components(const cJSON *flows, uint32_t number[MAX_COMPONENTS], unsigned *n)
{
	const cJSON *f;

	cJSON_ArrayForEach(f, flows) {
		const cJSON *c = cJSON_GetObjectItemCaseSensitive(f, "medCompN");

		if (cJSON_IsNumber(c) && c->valuedouble >= 0 && c->valuedouble < 65536 && *n < MAX_COMPONENTS)
			number[(*n)++] = (uint32_t)c->valuedouble;
	}
}

/* Which flows: named by the event itself, or by the reports beside it (§5.6.2.9, §5.6.2.19). */
static unsigned failed_components(const cJSON *j, const cJSON *event, uint32_t number[MAX_COMPONENTS])
{
	const cJSON *report;
	unsigned n = 0;

	add_components(cJSON_GetObjectItemCaseSensitive(event, "flows"), number, &n);
	cJSON_ArrayForEach(report, cJSON_GetObjectItemCaseSensitive(j, "failedResourcAllocReports"))
		add_components(cJSON_GetObjectItemCaseSensitive(report, "flows"), number, &n);
	return n;
}

static void obey(struct n5_session *s, const cJSON *j, const cJSON *event)
{
	static const char why[] = "failed resources allocation";
	uint32_t number[MAX_COMPONENTS];
	unsigned n = failed_components(j, event, number);
	char text[128];

	log_info(LOG_SESS, "the PCF tells", LOG_C("what", why), LOG_U("components", n), LOG_C("session", s->resource));
	if (s->call)
		policy_lost(s->call, number, n, false, why, reason_of(why, text));
	else if (s->signalling && s->pw->p->cfg.policy.release_on_loss)
		signalling_lost(s->pw, s->b, why);
}

static bool is_failure(const cJSON *event)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(event, "event");

	return cJSON_IsString(v) && strcmp(v->valuestring, "FAILED_RESOURCES_ALLOCATION") == 0;
}

static unsigned notify(struct n5_session *s, const cJSON *j)
{
	const cJSON *events = cJSON_GetObjectItemCaseSensitive(j, "evNotifs"), *e, *failure = NULL;

	if (!cJSON_IsArray(events))
		return 400;
	n5_take_events(s, j);
	cJSON_ArrayForEach(e, events) {
		metric_add(&m_events, is_failure(e) ? "failed allocation" : "other", NULL, 1);
		if (is_failure(e) && !failure)
			failure = e;
	}
	if (failure)
		obey(s, j, failure);		/* last: it may end the call, and the session with it */
	return 204;
}

static void job_done(void *arg)
{
	struct job *k = arg;

	h2_reply(k->r, k->status, NULL, 0, STR_NONE);
	free(k);
}

static void on_worker(struct worker *w, void *arg)
{
	struct job *k = arg;
	struct n5_session *s = n5_session_find(pcscf_of(w)->n5, k->number);
	int err;
	cJSON *j = http_json_parse(str_from_c(k->body), &err);

	free(k->body);
	k->body = NULL;
	if (s && s->call)
		log_correlation(s->call->icid);
	if (j && s && s->orphan)		/* 404 tells the PCF that nobody is here for it (§4.2.5.2); an orphan is ended, too */
		k->status = n5_orphan_found(s, j) ? 204 : 400;
	else
		k->status = !j ? 400 : !s || s->over ? 404 : k->what == NOTICE_TERMINATION ? terminate(s, j) : notify(s, j);
	log_correlation(STR_NONE);
	cJSON_Delete(j);
	if (worker_return_main(worker_current(), w->stack, &k->back, job_done, k) < 0)
		free(k);		/* the daemon stops */
}

/* ---- on the main loop ---- */

static int read_path(struct str path, unsigned *ret_worker, uint64_t *ret_number, enum notice *ret_what)
{
	struct str worker, number, what;
	uint8_t octets[8];
	uint32_t w;
	size_t n;

	if (!str_starts(path, STR(N5_NOTIFY_PATH)))
		return -ENOENT;
	str_cut(str_from(path, sizeof(N5_NOTIFY_PATH) - 1), '/', &worker, &path);
	str_cut(path, '/', &number, &what);
	if (str_to_u32(worker, &w) < 0 || number.l != 16 || hex_decode(number, octets, sizeof(octets), &n) < 0)
		return -ENOENT;
	*ret_worker = w;
	*ret_number = 0;
	for (size_t i = 0; i < sizeof(octets); i++)
		*ret_number = *ret_number << 8 | octets[i];
	*ret_what = str_eq(what, STR("terminate")) ? NOTICE_TERMINATION : NOTICE_EVENTS;
	return str_eq(what, STR("terminate")) || str_eq(what, STR("notify")) ? 0 : -ENOENT;
}

static void on_request(void *u, struct h2_req *r)
{
	struct n5_peer *n = u;
	unsigned worker;
	uint64_t number;
	enum notice what;
	struct job *k;

	if (read_path(h2_req_path(r), &worker, &number, &what) < 0 || worker >= stack_n_workers(n->p->stack)) {
		h2_reply(r, 404, NULL, 0, STR_NONE);
		return;
	}
	if (!str_eq(h2_req_method(r), STR("POST"))) {
		h2_reply(r, 405, NULL, 0, STR_NONE);
		return;
	}
	k = calloc(1, sizeof(*k));
	if (!k || !(k->body = str_dup(h2_req_body(r)))) {
		free(k);
		h2_reply(r, 503, NULL, 0, STR_NONE);
		return;
	}
	k->n = n;
	k->r = r;
	k->what = what;
	k->number = number;
	if (worker_post(stack_worker(n->p->stack, worker), on_worker, k) == 0)
		return;
	free(k->body);
	free(k);
	h2_reply(r, 503, NULL, 0, STR_NONE);
}

/* ---- life ---- */

static int open_tls(struct n5_peer *n, const struct n5_config *c)
{
	const struct h2_tls_config t = { .cert_file = c->cert_file, .key_file = c->key_file, .ca_file = c->ca_file, .verify = true };
	char why[H2_TLS_ERROR_BYTES];

	if (c->cert_file || c->ca_file)
		n->client_tls = h2_tls_new(&t, false, why);
	if (c->tls && n->client_tls)
		n->server_tls = h2_tls_new(&t, true, why);
	if (((c->cert_file || c->ca_file) && !n->client_tls) || (c->tls && !n->server_tls)) {
		log_error(LOG_SESS, "policy.n5.tls cannot be used", LOG_C("error", why));
		return -EINVAL;
	}
	return 0;
}

int n5_peer_open(struct n5_peer **ret, struct pcscf *p)
{
	const struct n5_config *c = &p->cfg.policy.n5;
	struct h2_server_config s = { .listen = c->listen, .max_connections = MAX_CONNECTIONS, .max_streams = MAX_STREAMS, .idle_ms = IDLE_MS,
				      .request = on_request };
	struct n5_peer *n = calloc(1, sizeof(*n));
	char at[ADDR_STRLEN];
	int rc = n ? open_tls(n, c) : -ENOMEM;

	if (rc == 0) {
		n->p = p;
		s.u = n;
		s.tls = n->server_tls;
		rc = h2_server_new(&n->server, stack_main_loop(p->stack), &s);
		if (rc < 0)
			log_error(LOG_SESS, "policy.n5.listen cannot be opened", LOG_C("address", addr_fmt(&c->listen, at)), LOG_C("error", strerror(-rc)));
	}
	if (rc < 0) {
		n5_peer_close(n);
		return rc;
	}
	metrics_register(&m_events);
	*ret = n;
	return 0;
}

struct h2_tls *n5_peer_client_tls(struct n5_peer *n)
{
	return n ? n->client_tls : NULL;
}

void n5_peer_close(struct n5_peer *n)
{
	if (!n)
		return;
	h2_server_free(n->server);
	h2_tls_free(n->server_tls);
	h2_tls_free(n->client_tls);
	free(n);
}
