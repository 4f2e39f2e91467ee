/* common/sip/out_write.c - applies a plan of edits and writes the message in one pass.
 *
 * The edits first mark the received lines (dropped, or with a new value) and make a list of new lines, each with
 * the received line it stands above; then everything is copied once, untouched neighbours in one piece. */
#include <errno.h>
#include "common/sip/out_private.h"

struct mark {				/* one per received line */
	struct str value;		/* replaces when changed */
	bool dropped, changed;
};
struct extra {				/* a line of ours */
	struct str name, value;
	uint16_t id;
	uint16_t above;			/* index of the received line it goes above; n_hdrs: the end */
	bool dropped, pushed;
};
struct plan {
	const struct sip_msg *m;
	struct arena *arena;
	struct mark *marks;
	struct extra *extras;
	unsigned n_extras;
	bool made;			/* values of its own, in the arena */
	bool failed;
};

/* A cursor over the living lines of one id from top to bottom: pushed ones, received ones, added ones. */
struct cursor {
	unsigned stage, i;
	uint16_t at;
};

static bool matches(const struct extra *x, enum sip_hdr_id id)
{
	return x->id == id && !x->dropped;
}

/* *ret_value points at the value of the line, *ret_mark or *ret_extra says which it is. */
static bool line_next(struct plan *p, struct cursor *c, enum sip_hdr_id id, struct mark **ret_mark,
		      struct extra **ret_extra, struct str *ret_value)
{
	*ret_mark = NULL;
	*ret_extra = NULL;
	if (c->stage == 0) {
		for (; c->i < p->n_extras; c->i++) {
			struct extra *x = &p->extras[p->n_extras - 1 - c->i];	/* the last pushed is topmost */

			if (x->pushed && matches(x, id)) {
				c->i++;
				*ret_extra = x;
				*ret_value = x->value;
				return true;
			}
		}
		c->stage = 1;
		c->at = p->m->first[id];
	}
	if (c->stage == 1) {
		while (c->at != SIP_NO_HDR) {
			const struct sip_hdr *h = &p->m->hdrs[c->at];
			struct mark *k = &p->marks[c->at];

			c->at = h->next;
			if (k->dropped)
				continue;
			*ret_mark = k;
			*ret_value = k->changed ? k->value : sip_msg_hdr_value(p->m, h);
			return true;
		}
		c->stage = 2;
		c->i = 0;
	}
	while (c->i < p->n_extras) {
		struct extra *x = &p->extras[c->i++];

		if (!x->pushed && matches(x, id)) {
			*ret_extra = x;
			*ret_value = x->value;
			return true;
		}
	}
	return false;
}

static void line_change(struct mark *k, struct extra *x, struct str value)
{
	if (k) {
		k->dropped = value.l == 0;
		k->changed = true;
		k->value = value;
	} else {
		x->dropped = value.l == 0;
		x->value = value;
	}
}

static void drop(struct plan *p, enum sip_hdr_id id)
{
	for (uint16_t i = p->m->first[id]; i != SIP_NO_HDR; i = p->m->hdrs[i].next)
		p->marks[i].dropped = true;
	for (unsigned i = 0; i < p->n_extras; i++)
		if (p->extras[i].id == id)
			p->extras[i].dropped = true;
}

static void drop_name(struct plan *p, struct str name)
{
	for (uint16_t i = p->m->first[SIP_H_OTHER]; i != SIP_NO_HDR; i = p->m->hdrs[i].next)
		if (str_ieq(sip_msg_hdr_name(p->m, &p->m->hdrs[i]), name))
			p->marks[i].dropped = true;
	for (unsigned i = 0; i < p->n_extras; i++)
		if (p->extras[i].id == SIP_H_OTHER && str_ieq(p->extras[i].name, name))
			p->extras[i].dropped = true;
}

static void drop_first(struct plan *p, enum sip_hdr_id id)
{
	struct cursor c = { 0 };
	struct mark *k;
	struct extra *x;
	struct str rest, one;

	while (line_next(p, &c, id, &k, &x, &rest)) {
		bool had = sip_list_next(&rest, &one);
		struct str left = rest;

		/* What is left keeps its spelling; commas and blanks alone are nothing. */
		line_change(k, x, sip_list_next(&left, &one) ? str_trim(rest) : STR_NONE);
		if (had)
			return;
	}
}

static bool has_token(struct plan *p, enum sip_hdr_id id, struct str token)
{
	struct cursor c = { 0 };
	struct mark *k;
	struct extra *x;
	struct str rest, one;

	while (line_next(p, &c, id, &k, &x, &rest))
		while (sip_list_next(&rest, &one))
			if (str_ieq(one, token))
				return true;
	return false;
}

static void drop_token(struct plan *p, enum sip_hdr_id id, struct str token)
{
	struct cursor c = { 0 };
	struct mark *k;
	struct extra *x;
	struct str value, rest, one;

	while (line_next(p, &c, id, &k, &x, &value)) {
		bool found = false;
		char *to;
		size_t n = 0;

		for (rest = value; sip_list_next(&rest, &one);)
			found |= str_ieq(one, token);
		if (!found)
			continue;
		to = arena_alloc(p->arena, value.l + 1);
		if (!to) {
			p->failed = true;
			return;
		}
		for (rest = value; sip_list_next(&rest, &one);) {
			if (str_ieq(one, token))
				continue;
			if (n)
				to[n++] = ',';
			memcpy(to + n, one.p, one.l);
			n += one.l;
		}
		p->made = true;
		line_change(k, x, str_make(to, n));
	}
}

static void insert(struct plan *p, const struct sip_edit *e, bool push)
{
	uint16_t above = p->m->n_hdrs;

	if (push)
		above = p->m->first[e->id] == SIP_NO_HDR ? 0 : p->m->first[e->id];
	p->extras[p->n_extras++] = (struct extra){ .name = sip_edit_name(e), .value = e->value, .id = e->id, .above = above,
						   .pushed = push };
}

static void apply(struct plan *p, const struct sip_edit *e)
{
	switch ((enum edit_kind)e->kind) {
	case EDIT_DROP:
		drop(p, e->id);
		break;
	case EDIT_DROP_NAME:
		drop_name(p, sip_edit_name(e));
		break;
	case EDIT_DROP_LINE:
		p->marks[e->line].dropped = true;
		break;
	case EDIT_DROP_FIRST:
		drop_first(p, e->id);
		break;
	case EDIT_SET_LINE:
		p->marks[e->line] = (struct mark){ .value = e->value, .changed = true };
		break;
	case EDIT_PUSH:
		insert(p, e, true);
		break;
	case EDIT_ADD:
		insert(p, e, false);
		break;
	case EDIT_DROP_TOKEN:
		drop_token(p, e->id, e->value);
		break;
	case EDIT_ADD_TOKEN:
		if (!has_token(p, e->id, e->value))
			insert(p, e, false);
		break;
	}
}

/* The space was counted before, so nothing can run over; `end` is the belt. */
struct pen {
	char *at, *end;
	bool over;
};

static void put(struct pen *w, struct str s)
{
	if ((size_t)(w->end - w->at) < s.l) {
		w->over = true;
		return;
	}
	if (s.l)
		memcpy(w->at, s.p, s.l);
	w->at += s.l;
}

/* A text from elsewhere must not start a line of its own. */
static void put_clean(struct pen *w, struct str s)
{
	char *from = w->at;

	put(w, s);
	if (s.l == 0 || (!memchr(s.p, '\n', s.l) && !memchr(s.p, '\r', s.l)))
		return;
	for (; from < w->at; from++)
		if (*from == '\r' || *from == '\n')
			*from = ' ';
}

static void put_line(struct pen *w, struct str name, struct str value)
{
	put_clean(w, name);
	put(w, STR(": "));
	put_clean(w, value);
	put(w, STR("\r\n"));
}

static void put_extras(struct pen *w, const struct plan *p, uint16_t above)
{
	for (unsigned i = p->n_extras; i-- > 0;)
		if (p->extras[i].pushed && !p->extras[i].dropped && p->extras[i].above == above)
			put_line(w, p->extras[i].name, p->extras[i].value);
	for (unsigned i = 0; i < p->n_extras; i++)
		if (!p->extras[i].pushed && !p->extras[i].dropped && p->extras[i].above == above)
			put_line(w, p->extras[i].name, p->extras[i].value);
}

static bool ends_with_crlf(const struct sip_msg *m, uint32_t off, uint32_t len)
{
	return len >= 2 && m->raw.p[off + len - 2] == '\r';
}

static void put_start_line(struct pen *w, const struct sip_out *o)
{
	const struct sip_msg *m = o->m;

	if (m->request && o->ruri.l) {
		put(w, m->method_name);
		put(w, STR(" "));
		put_clean(w, o->ruri);
		put(w, STR(" SIP/2.0\r\n"));
		return;
	}
	put(w, str_head(m->raw, m->start_len - (ends_with_crlf(m, 0, m->start_len) ? 2 : 1)));
	put(w, STR("\r\n"));
}

static void put_headers(struct pen *w, const struct plan *p)
{
	const struct sip_msg *m = p->m;
	uint64_t some[(SIP_MSG_MAX_HDRS + 64) / 64] = { 0 };	/* received lines with something of ours above */
	uint32_t run_off = 0, run_len = 0;

	for (unsigned i = 0; i < p->n_extras; i++)
		some[p->extras[i].above / 64] |= UINT64_C(1) << (p->extras[i].above % 64);
	for (uint16_t i = 0; i <= m->n_hdrs; i++) {
		bool insert_here = some[i / 64] >> (i % 64) & 1;
		const struct sip_hdr *h = &m->hdrs[i];
		const struct mark *k = &p->marks[i];

		if (i < m->n_hdrs && !insert_here && !k->dropped && !k->changed && ends_with_crlf(m, h->off, h->len) &&
		    (run_len == 0 || run_off + run_len == h->off)) {
			run_off = run_len ? run_off : h->off;
			run_len += h->len;
			continue;
		}
		put(w, str_make(m->raw.p + run_off, run_len));
		run_len = 0;
		if (insert_here)
			put_extras(w, p, i);
		if (i == m->n_hdrs || k->dropped)
			continue;
		if (k->changed) {
			put_line(w, sip_msg_hdr_name(m, h), k->value);
		} else if (ends_with_crlf(m, h->off, h->len)) {
			run_off = h->off;
			run_len = h->len;
		} else {
			put(w, str_make(m->raw.p + h->off, h->len - 1));
			put(w, STR("\r\n"));
		}
	}
}

/* At most so many octets, and hardly more: what is written may be kept for minutes. */
static size_t bound(const struct sip_out *o, const struct plan *p, struct str body)
{
	const struct sip_msg *m = o->m;
	size_t n = m->start_len + 1u + m->method_name.l + o->ruri.l + sizeof("  SIP/2.0\r\nContent-Length: \r\n\r\n") + SIP_DECIMAL_MAX + body.l;

	for (unsigned i = 0; i < m->n_hdrs; i++) {
		if (p->marks[i].dropped)
			continue;
		if (p->marks[i].changed)
			n += m->hdrs[i].name_len + p->marks[i].value.l + 4u;
		else
			n += m->hdrs[i].len + 1u;		/* a CR may be missing */
	}
	for (unsigned i = 0; i < p->n_extras; i++)
		if (!p->extras[i].dropped)
			n += p->extras[i].name.l + p->extras[i].value.l + 4;
	return n;
}

/* What the next hop would refuse for its number of lines is not sent (it may well be one of ours). */
static bool too_many_lines(const struct plan *p)
{
	unsigned n = 1;				/* Content-Length */

	for (unsigned i = 0; i < p->m->n_hdrs; i++)
		n += !p->marks[i].dropped;
	for (unsigned i = 0; i < p->n_extras; i++)
		n += !p->extras[i].dropped;
	return n > SIP_MSG_MAX_HDRS;
}

static int plan_make(const struct sip_out *o, struct plan *p)
{
	const struct sip_edit **order;
	unsigned n = 0, i;

	*p = (struct plan){ .m = o->m, .arena = o->arena };
	if (!sip_msg_wake(o->m))
		return -ENOMEM;
	for (const struct sip_edit *e = o->last; e; e = e->before)
		n++;
	p->marks = arena_zalloc(o->arena, (o->m->n_hdrs + 1u) * sizeof(*p->marks));
	p->extras = arena_alloc(o->arena, n * sizeof(*p->extras));
	order = arena_alloc(o->arena, n * sizeof(*order));
	if (o->failed || arena_failed(o->arena) || arena_failed(o->m->arena))
		return -ENOMEM;
	i = n;
	for (const struct sip_edit *e = o->last; e; e = e->before)
		order[--i] = e;
	for (i = 0; i < n; i++)
		apply(p, order[i]);
	return p->failed ? -ENOMEM : 0;
}

int sip_out_top(const struct sip_out *o, enum sip_hdr_id id, struct str *ret)
{
	struct arena_mark scratch = arena_mark(o->arena);
	struct cursor c = { 0 };
	struct str rest;
	struct mark *k;
	struct extra *x;
	struct plan p;
	int rc = plan_make(o, &p);

	if (!rc) {
		rc = -ENOENT;
		while (rc && line_next(&p, &c, id, &k, &x, &rest))
			rc = sip_list_next(&rest, ret) ? 0 : -ENOENT;
	}
	if (!p.made)			/* *ret is of the message or of an edit */
		arena_rewind(o->arena, scratch);
	return rc;
}

static int write_plan(const struct sip_out *o, struct bytes **ret)
{
	struct plan p;
	struct str body = o->body_set ? o->body : o->m->body;
	struct bytes *b;
	struct pen w = { 0 };
	char digits[SIP_DECIMAL_MAX];
	size_t size;

	if (plan_make(o, &p))
		return -ENOMEM;
	drop(&p, SIP_H_CONTENT_LENGTH);
	size = bound(o, &p, body);
	if (size > 4 * (size_t)SIP_MSG_MAX_BYTES || too_many_lines(&p))
		return -EMSGSIZE;
	b = bytes_alloc(size);
	if (!b)
		return -ENOMEM;
	w.at = b->p;
	w.end = b->p + size;
	put_start_line(&w, o);
	put_headers(&w, &p);
	put(&w, STR("Content-Length: "));
	put(&w, sip_decimal(body.l, digits));
	put(&w, STR("\r\n\r\n"));
	put(&w, body);
	b->l = (size_t)(w.at - b->p);
	if (w.over || b->l > SIP_MSG_MAX_BYTES) {
		bytes_unref(b);
		return -EMSGSIZE;
	}
	*ret = b;
	return 0;
}

int sip_out_write(const struct sip_out *o, struct bytes **ret)
{
	struct arena_mark scratch = arena_mark(o->arena);
	int rc = write_plan(o, ret);

	arena_rewind(o->arena, scratch);
	return rc;
}
