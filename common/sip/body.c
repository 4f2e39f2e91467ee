/* common/sip/body.c - see body.h.  RFC 2046 §5.1.1, RFC 5621 §3; reliability REG-16. */
#include <errno.h>
#include <string.h>
#include "common/sip/body.h"
#include "common/sip/uri.h"

/* ---- types ---- */

static void type_read(struct str value, struct body_part *ret)
{
	str_cut(value, ';', &ret->type, &ret->params);
	ret->type = str_trim(ret->type);
}

void body_of(const struct sip_msg *m, struct body_part *ret)
{
	type_read(sip_msg_value(m, SIP_H_CONTENT_TYPE), ret);
	ret->disposition = sip_msg_value(m, SIP_H_CONTENT_DISPOSITION);
	ret->text = m->body;
}

bool body_is(const struct body_part *p, const char *type)
{
	return str_ieq_c(p->type, type);
}

/* bchars of RFC 2046 §5.1.1; a blank is not the last one. */
static bool is_boundary(struct str b)
{
	if (b.l == 0 || b.l > BODY_MAX_BOUNDARY || b.p[b.l - 1] == ' ')
		return false;
	for (size_t i = 0; i < b.l; i++) {
		unsigned char c = (unsigned char)b.p[i], low = c | 0x20;

		if (!(c >= '0' && c <= '9') && !(low >= 'a' && low <= 'z') && (c == 0 || !strchr("'()+_,-./:=? ", c)))
			return false;
	}
	return true;
}

int body_parts(const struct body_part *p, struct body_walk *ret)
{
	struct str b;

	if (!str_istarts(p->type, STR("multipart/")))
		return -ENOENT;
	if (!sip_param_get(p->params, "boundary", &b))
		return -EBADMSG;
	if (b.l >= 2 && b.p[0] == '"' && b.p[b.l - 1] == '"')
		b = str_make(b.p + 1, b.l - 2);
	if (!is_boundary(b))
		return -EBADMSG;
	*ret = (struct body_walk){ .rest = p->text, .boundary = b };
	return 0;
}

/* ---- parts ---- */

enum line { LINE_TEXT, LINE_DELIMITER, LINE_CLOSE };

/* Blanks may stand behind a delimiter, nothing else may; what begins like one is text. */
static enum line line_kind(struct str line, struct str boundary)
{
	struct str after;
	bool close;

	if (line.l < boundary.l + 2 || line.p[0] != '-' || line.p[1] != '-' || !str_starts(str_from(line, 2), boundary))
		return LINE_TEXT;
	after = str_from(line, boundary.l + 2);
	close = str_starts(after, STR("--"));
	if (str_trim(close ? str_from(after, 2) : after).l)
		return LINE_TEXT;
	return close ? LINE_CLOSE : LINE_DELIMITER;
}

/* Goes on to the next delimiter, behind which *rest begins; nothing is left behind the closing one.  *ret_text is what stands
 * before it.  false: there is none, and the text is all. */
static bool to_delimiter(struct str *rest, struct str boundary, struct str *ret_text)
{
	const char *begin = rest->p;
	struct str line;

	while (rest->l) {
		const char *at = rest->p;
		enum line kind;

		str_cut(*rest, '\n', &line, rest);
		kind = line_kind(line, boundary);
		if (kind == LINE_TEXT)
			continue;
		if (kind == LINE_CLOSE)
			*rest = STR_NONE;
		*ret_text = str_make(begin, (size_t)(at - begin));
		if (ret_text->l && at[-1] == '\n')
			ret_text->l -= ret_text->l > 1 && at[-2] == '\r' ? 2 : 1;
		return true;
	}
	*ret_text = STR_NONE;
	return false;
}

/* The next line with those that continue it.  Empty: the one that ends the header. */
static struct str header_line(struct str *rest)
{
	const char *begin = rest->p;
	struct str line, next;

	str_cut(*rest, '\n', &line, rest);
	if (str_trim(line).l == 0)
		return STR_NONE;
	while (rest->l && (rest->p[0] == ' ' || rest->p[0] == '\t')) {
		str_cut(*rest, '\n', &next, rest);
		line.l = (size_t)(next.p + next.l - begin);
	}
	return str_trim(str_make(begin, line.l));
}

static void part_read(struct str in, struct body_part *ret)
{
	struct str line, name, value;

	*ret = (struct body_part){ .type = STR("text/plain") };
	while (in.l && (line = header_line(&in)).l) {
		if (!str_cut(line, ':', &name, &value))
			continue;
		name = str_trim(name);
		if (str_ieq_c(name, "Content-Type") || str_ieq_c(name, "c"))
			type_read(value, ret);
		else if (str_ieq_c(name, "Content-Disposition"))
			ret->disposition = str_trim(value);
	}
	ret->text = in;
}

bool body_next(struct body_walk *w, struct body_part *ret)
{
	struct str text, begin;

	if (w->n == 0 && !to_delimiter(&w->rest, w->boundary, &text))	/* the preamble */
		return false;
	if (w->rest.l == 0 || w->n == BODY_MAX_PARTS)
		return false;
	w->n++;
	begin = w->rest;
	if (!to_delimiter(&w->rest, w->boundary, &text)) {
		text = begin;
		w->rest = STR_NONE;
	}
	part_read(text, ret);
	return true;
}

bool body_find_in(const struct body_part *all, const char *type, struct body_part *ret)
{
	struct body_walk level[BODY_MAX_DEPTH];
	struct body_part p = *all;
	unsigned depth = 0;

	for (;;) {
		if (body_is(&p, type)) {
			*ret = p;
			return true;
		}
		if (depth < BODY_MAX_DEPTH && body_parts(&p, &level[depth]) == 0)
			depth++;
		while (depth && !body_next(&level[depth - 1], &p))
			depth--;
		if (!depth)
			return false;
	}
}

bool body_find(const struct sip_msg *m, const char *type, struct body_part *ret)
{
	struct body_part all;

	body_of(m, &all);
	return body_find_in(&all, type, ret);
}
