/* common/sip/reginfo_read.c - reading a registration state document: RFC 3680 §5. */
#include <errno.h>
#include <expat.h>
#include "common/sip/reginfo.h"

#define NAMESPACE "urn:ietf:params:xml:ns:reginfo|"

enum place { AT_NOTHING, AT_REGINFO, AT_REGISTRATION, AT_CONTACT, AT_URI, AT_DISPLAY };

struct reader {
	XML_Parser x;
	struct arena *a;
	struct reginfo *doc;
	struct reginfo_registration *r, **r_tail;
	struct reginfo_contact *c, **c_tail;
	enum place at;
	unsigned depth, at_depth;	/* all elements; those that we know, which stand within each other */
	unsigned n;
	bool seen;
	int rc;
	size_t text_l;
	char text[REGINFO_MAX_TEXT];
};

static void stop(struct reader *r, int rc)
{
	if (r->rc == 0)
		r->rc = rc;
	XML_StopParser(r->x, XML_FALSE);
}

static struct str attribute(const char **attrs, const char *name)
{
	for (; attrs[0]; attrs += 2)
		if (strcmp(attrs[0], name) == 0)
			return str_from_c(attrs[1]);
	return STR_NONE;
}

static bool number(const char **attrs, const char *name, uint32_t *ret)
{
	struct str s = attribute(attrs, name);
	int rc = str_to_u32(s, ret);

	if (rc == -ERANGE)		/* xs:unsignedLong: what is longer than we count is as long as we count */
		*ret = UINT32_MAX;
	return rc == 0 || rc == -ERANGE;
}

static struct str keep(struct reader *r, struct str s)
{
	struct str copy = s.l ? arena_dup(r->a, s) : STR_NONE;

	if (s.l && !copy.p)
		stop(r, -ENOMEM);
	return copy;
}

static void *make(struct reader *r, size_t bytes)
{
	void *p = ++r->n <= REGINFO_MAX_CONTACTS ? arena_zalloc(r->a, bytes) : NULL;

	if (!p)
		stop(r, r->n > REGINFO_MAX_CONTACTS ? -EFBIG : -ENOMEM);
	return p;
}

static void start_reginfo(struct reader *r, const char **attrs)
{
	struct str state = attribute(attrs, "state");

	r->seen = true;
	r->doc->full = str_eq(state, STR("full"));
	if (!number(attrs, "version", &r->doc->version) || (!r->doc->full && !str_eq(state, STR("partial"))))
		stop(r, -EBADMSG);
}

static void start_registration(struct reader *r, const char **attrs)
{
	struct str state = attribute(attrs, "state");

	r->r = make(r, sizeof(*r->r));
	if (!r->r)
		return;
	r->r->aor = keep(r, attribute(attrs, "aor"));
	r->r->state = str_eq(state, STR("active")) ? REGINFO_ACTIVE : str_eq(state, STR("init")) ? REGINFO_INIT : REGINFO_TERMINATED;
	if (r->r->aor.l == 0 || (r->r->state == REGINFO_TERMINATED && !str_eq(state, STR("terminated"))))
		stop(r, -EBADMSG);
	*r->r_tail = r->r;
	r->r_tail = &r->r->next;
	r->c_tail = &r->r->contacts;
}

static void start_contact(struct reader *r, const char **attrs)
{
	struct str state = attribute(attrs, "state");
	struct reginfo_contact *c = make(r, sizeof(*c));

	r->c = c;
	if (!c)
		return;
	c->active = str_eq(state, STR("active"));
	c->event = reginfo_event_find(attribute(attrs, "event"));
	c->has_expires = number(attrs, "expires", &c->expires_s);
	c->has_retry_after = number(attrs, "retry-after", &c->retry_after_s);
	c->has_cseq = number(attrs, "cseq", &c->cseq);
	c->call_id = keep(r, attribute(attrs, "callid"));
	if (c->event == REGINFO_NONE || (!c->active && !str_eq(state, STR("terminated"))))
		stop(r, -EBADMSG);
	*r->c_tail = c;
	r->c_tail = &c->next;
}

/* What follows what; anything else is somebody's extension and is passed over with all that it holds. */
static const struct {
	enum place in, to;
	const char *name;
	void (*start)(struct reader *r, const char **attrs);
} steps[] = {
	{ AT_NOTHING, AT_REGINFO, "reginfo", start_reginfo },
	{ AT_REGINFO, AT_REGISTRATION, "registration", start_registration },
	{ AT_REGISTRATION, AT_CONTACT, "contact", start_contact },
	{ AT_CONTACT, AT_URI, "uri", NULL },
	{ AT_CONTACT, AT_DISPLAY, "display-name", NULL },
};

static void on_start(void *u, const char *name, const char **attrs)
{
	struct reader *r = u;
	size_t skip = strncmp(name, NAMESPACE, sizeof(NAMESPACE) - 1) == 0 ? sizeof(NAMESPACE) - 1 : 0;

	if (r->rc < 0)			/* stopped: expat may call once more */
		return;
	if (++r->depth > REGINFO_MAX_DEPTH) {
		stop(r, -EFBIG);
		return;
	}
	r->text_l = 0;
	if (r->depth != r->at_depth + 1)
		return;				/* within something that we do not know */
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].in != r->at || strcmp(name + skip, steps[i].name))
			continue;
		r->at = steps[i].to;
		r->at_depth++;
		if (steps[i].start)
			steps[i].start(r, attrs);
		return;
	}
}

static void on_text(void *u, const char *text, int l)
{
	struct reader *r = u;

	if (r->rc < 0 || r->depth != r->at_depth || (r->at != AT_URI && r->at != AT_DISPLAY))
		return;
	if (r->text_l + (size_t)l > sizeof(r->text)) {
		stop(r, -EFBIG);
		return;
	}
	memcpy(r->text + r->text_l, text, (size_t)l);
	r->text_l += (size_t)l;
}

static void on_end(void *u, const char *name)
{
	static const enum place above[] = {
		[AT_REGINFO] = AT_NOTHING, [AT_REGISTRATION] = AT_REGINFO, [AT_CONTACT] = AT_REGISTRATION, [AT_URI] = AT_CONTACT,
		[AT_DISPLAY] = AT_CONTACT,
	};
	struct reader *r = u;
	(void)name;

	if (r->rc < 0 || r->depth-- != r->at_depth)
		return;
	if (r->at == AT_URI)
		r->c->uri = keep(r, str_trim(str_make(r->text, r->text_l)));
	else if (r->at == AT_DISPLAY)
		r->c->display = keep(r, str_trim(str_make(r->text, r->text_l)));
	else if (r->at == AT_CONTACT && r->c->uri.l == 0)
		stop(r, -EBADMSG);
	r->at = above[r->at];
	r->at_depth--;
}

static void on_doctype(void *u, const char *name, const char *sysid, const char *pubid, int internal)
{
	(void)name, (void)sysid, (void)pubid, (void)internal;
	stop(u, -EBADMSG);
}

int reginfo_read(struct str xml, struct arena *a, struct reginfo *ret)
{
	struct reader r = { .a = a, .doc = ret };
	enum XML_Status st;

	*ret = (struct reginfo){ 0 };
	if (xml.l > REGINFO_MAX_BYTES)
		return -EFBIG;
	r.r_tail = &ret->registrations;
	r.x = XML_ParserCreateNS(NULL, '|');
	if (!r.x)
		return -ENOMEM;
	XML_SetUserData(r.x, &r);
	XML_SetElementHandler(r.x, on_start, on_end);
	XML_SetCharacterDataHandler(r.x, on_text);
	XML_SetStartDoctypeDeclHandler(r.x, on_doctype);
	st = XML_Parse(r.x, xml.l ? xml.p : "", (int)xml.l, 1);
	XML_ParserFree(r.x);
	if (r.rc == 0 && (st != XML_STATUS_OK || !r.seen))
		r.rc = -EBADMSG;
	if (r.rc < 0)
		*ret = (struct reginfo){ 0 };
	return r.rc;
}
