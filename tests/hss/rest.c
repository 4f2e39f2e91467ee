/* tests/hss/rest.c - the control interface: subscribers, RTR and PPR to order, misbehaviour, counters. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/daemon.h"
#include "common/diameter/dia.h"
#include "tests/hss/hss.h"
#include "tests/hss/state.h"

/* ---- probes ---- */

/* Ready without any peer: they come and go. */
static void get_readyz(void *u, struct http_req *r)
{
	struct hss *h = u;
	cJSON *doc = cJSON_CreateObject();

	cJSON_AddBoolToObject(doc, "ready", true);
	cJSON_AddNumberToObject(doc, "subscribers", (double)h->subs->n);
	http_reply_json(r, 200, doc);
}

/* ---- subscribers ---- */

static const char *state_name(const struct sub *b)
{
	static const char *const names[] = { "not-registered", "registered", "unregistered" };

	if (b->d.auth_pending && b->d.state == SUB_NOT_REGISTERED)
		return "auth-pending";
	return names[b->d.state];
}

static cJSON *counters(const struct sub_counters *n)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "uar", n->uar);
	cJSON_AddNumberToObject(o, "lir", n->lir);
	cJSON_AddNumberToObject(o, "mar", n->mar);
	cJSON_AddNumberToObject(o, "sar", n->sar);
	cJSON_AddNumberToObject(o, "vectors", n->vectors);
	cJSON_AddNumberToObject(o, "resyncs", n->resyncs);
	return o;
}

static const char *authentication(const struct sub *b)
{
	if (b->set > 1)
		return "of the first set";
	if (b->aka)
		return b->password ? "AKA or SIP Digest" : "AKA";
	return b->password ? "SIP Digest" : "none";
}

/* No key and no password ever. */
static cJSON *show(const struct sub *b)
{
	cJSON *o = cJSON_CreateObject(), *ids;
	char sqn[16];

	cJSON_AddStringToObject(o, "impi", b->impi);
	ids = cJSON_AddArrayToObject(o, "impus");
	for (unsigned i = 0; i < b->n_impus; i++) {
		cJSON *id = cJSON_CreateObject();

		cJSON_AddStringToObject(id, "uri", b->impu[i].uri);
		cJSON_AddBoolToObject(id, "barred", b->impu[i].barred);
		cJSON_AddItemToArray(ids, id);
	}
	if (b->set > 1)
		cJSON_AddNumberToObject(o, "set", b->set);
	cJSON_AddStringToObject(o, "authentication", authentication(b));
	cJSON_AddStringToObject(o, "state", state_name(b));
	cJSON_AddBoolToObject(o, "authPending", b->d.auth_pending);
	if (b->d.server_name)
		cJSON_AddStringToObject(o, "serverName", b->d.server_name);
	if (b->d.server_host)
		cJSON_AddStringToObject(o, "serverHost", b->d.server_host);
	snprintf(sqn, sizeof(sqn), "%012llx", (unsigned long long)b->d.sqn);
	cJSON_AddStringToObject(o, "sqn", sqn);
	cJSON_AddItemToObject(o, "counters", counters(&b->n));
	return o;
}

static void get_subscribers(void *u, struct http_req *r)
{
	struct hss *h = u;
	struct str cursor, state = http_query(r, "state");
	cJSON *items;
	uint64_t after = 0;
	unsigned limit;
	char next[32];
	size_t i;

	if (!http_page(r, &limit, &cursor))
		return;
	if (cursor.l && str_to_u64(cursor, &after) < 0) {
		http_problem(r, 400, "INVALID_QUERY_PARAM", "cursor is not one of ours");
		return;
	}
	items = cJSON_CreateArray();
	for (i = subs_after(h->subs, after); i < h->subs->n && limit; i++) {
		struct sub *b = h->subs->v[i];

		hss_refresh(h, b);
		after = b->id;
		if (state.l && !str_eq_c(state, state_name(b)))
			continue;
		cJSON_AddItemToArray(items, show(b));
		limit--;
	}
	snprintf(next, sizeof(next), "%llu", (unsigned long long)after);
	http_reply_page(r, items, i < h->subs->n ? next : NULL);
}

static struct sub *named(struct hss *h, struct http_req *r)
{
	struct sub *b = subs_by_impi(h->subs, http_param(r, "impi"));

	if (!b)
		b = subs_by_impu(h->subs, http_param(r, "impi"), NULL);
	if (!b)
		http_problem(r, 404, "SUBSCRIBER_UNKNOWN", "there is no such subscriber");
	hss_refresh(h, b);
	return b;
}

static void get_subscriber(void *u, struct http_req *r)
{
	struct sub *b = named(u, r);

	if (b)
		http_reply_json(r, 200, show(b));
}

static void delete_subscriber(void *u, struct http_req *r)
{
	struct hss *h = u;
	struct sub *b = named(h, r);

	if (!b)
		return;
	if (h->state)
		state_del(h->state, b->name);
	subs_del(h->subs, b);
	http_reply(r, 204, NULL, STR_NONE);
}

/* ---- a subscriber from JSON ---- */

struct json_reader {
	struct sub_spec spec;
	char numbers[N_SUB_FIELDS][SUB_MAX_LIST][24];
	char why[1024];
	size_t l;
};

static void add_why(struct json_reader *j, const char *text)
{
	int n = snprintf(j->why + j->l, sizeof(j->why) - j->l, "%s%s", j->l ? "; " : "", text);

	j->l = n > 0 && j->l + (size_t)n < sizeof(j->why) ? j->l + (size_t)n : sizeof(j->why) - 1;
}

static void on_mistake(void *arg, const struct sub_spec *s, enum sub_field f, const char *text)
{
	(void)s, (void)f;
	add_why(arg, text);
}

static bool take_item(struct json_reader *j, enum sub_field f, const cJSON *v)
{
	struct sub_value *dst = &j->spec.f[f];

	if (dst->n == SUB_MAX_LIST)
		return false;
	if (cJSON_IsString(v)) {
		dst->v[dst->n++] = str_from_c(v->valuestring);
	} else if (cJSON_IsBool(v)) {
		dst->v[dst->n++] = cJSON_IsTrue(v) ? STR("true") : STR("false");
	} else if (cJSON_IsNumber(v)) {
		snprintf(j->numbers[f][dst->n], sizeof(j->numbers[f][0]), "%.0f", v->valuedouble);
		dst->v[dst->n] = str_from_c(j->numbers[f][dst->n]);
		dst->n++;
	} else {
		return false;
	}
	return true;
}

static void take_member(struct json_reader *j, const cJSON *m)
{
	char text[160];
	bool ok = true;
	int f = 0;

	while (f < N_SUB_FIELDS && (sub_fields[f].template_only || strcmp(sub_fields[f].json, m->string) != 0))
		f++;
	if (f == N_SUB_FIELDS) {
		snprintf(text, sizeof(text), "unknown key \"%.80s\"", m->string);
		add_why(j, text);
		return;
	}
	if (cJSON_IsArray(m) && sub_fields[f].list)
		for (const cJSON *v = m->child; v; v = v->next)
			ok = ok && take_item(j, (enum sub_field)f, v);
	else
		ok = take_item(j, (enum sub_field)f, m);
	if (!ok) {
		snprintf(text, sizeof(text), "%s has the wrong kind of value", m->string);
		add_why(j, text);
	}
}

static void post_subscriber(void *u, struct http_req *r)
{
	struct hss *h = u;
	cJSON *body = http_json(r);
	struct json_reader *j;
	struct sub *b = NULL;
	int rc = -EINVAL;

	if (!body)
		return;
	j = calloc(1, sizeof(*j));
	if (!j) {
		http_problem(r, 500, "OUT_OF_MEMORY", "out of memory");
		return;
	}
	if (!cJSON_IsObject(body))
		add_why(j, "a subscriber is an object");
	for (const cJSON *m = body->child; cJSON_IsObject(body) && m; m = m->next)
		take_member(j, m);
	if (j->l == 0)
		rc = subs_add(h->subs, &j->spec, on_mistake, j, &b);
	if (rc < 0) {
		http_problem(r, rc == -EEXIST ? 409 : rc == -EINVAL ? 400 : 500, rc == -EEXIST ? "ALREADY_THERE" : "INVALID_BODY", "%s",
			     j->l ? j->why : "out of memory");
	} else {
		b->by_rest = true;
		if (h->state)
			state_get(h->state, h->subs, b);
		http_reply_json(r, 201, show(b));
	}
	explicit_bzero(j, sizeof(*j));
	free(j);
}

/* ---- RTR and PPR ---- */

struct pushed {
	struct hss *h;
	struct http_req *req;
	char impi[512];
};

static void add_text(cJSON *list, struct str s)
{
	char text[512];

	str_copy(s, text, sizeof(text));
	cJSON_AddItemToArray(list, cJSON_CreateString(text));
}

static void on_pushed(void *arg, const struct push_result *p)
{
	struct pushed *w = arg;
	const struct sub *b = subs_by_impi(w->h->subs, str_from_c(w->impi));
	cJSON *doc = cJSON_CreateObject(), *list;

	if (p->result.err) {
		cJSON_AddStringToObject(doc, "error", strerror(-p->result.err));
	} else {
		cJSON_AddNumberToObject(doc, p->result.experimental ? "experimentalCode" : "resultCode", p->result.code);
		cJSON_AddStringToObject(doc, "result", cx_result_name(p->result.code, p->result.experimental));
	}
	list = cJSON_AddArrayToObject(doc, "associatedIdentities");
	for (unsigned i = 0; p->rta && i < p->rta->associated_impis.n; i++)
		add_text(list, p->rta->associated_impis.v[i]);
	list = cJSON_AddArrayToObject(doc, "emergencyIdentities");
	for (unsigned i = 0; p->rta && i < p->rta->n_emergency; i++)
		add_text(list, p->rta->emergency[i].impu);
	if (b)
		cJSON_AddStringToObject(doc, "state", state_name(b));
	http_reply_json(w->req, p->result.err ? 504 : 200, doc);
	free(w);
}

static struct pushed *wait_for(struct hss *h, struct http_req *r, const struct sub *b)
{
	struct pushed *w = calloc(1, sizeof(*w));

	if (!w) {
		http_problem(r, 500, "OUT_OF_MEMORY", "out of memory");
		return NULL;
	}
	w->h = h;
	w->req = r;
	str_copy(str_from_c(b->name), w->impi, sizeof(w->impi));
	return w;
}

static void started(struct pushed *w, int rc)
{
	if (rc == 0) {
		http_suspend(w->req);
		return;
	}
	if (rc == -ENOTCONN)
		http_problem(w->req, 409, "NO_SERVER_ASSIGNED", "no S-CSCF serves this subscriber");
	else if (rc == -EMSGSIZE)
		http_problem(w->req, 409, "PROFILE_TOO_LARGE", "the profile does not fit a Diameter message");
	else
		http_problem(w->req, 500, "OUT_OF_MEMORY", "out of memory");
	free(w);
}

static bool read_impus(struct http_req *r, const cJSON *body, struct cx_strs *ret)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(body, "impus");

	for (const cJSON *v = list ? list->child : NULL; v; v = v->next) {
		if (!cJSON_IsString(v) || ret->n == CX_MAX_LIST)
			break;
		ret->v[ret->n++] = str_from_c(v->valuestring);
	}
	if (!list || (cJSON_IsArray(list) && (unsigned)cJSON_GetArraySize(list) == ret->n))
		return true;
	http_problem(r, 400, "INVALID_BODY", "impus must be a list of public identities");
	return false;
}

static void post_rtr(void *u, struct http_req *r)
{
	struct hss *h = u;
	struct sub *b = named(h, r);
	struct push_order o = { 0 };
	const cJSON *body = NULL, *code, *info;
	struct pushed *w;

	if (!b || (http_body(r).l && !(body = http_json(r))))
		return;
	code = cJSON_GetObjectItemCaseSensitive(body, "reasonCode");
	info = cJSON_GetObjectItemCaseSensitive(body, "reasonInfo");
	if ((code && (!cJSON_IsNumber(code) || code->valuedouble < 0 || code->valuedouble > 3)) || (info && !cJSON_IsString(info))) {
		http_problem(r, 400, "INVALID_BODY", "reasonCode must be 0 to 3, reasonInfo a text");
		return;
	}
	if (!read_impus(r, body, &o.impus))
		return;
	o.reason_code = code ? (uint32_t)code->valuedouble : 0;
	o.reason_info = info ? str_from_c(info->valuestring) : STR_NONE;
	w = wait_for(h, r, b);
	if (w)
		started(w, push_rtr(h, b, &o, on_pushed, w));
}

static void post_ppr(void *u, struct http_req *r)
{
	struct hss *h = u;
	struct sub *b = named(h, r);
	const cJSON *body = NULL, *text;
	struct pushed *w;

	if (!b || (http_body(r).l && !(body = http_json(r))))
		return;
	text = cJSON_GetObjectItemCaseSensitive(body, "userData");
	if (text && (!cJSON_IsString(text) || strlen(text->valuestring) > BEHAVE_MAX_USER_DATA)) {
		http_problem(r, 400, "INVALID_BODY", "userData must be a text of up to %u octets", BEHAVE_MAX_USER_DATA);
		return;
	}
	w = wait_for(h, r, b);
	if (w)
		started(w, push_ppr(h, b, text ? str_from_c(text->valuestring) : STR_NONE, on_pushed, w));
}

/* ---- misbehaviour, counters ---- */

static void get_behaviour(void *u, struct http_req *r)
{
	http_reply_json(r, 200, behave_to_json(&((struct hss *)u)->behave));
}

static void put_behaviour(void *u, struct http_req *r)
{
	struct hss *h = u;
	const cJSON *body = http_json(r);
	char why[200];

	if (!body)
		return;
	if (behave_from_json(&h->behave, body, why) < 0)
		http_problem(r, 400, "INVALID_BODY", "%s", why);
	else
		http_reply_json(r, 200, behave_to_json(&h->behave));
}

static void get_counters(void *u, struct http_req *r)
{
	struct hss *h = u;
	cJSON *doc = cJSON_CreateObject(), *o;
	struct hss_totals t;

	hss_totals(h, &t);
	cJSON_AddItemToObject(doc, "commands", hss_count_to_json(h->count));
	cJSON_AddNumberToObject(doc, "retransmitted", (double)h->retransmitted);
	o = cJSON_AddObjectToObject(doc, "subscribers");
	cJSON_AddNumberToObject(o, "total", (double)h->subs->n);
	cJSON_AddNumberToObject(o, "registered", (double)t.registered);
	cJSON_AddNumberToObject(o, "unregistered", (double)t.unregistered);
	cJSON_AddNumberToObject(o, "authPending", (double)t.auth_pending);
	http_reply_json(r, 200, doc);
}

const struct http_route hss_routes[] = {
	{ "GET", "/healthz", HTTP_OPEN, daemon_rest_healthz, "Is the process alive?" },
	{ "GET", "/readyz", HTTP_OPEN, get_readyz, "Can it serve?" },
	{ "GET", "/metrics", HTTP_OPEN, daemon_rest_metrics, "Prometheus text." },
	{ "GET", "/api/v1/diameter/peers", HTTP_VIEW, daemon_rest_peers, "Who is connected." },
	{ "GET", "/api/v1/subscribers", HTTP_VIEW, get_subscribers, "Subscribers; state= selects." },
	{ "POST", "/api/v1/subscribers", HTTP_ADMIN, post_subscriber, "Adds one." },
	{ "GET", "/api/v1/subscribers/{impi}", HTTP_VIEW, get_subscriber, "One subscriber, by private or public identity." },
	{ "DELETE", "/api/v1/subscribers/{impi}", HTTP_ADMIN, delete_subscriber, "Removes one; no RTR is sent." },
	{ "POST", "/api/v1/subscribers/{impi}/rtr", HTTP_OPERATE, post_rtr, "Sends RTR to its S-CSCF; the answer is the RTA." },
	{ "POST", "/api/v1/subscribers/{impi}/ppr", HTTP_OPERATE, post_ppr, "Sends PPR to its S-CSCF; the answer is the PPA." },
	{ "GET", "/api/v1/behaviour", HTTP_VIEW, get_behaviour, "Misbehaviour in force." },
	{ "PUT", "/api/v1/behaviour", HTTP_OPERATE, put_behaviour, "Replaces it; {} is good behaviour." },
	{ "GET", "/api/v1/counters", HTTP_VIEW, get_counters, "Answers by command and result; subscribers by state." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
