/* icscf/forward.c - on to an S-CSCF, and to the next one when it fails: TS 24.229 §5.3.1.2, §5.3.1.3, §5.3.2.1; row I5. */
#include <errno.h>
#include <stdio.h>
#include "common/log/log.h"
#include "icscf/icscf.h"

static uint64_t now_ms(const struct icscf_ask *a)
{
	return a->iw->w->wheel->now_ms;
}

/* ---- the way out ---- */

/* The S-CSCF gets a REGISTER by its Request-URI (§5.3.1.2), everything else by a Route (§5.3.2.1): the Request-URI is the
 * identity it serves.  Methods other than INVITE and REGISTER may take as long as the phone does: their limit is Timer F less
 * the time that a 504 needs to come before the sender's own. */
static int add_target(struct icscf_ask *a, struct str uri)
{
	struct proxy_target t = { 0 };

	if (a->proc == PROC_REGISTER) {
		t.ruri = uri;
		t.wait_ms = a->sel->server_wait_ms;
	} else {
		t.route[0] = arena_printf(a->m->arena, "<%.*s;lr%s>", STR_ARG(uri), a->proc == PROC_ORIGINATING ? ";orig" : "");
		t.n_routes = 1;
		t.wait_ms = a->m->method == SIP_INVITE ? a->sel->server_wait_ms : a->iw->i->message_wait_ms;
		if (!t.route[0].p)
			return -ENOMEM;
	}
	return proxy_target_add(a->p, &t);
}

/* uri is canonical.  A reason why not, or NULL. */
static const char *send_to(struct icscf_ask *a, struct str uri, const char *how)
{
	struct sip_uri u;

	uri = arena_dup(a->m->arena, uri);
	if (!uri.p)
		return "out of memory";
	if (sip_uri_parse(uri, &u, NULL) < 0)
		return "the S-CSCF's name is no SIP URI";
	if (stack_is_self(a->iw->i->stack, &u))
		return "the S-CSCF's name is this I-CSCF itself";
	if (add_target(a, uri) < 0)
		return "the request cannot be forwarded";
	a->tried.uri[a->tried.n++] = uri;
	sip_msg_unref(a->last);
	a->last = NULL;
	icscf_outcome(a, how, uri);
	proxy_start(a->p);
	return NULL;
}

void icscf_to_named(struct icscf_ask *a, struct str server_name)
{
	const char *why = "the HSS's Server-Name is no SIP URI";
	char text[SCSCF_URI_MAX];
	struct str uri;

	if (scscf_uri(server_name, text, &uri) == 0)
		why = send_to(a, uri, scscf_why_name(SCSCF_NAMED));
	if (why) {
		log_error(LOG_DIA, why, LOG_S("server_name", server_name), LOG_S("impu", a->impu));
		icscf_refuse(a, 500, true, why);
	}
}

void icscf_to_chosen(struct icscf_ask *a)
{
	enum scscf_why how;
	const char *why;
	struct str uri;
	int rc = scscf_select(a->sel, a->caps, &a->tried, now_ms(a), &uri, &how);

	a->may_choose = true;
	if (rc == -ENOENT && !a->caps) {
		log_error(LOG_CONF, "neither selection.default_server nor selection.servers, and the HSS named no S-CSCF");
		icscf_refuse(a, 500, true, "no S-CSCF is configured");
	} else if (rc < 0) {			/* §5.3.1.3 */
		log_warn(LOG_CONF, "no S-CSCF has the capabilities that the HSS asks for", LOG_S("impu", a->impu));
		icscf_refuse(a, 600, false, "no S-CSCF has the mandatory capabilities");
	} else if ((why = send_to(a, uri, scscf_why_name(how)))) {
		icscf_refuse(a, 500, true, why);
	}
}

bool icscf_to_next(struct icscf_ask *a)
{
	enum scscf_why how;
	struct str uri;

	if (a->tried.n >= a->sel->max_attempts || scscf_select(a->sel, a->caps, &a->tried, now_ms(a), &uri, &how) < 0)
		return false;
	return !send_to(a, uri, scscf_why_name(how));
}

void icscf_to_route(struct icscf_ask *a, struct str uri)
{
	struct proxy_target t = { 0 };

	a->proc = PROC_FORWARD;
	if (uri.l) {
		t.route[0] = arena_printf(a->m->arena, "<%.*s;lr>", STR_ARG(uri));
		t.n_routes = 1;
	}
	if ((uri.l && !t.route[0].p) || proxy_target_add(a->p, &t) < 0) {
		icscf_refuse(a, 500, true, "the request cannot be forwarded");
		return;
	}
	icscf_outcome(a, uri.l ? "next hop for numbers" : "along the route", uri);
	proxy_start(a->p);
}

/* ---- how it went ---- */

/* Silence, no way there, and 503 are held against the S-CSCF; other answers show that it lives. */
static void note(struct icscf_ask *a, unsigned status, bool answered)
{
	bool alive = answered && status != 503;
	struct str uri;

	if (!a->tried.n)
		return;
	uri = a->tried.uri[a->tried.n - 1];
	scscf_report(a->sel, uri, alive ? 0 : status, now_ms(a));
	icscf_attempt(uri, alive ? "answered" : answered ? "unavailable" : status == 408 ? "silent" : "unreachable");
}

/* What the one before us may not hear is left out, of every response that goes back: at once, and of the last one that is kept. */
static void edit_response(const struct icscf_ask *a, const struct sip_msg *m, struct sip_out *o)
{
	icscf_charging_response(a, o);
	if (a->outside)
		icscf_trust_response(m, o);
}

static enum proxy_verdict on_response(void *user, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o)
{
	struct icscf_ask *a = user;

	(void)p;
	(void)b;
	edit_response(a, m, o);
	if (m->status < 200)
		a->rings = true;
	else if (m->status < 300 && icscf_ask_open(a))
		note(a, m->status, true);
	return PROXY_PASS;
}

static void on_failed(void *user, struct proxy *p, struct proxy_branch *b, unsigned status, struct sip_msg *m)
{
	struct icscf_ask *a = user;

	(void)p;
	(void)b;
	a->last_status = status;
	sip_msg_unref(a->last);
	a->last = m ? sip_msg_ref(m) : NULL;
	if (m || status == 408 || status == 503)
		note(a, status, m != NULL);
}

/* §5.3.1.3: silence, 3xx, 480; and 5xx, which another S-CSCF may do better (row I5) - but 504, which says that the HSS is
 * silent: it would be so to the next one.  A session is tried elsewhere only when we chose the S-CSCF and it took no notice. */
static bool another_may_help(const struct icscf_ask *a)
{
	if (!a->last)
		return a->last_status == 408 || a->last_status == 503;
	if (a->proc == PROC_REGISTER)
		return a->last_status / 100 == 3 || a->last_status == 480 ||
		       (a->last_status / 100 == 5 && a->last_status != 504);
	return a->last_status == 503;
}

/* Nothing is gained by de-registering at an S-CSCF that has no registration. */
static bool try_another(struct icscf_ask *a)
{
	if (a->proc == PROC_FORWARD || a->deregister || a->rings || !another_may_help(a) || a->tried.n >= a->sel->max_attempts)
		return false;
	if (a->may_choose)
		return icscf_to_next(a);
	return a->proc == PROC_REGISTER && !a->asked_caps && icscf_register_ask_capabilities(a);
}

static void pass_last(struct icscf_ask *a)
{
	struct bytes *wire = NULL;
	struct sip_out o;

	sip_out_init(&o, a->last);
	sip_out_drop_first(&o, SIP_H_VIA);
	edit_response(a, a->last, &o);
	if (sip_out_write(&o, &wire) == 0)
		tx_server_send(proxy_server(a->p), a->last_status, wire);
	else
		icscf_refuse(a, 500, true, "the response cannot be forwarded");
	bytes_unref(wire);
}

/* RFC 3261 §16.7 step 6: its 503 is not ours; its wish when to come back is passed on (row R16). */
static void answer_unavailable(struct icscf_ask *a)
{
	uint32_t s;

	if (sip_msg_u32(a->last, SIP_H_RETRY_AFTER, &s) == 0)
		a->retry_after_s = s;
	icscf_refuse(a, 500, true, "the S-CSCF is not available");
}

void icscf_answer_last(struct icscf_ask *a)
{
	unsigned status = a->last_status;

	if (!icscf_ask_open(a))
		return;
	if (!a->last)
		icscf_refuse(a, 504, true, status == 408 ? "the next hop did not answer" : "the next hop cannot be reached");
	else if (icscf_hides(a, status))
		icscf_refuse(a, status, false, "the S-CSCF refused: nobody outside hears why");
	else if (status == 503)
		answer_unavailable(a);
	else if (status == 408 && a->m->method != SIP_INVITE)	/* RFC 4320 §4.1: never sent */
		icscf_refuse(a, 504, true, "the next hop gave up");
	else if (status / 100 == 3 && a->proc == PROC_REGISTER)	/* not for the phone to follow */
		icscf_refuse(a, 504, true, "the S-CSCF sends elsewhere, and no other one is left");
	else
		pass_last(a);
}

/* All attempts run one after the other, so the last one's result counts, not the best one's. */
static bool on_final(void *user, struct proxy *p, unsigned status, struct sip_msg *m)
{
	struct icscf_ask *a = user;

	(void)p;
	(void)m;
	if (a->cx) {			/* cancelled while the HSS was thinking */
		dia_client_cancel(a->iw->w->dia, a->cx);
		a->cx = 0;
	}
	if (status == 487)
		return false;
	if (!try_another(a))
		icscf_answer_last(a);
	return true;
}

static void on_gone(void *user, struct proxy *p)
{
	(void)p;
	icscf_ask_free(user);
}

const struct proxy_ops icscf_proxy_ops = {
	.response = on_response, .branch_failed = on_failed, .final = on_final, .gone = on_gone,
};
