/* scscf/originating.c - requests from a user of ours: TS 24.229 §5.4.3.2; rows T1, T9, T16, T19.
 *
 * Who it is comes from the registration in the Service-Route token and from what the P-CSCF asserted, never from From. */
#include "common/log/log.h"
#include "scscf/session.h"
#include "scscf/subscription.h"

struct caller {
	struct reg_view *view;
	const struct profile_identity *id;	/* asserted, or the default one */
	struct str display;			/* as the P-CSCF wrote it */
	struct str meant;			/* a wildcarded identity: the one of them that calls (TS 23.003 §13.4A) */
};

/* TS 24.229 §5.4.3.2, TS 23.380 §4.4: the registration behind a good token is gone, with the phone not knowing.  It is told to
 * register anew; P-Asserted-Identity is our Service-Route URI, by which the phone recognises whom this comes from. */
static void refuse_unknown(struct session_in *in)
{
	static const struct str body = STR(
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n"
		"<ims-3gpp version=\"1\"><alternative-service><type>restoration</type>"
		"<reason>registration lost</reason><action>initial-registration</action></alternative-service></ims-3gpp>\r\n");
	const struct sip_nameaddr *route = &in->own[in->token - in->own_token];

	session_refuse_as(in, &(const struct refusal){
		.status = 504, .why = "the registration is not known any more",
		.extra = arena_printf(in->m->arena, "P-Asserted-Identity: <%.*s>\r\n", STR_ARG(route->uri.text)),
		.content_type = STR("application/3gpp-ims+xml;sv=\"1,1\""), .body = body });
}

static bool has_contact(const struct reg_view *v)
{
	return v->n_contacts > 0;
}

/* An identity of the profile that the value of a header names. */
static const struct profile_identity *identity_of(const struct profile *p, struct str value, struct sip_nameaddr *ret)
{
	const struct profile_identity *id;
	char text[512];
	struct str aor;

	if (sip_nameaddr_parse(value, ret) < 0 || sip_uri_aor(&ret->uri, text, sizeof(text), &aor) < 0)
		return NULL;
	id = profile_find(p, aor);
	return id ? id : wildcard_find(p, aor);
}

/* The asserted identity, of P-Asserted-Identity's two values the first that is the user's. */
static void asserted(const struct session_in *in, struct caller *c)
{
	struct sip_values it = sip_values(in->m, SIP_H_PAI);
	struct sip_nameaddr n;
	struct str value;

	while (!c->id && sip_values_next(&it, &value)) {
		c->id = identity_of(c->view->profile, value, &n);
		if (c->id)
			c->display = n.display;
		if (c->id && wildcard_is(c->id))
			c->meant = n.uri.text;
	}
}

/* The registration of the token is forgotten; the HSS may have kept it (TS 23.380 §4.3).  true: the request waits. */
static bool restored(struct scscf_worker *sw, struct session_in *in)
{
	struct sip_values it = sip_values(in->m, SIP_H_PAI);
	struct sip_nameaddr n;
	struct str value, aor;
	char text[512];

	return sip_values_next(&it, &value) && sip_nameaddr_parse(value, &n) == 0 && sip_uri_aor(&n.uri, text, sizeof(text), &aor) == 0 &&
	       unregistered_restore(sw, in, aor, in->token->id);
}

/* From a phone: the registration is the token's. */
static bool caller_by_token(struct scscf_worker *sw, struct session_in *in, struct caller *c)
{
	c->view = reg_directory_id(sw->s->dir, in->token->id);
	if (!c->view) {
		if (!restored(sw, in))
			refuse_unknown(in);
		return false;
	}
	if (!has_contact(c->view)) {
		session_refuse(in, 403, "the user is not registered", STR_NONE);
		return false;
	}
	asserted(in, c);
	if (!c->id && sip_msg_value(in->m, SIP_H_PAI).l)
		log_info(LOG_SESS, "asserted identity is not of that user, the default one is taken",
			 LOG_S("asserted", sip_msg_value(in->m, SIP_H_PAI)), LOG_C("impi", c->view->profile->impi),
			 LOG_S("call_id", in->m->call_id));
	if (!c->id)
		c->id = profile_default(c->view->profile);
	return true;
}

/* From an application server: P-Served-User (RFC 5502), else P-Asserted-Identity.  One that nobody has registered would be
 * asked of the HSS (SAR UNREGISTERED_USER): that comes with the services. */
static bool caller_by_header(struct scscf_worker *sw, struct session_in *in, struct caller *c)
{
	enum sip_hdr_id id = sip_msg_hdr(in->m, SIP_H_PSERVED_USER) ? SIP_H_PSERVED_USER : SIP_H_PAI;
	struct sip_values it = sip_values(in->m, id);
	struct str value, aor;
	struct sip_nameaddr n;
	struct aor_view *set;
	char text[512];

	if (!sip_values_next(&it, &value) || sip_nameaddr_parse(value, &n) < 0 ||
	    sip_uri_aor(&n.uri, text, sizeof(text), &aor) < 0) {
		session_refuse(in, 403, "no served user is named", STR_NONE);
		return false;
	}
	set = reg_directory_aor(sw->s->dir, aor);
	if (set && set->n) {
		c->view = obj_ref(set->v[0]);
		c->id = profile_find(c->view->profile, aor);
	}
	obj_unref(set);
	if (!c->view && unregistered_fetch(sw, in, aor))
		return false;
	if (!c->id)
		session_refuse(in, 403, "the served user has no profile here", STR_NONE);
	return c->id != NULL;
}

static void put_name(struct buf *b, const struct profile_identity *id, struct str uri, struct str display)
{
	struct str name = id->display ? str_from_c(id->display) : STR_NONE;

	if (name.l) {			/* subscribed: it wins over what the phone calls itself */
		buf_putc(b, '"');
		for (size_t i = 0; i < name.l; i++) {
			if (name.p[i] == '"' || name.p[i] == '\\')
				buf_putc(b, '\\');
			if ((unsigned char)name.p[i] >= ' ')
				buf_putc(b, name.p[i]);
		}
		buf_puts(b, "\" ");
	} else if (display.l) {
		buf_put(b, display);
		buf_putc(b, ' ');
	}
	buf_putc(b, '<');
	buf_put(b, uri);
	buf_putc(b, '>');
}

/* §5.4.3.2: one sip and one tel form, so that every network can show a number. */
static void assert_identity(struct session_in *in, const struct caller *c)
{
	const struct profile_identity *other = c->meant.l ? NULL : profile_other_form(c->view->profile, c->id);
	struct buf b;

	buf_init(&b, 2048);
	put_name(&b, c->id, c->meant.l ? c->meant : str_from_c(c->id->uri), c->display);
	if (other) {
		buf_puts(&b, ", ");
		put_name(&b, other, str_from_c(other->uri), c->display);
	}
	if (b.failed)
		in->out.failed = true;
	else
		sip_out_set(&in->out, SIP_H_PAI, arena_dup(in->m->arena, buf_str(&b)));
	buf_fini(&b);
	sip_out_drop(&in->out, SIP_H_PPI);
}

static void proceed(struct scscf_worker *sw, struct session_in *in, const struct caller *c)
{
	struct session *s;

	if (!limits_take(sw, in, c->view->id, SIDE_ORIGINATING))
		return;
	assert_identity(in, c);
	border_service(sw, in);
	s = session_new(sw, in, SIDE_ORIGINATING, str_from_c(c->id->aor));
	if (s && c->meant.l)
		s->served_uri = arena_dup(in->m->arena, c->meant);
	if (s && in->token) {
		s->from_phone = true;
		legs_add(sw, in->m, c->view->id, SIDE_ORIGINATING);
	}
	if (s)
		services_run(s, in, c->view, c->id, has_contact(c->view) ? CASE_ORIGINATING : CASE_ORIGINATING_UNREGISTERED, 0);
}

/* A phone's subscription to its own registration needs no way round by the I-CSCF: TS 24.229 §5.1.1.3.  true: it was one. */
static bool own_subscription(struct scscf_worker *sw, struct session_in *in, const struct caller *c)
{
	const struct profile_identity *id;
	struct aor_view *set;
	char text[512];
	struct str aor;

	if (!in->token || !subscription_is_for_reg(in->m) || sip_uri_aor(&in->ruri, text, sizeof(text), &aor) < 0)
		return false;
	id = profile_find(c->view->profile, aor);
	set = id && !id->barred ? reg_directory_aor(sw->s->dir, aor) : NULL;
	if (!set)
		return false;
	subscription_request(sw, in, set, aor, c->view->id);
	obj_unref(set);
	return true;
}

void scscf_originating(struct scscf_worker *sw, struct session_in *in)
{
	struct caller c = { 0 };
	bool known = in->token ? caller_by_token(sw, in, &c) : caller_by_header(sw, in, &c);

	/* §5.4.3.2: a barred identity may not originate; nor may one who has no other. */
	if (known && (!c.id || c.id->barred))
		session_refuse(in, 403, "the public user identity is barred", STR_NONE);
	else if (known && !own_subscription(sw, in, &c))
		proceed(sw, in, &c);
	obj_unref(c.view);
}
