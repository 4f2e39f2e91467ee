/* tests/fuzz/fuzz_registrar.c - the S-CSCF's registrar under a script (script.h) with a HSS that answers when it is told to, or
 * never: TS 24.229 §5.4.1.
 *
 * "$A" is the Authorization that answers the last challenge as the phone with the right USIM would, "$W" the same with a wrong
 * response, "$U" one with AUTS.  Knob bits: 1 the HSS knows a password instead of keys; 2 the User-Data is broken; 4 the HSS answers
 * at once by itself.
 *
 * What must hold: what we send can be read; 200 comes only after an answer that was right or for a registration that stands; no
 * response holds RES; at the end no transaction is left. */
#include <string.h>
#include "tests/fuzz/script.h"
#include "tests/scscf/reg_rig.h"

struct play {
	struct reg_rig rig;
	struct rig_phone phone;
	struct script script;
	struct sip_msg *challenge;	/* the last 401 */
	bool solved;			/* a right answer was asked for */
};

static void on_in(struct script *s, unsigned peer, struct str text)
{
	struct play *p = s->u;
	struct sip_flow f = { .proto = peer & 1 ? SIP_TCP : SIP_UDP, .conn = peer & 1, .conn_gen = peer & 1 };
	struct sip_parse_error e;
	struct sip_msg *m = NULL;

	MUST(addr_parse(STR("127.0.31.10"), 5060, &f.remote) == 0);
	if (sip_msg_parse_copy(text, &f, &m, &e) == 0 && m->method == SIP_REGISTER)
		tx_input(p->rig.worker.w.tx, m);
	sip_msg_unref(m);
	rig_run(&p->rig, 0);
}

static void on_answer(struct script *s, const struct script_sent *to, struct str text)
{
	(void)s, (void)to, (void)text;			/* the registrar sends no request of its own here */
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

static void on_cx(struct script *s, unsigned code)
{
	struct play *p = s->u;
	struct dia_result r = { code ? 0 : -ETIMEDOUT, code, code > 5000 && code < 5012 };

	if (!p->rig.n_pending)
		return;
	p->rig.maa = p->rig.saa = r;
	rig_answer(&p->rig);
	p->rig.maa = p->rig.saa = (struct dia_result){ 0, DIA_SUCCESS, false };
}

static void on_knob(struct script *s, unsigned bits)
{
	struct play *p = s->u;

	p->rig.password = p->phone.password = bits & 1 ? "secret" : NULL;
	p->phone.algorithm = bits & 1 ? "MD5" : "AKAv1-MD5";
	p->rig.xml = bits & 2 ? "<IMSSubscription><PrivateID>x</PrivateID></IMSSubscription>" : RIG_XML;
	p->rig.hold = !(bits & 4);
	rig_run(&p->rig, 0);
}

static bool challenged(const struct play *p)
{
	struct auth_params w;
	uint8_t nonce[64];
	size_t n;

	return p->challenge && auth_params_parse(sip_msg_value(p->challenge, SIP_H_WWW_AUTHENTICATE), &w) == 0 &&
	       (p->phone.password != NULL) == !auth_is_aka(w.algorithm) &&
	       (p->phone.password || (base64_decode(w.nonce, false, nonce, sizeof(nonce), &n) == 0 && n == 32));
}

static void on_var(struct script *s, char name, struct buf *out)
{
	struct play *p = s->u;
	struct sip_msg *last = p->rig.m;

	if ((name != 'A' && name != 'W' && name != 'U') || !challenged(p))
		return;
	p->rig.m = p->challenge;
	p->phone.wrong = name == 'W';
	p->phone.sqn_ms = name == 'U' ? UINT64_C(1) << 40 : 0;
	p->solved = (phone_solve(&p->rig, &p->phone) == 0 && name == 'A') || p->solved;
	p->rig.m = last;
	buf_puts(out, p->phone.auth);
}

static void on_after(struct script *s)
{
	struct play *p = s->u;

	if (p->rig.m && p->rig.status == 401 && p->rig.m != p->challenge) {
		sip_msg_unref(p->challenge);
		p->challenge = sip_msg_ref(p->rig.m);
	}
	if (p->rig.m)
		script_trace("    last", str_trim(str_head(p->rig.m->raw, p->rig.m->start_len)));
	script_trace("    asked", str_from_c(p->rig.cx));
	MUST(p->solved || p->rig.status / 100 != 2);
	while (p->rig.n_pending > RIG_MAX_PENDING / 2)		/* the fake HSS has only so much room */
		rig_answer(&p->rig);
	p->rig.cx[0] = '\0';
}

static const struct script_ops steps = {
	.in = on_in, .answer = on_answer, .wheel = the_wheel, .wait = on_wait, .cx = on_cx, .knob = on_knob, .var = on_var, .after = on_after,
};

void fuzz_one(const uint8_t *data, size_t size)
{
	static struct play p;
	struct tx_stats t;

	rig_init(&p.rig);
	phone_init(&p.phone);
	p.rig.hold = true;
	p.solved = false;
	p.challenge = NULL;
	script_run(&p.script, &steps, &p, str_make((const char *)data, size));
	p.rig.hold = false;			/* the HSS has thought enough */
	script_wait(&p.script, 1000000);
	tx_layer_stats(p.rig.worker.w.tx, &t);
	MUST(t.server_now == 0);
	script_end(&p.script);
	sip_msg_unref(p.challenge);
	rig_fini(&p.rig);
}
