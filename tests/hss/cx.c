/* tests/hss/cx.c - Cx requests in, the procedures, answers out; and the misbehaviour that was ordered, in between. */
#include <stdlib.h>
#include "common/log/log.h"
#include "tests/hss/hss.h"

#define HELD_MAX 10000u			/* answers kept back at a time */
#define XML_MAX (1u << 20)

/* One request with what is to be done about it. */
struct job {
	struct list link;		/* hss.held */
	struct timer timer;
	struct hss *h;
	struct dia_peer_request *q;
	enum hss_command cmd;
	const void *r;
	struct dia_result result;	/* ordered; code 0: the right one */
	char *user_data;		/* ordered; owned */
	bool set_user_data;
};

static void count(const struct job *j, const struct dia_result *r)
{
	hss_count_result(&j->h->count[j->cmd], r);
	log_debug(LOG_DIA, "answered", LOG_C("command", hss_command_name(j->cmd)),
		  LOG_C("result", cx_result_name(r->code, r->experimental)));
}

static void serve_uar(struct job *j)
{
	struct cx_uaa a = { .result = j->result };

	if (!a.result.code)
		hss_uar(j->h, j->r, &a);
	count(j, &a.result);
	cx_uaa_send(j->q, &a);
}

static void serve_lir(struct job *j)
{
	struct cx_lia a = { .result = j->result };

	if (!a.result.code)
		hss_lir(j->h, j->r, &a);
	count(j, &a.result);
	cx_lia_send(j->q, &a);
}

static void serve_mar(struct job *j)
{
	struct cx_maa a = { .result = j->result };
	struct mar_work w;

	if (!a.result.code)
		hss_mar(j->h, j->r, &a, &w);
	count(j, &a.result);
	cx_maa_send(j->q, &a);
	explicit_bzero(&w, sizeof(w));
}

static void tell_old_server(struct hss *h, const struct cx_sar *r, const char *host)
{
	struct push_order o = { .reason_code = 1, .reason_info = STR("another S-CSCF serves the user"), .host = host };
	struct sub *b = subs_by_impi(h->subs, r->impi);

	if (b && h->set.rtr_on_new_server && h->client)
		push_rtr(h, b, &o, NULL, NULL);
}

static void serve_sar(struct job *j)
{
	struct cx_saa a = { .result = j->result };
	const char *moved_from = NULL;
	struct buf xml;

	buf_init(&xml, XML_MAX);
	if (!a.result.code)
		hss_sar(j->h, j->r, &a, &xml, &moved_from);
	if (j->set_user_data)
		a.user_data = str_from_c(j->user_data);
	count(j, &a.result);
	if (moved_from)
		tell_old_server(j->h, j->r, moved_from);
	cx_saa_send(j->q, &a);
	buf_fini(&xml);
}

static void serve(struct job *j)
{
	static void (*const by_command[])(struct job *) = {
		[HSS_UAR] = serve_uar, [HSS_LIR] = serve_lir, [HSS_MAR] = serve_mar, [HSS_SAR] = serve_sar,
	};

	by_command[j->cmd](j);
}

static void job_free(struct job *j)
{
	list_del(&j->link);
	timer_stop(&j->timer);
	j->h->n_held--;
	free(j->user_data);
	free(j);
}

static void on_delay(struct timer *t)
{
	struct job *j = container_of(t, struct job, timer);

	serve(j);
	job_free(j);
}

/* The job is copied: it outlives the call. */
static void serve_later(struct job *j, uint32_t delay_ms)
{
	struct job *k = j->h->n_held < HELD_MAX ? malloc(sizeof(*k)) : NULL;

	j->h->count[j->cmd].delayed++;
	if (!k) {
		serve(j);
		return;
	}
	*k = *j;
	k->user_data = j->user_data ? strdup(j->user_data) : NULL;
	k->set_user_data = k->user_data != NULL;
	list_add_tail(&j->h->held, &k->link);
	j->h->n_held++;
	timer_init(&k->timer, on_delay);
	timer_start(loop_wheel(j->h->loop), &k->timer, delay_ms);
}

/* Another process on the same state may have changed it. */
static void read_again(struct hss *h, struct str impi, struct str impu)
{
	const struct sub *first = impi.l ? subs_by_impi(h->subs, impi) : subs_by_impu(h->subs, impu, NULL);

	for (unsigned n = 1; first && n <= SUB_MAX_SETS; n++)
		hss_refresh(h, subs_set(h->subs, first->impi, n));
}

static void take(struct hss *h, enum hss_command cmd, struct dia_peer_request *q, const void *r, struct str impi, struct str impu)
{
	const struct behave_rule *b = behave_match(&h->behave, cmd, impi, impu);
	struct job j = { .h = h, .q = q, .cmd = cmd, .r = r };

	if (h->set.shared_state)
		read_again(h, impi, impu);
	h->retransmitted += dia_request_retransmitted(q);
	if (!b) {
		serve(&j);
		return;
	}
	if (b->overload_s != UINT32_MAX)
		dia_request_overload(q, b->sequence, b->overload, b->overload_s, false);
	if (b->redirect[0]) {
		const struct dia_redirect to = { .n = 1, .host = { str_from_c(b->redirect) }, .usage = b->usage, .cache_s = b->cache_s };

		hss_count_result(&h->count[cmd], &(struct dia_result){ 0, DIA_REDIRECT_INDICATION, false });
		dia_request_redirect(q, &to);
		return;
	}
	if (b->silent) {
		h->count[cmd].silent++;
		dia_request_drop(q);
		return;
	}
	j.result = b->result;
	j.user_data = b->user_data;
	j.set_user_data = b->set_user_data;
	if (b->delay_ms)
		serve_later(&j, b->delay_ms);
	else
		serve(&j);
}

static void on_uar(void *u, struct dia_peer_request *q, const struct cx_uar *r)
{
	take(u, HSS_UAR, q, r, r->impi, r->impu);
}

static void on_lir(void *u, struct dia_peer_request *q, const struct cx_lir *r)
{
	take(u, HSS_LIR, q, r, STR_NONE, r->impu);
}

static void on_mar(void *u, struct dia_peer_request *q, const struct cx_mar *r)
{
	take(u, HSS_MAR, q, r, r->impi, r->impu);
}

static void on_sar(void *u, struct dia_peer_request *q, const struct cx_sar *r)
{
	take(u, HSS_SAR, q, r, r->impi, r->impus.n ? r->impus.v[0] : STR_NONE);
}

void hss_cx_open(struct hss *h)
{
	static const struct cx_server_ops ops = { .uar = on_uar, .lir = on_lir, .mar = on_mar, .sar = on_sar };

	cx_serve(h->loop, &ops, h);
}

void hss_cx_close(struct hss *h)
{
	while (h->n_held) {
		struct job *j = list_entry(h->held.next, struct job, link);

		dia_request_drop(j->q);
		job_free(j);
	}
}
