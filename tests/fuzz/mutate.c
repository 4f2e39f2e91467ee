/* tests/fuzz/mutate.c - libFuzzer mutator that knows lines: for SIP messages and for scripts of them.
 *
 * Octet-wise mutations rarely get past the start line.  Here a line is dropped, doubled, moved, folded, spelled differently, taken
 * from another input or repeated a few hundred times; numbers go to their edges; bodies change places. */
#include <stdbool.h>
#include <string.h>
#include "tests/fuzz/mutate.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

struct edit {
	uint8_t *p;
	size_t n, max;
	uint32_t r;
};
struct part {
	size_t at, len;
};

static uint32_t draw(struct edit *e, uint32_t below)
{
	e->r ^= e->r << 13;
	e->r ^= e->r >> 17;
	e->r ^= e->r << 5;
	return below ? e->r % below : 0;
}

/* Puts n octets in place of old ones; false: no room.  `with` must not point into the input. */
static bool put(struct edit *e, struct part old, const void *with, size_t n)
{
	if (e->n - old.len + n > e->max)
		return false;
	memmove(e->p + old.at + n, e->p + old.at + old.len, e->n - old.at - old.len);
	if (n)
		memcpy(e->p + old.at, with, n);
	e->n = e->n - old.len + n;
	return true;
}

static bool put_c(struct edit *e, size_t at, size_t len, const char *with)
{
	return put(e, (struct part){ at, len }, with, strlen(with));
}

/* A line with its end. */
static struct part line_at(const uint8_t *p, size_t n, size_t at)
{
	struct part l = { at, 0 };
	const uint8_t *end;

	while (l.at && p[l.at - 1] != '\n')
		l.at--;
	end = memchr(p + at, '\n', n - at);
	l.len = (end ? (size_t)(end - p) + 1 : n) - l.at;
	return l;
}

static struct part some_line(struct edit *e)
{
	return line_at(e->p, e->n, draw(e, (uint32_t)e->n));
}

/* A place in a line behind one of these characters, or SIZE_MAX. */
static size_t some_place(struct edit *e, const char *behind)
{
	size_t from = draw(e, (uint32_t)e->n);

	for (size_t i = 0; i < e->n; i++) {
		size_t at = (from + i) % e->n;

		if (strchr(behind, e->p[at]) && e->p[at])
			return at + 1;
	}
	return SIZE_MAX;
}

/* ---- the mutations ---- */

static bool line_drop(struct edit *e)
{
	return put(e, some_line(e), "", 0);
}

static bool line_copy(struct edit *e, unsigned times)
{
	static uint8_t one[4096];
	struct part l = some_line(e), to;
	bool done = false;

	if (l.len > sizeof(one))
		return false;
	memcpy(one, e->p + l.at, l.len);
	to = (struct part){ times > 1 ? l.at : some_line(e).at, 0 };
	for (unsigned i = 0; i < times && put(e, to, one, l.len); i++)
		done = true;
	return done;
}

static bool line_move(struct edit *e)
{
	static uint8_t one[4096];
	struct part l = some_line(e);

	if (l.len > sizeof(one) || l.len == e->n)
		return false;
	memcpy(one, e->p + l.at, l.len);
	put(e, l, "", 0);
	return put(e, (struct part){ some_line(e).at, 0 }, one, l.len);
}

static bool line_new(struct edit *e)
{
	return put_c(e, some_line(e).at, 0, mutate_lines[draw(e, mutate_n_lines)]);
}

static bool line_octets(struct edit *e)
{
	static uint8_t one[8192];
	struct part l = some_line(e);
	size_t n;

	if (l.len > sizeof(one) / 2 || !l.len)
		return false;
	memcpy(one, e->p + l.at, l.len);
	n = LLVMFuzzerMutate(one, l.len, sizeof(one));
	return put(e, l, one, n);
}

static bool number(struct edit *e)
{
	static const char *const edges[] = { "0", "1", "-1", "65535", "65536", "2147483647", "2147483648", "4294967295", "4294967296",
					     "18446744073709551615", "99999999999999999999999", "007", "70", "" };
	size_t from = draw(e, (uint32_t)e->n), at, len = 0;

	for (size_t i = 0; i < e->n; i++) {
		at = (from + i) % e->n;
		if (e->p[at] < '0' || e->p[at] > '9')
			continue;
		while (at && e->p[at - 1] >= '0' && e->p[at - 1] <= '9')
			at--;
		while (at + len < e->n && e->p[at + len] >= '0' && e->p[at + len] <= '9')
			len++;
		return put_c(e, at, len, edges[draw(e, sizeof(edges) / sizeof(edges[0]))]);
	}
	return false;
}

static bool fold(struct edit *e)
{
	size_t at = some_place(e, " ;,:=<");

	return at != SIZE_MAX && put_c(e, at, 0, draw(e, 2) ? "\r\n " : "\n\t");
}

static bool spell(struct edit *e)
{
	struct part l = some_line(e);
	const uint8_t *colon = memchr(e->p + l.at, ':', l.len);
	size_t n = colon ? (size_t)(colon - (e->p + l.at)) : l.len;

	switch (draw(e, 4)) {
	case 0:
		for (size_t i = 0; i < n; i++)
			if ((e->p[l.at + i] | 0x20) >= 'a' && (e->p[l.at + i] | 0x20) <= 'z')
				e->p[l.at + i] ^= 0x20;
		return n > 0;
	case 1: return colon && put_c(e, l.at + n, 0, draw(e, 2) ? " " : "\t ");
	case 2: return colon && put_c(e, l.at, n, mutate_names[draw(e, mutate_n_names)]);
	default: return put_c(e, l.at, 0, " ");
	}
}

static bool sprinkle(struct edit *e)
{
	static const char *const bits[] = { "\"", "\\", "<", ">", ",", ";", "%00", "%", "=", "@", "[", "]", ":", "\r", "\n", " ", "?",
					    ";lr", ";tag=x", ";q=0.5", ";expires=0", ";branch=z9hG4bKx", ";rport", ";ob", "sip:", "tel:+" };
	size_t at = some_place(e, " ;,:=<>\"@&?.");

	return at != SIZE_MAX && put_c(e, at, 0, bits[draw(e, sizeof(bits) / sizeof(bits[0]))]);
}

/* A value or parameter many times over in its line. */
static bool swell(struct edit *e)
{
	static const char *const bits[] = { ";a=b", ",<sip:a@b;lr>", ", SIP/2.0/UDP h;branch=z9hG4bKy", " ", "\r\n ", "\"", "\\", ";", ",",
					    "<", "(", "%41", ";a=\"b\"", "[", "a", "&h=v", "\r\n", "X:y\r\n" };
	const char *bit = bits[draw(e, sizeof(bits) / sizeof(bits[0]))];
	size_t at = some_place(e, " ;,:=>\n");
	unsigned times = 1u << draw(e, 13);
	bool done = false;

	for (unsigned i = 0; at != SIZE_MAX && i < times && put_c(e, at, 0, bit); i++)
		done = true;
	return done;
}

static bool body(struct edit *e)
{
	static const char *const bodies[] = { "\r\n\r\n", "\r\n\r\nv=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
					      "m=audio 49152 RTP/AVP 0\r\n", "\r\n\r\n<?xml version=\"1.0\"?><a/>", "\n\n" };
	size_t at = draw(e, (uint32_t)e->n);

	return put(e, (struct part){ at, draw(e, 2) ? e->n - at : 0 }, bodies[0], 0) &&
	       put_c(e, at, 0, bodies[draw(e, sizeof(bodies) / sizeof(bodies[0]))]);
}

size_t mutate(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct edit e = { data, size, max, seed * 2654435761u | 1 };
	unsigned rounds = 1u << draw(&e, 3);

	if (size == 0 || draw(&e, 4) == 0)
		return LLVMFuzzerMutate(data, size, max);
	for (unsigned i = 0; i < rounds && e.n; i++) {
		switch (draw(&e, 13)) {
		case 0: line_drop(&e); break;
		case 1: line_copy(&e, 1); break;
		case 2: line_copy(&e, 1u << draw(&e, 10)); break;
		case 3: line_move(&e); break;
		case 4: case 5: line_new(&e); break;
		case 6: line_octets(&e); break;
		case 7: number(&e); break;
		case 8: fold(&e); break;
		case 9: spell(&e); break;
		case 10: sprinkle(&e); break;
		case 11: draw(&e, 8) ? sprinkle(&e) : swell(&e); break;
		case 12: body(&e); break;
		}
	}
	return e.n ? e.n : LLVMFuzzerMutate(data, size, max);
}

/* Some lines of the second input go into the first. */
size_t mutate_cross(const uint8_t *a, size_t an, const uint8_t *b, size_t bn, uint8_t *out, size_t max, unsigned seed)
{
	struct edit e = { out, an < max ? an : max, max, seed * 2654435761u | 1 };
	unsigned lines = 1 + draw(&e, 8);

	memcpy(out, a, e.n);
	for (unsigned i = 0; i < lines && bn; i++) {
		struct part l = line_at(b, bn, draw(&e, (uint32_t)bn));

		put(&e, (struct part){ e.n ? some_line(&e).at : 0, 0 }, b + l.at, l.len);
	}
	return e.n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	return mutate(data, size, max, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t an, const uint8_t *b, size_t bn, uint8_t *out, size_t max, unsigned seed)
{
	return mutate_cross(a, an, b, bn, out, max, seed);
}
