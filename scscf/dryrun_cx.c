/* scscf/dryrun_cx.c - POST /api/v1/cx/explain: what the HSS answers this node about a user, in words.  TS 29.228 §6.1.2, §6.3, annex A;
 * TS 29.229 §6.3.15; rows D10, D15.
 *
 *   sar   NO_ASSIGNMENT, which changes nothing at the HSS: it gives the profile of a user that this S-CSCF serves.  Every other type
 *         would move the user.  A HSS that takes it for something else (diameter.hss_profile) is not asked.
 *   mar   only on the explicit wish useVector: the HSS moves the user's SQN on by what it gives, and of a user whom this node does not
 *         serve it keeps the name of this node until the next registration (§6.3.1).  What comes is thrown away: not even a length
 *         that could tell something of a key goes out, and no vector does.
 * UAR and LIR are the I-CSCF's: POST /api/v1/scscf-selection/dry-run there. */
#include <stdio.h>
#include <stdlib.h>
#include "scscf/dryrun.h"
#include "scscf/registration.h"

struct dry {
	struct ask *a;
	struct scscf *s;
	cJSON *doc;			/* the question; its texts are borrowed by the request */
};

static cJSON *member(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static struct str text_of(const cJSON *o, const char *name)
{
	return str_from_c(cJSON_GetStringValue(member(o, name)));
}

static void add_str(cJSON *o, const char *name, struct str s)
{
	char *c = s.l ? str_dup(s) : NULL;

	if (c)
		cJSON_AddStringToObject(o, name, c);
	free(c);
}

static void finish(struct dry *d, cJSON *out)
{
	struct ask *a = d->a;

	a->status = 200;
	a->json = out;
	cJSON_Delete(d->doc);
	free(d);
	ask_done(a);
}

/* asked, code, result, meaning, and what the phone would hear. */
static cJSON *answer_json(const struct dry *d, const char *asked, const struct dia_result *r, const struct cx_verdict *v, struct str host)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "asked", asked);
	add_str(o, "impi", text_of(d->doc, "impi"));
	add_str(o, "impu", text_of(d->doc, "impu"));
	if (r->err) {
		cJSON_AddStringToObject(o, "result", strerror(-r->err));
	} else {
		cJSON_AddNumberToObject(o, "code", r->code);
		cJSON_AddStringToObject(o, "result", cx_result_name(r->code, r->experimental));
	}
	cJSON_AddStringToObject(o, "meaning", v->why);
	if (v->status)
		cJSON_AddNumberToObject(o, "refusedWith", v->status);
	add_str(o, "hss", host);
	return o;
}

/* ---- SAR ---- */

static void add_identities(cJSON *o, const struct profile *p)
{
	const struct profile_identity *first = profile_default(p);
	cJSON *list = cJSON_AddArrayToObject(o, "identities");

	for (unsigned i = 0; i < p->n_identities; i++) {
		const struct profile_identity *id = &p->identity[i];
		struct criteria *c = profile_criteria(p, id->service);
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "impu", id->uri);
		cJSON_AddBoolToObject(one, "barred", id->barred);
		cJSON_AddBoolToObject(one, "default", id == first);
		cJSON_AddNumberToObject(one, "criteria", c ? c->n : 0);
		cJSON_AddItemToArray(list, one);
		obj_unref(c);
	}
}

static void add_profile(const struct dry *d, cJSON *o, struct str xml)
{
	struct profile *p = NULL;
	char why[160] = "";
	cJSON *one;

	if (xml.l == 0)
		return;
	one = cJSON_AddObjectToObject(o, "profile");
	cJSON_AddNumberToObject(one, "bytes", (double)xml.l);
	if (profile_parse(xml, d->s->criteria, &p, why) < 0) {
		cJSON_AddStringToObject(one, "error", why[0] ? why : "it cannot be used");
		return;
	}
	if (p->impi)
		cJSON_AddStringToObject(one, "impi", p->impi);
	add_identities(one, p);
	obj_unref(p);
}

static void on_saa(void *arg, const struct cx_saa *a)
{
	struct dry *d = arg;
	struct cx_verdict v = cx_judge(&a->result, d->s->hss);
	const struct str charging[] = { a->primary_ccf, a->secondary_ccf, a->primary_ecf, a->secondary_ecf };
	char *pcfa = charging_addresses(charging);
	cJSON *o, *list;

	/* §6.1.2: the one reason for which a HSS refuses this type of a user that it knows. */
	if (!a->result.err && !a->result.experimental && a->result.code == DIA_UNABLE_TO_COMPLY)
		v.why = "the user is not served by this S-CSCF, says the HSS, or it could not comply";
	o = answer_json(d, "SAR NO_ASSIGNMENT", &a->result, &v, a->origin_host);
	add_profile(d, o, a->user_data);
	if (pcfa)
		cJSON_AddStringToObject(o, "charging", pcfa);
	free(pcfa);
	list = cJSON_AddArrayToObject(o, "associatedImpis");
	for (unsigned i = 0; i < a->associated_impis.n; i++) {
		char *c = str_dup(a->associated_impis.v[i]);

		cJSON_AddItemToArray(list, cJSON_CreateString(c ? c : ""));
		free(c);
	}
	cJSON_AddNumberToObject(o, "restorations", a->n_restorations);
	finish(d, o);
}

static uint64_t ask_sar(struct worker *w, struct dry *d)
{
	struct cx_sar sar = { .impi = text_of(d->doc, "impi"), .impus = { 1, { text_of(d->doc, "impu") } }, .server_name = d->s->server_name,
			      .type = CX_SAR_NO_ASSIGNMENT };

	return d->s->cx->sar(w->dia, &sar, on_saa, d);
}

/* ---- MAR ---- */

static const char *kind_of(const struct cx_auth_item *it)
{
	if (it->digest_ha1.l)
		return "what SIP Digest is checked with";
	if (it->authenticate.l != 32 || it->authorization.l < 4)
		return "a vector that cannot be used: it has no RAND and AUTN of 16 octets each, or no expected response";
	return it->ck.l == 16 && it->ik.l == 16 ? "a vector of AKA with keys for IPsec" : "a vector of AKA without keys: no IPsec";
}

static void on_maa(void *arg, const struct cx_maa *a)
{
	struct dry *d = arg;
	struct cx_verdict v = cx_judge(&a->result, d->s->hss);
	cJSON *o, *list;

	if (v.status == 0 && a->n_items == 0) {
		v.status = 500;
		v.why = "the HSS agrees, but gives nothing to authenticate with";
	}
	o = answer_json(d, "MAR", &a->result, &v, a->origin_host);
	list = cJSON_AddArrayToObject(o, "vectors");
	for (unsigned i = 0; i < a->n_items; i++) {
		cJSON *one = cJSON_CreateObject();

		add_str(one, "scheme", a->item[i].scheme);
		cJSON_AddStringToObject(one, "what", kind_of(&a->item[i]));
		add_str(one, "realm", a->item[i].digest_realm);
		add_str(one, "algorithm", a->item[i].digest_algorithm);
		cJSON_AddItemToArray(list, one);
	}
	finish(d, o);
}

static uint64_t ask_mar(struct worker *w, struct dry *d)
{
	struct str scheme = text_of(d->doc, "scheme");
	struct cx_mar mar = { .impi = text_of(d->doc, "impi"), .impu = text_of(d->doc, "impu"), .server_name = d->s->server_name, .n_items = 1,
			      .item = { .scheme = scheme.l ? scheme : STR("Unknown") } };

	return d->s->cx->mar(w->dia, &mar, on_maa, d);
}

/* ---- on a worker ---- */

void dryrun_cx_here(struct worker *w, struct ask *a)
{
	struct dry *d = calloc(1, sizeof(*d));

	if (d)
		*d = (struct dry){ a, scscf_of(w)->s, cJSON_Parse(a->key) };
	a->later = true;
	if (d && d->doc && (str_eq(text_of(d->doc, "ask"), STR("mar")) ? ask_mar(w, d) : ask_sar(w, d)))
		return;
	a->later = false;
	a->status = 503;
	snprintf(a->cause, sizeof(a->cause), "BUSY");
	snprintf(a->detail, sizeof(a->detail), "too much waits for the HSS");
	if (d)
		cJSON_Delete(d->doc);
	free(d);
}

/* ---- the route ---- */

const char *dryrun_cx_wrong(const struct scscf *s, const cJSON *doc)
{
	struct str ask = text_of(doc, "ask");

	if (!str_eq(ask, STR("sar")) && !str_eq(ask, STR("mar")))
		return "ask is sar or mar; UAR and LIR are asked by the I-CSCF";
	if (text_of(doc, "impu").l == 0)
		return "impu is missing";
	if (str_eq(ask, STR("mar")) && text_of(doc, "impi").l == 0)
		return "impi is missing";
	if (str_eq(ask, STR("mar")) && !cJSON_IsTrue(member(doc, "useVector")))
		return "a MAR moves the user's SQN on, and makes the HSS keep this node's name for a user whom it does not serve: say useVector: true";
	if (str_eq(ask, STR("sar")) && !assign_wanted(s, CX_SAR_NO_ASSIGNMENT))
		return "this kind of HSS (diameter.hss_profile) would take the SAR for a de-registration";
	return NULL;
}

void dryrun_cx(void *u, struct http_req *r)
{
	struct scscf *s = u;
	const cJSON *doc = http_json(r);
	const char *why = doc ? dryrun_cx_wrong(s, doc) : NULL;

	if (!doc)
		return;
	if (why) {
		http_problem(r, 422, "INVALID_QUESTION", "%s", why);
		return;
	}
	stack_ask_json(s->stack, r, stack_worker(s->stack, 0), doc, dryrun_cx_here);
}
