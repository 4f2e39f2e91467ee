/* scscf/binding.c - contacts: what a REGISTER asks for, and the bindings that come of it.  RFC 3261 §10.3, RFC 3327 (Path),
 * RFC 5626 §6 (instance and flow); TS 24.229 §5.4.1.2.2; rows S11, S12. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/util/clock.h"
#include "common/util/rand.h"
#include "scscf/gruu.h"
#include "scscf/keep.h"
#include "scscf/registration.h"

#define Q_DEFAULT 1000u

/* ---- what is asked for ---- */

/* "0.5" in thousandths; what is no q-value counts as the default. */
static uint16_t read_q(struct str s)
{
	uint32_t n = 0, unit = 1000;

	if (s.l == 0 || s.l > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.l > 1 && s.p[1] != '.'))
		return Q_DEFAULT;
	n = (uint32_t)(s.p[0] - '0') * 1000;
	for (size_t i = 2; i < s.l; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return Q_DEFAULT;
		unit /= 10;
		n += (uint32_t)(s.p[i] - '0') * unit;
	}
	return n > 1000 ? 1000 : (uint16_t)n;
}

/* A value that is no number counts as not given (RFC 3261 §20.19); one that is too large as the largest. */
static bool read_seconds(struct str s, uint32_t *ret)
{
	int rc = str_to_u32(s, ret);

	if (rc == -ERANGE)
		*ret = UINT32_MAX;
	return rc != -EBADMSG;
}

/* Header parameters as they are kept: all but expires and q, which are ours to say. */
static struct str kept_params(struct arena *a, struct str params)
{
	char *to = arena_alloc(a, params.l + 1), *at = to;
	struct str rest = params, name, value;

	if (!to)
		return STR_NONE;
	while (sip_param_next(&rest, &name, &value)) {
		if (str_ieq(name, STR("expires")) || str_ieq(name, STR("q")) ||
		    str_ieq(name, STR("pub-gruu")) || str_ieq(name, STR("temp-gruu")))	/* ours to say: RFC 5627 §5.1 */
			continue;
		if (at != to)
			*at++ = ';';
		memcpy(at, name.p, name.l);
		at += name.l;
		if (value.l) {
			*at++ = '=';
			memcpy(at, value.p, value.l);
			at += value.l;
		}
	}
	return str_make(to, (size_t)(at - to));
}

static int read_contact(struct arena *a, struct str value, uint32_t header_s, const struct reg_config *c,
			struct binding_change *ret, bool *ret_star)
{
	struct sip_nameaddr na;
	struct str v;
	uint32_t n;

	if (sip_nameaddr_parse(value, &na) < 0)
		return -EBADMSG;
	*ret_star = na.star;
	if (na.star)
		return 0;
	if (na.uri.scheme == SIP_SCHEME_OTHER || na.uri.scheme == SIP_SCHEME_TEL)
		return -EBADMSG;		/* nothing we could send a request to */
	*ret = (struct binding_change){ .uri = na.uri.text, .display = sip_unquote(na.display), .parsed = na.uri, .q = Q_DEFAULT, .expires_s = header_s };
	if (sip_nameaddr_param(&na, "expires", &v) && read_seconds(v, &n))
		ret->expires_s = n;
	if (sip_nameaddr_param(&na, "q", &v))
		ret->q = read_q(v);
	if (sip_nameaddr_param(&na, "+sip.instance", &v))
		ret->instance = sip_unquote(v);
	if (sip_nameaddr_param(&na, "reg-id", &v) && str_to_u32(v, &n) == 0)
		ret->reg_id = n;
	ret->params = kept_params(a, na.params);
	if (!ret->params.p)
		return -ENOMEM;
	if (ret->expires_s > c->max_expires_s)
		ret->expires_s = c->max_expires_s;
	return 0;
}

static bool supports(const struct sip_msg *m, const char *option)
{
	static const enum sip_hdr_id ids[] = { SIP_H_SUPPORTED, SIP_H_REQUIRE };
	struct str v;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct sip_values it = sip_values(m, ids[i]);

		while (sip_values_next(&it, &v))
			if (str_ieq_c(v, option))
				return true;
	}
	return false;
}

static int read_path(struct sip_msg *m, struct binding_plan *p, const char **reterr)
{
	struct sip_values v = sip_values(m, SIP_H_PATH);
	struct sip_nameaddr na;
	struct str one;

	while (sip_values_next(&v, &one)) {
		if (p->n_path == REG_MAX_PATH) {
			*reterr = "Too many Path values";
			return -EBADMSG;
		}
		if (sip_nameaddr_parse(one, &na) < 0 || na.star || na.uri.scheme == SIP_SCHEME_OTHER ||
		    na.uri.scheme == SIP_SCHEME_TEL) {
			*reterr = "Path is not understood";
			return -EBADMSG;
		}
		p->path[p->n_path++] = na.bracketed ? one : arena_printf(m->arena, "<%.*s>", STR_ARG(one));
	}
	return 0;
}

/* RFC 5626 §6: who asks for flows gets them where the first hop keeps them, which says so by "ob" in its Path. */
static int read_outbound(const struct sip_msg *m, const struct reg_config *c, struct binding_plan *p, const char **reterr)
{
	bool asked = false, kept = sip_values_count(m, SIP_H_VIA) == 1;
	struct sip_nameaddr na;
	struct str v;

	for (unsigned i = 0; i < p->n; i++)
		asked = asked || (p->change[i].instance.l && p->change[i].reg_id && p->change[i].expires_s);
	if (!asked || !supports(m, "outbound"))
		return 0;
	for (unsigned i = 0; i < p->n_path; i++)
		kept = kept || (sip_nameaddr_parse(p->path[i], &na) == 0 && sip_uri_param(&na.uri, "ob", &v));
	p->outbound = kept;
	if (kept)
		return 0;
	if (c->outbound_required && !p->emergency) {
		*reterr = "the first hop keeps no flow";
		return -ENOTSUP;
	}
	for (unsigned i = 0; i < p->n; i++)
		p->change[i].reg_id = 0;
	return 0;
}

/* TS 24.229 §5.1.6.2, §5.4.8.2: "sos" in the Contact says what the registration is for. */
static void for_emergencies(struct binding_plan *p, const struct reg_config *c)
{
	struct str v;

	for (unsigned i = 0; i < p->n; i++)
		p->emergency = p->emergency || sip_uri_param(&p->change[i].parsed, "sos", &v);
	for (unsigned i = 0; i < p->n && p->emergency; i++)
		if (p->change[i].expires_s > c->emergency_max_expires_s)
			p->change[i].expires_s = c->emergency_max_expires_s;
}

/* Row S21: those who came at once, after an outage, do not come back at once.  A phone gets at most what it asked for. */
static void spread(struct binding_plan *p, const struct reg_config *c)
{
	for (unsigned i = 0; i < p->n && !p->emergency; i++) {
		uint32_t *s = &p->change[i].expires_s, most = (uint32_t)((uint64_t)*s * c->expires_spread_percent / 100);

		if (*s <= c->min_expires_s || most == 0)
			continue;
		if (most > *s - c->min_expires_s)
			most = *s - c->min_expires_s;
		*s -= rand_below(most + 1);
	}
}

int binding_plan_make(struct sip_msg *m, const struct reg_config *c, struct binding_plan *ret, const char **reterr)
{
	unsigned n = sip_values_count(m, SIP_H_CONTACT);
	uint32_t header_s = c->default_expires_s, text_s;
	struct sip_values v = sip_values(m, SIP_H_CONTACT);
	bool star, stars = false;
	struct str one;
	int rc;

	*ret = (struct binding_plan){ .kind = n ? BIND_UPDATE : BIND_FETCH, .gruu = c->gruu && supports(m, "gruu") };
	if (sip_msg_hdr(m, SIP_H_EXPIRES) && read_seconds(sip_msg_value(m, SIP_H_EXPIRES), &text_s))
		header_s = text_s;
	if (n > REG_MAX_CONTACTS) {
		*reterr = "Too many contacts";
		return -EBADMSG;
	}
	rc = read_path(m, ret, reterr);
	if (rc < 0)
		return rc;
	ret->change = arena_zalloc(m->arena, (n + 1) * sizeof(*ret->change));
	if (!ret->change)
		return -ENOMEM;
	while (sip_values_next(&v, &one)) {
		rc = read_contact(m->arena, one, header_s, c, &ret->change[ret->n], &star);
		*reterr = "Contact is not understood";
		if (rc < 0)
			return rc;
		stars = stars || star;
		if (!star)
			ret->n++;
	}
	for_emergencies(ret, c);
	spread(ret, c);
	if (!stars)
		return read_outbound(m, c, ret, reterr);
	/* RFC 3261 §10.3 step 6: "*" stands alone, with Expires: 0. */
	if (n != 1 || !sip_msg_hdr(m, SIP_H_EXPIRES) || header_s != 0) {
		*reterr = "Contact * needs Expires: 0 and no other contact";
		return -EBADMSG;
	}
	ret->kind = BIND_REMOVE_ALL;
	return 0;
}

bool binding_too_brief(const struct binding_plan *p, const struct reg_config *c)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->change[i].expires_s > 0 && p->change[i].expires_s < c->min_expires_s)
			return true;
	return false;
}

/* ---- what is there ---- */

bool binding_has_flow(const struct binding *b, struct str instance, uint32_t reg_id)
{
	return *b->instance && b->reg_id && instance.l && reg_id;
}

/* RFC 5626 §6: instance and flow alone say what is the same, also of two flows with one URI.  Without a flow the same instance is the same
 * phone at a new address; else URIs are compared (RFC 3261 §19.1.4).  An instance that comes without reg-id is the whole phone: it replaces
 * what it had, flow or not. */
bool binding_is_same(const struct binding *b, const struct binding_change *c)
{
	struct sip_uri u;

	if (binding_has_flow(b, c->instance, c->reg_id))
		return str_eq_c(c->instance, b->instance) && c->reg_id == b->reg_id;
	if (c->instance.l && str_eq_c(c->instance, b->instance) && (c->reg_id == b->reg_id || c->reg_id == 0))
		return true;
	return sip_uri_parse(str_from_c(b->uri), &u, NULL) == 0 && sip_uri_equal(&u, &c->parsed);
}

static struct binding *find(const struct registration *g, const struct binding_change *c)
{
	struct list *pos;

	list_for_each(pos, &g->bindings) {
		struct binding *b = list_entry(pos, struct binding, link);

		if (binding_is_same(b, c))
			return b;
	}
	return NULL;
}

static bool stale(const struct binding *b, const struct sip_msg *m)
{
	return str_eq_c(m->call_id, b->call_id) && m->cseq <= b->cseq;
}

/* RFC 3261 §10.3 steps 6 and 7: an older request of the same Call-ID changes nothing, as a whole. */
bool binding_out_of_order(const struct registration *g, const struct binding_plan *p, const struct sip_msg *m)
{
	struct list *pos;

	if (p->kind == BIND_REMOVE_ALL) {
		list_for_each(pos, &g->bindings)
			if (stale(list_entry(pos, struct binding, link), m))
				return true;
		return false;
	}
	for (unsigned i = 0; i < p->n; i++) {
		const struct binding *b = find(g, &p->change[i]);

		if (b && stale(b, m))
			return true;
	}
	return false;
}

bool binding_known(const struct registration *g, const struct binding_plan *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (!find(g, &p->change[i]))
			return false;
	return p->n > 0;
}

bool binding_leaves_some(const struct registration *g, const struct binding_plan *p)
{
	struct list *pos;

	if (p->kind == BIND_REMOVE_ALL)
		return false;
	for (unsigned i = 0; i < p->n; i++)
		if (p->change[i].expires_s > 0)
			return true;
	list_for_each(pos, &g->bindings) {
		bool goes = false;

		for (unsigned i = 0; i < p->n && !goes; i++)
			goes = binding_is_same(list_entry(pos, struct binding, link), &p->change[i]);
		if (!goes)
			return true;
	}
	return false;
}

/* ---- changes ---- */

static char *put(char **at, struct str s)
{
	char *to = *at;

	if (s.l)
		memcpy(to, s.p, s.l);
	to[s.l] = '\0';
	*at += s.l + 1;
	return to;
}

static void binding_free(struct obj *o)
{
	free(container_of(o, struct binding, o));
}

/* One block with all its texts. */
static struct binding *make(const struct registration *g, const struct binding_plan *p, const struct binding_change *c,
			    struct str call_id, uint32_t cseq)
{
	size_t size = sizeof(struct binding) + p->n_path * sizeof(char *), text;
	struct binding *b;
	char *at;

	text = c->uri.l + c->params.l + c->instance.l + c->display.l + call_id.l + 5;
	for (unsigned i = 0; i < p->n_path; i++)
		text += p->path[i].l + 1;
	b = malloc(size + text);
	if (!b)
		return NULL;
	*b = (struct binding){ .cseq = cseq, .reg_id = c->reg_id, .q = c->q, .n_path = p->n_path,
			       .expires_ms = registration_now_ms(g) + (uint64_t)c->expires_s * 1000 };
	obj_init(&b->o, binding_free);
	list_init(&b->link);
	b->path = (char **)(b + 1);
	at = (char *)b + size;
	b->uri = put(&at, c->uri);
	b->params = put(&at, c->params);
	b->instance = put(&at, c->instance);
	b->call_id = put(&at, call_id);
	(void)put(&at, c->display);
	b->gruu = p->gruu && c->instance.l;
	b->home = p->home;
	b->impu_hash = (uint32_t)hash_str(p->impu);
	for (unsigned i = 0; i < p->n_path; i++)
		b->path[i] = put(&at, p->path[i]);
	return b;
}

void binding_drop(struct registration *g, struct binding *b, enum reginfo_event event)
{
	list_del(&b->link);
	g->n_bindings--;
	b->event = (uint8_t)event;
	if (event == REGINFO_NONE)
		obj_unref(b);
	else
		list_add_tail(&g->r->ended, &b->link);
}

void binding_drop_all(struct registration *g, enum reginfo_event event)
{
	while (!list_empty(&g->bindings))
		binding_drop(g, list_entry(g->bindings.next, struct binding, link), event);
}

/* A phone that comes back with a new address and no instance leaves its old contact behind; with the table full the one
 * that was refreshed longest ago makes room. */
static void keep_limit(struct registration *g)
{
	while (g->n_bindings > registration_scscf(g)->reg->max_contacts) {
		struct binding *b = list_entry(g->bindings.next, struct binding, link);

		log_info(LOG_REG, "the oldest contact makes room", LOG_C("impi", g->impi), LOG_C("contact", b->uri),
			 LOG_U("max_contacts", registration_scscf(g)->reg->max_contacts));
		binding_drop(g, b, REGINFO_REJECTED);		/* "deactivated" would have the two phones drive each other out */
	}
}

/* The same address again, not the same phone at another one. */
static bool refreshes(const struct registration *g, const struct binding_change *c)
{
	const struct binding *b = find(g, c);

	return b && str_eq_c(c->uri, b->uri);
}

int binding_apply(struct registration *g, const struct binding_plan *p, const struct sip_msg *m)
{
	struct list fresh, *pos, *next;
	struct binding *b;
	bool only = true;

	if (p->kind == BIND_REMOVE_ALL) {
		binding_drop_all(g, REGINFO_UNREGISTERED);
		return 0;
	}
	list_init(&fresh);
	for (unsigned i = 0; i < p->n; i++) {		/* all or nothing: RFC 3261 §10.3 step 7 */
		if (p->change[i].expires_s == 0)
			continue;
		b = make(g, p, &p->change[i], m->call_id, m->cseq);
		if (!b) {
			list_for_each_safe(pos, next, &fresh)
				obj_unref(list_entry(pos, struct binding, link));
			return -ENOMEM;
		}
		b->event = refreshes(g, &p->change[i]) ? REGINFO_REFRESHED : REGINFO_REGISTERED;
		only = only && b->event == REGINFO_REFRESHED;
		list_add_tail(&fresh, &b->link);
	}
	for (unsigned i = 0; i < p->n; i++)
		while ((b = find(g, &p->change[i]))) {
			b->moved = p->change[i].expires_s > 0;
			binding_drop(g, b, p->change[i].expires_s && str_eq_c(p->change[i].uri, b->uri) ? REGINFO_NONE : REGINFO_UNREGISTERED);
		}
	list_for_each_safe(pos, next, &fresh) {
		list_del(pos);
		list_add_tail(&g->bindings, pos);
		g->n_bindings++;
	}
	keep_limit(g);
	g->r->only_refreshed = only && list_empty(&g->r->ended);
	return 0;
}

static bool same_path(const struct binding *b, const struct binding_plan *p)
{
	bool same = b->n_path == p->n_path;

	for (unsigned i = 0; i < p->n_path && same; i++)
		same = str_eq_c(p->path[i], b->path[i]);
	return same;
}

bool binding_unchanged(const struct registration *g, const struct binding_plan *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct binding *b = find(g, &p->change[i]);

		if (!b || p->change[i].expires_s == 0 || !str_eq_c(p->change[i].uri, b->uri) || !same_path(b, p))
			return false;
	}
	return true;
}

int binding_take_up(struct registration *g, struct str impu, const struct cx_restored *c, struct arena *a)
{
	const struct reg_config *cfg = registration_scscf(g)->reg;
	struct binding_plan p = { .kind = BIND_UPDATE, .impu = impu, .gruu = cfg->gruu };
	struct str rest = c->path, one;
	struct binding_change change;
	struct sip_nameaddr na;
	struct binding *b;
	bool star;
	int rc = read_contact(a, c->contact, cfg->default_expires_s, cfg, &change, &star);

	while (rc == 0 && sip_list_next(&rest, &one)) {
		if (p.n_path == REG_MAX_PATH || sip_nameaddr_parse(one, &na) < 0 || !na.bracketed)
			rc = -EBADMSG;
		else
			p.path[p.n_path++] = one;
	}
	if (rc < 0 || star || change.expires_s == 0 || g->n_bindings == cfg->max_contacts)
		return rc < 0 ? rc : -EBADMSG;
	b = make(g, &p, &change, c->call_id, c->cseq);
	if (!b)
		return -ENOMEM;
	b->event = REGINFO_REGISTERED;
	list_add_tail(&g->bindings, &b->link);
	g->n_bindings++;
	return 0;
}

unsigned binding_expire(struct registration *g, uint64_t now_ms)
{
	struct list *pos, *next;
	unsigned n = 0;

	list_for_each_safe(pos, next, &g->bindings) {
		struct binding *b = list_entry(pos, struct binding, link);

		if (b->expires_ms > now_ms)
			continue;
		log_info(LOG_REG, "contact expired", LOG_C("impi", g->impi), LOG_C("contact", b->uri));
		binding_drop(g, b, REGINFO_EXPIRED);
		n++;
	}
	return n;
}

uint64_t binding_next_ms(const struct registration *g)
{
	uint64_t first = UINT64_MAX;
	struct list *pos;

	list_for_each(pos, &g->bindings) {
		const struct binding *b = list_entry(pos, struct binding, link);

		if (b->expires_ms < first)
			first = b->expires_ms;
	}
	return first;
}

/* RFC 5627 §5.3, TS 24.229 §5.4.1.2.2F. */
static void write_gruus(const struct registration *g, const struct binding *b, const struct profile_identity *as, struct buf *out)
{
	struct stack *s = registration_scscf(g)->stack;

	buf_puts(out, ";pub-gruu=\"");
	gruu_public(out, stack_token_key(s), as->aor, str_from_c(b->instance));
	buf_puts(out, "\";temp-gruu=\"");
	gruu_temporary(out, stack_token_key(s), stack_sip_name(s), g->id, as->aor, str_from_c(b->instance), str_from_c(b->call_id), b->cseq);
	buf_puts(out, "\"");
}

void binding_write_contacts(const struct registration *g, const struct profile_identity *as, struct buf *out)
{
	uint64_t now = registration_now_ms(g);
	struct list *pos;

	list_for_each(pos, &g->bindings) {
		const struct binding *b = list_entry(pos, struct binding, link);

		buf_printf(out, "Contact: <%s>", b->uri);
		if (*b->params)
			buf_printf(out, ";%s", b->params);
		if (b->q < Q_DEFAULT)
			buf_printf(out, ";q=0.%03u", b->q);
		if (b->gruu && as)
			write_gruus(g, b, as, out);
		buf_printf(out, ";expires=%llu\r\n", b->expires_ms > now ? (unsigned long long)(b->expires_ms - now + 999) / 1000 : 0ull);
	}
}

/* ---- kept ---- */

int binding_restore(struct registration *g, const struct keep_contact *c, uint64_t expires_ms)
{
	struct binding_change change = { .uri = c->uri, .params = c->params, .instance = c->instance, .display = c->display,
					 .reg_id = c->reg_id, .q = c->q };
	struct binding_plan p = { .impu = c->impu, .n_path = c->n_path, .gruu = c->gruu, .home = !c->abroad };
	struct binding *b;

	for (unsigned i = 0; i < c->n_path; i++)
		p.path[i] = c->path[i];
	b = make(g, &p, &change, c->call_id, c->cseq);
	if (!b)
		return -ENOMEM;
	b->event = c->event;
	b->expires_ms = expires_ms;
	list_add_tail(&g->bindings, &b->link);
	g->n_bindings++;
	return 0;
}
