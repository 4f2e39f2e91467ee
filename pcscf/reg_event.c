/* pcscf/reg_event.c - see reg_event.h.  RFC 6665 §4.1; TS 24.229 §5.2.3, §5.2.5; rows P7, P8; reliability REG-01. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/dialog/dialog.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/proxy/uac.h"
#include "common/sip/charging.h"
#include "common/sip/body.h"
#include "common/sip/reginfo.h"
#include "common/store/dialog_fields.h"
#include "common/util/clock.h"
#include "common/util/rand.h"
#include "pcscf/reg_event.h"

static METRIC_DEF(m_subscribes, "cscf_pcscf_reg_subscribes_total", METRIC_COUNTER, "Our SUBSCRIBEs for registration state by outcome.",
		  "outcome", NULL);
static METRIC_DEF(m_notifies, "cscf_pcscf_reg_notifies_total", METRIC_COUNTER, "NOTIFYs of registration state by what came of them.",
		  "outcome", NULL);

struct watch {
	struct hnode by_impi, by_call_id;
	struct reg_events *es;
	char call_id[STACK_CALL_ID_STRLEN], tag[17];
	struct sip_msg *request;		/* the first SUBSCRIBE, which the dialog is made of */
	struct dialog *d;			/* once it was accepted */
	struct uac *uac;
	struct timer timer;			/* refresh, next try, or the end of lingering */
	uint32_t retry_s;
	bool has_version, lingers;
	bool absent;				/* we were told that the user is not registered, once */
	uint32_t version;			/* of the last document */
	char *identity;				/* whose state: a SIP identity of the user's */
	size_t l;
	char impi[];
};
struct reg_events {
	struct pcscf_worker *pw;
	struct htab by_impi, by_call_id;
	bool stopping;				/* what is kept stays for the next process */
};

/* ---- over a restart ---- */

struct kept {
	struct str identity, call_id, tag, dialog;
	uint32_t version;
	uint8_t has_version;
	uint64_t again_ms;			/* store time of the next SUBSCRIBE */
};
static const struct field kept_fields[] = {
	FIELD(1, FIELD_STR, struct kept, identity),
	FIELD(2, FIELD_STR, struct kept, call_id),
	FIELD(3, FIELD_STR, struct kept, tag),
	FIELD(4, FIELD_STR, struct kept, dialog),
	FIELD(5, FIELD_U32, struct kept, version),
	FIELD(6, FIELD_U8, struct kept, has_version),
	FIELD(7, FIELD_U64, struct kept, again_ms),
	{ 0 },
};

static void keep(const struct watch *x)
{
	struct worker *w = x->es->pw->w;
	struct kept k = { .identity = str_from_c(x->identity), .call_id = str_from_c(x->call_id), .tag = str_from_c(x->tag),
			  .version = x->version, .has_version = x->has_version };
	struct buf dialog, b;

	if (!w->store || !x->d || x->lingers)
		return;
	k.again_ms = store_now_ms(store_of(w->store)) + (x->timer.at_ms > w->wheel->now_ms ? x->timer.at_ms - w->wheel->now_ms : 0);
	buf_init(&dialog, SIP_MSG_MAX_BYTES * 2);
	buf_init(&b, SIP_MSG_MAX_BYTES * 3);
	dialog_fields_write(x->d, &dialog);
	k.dialog = buf_str(&dialog);
	fields_write(kept_fields, &k, &b);
	if (dialog.failed || b.failed || store_put(w->store, STORE_WATCH, str_make(x->impi, x->l), buf_str(&b), 0) < 0)
		log_warn(LOG_REG, "a subscription of ours could not be kept", LOG_S("impi", str_make(x->impi, x->l)));
	buf_fini(&dialog);
	buf_fini(&b);
}

static void forget(const struct watch *x)
{
	if (!x->es->stopping)
		store_del(x->es->pw->w->store, STORE_WATCH, str_make(x->impi, x->l));
}

/* ---- the tables ---- */

static bool is_impi(const struct hnode *n, const void *key)
{
	const struct watch *x = container_of(n, struct watch, by_impi);

	return str_eq(str_make(x->impi, x->l), *(const struct str *)key);
}

static bool is_call_id(const struct hnode *n, const void *key)
{
	return str_eq_c(*(const struct str *)key, container_of(n, struct watch, by_call_id)->call_id);
}

static struct watch *find(const struct reg_events *es, struct str impi)
{
	struct hnode *n = htab_find(&es->by_impi, hash_str(impi), is_impi, &impi);

	return n ? container_of(n, struct watch, by_impi) : NULL;
}

static void dialog_drop(struct watch *x)
{
	uac_forget(x->uac);
	if (x->d)
		forget(x);
	dialog_free(x->d);
	sip_msg_unref(x->request);
	x->uac = NULL;
	x->d = NULL;
	x->request = NULL;
	x->has_version = false;
}

static void watch_free(struct watch *x)
{
	timer_stop(&x->timer);
	dialog_drop(x);
	htab_del(&x->es->by_impi, &x->by_impi);
	htab_del(&x->es->by_call_id, &x->by_call_id);
	free(x->identity);
	free(x);
}

/* ---- what becomes of the bindings ---- */

struct judge {
	const struct reginfo *doc;		/* NULL: no contact of the user is registered */
	const struct watch *x;
	struct bindings *bs;
	struct str key[BINDING_MAX_PER_IMPI];	/* what is to be done, after the walk */
	uint32_t left_s[BINDING_MAX_PER_IMPI];
	const char *why[BINDING_MAX_PER_IMPI];
	unsigned n;
	struct arena *a;
};

static bool is_contact(const struct reginfo_contact *c, const struct sip_uri *contact)
{
	struct sip_uri u;

	return sip_uri_parse(c->uri, &u, NULL) == 0 && sip_uri_equal(&u, contact);
}

static bool is_watched_identity(const struct reginfo_registration *r, const char *identity)
{
	char text[512];
	struct sip_uri u;
	struct str aor;

	return sip_uri_parse(r->aor, &u, NULL) == 0 && sip_uri_aor(&u, text, sizeof(text), &aor) == 0 && str_eq_c(aor, identity);
}

/* No contact of the user is registered at all: a full document lists every one that is (RFC 3680 §5.1). */
static bool is_empty(const struct reginfo *doc, const char *identity)
{
	bool listed = false;

	if (!doc)
		return true;
	for (const struct reginfo_registration *r = doc->registrations; r; r = r->next) {
		listed = listed || is_watched_identity(r, identity);
		for (const struct reginfo_contact *c = r->contacts; c; c = c->next)
			if (c->active)
				return false;
	}
	return doc->full && listed;
}

/* What the document says of one of our bindings.  It lives while an identity has it active; in a partial document only the
 * identity we watch speaks for all, for others may have left the set (§5.2.3). */
static bool judge_binding(void *arg, const struct binding *b)
{
	struct judge *j = arg;
	const struct reginfo_contact *ended = NULL, *active = NULL;
	struct sip_uri contact;
	uint64_t now_us = clock_wall_us();
	uint32_t left_s = b->expires_wall_us > now_us ? (uint32_t)((b->expires_wall_us - now_us) / 1000000) : 0;

	if (!str_eq(b->impi, str_make(j->x->impi, j->x->l)) || sip_uri_parse(b->contact, &contact, NULL) < 0)
		return true;
	if (binding_is_emergency(b))		/* never watched (§5.2.3): it lives as long as it was granted */
		return true;
	for (const struct reginfo_registration *r = j->doc ? j->doc->registrations : NULL; r; r = r->next) {
		if (!j->doc->full && !is_watched_identity(r, j->x->identity))
			continue;
		for (const struct reginfo_contact *c = r->contacts; c; c = c->next) {
			if (!is_contact(c, &contact))
				continue;
			if (c->active)
				active = c;
			else
				ended = c;
		}
	}
	if (j->n == BINDING_MAX_PER_IMPI)
		return false;
	if ((ended && !active) || is_empty(j->doc, j->x->identity)) {
		j->why[j->n] = ended ? reginfo_event_name(ended->event) : "absent";
		j->left_s[j->n] = REG_EVENT_GRACE_S;
	} else if (active && active->event == REGINFO_SHORTENED && active->has_expires && active->expires_s < left_s) {
		j->why[j->n] = "shortened";
		j->left_s[j->n] = active->expires_s;
	} else {
		return true;
	}
	if (j->left_s[j->n] < left_s)
		j->key[j->n++] = arena_dup(j->a, b->key);
	return true;
}

struct known {
	struct binding *b[BINDING_MAX_PER_IMPI];
	unsigned n;
};

static bool note_binding(void *arg, const struct binding *b)
{
	struct known *k = arg;

	if (!binding_is_emergency(b))
		k->b[k->n++] = obj_ref((struct binding *)(uintptr_t)b);
	return k->n < BINDING_MAX_PER_IMPI;
}

static void take_identities(struct watch *x, const struct reginfo *doc)
{
	struct known k = { .n = 0 };
	unsigned n;

	bindings_each_of_impi(x->es->pw->bindings, str_make(x->impi, x->l), note_binding, &k);
	for (unsigned i = 0; i < k.n; i++) {
		n = reg_identities_apply(x->es->pw->bindings, k.b[i], doc);
		if (n) {
			log_info(LOG_REG, "the home network gives or takes identities", LOG_S("impi", str_make(x->impi, x->l)), LOG_U("identities", n));
			metric_add(&m_notifies, "identities", NULL, 1);
		}
		obj_unref(k.b[i]);
	}
}

/* doc may be NULL, as in struct judge. */
static void act(struct watch *x, const struct reginfo *doc, struct arena *a)
{
	struct judge j = { .doc = doc, .x = x, .bs = x->es->pw->bindings, .a = a };

	bindings_each_of_impi(j.bs, str_make(x->impi, x->l), judge_binding, &j);
	if (doc)
		take_identities(x, doc);
	for (unsigned i = 0; i < j.n; i++) {
		log_info(LOG_REG, "the home network ends or shortens a registration", LOG_S("impi", str_make(x->impi, x->l)),
			 LOG_C("event", j.why[i]), LOG_U("left_s", j.left_s[i]));
		metric_add(&m_notifies, j.why[i], NULL, 1);
		if (j.key[i].p)
			bindings_shorten(j.bs, j.key[i], j.left_s[i]);
	}
}

/* ---- SUBSCRIBE ---- */

static void on_answer(void *arg, unsigned status, const struct sip_msg *m);

static void try_again(struct watch *x, uint32_t after_s)
{
	dialog_drop(x);
	x->retry_s = x->retry_s ? x->retry_s * 2 : REG_EVENT_RETRY_S;
	if (x->retry_s > REG_EVENT_RETRY_MAX_S)
		x->retry_s = REG_EVENT_RETRY_MAX_S;
	if (after_s < x->retry_s)
		after_s = x->retry_s;
	timer_start(x->es->pw->w->wheel, &x->timer, (uint64_t)(after_s + rand_below(after_s / 4 + 1)) * 1000);
}

static void put_headers(const struct watch *x, struct buf *b)
{
	struct str name = x->es->pw->p->cfg.path_host;

	struct arena *a = arena_new(CHARGING_BYTES);
	struct str icid, vector = a ? pcscf_charging_value(x->es->pw, a, &icid) : STR_NONE;

	buf_printf(b, "Contact: <sip:%.*s>\r\nP-Asserted-Identity: <sip:%.*s>\r\nEvent: reg\r\nAccept: " REGINFO_TYPE "\r\n"
		      "Expires: %u\r\n", STR_ARG(name), STR_ARG(name), REG_EVENT_EXPIRES_S);
	if (vector.l)
		buf_printf(b, "P-Charging-Vector: %.*s\r\n", STR_ARG(vector));
	arena_unref(a);
}

/* §5.2.3: to the user's identity, by the home network's I-CSCF; From is the P-CSCF. */
static struct bytes *first_request(struct watch *x)
{
	const struct pcscf_config *c = &x->es->pw->p->cfg;
	struct buf b;

	/* A new dialog gets names of its own: what comes late for the one before is not taken for it. */
	htab_del(&x->es->by_call_id, &x->by_call_id);
	stack_call_id(x->es->pw->w, x->call_id);
	htab_add(&x->es->by_call_id, &x->by_call_id, hash_str(str_from_c(x->call_id)));
	rand_token(x->tag, sizeof(x->tag) - 1);
	buf_init(&b, 8192);
	buf_printf(&b, "SUBSCRIBE %s SIP/2.0\r\n", x->identity);
	if (c->icscf.l)
		buf_printf(&b, "Route: %.*s\r\n", STR_ARG(c->icscf));
	buf_printf(&b, "Max-Forwards: 70\r\nFrom: <sip:%.*s>;tag=%s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: %u SUBSCRIBE\r\n",
		   STR_ARG(c->path_host), x->tag, x->identity, x->call_id, 1 + rand_below(1000));
	put_headers(x, &b);
	buf_puts(&b, "Content-Length: 0\r\n\r\n");
	return buf_take(&b);
}

/* The dialog is made of the request as it was sent; a Via of ours is all that it lacks to be parsed. */
static int keep_request(struct watch *x, struct str text)
{
	ssize_t line = str_find(text, STR("\r\n"));
	struct sip_parse_error err;
	struct buf b;
	int rc;

	buf_init(&b, 8192);
	buf_put(&b, str_head(text, (size_t)line + 2));
	buf_puts(&b, "Via: SIP/2.0/UDP 0.0.0.0;branch=z9hG4bK\r\n");
	buf_put(&b, str_from(text, (size_t)line + 2));
	rc = b.failed ? -ENOMEM : sip_msg_parse_copy(buf_str(&b), NULL, &x->request, &err);
	buf_fini(&b);
	return rc;
}

static void subscribe(struct watch *x)
{
	struct bytes *wire = NULL;
	struct buf h;

	if (x->d) {
		buf_init(&h, 4096);
		put_headers(x, &h);
		wire = h.failed ? NULL : dialog_request_make(x->d, STR("SUBSCRIBE"), 0, STR_NONE, buf_str(&h), STR_NONE, STR_NONE);
		buf_fini(&h);
	} else {
		wire = first_request(x);
		if (wire && keep_request(x, bytes_str(wire)) < 0) {
			bytes_unref(wire);
			wire = NULL;
		}
	}
	x->uac = wire ? uac_send(x->es->pw->w->proxy, bytes_str(wire), TX_CORE, 0, on_answer, x) : NULL;
	bytes_unref(wire);
	if (!x->uac)
		try_again(x, 0);
}

static void accepted(struct watch *x, const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_RECORD_ROUTE);
	uint32_t expires_s = REG_EVENT_EXPIRES_S;
	struct str v;

	(void)sip_msg_u32(m, SIP_H_EXPIRES, &expires_s);
	while (sip_values_next(&it, &v))
		pcscf_learn_hop(x->es->pw->p, v);
	if (x->d)
		dialog_response_in(x->d, m);
	else if (dialog_new_uac(x->request, m, &x->d) < 0)
		x->d = NULL;
	sip_msg_unref(x->request);
	x->request = NULL;
	if (!x->d || !expires_s) {
		log_warn(LOG_REG, "the answer to our subscription makes none", LOG_S("impi", str_make(x->impi, x->l)));
		try_again(x, 0);
		return;
	}
	x->retry_s = 0;
	x->absent = false;
	/* As a registration: 600 s ahead, or half way (TS 24.229 §5.2.3). */
	if (!x->lingers)
		timer_start(x->es->pw->w->wheel, &x->timer,
			    1000ull * (expires_s > 1200 ? expires_s - 600 : expires_s / 2 ? expires_s / 2 : 1));
	keep(x);
}

/* 480: the home network knows of no registration (TS 24.229 §5.3.2.1).  It may have ended before we asked: then no NOTIFY will
 * ever say so, and the bindings would stay until they expire.  Asked once more, in case that the answer crossed a REGISTER. */
static void not_registered(struct watch *x)
{
	struct arena *a;

	dialog_drop(x);
	x->absent = !x->absent;
	if (x->absent) {
		timer_start(x->es->pw->w->wheel, &x->timer, REG_EVENT_GRACE_S * 1000ull);
		return;
	}
	a = arena_new(1024);
	if (a)
		act(x, NULL, a);
	arena_unref(a);
}

static void on_answer(void *arg, unsigned status, const struct sip_msg *m)
{
	struct watch *x = arg;
	uint32_t after_s = 0;

	x->uac = NULL;
	metric_add(&m_subscribes, status < 300 ? "accepted" : m ? "refused" : "unanswered", NULL, 1);
	if (status < 300) {
		accepted(x, m);
		return;
	}
	if (x->lingers) {			/* the phone has left meanwhile: nobody will send a NOTIFY */
		if (!x->d)
			watch_free(x);
		return;
	}
	log_info(LOG_REG, "the registration cannot be watched", LOG_S("impi", str_make(x->impi, x->l)), LOG_U("status", status));
	if (m && status == 480 && !x->d) {
		not_registered(x);
	} else if (x->d && status == 481) {		/* the notifier has forgotten us: anew (RFC 6665 §4.1.2.2) */
		dialog_drop(x);
		subscribe(x);
	} else if (m && status < 500 && status != 408 && status != 480 && status != 423) {
		dialog_drop(x);			/* it will not be served: until the phone registers again */
	} else {
		if (m)
			(void)sip_msg_u32(m, SIP_H_RETRY_AFTER, &after_s);
		try_again(x, after_s > REG_EVENT_RETRY_MAX_S ? REG_EVENT_RETRY_MAX_S : after_s);
	}
}

static void on_timer(struct timer *t)
{
	struct watch *x = container_of(t, struct watch, timer);

	if (x->lingers || bindings_of_impi(x->es->pw->bindings, str_make(x->impi, x->l)) == 0)
		watch_free(x);
	else if (!x->uac)
		subscribe(x);
}

/* ---- bindings come and go ---- */

/* The default identity; a tel one leads to no domain, so the first that has one. */
static struct str identity_of(const struct binding *b)
{
	for (unsigned i = 0; i < b->n_identities; i++)
		if (str_istarts(b->identity[i].aor, STR("sip:")))
			return b->identity[i].aor;
	return STR_NONE;
}

static struct watch *watch_new(struct reg_events *es, struct str impi, struct str identity)
{
	struct watch *x = calloc(1, sizeof(*x) + impi.l);

	if (!x || !(x->identity = str_dup(identity))) {
		free(x);
		log_error(LOG_REG, "out of memory: a registration is not watched", LOG_S("impi", impi));
		return NULL;
	}
	x->es = es;
	x->l = impi.l;
	memcpy(x->impi, impi.p, impi.l);
	timer_init(&x->timer, on_timer);
	stack_call_id(es->pw->w, x->call_id);
	htab_add(&es->by_impi, &x->by_impi, hash_str(impi));
	htab_add(&es->by_call_id, &x->by_call_id, hash_str(str_from_c(x->call_id)));
	return x;
}

void reg_event_registered(struct reg_events *es, const struct binding *b)
{
	struct str identity = identity_of(b);
	struct watch *x;

	if (!es || !es->pw->p->cfg.reg_event || !identity.l || binding_is_emergency(b))	/* TS 24.229 §5.2.3 */
		return;
	x = find(es, b->impi);
	if (x) {
		bool idle = !x->d && !x->uac;

		x->absent = false;
		if (x->lingers || idle) {
			x->lingers = false;
			timer_stop(&x->timer);
			dialog_drop(x);
			subscribe(x);
		}
		return;
	}
	x = watch_new(es, b->impi, identity);
	if (x)
		subscribe(x);
}

void reg_event_restore(struct reg_events *es, const struct store_record *rec, uint64_t now_ms)
{
	struct kept k = { .version = 0 };
	struct dialog *d = NULL;
	struct watch *x = NULL;
	int rc = es && es->pw->p->cfg.reg_event ? fields_read(kept_fields, rec->value, &k, NULL, NULL) : -ENOENT;

	if (rc == 0)
		rc = dialog_fields_read(k.dialog, &d);
	/* NOTIFYs come to the worker of the Call-ID: with another number of workers that may be somebody else.  Then anew. */
	if (rc == 0 && stack_worker_of_call(es->pw->p->stack, k.call_id) == es->pw->w)
		x = watch_new(es, rec->key, k.identity);
	if (!x) {
		dialog_free(d);
		if (es)
			store_del(es->pw->w->store, STORE_WATCH, rec->key);
		return;
	}
	htab_del(&es->by_call_id, &x->by_call_id);
	str_copy(k.call_id, x->call_id, sizeof(x->call_id));
	str_copy(k.tag, x->tag, sizeof(x->tag));
	htab_add(&es->by_call_id, &x->by_call_id, hash_str(str_from_c(x->call_id)));
	x->d = d;
	x->version = k.version;
	x->has_version = k.has_version;
	timer_start(es->pw->w->wheel, &x->timer, k.again_ms > now_ms ? k.again_ms - now_ms : rand_below(REG_EVENT_RESTORE_S * 1000));
}

void reg_event_restored(struct reg_events *es, const struct binding *b)
{
	struct str identity = identity_of(b);
	struct watch *x;

	if (!es || !es->pw->p->cfg.reg_event || !identity.l || binding_is_emergency(b) || find(es, b->impi))
		return;
	x = watch_new(es, b->impi, identity);
	if (x)
		timer_start(es->pw->w->wheel, &x->timer, rand_below(REG_EVENT_RESTORE_S * 1000));
}

void reg_event_left(struct reg_events *es, struct str impi)
{
	struct watch *x = es ? find(es, impi) : NULL;

	if (!x || x->lingers)
		return;
	if (!x->d && !x->uac) {
		watch_free(x);
		return;
	}
	x->lingers = true;		/* the notifier ends it; if not, its next NOTIFY hears 481 */
	timer_start(es->pw->w->wheel, &x->timer, es->pw->p->cfg.reg_event_linger_ms);
}

unsigned reg_events_count(const struct reg_events *es)
{
	return es ? (unsigned)es->by_impi.n : 0;
}

/* ---- NOTIFY ---- */

static void read_document(struct watch *x, struct sip_msg *m)
{
	struct body_part part;
	struct arena *a;
	struct reginfo doc;
	int rc;

	if (!body_find(m, REGINFO_TYPE, &part) || part.text.l == 0)
		return;
	a = arena_new(4096);
	if (!a)
		return;
	rc = reginfo_read(part.text, a, &doc);
	if (rc < 0) {
		log_warn(LOG_REG, "a registration document cannot be read", LOG_S("impi", str_make(x->impi, x->l)), LOG_I("errno", -rc));
		metric_add(&m_notifies, "malformed", NULL, 1);
	} else if (!x->has_version || doc.version > x->version) {	/* RFC 3680 §5.1: an older one says nothing new */
		x->has_version = true;
		x->version = doc.version;
		metric_add(&m_notifies, "taken", NULL, 1);
		keep(x);
		act(x, &doc, a);
	}
	arena_unref(a);
}

static struct watch *watch_of(struct reg_events *es, const struct sip_msg *m)
{
	struct hnode *n = es ? htab_find(&es->by_call_id, hash_str(m->call_id), is_call_id, &m->call_id) : NULL;
	struct watch *x = n ? container_of(n, struct watch, by_call_id) : NULL;

	if (!x || !str_eq_c(m->to_tag, x->tag) || (!x->d && !x->uac))
		return NULL;
	return x->d && !dialog_matches(x->d, m) ? NULL : x;
}

/* A phone knows neither our Call-ID nor the tag; one that guessed them still has a registered flow. */
static bool from_phone(struct pcscf_req *r)
{
	struct binding *b = phone_by_flow(r->pw->p->phones, &r->m->flow);

	obj_unref(b);
	return b != NULL;
}

void reg_event_notify(struct pcscf_req *r)
{
	struct watch *x = watch_of(r->pw->reg_events, r->m);
	struct str state, params;

	if (!x || from_phone(r)) {
		metric_add(&m_notifies, "refused", NULL, 1);
		pcscf_refuse(r, x ? 403 : 481, x ? "a phone does not notify us" : "no such subscription", STR_NONE);
		return;
	}
	if (x->d && dialog_request_in(x->d, r->m) == -EPROTO) {
		pcscf_refuse(r, 500, "an older request of the same dialog", STR_NONE);
		return;
	}
	tx_server_reply(r->st, 200, NULL, STR_NONE);
	read_document(x, r->m);
	str_cut(sip_msg_value(r->m, SIP_H_SUBSCRIPTION_STATE), ';', &state, &params);
	if (!str_ieq_c(str_trim(state), "terminated"))
		return;
	/* Also the phone's next REGISTER begins anew: reg_event_registered(). */
	timer_stop(&x->timer);
	dialog_drop(x);
	if (x->lingers)
		watch_free(x);
}

/* ---- the worker's ---- */

struct reg_events *reg_events_new(struct pcscf_worker *pw)
{
	struct reg_events *es = calloc(1, sizeof(*es));

	if (!es)
		return NULL;
	es->pw = pw;
	if (htab_init(&es->by_impi, 64) < 0 || htab_init(&es->by_call_id, 64) < 0) {
		htab_fini(&es->by_impi);
		free(es);
		return NULL;
	}
	metrics_register(&m_subscribes);
	metrics_register(&m_notifies);
	return es;
}

static void free_one(struct hnode *n, void *arg)
{
	(void)arg;
	watch_free(container_of(n, struct watch, by_impi));
}

void reg_events_free(struct reg_events *es)
{
	if (!es)
		return;
	es->stopping = true;
	htab_each(&es->by_impi, free_one, NULL);
	htab_fini(&es->by_impi);
	htab_fini(&es->by_call_id);
	free(es);
}

/* ---- for REST ---- */

struct listing {
	struct gather *g;
	uint64_t n, now_ms;
};

static void list_one(struct hnode *n, void *arg)
{
	const struct watch *x = container_of(n, struct watch, by_impi);
	struct listing *l = arg;
	char text[512];
	cJSON *o;

	if (++l->n <= l->g->after)
		return;
	if (l->g->limit == 0) {
		l->g->more = true;
		return;
	}
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "impu", x->identity ? x->identity : "");
	str_copy(str_make(x->impi, x->l), text, sizeof(text));
	cJSON_AddStringToObject(o, "impi", text);
	cJSON_AddStringToObject(o, "callId", x->call_id);
	cJSON_AddStringToObject(o, "state", x->lingers ? "terminated" : x->d ? "active" : "pending");
	cJSON_AddNumberToObject(o, "nextInS", (double)(timer_pending(&x->timer) && x->timer.at_ms > l->now_ms ? (x->timer.at_ms - l->now_ms) / 1000 : 0));
	if (x->has_version)
		cJSON_AddNumberToObject(o, "version", x->version);
	cJSON_AddItemToArray(l->g->items, o);
	l->g->last = l->n;
	l->g->limit--;
}

void reg_events_list(struct reg_events *es, struct gather *g)
{
	struct listing l = { g, 0, es->pw->w->wheel->now_ms };

	htab_each(&es->by_impi, list_one, &l);
}
