/* common/sip/reginfo.c - see reginfo.h: names, and writing. */
#include "common/sip/reginfo.h"
#include "common/sip/nameaddr.h"

static const char *const events[] = {
	[REGINFO_NONE] = "none", [REGINFO_REGISTERED] = "registered", [REGINFO_CREATED] = "created",
	[REGINFO_REFRESHED] = "refreshed", [REGINFO_SHORTENED] = "shortened", [REGINFO_EXPIRED] = "expired",
	[REGINFO_DEACTIVATED] = "deactivated", [REGINFO_PROBATION] = "probation", [REGINFO_UNREGISTERED] = "unregistered",
	[REGINFO_REJECTED] = "rejected",
};

const char *reginfo_event_name(enum reginfo_event e)
{
	return events[e];
}

enum reginfo_event reginfo_event_find(struct str name)
{
	for (size_t i = REGINFO_REGISTERED; i < sizeof(events) / sizeof(events[0]); i++)
		if (str_eq_c(name, events[i]))
			return (enum reginfo_event)i;
	return REGINFO_NONE;
}

/* ---- text ---- */

/* Octets of the UTF-8 character at s.p, and the character; 0: there is none (RFC 3629 §4). */
static size_t utf8_next(struct str s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 0;

	if (n == 0 || n > s.l)
		return 0;
	*ret = n == 1 ? c : c & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
		*ret = *ret << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	if (*ret < least[n] || *ret > 0x10ffff || (*ret >= 0xd800 && *ret < 0xe000))
		return 0;
	return n;
}

static bool xml_has(uint32_t c)			/* XML 1.0 §2.2 */
{
	return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c != 0xfffe && c != 0xffff);
}

static void put_text(struct buf *b, struct str s)
{
	while (s.l) {
		uint32_t c = 0;
		size_t n = utf8_next(s, &c);

		if (n == 0 || !xml_has(c))
			buf_puts(b, "\xef\xbf\xbd");
		else if (c == '&')
			buf_puts(b, "&amp;");
		else if (c == '<')
			buf_puts(b, "&lt;");
		else if (c == '>')
			buf_puts(b, "&gt;");
		else if (c == '"')
			buf_puts(b, "&quot;");
		else if (c < 0x20)
			buf_printf(b, "&#%u;", (unsigned)c);	/* an attribute would lose it: XML 1.0 §3.3.3 */
		else
			buf_put(b, str_head(s, n));
		s = str_from(s, n ? n : 1);
	}
}

static void put_attribute(struct buf *b, const char *name, struct str value)
{
	buf_printf(b, " %s=\"", name);
	put_text(b, value);
	buf_putc(b, '"');
}

static void put_element(struct buf *b, const char *name, struct str text)
{
	buf_printf(b, "<%s>", name);
	put_text(b, text);
	buf_printf(b, "</%s>\n", name);
}

/* ---- the document ---- */

void reginfo_begin(struct buf *b, uint32_t version, bool full)
{
	buf_printf(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" "
		      "xmlns:gr=\"urn:ietf:params:xml:ns:gruuinfo\" version=\"%u\" state=\"%s\">\n",
		   version, full ? "full" : "partial");
}

void reginfo_registration_begin(struct buf *b, struct str aor, uint64_t id, enum reginfo_state state)
{
	static const char *const names[] = { "init", "active", "terminated" };

	buf_puts(b, "<registration");
	put_attribute(b, "aor", aor);
	buf_printf(b, " id=\"r%016llx\" state=\"%s\">\n", (unsigned long long)id, names[state]);
}

/* RFC 3680 §5.2: a Contact's parameters but expires and q.  A value keeps its quotes: they are part of it. */
static void put_params(struct buf *b, struct str params)
{
	struct str name, value;

	while (sip_param_next(&params, &name, &value)) {
		buf_puts(b, "<unknown-param");
		put_attribute(b, "name", name);
		buf_putc(b, '>');
		put_text(b, value);
		buf_puts(b, "</unknown-param>\n");
	}
}

void reginfo_contact(struct buf *b, const struct reginfo_contact *c)
{
	buf_printf(b, "<contact id=\"c%016llx\" state=\"%s\" event=\"%s\"", (unsigned long long)c->id,
		   c->active ? "active" : "terminated", reginfo_event_name(c->event));
	if (c->has_expires)
		buf_printf(b, " expires=\"%u\"", c->expires_s);
	if (c->has_retry_after)
		buf_printf(b, " retry-after=\"%u\"", c->retry_after_s);
	if (c->has_q)
		buf_printf(b, " q=\"%u.%03u\"", c->q / 1000u, c->q % 1000u);
	if (c->call_id.l)
		put_attribute(b, "callid", c->call_id);
	if (c->has_cseq)
		buf_printf(b, " cseq=\"%u\"", c->cseq);
	buf_puts(b, ">\n");
	put_element(b, "uri", c->uri);
	if (c->display.l)
		put_element(b, "display-name", c->display);
	put_params(b, c->params);
	if (c->pub_gruu.l) {
		buf_puts(b, "<gr:pub-gruu");
		put_attribute(b, "uri", c->pub_gruu);
		buf_puts(b, "/>\n");
	}
	if (c->temp_gruu.l) {
		buf_puts(b, "<gr:temp-gruu");
		put_attribute(b, "uri", c->temp_gruu);
		buf_printf(b, " first-cseq=\"%u\"/>\n", c->cseq);
	}
	buf_puts(b, "</contact>\n");
}

void reginfo_registration_end(struct buf *b, struct str wildcard)
{
	if (wildcard.l) {
		buf_puts(b, "<ere:wildcardedIdentity xmlns:ere=\"urn:3gpp:ns:extRegExp:1.0\">");
		put_text(b, wildcard);
		buf_puts(b, "</ere:wildcardedIdentity>\n");
	}
	buf_puts(b, "</registration>\n");
}

void reginfo_end(struct buf *b)
{
	buf_puts(b, "</reginfo>\n");
}
