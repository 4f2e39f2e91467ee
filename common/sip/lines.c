/* common/sip/lines.c - lines of a message head; framing on a stream: RFC 3261 §7.3.1, §18.3. */
#include <errno.h>
#include "common/sip/lines.h"
#include "common/sip/msg.h"

enum { TOKEN = 1, HOST = 2, CALL_ID = 4 };
#define BOTH (TOKEN | HOST)
static uint8_t classes[256] = {
	['0' ... '9'] = BOTH, ['A' ... 'Z'] = BOTH, ['a' ... 'z'] = BOTH, ['-'] = BOTH, ['.'] = BOTH, ['_'] = BOTH,
	['!'] = TOKEN, ['%'] = TOKEN, ['*'] = TOKEN, ['+'] = TOKEN, ['`'] = TOKEN, ['\''] = TOKEN, ['~'] = TOKEN,
};
struct scan_set sip_token_chars, sip_host_chars, sip_call_id_chars;

static void __attribute__((constructor)) build(void)
{
	for (unsigned c = '!'; c <= '~'; c++)
		classes[c] |= c == ',' ? 0 : CALL_ID;
	scan_set_init(&sip_call_id_chars, classes, CALL_ID);
	scan_set_init(&sip_token_chars, classes, TOKEN);
	scan_set_init(&sip_host_chars, classes, HOST);
}

bool sip_lines_more(struct sip_lines *l)
{
	if (l->last)
		return false;
	l->n = scan_lines(l->raw, l->start, l->lf, SIP_LINES_AT_ONCE);
	l->i = 0;
	l->last = l->n < SIP_LINES_AT_ONCE;
	return l->n > 0;
}

void sip_line_unfold(struct str line)
{
	char *p = (char *)(uintptr_t)line.p, *end = p + line.l;

	for (char *lf = p; (lf = memchr(lf, '\n', (size_t)(end - lf))) != NULL; lf++) {
		*lf = ' ';
		if (lf > p && lf[-1] == '\r')
			lf[-1] = ' ';
	}
}

static size_t skip_line_ends(struct str s)
{
	size_t i = 0;

	while (i < s.l && (s.p[i] == '\r' || s.p[i] == '\n'))
		i++;
	return i;
}

int sip_frame(struct str stream, size_t *ret_len)
{
	size_t start = skip_line_ends(stream);
	struct str name, value;
	struct sip_lines lines;
	struct sip_line line;
	uint32_t length = 0, n;
	enum sip_hdr_id id;
	bool have = false;

	sip_lines_init(&lines, str_from(stream, start));
	while (sip_lines_next(&lines, &line)) {
		if (line.text.l == 0) {
			if (!have)
				return -EBADMSG;
			if (lines.start + length > SIP_MSG_MAX_BYTES)
				return -EMSGSIZE;
			*ret_len = start + lines.start + length;
			return 0;
		}
		if (lines.start > SIP_MSG_MAX_BYTES)
			return -EMSGSIZE;
		/* Cheap look first: only 'C', 'c', 'L' and 'l' can start it. */
		if (((line.text.p[0] | 0x20) != 'c' && (line.text.p[0] | 0x20) != 'l') ||
		    !sip_line_split(line.text, &name, &value, &id) ||
		    id != SIP_H_CONTENT_LENGTH)
			continue;
		if (str_to_u32(value, &n) < 0 || (have && n != length))
			return -EBADMSG;
		length = n;
		have = true;
	}
	return stream.l - start > SIP_MSG_MAX_BYTES ? -EMSGSIZE : -EAGAIN;
}

struct str sip_scan_call_id(struct str raw)
{
	struct str name, value;
	struct sip_lines lines;
	struct sip_line line;
	enum sip_hdr_id id;

	sip_lines_init(&lines, str_from(raw, skip_line_ends(raw)));
	while (sip_lines_next(&lines, &line) && line.text.l)
		if (((line.text.p[0] | 0x20) == 'c' || (line.text.p[0] | 0x20) == 'i') &&
		    sip_line_split(line.text, &name, &value, &id) && id == SIP_H_CALL_ID)
			return value;
	return STR_NONE;
}

static bool begins_something(struct str start)
{
	struct str method, rest;

	str_cut(start, ' ', &method, &rest);
	if (str_istarts(str_trim(rest), STR("urn:")))
		return false;
	switch (sip_method_from_str(method)) {
	case SIP_REGISTER:
	case SIP_INVITE:
	case SIP_OPTIONS:
	case SIP_MESSAGE:
	case SIP_SUBSCRIBE:
	case SIP_PUBLISH:
	case SIP_REFER:
		return true;
	default:
		return false;
	}
}

bool sip_scan_is_new(struct str raw, bool *ret_priority)
{
	bool first = true, have_to = false;
	struct str name, value;
	struct sip_lines lines;
	struct sip_line line;
	enum sip_hdr_id id;

	*ret_priority = false;
	sip_lines_init(&lines, str_from(raw, skip_line_ends(raw)));
	while (sip_lines_next(&lines, &line) && line.text.l) {
		if (first && !begins_something(line.text))
			return false;
		/* Cheap look first: To, t, Priority, Resource-Priority. */
		if (first || !strchr("tTpPrR", line.text.p[0]) || !sip_line_split(line.text, &name, &value, &id)) {
			first = false;
			continue;
		}
		if (id == SIP_H_TO) {
			have_to = true;
			for (struct str s = value; s.l >= 4; s = str_from(s, 1))
				if (str_istarts(s, STR("tag")))		/* anywhere: in doubt it belongs to a dialog */
					return false;
		}
		*ret_priority |= id == SIP_H_PRIORITY || id == SIP_H_RESOURCE_PRIORITY;
	}
	return have_to;
}
