/* scscf/legs.c - sessions end with the contact that they are of: TS 24.229 §5.4.1.4.1, §5.4.1.5, §5.4.5.1; row T18.
 *
 * A leg is where a session meets a phone of ours: a reference that the dialog table keeps for as long as the dialog is watched, found here
 * by the registration.  When contacts end, their owner tells every worker; each compares them with what the end of the dialog calls itself,
 * so a session of another phone, one that an application server began, and a voice mail that answered go on.  Calls that ring are in
 * scscf_worker.invites. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "common/dialog/dialog.h"
#include "common/log/log.h"
#include "scscf/gruu.h"
#include "scscf/registration.h"
#include "scscf/session.h"

#define LEGS_BUSY 4096u
#define LEG_OF_CALLER 2u		/* slots of dialog_table_attach(): limits.c has 0 and 1 */

struct legs {				/* of one worker; counted, because dialogs outlive the role */
	struct obj o;
	struct htab users;
	atomic_uint busy[LEGS_BUSY];	/* legs by hash of the registration: other workers look whether there may be one */
};
struct user {				/* there while it has a leg */
	struct hnode node;
	uint64_t id;			/* registration */
	struct list legs;
};
struct leg {
	struct obj o;
	struct list link;
	struct legs *all;
	struct user *u;
	unsigned end;			/* 0: the phone is the caller, 1: the callee */
	char call_id[];
};

static void legs_obj_free(struct obj *o)
{
	struct legs *l = (struct legs *)o;

	htab_fini(&l->users);
	free(l);
}

int legs_new(struct scscf_worker *sw)
{
	struct legs *l = calloc(1, sizeof(*l));

	if (!l || htab_init(&l->users, 16) < 0) {
		free(l);
		return -ENOMEM;
	}
	obj_init(&l->o, legs_obj_free);
	sw->legs = l;
	return 0;
}

void legs_free(struct scscf_worker *sw)
{
	obj_unref(sw->legs);
	sw->legs = NULL;
}

static atomic_uint *busy_of(struct legs *l, uint64_t id)
{
	return &l->busy[hash_mix(id, 0) % LEGS_BUSY];
}

bool legs_maybe(const struct scscf_worker *sw, uint64_t id)
{
	return atomic_load(busy_of(sw->legs, id)) > 0;
}

static bool is_user(const struct hnode *n, const void *key)
{
	return container_of(n, const struct user, node)->id == *(const uint64_t *)key;
}

static struct user *user_find(const struct legs *l, uint64_t id)
{
	struct hnode *n = htab_find(&l->users, hash_mix(id, 0), is_user, &id);

	return n ? container_of(n, struct user, node) : NULL;
}

static struct user *user_get(struct legs *l, uint64_t id)
{
	struct user *u = user_find(l, id);

	if (u || !(u = malloc(sizeof(*u))))
		return u;
	u->id = id;
	list_init(&u->legs);
	htab_add(&l->users, &u->node, hash_mix(id, 0));
	return u;
}

static void leg_free(struct obj *o)
{
	struct leg *g = (struct leg *)o;

	list_del(&g->link);
	atomic_fetch_sub(busy_of(g->all, g->u->id), 1);
	if (list_empty(&g->u->legs)) {
		htab_del(&g->all->users, &g->u->node);
		free(g->u);
	}
	obj_unref(g->all);
	free(g);
}

void legs_add(struct scscf_worker *sw, const struct sip_msg *invite, uint64_t id, enum session_side side)
{
	struct legs *l = legs_wanted(sw->s) && invite->method == SIP_INVITE ? sw->legs : NULL;
	struct leg *g = l ? malloc(sizeof(*g) + invite->call_id.l + 1) : NULL;

	if (!g)			/* without memory the session ends like any other */
		return;
	obj_init(&g->o, leg_free);
	g->u = user_get(l, id);
	if (!g->u) {
		free(g);
		return;
	}
	g->all = obj_ref(l);
	g->end = side == SIDE_TERMINATING;
	memcpy(g->call_id, invite->call_id.p, invite->call_id.l);
	g->call_id[invite->call_id.l] = '\0';
	list_add_tail(&g->u->legs, &g->link);
	atomic_fetch_add(busy_of(l, id), 1);
	dialog_table_attach(sw->w->dialogs, invite, LEG_OF_CALLER + g->end, &g->o);
	obj_unref(g);
}

/* ---- contacts that ended ---- */

/* What phones add to the URI in a Contact of an INVITE (transport, ob) differs from what they registered. */
static bool same_place(const struct sip_uri *a, const struct sip_uri *b)
{
	return a->scheme == b->scheme && a->port == b->port && str_eq(a->user, b->user) && str_ieq(a->host, b->host);
}

static char *text(struct arena *a, const char *s)
{
	return (char *)(uintptr_t)arena_dup(a, str_from_c(s)).p;
}

/* The phone has another flow (RFC 5626 §3.2), or another contact has that address: its sessions go on by what is left. */
static bool is_still_here(const struct registration *g, const struct binding *ended)
{
	struct sip_uri was, is;
	struct list *i;
	bool good = sip_uri_parse(str_from_c(ended->uri), &was, NULL) == 0;

	list_for_each(i, &g->bindings) {
		const struct binding *b = list_entry(i, const struct binding, link);

		if (*ended->instance && strcmp(ended->instance, b->instance) == 0)
			return true;
		if (good && sip_uri_parse(str_from_c(b->uri), &is, NULL) == 0 && same_place(&was, &is))
			return true;
	}
	return false;
}

struct legs_gone *legs_gone_new(const struct registration *g)
{
	struct arena *a = arena_new(512);
	struct legs_gone *c = a ? arena_zalloc(a, sizeof(*c)) : NULL;
	struct reg_contact_view *v;
	unsigned n = 0;
	struct list *i;

	list_for_each(i, &g->r->ended)
		n++;
	if (c)
		c->contact = arena_zalloc(a, (n + 1) * sizeof(*c->contact));
	if (!c || !c->contact) {
		arena_unref(a);
		return NULL;
	}
	c->arena = a;
	c->id = g->id;
	c->key = stack_token_key(registration_scscf(g)->stack);
	list_for_each(i, &g->r->ended) {
		const struct binding *b = list_entry(i, const struct binding, link);

		if (b->moved || is_still_here(g, b))
			continue;
		v = &c->contact[c->n];
		v->uri = text(a, b->uri);
		v->params = text(a, b->params);
		v->call_id = text(a, b->call_id);
		if (v->uri && v->params && v->call_id)
			c->n++;
	}
	return c;
}

static bool is_gone(const struct legs_gone *c, struct str contact)
{
	struct sip_uri u, of;

	if (sip_uri_parse(contact, &u, NULL) < 0)
		return false;
	for (unsigned i = 0; i < c->n; i++)
		if (gruu_is(&u) ? gruu_means(c->key, &u, &c->contact[i]) :
				  sip_uri_parse(str_from_c(c->contact[i].uri), &of, NULL) == 0 && same_place(&u, &of))
			return true;
	return false;
}

static void end_dialogs(struct scscf_worker *sw, const struct legs_gone *c, const struct leg *g)
{
	struct str call_id = str_from_c(g->call_id), contact;
	uint64_t id = 0;

	while ((id = dialog_table_holding(sw->w->dialogs, call_id, &g->o, id, g->end, &contact)) != 0)
		if (is_gone(c, contact))
			ending_dialog(sw, call_id, id, STR("SIP;cause=480;text=\"The contact is not registered any more\""), "deregistration");
}

/* Nothing rings at the user any more, whoever shares the identity. */
static bool nobody_left(struct scscf_worker *sw, struct str aor)
{
	struct aor_view *set = reg_directory_aor(sw->s->dir, aor);
	bool left = false;

	for (unsigned i = 0; set && i < set->n; i++)
		left = left || set->v[i]->n_contacts;
	obj_unref(set);
	return !left;
}

static bool rings_for(struct scscf_worker *sw, const struct session *s, const struct legs_gone *c)
{
	struct sip_nameaddr n;

	if (s->user_id != c->id || s->answered)
		return false;
	if (s->side == SIDE_TERMINATING)
		return s->at_phones && nobody_left(sw, s->served);
	return s->from_phone && sip_nameaddr_parse(sip_msg_value(proxy_request(s->p), SIP_H_CONTACT), &n) == 0 && is_gone(c, n.uri.text);
}

static struct session *next_ringing(struct scscf_worker *sw, const struct legs_gone *c)
{
	struct list *i;

	list_for_each(i, &sw->invites) {
		struct session *s = list_entry(i, struct session, invite);

		if (!s->given_up && rings_for(sw, s, c))
			return s;
	}
	return NULL;
}

void legs_gone_here(struct worker *w, void *arg)
{
	struct scscf_worker *sw = scscf_of(w);
	struct legs_gone *c = arg;
	struct user *u = user_find(sw->legs, c->id);
	struct list *i, *after;
	struct session *s;

	/* What is ended lingers in the table, and its leg with it. */
	if (u)
		list_for_each_safe(i, after, &u->legs)
			end_dialogs(sw, c, list_entry(i, struct leg, link));
	while (legs_wanted(sw->s) && (s = next_ringing(sw, c)))
		session_give_up(s, 480, "the contact is not registered any more");
	arena_unref(c->arena);
}
