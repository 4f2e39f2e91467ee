/* icscf/select.c - the table of S-CSCFs and the choice among them: TS 24.229 §5.3.1.2, TS 29.228 annex B. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/sip/nameaddr.h"
#include "common/util/clock.h"
#include "common/util/rand.h"
#include "icscf/select.h"

const char *scscf_why_name(enum scscf_why w)
{
	static const char *const names[] = { "named by the HSS", "by capabilities", "default" };

	return names[w];
}

/* ---- names ---- */

/* "lr" is for Route; whoever writes one adds it again. */
static bool put_params(struct buf *b, struct str params)
{
	struct str name, value;

	while (sip_param_next(&params, &name, &value)) {
		if (str_ieq_c(name, "lr"))
			continue;
		buf_printf(b, ";%.*s%s%.*s", STR_ARG(name), value.l ? "=" : "", STR_ARG(value));
	}
	return !b->failed;
}

int scscf_uri(struct str server_name, char dst[SCSCF_URI_MAX], struct str *ret)
{
	char text[SCSCF_URI_MAX];
	struct sip_nameaddr na;
	struct sip_uri u;
	struct buf b;
	int rc = 0;

	server_name = str_trim(server_name);
	if (server_name.l && str_chr(server_name, '<') >= 0) {
		if (sip_nameaddr_parse(server_name, &na) < 0)
			return -EBADMSG;
		server_name = na.uri.text;
	}
	if (!str_istarts(server_name, STR("sip:")) && !str_istarts(server_name, STR("sips:"))) {	/* integration.md §1 */
		if (server_name.l + 5 > sizeof(text))
			return -ENOSPC;
		snprintf(text, sizeof(text), "sip:%.*s", STR_ARG(server_name));
		server_name = str_from_c(text);
	}
	if (sip_uri_parse(server_name, &u, NULL) < 0 || u.host.l == 0)
		return -EBADMSG;
	buf_init(&b, SCSCF_URI_MAX - 1);
	buf_printf(&b, "%s:%.*s%s%.*s", u.scheme == SIP_SCHEME_SIPS ? "sips" : "sip", STR_ARG(u.user), u.user.l ? "@" : "",
		   STR_ARG(u.host));
	if (u.port)
		buf_printf(&b, ":%u", u.port);
	if (!put_params(&b, u.params))
		rc = -ENOSPC;
	else
		str_copy(buf_str(&b), dst, SCSCF_URI_MAX);
	buf_fini(&b);
	if (rc == 0)
		*ret = str_from_c(dst);
	return rc;
}

/* ---- the table ---- */

static unsigned known(const struct selection *s)
{
	return atomic_load_explicit(&((struct selection *)s)->n, memory_order_acquire);
}

static struct scscf_server *find(struct selection *s, struct str uri)
{
	unsigned n = known(s);

	for (unsigned i = 0; i < n; i++)
		if (str_ieq_c(uri, s->server[i].uri))
			return &s->server[i];
	return NULL;
}

struct scscf_server *scscf_server_of(struct selection *s, struct str uri)
{
	struct scscf_server *v = find(s, uri);
	char *copy;
	unsigned n;

	if (v)
		return v;
	copy = str_dup(uri);
	if (!copy)
		return NULL;
	pthread_mutex_lock(&s->lock);
	v = find(s, uri);
	n = known(s);
	if (!v && n < SELECT_MAX_KNOWN) {
		v = &s->server[n];
		v->uri = copy;
		copy = NULL;
		atomic_store_explicit(&s->n, n + 1, memory_order_release);
	}
	pthread_mutex_unlock(&s->lock);
	free(copy);
	return v;
}

static void figures_copy(struct scscf_server *dst, struct scscf_server *src)
{
	atomic_store(&dst->suspect_until_ms, atomic_load(&src->suspect_until_ms));
	atomic_store(&dst->attempts, atomic_load(&src->attempts));
	atomic_store(&dst->failures, atomic_load(&src->failures));
	atomic_store(&dst->last_failure_us, atomic_load(&src->last_failure_us));
	atomic_store(&dst->last_status, atomic_load(&src->last_status));
	atomic_store(&dst->answered, atomic_load(&src->answered));
}

static void read_caps(const struct cfg_node *row, struct scscf_server *v)
{
	size_t n = cfg_list_len(row, "capabilities");

	for (size_t i = 0; i < n && v->n_caps < CX_MAX_LIST; i++)
		if (str_to_u32(cfg_strs_at(row, "capabilities", i), &v->caps[v->n_caps]) == 0)
			v->n_caps++;
}

static bool read_rows(struct selection *s, const struct cfg_node *r)
{
	size_t n = cfg_list_len(r, "selection.servers");
	char text[SCSCF_URI_MAX];
	struct str uri;

	for (size_t i = 0; i < n && i < SELECT_MAX_SERVERS; i++) {
		const struct cfg_node *row = cfg_list_at(r, "selection.servers", i);
		struct scscf_server *v;

		if (scscf_uri(cfg_str(row, "name"), text, &uri) < 0)
			continue;			/* icscf_config_check() said so */
		v = scscf_server_of(s, uri);
		if (!v)
			return false;
		v->configured = true;
		v->n_caps = 0;
		read_caps(row, v);
		v->priority = (uint32_t)cfg_int(row, "priority");
		v->weight = (uint32_t)cfg_int(row, "weight");
	}
	if (cfg_has(r, "selection.default_server") && scscf_uri(cfg_str(r, "selection.default_server"), text, &uri) == 0) {
		struct scscf_server *v = scscf_server_of(s, uri);

		if (!v)
			return false;
		v->is_default = true;
	}
	return true;
}

static void selection_free(struct obj *o)
{
	struct selection *s = container_of(o, struct selection, o);

	for (unsigned i = 0; i < known(s); i++)
		free(s->server[i].uri);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct selection *selection_new(const struct cfg *c, struct selection *old)
{
	struct selection *s = calloc(1, sizeof(*s));
	const struct cfg_node *r = cfg_root(c);

	if (!s)
		return NULL;
	obj_init(&s->o, selection_free);
	pthread_mutex_init(&s->lock, NULL);
	s->max_attempts = (uint32_t)cfg_int(r, "selection.max_attempts");
	s->server_wait_ms = (uint32_t)cfg_int(r, "selection.server_wait_ms");
	s->suspect_s = (uint32_t)cfg_int(r, "selection.suspect_s");
	s->tell_user_database = cfg_bool(r, "selection.tell_user_database");
	s->retry_after_s = (uint32_t)cfg_int(r, "selection.retry_after_s");
	if (!read_rows(s, r)) {
		obj_unref(s);
		return NULL;
	}
	for (unsigned i = 0; old && i < known(old); i++) {
		struct scscf_server *v = scscf_server_of(s, str_from_c(old->server[i].uri));

		if (v)
			figures_copy(v, &old->server[i]);
	}
	return s;
}

/* ---- health ---- */

bool scscf_is_suspect(const struct scscf_server *v, uint64_t now_ms)
{
	return atomic_load_explicit(&((struct scscf_server *)v)->suspect_until_ms, memory_order_relaxed) > now_ms;
}

void scscf_report(struct selection *s, struct str uri, unsigned status, uint64_t now_ms)
{
	struct scscf_server *v = scscf_server_of(s, uri);

	if (!v)
		return;
	atomic_fetch_add(&v->attempts, 1);
	if (status == 0) {
		atomic_store(&v->suspect_until_ms, 0);
		atomic_store(&v->answered, true);
		return;
	}
	atomic_fetch_add(&v->failures, 1);
	atomic_store(&v->last_status, status);
	atomic_store(&v->last_failure_us, clock_wall_us());
	atomic_store(&v->answered, false);
	atomic_store(&v->suspect_until_ms, now_ms + (uint64_t)s->suspect_s * 1000);
}

/* ---- the choice ---- */

bool scscf_was_tried(const struct scscf_tried *t, struct str uri)
{
	for (unsigned i = 0; i < t->n; i++)
		if (str_ieq(t->uri[i], uri))
			return true;
	return false;
}

static bool has_cap(const struct scscf_server *v, uint32_t cap)
{
	for (unsigned i = 0; i < v->n_caps; i++)
		if (v->caps[i] == cap)
			return true;
	return false;
}

static bool fulfils(const struct scscf_server *v, const struct cx_caps *caps)
{
	for (unsigned i = 0; caps && i < caps->mandatory.n; i++)
		if (!has_cap(v, caps->mandatory.v[i]))
			return false;
	return true;
}

static unsigned n_optional(const struct scscf_server *v, const struct cx_caps *caps)
{
	unsigned n = 0;

	for (unsigned i = 0; caps && i < caps->optional.n; i++)
		n += has_cap(v, caps->optional.v[i]);
	return n;
}

struct choice {
	struct scscf_server *v;
	bool suspect;
	unsigned optional;
};

/* > 0: a before b; 0: equal, the weight decides. */
static int compare(const struct choice *a, const struct choice *b)
{
	if (a->suspect != b->suspect)
		return a->suspect ? -1 : 1;
	if (a->optional != b->optional)
		return a->optional > b->optional ? 1 : -1;
	if (a->v->priority != b->v->priority)
		return a->v->priority < b->v->priority ? 1 : -1;
	return 0;
}

/* The names the HSS suggests: Server-Name inside Server-Capabilities, TS 29.229 §6.3.4. */
static bool take_suggested(struct selection *s, const struct cx_caps *caps, const struct scscf_tried *tried, uint64_t now_ms,
			   bool suspects, struct str *ret)
{
	for (unsigned i = 0; caps && i < caps->server_names.n; i++) {
		struct scscf_server *v = find(s, caps->server_names.v[i]);

		if (scscf_was_tried(tried, caps->server_names.v[i]) || (v && scscf_is_suspect(v, now_ms) != suspects) ||
		    (!v && suspects))
			continue;
		*ret = caps->server_names.v[i];
		return true;
	}
	return false;
}

/* Reservoir sampling by weight among the equal best. */
static struct scscf_server *take_row(struct selection *s, const struct cx_caps *caps, const struct scscf_tried *tried,
				     uint64_t now_ms, bool *ret_any)
{
	struct choice best = { 0 };
	uint32_t total = 0;
	unsigned n = known(s);

	for (unsigned i = 0; i < n; i++) {
		struct scscf_server *v = &s->server[i];
		struct choice c = { v, scscf_is_suspect(v, now_ms), 0 };
		int order;

		if (!v->configured || !fulfils(v, caps))
			continue;
		*ret_any = true;
		if (scscf_was_tried(tried, str_from_c(v->uri)))
			continue;
		c.optional = n_optional(v, caps);
		order = best.v ? compare(&c, &best) : 1;
		if (order < 0)
			continue;
		total = order > 0 ? v->weight : total + v->weight;
		if (order > 0 || (total && rand_below(total) < v->weight))
			best = c;
	}
	return best.v;
}

static struct scscf_server *default_of(struct selection *s, bool *ret_table)
{
	struct scscf_server *d = NULL;
	unsigned n = known(s);

	*ret_table = false;
	for (unsigned i = 0; i < n; i++) {
		*ret_table = *ret_table || s->server[i].configured;
		if (s->server[i].is_default)
			d = &s->server[i];
	}
	return d;
}

int scscf_select(struct selection *s, const struct cx_caps *caps, const struct scscf_tried *tried, uint64_t now_ms,
		 struct str *ret_uri, enum scscf_why *ret_why)
{
	bool wanted = caps && (caps->mandatory.n || caps->optional.n), table, any = false;
	struct scscf_server *d = default_of(s, &table), *v;

	*ret_why = SCSCF_BY_CAPABILITIES;
	if (take_suggested(s, caps, tried, now_ms, false, ret_uri))
		return 0;
	/* Asked for nothing: the default first, unless it failed lately and the table may have a better one. */
	if (d && (!wanted || !table)) {
		any = true;
		if (!scscf_was_tried(tried, str_from_c(d->uri)) && !scscf_is_suspect(d, now_ms))
			goto take_default;
	}
	v = take_row(s, caps, tried, now_ms, &any);
	if (v && !scscf_is_suspect(v, now_ms)) {
		*ret_uri = str_from_c(v->uri);
		return 0;
	}
	/* Nobody healthy is left: the suspects, in the same order. */
	if (take_suggested(s, caps, tried, now_ms, true, ret_uri))
		return 0;
	if (d && (!wanted || !table) && !scscf_was_tried(tried, str_from_c(d->uri)))
		goto take_default;
	if (v) {
		*ret_uri = str_from_c(v->uri);
		return 0;
	}
	return any || (caps && caps->server_names.n) ? -ENODATA : -ENOENT;

take_default:
	*ret_uri = str_from_c(d->uri);
	*ret_why = SCSCF_DEFAULT;
	return 0;
}
