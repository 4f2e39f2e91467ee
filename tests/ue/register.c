/* tests/ue/register.c - registration, refresh and de-registration.  TS 24.229 §5.1.1.2, §5.1.1.4, §5.1.1.6;
 * RFC 3261 §10.2. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/rand.h"
#include "tests/ue/ue.h"

#define MAX_CHALLENGES 4u		/* of one registration: one answer, one stale nonce, resynchronisation */
#define EARLY_S 600u			/* TS 24.229 §5.1.1.4.1: 600 s ahead of more than 1200 s, else half way */
#define AGAIN_MS 30000u			/* a refresh that nobody answered: next try */
#define MAX_ROUTE_BYTES 4096

static int send_register(struct ue *u);

/* ---- outcomes ---- */

static void binding_forget(struct ue *u)
{
	struct reg *r = &u->reg;

	timer_stop(&r->refresh);
	free(r->service_route);
	r->service_route = NULL;
	for (unsigned i = 0; i < r->n_associated; i++)
		free(r->associated[i]);
	r->n_associated = 0;
}

static void failed(struct ue *u, unsigned status, struct str reason, const struct sip_msg *m)
{
	struct reg *r = &u->reg;
	cJSON *e = event_new("registration-failed");
	uint32_t retry_s;

	event_num(e, "status", status);
	event_str(e, "reason", reason);
	if (m && sip_msg_u32(m, SIP_H_RETRY_AFTER, &retry_s) == 0)
		event_num(e, "retryAfter", retry_s);
	if (m && sip_msg_hdr(m, SIP_H_WARNING))
		event_str(e, "warning", sip_msg_value(m, SIP_H_WARNING));
	/* TS 24.229 §5.1.1.4.1: a refresh that was refused ends the registration, one that nobody answered does not. */
	r->state = r->was_done && (status == 408 || status >= 500) ? REG_DONE : REG_NONE;
	ipsec_failed(u, r->state == REG_NONE);
	if (r->state == REG_NONE) {
		binding_forget(u);
		digest_forget(r);
	} else {
		timer_start(loop_wheel(u->loop), &r->refresh, AGAIN_MS);
	}
	event_put(u, e, true);
}

static void routes_take(struct ue *u, const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_SERVICE_ROUTE);
	struct str v;
	struct buf b;

	buf_init(&b, MAX_ROUTE_BYTES);
	while (sip_values_next(&it, &v)) {
		if (b.l)
			buf_putc(&b, ',');
		buf_put(&b, v);
	}
	free(u->reg.service_route);
	u->reg.service_route = str_dup(b.failed ? STR_NONE : buf_str(&b));
	buf_fini(&b);
}

/* From: a SIP URI with our number when the network associated one, as a phone's screen would show; else the default,
 * which is the first.  TS 24.229 §5.1.1.2.1. */
static void identity_choose(struct ue *u)
{
	const struct reg *r = &u->reg;
	const char *best = r->n_associated ? r->associated[0] : u->o.impu;

	for (unsigned i = 0; i < r->n_associated; i++)
		if (!strncmp(r->associated[i], "sip:+", 5)) {
			best = r->associated[i];
			break;
		}
	snprintf(u->identity, sizeof(u->identity), "%s", best);
}

static void associated_take(struct ue *u, const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_PASSOCIATED_URI);
	struct reg *r = &u->reg;
	struct sip_nameaddr na;
	struct str v;

	for (unsigned i = 0; i < r->n_associated; i++)
		free(r->associated[i]);
	r->n_associated = 0;
	while (r->n_associated < UE_MAX_URIS && sip_values_next(&it, &v)) {
		char *uri = sip_nameaddr_parse(v, &na) == 0 && !na.star ? str_dup(na.uri.text) : NULL;

		if (uri)
			r->associated[r->n_associated++] = uri;
	}
	identity_choose(u);
}

/* What the registrar granted to our contact: RFC 3261 §10.2.4. */
static uint32_t granted(const struct ue *u, const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_CONTACT);
	uint32_t expires_s = u->reg.expires_s, n;
	struct sip_uri ours;
	struct sip_nameaddr na;
	struct str v, text;

	(void)sip_msg_u32(m, SIP_H_EXPIRES, &expires_s);
	if (sip_uri_parse(str_from_c(u->contact), &ours, NULL) < 0)
		return expires_s;
	while (sip_values_next(&it, &v))
		if (sip_nameaddr_parse(v, &na) == 0 && !na.star && sip_uri_equal(&na.uri, &ours) &&
		    sip_nameaddr_param(&na, "expires", &text) && str_to_u32(text, &n) == 0)
			return n;
	return expires_s;
}

static void registered(struct ue *u, const struct sip_msg *m)
{
	struct reg *r = &u->reg;
	cJSON *e;

	r->granted_s = granted(u, m);
	r->state = REG_DONE;
	ipsec_registered(u);
	routes_take(u, m);
	associated_take(u, m);
	timer_start(loop_wheel(u->loop), &r->refresh,
		    1000ull * (r->granted_s > 2 * EARLY_S ? r->granted_s - EARLY_S : r->granted_s / 2 ? r->granted_s / 2 : 1));
	e = event_new("registered");
	event_num(e, "expires", r->granted_s);
	event_uris(e, "serviceRoute", m, SIP_H_SERVICE_ROUTE);
	event_uris(e, "associatedUris", m, SIP_H_PASSOCIATED_URI);
	event_str(e, "identity", str_from_c(u->identity));
	event_num(e, "contacts", sip_values_count(m, SIP_H_CONTACT));
	event_num(e, "ms", (double)(loop_now_ms(u->loop) - r->begun_ms));
	event_put(u, e, false);
}

static void deregistered(struct ue *u)
{
	u->reg.state = REG_NONE;
	ipsec_failed(u, true);
	binding_forget(u);
	digest_forget(&u->reg);
	event_put(u, event_new("deregistered"), false);
}

/* ---- answers ---- */

static void challenged(struct ue *u, const struct sip_msg *m)
{
	int rc = ++u->reg.challenges > MAX_CHALLENGES ? -ELOOP : digest_challenge(u, m);

	/* An AUTS, or that AUTN is wrong, is told the way the REGISTER went: there are no keys. */
	if (rc == 0 && u->reg.secret_len)
		rc = ipsec_challenge(u, m);
	if (rc == 0)
		rc = send_register(u);
	if (rc < 0)
		failed(u, 401, rc == -ELOOP ? STR("challenged again and again") : STR("the challenge cannot be answered"), m);
}

static void too_brief(struct ue *u, const struct sip_msg *m)
{
	uint32_t min_s;

	if (sip_msg_u32(m, SIP_H_MIN_EXPIRES, &min_s) < 0 || min_s <= u->reg.expires_s || u->reg.removing) {
		failed(u, 423, STR("Interval Too Brief without a Min-Expires to follow"), m);
		return;
	}
	u->reg.expires_s = min_s;				/* RFC 3261 §10.2.8 */
	if (send_register(u) < 0)
		failed(u, 423, STR("no room for a request"), m);
}

static void on_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	struct ue *u = user;
	(void)ct;

	if (m->status < 200)
		return;
	u->reg.ct = NULL;
	if (m->status < 300 && u->reg.removing)
		deregistered(u);
	else if (m->status < 300)
		registered(u, m);
	else if (m->status == 401)
		challenged(u, m);
	else if (m->status == 423)
		too_brief(u, m);
	else
		failed(u, m->status, m->reason, m);
}

static void on_failed(void *user, struct tx_client *ct, int err)
{
	struct ue *u = user;
	(void)ct;

	u->reg.ct = NULL;
	if (err == -ETIMEDOUT)
		failed(u, 408, STR("no answer"), NULL);
	else
		failed(u, 503, str_from_c(strerror(-err)), NULL);		/* RFC 3261 §8.1.3.1 */
}

static void on_gone(void *user, struct tx_client *ct)
{
	(void)user;
	(void)ct;
}

static const struct tx_client_ops ops = { on_response, on_failed, on_gone };

/* ---- requests ---- */

static int send_register(struct ue *u)
{
	struct reg *r = &u->reg;
	char ruri[UE_TEXT + 8];
	struct request q = {
		.method = "REGISTER", .to = str_from_c(u->o.impu), .call_id = str_from_c(r->call_id), .tag = str_from_c(r->tag),
		.cseq = ++r->cseq, .is_register = true,
	};
	struct via via;
	struct buf h;

	snprintf(ruri, sizeof(ruri), "sip:%s", u->o.domain);
	q.ruri = str_from_c(ruri);
	buf_init(&h, SIP_MSG_MAX_BYTES / 2);
	put_contact(u, &h);
	buf_printf(&h, "Expires: %u\r\nSupported: path\r\nAllow: " UE_ALLOW "\r\n", r->removing ? 0 : r->expires_s);
	digest_put(u, &h, q.ruri);
	q.headers = buf_str(&h);
	via_make(u, &via);
	r->ct = h.failed ? NULL : net_send(u, SIP_REGISTER, &via, request_make(u, &via, &q), &ops, u);
	buf_fini(&h);
	return r->ct ? 0 : -ENOBUFS;
}

int register_start(struct ue *u, bool remove)
{
	struct reg *r = &u->reg;
	cJSON *e;

	if (r->state == REG_PENDING)
		return -EBUSY;
	if (!r->call_id[0]) {
		rand_token(r->call_id, 24);
		rand_token(r->tag, 10);
		r->cseq = 1 + rand_below(1000);
	}
	r->was_done = r->state == REG_DONE;
	r->state = REG_PENDING;
	r->removing = remove;
	r->challenges = r->resyncs = r->invalid = 0;
	r->expires_s = u->o.expires_s;
	r->begun_ms = loop_now_ms(u->loop);
	timer_stop(&r->refresh);
	e = event_new("registering");
	event_num(e, "cseq", r->cseq + 1);
	event_flag(e, "refresh", r->was_done && !remove);
	event_put(u, e, false);
	if (send_register(u) < 0)
		failed(u, 503, STR("no room for a request"), NULL);
	return 0;
}

/* TS 24.229 §5.1.1.7, RFC 3680 §5.2: "deactivated": anew at once; "probation": after a while; else it is over. */
void register_ended(struct ue *u, enum reginfo_event event, uint32_t retry_after_s)
{
	struct reg *r = &u->reg;
	cJSON *e;

	if (r->state != REG_DONE)
		return;
	r->state = REG_NONE;
	binding_forget(u);
	digest_forget(r);
	e = event_new("registration-ended");
	event_str(e, "why", str_from_c(reginfo_event_name(event)));
	event_put(u, e, false);
	if (event == REGINFO_DEACTIVATED || event == REGINFO_PROBATION)
		timer_start(loop_wheel(u->loop), &r->refresh, event == REGINFO_PROBATION ? 1000ull * retry_after_s : 0);
}

/* TS 24.229 §5.1.1.5.2: the network wants to authenticate us; half way is soon enough. */
void register_shortened(struct ue *u, uint32_t expires_s)
{
	cJSON *e;

	if (u->reg.state != REG_DONE)
		return;
	timer_start(loop_wheel(u->loop), &u->reg.refresh, 500ull * expires_s);
	e = event_new("registration-shortened");
	event_num(e, "expires", expires_s);
	event_put(u, e, false);
}

void register_timer(struct timer *t)
{
	(void)register_start(container_of(t, struct ue, reg.refresh), false);
}

void register_close(struct ue *u)
{
	binding_forget(u);
	digest_forget(&u->reg);
}
