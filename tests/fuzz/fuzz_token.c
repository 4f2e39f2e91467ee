/* tests/fuzz/fuzz_token.c - routing tokens: nothing but what token_make() wrote is believed. */
#include <errno.h>
#include <string.h>
#include "common/sip/token.h"
#include "tests/fuzz/fuzz.h"

static const struct token_key key = { "0123456789abcde" };

void fuzz_one(const uint8_t *data, size_t size)
{
	struct token t = { 0 }, back;
	char text[TOKEN_STRLEN], again[TOKEN_STRLEN];
	struct str in = str_make((const char *)data, size);
	int rc = token_read(&key, in, &t);

	MUST(rc == 0 || rc == -EBADMSG || rc == -EPERM);
	if (rc == 0) {				/* only from the seeds: then it is the very text */
		token_make(&key, &t, text);
		MUST(str_eq_c(in, text));
	}
	if (size < 12)
		return;
	t = (struct token){ .kind = data[0], .flags = data[1], .aux = (uint16_t)(data[2] << 8 | data[3]) };
	memcpy(&t.id, data + 4, 8);
	token_make(&key, &t, text);
	MUST(token_read(&key, str_from_c(text), &back) == 0 && back.id == t.id && back.kind == t.kind && back.aux == t.aux);
	strcpy(again, text);
	again[data[0] % strlen(again)] ^= 1u << data[1] % 7;
	MUST(token_read(&key, str_from_c(again), &back) < 0);		/* no other spelling, no other bit */
}
