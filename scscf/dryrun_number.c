/* scscf/dryrun_number.c - POST /api/v1/routing/dry-run: where what a user dials would go, each step shown.  TS 24.229 §5.4.3.2, §5.6.2;
 * RFC 3966, RFC 6116, RFC 4694, RFC 3263; rows C3, R9, T14.
 *
 * The steps are the call path's own: number.c reads the number, the resolver asks ENUM, nexthop.c finds the targets for a request that
 * is only made up, and then the resolver is asked for each of their next hops in turn. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/config/config.h"
#include "common/daemon/steps.h"
#include "common/resolver/enum.h"
#include "scscf/dryrun.h"
#include "scscf/session.h"

#define REQUEST "INVITE %.*s SIP/2.0\r\nVia: SIP/2.0/UDP dry-run.invalid;branch=z9hG4bKdry\r\nMax-Forwards: 70\r\n" \
		"From: <sip:dry-run@invalid>;tag=1\r\nTo: <sip:dry-run@invalid>\r\nCall-ID: dry-run\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"

struct dry {
	struct ask *a;
	struct scscf_worker *sw;
	cJSON *doc, *out;		/* the question; the answer as far as it is */
	cJSON *targets;			/* in out */
	struct session_in in;		/* the request; in.m is a reference */
	struct session_target *at;	/* whose next hop is asked for */
	struct translation found;
	struct steps steps;
};

static const cJSON *member(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static struct str text_of(const cJSON *o, const char *name)
{
	return str_from_c(cJSON_GetStringValue(member(o, name)));
}

static void add_str(cJSON *o, const char *name, struct str s)
{
	char *c = str_dup(s);

	cJSON_AddStringToObject(o, name, c ? c : "");
	free(c);
}

static void dry_free(struct dry *d)
{
	sip_msg_unref(d->in.m);
	steps_fini(&d->steps);
	cJSON_Delete(d->doc);
	cJSON_Delete(d->out);
	free(d);
}

static void finish(struct dry *d)
{
	struct ask *a = d->a;

	a->status = 200;
	a->json = d->out;
	d->out = NULL;
	dry_free(d);
	ask_done(a);
}

/* ---- the caller ---- */

/* Application servers come before routing, and a barred user gets nowhere. */
static void add_caller(struct dry *d)
{
	struct str impu = text_of(d->doc, "originating"), aor;
	cJSON *o, *servers;
	struct aor_view *set = NULL;
	const struct profile_identity *id;
	struct criteria_query q;
	struct criteria *k;
	struct sip_uri u;
	char text[512];

	if (impu.l == 0)
		return;
	o = cJSON_AddObjectToObject(d->out, "caller");
	add_str(o, "impu", impu);
	if (sip_uri_parse(impu, &u, NULL) == 0 && sip_uri_aor(&u, text, sizeof(text), &aor) == 0)
		set = reg_directory_aor(d->sw->s->dir, aor);
	id = set ? profile_find(set->v[0]->profile, aor) : NULL;
	cJSON_AddBoolToObject(o, "known", id != NULL);
	if (id) {
		cJSON_AddBoolToObject(o, "registered", set->v[0]->n_contacts > 0);
		cJSON_AddBoolToObject(o, "barred", id->barred);
		servers = cJSON_AddArrayToObject(o, "applicationServers");
		k = profile_criteria(set->v[0]->profile, id->service);
		q = (struct criteria_query){ .m = d->in.m, .ruri = d->in.m->ruri_text, .scase = CASE_ORIGINATING,
					     .registered = set->v[0]->n_contacts > 0 };
		for (unsigned i = criteria_next(k, 0, &q); k && i < k->n; i = criteria_next(k, i + 1, &q)) {
			char *server = str_dup(k->v[i].server);

			cJSON_AddItemToArray(servers, cJSON_CreateString(server ? server : ""));
			free(server);
		}
		obj_unref(k);
	}
	obj_unref(set);
}

/* ---- the number ---- */

static void add_portability(cJSON *o, const struct number *n)
{
	if (!n->npdi && !n->rn[0])
		return;
	cJSON_AddBoolToObject(o, "npdi", n->npdi);
	if (n->rn[0])
		cJSON_AddStringToObject(o, "routingNumber", n->rn);
}

static void add_number(struct dry *d, const struct number *n)
{
	cJSON *o = cJSON_AddObjectToObject(d->out, "number"), *list = cJSON_AddArrayToObject(o, "readings");
	struct number form[NUMBER_MAX_FORMS], global;
	unsigned k = number_forms(d->sw->s->sessions, n, form);

	cJSON_AddStringToObject(o, "dialled", n->text);
	if (n->context[0])
		cJSON_AddStringToObject(o, "phoneContext", n->context);
	for (unsigned i = 0; i < k; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "number", form[i].text);
		cJSON_AddStringToObject(one, "why", form[i].reading);
		cJSON_AddItemToArray(list, one);
	}
	if (number_global(d->sw->s->sessions, n, &global))
		cJSON_AddStringToObject(o, "canonical", global.text);
	add_portability(o, n);
}

/* ---- targets, and their next hops ---- */

static void add_headers(cJSON *o, const struct session_route *r)
{
	size_t n = cfg_list_len(r->node, "strip_headers");
	cJSON *list = cJSON_AddArrayToObject(o, "stripHeaders"), *map = cJSON_AddObjectToObject(o, "addHeaders");
	struct str name, value;

	for (size_t i = 0; i < n; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(cfg_strs_at(r->node, "strip_headers", i).p));
	for (size_t i = 0; cfg_map_at(r->node, "add_headers", i, &name, &value); i++)
		add_str(map, name.p, value);
}

static void add_route(struct dry *d, cJSON *target, const struct session_route *r)
{
	cJSON *o = cJSON_AddObjectToObject(target, "route");
	char id[24];

	snprintf(id, sizeof(id), "%zu", (size_t)(r - d->sw->s->sessions->routes));
	cJSON_AddStringToObject(o, "id", id);		/* as GET /api/v1/routing/routes has it */
	if (r->prefix.l)
		add_str(o, "prefix", r->prefix);
	else
		add_str(o, "domain", r->domain);
	cJSON_AddNumberToObject(o, "priority", r->priority);
	cJSON_AddNumberToObject(o, "weight", r->weight);
	cJSON_AddBoolToObject(o, "held", held_is(d->sw, r->next_hop));
	add_headers(o, r);
}

static const char *decided_by(const struct dry *d, const struct session_target *t)
{
	if (t->trunk)
		return "sessions.routes";
	if (t->found)
		return "ENUM";
	return d->in.ruri.scheme == SIP_SCHEME_TEL || stack_is_home_domain(d->sw->w->stack, d->in.ruri.host) ? "home" : "domain";
}

/* Without the brackets of a Route. */
static struct str next_hop(const struct dry *d, const struct session_target *t)
{
	struct str s = t->n_routes ? t->route[0] : t->ruri.l ? t->ruri : d->in.ruri.text;

	return s.l > 2 && s.p[0] == '<' ? str_make(s.p + 1, s.l - 2) : s;
}

static cJSON *target_json(const struct dry *d, const struct session_target *t)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "decidedBy", decided_by(d, t));
	add_str(o, "requestUri", t->ruri.l ? t->ruri : d->in.ruri.text);
	add_str(o, "nextHop", next_hop(d, t));
	cJSON_AddBoolToObject(o, "trusted", t->trusted);
	cJSON_AddBoolToObject(o, "homeNetwork", !t->abroad);
	return o;
}

static void resolve_next(struct dry *d);

static void on_resolved(void *arg, const struct resolver_result *res)
{
	struct dry *d = arg;
	cJSON *o = target_json(d, d->at), *r;

	if (d->at->trunk)
		add_route(d, o, d->at->trunk);
	r = cJSON_AddObjectToObject(o, "resolution");
	steps_result(r, res);
	steps_take(&d->steps, r);
	cJSON_AddItemToArray(d->targets, o);
	d->at = d->at->next;
	resolve_next(d);
}

static void resolve_next(struct dry *d)
{
	struct sip_uri u;

	if (!d->at) {
		finish(d);
		return;
	}
	if (sip_uri_parse(next_hop(d, d->at), &u, NULL) == 0)
		resolver_lookup_watched(d->sw->w->resolver, &u, &d->steps.watch, on_resolved, d);
	else
		on_resolved(d, &(struct resolver_result){ .err = -EINVAL, .why = "not a SIP URI" });
}

static void find(struct dry *d)
{
	const char *why = "";
	unsigned status = nexthop_find(d->sw, &d->in, d->found.n ? &d->found : NULL, &d->at, &why);

	d->targets = cJSON_AddArrayToObject(d->out, "targets");
	if (status) {
		cJSON_AddNumberToObject(d->out, "refusedWith", status);
		cJSON_AddStringToObject(d->out, "why", why);
		cJSON_AddStringToObject(d->out, "decidedBy", "refusal");
		finish(d);
		return;
	}
	cJSON_AddStringToObject(d->out, "decidedBy", decided_by(d, d->at));
	add_str(d->out, "nextHop", next_hop(d, d->at));
	add_str(d->out, "rewrittenRequestUri", d->at->ruri.l ? d->at->ruri : d->in.ruri.text);
	resolve_next(d);
}

/* ---- ENUM ---- */

static void add_found(struct dry *d, cJSON *list, const char *text, bool pstn)
{
	cJSON *o = cJSON_CreateObject();
	struct number n;
	struct sip_uri u;

	cJSON_AddStringToObject(o, "uri", text);
	cJSON_AddStringToObject(o, "service", pstn ? "E2U+pstn" : "E2U+sip");
	if (pstn && sip_uri_parse(str_from_c(text), &u, NULL) == 0 && number_from_uri(&u, &n) == 0)
		add_portability(o, &n);
	cJSON_AddItemToArray(list, o);
	if (d->found.n == sizeof(d->found.uri) / sizeof(d->found.uri[0]))
		return;
	d->found.uri[d->found.n].text = arena_dup(d->in.m->arena, str_from_c(text));
	d->found.uri[d->found.n].pstn = pstn;
	d->found.n += d->found.uri[d->found.n].text.p != NULL;
}

static void on_enum(void *arg, const struct enum_result *res)
{
	struct dry *d = arg;
	cJSON *o = cJSON_AddObjectToObject(d->out, "enum"), *list = cJSON_AddArrayToObject(o, "uris");

	for (unsigned i = 0; i < res->n; i++)
		add_found(d, list, res->uri[i].text, res->uri[i].pstn);
	if (res->err)
		cJSON_AddStringToObject(o, "why", res->why);
	steps_take(&d->steps, o);
	find(d);
}

static void no_enum(struct dry *d, const char *why)
{
	cJSON_AddStringToObject(cJSON_AddObjectToObject(d->out, "enum"), "why", why);
	find(d);
}

static void translate_number(struct dry *d, const struct number *n)
{
	const struct session_config *c = d->sw->s->sessions;
	struct number global;

	if (!c || c->enum_suffix.l == 0)
		no_enum(d, "not asked: there is no sessions.enum_suffix");
	else if (n->rn[0])
		no_enum(d, "not asked: the request has a routing number already");
	else if (!number_global(c, n, &global))
		no_enum(d, "not asked: the number has no global reading");
	else
		enum_lookup_watched(d->sw->w->resolver, global.s, c->enum_suffix, &d->steps.watch, on_enum, d);
}

/* ---- on a worker ---- */

/* A number as a phone of ours would send it: RFC 3966 §5.1.5. */
static bool put_uri(const struct dry *d, struct buf *b)
{
	struct str number = text_of(d->doc, "number"), uri = text_of(d->doc, "requestUri");

	if (uri.l)
		buf_put(b, uri);
	else if (number.l && number.p[0] == '+')
		buf_printf(b, "tel:%.*s", STR_ARG(number));
	else
		buf_printf(b, "tel:%.*s;phone-context=%.*s", STR_ARG(number), STR_ARG(stack_home_domain(d->sw->w->stack)));
	return !b->failed;
}

static bool make_request(struct dry *d)
{
	struct sip_parse_error err;
	struct buf uri, text;
	bool ok;

	buf_init(&uri, 600);
	buf_init(&text, 2048);
	ok = put_uri(d, &uri);
	buf_printf(&text, REQUEST, STR_ARG(buf_str(&uri)));
	ok = ok && !text.failed && sip_msg_parse_copy(buf_str(&text), NULL, &d->in.m, &err) == 0;
	if (ok) {
		sip_out_init(&d->in.out, d->in.m);
		d->in.ruri = d->in.m->ruri;
	}
	buf_fini(&uri);
	buf_fini(&text);
	return ok;
}

void dryrun_number_here(struct worker *w, struct ask *a)
{
	struct dry *d = calloc(1, sizeof(*d));
	struct number n;

	if (d)
		*d = (struct dry){ .a = a, .sw = scscf_of(w), .doc = cJSON_Parse(a->key), .out = cJSON_CreateObject() };
	if (!d || !make_request(d)) {
		a->status = d ? 422 : 503;
		snprintf(a->cause, sizeof(a->cause), "%s", d ? "INVALID_QUESTION" : "BUSY");
		snprintf(a->detail, sizeof(a->detail), "%s", d ? "that is no URI for a request" : "out of memory");
		if (d)
			dry_free(d);
		return;
	}
	steps_init(&d->steps, cJSON_IsTrue(member(d->doc, "bypassCache")));
	a->later = true;
	add_str(d->out, "requestUri", d->in.ruri.text);
	add_caller(d);
	if (!nexthop_number(d->sw, &d->in, &n)) {
		find(d);
		return;
	}
	add_number(d, &n);
	translate_number(d, &n);
}

/* ---- the route ---- */

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.l; i++)
		if (s.p[i] <= ' ' || (unsigned char)s.p[i] >= 127 || s.p[i] == '<' || s.p[i] == '>')
			return false;
	return s.l > 0;
}

void dryrun_number(void *u, struct http_req *r)
{
	struct scscf *s = u;
	const cJSON *doc = http_json(r);
	struct str number = text_of(doc, "number"), uri = text_of(doc, "requestUri");

	if (!doc)
		return;
	if ((number.l == 0) == (uri.l == 0) || !is_plain(number.l ? number : uri)) {
		http_problem(r, 422, "INVALID_QUESTION", "number or requestUri says what is dialled, one of both, without blanks");
		return;
	}
	stack_ask_json(s->stack, r, stack_worker(s->stack, 0), doc, dryrun_number_here);
}
