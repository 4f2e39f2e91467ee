/* icscf/dryrun.c - POST /api/v1/scscf-selection/dry-run: which S-CSCF would be chosen, in which order and why, and with `ask` what the
 * HSS really says of a user (UAR or LIR), in words.  Nothing is sent to an S-CSCF; MAR and SAR are not asked, they would change
 * what the HSS keeps.  TS 24.229 §5.3.1.2, §5.3.2.1; TS 29.228 §6.1.1, §6.1.4, annex B. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/stack.h"
#include "common/util/clock.h"
#include "icscf/answer.h"
#include "icscf/icscf.h"

struct dry {
	struct ask *a;
	struct icscf *i;
	cJSON *doc;			/* the question */
};

static cJSON *member(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static struct str text_of(const cJSON *o, const char *name)
{
	return str_from_c(cJSON_GetStringValue(member(o, name)));
}

/* ---- the choice ---- */

static bool has(const struct scscf_server *v, uint32_t cap)
{
	for (unsigned i = 0; i < v->n_caps; i++)
		if (v->caps[i] == cap)
			return true;
	return false;
}

static void add_candidate(cJSON *list, struct scscf_server *v, const struct cx_caps *caps, uint64_t now_ms)
{
	cJSON *o = cJSON_CreateObject(), *missing = cJSON_AddArrayToObject(o, "missing");
	unsigned optional = 0;

	for (unsigned i = 0; i < caps->mandatory.n; i++)
		if (!has(v, caps->mandatory.v[i]))
			cJSON_AddItemToArray(missing, cJSON_CreateNumber(caps->mandatory.v[i]));
	for (unsigned i = 0; i < caps->optional.n; i++)
		optional += has(v, caps->optional.v[i]);
	cJSON_AddStringToObject(o, "uri", v->uri);
	cJSON_AddBoolToObject(o, "default", v->is_default);
	cJSON_AddNumberToObject(o, "optionalMatched", optional);
	cJSON_AddNumberToObject(o, "priority", v->priority);
	cJSON_AddNumberToObject(o, "weight", v->weight);
	cJSON_AddBoolToObject(o, "suspect", scscf_is_suspect(v, now_ms));
	cJSON_AddItemToArray(list, o);
}

static void add_str(cJSON *o, const char *name, struct str s)
{
	char *c = str_dup(s);

	cJSON_AddStringToObject(o, name, c ? c : "");
	free(c);
}

/* The order in which they would be tried, each after the ones before it have failed. */
static void choose(struct dry *d, cJSON *out, const struct cx_caps *caps)
{
	struct selection *s = icscf_selection(d->i);
	uint32_t n = atomic_load_explicit(&s->n, memory_order_acquire);
	cJSON *candidates = cJSON_AddArrayToObject(out, "candidates"), *order = cJSON_AddArrayToObject(out, "order");
	struct scscf_tried tried = { 0 };
	uint64_t now_ms = clock_mono_ms();
	enum scscf_why how;
	struct str uri;
	int rc = 0;

	for (uint32_t k = 0; k < n; k++)
		if (s->server[k].configured || s->server[k].is_default)
			add_candidate(candidates, &s->server[k], caps, now_ms);
	while (tried.n < s->max_attempts && tried.n < SELECT_MAX_ATTEMPTS &&
	       (rc = scscf_select(s, caps, &tried, now_ms, &uri, &how)) == 0) {
		cJSON *o = cJSON_CreateObject();

		add_str(o, "uri", uri);
		cJSON_AddStringToObject(o, "why", scscf_why_name(how));
		cJSON_AddItemToArray(order, o);
		tried.uri[tried.n++] = uri;
	}
	if (tried.n)
		add_str(out, "chosen", tried.uri[0]);
	else
		cJSON_AddStringToObject(out, "why", "no S-CSCF has every mandatory capability");
	obj_unref(s);
}

static void finish(struct dry *d, cJSON *out)
{
	d->a->status = 200;
	d->a->json = out;
	cJSON_Delete(d->doc);
	if (d->a->later)
		ask_done(d->a);
	free(d);
}

/* ---- what the HSS says ---- */

static void add_numbers(cJSON *o, const char *name, const struct cx_u32s *v)
{
	cJSON *list = cJSON_AddArrayToObject(o, name);

	for (unsigned i = 0; i < v->n; i++)
		cJSON_AddItemToArray(list, cJSON_CreateNumber(v->v[i]));
}

static void answered(struct dry *d, const char *what, const struct dia_result *r, struct str server, const struct cx_caps *caps,
		     const struct icscf_verdict *v)
{
	cJSON *out = cJSON_CreateObject(), *hss = cJSON_AddObjectToObject(out, "hss");

	cJSON_AddStringToObject(hss, "asked", what);
	if (r->err) {
		cJSON_AddStringToObject(hss, "result", strerror(-r->err));
	} else {
		cJSON_AddNumberToObject(hss, "code", r->code);
		cJSON_AddStringToObject(hss, "result", cx_result_name(r->code, r->experimental));
	}
	cJSON_AddStringToObject(hss, "meaning", v->why ? v->why : "");
	if (server.l)
		add_str(hss, "serverName", server);
	add_numbers(hss, "mandatoryCapabilities", &caps->mandatory);
	add_numbers(hss, "optionalCapabilities", &caps->optional);
	if (v->action == ICSCF_REFUSE)
		cJSON_AddNumberToObject(out, "refusedWith", v->status);
	else if (v->action == ICSCF_TO_SERVER)
		add_str(out, "chosen", server);
	else
		choose(d, out, caps);
	finish(d, out);
}

static void on_uaa(void *arg, const struct cx_uaa *u)
{
	struct icscf_verdict v = icscf_uaa_judge(u);

	answered(arg, "UAR", &u->result, u->server_name, &u->caps, &v);
}

static void on_lia(void *arg, const struct cx_lia *l)
{
	struct icscf_verdict v = icscf_lia_judge(l);

	answered(arg, "LIR", &l->result, l->server_name, &l->caps, &v);
}

/* ---- on a worker ---- */

static void read_numbers(const cJSON *list, struct cx_u32s *ret)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, list)
		if (cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble <= UINT32_MAX && ret->n < CX_MAX_LIST)
			ret->v[ret->n++] = (uint32_t)v->valuedouble;
}

static void by_capabilities(struct dry *d)
{
	struct cx_caps caps = { 0 };
	cJSON *out = cJSON_CreateObject();
	const cJSON *v;

	read_numbers(member(d->doc, "mandatoryCapabilities"), &caps.mandatory);
	read_numbers(member(d->doc, "optionalCapabilities"), &caps.optional);
	cJSON_ArrayForEach(v, member(d->doc, "serverNames"))
		if (cJSON_IsString(v) && caps.server_names.n < CX_MAX_LIST)
			caps.server_names.v[caps.server_names.n++] = str_from_c(v->valuestring);
	choose(d, out, &caps);
	finish(d, out);
}

static void dry_here(struct worker *w, struct ask *a)
{
	struct dry *d = calloc(1, sizeof(*d));
	uint64_t sent;
	struct str ask;

	if (d)
		*d = (struct dry){ a, icscf_of(w)->i, cJSON_Parse(a->key) };
	if (!d || !d->doc) {
		a->status = 503;
		snprintf(a->cause, sizeof(a->cause), "BUSY");
		snprintf(a->detail, sizeof(a->detail), "out of memory");
		free(d);
		return;
	}
	ask = text_of(d->doc, "ask");
	if (ask.l == 0) {
		by_capabilities(d);
		return;
	}
	a->later = true;
	if (str_eq(ask, STR("uar"))) {
		struct cx_uar r = { .impi = text_of(d->doc, "impi"), .impu = text_of(d->doc, "impu"), .type = CX_UAR_REGISTRATION_AND_CAPABILITIES,
				    .visited_network = text_of(d->doc, "visitedNetwork") };

		if (r.visited_network.l == 0)
			r.visited_network = stack_home_domain(w->stack);
		sent = cx_uar_send(w->dia, &r, on_uaa, d);
	} else {
		struct cx_lir r = { .impu = text_of(d->doc, "impu"), .originating = cJSON_IsTrue(member(d->doc, "originating")),
				    .session_priority = UINT32_MAX };

		sent = cx_lir_send(w->dia, &r, on_lia, d);
	}
	if (sent)
		return;
	a->later = false;
	a->status = 503;
	snprintf(a->cause, sizeof(a->cause), "BUSY");
	snprintf(a->detail, sizeof(a->detail), "too much waits for the HSS");
	cJSON_Delete(d->doc);
	free(d);
}

/* ---- the route ---- */

/* NULL, or what is wrong. */
static const char *question_of(const cJSON *doc)
{
	struct str ask = text_of(doc, "ask");

	if (!cJSON_IsObject(doc))
		return "the question is a JSON object";
	if (member(doc, "ask") && !str_eq(ask, STR("uar")) && !str_eq(ask, STR("lir")))
		return "ask is uar or lir; without it the capabilities are taken from here";
	if (ask.l && text_of(doc, "impu").l == 0)
		return "impu is missing";
	return str_eq(ask, STR("uar")) && text_of(doc, "impi").l == 0 ? "impi is missing" : NULL;
}

void dryrun_select(void *u, struct http_req *r)
{
	struct icscf *i = u;
	const cJSON *doc = http_json(r);
	const char *why = doc ? question_of(doc) : NULL;

	if (!doc)
		return;
	if (why) {
		http_problem(r, 422, "INVALID_QUESTION", "%s", why);
		return;
	}
	stack_ask_json(i->stack, r, stack_worker(i->stack, 0), doc, dry_here);
}
