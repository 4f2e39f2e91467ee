/* scscf/subscribe.c - SUBSCRIBE for registration state: what is asked, who asks, what is answered.
 * RFC 6665 §4.2.1; RFC 3680 §4; TS 24.229 §5.4.2.1.1; rows S14, S15; reliability SEC-17. */
#include <errno.h>
#include "common/log/log.h"
#include "common/sip/charging.h"
#include "scscf/registrar.h"
#include "scscf/subscription.h"

static METRIC_DEF(m_subscribes, "cscf_reg_subscribes_total", METRIC_COUNTER, "SUBSCRIBEs for registration state by outcome.", "outcome", NULL);

#define AS_WATCHES "application server"

/* ---- what is asked ---- */

static void refuse(struct session_in *in, unsigned status, const char *why, const char *outcome, struct str extra)
{
	metric_add(&m_subscribes, outcome, NULL, 1);
	session_refuse(in, status, why, extra);
}

static struct str package_of(const struct sip_msg *m)
{
	struct str package, params;

	str_cut(sip_msg_value(m, SIP_H_EVENT), ';', &package, &params);
	return str_trim(package);
}

bool subscription_is_for_reg(const struct sip_msg *m)
{
	return m->method == SIP_SUBSCRIBE && str_eq_c(package_of(m), "reg");	/* tokens of Event compare by case: RFC 6665 §8.2.1 */
}

/* RFC 6665 §3.1.3: no Accept means the package's own type. */
static bool accepts_reginfo(const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_ACCEPT);
	struct str v, type, params;
	bool any = false;

	while (sip_values_next(&it, &v)) {
		any = true;
		str_cut(v, ';', &type, &params);
		type = str_trim(type);
		if (str_ieq_c(type, REGINFO_TYPE) || str_ieq_c(type, "application/*") || str_ieq_c(type, "*/*"))
			return true;
	}
	return !any;
}

/* RFC 6665 §4.2.1.1: too short is refused only below an hour; too long is shortened.  false: refused. */
static bool read_expires(struct session_in *in, const struct reg_config *c, uint32_t *ret)
{
	int rc = sip_msg_u32(in->m, SIP_H_EXPIRES, ret);

	if (rc == -ENOENT)
		*ret = SUBSCRIPTION_DEFAULT_S;
	else if (rc == -ERANGE)
		*ret = UINT32_MAX;
	else if (rc < 0) {
		refuse(in, 400, "Expires is no number", "malformed", STR_NONE);
		return false;
	}
	if (*ret && *ret < c->subscription_min_s && *ret < 3600) {
		refuse(in, 423, "the subscriber asked for too short a time", "too_brief",
		       arena_printf(in->m->arena, "Min-Expires: %u\r\n", c->subscription_min_s));
		return false;
	}
	if (*ret > c->subscription_max_s)
		*ret = c->subscription_max_s;
	return true;
}

/* ---- who asks, TS 24.229 §5.4.2.1.1 ---- */

static bool is_own_identity(const struct aor_view *set, const struct sip_uri *u)
{
	char text[512];
	struct str aor;

	if (sip_uri_aor(u, text, sizeof(text), &aor) < 0)
		return false;
	for (unsigned i = 0; i < set->n; i++) {
		const struct profile_identity *id = profile_find(set->v[i]->profile, aor);

		if (id && !id->barred)
			return true;
	}
	return false;
}

static uint16_t port_of(const struct sip_uri *u)
{
	return u->port ? u->port : u->scheme == SIP_SCHEME_SIPS ? 5061 : 5060;
}

static bool names_host(const struct sip_uri *u, struct str value)
{
	struct sip_nameaddr na;

	return sip_nameaddr_parse(value, &na) == 0 && !na.star && na.uri.host.l && str_ieq(u->host, na.uri.host) &&
	       port_of(u) == port_of(&na.uri);
}

/* The P-CSCF asserts its own URI, host and port of which are in the Path that it put into the REGISTER. */
static bool is_on_path(const struct aor_view *set, const struct sip_uri *u)
{
	if (u->scheme == SIP_SCHEME_TEL || u->user.l)
		return false;
	for (unsigned i = 0; i < set->n; i++)
		for (unsigned k = 0; k < set->v[i]->n_contacts; k++)
			for (unsigned p = 0; p < set->v[i]->contacts[k].n_path; p++)
				if (names_host(u, str_from_c(set->v[i]->contacts[k].path[p])))
					return true;
	return false;
}

/* A server's URI without a user stands for all that it calls itself. */
static bool is_server(struct str server, const struct sip_uri *u)
{
	struct sip_uri named;

	return sip_uri_parse(server, &named, NULL) == 0 && (named.user.l ? sip_uri_equal(&named, u) : names_host(u, server));
}

/* registrar.reg_event_subscribers: URIs of application servers. */
static bool is_named(const struct scscf *s, const struct sip_uri *u)
{
	const struct reg_config *c = s->reg;

	for (size_t i = 0; c->root && i < cfg_list_len(c->root, "registrar.reg_event_subscribers"); i++)
		if (is_server(cfg_strs_at(c->root, "registrar.reg_event_subscribers", i), u))
			return true;
	return false;
}

/* §5.4.2.1.1: an application server of the user's filter criteria. */
static bool serves(const struct aor_view *set, const struct sip_uri *u)
{
	bool yes = false;

	for (unsigned i = 0; i < set->n; i++)
		for (unsigned k = 0; k < set->v[i]->profile->n_services && !yes; k++) {
			struct criteria *c = profile_criteria(set->v[i]->profile, k);

			for (unsigned n = 0; c && n < c->n && !yes; n++)
				yes = is_server(c->v[n].server, u);
			obj_unref(c);
		}
	return yes;
}

/* NULL: may not.  Else who it is, for the log. */
static const char *authorized(const struct scscf_worker *sw, const struct session_in *in, const struct aor_view *set, uint64_t by)
{
	struct sip_values it = sip_values(in->m, SIP_H_PAI);
	struct sip_nameaddr na;
	struct str v;

	for (unsigned i = 0; by && i < set->n; i++)
		if (set->v[i]->id == by)
			return "user";
	while (!by && sip_values_next(&it, &v)) {
		if (sip_nameaddr_parse(v, &na) < 0 || na.star)
			continue;
		if (is_own_identity(set, &na.uri))
			return "user";
		if (is_on_path(set, &na.uri))
			return "p-cscf";
		if (serves(set, &na.uri) || is_named(sw->s, &na.uri))
			return AS_WATCHES;
	}
	return !by && session_config_is_as(sw->s->sessions, &in->m->flow) ? AS_WATCHES : NULL;
}

/* ---- answered ---- */

/* RFC 3261 §12.1.1: the dialog's first answer carries the route set back. */
static void reply(struct scscf_worker *sw, struct session_in *in, const struct subscription *s, uint32_t expires_s)
{
	struct str charging = charging_answer(in->m->arena, in->m, s->service ? IOI_SERVICE : IOI_ACCESS, stack_home_domain(sw->w->stack));
	struct sip_values it = sip_values(in->m, SIP_H_RECORD_ROUTE);
	struct str v;
	struct buf b;

	buf_init(&b, SIP_MSG_MAX_BYTES / 2);
	while (in->m->to_tag.l == 0 && sip_values_next(&it, &v))
		buf_printf(&b, "Record-Route: %.*s\r\n", STR_ARG(v));
	buf_printf(&b, "Contact: <sip:%.*s>\r\nExpires: %u\r\n", STR_ARG(stack_sip_name(sw->w->stack)), expires_s);
	if (charging.l)			/* TS 24.229 table 4-2B */
		buf_printf(&b, "P-Charging-Vector: %.*s\r\n", STR_ARG(charging));
	tx_server_reply(in->st, 200, NULL, buf_str(&b));
	buf_fini(&b);
}

static void accept_new(struct scscf_worker *sw, struct session_in *in, struct str aor, const char *who, uint32_t expires_s)
{
	struct subscription *s;
	int rc;

	s = subscription_new(sw->subscriptions, in, aor, &rc);
	if (!s) {
		refuse(in, rc == -EBADMSG ? 400 : 500, rc == -EBADMSG ? "no usable Contact or Record-Route" : "out of memory",
		       rc == -EBADMSG ? "malformed" : "failed", STR_NONE);
		return;
	}
	subscriptions_make_room(s->watched);
	metric_add(&m_subscribes, expires_s ? "accepted" : "fetched", NULL, 1);
	log_info(LOG_REG, expires_s ? "subscribed" : "state fetched", LOG_S("impu", aor), LOG_C("as", who),
		 LOG_C("subscriber", s->subscriber), LOG_U("expires_s", expires_s), LOG_S("call_id", in->m->call_id));
	s->service = strcmp(who, AS_WATCHES) == 0;
	reply(sw, in, s, expires_s);
	s->dirty = s->full = true;
	if (expires_s) {
		subscription_extend(s, expires_s);
		subscription_tell(s);
	} else {			/* RFC 6665 §4.4.3: one NOTIFY, and no more */
		subscription_end(s, "timeout");
	}
}

/* A P-CSCF whose SUBSCRIBE the end of the registration overtook: no Path names it any more, and it must learn why. */
static bool comes_late(const struct session_in *in, const struct aor_view *set, uint64_t by)
{
	struct sip_nameaddr na;
	struct str v = STR_NONE;
	struct sip_values it = sip_values(in->m, SIP_H_PAI);

	for (unsigned i = 0; i < set->n; i++)
		if (set->v[i]->n_contacts)
			return false;
	return !by && sip_values_next(&it, &v) && sip_nameaddr_parse(v, &na) == 0 && !na.star && na.uri.scheme != SIP_SCHEME_TEL &&
	       !na.uri.user.l;
}

void subscription_request(struct scscf_worker *sw, struct session_in *in, const struct aor_view *set, struct str aor, uint64_t by)
{
	const char *who = authorized(sw, in, set, by);
	bool barred = true;
	uint32_t expires_s;

	for (unsigned i = 0; i < set->n; i++) {
		const struct profile_identity *id = profile_find(set->v[i]->profile, aor);

		barred = barred && (!id || id->barred);
	}
	if (barred)			/* §5.4.3.3: as if it did not exist */
		refuse(in, 404, "no such user", "unknown", STR_NONE);
	else if (!who && comes_late(in, set, by))
		refuse(in, 480, "the user is not registered", "not_registered", STR_NONE);
	else if (!sw->subscriptions || !who)
		refuse(in, 403, "not one who may watch this registration", "forbidden", STR_NONE);
	else if (!accepts_reginfo(in->m))
		refuse(in, 406, "registration state comes as " REGINFO_TYPE, "not_acceptable", STR("Accept: " REGINFO_TYPE "\r\n"));
	else if (read_expires(in, sw->s->reg, &expires_s))
		accept_new(sw, in, aor, who, expires_s);
}

/* A refresh, or the end: RFC 6665 §4.2.1.4.  clients.md 8: a phone may end it after it has de-registered. */
void subscription_in_dialog(struct scscf_worker *sw, struct session_in *in)
{
	struct subscription *s = sw->subscriptions ? subscription_find(sw->subscriptions, in->m) : NULL;
	uint32_t expires_s;
	int rc;

	if (!s || s->ended) {
		refuse(in, 481, "no such subscription", "unknown", STR_NONE);
		return;
	}
	if (!str_eq(package_of(in->m), STR("reg"))) {
		refuse(in, 489, "the subscription is for another event package", "bad_event", STR("Allow-Events: reg\r\n"));
		return;
	}
	if (!read_expires(in, sw->s->reg, &expires_s))
		return;
	rc = dialog_request_in(s->d, in->m);
	if (rc < 0) {
		refuse(in, rc == -EPROTO ? 500 : 400, rc == -EPROTO ? "an older request of the same dialog" : "no usable Contact",
		       "malformed", STR_NONE);
		return;
	}
	metric_add(&m_subscribes, expires_s ? "refreshed" : "unsubscribed", NULL, 1);
	reply(sw, in, s, expires_s);
	if (!expires_s) {
		subscription_end(s, "timeout");
		return;
	}
	subscription_extend(s, expires_s);
	s->dirty = s->full = true;		/* every SUBSCRIBE is answered with the whole state: RFC 6665 §4.2.1.2 */
	subscription_tell(s);
}

void subscribe_register_metrics(void)
{
	metrics_register(&m_subscribes);
}
