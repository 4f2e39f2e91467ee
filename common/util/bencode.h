/* common/util/bencode.h - bencode: integers ("i42e"), strings ("4:spam"), lists ("l...e") and dictionaries ("d...e"), as the ng protocol of
 * rtpengine writes them.
 *
 * Reading gives slices of the octets and allocates nothing; the cost is linear in them.  What is nested deeper than BENCODE_MAX_DEPTH is
 * refused, and so is what no writer makes: leading zeros, "-0", a key that is no string.  The order of keys does not matter. */
#pragma once
#include "common/util/bytes.h"

#define BENCODE_MAX_DEPTH 16u

/* The value that `in` begins with, whole and checked to its innermost; `*ret_rest` (may be NULL) is what stands behind it.
 * 0, or -EBADMSG. */
int bencode_value(struct str in, struct str *ret, struct str *ret_rest);

/* Of a value that was checked; false: it is of another kind (or an integer that does not fit). */
bool bencode_str(struct str value, struct str *ret);
bool bencode_int(struct str value, int64_t *ret);

struct bencode_walk {
	struct str rest;
	bool dict;
};
bool bencode_walk(struct str value, struct bencode_walk *ret);		/* false: neither list nor dictionary */
/* The next element; ret_key is empty in a list.  false: no more. */
bool bencode_next(struct bencode_walk *w, struct str *ret_key, struct str *ret_value);
/* The first value under that key; false: there is none, or `dict` is no dictionary. */
bool bencode_find(struct str dict, const char *key, struct str *ret_value);
struct str bencode_find_str(struct str dict, const char *key);		/* empty: none, or no string */

/* Writing: "d" and "l", what belongs in there, "e" are the caller's. */
void bencode_put_str(struct buf *b, struct str s);
void bencode_put_int(struct buf *b, int64_t n);
void bencode_put_pair(struct buf *b, const char *key, struct str value);	/* of a dictionary, with a string */
