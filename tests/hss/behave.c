/* tests/hss/behave.c - misbehaviour to order, and counters. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/rand.h"
#include "common/util/clock.h"
#include "tests/hss/behave.h"

static const char *const names[HSS_N_COMMANDS] = { "UAR", "LIR", "MAR", "SAR", "RTR", "PPR" };

const char *hss_command_name(enum hss_command c)
{
	return names[c];
}

int hss_command_from_name(struct str name, enum hss_command *ret)
{
	for (int c = 0; c < HSS_N_COMMANDS; c++) {
		if (str_ieq_c(name, names[c])) {
			*ret = (enum hss_command)c;
			return 0;
		}
	}
	return -ENOENT;
}

void behave_clear(struct behave *b)
{
	for (unsigned i = 0; i < b->n; i++)
		free(b->rule[i].user_data);
	b->n = 0;
}

int behave_add(struct behave *b, const struct behave_rule *r)
{
	if (b->n == BEHAVE_MAX_RULES)
		return -ENOSPC;
	b->rule[b->n++] = *r;
	return 0;
}

static bool names_it(const struct behave_rule *r, struct str impi, struct str impu)
{
	struct str want = str_from_c(r->identity);

	return want.l == 0 || str_find(impi, want) >= 0 || str_find(impu, want) >= 0;
}

const struct behave_rule *behave_match(struct behave *b, enum hss_command c, struct str impi, struct str impu)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct behave_rule *r = &b->rule[i];

		if (r->command != c || r->count == 0 || !names_it(r, impi, impu))
			continue;
		if (r->percent < 100 && rand_below(100) >= r->percent)
			continue;
		if (r->count != UINT32_MAX)
			r->count--;
		return r;
	}
	return NULL;
}

/* ---- JSON ---- */

static bool number(const cJSON *o, const char *key, double min, double max, double *ret, bool *ret_there, char why[200])
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	*ret_there = v != NULL;
	if (!v)
		return true;
	if (!cJSON_IsNumber(v) || v->valuedouble < min || v->valuedouble > max) {
		snprintf(why, 200, "%s must be a number from %g to %g", key, min, max);
		return false;
	}
	*ret = v->valuedouble;
	return true;
}

static bool known_keys(const cJSON *o, char why[200])
{
	static const char *const keys[] = { "silent", "delayMs", "resultCode", "experimentalCode", "userData", "probability",
					    "count", "identity", "redirectTo", "redirectUsage", "redirectCacheS",
					    "overloadPercent", "overloadS" };

	for (const cJSON *v = o->child; v; v = v->next) {
		size_t i = 0;

		while (i < sizeof(keys) / sizeof(keys[0]) && strcmp(keys[i], v->string) != 0)
			i++;
		if (i == sizeof(keys) / sizeof(keys[0])) {
			snprintf(why, 200, "unknown key \"%.80s\"", v->string);
			return false;
		}
	}
	return true;
}

static bool read_texts(const cJSON *o, struct behave_rule *r, char why[200])
{
	const cJSON *silent = cJSON_GetObjectItemCaseSensitive(o, "silent"), *text = cJSON_GetObjectItemCaseSensitive(o, "userData");
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(o, "identity"), *to = cJSON_GetObjectItemCaseSensitive(o, "redirectTo");

	if (silent && !cJSON_IsBool(silent))
		snprintf(why, 200, "silent must be true or false");
	else if (text && (!cJSON_IsString(text) || strlen(text->valuestring) > BEHAVE_MAX_USER_DATA))
		snprintf(why, 200, "userData must be a text of up to %u octets", BEHAVE_MAX_USER_DATA);
	else if (id && (!cJSON_IsString(id) || !str_copy(str_from_c(id->valuestring), r->identity, sizeof(r->identity))))
		snprintf(why, 200, "identity must be a text");
	else if (to && (!cJSON_IsString(to) || strncmp(to->valuestring, "aaa://", 6) != 0 ||
			!str_copy(str_from_c(to->valuestring), r->redirect, sizeof(r->redirect))))
		snprintf(why, 200, "redirectTo must be a Diameter URI, \"aaa://hss1.example\"");
	else {
		r->silent = cJSON_IsTrue(silent);
		r->set_user_data = text != NULL;
		r->user_data = text ? strdup(text->valuestring) : NULL;
		return !text || r->user_data;
	}
	return false;
}

static int add_rule(struct behave *b, enum hss_command c, const cJSON *o, char why[200])
{
	struct behave_rule r = { .command = c, .percent = 100, .count = UINT32_MAX };
	double delay = 0, code = 0, ecode = 0, p = 1, count = 0, usage = BEHAVE_ALL_USER, cache = 60;
	double overload = 0, overload_s = 30;
	bool has, has_code, has_ecode, has_count, has_overload;

	if (!cJSON_IsObject(o)) {
		snprintf(why, 200, "%s must be an object or a list of objects", names[c]);
		return -EINVAL;
	}
	if (!known_keys(o, why) || !number(o, "delayMs", 0, BEHAVE_MAX_DELAY_MS, &delay, &has, why) ||
	    !number(o, "resultCode", 1001, 5999, &code, &has_code, why) ||
	    !number(o, "experimentalCode", 1001, 5999, &ecode, &has_ecode, why) ||
	    !number(o, "redirectUsage", 0, 6, &usage, &has, why) || !number(o, "redirectCacheS", 0, 86400, &cache, &has, why) ||
	    !number(o, "overloadPercent", 0, 100, &overload, &has_overload, why) || !number(o, "overloadS", 0, 86400, &overload_s, &has, why) ||
	    !number(o, "probability", 0, 1, &p, &has, why) || !number(o, "count", 0, 1e9, &count, &has_count, why))
		return -EINVAL;
	if (has_code && has_ecode) {
		snprintf(why, 200, "either resultCode or experimentalCode, not both");
		return -EINVAL;
	}
	r.delay_ms = (uint32_t)delay;
	r.overload = (uint32_t)overload;
	r.overload_s = has_overload ? (uint32_t)overload_s : UINT32_MAX;
	r.sequence = clock_wall_us();
	r.usage = (uint32_t)usage;
	r.cache_s = (uint32_t)cache;
	r.result = (struct dia_result){ 0, (uint32_t)(has_ecode ? ecode : code), has_ecode };
	r.percent = (uint32_t)(p * 100 + 0.5);
	if (has_count)
		r.count = (uint32_t)count;
	if (!read_texts(o, &r, why))
		return -EINVAL;
	if (behave_add(b, &r) < 0) {
		free(r.user_data);
		snprintf(why, 200, "more than %u rules", BEHAVE_MAX_RULES);
		return -EINVAL;
	}
	return 0;
}

int behave_from_json(struct behave *b, const cJSON *json, char why[200])
{
	struct behave *fresh = calloc(1, sizeof(*fresh));
	int rc = fresh ? 0 : -ENOMEM;

	snprintf(why, 200, "out of memory");
	if (fresh && !cJSON_IsObject(json)) {
		snprintf(why, 200, "must be an object with a member for each command");
		rc = -EINVAL;
	}
	for (const cJSON *m = rc == 0 ? json->child : NULL; m && rc == 0; m = m->next) {
		enum hss_command c;

		if (hss_command_from_name(str_from_c(m->string), &c) < 0 || c > HSS_SAR) {
			snprintf(why, 200, "\"%.40s\" is none of UAR, LIR, MAR, SAR", m->string);
			rc = -EINVAL;
		} else if (cJSON_IsArray(m)) {
			for (const cJSON *o = m->child; o && rc == 0; o = o->next)
				rc = add_rule(fresh, c, o, why);
		} else {
			rc = add_rule(fresh, c, m, why);
		}
	}
	if (rc == 0) {
		behave_clear(b);
		*b = *fresh;
	} else if (fresh) {
		behave_clear(fresh);
	}
	free(fresh);
	return rc;
}

static cJSON *rule_to_json(const struct behave_rule *r)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddBoolToObject(o, "silent", r->silent);
	cJSON_AddNumberToObject(o, "delayMs", r->delay_ms);
	if (r->result.code)
		cJSON_AddNumberToObject(o, r->result.experimental ? "experimentalCode" : "resultCode", r->result.code);
	if (r->set_user_data)
		cJSON_AddStringToObject(o, "userData", r->user_data);
	if (r->overload_s != UINT32_MAX) {
		cJSON_AddNumberToObject(o, "overloadPercent", r->overload);
		cJSON_AddNumberToObject(o, "overloadS", r->overload_s);
	}
	if (r->redirect[0]) {
		cJSON_AddStringToObject(o, "redirectTo", r->redirect);
		cJSON_AddNumberToObject(o, "redirectUsage", r->usage);
		cJSON_AddNumberToObject(o, "redirectCacheS", r->cache_s);
	}
	cJSON_AddNumberToObject(o, "probability", r->percent / 100.0);
	if (r->count != UINT32_MAX)
		cJSON_AddNumberToObject(o, "count", r->count);
	if (r->identity[0])
		cJSON_AddStringToObject(o, "identity", r->identity);
	return o;
}

cJSON *behave_to_json(const struct behave *b)
{
	cJSON *doc = cJSON_CreateObject();

	for (unsigned i = 0; i < b->n; i++) {
		cJSON *list = cJSON_GetObjectItemCaseSensitive(doc, names[b->rule[i].command]);

		if (!list)
			list = cJSON_AddArrayToObject(doc, names[b->rule[i].command]);
		cJSON_AddItemToArray(list, rule_to_json(&b->rule[i]));
	}
	return doc;
}

/* ---- counters ---- */

void hss_count_result(struct hss_count *c, const struct dia_result *r)
{
	unsigned i = 0;

	while (i < c->n && (c->v[i].result.err != r->err || c->v[i].result.code != r->code ||
			    c->v[i].result.experimental != r->experimental))
		i++;
	if (i == HSS_MAX_RESULTS)
		return;
	if (i == c->n) {
		c->v[i].result = *r;
		c->v[i].n = 0;
		c->n++;
	}
	c->v[i].n++;
}

cJSON *hss_count_to_json(const struct hss_count c[HSS_N_COMMANDS])
{
	cJSON *doc = cJSON_CreateObject();

	for (int k = 0; k < HSS_N_COMMANDS; k++) {
		cJSON *o = cJSON_AddObjectToObject(doc, names[k]);
		char text[32];

		for (unsigned i = 0; i < c[k].n; i++) {
			const struct dia_result *r = &c[k].v[i].result;

			if (r->err)
				snprintf(text, sizeof(text), "error %d", r->err);
			else
				snprintf(text, sizeof(text), "%u%s", r->code, r->experimental ? "E" : "");
			cJSON_AddNumberToObject(o, text, (double)c[k].v[i].n);
		}
		if (c[k].silent)
			cJSON_AddNumberToObject(o, "silent", (double)c[k].silent);
		if (c[k].delayed)
			cJSON_AddNumberToObject(o, "delayed", (double)c[k].delayed);
	}
	return doc;
}
