/* common/sip/msg.c - parsing a message in place: RFC 3261 §7, §8.2, §16.3, §18.3, §20. */
#include <errno.h>
#include "common/sip/lines.h"
#include "common/sip/private.h"

#define MAX_FORWARDS_MAX 255u		/* RFC 3261 §20.22 */

struct parse {
	struct sip_msg *m;
	struct sip_parse_error err;	/* the first one; why == NULL: none */
	uint16_t last[SIP_N_HDRS];	/* tail of each id's chain, so that appending is O(1) */
	unsigned room;			/* of the table of headers */
};

/* Keeps the first mistake and lets the parse go on, as far as a response needs it. */
static void bad(struct parse *p, unsigned status, const char *at, const char *why)
{
	if (p->err.why)
		return;
	p->err.status = status;
	p->err.off = at && p->m ? (size_t)(at - p->m->raw.p) : 0;
	p->err.why = why;
}

/* "SIP/" 1*DIGIT "." 1*DIGIT */
static bool is_version(struct str v)
{
	struct str major, minor;
	uint32_t n;

	return str_istarts(v, STR("SIP/")) && str_cut(str_from(v, 4), '.', &major, &minor) &&
	       str_to_u32(major, &n) == 0 && str_to_u32(minor, &n) == 0;
}

static void status_line(struct parse *p, struct str line)
{
	struct sip_msg *m = p->m;
	struct str version, rest;
	uint32_t n;

	str_cut(line, ' ', &version, &rest);
	if (!str_ieq(version, STR("SIP/2.0"))) {
		bad(p, 0, line.p, "bad version in the status line");
		return;
	}
	str_cut(rest, ' ', &version, &m->reason);
	if (version.l != 3 || str_to_u32(version, &n) < 0 || n < 100 || n > 699) {
		bad(p, 0, rest.p, "bad status code");
		return;
	}
	m->status = n;
}

/* RFC 3261 §7.1: exactly one SP between the parts, none behind. */
static void request_line(struct parse *p, struct str line)
{
	struct sip_msg *m = p->m;
	ssize_t sp = str_chr(line, ' '), last = str_rchr(line, ' ');
	struct str version;
	size_t off = 0;

	m->request = true;
	m->method_name = sp < 0 ? line : str_head(line, (size_t)sp);
	if (!sip_is_token(m->method_name)) {
		bad(p, 400, line.p, "bad method");
		return;
	}
	m->method = sip_method_from_str(m->method_name);
	if (sp < 0 || last <= sp + 1) {
		bad(p, 400, line.p, "bad request line");
		return;
	}
	m->ruri_text = str_make(line.p + sp + 1, (size_t)(last - sp - 1));
	version = str_from(line, (size_t)last + 1);
	if (!str_ieq(version, STR("SIP/2.0"))) {
		if (is_version(version) && str_chr(m->ruri_text, ' ') < 0)
			bad(p, 505, version.p, "version not supported");
		else
			bad(p, 400, line.p + last, "bad request line");
		return;
	}
	if (str_chr(m->ruri_text, ' ') >= 0)
		bad(p, 400, m->ruri_text.p, "blank in the request line");
	else if (sip_uri_parse(m->ruri_text, &m->ruri, &off) < 0)
		bad(p, 400, m->ruri_text.p + off, "bad Request-URI");
	else if (m->ruri.headers.l)
		bad(p, 400, m->ruri.headers.p, "header part in the Request-URI");	/* RFC 3261 §19.1.5 */
}

#define TABLE_BYTES(room) (SIP_N_HDRS * sizeof(uint16_t) + (room) * sizeof(struct sip_hdr))

static uint16_t none[SIP_N_HDRS] = { [0 ... SIP_N_HDRS - 1] = SIP_NO_HDR };		/* of a message without a header */

/* The table is one part of the arena: where each id begins, then the headers.  After it there is room for so many more. */
static bool more_room(struct parse *p, unsigned more)
{
	struct sip_msg *m = p->m;
	unsigned room = m->n_hdrs + more < p->room * 2 ? p->room * 2 : m->n_hdrs + more;
	uint16_t *first = arena_part(m->arena, TABLE_BYTES(room)), *old = m->first;

	if (!first)
		return false;
	memcpy(first, old, old == none ? sizeof(none) : TABLE_BYTES(m->n_hdrs));
	m->first = first;
	m->hdrs = (struct sip_hdr *)(first + SIP_N_HDRS);
	p->room = room;
	if (old != none)
		arena_part_free(m->arena, old);
	return true;
}

/* There is room. */
static inline void header_add(struct parse *p, struct sip_line l)
{
	struct sip_msg *m = p->m;
	uint16_t i = m->n_hdrs;
	struct str name, value;
	enum sip_hdr_id id;

	if (!sip_line_split(l.text, &name, &value, &id)) {
		bad(p, 400, l.text.p, "bad header line");
		return;
	}
	m->hdrs[i] = (struct sip_hdr){ .off = (uint16_t)l.off, .len = (uint16_t)l.len, .name_len = (uint16_t)name.l,
				       .value_off = (uint16_t)(value.p - m->raw.p), .value_len = (uint16_t)value.l,
				       .id = (uint16_t)id, .next = SIP_NO_HDR };
	m->n_hdrs = i + 1;
	if (m->first[id] == SIP_NO_HDR)
		m->first[id] = i;
	else
		m->hdrs[p->last[id]].next = i;
	p->last[id] = i;
}

/* What is wrong with a whole line, or NULL. */
static const char *line_fault(struct parse *p, struct sip_line l)
{
	if (l.flags & SCAN_LF_FOLDED)
		sip_line_unfold(l.text);
	/* A lone CR is a line end to some implementations: never let it through. */
	if (l.flags & SCAN_LF_LONE_CR)
		return "CR inside a header";
	return p->m->n_hdrs == SIP_MSG_MAX_HDRS ? "too many headers" : NULL;
}

/* tight: one of these lines may be the one too many. */
static inline void header_line(struct parse *p, struct sip_line l, bool tight)
{
	const char *fault = __builtin_expect(l.flags | tight, 0) ? line_fault(p, l) : NULL;

	if (fault)
		bad(p, 400, l.text.p, fault);
	else
		header_add(p, l);
}

/* All header lines up to the empty one.  0 or -ENOMEM; *ret_body is set when the empty line was found. */
static int header_lines(struct parse *p, struct sip_lines *lines, bool *ret_end, size_t *ret_body)
{
	const char *raw = p->m->raw.p;
	size_t start = lines->start;

	*ret_end = false;
	do {
		const unsigned n = lines->n - lines->i;
		const bool tight = p->m->n_hdrs + n > SIP_MSG_MAX_HDRS;

		if (n && p->m->n_hdrs + n > p->room && !more_room(p, n))
			return -ENOMEM;
		for (unsigned i = lines->i; i < lines->n; i++) {
			struct sip_line l = sip_line_at(raw, start, lines->lf[i]);

			start += l.len;
			if (l.text.l == 0) {
				*ret_end = true;
				*ret_body = start;
				return 0;
			}
			header_line(p, l, tight);
		}
		lines->start = start;
	} while (sip_lines_more(lines));
	return 0;
}

/* The value of a header that must be there once: RFC 3261 §8.1.1, §7.3.1. */
static bool single(struct parse *p, enum sip_hdr_id id, bool mandatory, const char *absent, const char *twice,
		   struct str *ret)
{
	const struct sip_hdr *h = sip_msg_hdr(p->m, id);

	if (!h) {
		if (mandatory)
			bad(p, 400, NULL, absent);
		return false;
	}
	if (h->next != SIP_NO_HDR)
		bad(p, 400, p->m->raw.p + p->m->hdrs[h->next].off, twice);
	*ret = sip_msg_hdr_value(p->m, h);
	return true;
}

static bool is_call_id(struct str s)
{
	if (s.l && scan_all(&sip_call_id_chars, s))
		return true;			/* nearly always; others may hold octets from 0x80 on */
	for (size_t i = 0; i < s.l; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == ',')
			return false;
	return s.l > 0;
}

/* From or To: one value, and a tag that is a token. */
static bool party(struct str value, struct sip_nameaddr *ret, struct str *ret_tag)
{
	struct str one;

	if (sip_nameaddr_parse(value, ret) < 0 || ret->star)
		return false;
	if (str_chr(ret->params, ',') >= 0 && sip_list_next(&value, &one) && str_trim(value).l)
		return false;
	return !sip_nameaddr_param(ret, "tag", ret_tag) || sip_is_token(*ret_tag);
}

static void identities(struct parse *p)
{
	struct sip_msg *m = p->m;
	struct str v;

	if (single(p, SIP_H_CALL_ID, true, "no Call-ID", "two Call-ID headers", &v)) {
		m->call_id = v;
		if (!is_call_id(v))
			bad(p, 400, v.p, "bad Call-ID");
	}
	if (single(p, SIP_H_FROM, true, "no From", "two From headers", &v) && !party(v, &m->from, &m->from_tag))
		bad(p, 400, v.p, "bad From");
	if (single(p, SIP_H_TO, true, "no To", "two To headers", &v) && !party(v, &m->to, &m->to_tag))
		bad(p, 400, v.p, "bad To");
}

static void numbers(struct parse *p)
{
	struct sip_msg *m = p->m;
	struct str v, method = STR_NONE;
	uint32_t n;

	if (single(p, SIP_H_CSEQ, true, "no CSeq", "two CSeq headers", &v)) {
		if (sip_cseq_parse(v, &m->cseq, &method) < 0) {
			bad(p, 400, v.p, "bad CSeq");
		} else if (m->request) {
			if (!str_eq(method, m->method_name))
				bad(p, 400, method.p, "CSeq method does not match");
		} else {
			m->method_name = method;
			m->method = sip_method_from_str(method);
		}
	}
	m->max_forwards = UINT32_MAX;
	if (single(p, SIP_H_MAX_FORWARDS, false, NULL, "two Max-Forwards headers", &v)) {
		if (str_to_u32(v, &n) < 0 || n > MAX_FORWARDS_MAX)
			bad(p, 400, v.p, "bad Max-Forwards");
		else
			m->max_forwards = n;
	}
}

/* false: no response can find its way back. */
static bool top_via(struct parse *p)
{
	struct sip_msg *m = p->m;
	struct str rest = sip_msg_value(m, SIP_H_VIA), top;
	bool clean;

	if (!sip_list_next(&rest, &top)) {
		bad(p, 400, NULL, "no Via");
		return false;
	}
	if (sip_via_parse_lenient(top, &m->via, &clean) < 0) {
		bad(p, 400, top.p, "bad Via");
		return false;
	}
	if (!clean)
		bad(p, 400, top.p, "bad Via parameter");
	return true;
}

/* RFC 3261 §18.3, §20.14; two that differ are how a message is smuggled past one of two parsers. */
static void content(struct parse *p, size_t body, bool stream)
{
	struct sip_msg *m = p->m;
	const struct sip_hdr *h = sip_msg_hdr(m, SIP_H_CONTENT_LENGTH);
	uint32_t length = 0, n;
	bool have = false;

	m->body = str_from(m->raw, body);
	for (; h; h = sip_msg_hdr_next(m, h)) {
		struct str v = sip_msg_hdr_value(m, h);

		if (str_to_u32(v, &n) < 0) {
			bad(p, 400, v.p, "bad Content-Length");
			return;
		}
		if (have && n != length) {
			bad(p, 400, v.p, "two different Content-Length headers");
			return;
		}
		length = n;
		have = true;
	}
	if (!have) {
		if (stream)
			bad(p, 400, NULL, "no Content-Length");
		return;
	}
	if (length > m->body.l) {
		bad(p, 400, sip_msg_value(m, SIP_H_CONTENT_LENGTH).p, "body shorter than Content-Length");
		return;
	}
	m->body.l = length;
	m->raw.l = body + length;
}

static int parse(struct parse *p, bool stream, bool *ret_answerable)
{
	struct sip_msg *m = p->m;
	size_t pos = 0, body = m->raw.l;
	struct sip_lines lines;
	struct sip_line line;
	bool end;
	int rc;

	while (pos < m->raw.l && (m->raw.p[pos] == '\r' || m->raw.p[pos] == '\n'))
		pos++;
	m->raw = str_from(m->raw, pos);		/* RFC 3261 §7.5: leading CRLFs are skipped */
	*ret_answerable = false;
	sip_lines_init(&lines, m->raw);
	if (!sip_lines_next(&lines, &line)) {
		bad(p, 0, NULL, "no start line");
		return 0;
	}
	m->start_len = line.len;
	if (str_istarts(line.text, STR("SIP/")))
		status_line(p, line.text);
	else
		request_line(p, line.text);
	if (line.flags)
		bad(p, 400, line.text.p, "line end in the start line");
	rc = header_lines(p, &lines, &end, &body);
	if (rc < 0)
		return rc;
	*ret_answerable = top_via(p) && m->request && m->method != SIP_ACK;
	identities(p);
	numbers(p);
	if (!end)
		bad(p, 400, NULL, "no empty line behind the headers");
	else
		content(p, body, stream);
	return 0;
}

void sip_msg_rest(struct sip_msg *m)
{
	if (m->first != none)
		arena_part_free(m->arena, m->first);
	m->first = NULL;
	m->hdrs = NULL;
}

/* The lines are as they were: folds were replaced in place. */
bool sip_msg_table_make(struct sip_msg *m)
{
	struct parse p = { .m = m };
	struct sip_lines lines;
	struct sip_line line;
	size_t body;
	bool end;

	m->first = none;
	m->n_hdrs = 0;
	sip_lines_init(&lines, m->raw);
	if (sip_lines_next(&lines, &line) && header_lines(&p, &lines, &end, &body) == 0)
		return true;
	sip_msg_rest(m);
	return false;
}

int sip_msg_parse(struct arena *a, struct str raw, const struct sip_flow *flow, bool stream,
		  struct sip_msg **ret, struct sip_parse_error *reterr)
{
	struct parse p = { 0 };
	bool answerable;
	int rc;

	*ret = NULL;
	if (raw.l > SIP_MSG_MAX_BYTES) {
		*reterr = (struct sip_parse_error){ .status = 513, .off = SIP_MSG_MAX_BYTES, .why = "message too large" };
		return -EBADMSG;
	}
	p.m = arena_zalloc(a, sizeof(*p.m));
	if (!p.m)
		return -ENOMEM;
	p.m->arena = a;
	p.m->raw = raw;
	if (flow)
		p.m->flow = *flow;
	p.m->first = none;
	rc = parse(&p, stream, &answerable);
	if (rc < 0)
		return rc;
	if (p.err.why) {
		if (!p.m->request || p.m->method == SIP_ACK)
			p.err.status = 0;	/* responses and ACK are never answered: RFC 3261 §17.1.1.3, §18.1.2 */
		*reterr = p.err;
		*ret = answerable ? p.m : NULL;
		return -EBADMSG;
	}
	*ret = p.m;
	return 0;
}

int sip_msg_parse_copy(struct str raw, const struct sip_flow *flow, struct sip_msg **ret, struct sip_parse_error *reterr)
{
	struct arena *a = arena_new(SIP_ARENA_BYTES(raw.l));
	struct str copy;
	int rc;

	*ret = NULL;
	if (!a)
		return -ENOMEM;
	copy = arena_dup(a, raw);
	rc = copy.p ? sip_msg_parse(a, copy, flow, false, ret, reterr) : -ENOMEM;
	if (!*ret)
		arena_unref(a);
	return rc;
}
