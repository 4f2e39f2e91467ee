/* common/sip/out.c - the plan of edits for a forwarded message.  Writing it is out_write.c. */
#include "common/sip/out_private.h"

void sip_out_init(struct sip_out *o, struct sip_msg *m)
{
	*o = (struct sip_out){ .m = m, .arena = m->arena };
	o->tail = &o->edits;
}

static struct sip_edit *edit(struct sip_out *o, enum edit_kind kind, enum sip_hdr_id id, struct str value)
{
	struct sip_edit *e = arena_zalloc(o->arena, sizeof(*e));

	if (!e) {
		o->failed = true;
		return NULL;
	}
	e->kind = kind;
	e->id = (uint16_t)id;
	e->name = sip_hdr_name(id);
	e->value = value;
	*o->tail = e;
	o->tail = &e->next;
	return e;
}

/* One that brings a text along. */
static struct sip_edit *edit_text(struct sip_out *o, enum edit_kind kind, enum sip_hdr_id id, struct str value)
{
	if (!value.p)
		o->failed = true;
	return edit(o, kind, id, value);
}

void sip_out_copy(struct sip_out *dst, const struct sip_out *src)
{
	*dst = *src;
	dst->edits = NULL;
	dst->tail = &dst->edits;
	for (const struct sip_edit *s = src->edits; s; s = s->next) {
		struct sip_edit *e = edit(dst, s->kind, s->id, s->value);

		if (!e)
			return;
		e->name = s->name;
		e->h = s->h;
	}
}

void sip_out_set_ruri(struct sip_out *o, struct str uri)
{
	if (!uri.p)
		o->failed = true;
	o->ruri = uri;
}

void sip_out_drop(struct sip_out *o, enum sip_hdr_id id)
{
	edit(o, EDIT_DROP, id, STR_NONE);
}

void sip_out_drop_name(struct sip_out *o, const char *name)
{
	enum sip_hdr_id id = sip_hdr_id_from_name(str_from_c(name));
	struct sip_edit *e;

	if (id != SIP_H_OTHER) {
		sip_out_drop(o, id);
		return;
	}
	e = edit(o, EDIT_DROP_NAME, id, STR_NONE);
	if (e)
		e->name = str_from_c(name);
}

void sip_out_drop_line(struct sip_out *o, const struct sip_hdr *h)
{
	struct sip_edit *e = edit(o, EDIT_DROP_LINE, h->id, STR_NONE);

	if (e)
		e->h = h;
}

void sip_out_drop_first(struct sip_out *o, enum sip_hdr_id id)
{
	edit(o, EDIT_DROP_FIRST, id, STR_NONE);
}

void sip_out_set_line(struct sip_out *o, const struct sip_hdr *h, struct str value)
{
	struct sip_edit *e = edit_text(o, EDIT_SET_LINE, h->id, value);

	if (e)
		e->h = h;
}

void sip_out_set(struct sip_out *o, enum sip_hdr_id id, struct str value)
{
	sip_out_drop(o, id);
	sip_out_add(o, id, value);
}

void sip_out_push(struct sip_out *o, enum sip_hdr_id id, struct str value)
{
	edit_text(o, EDIT_PUSH, id, value);
}

void sip_out_add(struct sip_out *o, enum sip_hdr_id id, struct str value)
{
	edit_text(o, EDIT_ADD, id, value);
}

void sip_out_add_name(struct sip_out *o, const char *name, struct str value)
{
	struct sip_edit *e = edit_text(o, EDIT_ADD, sip_hdr_id_from_name(str_from_c(name)), value);

	if (e)
		e->name = str_from_c(name);
}

void sip_out_drop_token(struct sip_out *o, enum sip_hdr_id id, const char *token)
{
	edit(o, EDIT_DROP_TOKEN, id, str_from_c(token));
}

void sip_out_add_token(struct sip_out *o, enum sip_hdr_id id, const char *token)
{
	edit(o, EDIT_ADD_TOKEN, id, str_from_c(token));
}

void sip_out_set_body(struct sip_out *o, struct str type, struct str body)
{
	/* The old coding says nothing about the new octets. */
	sip_out_drop(o, SIP_H_CONTENT_ENCODING);
	sip_out_drop(o, SIP_H_CONTENT_TYPE);
	if (type.l)
		sip_out_add(o, SIP_H_CONTENT_TYPE, type);
	o->body = body;
	o->body_set = true;
}

void sip_out_fix_via(struct sip_out *o)
{
	const struct sip_hdr *h = sip_msg_hdr(o->m, SIP_H_VIA);
	struct str rest, top, fixed;

	if (!h)
		return;
	rest = h->value;
	if (!sip_list_next(&rest, &top))
		return;
	fixed = sip_via_fixed(o->m, top, o->arena);
	if (fixed.p == NULL)
		o->failed = true;
	if (fixed.p == NULL || fixed.p == top.p)
		return;
	rest = str_trim(rest);
	if (rest.l) {
		char *both = arena_alloc(o->arena, fixed.l + 2 + rest.l);

		if (!both) {
			o->failed = true;
			return;
		}
		/* Not with a format: the texts may hold NUL. */
		memcpy(both, fixed.p, fixed.l);
		memcpy(both + fixed.l, ", ", 2);
		memcpy(both + fixed.l + 2, rest.p, rest.l);
		fixed = str_make(both, fixed.l + 2 + rest.l);
	}
	sip_out_set_line(o, h, fixed);
}
