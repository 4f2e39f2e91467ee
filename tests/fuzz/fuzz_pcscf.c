/* tests/fuzz/fuzz_pcscf.c - the whole P-CSCF under a script (script.h): phones, the core, time.  TS 24.229 §5.2.
 *
 * Peers of !in: 0 alice and 1 bob over UDP, 2 alice over TCP, 3 a stranger, 4 the I-CSCF, 5 the S-CSCF, 6 an unknown core host.
 *
 * What must hold: everything that we send can be read; toward a phone no charging or location header, no key of an
 * association, no P-Asserted-Identity with Privacy: id; toward the core nothing that only the network may say came from a phone;
 * at the end nothing is pending and no transaction is left.  Scripts of odd length play with emergency calls and a hidden core: then
 * a phone sees one Via and at most one Record-Route in a request. */
#include <string.h>
#include "common/sip/auth.h"
#include "tests/fuzz/script.h"
#include "tests/pcscf/rig.h"

static const char *const peers[] = { ALICE, BOB, "tcp:10.9.0.1:5060", "udp:192.0.2.9:5062", DOOR, SCSCF, "udp:10.0.0.99:5060" };
#define N_PHONES 4u			/* of those */
#define MORE "  hide_topology: true\n  emergency: {ecscf: \"sip:10.0.0.99\", numbers: [\"112\"], allow_anonymous: true}\n"

struct play {
	struct rig rig;
	struct script script;
};

static struct sip_flow flow_of(const char *text)
{
	struct sip_flow f = { .proto = strncmp(text, "tcp", 3) ? SIP_UDP : SIP_TCP };

	MUST(addr_parse_hostport(str_from_c(text + 4), 5060, &f.remote) == 0);
	if (f.proto == SIP_TCP) {
		f.conn = addr_port(&f.remote);
		f.conn_gen = 1;
	}
	return f;
}

static void input(struct play *p, const struct sip_flow *from, struct str text)
{
	struct sip_parse_error e;
	struct sip_msg *m = NULL;

	if (sip_msg_parse_copy(text, from, &m, &e) == 0)
		tx_input(p->rig.workers[0].w.tx, m);
	sip_msg_unref(m);
}

static void on_in(struct script *s, unsigned peer, struct str text)
{
	struct sip_flow f = flow_of(peers[peer % (sizeof(peers) / sizeof(peers[0]))]);

	input(s->u, &f, text);
}

static void on_answer(struct script *s, const struct script_sent *to, struct str text)
{
	input(s->u, &to->to, text);
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

static void on_fail(struct script *s, const struct script_sent *last)
{
	struct play *p = s->u;

	if (last->to.proto != SIP_UDP)
		pcscf_ops.flow_closed(&p->rig.workers[0].w, &last->to);
}

static bool to_phone(const struct sip_flow *to)
{
	char text[SIP_FLOW_STRLEN];

	sip_flow_fmt(to, text);
	for (unsigned i = 0; i < N_PHONES; i++)
		if (strcmp(text, peers[i]) == 0)
			return true;
	return false;
}

static bool has_privacy_id(const struct sip_msg *m)
{
	struct str v = sip_msg_value(m, SIP_H_PRIVACY);

	return str_ieq_c(v, "id");
}

static void hidden(const struct sip_msg *m)
{
	MUST(sip_values_count(m, SIP_H_VIA) == 1);
	MUST(sip_values_count(m, SIP_H_RECORD_ROUTE) <= 1);
}

static void border(const struct sip_msg *m, bool phone)
{
	static const enum sip_hdr_id never_out[] = { SIP_H_PCV, SIP_H_PCFA, SIP_H_PSERVED_USER, SIP_H_PPROFILE_KEY, SIP_H_PVNI, SIP_H_PATH };
	struct auth_params a;

	for (size_t i = 0; phone && i < sizeof(never_out) / sizeof(never_out[0]); i++)
		MUST(!sip_msg_hdr(m, never_out[i]));
	MUST(!phone || !(has_privacy_id(m) && sip_msg_hdr(m, SIP_H_PAI)));
	for (const struct sip_hdr *h = sip_msg_hdr(m, SIP_H_WWW_AUTHENTICATE); phone && h; h = sip_msg_hdr_next(m, h))
		MUST(auth_params_parse(sip_msg_hdr_value(m, h), &a) < 0 || (!a.ck.p && !a.ik.p));
	for (const struct sip_hdr *h = sip_msg_hdr(m, SIP_H_AUTHORIZATION); !phone && m->request && h; h = sip_msg_hdr_next(m, h))
		MUST(auth_params_parse(sip_msg_hdr_value(m, h), &a) < 0 || !str_ieq_c(a.integrity_protected, "yes"));	/* no IPsec here */
}

static void on_after(struct script *s)
{
	struct play *p = s->u;
	struct rig *r = &p->rig;

	for (unsigned i = 0; i < r->n; i++) {
		bool phone = to_phone(&r->sent[i].to);

		if (phone || (r->sent[i].m->request && r->sent[i].m->method == SIP_REGISTER))
			border(r->sent[i].m, phone);
		if (phone && r->sent[i].m->request && r->p.cfg.hide_topology)
			hidden(r->sent[i].m);
		script_sent(s, &r->sent[i].to, r->sent[i].wire, r->sent[i].m, NULL);
	}
	r->n = r->seen = 0;
}

static const struct script_ops steps = { .in = on_in, .answer = on_answer, .wheel = the_wheel, .wait = on_wait, .fail = on_fail, .after = on_after };

void fuzz_one(const uint8_t *data, size_t size)
{
	static struct play p;
	struct tx_stats t;

	rig_init(&p.rig, size % 2 ? MORE : NULL, 1);
	script_run(&p.script, &steps, &p, str_make((const char *)data, size));
	script_wait(&p.script, 1000000);
	tx_layer_stats(p.rig.workers[0].w.tx, &t);
	MUST(t.server_now == 0 && t.client_now == 0);
	script_end(&p.script);
	rig_fini(&p.rig);
}
