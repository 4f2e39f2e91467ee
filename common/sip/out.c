/* common/sip/out.c - the plan of edits for a forwarded message.  Writing it is out_write.c. */
#include "common/sip/out_private.h"

void sip_out_init(struct sip_out *o, struct sip_msg *m)
{
	*o = (struct sip_out){ .m = m, .arena = m->arena };
}

static void edit(struct sip_out *o, struct sip_edit with, const char *name)
{
	struct sip_named_edit *n = arena_alloc(o->arena, name ? sizeof(*n) : sizeof(n->e));

	if (!n) {
		o->failed = true;
		return;
	}
	with.before = o->last;
	with.named = name != NULL;
	n->e = with;
	if (name)
		n->name = name;
	o->last = &n->e;
}

static void edit_id(struct sip_out *o, enum edit_kind kind, enum sip_hdr_id id)
{
	edit(o, (struct sip_edit){ .kind = (uint8_t)kind, .id = (uint16_t)id }, NULL);
}

/* One that brings a text along. */
static void edit_text(struct sip_out *o, enum edit_kind kind, enum sip_hdr_id id, struct str value, const char *name)
{
	if (!value.p)
		o->failed = true;
	edit(o, (struct sip_edit){ .kind = (uint8_t)kind, .id = (uint16_t)id, .value = value }, name);
}

static uint16_t line_of(const struct sip_out *o, const struct sip_hdr *h)
{
	return (uint16_t)(h - o->m->hdrs);
}

void sip_out_set_ruri(struct sip_out *o, struct str uri)
{
	if (!uri.p)
		o->failed = true;
	o->ruri = uri;
}

void sip_out_drop(struct sip_out *o, enum sip_hdr_id id)
{
	edit_id(o, EDIT_DROP, id);
}

void sip_out_drop_name(struct sip_out *o, const char *name)
{
	enum sip_hdr_id id = sip_hdr_id_from_name(str_from_c(name));

	if (id != SIP_H_OTHER)
		sip_out_drop(o, id);
	else
		edit(o, (struct sip_edit){ .kind = EDIT_DROP_NAME }, name);
}

void sip_out_drop_line(struct sip_out *o, const struct sip_hdr *h)
{
	edit(o, (struct sip_edit){ .kind = EDIT_DROP_LINE, .line = line_of(o, h) }, NULL);
}

void sip_out_drop_first(struct sip_out *o, enum sip_hdr_id id)
{
	edit_id(o, EDIT_DROP_FIRST, id);
}

void sip_out_set_line(struct sip_out *o, const struct sip_hdr *h, struct str value)
{
	if (!value.p)
		o->failed = true;
	edit(o, (struct sip_edit){ .kind = EDIT_SET_LINE, .line = line_of(o, h), .value = value }, NULL);
}

void sip_out_set(struct sip_out *o, enum sip_hdr_id id, struct str value)
{
	sip_out_drop(o, id);
	sip_out_add(o, id, value);
}

void sip_out_push(struct sip_out *o, enum sip_hdr_id id, struct str value)
{
	edit_text(o, EDIT_PUSH, id, value, NULL);
}

void sip_out_add(struct sip_out *o, enum sip_hdr_id id, struct str value)
{
	edit_text(o, EDIT_ADD, id, value, NULL);
}

void sip_out_add_name(struct sip_out *o, const char *name, struct str value)
{
	edit_text(o, EDIT_ADD, sip_hdr_id_from_name(str_from_c(name)), value, name);
}

void sip_out_drop_token(struct sip_out *o, enum sip_hdr_id id, const char *token)
{
	edit_text(o, EDIT_DROP_TOKEN, id, str_from_c(token), NULL);
}

void sip_out_add_token(struct sip_out *o, enum sip_hdr_id id, const char *token)
{
	edit_text(o, EDIT_ADD_TOKEN, id, str_from_c(token), NULL);
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
	rest = sip_msg_hdr_value(o->m, h);
	if (!sip_list_next(&rest, &top))
		return;
	fixed = sip_via_fixed(o->m, top, o->vouch, o->arena);
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
