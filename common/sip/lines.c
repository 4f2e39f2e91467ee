/* common/sip/lines.c - lines of a message head; framing on a stream: RFC 3261 §7.3.1, §18.3. */
#include <errno.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "common/sip/lines.h"
#include "common/sip/msg.h"

#define T SIP_TOKEN_CHAR
#define H SIP_HOST_CHAR
#define B (SIP_TOKEN_CHAR | SIP_HOST_CHAR)
const uint8_t sip_char_class[256] = {
	['0' ... '9'] = B, ['A' ... 'Z'] = B, ['a' ... 'z'] = B, ['-'] = B, ['.'] = B, ['_'] = B,
	[' '] = SIP_LWS_CHAR, ['\t'] = SIP_LWS_CHAR, ['\r'] = SIP_LWS_CHAR, ['\n'] = SIP_LWS_CHAR,
	['!'] = T, ['%'] = T, ['*'] = T, ['+'] = T, ['`'] = T, ['\''] = T, ['~'] = T,
};
#undef T
#undef H
#undef B

/* Sixteen octets at a time where the processor can (every x86-64), one at a time for the rest. */
#ifdef __SSE2__
static inline unsigned equal16(const char *p, char a, char b)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(a)), _mm_cmpeq_epi8(v, _mm_set1_epi8(b))));
}
#endif

/* The next LF; tells of CRs on the way that stand before none. */
static inline const char *next_lf(const char *p, const char *end, bool *lone_cr)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		for (unsigned m = equal16(p, '\r', '\n'); m; m &= m - 1) {
			const char *q = p + __builtin_ctz(m);

			if (*q == '\n')
				return q;
			if (q + 1 < end && q[1] == '\n')
				return q + 1;
			*lone_cr = true;
		}
	}
#endif
	for (; p < end; p++) {
		if (*p == '\n')
			return p;
		if (*p == '\r' && (p + 1 == end || p[1] != '\n'))
			*lone_cr = true;
	}
	return NULL;
}

bool sip_line_next(struct str raw, size_t *pos, struct sip_line *ret)
{
	const char *start = raw.p + *pos, *end = raw.p + raw.l, *at = start, *lf;

	ret->folds = 0;
	ret->lone_cr = false;
	for (;; at = lf + 1) {
		lf = next_lf(at, end, &ret->lone_cr);
		if (!lf)
			return false;
		if (at == start && (lf == start || (lf == start + 1 && *start == '\r')))
			break;
		if (lf + 1 == end || !sip_is_blank(lf[1]))
			break;
		ret->folds++;
	}
	*pos = (size_t)(lf + 1 - raw.p);
	ret->text = str_make(start, (size_t)(lf - start));
	if (ret->text.l && lf[-1] == '\r')
		ret->text.l--;
	return true;
}

static inline ssize_t first_colon(struct str s)
{
	size_t i = 0;

#ifdef __SSE2__
	for (; s.l - i >= 16; i += 16) {
		unsigned m = equal16(s.p + i, ':', ':');

		if (m)
			return (ssize_t)i + __builtin_ctz(m);
	}
#endif
	for (; i < s.l; i++)
		if (s.p[i] == ':')
			return (ssize_t)i;
	return -1;
}

static inline bool is_lws(char c)
{
	return sip_char_class[(unsigned char)c] & SIP_LWS_CHAR;
}

bool sip_line_split(struct str line, struct str *name, struct str *value, enum sip_hdr_id *id)
{
	ssize_t colon = first_colon(line);
	size_t n, i, end = line.l;

	if (colon < 0)
		return false;
	n = (size_t)colon;
	i = n + 1;
	while (n && sip_is_blank(line.p[n - 1]))
		n--;
	*name = str_head(line, n);
	*id = sip_hdr_id_from_name(*name);
	if (*id == SIP_H_OTHER && !sip_is_token(*name))
		return false;
	while (i < end && is_lws(line.p[i]))
		i++;
	while (end > i && is_lws(line.p[end - 1]))
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
	struct str name, value;
	struct sip_line line;
	uint32_t length = 0, n;
	enum sip_hdr_id id;
	bool have = false;

	while (sip_line_next(stream, &pos, &line)) {
		if (line.text.l == 0) {
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
	size_t pos = skip_line_ends(raw);
	struct str name, value;
	struct sip_line line;
	enum sip_hdr_id id;

	while (sip_line_next(raw, &pos, &line) && line.text.l)
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
	size_t pos = skip_line_ends(raw);
	bool first = true, have_to = false;
	struct str name, value;
	struct sip_line line;
	enum sip_hdr_id id;

	*ret_priority = false;
	while (sip_line_next(raw, &pos, &line) && line.text.l) {
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
