/* common/transaction/client.c - client transactions: creation, and which one a response belongs to (RFC 3261 §17.1.3). */
#include <errno.h>
#include <stdlib.h>
#include "common/transaction/private.h"

struct client_key {
	struct str branch;
	bool invite, cancel;
};

/* The branch is our own random one; of one branch there are at most an INVITE and its CANCEL, or one other request. */
static bool client_eq(const struct hnode *n, const void *key)
{
	const struct tx *t = container_of(n, const struct tx, node);
	const struct client_key *k = key;

	return (t->method == SIP_INVITE) == k->invite && (t->method == SIP_CANCEL) == k->cancel &&
	       str_eq(t->branch, k->branch);
}

struct tx_client *tx_client_find(struct tx_layer *l, struct str branch, enum sip_method method)
{
	struct client_key k = { branch, method == SIP_INVITE, method == SIP_CANCEL };
	uint64_t h = hash_mix(hash_str(branch), hash_istr(STR_NONE));
	struct hnode *n = htab_find(&l->clients, h, client_eq, &k);

	return n ? container_of(n, struct tx_client, t.node) : NULL;
}

struct tx_client *tx_client_make(struct tx_layer *l, const struct tx_client_new_args *a)
{
	struct tx_key k = { .branch = a->branch, .method = a->method };
	struct tx_client *ct = calloc(1, sizeof(*ct));
	struct tx *t;

	if (!ct)
		return NULL;
	t = &ct->t;
	t->fsm = a->method == SIP_INVITE ? &ict_fsm : &nict_fsm;
	t->side = a->side;
	t->flow = a->to;
	t->reliable = sip_proto_is_reliable(a->to.proto);
	if (tx_add(l, t, &k, a->call_id.l ? a->call_id : sip_scan_call_id(bytes_str(a->wire)), false) < 0) {
		free(ct);
		return NULL;
	}
	tx_keep_wire(t, a->wire);
	ct->ops = a->ops;
	ct->user = a->user;
	ct->has_other = a->has_other;
	if (a->method == SIP_INVITE)
		ict_start(ct);
	else
		nict_start(ct);
	return ct;
}

struct tx_client *tx_client_new(struct tx_layer *l, const struct tx_client_new_args *a)
{
	/* A quarter above the limit: what was let in can still be carried out. */
	uint64_t limit = (uint64_t)l->max + l->max / 4;

	if (l->closing)
		return NULL;
	if ((uint64_t)l->st.server_now + l->st.client_now >= limit) {
		l->st.refused_full++;
		return NULL;
	}
	return tx_client_make(l, a);
}

void tx_client_input(struct tx_layer *l, struct sip_msg *m)
{
	struct tx_client *ct = tx_client_find(l, m->via.branch, m->method);
	unsigned ev;

	if (!ct) {
		l->st.strays++;
		if (l->ops->stray)
			l->ops->stray(l->u, m);
		return;
	}
	if (ct->t.fsm == &ict_fsm)
		ev = m->status < 200 ? ICT_EV_1XX : m->status < 300 ? ICT_EV_2XX : ICT_EV_NON2XX;
	else
		ev = m->status < 200 ? NICT_EV_1XX : NICT_EV_FINAL;
	if (tx_event(&ct->t, ev, m) < 0)
		l->st.strays++;
}

void tx_client_cancel(struct tx_client *ct, struct str reason)
{
	if (ct->t.fsm != &ict_fsm || ct->t.dead)
		return;
	if (reason.l && !ct->cancel_reason)
		ct->cancel_reason = str_dup(reason);		/* out of memory: a CANCEL without Reason */
	(void)tx_event(&ct->t, ICT_EV_CANCEL, NULL);
}

void tx_client_forget(struct tx_client *ct)
{
	ct->ops = NULL;
	ct->user = NULL;
	if (ct->t.fsm == &ict_fsm && !ct->t.dead)
		ict_forgotten(ct);
}

struct tx_handle tx_client_handle(const struct tx_client *ct)
{
	return tx_handle_of(&ct->t);
}
