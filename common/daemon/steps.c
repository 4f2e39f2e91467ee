/* common/daemon/steps.c - see steps.h: RFC 3263 §4, RFC 6116. */
#include <errno.h>
#include "common/daemon/steps.h"

static void begin(void *arg)
{
	struct steps *s = arg;

	cJSON_Delete(s->list);
	s->list = cJSON_CreateArray();
}

static const char *result_of(const struct resolver_step *s)
{
	switch (s->err) {
	case 0:
	case -ENOENT:
		return s->n ? "answer" : "nothing";
	case -ETIMEDOUT:
		return "timeout";
	default:
		return "error";
	}
}

static void add(void *arg, const struct resolver_step *step)
{
	static const char *const sources[] = { [RESOLVER_ASKED] = "asked", [RESOLVER_CACHED] = "cached", [RESOLVER_STALE] = "stale",
					       [RESOLVER_CONFIGURED] = "configuration" };
	struct steps *s = arg;
	cJSON *o = cJSON_CreateObject(), *list;

	cJSON_AddStringToObject(o, "type", step->type);
	cJSON_AddStringToObject(o, "query", step->name);
	cJSON_AddStringToObject(o, "result", result_of(step));
	cJSON_AddStringToObject(o, "source", sources[step->source]);
	cJSON_AddBoolToObject(o, "cached", step->source == RESOLVER_CACHED || step->source == RESOLVER_STALE);
	if (step->source != RESOLVER_CONFIGURED)
		cJSON_AddNumberToObject(o, "ttl", step->ttl_s);
	list = cJSON_AddArrayToObject(o, "answers");
	for (unsigned i = 0; i < step->n; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "record", step->record[i].text);
		if (step->record[i].gives[0])
			cJSON_AddStringToObject(one, "gives", step->record[i].gives);
		if (step->record[i].unused)
			cJSON_AddStringToObject(one, "unused", step->record[i].unused);
		cJSON_AddItemToArray(list, one);
	}
	cJSON_AddItemToArray(s->list, o);
}

void steps_init(struct steps *s, bool fresh)
{
	*s = (struct steps){ { begin, add, s, fresh }, cJSON_CreateArray() };
}

void steps_fini(struct steps *s)
{
	cJSON_Delete(s->list);
	s->list = NULL;
}

void steps_take(struct steps *s, cJSON *o)
{
	cJSON_AddItemToObject(o, "steps", s->list);
	s->list = cJSON_CreateArray();
}

static const char *cause_of(int err)
{
	return err == -ENOENT ? "NO_SUCH_NAME" : err == -ETIMEDOUT ? "DNS_SILENT" : err == -EINVAL ? "INVALID_URI" : "DNS_FAILED";
}

void steps_result(cJSON *o, const struct resolver_result *res)
{
	cJSON *list = cJSON_AddArrayToObject(o, "targets"), *error;
	char text[ADDR_STRLEN];

	cJSON_AddBoolToObject(o, "transportFixed", res->explicit_proto);
	for (unsigned i = 0; i < res->n; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "transport", sip_proto_param(res->target[i].proto));
		cJSON_AddStringToObject(one, "address", addr_host(&res->target[i].remote, text));
		cJSON_AddNumberToObject(one, "port", addr_port(&res->target[i].remote));
		cJSON_AddBoolToObject(one, "held", i + res->n_held >= res->n);
		cJSON_AddItemToArray(list, one);
	}
	if (!res->err && res->n)
		return;
	error = cJSON_AddObjectToObject(o, "error");
	cJSON_AddStringToObject(error, "cause", cause_of(res->err));
	cJSON_AddStringToObject(error, "detail", res->why ? res->why : "no address");
}
