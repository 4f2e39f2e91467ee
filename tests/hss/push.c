/* tests/hss/push.c - RTR and PPR to the S-CSCF that serves a user.  TS 29.228 §6.1.3.1, §6.2.2.1. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "tests/hss/hss.h"

#define REASON_NEW_SERVER_ASSIGNED 1u
#define XML_MAX (1u << 20)

struct push {
	struct list link;		/* hss.pushes */
	struct hss *h;
	enum hss_command cmd;
	uint32_t reason_code;
	push_fn fn;
	void *arg;
	char impi[512];			/* the subscriber may be gone when the answer comes */
	unsigned sets;			/* RTR: bit n for the implicit registration set n */
};

/* The S-CSCF has let go of the user: so do we - but for NEW_SERVER_ASSIGNED, where another one has it. */
static void forget_server(struct push *p)
{
	for (unsigned n = 1; p->reason_code != REASON_NEW_SERVER_ASSIGNED && n <= SUB_MAX_SETS; n++) {
		struct sub *b = p->sets & 1u << n ? subs_set(p->h->subs, p->impi, n) : NULL;

		if (!b)
			continue;
		b->d.state = SUB_NOT_REGISTERED;
		b->d.auth_pending = false;
		b->d.server_name = b->d.server_host = NULL;
		hss_store(p->h, b);
	}
}

/* All sets of the user, or those that are named. */
static unsigned sets_of(const struct hss *h, const struct push_order *o)
{
	unsigned sets = o->impus.n ? 0 : UINT_MAX;

	for (unsigned i = 0; i < o->impus.n; i++) {
		const struct sub *b = subs_by_impu(h->subs, o->impus.v[i], NULL);

		sets |= b ? 1u << b->set : 0;
	}
	return sets;
}

static void done(struct push *p, const struct dia_result *r, const struct cx_rta *rta)
{
	struct push_result out = { *r, rta };

	hss_count_result(&p->h->count[p->cmd], r);
	log_info(LOG_DIA, "push answered", LOG_C("command", hss_command_name(p->cmd)), LOG_C("impi", p->impi),
		 LOG_I("error", r->err), LOG_U("code", r->code));
	if (p->cmd == HSS_RTR && r->err == 0 && r->code == DIA_SUCCESS && !r->experimental)
		forget_server(p);
	if (p->fn)
		p->fn(p->arg, &out);
	list_del(&p->link);
	free(p);
}

void push_close(struct hss *h)
{
	const struct dia_result gone = { .err = -ECONNRESET };

	while (!list_empty(&h->pushes))
		done(list_entry(h->pushes.next, struct push, link), &gone, NULL);
}

static void on_rta(void *arg, const struct cx_rta *a)
{
	done(arg, &a->result, a);
}

static void on_ppa(void *arg, const struct cx_ppa *a)
{
	done(arg, &a->result, NULL);
}

static struct push *begin(struct hss *h, enum hss_command cmd, const struct sub *b, push_fn fn, void *arg)
{
	struct push *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	list_add_tail(&h->pushes, &p->link);
	p->h = h;
	p->cmd = cmd;
	p->fn = fn;
	p->arg = arg;
	str_copy(str_from_c(b->impi), p->impi, sizeof(p->impi));
	return p;
}

int push_rtr(struct hss *h, struct sub *b, const struct push_order *o, push_fn fn, void *arg)
{
	const char *host = o->host ? o->host : b->d.server_host;
	struct cx_rtr r = { .impi = str_from_c(b->impi), .impus = o->impus, .reason_code = o->reason_code,
			    .reason_info = o->reason_info, .dest_host = str_from_c(host) };
	struct push *p;

	if (!host)
		return -ENOTCONN;
	p = begin(h, HSS_RTR, b, fn, arg);
	if (!p)
		return -ENOMEM;
	p->reason_code = o->reason_code;
	p->sets = sets_of(h, o);
	if (cx_rtr_send(h->client, &r, on_rta, p))
		return 0;
	list_del(&p->link);
	free(p);
	return -ENOMEM;
}

int push_ppr(struct hss *h, struct sub *b, struct str user_data, push_fn fn, void *arg)
{
	struct cx_ppr r = { .impi = str_from_c(b->impi), .user_data = user_data, .dest_host = str_from_c(b->d.server_host) };
	struct push *p = NULL;
	struct buf xml;
	int rc = 0;

	if (!b->d.server_host)
		return -ENOTCONN;
	buf_init(&xml, XML_MAX);
	if (user_data.l == 0) {
		profile_xml(b, &xml);
		r.user_data = buf_str(&xml);
	}
	hss_charging(h, &r.primary_ccf, &r.secondary_ccf, &r.primary_ecf, &r.secondary_ecf);
	if (r.user_data.l > BEHAVE_MAX_USER_DATA) {
		buf_fini(&xml);
		return -EMSGSIZE;
	}
	p = xml.failed ? NULL : begin(h, HSS_PPR, b, fn, arg);
	if (!p || !cx_ppr_send(h->client, &r, on_ppa, p)) {
		if (p)
			list_del(&p->link);
		free(p);
		rc = -ENOMEM;
	}
	buf_fini(&xml);
	return rc;
}
