/* common/proxy/ack.c - the ACK for a 2xx: forwarded without a transaction.  RFC 3261 §16.11, §17.1.1.3. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/proxy/private.h"
#include "common/util/hash.h"

#define ACK_BRANCH_STRLEN 32

struct ack_job {			/* waits for the resolver */
	struct list link;
	struct proxy_layer *l;
	struct sip_msg *m, *rewritten;
	struct sip_out plan;
	struct resolver_query *query;
};

static void job_free(struct ack_job *j)
{
	list_del(&j->link);
	if (j->query)
		resolver_cancel(j->query);
	sip_msg_unref(j->rewritten);
	sip_msg_unref(j->m);
	free(j);
}

void proxy_acks_free(struct proxy_layer *l)
{
	while (!list_empty(&l->acks))
		job_free(list_entry(l->acks.next, struct ack_job, link));
}

/* §16.11: the same for a retransmission, another one for another request. */
static void branch_make(const struct sip_msg *m, char dst[ACK_BRANCH_STRLEN])
{
	uint64_t h = hash_mix(hash_str(m->via.branch), hash_str(m->via.host));

	h = hash_mix(hash_mix(h, m->via.port), hash_str(m->ruri_text));
	h = hash_mix(hash_mix(h, hash_str(m->call_id)), hash_mix(hash_str(m->to_tag), m->cseq));
	snprintf(dst, ACK_BRANCH_STRLEN, "z9hG4bKa%016llx", (unsigned long long)h);
}

static int wire_make(struct proxy_layer *l, const struct sip_msg *m, const struct sip_out *plan, const struct sip_flow *to,
		     struct bytes **ret)
{
	char branch[ACK_BRANCH_STRLEN];
	struct addr local;
	struct sip_out o;
	int rc = l->env.local_for(l->env.u, to, &local);

	if (rc)
		return rc;
	branch_make(m, branch);
	sip_out_copy(&o, plan);
	proxy_push_via(&o, to, &local, branch, "");
	return sip_out_write(&o, ret);
}

static int send_to(struct proxy_layer *l, const struct sip_msg *m, const struct sip_out *plan, struct sip_flow to, bool fixed)
{
	struct bytes *wire = NULL;
	int rc = wire_make(l, m, plan, &to, &wire);

	if (!rc && to.proto == SIP_UDP && !fixed && wire->l > l->env.udp_max_bytes) {	/* §18.1.1 */
		struct sip_flow tcp = { .remote = to.remote, .proto = SIP_TCP };
		struct bytes *large = NULL;

		if (!wire_make(l, m, plan, &tcp, &large) && !l->env.send(l->env.u, &tcp, large)) {
			bytes_unref(large);
			goto out;
		}
		bytes_unref(large);
	}
	if (!rc)
		rc = l->env.send(l->env.u, &to, wire);
out:
	bytes_unref(wire);
	return rc;
}

static void on_resolved(void *arg, const struct resolver_result *res)
{
	struct ack_job *j = arg;
	unsigned i = 0;

	j->query = NULL;
	while (!res->err && i < res->n && send_to(j->l, j->m, &j->plan, res->target[i], res->explicit_proto))
		i++;
	if (res->err || i == res->n)
		log_debug(LOG_PROXY, "ACK could not be forwarded", LOG_C("why", res->why ? res->why : "no address took it"),
			  LOG_S("call_id", j->m->call_id));
	job_free(j);
}

static void forward_resolved(struct proxy_layer *l, struct ack_job *j, const struct sip_uri *next)
{
	struct resolver_query *q;

	/* The callback may free the job before this returns; then q is NULL. */
	q = resolver_lookup(l->env.resolver, next, on_resolved, j);
	if (q)
		j->query = q;
}

void proxy_forward_ack(struct proxy_layer *l, struct sip_msg *ack, struct sip_out *o, const struct sip_flow *flow)
{
	struct ack_job *j;
	struct sip_uri next;
	int rc;

	if (ack->max_forwards == 0 || ack->ruri.scheme == SIP_SCHEME_OTHER)
		return;			/* an ACK is never answered */
	j = calloc(1, sizeof(*j));
	if (!j)
		return;
	j->l = l;
	j->m = sip_msg_ref(ack);
	list_add_tail(&l->acks, &j->link);
	sip_out_copy(&j->plan, o);
	sip_out_fix_via(&j->plan);
	proxy_set_max_forwards(&j->plan);
	rc = proxy_next_hop(&j->plan, &next, &j->rewritten);
	if (!rc && !flow) {
		forward_resolved(l, j, &next);
		return;
	}
	if (!rc)
		rc = send_to(l, ack, &j->plan, *flow, true);
	if (rc)
		log_debug(LOG_PROXY, "ACK could not be forwarded", LOG_I("errno", -rc), LOG_S("call_id", ack->call_id));
	job_free(j);
}
