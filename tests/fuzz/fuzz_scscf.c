/* tests/fuzz/fuzz_scscf.c - the S-CSCF's call path under a script (script.h): TS 24.229 §5.4.3, with the users of
 * tests/scscf/rig.h.
 *
 * "$A".."$G" in the text are Service-Route URIs of alice, bob, carol, dave, erin, fred and gina; "$O" and "$E" our Record-Route of
 * alice's originating and bob's terminating half.  Peers of !in: 0 the I-CSCF, 1 p1, 2 p2, 3 a stranger.  Knob 1: without
 * sessions.*; it counts before the first message only.
 *
 * What must hold: what we send can be read, at the end nothing is pending. */
#include <string.h>
#include "tests/fuzz/script.h"
#include "tests/scscf/rig.h"

struct play {
	struct rig rig;
	struct script script;
};

static void input(struct play *p, const char *from, struct str text)
{
	struct sip_flow f = { .proto = SIP_UDP };
	struct sip_parse_error e;
	struct sip_msg *m = NULL;

	if (addr_parse(str_from_c(from), 5060, &f.remote) < 0)
		return;
	if (sip_msg_parse_copy(text, &f, &m, &e) == 0)
		tx_input(p->rig.w.tx, m);
	sip_msg_unref(m);
}

static void on_in(struct script *s, unsigned peer, struct str text)
{
	static const char *const peers[] = { "10.0.0.20", "10.0.0.1", "10.0.0.2", "192.0.2.9" };

	input(s->u, peers[peer % 4], text);
}

static void on_answer(struct script *s, const struct script_sent *to, struct str text)
{
	char host[ADDR_STRLEN];

	input(s->u, addr_host(&to->to.remote, host), text);
}

static struct wheel *the_wheel(struct script *s)
{
	struct play *p = s->u;

	return &p->rig.wheel;
}

static void on_wait(struct script *s, uint64_t ms)
{
	struct play *p = s->u;

	rig_run(&p->rig, ms);
}

static void on_var(struct script *s, char name, struct buf *out)
{
	static const uint64_t ids[] = { ID_ALICE, ID_BOB, ID_CAROL, ID_DAVE, ID_ERIN, ID_FRED, ID_GINA };
	struct play *p = s->u;

	if (name >= 'A' && name <= 'G')
		buf_puts(out, rig_route(&p->rig, TOKEN_SERVICE_ROUTE, 0, ids[name - 'A']));
	else if (name == 'O')
		buf_puts(out, rig_route(&p->rig, TOKEN_RECORD_ROUTE, SIDE_ORIGINATING, ID_ALICE));
	else if (name == 'E')
		buf_puts(out, rig_route(&p->rig, TOKEN_RECORD_ROUTE, SIDE_TERMINATING, ID_BOB));
}

static void on_after(struct script *s)
{
	struct play *p = s->u;

	for (unsigned i = 0; i < p->rig.n; i++)
		script_sent(s, &p->rig.sent[i].to, p->rig.sent[i].wire, p->rig.sent[i].m, NULL);
	p->rig.n = 0;
}

static const struct script_ops steps = { .in = on_in, .answer = on_answer, .wheel = the_wheel, .wait = on_wait, .var = on_var, .after = on_after };

void fuzz_one(const uint8_t *data, size_t size)
{
	static struct play p;
	struct str text = str_make((const char *)data, size);
	struct tx_stats t;

	rig_init(&p.rig, str_starts(text, STR("!knob 1")) ? NULL :
		 "{country_code: \"49\", routes: [{prefix: \"+44\", next_hop: \"sip:gw.example\"}]}");
	rig_users(&p.rig);
	script_run(&p.script, &steps, &p, text);
	script_wait(&p.script, 100000000);	/* longer than a call that nobody ends is watched */
	tx_layer_stats(p.rig.w.tx, &t);
	MUST(t.server_now == 0 && t.client_now == 0 && p.rig.wheel.n_pending == 0);
	script_end(&p.script);
	rig_fini(&p.rig);
}
