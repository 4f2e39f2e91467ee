/* common/proxy/session_timer.c - session timers as a proxy: RFC 4028 §8; TS 24.229 §5.2.7.2, §5.4.4.1; row C16.
 *
 * A node on the route of a call wants to know when it is over although no BYE came.  The texts of 3GPP leave it to the operator
 * whether it asks for refreshes ("may"), so by default nothing is added: what the ends agree on passes and is watched. */
#include "common/proxy/private.h"

static bool applies(const struct proxy *p)
{
	return p->layer->env.session_min_s && (p->m->method == SIP_INVITE || p->m->method == SIP_UPDATE);
}

static struct str seconds(const struct proxy *p, uint32_t n)
{
	return arena_printf(p->m->arena, "%u", n);
}

/* The interval, with the other parameters as they are: the refresher is the ends' business (§8.1). */
static void expires_set(struct proxy *p, uint32_t n)
{
	struct str value = sip_msg_value(p->m, SIP_H_SESSION_EXPIRES), digits, params;

	if (str_cut(value, ';', &digits, &params))
		sip_out_set(&p->out, SIP_H_SESSION_EXPIRES, arena_printf(p->m->arena, "%u;%.*s", n, STR_ARG(params)));
	else
		sip_out_set(&p->out, SIP_H_SESSION_EXPIRES, seconds(p, n));
	p->session_s = n;
}

/* §8.1: who can read it gets 422; for others, whose Session-Expires came from a proxy, both values go up. */
static bool too_small(struct proxy *p)
{
	uint32_t min = p->layer->env.session_min_s;

	if (p->session_uac) {
		proxy_reject(p, &(const struct refusal){ .status = 422, .why = "the session interval is too small",
			.extra = arena_printf(p->m->arena, "Min-SE: %u\r\n", min) });
		return false;
	}
	sip_out_set(&p->out, SIP_H_MIN_SE, seconds(p, min));
	expires_set(p, min);
	return true;
}

bool proxy_session_request(struct proxy *p)
{
	const struct proxy_env *env = &p->layer->env;
	uint32_t asked = 0, min_se = 0, wanted = env->session_expires_s;
	bool has;

	if (!applies(p))
		return true;
	has = sip_msg_u32(p->m, SIP_H_SESSION_EXPIRES, &asked) == 0;
	p->session_uac = sip_msg_has_token(p->m, SIP_H_SUPPORTED, "timer");
	p->session_s = asked;
	if (has && asked < env->session_min_s)
		return too_small(p);
	if (!wanted)
		return true;
	(void)sip_msg_u32(p->m, SIP_H_MIN_SE, &min_se);
	if (wanted < min_se)			/* never below what the request bears */
		wanted = min_se;
	if (!has || asked > wanted)
		expires_set(p, wanted);
	return true;
}

/* §8.2: the callee does not know session timers; the caller does and refreshes alone. */
static bool callee_is_left_out(const struct proxy *p)
{
	return p->layer->env.session_expires_s && p->session_uac && p->session_s;
}

void proxy_session_response(struct proxy *p, const struct sip_msg *m, struct sip_out *o)
{
	const struct proxy_env *env = &p->layer->env;
	struct str value = sip_msg_value(m, SIP_H_SESSION_EXPIRES), digits, params, refresher;
	uint32_t agreed = 0;
	bool uas = false;

	if (!applies(p) || m->status / 100 != 2)
		return;
	if (sip_msg_u32(m, SIP_H_SESSION_EXPIRES, &agreed) == 0) {
		str_cut(value, ';', &digits, &params);
		uas = sip_param_get(params, "refresher", &refresher) && str_ieq_c(refresher, "uas");
	} else if (callee_is_left_out(p)) {
		agreed = p->session_s;
		sip_out_set(o, SIP_H_SESSION_EXPIRES, arena_printf(o->arena, "%u;refresher=uac", agreed));
		sip_out_add_token(o, SIP_H_REQUIRE, "timer");
	}
	if (env->session)
		env->session(env->u, m, agreed, uas);
}
