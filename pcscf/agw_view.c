/* pcscf/agw_view.c - what the sessions at media relays show: REST, call records. */
#include <stdlib.h>
#include "pcscf/agw_private.h"

static void add_text(cJSON *o, const char *name, struct str v)
{
	char *c = str_dup(v);

	cJSON_AddStringToObject(o, name, c ? c : "");
	free(c);
}

static void add_common(cJSON *o, const struct agw_session *s)
{
	cJSON_AddStringToObject(o, "state", s->query ? "asked" : s->opened ? "relayed" : "not relayed");
	if (s->opened)
		cJSON_AddStringToObject(o, "relay", s->pw->p->relay[s->relay].name);
	cJSON_AddStringToObject(o, "sessionId", s->id);
	cJSON_AddNumberToObject(o, "questions", (double)s->questions);
	if (s->cause[0])
		cJSON_AddStringToObject(o, "cause", s->cause);
}

cJSON *agw_to_json(const struct call *c)
{
	static const char *const names[] = { "nothing", "offer", "answer" };
	const struct agw_session *s = c->agw;
	cJSON *o = cJSON_CreateObject(), *said;

	add_text(o, "callId", c->call_id);
	add_text(o, "icid", c->icid);
	add_text(o, "impu", c->b->identity[0].aor);
	cJSON_AddStringToObject(o, "side", c->ue_called ? "term" : "orig");
	add_common(o, s);
	cJSON_AddNumberToObject(o, "held", s->n_held);
	cJSON_AddNumberToObject(o, "forks", s->n_forks);
	said = cJSON_AddObjectToObject(o, "lastSaid");
	cJSON_AddStringToObject(said, "phone", names[s->said[1].op]);
	cJSON_AddStringToObject(said, "core", names[s->said[0].op]);
	return o;
}

cJSON *agw_summary(const struct call *c)
{
	cJSON *o = cJSON_CreateObject();

	add_common(o, c->agw);
	return o;
}

static uint64_t count(const _Atomic(uint64_t) *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

cJSON *agw_relays_json(const struct pcscf *p)
{
	cJSON *all = cJSON_CreateArray();

	for (unsigned i = 0; p->cfg.agw.mode != AGW_OFF && i < p->cfg.agw.n_relays; i++) {
		const struct ng_relay *r = &p->relay[i];
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "address", r->name);
		cJSON_AddStringToObject(o, "state", atomic_load_explicit(&r->up, memory_order_relaxed) ? "up" : "down");
		cJSON_AddNumberToObject(o, "weight", r->weight);
		cJSON_AddNumberToObject(o, "sessions", atomic_load_explicit(&r->sessions, memory_order_relaxed));
		cJSON_AddNumberToObject(o, "questions", (double)count(&r->asked));
		cJSON_AddNumberToObject(o, "failures", (double)count(&r->failed));
		cJSON_AddNumberToObject(o, "lastAnswerMs", atomic_load_explicit(&r->rtt_us, memory_order_relaxed) / 1000.0);
		cJSON_AddItemToArray(all, o);
	}
	return all;
}
