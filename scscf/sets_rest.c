/* scscf/sets_rest.c - /api/v1/shared-ifc-sets: the shared sets of filter criteria, as they are understood, and changed; row T5.
 *
 * They come from sessions.shared_ifc_file; what REST puts or deletes counts from then on, for profiles that are known already too, and
 * over restarts (with a state.dir), whatever the file says of that number.  Only the main thread changes them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/http/http.h"
#include "common/log/log.h"
#include "scscf/dryrun.h"
#include "scscf/keep.h"
#include "scscf/session.h"

#define DELETED STR("-")			/* in the store: the file's set does not count */

static void add(cJSON *o, const char *name, struct str s)
{
	char *c = str_dup(s);

	cJSON_AddStringToObject(o, name, c ? c : "");
	free(c);
}

static cJSON *shared_set_json(const struct criteria_store *s, unsigned i)
{
	struct criteria *c = NULL;
	cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "filterCriteria");
	struct str text;
	uint32_t id;

	criteria_store_at(s, i, &id, &text);
	cJSON_AddNumberToObject(o, "id", id);
	add(o, "xml", text);
	if (criteria_get(NULL, text, &c) < 0)
		return o;
	for (unsigned k = 0; k < c->n; k++)
		cJSON_AddItemToArray(list, dryrun_criterion_json(&c->v[k]));
	cJSON_AddNumberToObject(o, "skipped", c->n_skipped);
	if (c->n_skipped)
		add(o, "skippedWhy", c->skipped);
	obj_unref(c);
	return o;
}

void shared_sets_list(void *u, struct http_req *r)
{
	const struct scscf *s = u;
	char next[24] = "";
	uint64_t from = 0;
	unsigned limit, i;
	cJSON *items;

	if (!http_page_number(r, CRITERIA_MAX_SETS, &limit, &from))
		return;
	items = cJSON_CreateArray();
	for (i = (unsigned)from; criteria_store_at(s->criteria, i, NULL, NULL) && limit; i++, limit--)
		cJSON_AddItemToArray(items, shared_set_json(s->criteria, i));
	if (criteria_store_at(s->criteria, i, NULL, NULL))
		snprintf(next, sizeof(next), "%u", i);
	http_reply_page(r, items, next[0] ? next : NULL);
}

/* The place of a set in the store; -1: there is none. */
static int place_of(const struct criteria_store *s, uint32_t want)
{
	uint32_t id;

	for (unsigned i = 0; criteria_store_at(s, i, &id, NULL); i++)
		if (id == want)
			return (int)i;
	return -1;
}

static bool wanted(struct http_req *r, uint32_t *ret)
{
	if (str_to_u32(http_param(r, "setId"), ret) == 0)
		return true;
	http_problem(r, 404, "RESOURCE_NOT_FOUND", "a SharedIFCSetID is a number");
	return false;
}

void shared_sets_show(void *u, struct http_req *r)
{
	const struct scscf *s = u;
	uint32_t want;
	int i;

	if (!wanted(r, &want))
		return;
	i = place_of(s->criteria, want);
	if (i < 0)
		http_problem(r, 404, "RESOURCE_NOT_FOUND", "there is no shared set of that number");
	else
		http_reply_json(r, 200, shared_set_json(s->criteria, (unsigned)i));
}

/* ---- what outlives the process ---- */

struct kept_set {			/* on its way to a worker: stores are written from there */
	char id[16];
	size_t l;
	char text[];
};

static void put_set(struct worker *w, void *arg)
{
	struct kept_set *k = arg;

	store_put(w->store, STORE_SHARED_SET, str_from_c(k->id), str_make(k->text, k->l), 0);
	free(k);
}

static int keep_set(struct scscf *s, uint32_t id, struct str text)
{
	struct kept_set *k = malloc(sizeof(*k) + text.l);
	int rc;

	if (!k)
		return -ENOMEM;
	snprintf(k->id, sizeof(k->id), "%u", id);
	k->l = text.l;
	memcpy(k->text, text.p, text.l);
	rc = worker_post(stack_worker(s->stack, 0), put_set, k);
	if (rc < 0)
		free(k);
	return rc;
}

void shared_sets_restore(struct scscf *s, const struct store_record *rec)
{
	bool gone = str_eq(rec->value, DELETED);
	uint32_t id;
	int rc = str_to_u32(rec->key, &id) < 0 ? -EBADMSG : criteria_store_put(s->criteria, id, gone ? STR_NONE : rec->value);

	if (rc < 0 && !(gone && rc == -ENOENT))
		log_warn(LOG_REG, "a kept shared set of filter criteria cannot be used", LOG_S("id", rec->key), LOG_C("error", strerror(-rc)));
}

/* ---- changes ---- */

/* `xml` (elements) as the canonical text of set `id`; NULL after an answer.  A store of its own, which the caller frees. */
static struct criteria_store *read_set(struct http_req *r, uint32_t id, const char *xml)
{
	struct criteria_store *one = criteria_store_new();
	char why[160] = "out of memory";
	struct buf b;
	int rc = -ENOMEM;

	buf_init(&b, CRITERIA_MAX_BYTES + 256);
	buf_printf(&b, "<SharedIFCSets><SharedIFCSet><SetID>%u</SetID>", id);
	buf_puts(&b, xml);
	buf_puts(&b, "</SharedIFCSet></SharedIFCSets>");
	if (one && !b.failed)
		rc = criteria_store_load_text(one, buf_str(&b), why);
	buf_fini(&b);
	if (rc == 0 && (criteria_store_at(one, 1, NULL, NULL) || criteria_store_set(one, id).l == 0)) {
		rc = -EBADMSG;
		snprintf(why, sizeof(why), "InitialFilterCriteria elements are wanted, at least one, and nothing around them");
	}
	if (rc == 0)
		return one;
	criteria_store_free(one);
	http_problem(r, rc == -ENOMEM ? 503 : 422, rc == -ENOMEM ? "OUT_OF_RESOURCES" : "INVALID_FILTER_CRITERIA", "xml: %s", why);
	return NULL;
}

/* Whoever puts a set is told of what a profile's set would only be logged for: a criterion that is left out. */
static bool all_usable(struct http_req *r, struct str text)
{
	struct criteria *c = NULL;
	bool ok = criteria_get(NULL, text, &c) == 0 && c->n && !c->n_skipped;

	if (!ok && c)
		http_problem(r, 422, "INVALID_FILTER_CRITERIA", "a criterion cannot be used: %.*s", STR_ARG(c->n_skipped ? c->skipped : STR("there is none")));
	else if (!ok)
		http_problem(r, 422, "INVALID_FILTER_CRITERIA", "the criteria cannot be read");
	obj_unref(c);
	return ok;
}

static const char *xml_of(struct http_req *r, uint32_t id)
{
	const cJSON *body = http_json(r), *number, *xml;

	if (!body)
		return NULL;
	number = cJSON_GetObjectItemCaseSensitive(body, "id");
	xml = cJSON_GetObjectItemCaseSensitive(body, "xml");
	if (number && (!cJSON_IsNumber(number) || number->valuedouble != (double)id))
		http_problem(r, 400, "INVALID_MSG_FORMAT", "id is not the number in the path");
	else if (!cJSON_IsString(xml))
		http_problem(r, 400, "MANDATORY_IE_MISSING", "xml is missing: InitialFilterCriteria elements (TS 29.228 annex E) as one text");
	else
		return xml->valuestring;
	return NULL;
}

static void changed(struct scscf *s, struct http_req *r, uint32_t id, struct str text, int rc)
{
	if (rc == 0)
		rc = keep_set(s, id, text);
	else if (rc == -EFBIG)
		http_problem(r, 422, "TOO_MANY", "there are %u shared sets already", CRITERIA_MAX_SETS);
	else
		http_problem(r, 503, "OUT_OF_RESOURCES", "out of memory");
	if (rc < 0 && rc != -EFBIG)
		log_error(LOG_REG, "a change of a shared set may not outlive this process", LOG_U("id", id));
}

void shared_sets_put(void *u, struct http_req *r)
{
	struct scscf *s = u;
	struct criteria_store *one;
	const char *xml;
	uint32_t id;
	bool had;
	int rc;

	if (!wanted(r, &id) || !(xml = xml_of(r, id)) || !(one = read_set(r, id, xml)))
		return;
	if (all_usable(r, criteria_store_set(one, id))) {
		had = place_of(s->criteria, id) >= 0;
		rc = criteria_store_put(s->criteria, id, criteria_store_set(one, id));
		changed(s, r, id, criteria_store_set(one, id), rc);
		if (rc == 0) {
			log_info(LOG_REG, "a shared set of filter criteria was put", LOG_U("id", id), LOG_C("by", http_who(r)));
			http_reply_json(r, had ? 200 : 201, shared_set_json(s->criteria, (unsigned)place_of(s->criteria, id)));
		}
	}
	criteria_store_free(one);
}

void shared_sets_delete(void *u, struct http_req *r)
{
	struct scscf *s = u;
	uint32_t id;
	int rc;

	if (!wanted(r, &id))
		return;
	rc = criteria_store_put(s->criteria, id, STR_NONE);
	if (rc == -ENOENT) {
		http_problem(r, 404, "RESOURCE_NOT_FOUND", "there is no shared set of that number");
		return;
	}
	changed(s, r, id, DELETED, rc);
	if (rc == 0) {
		log_info(LOG_REG, "a shared set of filter criteria was deleted", LOG_U("id", id), LOG_C("by", http_who(r)));
		http_reply(r, 204, NULL, STR_NONE);
	}
}
