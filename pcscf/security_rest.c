/* pcscf/security_rest.c - /api/v1/security-associations and /algorithms: IPsec with phones.  No keys. */
#include <stdio.h>
#include <stdlib.h>
#include "common/http/http.h"
#include "common/log/log.h"
#include "pcscf/session.h"

#define ID_STRLEN 9

/* What `ip xfrm state` calls the associations; never their keys. */
cJSON *security_json(const struct sa_set *s)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "mechanism", "ipsec-3gpp");
	cJSON_AddStringToObject(o, "state", sa_state_name(sa_state(s)));
	cJSON_AddStringToObject(o, "alg", sec_alg_name(s->k.alg));
	cJSON_AddStringToObject(o, "ealg", sec_ealg_name(s->k.ealg));
	cJSON_AddStringToObject(o, "mode", sec_mod_name(sa_mod(s)));
	cJSON_AddNumberToObject(o, "reqid", s->k.reqid);
	cJSON_AddNumberToObject(o, "spiC", s->k.mine.spi_c);
	cJSON_AddNumberToObject(o, "spiS", s->k.mine.spi_s);
	cJSON_AddNumberToObject(o, "portC", s->k.mine.port_c);
	cJSON_AddNumberToObject(o, "portS", s->k.mine.port_s);
	cJSON_AddNumberToObject(o, "phoneSpiC", s->k.theirs.spi_c);
	cJSON_AddNumberToObject(o, "phoneSpiS", s->k.theirs.spi_s);
	cJSON_AddNumberToObject(o, "phonePortC", s->k.theirs.port_c);
	cJSON_AddNumberToObject(o, "phonePortS", s->k.theirs.port_s);
	return o;
}

/* Our SPI at the server port: nobody else has it while the set is there. */
static void id_of(const struct sa_set *s, char dst[ID_STRLEN])
{
	snprintf(dst, ID_STRLEN, "%08x", s->k.mine.spi_s);
}

static cJSON *set_json(const struct sa_set *s)
{
	cJSON *o = security_json(s);
	char id[ID_STRLEN], text[ADDR_STRLEN], *impi = str_dup(s->impi);

	id_of(s, id);
	cJSON_AddStringToObject(o, "id", id);
	cJSON_AddStringToObject(o, "impi", impi ? impi : "");
	cJSON_AddStringToObject(o, "ueAddress", addr_host(&s->k.peer, text));
	free(impi);
	return o;
}

static bool list_one(void *arg, const struct sa_set *s)
{
	struct gather *g = arg;

	if (g->limit == 0) {
		g->more = true;
		return false;
	}
	cJSON_AddItemToArray(g->items, set_json(s));
	g->last++;
	g->limit--;
	return true;
}

static void gather_sets(struct worker *w, struct gather *g)
{
	g->last = g->after;
	if (pcscf_of(w)->sets)
		sa_each(pcscf_of(w)->sets, g->after, list_one, g);
}

void security_list(void *u, struct http_req *r)
{
	stack_gather_page(((struct pcscf *)u)->stack, r, gather_sets, STR_NONE);
}

/* ---- one ---- */

struct wanted {
	const char *id;
	const struct sa_set *found;
};

static bool look(void *arg, const struct sa_set *s)
{
	struct wanted *x = arg;
	char id[ID_STRLEN];

	id_of(s, id);
	if (strcmp(id, x->id) == 0)
		x->found = s;
	return !x->found;
}

static const struct sa_set *find(struct worker *w, const struct ask *a)
{
	struct wanted x = { a->key, NULL };

	if (pcscf_of(w)->sets)
		sa_each(pcscf_of(w)->sets, 0, look, &x);
	return x.found;
}

static void show_here(struct worker *w, struct ask *a)
{
	const struct sa_set *s = find(w, a);

	if (!s)
		return;
	a->status = 200;
	a->json = set_json(s);
}

void security_show(void *u, struct http_req *r)
{
	stack_ask_all(((struct pcscf *)u)->stack, r, http_param(r, "saSetId"), show_here);
}

/* A set that nobody has answered for is refused; one that is used goes with its binding, one that is replaced goes soon by itself. */
static void delete_here(struct worker *w, struct ask *a)
{
	struct pcscf_worker *pw = pcscf_of(w);
	const struct sa_set *s = find(w, a);
	struct sa_set *held;

	if (!s || !ask_may_change(a, a->if_match[0] ? set_json(s) : NULL))
		return;
	held = obj_ref((struct sa_set *)(uintptr_t)s);
	a->status = 204;
	log_info(LOG_SEC, "security associations ended", LOG_S("impi", held->impi), LOG_C("by", "administration"));
	if (sa_state(held) == SA_PENDING)
		sa_refuse(pw->sets, held);
	else if (sa_state(held) != SA_LIVE) {
		a->status = 409;
		snprintf(a->cause, sizeof(a->cause), "NOT_IN_USE");
		snprintf(a->detail, sizeof(a->detail), "it is being made or goes by itself");
	} else if (!bindings_del(pw->bindings, held->key, "administration")) {
		sa_retire(pw->sets, held->key, SA_RELEASED);
	}
	obj_unref(held);
}

void security_delete(void *u, struct http_req *r)
{
	stack_ask_all(((struct pcscf *)u)->stack, r, http_param(r, "saSetId"), delete_here);
}

/* ---- what is offered ---- */

void security_algorithms(void *u, struct http_req *r)
{
	static const char *const policies[] = { "off", "prefer", "require" };
	const struct security_config *c = &((struct pcscf *)u)->cfg.security;
	cJSON *o = cJSON_CreateObject(), *list;
	bool null = false;

	cJSON_AddBoolToObject(o, "enabled", c->on);
	cJSON_AddStringToObject(o, "policy", policies[c->policy]);
	list = cJSON_AddArrayToObject(o, "offered");
	for (unsigned i = 0; i < c->n_pairs; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "alg", sec_alg_name(c->pair[i].alg));
		cJSON_AddStringToObject(one, "ealg", sec_ealg_name(c->pair[i].ealg));
		cJSON_AddNumberToObject(one, "preference", i + 1);
		cJSON_AddItemToArray(list, one);
		null = null || ipsec_pair_is_null(c->pair[i].alg, c->pair[i].ealg);
	}
	cJSON_AddStringToObject(o, "nullEncryption", null ? "allowed" : "refused");
	http_reply_json(r, 200, o);
}
