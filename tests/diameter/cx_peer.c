/* tests/diameter/cx_peer.c - a HSS in one file for test_node: answers each command with every field set, as the private
 * identity asks.  A process of its own, so that tests can kill it.
 *
 *   cx_peer PORT [IDENTITY]        prints "ready" when it listens
 *
 * Private (LIR: public) identity: "silent" is not answered, "one" by all peers but hss.test (Server-Name is "again"
 * with the T flag), "elsewhere" is redirected to hss2.test by hss.test (both to remember; "now": not to), "nowhere" to one that is no peer,
 * "round" by each to the other one, "leave" makes it
 * disconnect (DPR) and end without an answer, "unknown" gets 5001, "busy" 3004, "push" makes it send RTR and PPR
 * before it answers, "demand" the same with features that nobody has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/diameter/cx.h"
#include "common/log/log.h"

static struct dia_client *client;
static struct dia_peer_request *waiting;
static unsigned pushes;
static struct loop *loop;
static struct timer push_again;
static bool mute;			/* "one" */
static bool demands;			/* "demand" */

static bool unusual(struct str id, struct dia_result *r)
{
	if (str_eq(id, STR("unknown")))
		*r = (struct dia_result){ 0, CX_USER_UNKNOWN, true };
	else if (str_eq(id, STR("busy")))
		*r = (struct dia_result){ 0, DIA_TOO_BUSY, false };
	else
		return false;
	return true;
}

/* As a SLF: Dx, TS 29.228 §5.2. */
static bool redirected(struct dia_peer_request *q, struct str id)
{
	struct dia_redirect r = { .n = 2, .host = { STR("aaa://nobody.test"), STR("aaa://hss2.test:3868;transport=tcp") }, .usage = 6, .cache_s = 60 };

	if (str_eq(id, STR("now")))
		r.usage = 0;
	else if (str_eq(id, STR("nowhere")))
		r.n = 1;
	else if (str_eq(id, STR("round")) && !mute)
		r.host[1] = STR("aaa://hss.test");
	else if (!str_eq(id, STR("round")) && !str_eq(id, STR("elsewhere")))
		return false;
	if (!mute && !str_eq(id, STR("round")) && !str_eq(id, STR("nowhere")))
		return false;
	dia_request_redirect(q, &r);
	return true;
}

static void on_uar(void *u, struct dia_peer_request *q, const struct cx_uar *r)
{
	struct cx_uaa a = { .result = { 0, CX_FIRST_REGISTRATION, true } };

	(void)u;
	if (redirected(q, r->impi))
		return;
	if (str_eq(r->impi, STR("leave"))) {
		dia_request_drop(q);
		dia_stop();
		exit(0);
	}
	if (str_eq(r->impi, STR("one")))
		a.server_name = dia_request_retransmitted(q) ? STR("again") : STR("first");
	if (str_eq(r->impi, STR("silent")) || (str_eq(r->impi, STR("one")) && mute)) {
		dia_request_drop(q);
		return;
	}
	if (!unusual(r->impi, &a.result)) {
		a.has_caps = true;
		a.caps.mandatory = (struct cx_u32s){ 2, { 7, r->type } };
		a.caps.optional = (struct cx_u32s){ 1, { r->flags } };
		a.caps.server_names = (struct cx_strs){ 2, { r->impu, r->visited_network } };
	}
	cx_uaa_send(q, &a);
}

/* TS 29.229 §7.2: what the asked one can do comes along. */
static bool is_unsupported(const struct dia_result *r, unsigned n, const struct cx_features *f)
{
	return r->err == 0 && r->experimental && r->code == CX_FEATURE_UNSUPPORTED && n == 1 && cx_features(n, f) == CX_FEATURES_OURS && !f[0].mandatory;
}

static void on_rta(void *arg, const struct cx_rta *a)
{
	(void)arg;
	if (demands && is_unsupported(&a->result, a->n_features, a->features))
		pushes++;
	if (a->result.err == 0 && a->result.code == DIA_SUCCESS && a->associated_impis.n == 1 && a->n_emergency == 2 &&
	    str_eq(a->emergency[1].impi, STR("other")) && str_eq(a->emergency[1].impu, STR("sip:o")))
		pushes++;
}

static void on_ppa(void *arg, const struct cx_ppa *a)
{
	struct cx_lia lia = { .result = { 0, DIA_SUCCESS, false }, .server_name = STR("sip:pushed") };

	(void)arg;
	if ((demands ? is_unsupported(&a->result, a->n_features, a->features) :
		       a->result.err == 0 && a->result.code == CX_TOO_MUCH_DATA && a->result.experimental) && pushes == 1 && waiting)
		cx_lia_send(waiting, &lia);
	waiting = NULL;
}

static void push(struct dia_peer_request *q);

static void on_push_again(struct timer *t)
{
	(void)t;
	push(waiting);
}

static void push(struct dia_peer_request *q)
{
	/* What is demanded and can be done, and what cannot and is not demanded, are both fine. */
	static struct cx_rtr rtr = { .impi = STR("me"), .impus = { 2, { STR("sip:a"), STR("tel:+1") } },
					   .associated_impis = { 1, { STR("other") } }, .reason_code = 2,
					   .reason_info = STR("moved"), .dest_host = STR("client.test") };
	static struct cx_ppr ppr = { .impi = STR("me"), .user_data = STR("<x/>"), .primary_ccf = STR("aaa://c1"),
					   .secondary_ecf = STR("aaa://e2"), .dest_host = STR("client.test") };

	rtr.n_features = ppr.n_features = 2;
	rtr.features[0] = (struct cx_features){ true, 10415, 1, CX_FEATURE_ALIAS | (demands ? 32 : 0) };
	rtr.features[1] = ppr.features[0] = (struct cx_features){ false, 10415, 1, 64 };
	ppr.features[1] = (struct cx_features){ true, 10415, demands ? 2 : 1, 1 };
	waiting = q;
	if (!dia_any_open()) {		/* the asker may see the connection open before this side does */
		timer_start(loop_wheel(loop), &push_again, 10);
		return;
	}
	if (!cx_rtr_send(client, &rtr, on_rta, NULL) || !cx_ppr_send(client, &ppr, on_ppa, NULL))
		exit(3);
}

static void on_lir(void *u, struct dia_peer_request *q, const struct cx_lir *r)
{
	struct cx_lia a = { .result = { 0, DIA_SUCCESS, false }, .server_name = r->originating ? STR("sip:o") : STR("sip:t"),
			    .wildcarded_impu = STR("sip:wild"), .wildcarded_psi = STR("sip:psi") };

	(void)u;
	if (redirected(q, r->impu))
		return;
	if (str_eq(r->impu, STR("silent")))
		return;
	if (str_eq(r->impu, STR("push")) || str_eq(r->impu, STR("demand"))) {
		demands = str_eq(r->impu, STR("demand"));
		push(q);
		return;
	}
	if (!unusual(r->impu, &a.result) && r->session_priority != UINT32_MAX) {
		a.has_caps = true;
		a.caps.mandatory = (struct cx_u32s){ 1, { r->session_priority } };
	}
	cx_lia_send(q, &a);
}

static void on_mar(void *u, struct dia_peer_request *q, const struct cx_mar *r)
{
	struct cx_maa a = { .result = { 0, DIA_SUCCESS, false }, .impi = r->impi, .impu = r->impu };

	(void)u;
	if (redirected(q, r->impi))
		return;
	for (a.n_items = 0; a.n_items < r->n_items && a.n_items < CX_MAX_VECTORS; a.n_items++)
		a.item[a.n_items] = (struct cx_auth_item){ a.n_items + 1, r->item.scheme, r->server_name, r->item.authorization,
							   STR("\0ck"), STR("ik\0"), STR("\0ip4"), STR("\0\x40" "prefix"), STR("\0interfa"), STR("realm"), STR("ha1"), STR("auth"),
							   STR("MD5") };
	cx_maa_send(q, &a);
}

static void on_sar(void *u, struct dia_peer_request *q, const struct cx_sar *r)
{
	struct cx_saa a = { .result = { 0, DIA_SUCCESS, false }, .impi = r->impi };

	(void)u;
	if (redirected(q, r->impi))
		return;
	if (unusual(r->impi, &a.result)) {
		cx_saa_send(q, &a);
		return;
	}
	a.user_data = r->user_data_available ? STR("") : STR("<IMSSubscription/>");
	if (!str_eq(r->origin_host, STR("client.test")))
		exit(3);
	a.primary_ccf = r->server_name;
	a.secondary_ccf = r->impus.v[0];
	a.primary_ecf = r->impus.v[r->impus.n - 1];
	a.secondary_ecf = r->type == CX_SAR_REGISTRATION ? STR("registration") : STR("else");
	a.n_features = r->n_features;
	memcpy(a.features, r->features, sizeof(a.features));
	a.n_restorations = r->n_restorations;
	a.restoration[0] = r->restoration[0];
	a.associated_impis = (struct cx_strs){ 2, { STR("i1"), STR("i2") } };
	cx_saa_send(q, &a);
}

int main(int argc, char **argv)
{
	static const struct cx_server_ops ops = { .uar = on_uar, .lir = on_lir, .mar = on_mar, .sar = on_sar };
	struct loop *l = loop = loop_new();
	struct dia_config c = { .identity = "hss.test", .realm = "test", .request_timeout_ms = 60000, .max_outstanding = 16,
				.watchdog_s = 6, .any_peer = true };

	if (argc == 3)
		c.identity = argv[2];
	mute = strcmp(c.identity, "hss.test") == 0;
	if (argc < 2 || argc > 3 || !l)
		return 2;
	log_open("hss", LOG_TEXT, LOG_WARN);
	addr_parse(STR("0.0.0.0"), (uint16_t)strtoul(argv[1], NULL, 10), &c.listen);
	timer_init(&push_again, on_push_again);
	cx_serve(l, &ops, NULL);
	if (dia_start(&c) < 0)
		return 1;
	client = dia_client_new(l, 2000, 16, 0);
	puts("ready");
	fflush(stdout);
	return loop_run(l);
}
