/* common/util/bencode.c - see bencode.h. */
#include <errno.h>
#include <inttypes.h>
#include "common/util/bencode.h"

#define MAX_LENGTH_DIGITS 9u		/* of a string: what is longer is in no datagram */
#define MAX_INT_DIGITS 19u

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "N:", with its octets behind.  Returns how many octets the string takes; 0: none. */
static size_t string_at(struct str in, struct str *ret)
{
	size_t i = 0, n = 0;

	while (i < in.l && is_digit(in.p[i]) && i < MAX_LENGTH_DIGITS)
		n = n * 10 + (size_t)(in.p[i++] - '0');
	if (i == 0 || i == in.l || in.p[i] != ':' || (i > 1 && in.p[0] == '0') || n > in.l - i - 1)
		return 0;
	*ret = str_make(in.p + i + 1, n);
	return i + 1 + n;
}

/* "iN e"; returns how many octets it takes; 0: none. */
static size_t int_at(struct str in)
{
	size_t i = 1, first;

	if (in.l < 3 || in.p[0] != 'i')
		return 0;
	if (in.p[1] == '-')
		i++;
	first = i;
	while (i < in.l && is_digit(in.p[i]))
		i++;
	if (i == first || i - first > MAX_INT_DIGITS || i == in.l || in.p[i] != 'e')
		return 0;
	if (in.p[first] == '0' && (i - first > 1 || first == 2))
		return 0;
	return i + 1;
}

int bencode_value(struct str in, struct str *ret, struct str *ret_rest)
{
	enum { LIST, KEY, VALUE } open[BENCODE_MAX_DEPTH];
	unsigned depth = 0;
	size_t at = 0, n;

	do {
		struct str rest = str_from(in, at), text;

		if (!rest.l)
			return -EBADMSG;
		if (depth && rest.p[0] == 'e') {
			if (open[depth - 1] == VALUE)
				return -EBADMSG;
			depth--;
			at++;
			if (depth && open[depth - 1] != LIST)
				open[depth - 1] = KEY;
			continue;
		}
		if (rest.p[0] == 'l' || rest.p[0] == 'd') {
			if (depth == BENCODE_MAX_DEPTH || (depth && open[depth - 1] == KEY))
				return -EBADMSG;
			open[depth++] = rest.p[0] == 'l' ? LIST : KEY;
			at++;
			continue;
		}
		n = string_at(rest, &text);
		if (!n && !(depth && open[depth - 1] == KEY))
			n = int_at(rest);
		if (!n)
			return -EBADMSG;
		at += n;
		if (depth && open[depth - 1] != LIST)
			open[depth - 1] = open[depth - 1] == KEY ? VALUE : KEY;
	} while (depth);
	*ret = str_head(in, at);
	if (ret_rest)
		*ret_rest = str_from(in, at);
	return 0;
}

bool bencode_str(struct str value, struct str *ret)
{
	return string_at(value, ret) > 0;
}

bool bencode_int(struct str value, int64_t *ret)
{
	size_t n = int_at(value);
	bool minus = n && value.p[1] == '-';
	uint64_t u;

	if (!n || str_to_u64(str_make(value.p + 1 + minus, n - 2 - minus), &u) < 0 || u > INT64_MAX)
		return false;
	*ret = minus ? -(int64_t)u : (int64_t)u;
	return true;
}

bool bencode_walk(struct str value, struct bencode_walk *ret)
{
	if (value.l < 2 || (value.p[0] != 'd' && value.p[0] != 'l'))
		return false;
	*ret = (struct bencode_walk){ str_make(value.p + 1, value.l - 2), value.p[0] == 'd' };
	return true;
}

bool bencode_next(struct bencode_walk *w, struct str *ret_key, struct str *ret_value)
{
	struct str key = STR_NONE;

	*ret_key = STR_NONE;
	if (!w->rest.l)
		return false;
	if (w->dict && (bencode_value(w->rest, &key, &w->rest) < 0 || !bencode_str(key, ret_key)))
		return false;
	return bencode_value(w->rest, ret_value, &w->rest) == 0;
}

bool bencode_find(struct str dict, const char *key, struct str *ret_value)
{
	struct bencode_walk w;
	struct str name, value;

	if (!bencode_walk(dict, &w) || !w.dict)
		return false;
	while (bencode_next(&w, &name, &value))
		if (str_eq_c(name, key)) {
			*ret_value = value;
			return true;
		}
	return false;
}

struct str bencode_find_str(struct str dict, const char *key)
{
	struct str value, text;

	return bencode_find(dict, key, &value) && bencode_str(value, &text) ? text : STR_NONE;
}

void bencode_put_str(struct buf *b, struct str s)
{
	buf_putu(b, s.l);
	buf_putc(b, ':');
	buf_put(b, s);
}

void bencode_put_int(struct buf *b, int64_t n)
{
	buf_printf(b, "i%" PRId64 "e", n);
}

void bencode_put_pair(struct buf *b, const char *key, struct str value)
{
	bencode_put_str(b, str_from_c(key));
	bencode_put_str(b, value);
}
