/* tests/fuzz/fuzz_proxy.c - a proxy on real transactions under a script (script.h): requests, forks, responses, CANCEL, broken
 * transports, time.  RFC 3261 §16, §17.
 *
 * What we send can be read again; at the end every proxy has gone once and nothing is pending.
 * Knob bits say what the role does: 1, 2 more targets; 4 targets after the first; 16 drop a final response; 32 answer by
 * itself; 64 one more target when a branch failed; 128 refuse in the branch. */
#include <string.h>
#include "tests/fuzz/script.h"
#include "tests/proxy/rig.h"

struct play {
	struct rig rig;
	struct script script;
	unsigned bits, made, gone;
};
struct call {				/* user of a proxy */
	struct play *play;
	unsigned bits;
	bool added;
};
static struct play *the_play;

static void target(struct proxy *p, const char *ruri, unsigned q)
{
	const struct proxy_target t = { .ruri = str_from_c(ruri), .q = q };

	proxy_target_add(p, &t);
}

static void op_branch(void *user, struct proxy *p, struct proxy_branch *b, const struct sip_flow *to, struct sip_out *o)
{
	struct call *c = user;
	(void)to, (void)b;

	sip_out_push(o, SIP_H_RECORD_ROUTE, STR("<sip:token@self;lr>"));
	if (c->bits & 128)
		proxy_reject(p, &(const struct refusal){ .status = 403, .why = "changed its mind" });
}

static enum proxy_verdict op_response(void *user, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o)
{
	struct call *c = user;
	(void)p, (void)b;

	sip_out_add_name(o, "X-Seen", STR("yes"));
	return m->status >= 200 && (c->bits & 16) ? PROXY_DROP : PROXY_PASS;
}

static void op_failed(void *user, struct proxy *p, struct proxy_branch *b, unsigned status, struct sip_msg *m)
{
	struct call *c = user;
	(void)b, (void)m;

	MUST(status >= 300);
	if ((c->bits & 64) && !c->added) {
		c->added = true;
		target(p, "sip:more@n3", 0);
	}
}

static bool op_final(void *user, struct proxy *p, unsigned status, struct sip_msg *m)
{
	struct call *c = user;
	(void)status, (void)m;

	if (c->bits & 32)
		tx_server_reply(proxy_server(p), 480, NULL, STR_NONE);
	return c->bits & 32;
}

static void op_gone(void *user, struct proxy *p)
{
	struct call *c = user;
	(void)p;

	c->play->gone++;
	free(c);
}

static const struct proxy_ops ops = {
	.branch = op_branch, .response = op_response, .branch_failed = op_failed, .final = op_final, .gone = op_gone,
};

static void on_request(struct rig *r, struct tx_server *st, struct sip_msg *m)
{
	static const char *const known[] = { "100rel", "path", NULL };
	struct play *play = the_play;
	struct sip_nameaddr own[2];
	struct proxy *p;
	struct call *c;

	if (!proxy_check(r->pl, st, m, known))
		return;
	c = malloc(sizeof(*c));
	if (!c)
		return;
	*c = (struct call){ play, play->bits, false };
	p = proxy_new(r->pl, st, m, &ops, c);
	if (!p) {
		free(c);
		return;
	}
	play->made++;
	proxy_pop_own_routes(r->pl, m, proxy_out(p), own);
	target(p, NULL, play->bits & 4 ? 700 : 0);
	if (play->bits & 1)
		target(p, "sip:bob@n12", 0);
	if (play->bits & 2)
		target(p, "sip:bob@tcp2", 0);
	proxy_start(p);
}

static void on_ack(struct rig *r, struct sip_msg *m)
{
	struct sip_nameaddr own[2];
	struct sip_out o;

	sip_out_init(&o, m);
	proxy_pop_own_routes(r->pl, m, &o, own);
	proxy_forward_ack(r->pl, m, &o, NULL);
}

/* ---- steps ---- */

static void input(struct play *p, const char *from, bool tcp, struct str text)
{
	struct sip_flow f = { .proto = tcp ? SIP_TCP : SIP_UDP, .conn = tcp, .conn_gen = tcp };
	struct sip_parse_error e;
	struct sip_msg *m = NULL;

	/* one name of rig.c's resolver answers later, and only one at a time may */
	if (str_find(text, STR("wait")) >= 0 || addr_parse(str_from_c(from), 5060, &f.remote) < 0)
		return;
	if (sip_msg_parse_copy(text, &f, &m, &e) == 0)
		tx_input(p->rig.tx, m);
	sip_msg_unref(m);
}

static void on_in(struct script *s, unsigned peer, struct str text)
{
	static const char *const peers[] = { "10.1.1.1", "10.1.1.2", "10.0.0.1", "10.0.0.2" };

	input(s->u, peers[peer % 4], peer & 4, text);
}

static void on_answer(struct script *s, const struct script_sent *to, struct str text)
{
	char host[ADDR_STRLEN];

	input(s->u, addr_host(&to->to.remote, host), to->to.proto == SIP_TCP, text);
}

static struct wheel *the_wheel(struct script *s)
{
	struct play *p = s->u;

	return &p->rig.w;
}

static void on_wait(struct script *s, uint64_t ms)
{
	struct play *p = s->u;

	rig_run(&p->rig, ms);
}

static void on_fail(struct script *s, const struct script_sent *last)
{
	struct play *p = s->u;
	(void)last;

	p->rig.udp_err = p->rig.udp_err ? 0 : -EPIPE;
	p->rig.tcp_err = p->rig.tcp_err ? 0 : -ECONNREFUSED;
}

static void on_knob(struct script *s, unsigned bits)
{
	struct play *p = s->u;

	p->bits = bits;
}

static void on_after(struct script *s)
{
	struct play *p = s->u;
	struct sip_parse_error e;

	for (unsigned i = 0; i < p->rig.n; i++) {
		struct sip_msg *m;

		MUST(sip_msg_parse_copy(bytes_str(p->rig.sent[i].wire), NULL, &m, &e) == 0);
		script_sent(s, &p->rig.sent[i].to, p->rig.sent[i].wire, m, NULL);
	}
	p->rig.n = 0;
	p->rig.resolver_failed[0] = '\0';
}

static const struct script_ops steps = {
	.in = on_in, .answer = on_answer, .wheel = the_wheel, .wait = on_wait, .fail = on_fail, .knob = on_knob, .after = on_after,
};

void fuzz_one(const uint8_t *data, size_t size)
{
	static struct play p;
	struct tx_stats t;

	p = (struct play){ 0 };
	the_play = &p;
	rig_init(&p.rig);
	p.rig.unread = true;			/* a reader's memory is not the proxy's */
	p.rig.request = on_request;
	p.rig.ack = on_ack;
	script_run(&p.script, &steps, &p, str_make((const char *)data, size));
	script_wait(&p.script, 1000000);			/* nobody answers any more */
	tx_layer_stats(p.rig.tx, &t);
	MUST(p.made == p.gone && t.server_now == 0 && t.client_now == 0 && p.rig.w.n_pending == 0);
	script_end(&p.script);
	rig_fini(&p.rig);
}
