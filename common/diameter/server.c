/* common/diameter/server.c - what peers ask of us: taken on a library thread, delivered on a loop, answered from there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/diameter/private.h"
#include "common/log/log.h"

#define REQUEST_ARENA_BYTES 4096

static METRIC_DEF(m_served, "cscf_diameter_served_total", METRIC_COUNTER, "Cx requests of peers by command and our result.",
		  "command", "result");

static struct {
	struct loop *loop;
	struct cx_server_ops ops;
	void *u;
} served;

struct cx_peer_request {
	struct timer timer;
	struct arena *a;		/* this struct lives in it */
	struct msg *msg;
	enum cx_command_id cmd;
	void *request;
};

void cx_serve(struct loop *l, const struct cx_server_ops *ops, void *u)
{
	served.loop = l;
	served.ops = *ops;
	served.u = u;
}

/* ---- answers ---- */

static int make_answer(enum cx_command_id cmd, struct msg **m, const void *answer)
{
	const struct dia_result *r = answer;
	/* RFC 6733 §7.1.3: protocol errors carry the E bit and the generic grammar. */
	bool protocol = !r->experimental && r->code >= 3000 && r->code < 4000;
	int rc = -fd_msg_new_answer_from_req(dictionary_get(), m, protocol ? MSGFL_ANSW_ERROR : 0);

	if (rc == 0 && !protocol)
		rc = codec_add_application(*m);
	if (rc == 0)
		rc = codec_write_result(*m, r);
	if (rc == 0)
		rc = -fd_msg_add_origin(*m, 0);
	if (rc == 0 && !protocol)
		rc = codec_write(*m, cx_commands[cmd].answer, answer);
	return rc;
}

static void answer_message(enum cx_command_id cmd, struct msg *m, const void *answer)
{
	const struct dia_result *r = answer;
	int rc = make_answer(cmd, &m, answer);

	metric_add(&m_served, cx_commands[cmd].request_name, cx_result_name(r->code, r->experimental), 1);
	if (rc == 0)
		rc = -fd_msg_send(&m, NULL, NULL);
	if (rc < 0) {
		log_error(LOG_DIA, "an answer was lost", LOG_C("command", cx_commands[cmd].answer_name),
			  LOG_C("error", strerror(-rc)));
		if (m)
			fd_msg_free(m);
	}
}

static void answer_plain(enum cx_command_id cmd, struct msg *m, uint32_t code)
{
	union {
		struct dia_result result;
		struct cx_uaa uaa;
		struct cx_saa saa;
		struct cx_lia lia;
		struct cx_maa maa;
		struct cx_rta rta;
		struct cx_ppa ppa;
	} a;

	memset(&a, 0, sizeof(a));
	a.result.code = code;
	answer_message(cmd, m, &a);
}

static void finish(struct cx_peer_request *q, enum cx_command_id cmd, const void *answer)
{
	if (q->msg && cmd != q->cmd) {		/* a programming error of the caller; the peer still hears something */
		log_error(LOG_DIA, "an answer of another command", LOG_C("command", cx_commands[q->cmd].request_name));
		answer_plain(q->cmd, q->msg, DIA_UNABLE_TO_COMPLY);
	} else if (q->msg) {
		answer_message(cmd, q->msg, answer);
	}
	timer_stop(&q->timer);
	arena_unref(q->a);
}

#define ANSWER(name, ans, cmd) \
	void name(struct cx_peer_request *q, const struct ans *a) \
	{ \
		finish(q, cmd, a); \
	}
ANSWER(cx_rta_send, cx_rta, CX_RT)
ANSWER(cx_ppa_send, cx_ppa, CX_PP)
ANSWER(cx_uaa_send, cx_uaa, CX_UA)
ANSWER(cx_lia_send, cx_lia, CX_LI)
ANSWER(cx_maa_send, cx_maa, CX_MA)
ANSWER(cx_saa_send, cx_saa, CX_SA)

void cx_request_drop(struct cx_peer_request *q)
{
	if (q->msg)
		fd_msg_free(q->msg);
	timer_stop(&q->timer);
	arena_unref(q->a);
}

/* ---- on the loop ---- */

/* The handler kept it too long.  It may still hold q: the struct stays until it answers, but the peer is answered now. */
static void on_deadline(struct timer *t)
{
	struct cx_peer_request *q = container_of(t, struct cx_peer_request, timer);

	log_warn(LOG_DIA, "a peer's request was not answered in time", LOG_C("command", cx_commands[q->cmd].request_name));
	answer_plain(q->cmd, q->msg, DIA_UNABLE_TO_COMPLY);
	q->msg = NULL;
}

static void deliver(void *arg)
{
	struct cx_peer_request *q = arg;
	const struct cx_server_ops *o = &served.ops;

	timer_init(&q->timer, on_deadline);
	timer_start(loop_wheel(served.loop), &q->timer, dia_node()->c.request_timeout_ms);
	switch (q->cmd) {
	case CX_UA: o->uar(served.u, q, q->request); break;
	case CX_SA: o->sar(served.u, q, q->request); break;
	case CX_LI: o->lir(served.u, q, q->request); break;
	case CX_MA: o->mar(served.u, q, q->request); break;
	case CX_RT: o->rtr(served.u, q, q->request); break;
	case CX_PP: o->ppr(served.u, q, q->request); break;
	case CX_N_COMMANDS: break;
	}
}

/* ---- on a library thread ---- */

static bool is_served(enum cx_command_id cmd)
{
	const struct cx_server_ops *o = &served.ops;

	switch (cmd) {
	case CX_UA: return o->uar;
	case CX_SA: return o->sar;
	case CX_LI: return o->lir;
	case CX_MA: return o->mar;
	case CX_RT: return o->rtr;
	case CX_PP: return o->ppr;
	case CX_N_COMMANDS: break;
	}
	return false;
}

static void take(enum cx_command_id cmd, struct msg *m)
{
	struct arena *a = arena_new(REQUEST_ARENA_BYTES);
	struct cx_peer_request *q = a ? arena_zalloc(a, sizeof(*q)) : NULL;

	if (q)
		q->request = arena_zalloc(a, cx_commands[cmd].request_size);
	if (!q || !q->request || !served.loop) {
		arena_unref(a);
		answer_plain(cmd, m, DIA_UNABLE_TO_COMPLY);
		return;
	}
	q->a = a;
	q->msg = m;
	q->cmd = cmd;
	if (codec_read(m, cx_commands[cmd].request, q->request, a) < 0) {
		arena_unref(a);
		answer_plain(cmd, m, DIA_UNABLE_TO_COMPLY);
	} else if (loop_post(served.loop, deliver, q) < 0) {
		arena_unref(a);
		answer_plain(cmd, m, DIA_TOO_BUSY);
	}
}

static int on_request(struct msg **m, struct avp *avp, struct session *sess, void *u, enum disp_action *act)
{
	enum cx_command_id cmd = (enum cx_command_id)(uintptr_t)u;

	(void)avp;
	(void)sess;
	take(cmd, *m);
	*m = NULL;
	*act = DISP_ACT_CONT;
	return 0;
}

/* A request that the library would forward: its Destination-Host is not exactly ours.  Some HSSs write the host and port of
 * our SIP URI there; that is for us.  Anything else is answered 3002: we are no relay (RFC 6733 §6.1.6). */
static int on_forward(void *u, struct msg **m)
{
	struct msg_hdr *h;
	struct avp *avp;
	struct avp_hdr *ah;
	int i = CX_N_COMMANDS;
	bool ours = false;

	(void)u;
	if (!*m || fd_msg_hdr(*m, &h) != 0 || !(h->msg_flags & CMD_FLAG_REQUEST))
		return 0;
	/* Our own requests pass here too on their way out: they have no source. */
	{
		DiamId_t from = NULL;
		size_t len;

		if (fd_msg_source_get(*m, &from, &len) != 0 || !from)
			return 0;
	}
	if (h->msg_appl == CX_APPLICATION)
		for (i = 0; i < CX_N_COMMANDS && cx_commands[i].code != h->msg_code; i++)
			;
	if (i < CX_N_COMMANDS && is_served((enum cx_command_id)i) &&
	    fd_msg_parse_dict(*m, dictionary_get(), NULL) == 0 &&
	    fd_msg_search_avp(*m, dictionary_avp(293, true), &avp) == 0 && avp && fd_msg_avp_hdr(avp, &ah) == 0 && ah->avp_value) {
		const char *id = dia_node()->identity;
		size_t n = strlen(id), l = ah->avp_value->os.len;
		const char *dh = (const char *)ah->avp_value->os.data;

		ours = l > n && strncasecmp(dh, id, n) == 0 && dh[n] == ':';
	}
	if (ours) {
		take((enum cx_command_id)i, *m);
		*m = NULL;
		return 0;
	}
	if (fd_msg_new_answer_from_req(dictionary_get(), m, MSGFL_ANSW_ERROR) == 0 &&
	    fd_msg_rescode_set(*m, (char *)(uintptr_t)"DIAMETER_UNABLE_TO_DELIVER", NULL, NULL, 1) == 0)
		fd_msg_send(m, NULL, NULL);
	if (*m) {
		fd_msg_free(*m);
		*m = NULL;
	}
	return 0;
}

int server_register(bool home)
{
	struct fd_rt_fwd_hdl *fwd;
	int rc = 0;

	(void)home;
	metrics_register(&m_served);
	for (int i = 0; i < CX_N_COMMANDS && rc == 0; i++) {
		struct disp_when when = { .app = dictionary_application(), .command = dictionary_command((enum cx_command_id)i, true) };
		struct disp_hdl *h;

		if (is_served((enum cx_command_id)i))
			rc = -fd_disp_register(on_request, DISP_HOW_CC, &when, (void *)(uintptr_t)i, &h);
	}
	return rc ? rc : -fd_rt_fwd_register(on_forward, NULL, RT_FWD_REQ, &fwd);
}
