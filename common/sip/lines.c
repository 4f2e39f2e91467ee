/* common/sip/lines.c - lines of a message head; framing on a stream: RFC 3261 §7.3.1, §18.3. */
#include <errno.h>
#include "common/sip/lines.h"
#include "common/sip/msg.h"

#define T SIP_TOKEN_CHAR
#define H SIP_HOST_CHAR
#define B (SIP_TOKEN_CHAR | SIP_HOST_CHAR)
const uint8_t sip_char_class[256] = {
	['0' ... '9'] = B, ['A' ... 'Z'] = B, ['a' ... 'z'] = B, ['-'] = B, ['.'] = B, ['_'] = B,
	['!'] = T, ['%'] = T, ['*'] = T, ['+'] = T, ['`'] = T, ['\''] = T, ['~'] = T,
};
#undef T
#undef H
#undef B

bool sip_line_next(struct str raw, size_t *pos, struct str *ret, unsigned *folds)
{
	const char *start = raw.p + *pos, *end = raw.p + raw.l, *at = start, *lf;

	*folds = 0;
	for (;; at = lf + 1) {
		lf = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		if (!lf)
			return false;
		if (at == start && (lf == start || (lf == start + 1 && *start == '\r')))
			break;
		if (lf + 1 == end || !sip_is_blank(lf[1]))
			break;
		(*folds)++;
	}
	*pos = (size_t)(lf + 1 - raw.p);
	*ret = str_make(start, (size_t)(lf - start));
	if (ret->l && ret->p[ret->l - 1] == '\r')
		ret->l--;
	return true;
}

bool sip_line_split(struct str line, struct str *name, struct str *value, enum sip_hdr_id *id)
{
	const char *colon = line.l ? memchr(line.p, ':', line.l) : NULL;
	size_t n, i, end = line.l;

	if (!colon)
		return false;
	n = (size_t)(colon - line.p);
	i = n + 1;
	while (n && sip_is_blank(line.p[n - 1]))
		n--;
	*name = str_head(line, n);
	*id = sip_hdr_id_from_name(*name);
	if (*id == SIP_H_OTHER && !sip_is_token(*name))
		return false;
	for (; i < end && (sip_is_blank(line.p[i]) || line.p[i] == '\r' || line.p[i] == '\n'); i++)
		;
	while (end > i && (sip_is_blank(line.p[end - 1]) || line.p[end - 1] == '\r' || line.p[end - 1] == '\n'))
		end--;
	*value = str_make(line.p + i, end - i);
	return true;
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
	size_t start = skip_line_ends(stream), pos = start;
	struct str line, name, value;
	uint32_t length = 0, n;
	enum sip_hdr_id id;
	bool have = false;
	unsigned folds;

	while (sip_line_next(stream, &pos, &line, &folds)) {
		if (line.l == 0) {
			if (!have)
				return -EBADMSG;
			if (pos - start + length > SIP_MSG_MAX_BYTES)
				return -EMSGSIZE;
			*ret_len = pos + length;
			return 0;
		}
		if (pos - start > SIP_MSG_MAX_BYTES)
			return -EMSGSIZE;
		/* Cheap look first: only 'C', 'c', 'L' and 'l' can start it. */
		if (((line.p[0] | 0x20) != 'c' && (line.p[0] | 0x20) != 'l') || !sip_line_split(line, &name, &value, &id) ||
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
	size_t pos = skip_line_ends(raw);
	struct str line, name, value;
	enum sip_hdr_id id;
	unsigned folds;

	while (sip_line_next(raw, &pos, &line, &folds) && line.l)
		if (((line.p[0] | 0x20) == 'c' || (line.p[0] | 0x20) == 'i') && sip_line_split(line, &name, &value, &id) &&
		    id == SIP_H_CALL_ID)
			return value;
	return STR_NONE;
}
