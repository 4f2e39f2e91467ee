/* scscf/request.c - what a request is for: TS 24.229 §5.4.1.1, §5.4.3.1; RFC 3261 §16.3, §16.4; rows T1, M1-M15, R15.
 *
 *   REGISTER                                  register.c
 *   Route with a Record-Route token of ours   indialog.c
 *   Route with a Service-Route token          originating.c
 *   Route with an original dialog identifier  services.c, back from an application server
 *   Route with `orig` and no token            originating.c, an application server on behalf of a user
 *   Request-URI is ourselves                  here; SUBSCRIBE within its dialog: subscription.c
 *   anything else                             terminating.c
 */
#include "common/log/log.h"
#include "scscf/session.h"
#include "scscf/subscription.h"

/* Option tags that a Proxy-Require may name.  Path: RFC 3327. */
static const char *const supported[] = { "path", NULL };

#define OUR_METHODS "REGISTER, OPTIONS, SUBSCRIBE"

/* Reads the tokens of our own Routes.  false: answered with 403, which is what one that we did not make deserves. */
static bool tokens_read(struct scscf_worker *sw, struct session_in *in)
{
	for (unsigned i = 0; i < in->n_own; i++) {
		struct token *t = &in->own_token[i];

		if (in->own[i].uri.user.l == 0)		/* the I-CSCF takes ours from the HSS: no token */
			continue;
		if (token_read(stack_token_key(sw->w->stack), in->own[i].uri.user, t) < 0) {
			session_refuse(in, 403, "a Route of ours has a token that is not", STR_NONE);
			return false;
		}
		if (in->token && in->token->kind != t->kind) {
			session_refuse(in, 403, "Routes of ours that do not belong together", STR_NONE);
			return false;
		}
		if (!in->token)
			in->token = t;
	}
	return true;
}

/* The Request-URI as the plan stands: a strict router upstream may have moved it (RFC 3261 §16.4). */
static bool ruri_read(struct session_in *in)
{
	in->ruri = in->m->ruri;
	return in->out.ruri.l == 0 || sip_uri_parse(in->out.ruri, &in->ruri, NULL) == 0;
}

static bool routes_left(const struct session_in *in)
{
	struct str route;

	return sip_out_top(&in->out, SIP_H_ROUTE, &route) == 0;
}

/* Our own URI, or the home domain without a user: what phones ping. */
static bool is_for_us(const struct scscf_worker *sw, const struct session_in *in)
{
	if (routes_left(in) || in->ruri.user.l)
		return false;
	return stack_is_self(sw->w->stack, &in->ruri) || stack_is_home_domain(sw->w->stack, in->ruri.host);
}

/* RFC 3261 §8.2.2.3: we are the end here, so Require is for us. */
static bool requires_too_much(struct session_in *in)
{
	struct sip_values it = sip_values(in->m, SIP_H_REQUIRE);
	struct arena_text bad = arena_text(in->m->arena);
	struct str v;

	while (sip_values_next(&it, &v))
		if (!str_ieq_c(v, "path"))
			arena_text_item(&bad, v);
	if (bad.l)
		session_refuse(in, 420, "an extension that this node has not",
			       arena_printf(in->m->arena, "Unsupported: %.*s\r\n", STR_ARG(arena_text_str(&bad))));
	return bad.l > 0;
}

static void for_us(struct session_in *in)
{
	if (requires_too_much(in))
		return;
	switch (in->m->method) {
	case SIP_OPTIONS:		/* RFC 3261 §11.2 */
		tx_server_reply(in->st, 200, NULL,
				STR("Allow: " OUR_METHODS "\r\nAccept: application/sdp, application/3gpp-ims+xml\r\n"
				    "Accept-Encoding: identity\r\nAccept-Language: en\r\nSupported: path\r\n"));
		break;
	case SIP_SUBSCRIBE:		/* RFC 6665 §8.3.2: registrations are users', none is our own */
		if (subscription_is_for_reg(in->m))
			session_refuse(in, 404, "this node is no user", STR_NONE);
		else
			session_refuse(in, 489, "not an event package that is served here", STR("Allow-Events: reg\r\n"));
		break;
	default:
		session_refuse(in, 405, "not a method for this node itself", STR("Allow: " OUR_METHODS "\r\n"));
	}
}

/* An application server that wants to originate for a user, by itself or by way of an I-CSCF that has looked who it is: row T9, TS 24.229
 * §5.3.2.1, §5.7.3.  Anybody can write `orig` into a Route. */
static void for_application_server(struct scscf_worker *sw, struct session_in *in)
{
	if (session_config_may_originate(sw->s->sessions, &in->m->flow))
		scscf_originating(sw, in);
	else
		session_refuse(in, 403, "the sender is in neither sessions.application_servers nor sessions.interrogating", STR_NONE);
}

static void without_dialog(struct scscf_worker *sw, struct session_in *in)
{
	struct str value;

	if (in->token && in->token->kind == TOKEN_ODI)
		services_return(sw, in);
	else if (in->token && in->token->kind != TOKEN_SERVICE_ROUTE)
		session_refuse(in, 403, "a Route that opens nothing", STR_NONE);	/* Record-Route outside its dialog... */
	else if (is_for_us(sw, in))
		for_us(in);
	else if (in->token)
		scscf_originating(sw, in);
	else if (in->n_own && sip_uri_param(&in->own[0].uri, "orig", &value))
		for_application_server(sw, in);
	else
		scscf_terminating(sw, in);
}

static void look_at(struct scscf_worker *sw, struct session_in *in)
{
	struct sip_msg *m = in->m;

	sip_out_init(&in->out, m);
	in->n_own = proxy_pop_own_routes(sw->w->proxy, m, &in->out, in->own);
	if (!ruri_read(in)) {
		session_refuse(in, 400, "the last Route is no Request-URI", STR_NONE);
		return;
	}
	if (!tokens_read(sw, in))
		return;
	if (m->to_tag.l == 0)
		without_dialog(sw, in);
	else if (m->method == SIP_SUBSCRIBE && is_for_us(sw, in))	/* we are the end of that dialog */
		subscription_in_dialog(sw, in);
	else if (in->token && in->token->kind == TOKEN_RECORD_ROUTE)
		scscf_in_dialog(sw, in);
	else		/* RFC 3261 §12.2.2; a phone that sends it along its Service-Route has lost the route set */
		session_refuse(in, 481, "not on the route of that dialog", STR_NONE);
}

void scscf_request(struct worker *w, struct tx_server *st, struct sip_msg *m)
{
	struct session_in in = { .st = st, .m = m };

	if (m->method == SIP_REGISTER)		/* whatever its Routes say: some phones put their Service-Route on it */
		scscf_register(scscf_of(w), st, m);
	else if (proxy_check(w->proxy, st, m, supported))
		look_at(scscf_of(w), &in);
}

void scscf_request_again(struct worker *w, struct tx_server *st, struct sip_msg *m)
{
	struct session_in in = { .st = st, .m = m, .again = true };

	look_at(scscf_of(w), &in);
}
