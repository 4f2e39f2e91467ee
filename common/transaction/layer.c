/* common/transaction/layer.c - the transaction layer: handles, limits, sending, the end of objects. */
#include <errno.h>
#include <stdlib.h>
#include "common/sip/oc.h"
#include "common/transaction/private.h"
#include "common/util/clock.h"
#include "common/util/rand.h"

#define NO_SLOT UINT32_MAX
#define FIRST_SLOTS 64u
#define EXPECTED 1024u

static void request_return(struct tx_server *st)
{
	st->t.returns = false;
	sip_msg_unref(st->req);
	st->req = NULL;
}

static void tell_fault(struct tx *t)
{
	t->fault = false;
	(void)tx_event(t, t->error_event, NULL);	/* when that ends it, it comes again */
}

static void destroy(struct tx *t)
{
	if (t->server)
		tx_server_destroy(container_of(t, struct tx_server, t));
	else
		tx_client_destroy(container_of(t, struct tx_client, t));
}

/* Frees what has ended, gives back the requests of answered transactions and tells of sends that failed, outside of every callback.
 * What that brings about waits for the next turn. */
static void run_later(struct tx_layer *l)
{
	struct list now;

	list_init(&now);
	while (!list_empty(&l->later)) {
		struct list *n = l->later.next;

		list_del(n);
		list_add_tail(&now, n);
	}
	while (!list_empty(&now)) {
		struct tx *t = list_entry(now.next, struct tx, later);

		list_del(&t->later);
		if (t->dead) {
			destroy(t);
			continue;
		}
		if (t->returns)
			request_return(container_of(t, struct tx_server, t));
		if (t->fault)
			tell_fault(t);
	}
}

static void on_later(struct timer *timer)
{
	run_later(container_of(timer, struct tx_layer, later_timer));
}

void tx_later(struct tx *t)
{
	if (list_empty(&t->later))
		list_add_tail(&t->l->later, &t->later);
	if (!timer_pending(&t->l->later_timer))
		timer_start(t->l->wheel, &t->l->later_timer, 0);
}

void tx_unlink(struct tx *t)
{
	if (t->server)
		list_del(&container_of(t, struct tx_server, t)->answered);
	htab_del(t->server ? &t->l->servers : &t->l->clients, &t->node);
}

struct tx_layer *tx_layer_new(struct wheel *w, const struct tx_ops *ops, void *u, uint16_t worker)
{
	struct tx_layer *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->wheel = w;
	l->ops = ops;
	l->u = u;
	l->worker = worker;
	l->max = TX_DEFAULT_MAX;
	l->free_slot = NO_SLOT;
	for (int i = 0; i < TX_N_SIDES; i++)
		l->timers[i] = tx_timers_default[i];
	list_init(&l->all);
	list_init(&l->later);
	for (int i = 0; i < TX_N_SIDES; i++)
		list_init(&l->answered[i]);
	timer_init(&l->later_timer, on_later);
	if (htab_init(&l->servers, EXPECTED) < 0)
		goto fail;
	if (htab_init(&l->clients, EXPECTED) < 0)
		goto fail;
	return l;
fail:
	htab_fini(&l->servers);
	free(l);
	return NULL;
}

void tx_layer_free(struct tx_layer *l)
{
	if (!l)
		return;
	l->closing = true;		/* callbacks may still call in: nothing is made or sent any more */
	while (!list_empty(&l->all)) {
		struct tx *t = list_entry(l->all.next, struct tx, all);

		if (!t->dead) {
			t->dead = true;
			tx_unlink(t);
		}
		list_del(&t->later);
		destroy(t);
	}
	timer_stop(&l->later_timer);
	htab_fini(&l->servers);
	htab_fini(&l->clients);
	free(l->slots);
	free(l);
}

void tx_layer_set_timers(struct tx_layer *l, enum tx_side side, const struct tx_timers *t)
{
	l->timers[side] = *t;
}

void tx_layer_set_response_flow_fn(struct tx_layer *l, void (*fn)(void *u, const struct sip_msg *req, struct sip_flow *to))
{
	l->response_flow_fn = fn;
}

void tx_layer_set_side_fn(struct tx_layer *l, enum tx_side (*fn)(void *u, const struct sip_flow *from))
{
	l->side_fn = fn;
}

void tx_layer_set_vital_fn(struct tx_layer *l, bool (*fn)(void *u, const struct sip_msg *m))
{
	l->vital_fn = fn;
}

void tx_layer_set_admit_fn(struct tx_layer *l, bool (*fn)(void *u, struct sip_msg *m, struct refusal *ret))
{
	l->admit_fn = fn;
}

void tx_layer_set_overload_fn(struct tx_layer *l, unsigned (*fn)(void *u))
{
	l->overload_fn = fn;
}

void tx_layer_set_limits(struct tx_layer *l, uint32_t max_transactions)
{
	l->max = max_transactions;
}

void tx_layer_stats(const struct tx_layer *l, struct tx_stats *ret)
{
	*ret = l->st;
}

/* ---- handles: a slot and how often it was used; generation 0 names nothing ---- */

static int slots_grow(struct tx_layer *l)
{
	uint32_t n = l->n_slots ? 2 * l->n_slots : FIRST_SLOTS;
	struct tx_slot *s = realloc(l->slots, (size_t)n * sizeof(*s));

	if (!s)
		return -ENOMEM;
	for (uint32_t i = l->n_slots; i < n; i++)
		s[i] = (struct tx_slot){ NULL, 1, i + 1 < n ? i + 1 : NO_SLOT };
	l->free_slot = l->n_slots;
	l->slots = s;
	l->n_slots = n;
	return 0;
}

static int slot_take(struct tx_layer *l, struct tx *t)
{
	if (l->free_slot == NO_SLOT && slots_grow(l) < 0)
		return -ENOMEM;
	t->slot = l->free_slot;
	t->gen = l->slots[t->slot].gen;
	l->slots[t->slot].tx = t;
	l->free_slot = l->slots[t->slot].next_free;
	return 0;
}

static void slot_give(struct tx_layer *l, struct tx *t)
{
	struct tx_slot *s = &l->slots[t->slot];

	s->tx = NULL;
	if (++s->gen == 0)
		s->gen = 1;
	s->next_free = l->free_slot;
	l->free_slot = t->slot;
}

struct tx_handle tx_handle_of(const struct tx *t)
{
	return (struct tx_handle){ t->slot, t->gen, t->l->worker };
}

static struct tx *find(const struct tx_layer *l, struct tx_handle h)
{
	if (h.worker != l->worker || h.slot >= l->n_slots || l->slots[h.slot].gen != h.gen)
		return NULL;
	return l->slots[h.slot].tx;
}

struct tx_server *tx_server_find(struct tx_layer *l, struct tx_handle h)
{
	struct tx *t = find(l, h);

	return t && t->server && !t->dead ? container_of(t, struct tx_server, t) : NULL;
}

/* ---- objects ---- */

static struct str keep(char **p, struct str s)
{
	char *at = *p;

	if (s.l)
		memcpy(at, s.p, s.l);
	*p += s.l;
	return str_make(at, s.l);
}

static uint64_t hash_key(const struct tx_key *k)
{
	return hash_mix(hash_str(k->branch), hash_istr(k->host) ^ k->port);
}

/* Room for so many octets more, where keep() puts texts. */
static char *texts_new(struct tx *t, const struct tx_key *k, struct str call_id)
{
	t->text = malloc(k->branch.l + k->host.l + k->method_name.l + k->to_tag.l + call_id.l + 1);
	return t->text;
}

static void texts_keep(struct tx *t, struct tx_key *k, char *p)
{
	k->branch = keep(&p, k->branch);
	k->host = keep(&p, k->host);
	k->method_name = keep(&p, k->method_name);
	k->to_tag = keep(&p, k->to_tag);
	t->call_id = keep(&p, t->call_id);
}

int tx_add(struct tx_layer *l, struct tx *t, const struct tx_key *given, struct str call_id, bool lasts)
{
	struct tx_key k = *given;

	t->l = l;
	if ((!lasts && !texts_new(t, given, call_id)) || slot_take(l, t) < 0) {
		free(t->text);
		t->text = NULL;
		return -ENOMEM;
	}
	t->call_id = call_id;
	if (!lasts)
		texts_keep(t, &k, t->text);
	t->branch = k.branch;
	t->method = k.method;
	if (t->server) {
		struct tx_server *st = container_of(t, struct tx_server, t);

		st->host = k.host;
		st->port = k.port;
		st->method_name = k.method_name;
		st->key_to_tag = k.to_tag;
		st->legacy = k.legacy;
	}
	t->born_ms = l->wheel->now_ms;
	list_init(&t->later);
	list_add_tail(&l->all, &t->all);
	tx_timers_init(t);
	htab_add(t->server ? &l->servers : &l->clients, &t->node, hash_key(given));
	*(t->server ? &l->st.server_made : &l->st.client_made) += 1;
	*(t->server ? &l->st.server_now : &l->st.client_now) += 1;
	return 0;
}

static void drop(struct tx *t)
{
	struct tx_layer *l = t->l;

	timer_stop(&t->retry);
	timer_stop(&t->life);
	list_del(&t->all);
	list_del(&t->later);
	slot_give(l, t);
	*(t->server ? &l->st.server_now : &l->st.client_now) -= 1;
	bytes_unref(t->wire);
	free(t->text);
}

void tx_server_destroy(struct tx_server *st)
{
	tx_server_invite_final(st, 0);
	if (st->gone)
		st->gone(st->user);
	drop(&st->t);
	sip_msg_unref(st->req);
	free(st);
}

void tx_client_destroy(struct tx_client *ct)
{
	if (ct->ops && ct->ops->gone)
		ct->ops->gone(ct->user, ct);
	drop(&ct->t);
	bytes_unref(ct->ack);
	free(ct->cancel_reason);
	free(ct);
}

void tx_layer_each(struct tx_layer *l, void (*fn)(void *arg, const struct tx_view *v), void *arg)
{
	struct list *p, *next;

	list_for_each_safe(p, next, &l->all) {
		struct tx *t = list_entry(p, struct tx, all);
		struct tx_view v = {
			.server = t->server, .method = t->method, .state = t->fsm->state_names[t->state],
			.call_id = t->call_id, .age_ms = l->wheel->now_ms - t->born_ms,
		};

		if (!t->dead)
			fn(arg, &v);
	}
}

/* ---- the transport's side ---- */

int tx_send(struct tx_layer *l, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	int rc;

	if (l->closing)
		return 0;
	rc = l->ops->send(l->u, to, wire, origin);
	if (rc == 0 && l->ops->observe)
		l->ops->observe(l->u, true, to, bytes_str(wire), NULL);
	return rc;
}

int tx_send_oc(struct tx_layer *l, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	struct sip_oc oc = { .percent = l->overload_fn ? l->overload_fn(l->u) : 0, .validity_ms = SIP_OC_VALIDITY_MS,
			     .seq = clock_wall_us() / 1000 };
	struct bytes *told = oc.percent ? sip_oc_stamp(bytes_str(wire), &oc) : NULL;
	int rc = tx_send(l, to, told ? told : wire, origin);

	bytes_unref(told);
	return rc;
}

void tx_transport_error(struct tx_layer *l, struct tx_handle origin, int err)
{
	struct tx *t = find(l, origin);

	if (!t || t->dead)
		return;
	t->err = err;
	(void)tx_event(t, t->error_event, NULL);
}

void tx_input(struct tx_layer *l, struct sip_msg *m)
{
	if (l->ops->observe)
		l->ops->observe(l->u, false, &m->flow, m->raw, m);
	if (m->request)
		tx_server_input(l, m);
	else
		tx_client_input(l, m);
}

void tx_branch_make(char dst[24])
{
	memcpy(dst, "z9hG4bK", 7);
	rand_token(dst + 7, 15);
}
