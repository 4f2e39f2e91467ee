/* common/diameter/server.c - what peers ask of us: taken on a library thread, delivered on a loop, answered from there. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/diameter/doic.h"
#include "common/diameter/private.h"
#include "common/diameter/redirect.h"
#include "common/log/log.h"

#define REQUEST_ARENA_BYTES 4096

static METRIC_DEF(m_served, "cscf_diameter_served_total", METRIC_COUNTER, "Requests of peers by command and our result.",
		  "command", "result");

static struct {
	struct loop *loop;
	struct cx_server_ops ops;
	void *u;
} cx;
static struct {
	pthread_mutex_t lock;		/* ops.loop_of against rx_serve_end() */
	struct rx_server_ops ops;
	void *u;
} rx = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct dia_peer_request {
	struct timer timer;
	struct arena *a;		/* this struct lives in it */
	struct loop *loop;		/* that it is delivered on */
	struct msg *msg;
	enum dia_command_id cmd;
	void *request;
	struct doic_answer overload;	/* for the answer; features 0: none */
};

void cx_serve(struct loop *l, const struct cx_server_ops *ops, void *u)
{
	cx.loop = l;
	cx.ops = *ops;
	cx.u = u;
}

void rx_serve(const struct rx_server_ops *ops, void *u)
{
	rx.ops = *ops;
	rx.u = u;
}

void rx_serve_end(void)
{
	pthread_mutex_lock(&rx.lock);
	rx.ops.loop_of = NULL;
	pthread_mutex_unlock(&rx.lock);
}

/* ---- answers ---- */

static int make_answer(enum dia_command_id cmd, struct msg **m, const void *answer)
{
	const struct dia_result *r = answer;
	/* RFC 6733 §7.1.3: protocol errors carry the E bit and the generic grammar. */
	bool protocol = !r->experimental && r->code >= 3000 && r->code < 4000;
	int rc = -fd_msg_new_answer_from_req(dictionary_get(), m, protocol ? MSGFL_ANSW_ERROR : 0);

	if (rc == 0 && !protocol)
		rc = codec_add_application(*m, dia_commands[cmd].application);
	if (rc == 0)
		rc = codec_write_result(*m, r);
	if (rc == 0)
		rc = -fd_msg_add_origin(*m, 0);
	if (rc == 0 && !protocol)
		rc = codec_write(*m, dia_commands[cmd].answer, answer);
	return rc;
}

/* rows, more: NULL, or what the answer says besides. */
static void answer_message(enum dia_command_id cmd, struct msg *m, const void *answer, const struct dia_row *rows, const void *more)
{
	const struct dia_result *r = answer;
	int rc = make_answer(cmd, &m, answer);

	if (rc == 0 && rows)
		rc = codec_write(m, rows, more);
	metric_add(&m_served, dia_commands[cmd].request_name, dia_command_result_name(cmd, r), 1);
	if (rc == 0)
		rc = -fd_msg_send(&m, NULL, NULL);
	if (rc < 0) {
		log_error(LOG_DIA, "an answer was lost", LOG_C("command", dia_commands[cmd].answer_name),
			  LOG_C("error", strerror(-rc)));
		if (m)
			fd_msg_free(m);
	}
}

static void answer_plain(enum dia_command_id cmd, struct msg *m, uint32_t code)
{
	union {
		struct dia_result result;
		struct cx_uaa uaa;
		struct cx_saa saa;
		struct cx_lia lia;
		struct cx_maa maa;
		struct cx_rta rta;
		struct cx_ppa ppa;
		struct rx_aaa aaa;
		struct rx_sta sta;
	} a;

	memset(&a, 0, sizeof(a));
	a.result.code = code;
	answer_message(cmd, m, &a, NULL, NULL);
}

static void finish(struct dia_peer_request *q, enum dia_command_id cmd, const void *answer)
{
	if (q->msg && cmd != q->cmd) {		/* a programming error of the caller; the peer still hears something */
		log_error(LOG_DIA, "an answer of another command", LOG_C("command", dia_commands[q->cmd].request_name));
		answer_plain(q->cmd, q->msg, DIA_UNABLE_TO_COMPLY);
	} else if (q->msg) {
		answer_message(cmd, q->msg, answer, q->overload.features ? doic_answer_rows : NULL, &q->overload);
	}
	timer_stop(&q->timer);
	arena_unref(q->a);
}

#define ANSWER(name, ans, cmd) \
	void name(struct dia_peer_request *q, const struct ans *a) \
	{ \
		finish(q, cmd, a); \
	}
ANSWER(cx_rta_send, cx_rta, CX_RT)
ANSWER(cx_ppa_send, cx_ppa, CX_PP)
ANSWER(cx_uaa_send, cx_uaa, CX_UA)
ANSWER(cx_lia_send, cx_lia, CX_LI)
ANSWER(cx_maa_send, cx_maa, CX_MA)
ANSWER(cx_saa_send, cx_saa, CX_SA)
ANSWER(rx_aaa_send, rx_aaa, RX_AA)
ANSWER(rx_sta_send, rx_sta, RX_ST)
ANSWER(rx_asa_send, rx_asa, RX_AS)
ANSWER(rx_raa_send, rx_raa, RX_RA)

void dia_request_redirect(struct dia_peer_request *q, const struct dia_redirect *r)
{
	const struct dia_result result = { 0, DIA_REDIRECT_INDICATION, false };

	if (q->msg)
		answer_message(q->cmd, q->msg, &result, dia_redirect_rows, r);
	timer_stop(&q->timer);
	arena_unref(q->a);
}

void dia_request_overload(struct dia_peer_request *q, uint64_t sequence, uint32_t reduction, uint32_t validity_s, bool of_realm)
{
	struct doic_answer asked = { 0 };

	if (q->msg && codec_read(q->msg, doic_request_rows, &asked, q->a) == 0 && asked.features & DOIC_LOSS)
		q->overload = (struct doic_answer){ .features = DOIC_LOSS, .report = true, .sequence = sequence, .reduction = reduction,
						    .validity_s = validity_s, .type = of_realm };
}

bool dia_request_retransmitted(const struct dia_peer_request *q)
{
	struct msg_hdr *h;

	return q->msg && fd_msg_hdr(q->msg, &h) == 0 && (h->msg_flags & CMD_FLAG_RETRANSMIT);
}

void dia_request_drop(struct dia_peer_request *q)
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
	struct dia_peer_request *q = container_of(t, struct dia_peer_request, timer);

	log_warn(LOG_DIA, "a peer's request was not answered in time", LOG_C("command", dia_commands[q->cmd].request_name));
	answer_plain(q->cmd, q->msg, DIA_UNABLE_TO_COMPLY);
	q->msg = NULL;
}

static void deliver(void *arg)
{
	struct dia_peer_request *q = arg;

	timer_init(&q->timer, on_deadline);
	timer_start(loop_wheel(q->loop), &q->timer, dia_node()->c.request_timeout_ms);
	switch (q->cmd) {
	case CX_UA: cx.ops.uar(cx.u, q, q->request); break;
	case CX_SA: cx.ops.sar(cx.u, q, q->request); break;
	case CX_LI: cx.ops.lir(cx.u, q, q->request); break;
	case CX_MA: cx.ops.mar(cx.u, q, q->request); break;
	case CX_RT: cx.ops.rtr(cx.u, q, q->request); break;
	case CX_PP: cx.ops.ppr(cx.u, q, q->request); break;
	case RX_AA: rx.ops.aar(rx.u, q, q->request); break;
	case RX_ST: rx.ops.str(rx.u, q, q->request); break;
	case RX_AS: rx.ops.asr(rx.u, q, q->request); break;
	case RX_RA: rx.ops.rar(rx.u, q, q->request); break;
	case DIA_N_COMMANDS: break;
	}
}

/* ---- on a library thread ---- */

static bool is_served(enum dia_command_id cmd)
{
	switch (cmd) {
	case CX_UA: return cx.ops.uar;
	case CX_SA: return cx.ops.sar;
	case CX_LI: return cx.ops.lir;
	case CX_MA: return cx.ops.mar;
	case CX_RT: return cx.ops.rtr;
	case CX_PP: return cx.ops.ppr;
	case RX_AA: return rx.ops.aar;
	case RX_ST: return rx.ops.str;
	case RX_AS: return rx.ops.asr;
	case RX_RA: return rx.ops.rar;
	case DIA_N_COMMANDS: break;
	}
	return false;
}

/* To the loop that serves it.  0, -ENOENT: nobody's session, or as loop_post(). */
static int post(struct dia_peer_request *q)
{
	int rc = -ENOENT;

	if (dia_commands[q->cmd].application == DIA_CX) {
		q->loop = cx.loop;
		return q->loop ? loop_post(q->loop, deliver, q) : -ENOENT;
	}
	pthread_mutex_lock(&rx.lock);
	q->loop = rx.ops.loop_of ? rx.ops.loop_of(rx.u, dia_request_text(q->cmd, q->request, 263)) : NULL;
	if (q->loop)
		rc = loop_post(q->loop, deliver, q);
	pthread_mutex_unlock(&rx.lock);
	return rc;
}

/* TS 29.229 §7.2: the HSS demands what we cannot do. */
static bool demands_too_much(unsigned n, const struct cx_features *f)
{
	for (unsigned i = 0; i < n; i++)
		if (f[i].mandatory && (f[i].vendor == 10415 && f[i].list == 1 ? f[i].bits & ~CX_FEATURES_OURS : f[i].bits))
			return true;
	return false;
}

/* true: answered with what we can do. */
static bool refused(const struct dia_peer_request *q)
{
	const struct dia_result result = { 0, CX_FEATURE_UNSUPPORTED, true };
	const struct cx_rtr *rtr = q->request;
	const struct cx_ppr *ppr = q->request;

	if (q->cmd == CX_RT && demands_too_much(rtr->n_features, rtr->features))
		answer_message(q->cmd, q->msg, &(const struct cx_rta){ .result = result, .n_features = 1,
			       .features = { cx_features_make(CX_FEATURES_OURS) } }, NULL, NULL);
	else if (q->cmd == CX_PP && demands_too_much(ppr->n_features, ppr->features))
		answer_message(q->cmd, q->msg, &(const struct cx_ppa){ .result = result, .n_features = 1,
			       .features = { cx_features_make(CX_FEATURES_OURS) } }, NULL, NULL);
	else
		return false;
	log_warn(LOG_DIA, "the HSS demands a feature that is not supported here", LOG_C("command", dia_commands[q->cmd].request_name));
	arena_unref(q->a);
	return true;
}

static void take(enum dia_command_id cmd, struct msg *m)
{
	struct arena *a = arena_new(REQUEST_ARENA_BYTES);
	struct dia_peer_request *q = a ? arena_zalloc(a, sizeof(*q)) : NULL;
	int rc = -ENOMEM;

	if (q)
		q->request = arena_zalloc(a, dia_commands[cmd].request_size);
	if (q && q->request) {
		q->a = a;
		q->msg = m;
		q->cmd = cmd;
		rc = codec_read(m, dia_commands[cmd].request, q->request, a);
	}
	if (rc == 0 && refused(q))
		return;
	if (rc == 0)
		rc = post(q);
	if (rc == 0)
		return;
	arena_unref(a);
	answer_plain(cmd, m, rc == -ENOENT && dia_commands[cmd].application == DIA_RX ? DIA_UNKNOWN_SESSION_ID
		     : rc == -EAGAIN || rc == -ESHUTDOWN ? DIA_TOO_BUSY : DIA_UNABLE_TO_COMPLY);
}

static int on_request(struct msg **m, struct avp *avp, struct session *sess, void *u, enum disp_action *act)
{
	enum dia_command_id cmd = (enum dia_command_id)(uintptr_t)u;

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
	int i = DIA_N_COMMANDS;
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
	for (i = 0; i < DIA_N_COMMANDS; i++)
		if (dia_commands[i].code == h->msg_code &&
		    dictionary_application_id(dia_commands[i].application) == h->msg_appl)
			break;
	if (i < DIA_N_COMMANDS && is_served((enum dia_command_id)i) &&
	    fd_msg_parse_dict(*m, dictionary_get(), NULL) == 0 &&
	    fd_msg_search_avp(*m, dictionary_avp(293, DIA_BASE), &avp) == 0 && avp && fd_msg_avp_hdr(avp, &ah) == 0 && ah->avp_value) {
		const char *id = dia_node()->identity;
		size_t n = strlen(id), l = ah->avp_value->os.len;
		const char *dh = (const char *)ah->avp_value->os.data;

		ours = l > n && strncasecmp(dh, id, n) == 0 && dh[n] == ':';
	}
	if (ours) {
		take((enum dia_command_id)i, *m);
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

int server_register(void)
{
	struct fd_rt_fwd_hdl *fwd;
	int rc = 0;

	metrics_register(&m_served);
	for (int i = 0; i < DIA_N_COMMANDS && rc == 0; i++) {
		struct disp_when when = { .app = dictionary_application(dia_commands[i].application),
					  .command = dictionary_command((enum dia_command_id)i, true) };
		struct disp_hdl *h;

		if (is_served((enum dia_command_id)i))
			rc = -fd_disp_register(on_request, DISP_HOW_CC, &when, (void *)(uintptr_t)i, &h);
	}
	return rc ? rc : -fd_rt_fwd_register(on_forward, NULL, RT_FWD_REQ, &fwd);
}
