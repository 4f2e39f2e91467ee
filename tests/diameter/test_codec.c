/* tests/diameter/test_codec.c - octets of peers before the library sees them: traps 1 and 2 of common/diameter/README.md; RFC 6733 §4.1, D15. */
#include <string.h>
#include "common/diameter/private.h"
#include "tests/check.h"

#define REQUEST "\x01\0\0\x28" "\x80\0\x01\x2c" "\x01\0\0\0" "\0\0\0\x01" "\0\0\0\x02"
#define ANSWER "\x01\0\0\x28" "\0\0\x01\x2c" "\x01\0\0\0" "\0\0\0\x01" "\0\0\0\x02"
#define ROW(name, in, out) { name, in, out, sizeof(in) - 1 }

static const struct { const char *name, *in, *out; size_t n; } rows[] = {
	ROW("M of an answer's AVP goes", ANSWER "\0\0\x13\x88\x40\0\0\x0c" "abcd", ANSWER "\0\0\x13\x88\0\0\0\x0c" "abcd"),
	ROW("M goes, V and P stay", ANSWER "\0\0\x13\x88\xe0\0\0\x10\0\0\x28\xaf" "abcd", ANSWER "\0\0\x13\x88\xa0\0\0\x10\0\0\x28\xaf" "abcd"),
	ROW("M of a request's stays", REQUEST "\0\0\x13\x88\x40\0\0\x0c" "abcd", REQUEST "\0\0\x13\x88\x40\0\0\x0c" "abcd"),
	ROW("of each AVP, behind padding", ANSWER "\0\0\x13\x88\x40\0\0\x09" "a\0\0\0" "\0\0\x13\x89\x40\0\0\x08",
	    ANSWER "\0\0\x13\x88\0\0\0\x09" "a\0\0\0" "\0\0\x13\x89\0\0\0\x08"),
	ROW("Result-Code as it should be", ANSWER "\0\0\x01\x0c\x40\0\0\x0c\0\0\x07\xd1", ANSWER "\0\0\x01\x0c\0\0\0\x0c\0\0\x07\xd1"),
	ROW("Result-Code too short: nobody knows it", ANSWER "\0\0\x01\x0c\x40\0\0\x0a\x07\xd1\0\0", ANSWER "\0\xff\xff\xff\0\0\0\x0a\x07\xd1\0\0"),
	ROW("Result-Code empty", ANSWER "\0\0\x01\x0c\x40\0\0\x08", ANSWER "\0\xff\xff\xff\0\0\0\x08"),
	ROW("Result-Code too long", ANSWER "\0\0\x01\x0c\x40\0\0\x10\0\0\0\0\0\0\x07\xd1", ANSWER "\0\xff\xff\xff\0\0\0\x10\0\0\0\0\0\0\x07\xd1"),
	ROW("in a request too", REQUEST "\0\0\x01\x0c\x40\0\0\x0a\x07\xd1\0\0", REQUEST "\0\xff\xff\xff\0\0\0\x0a\x07\xd1\0\0"),
	ROW("longer than the message: left alone", ANSWER "\0\0\x13\x88\x40\0\xff\x0c" "abcd", ANSWER "\0\0\x13\x88\x40\0\xff\x0c" "abcd"),
	ROW("shorter than its own head", ANSWER "\0\0\x13\x88\x40\0\0\x04" "abcd", ANSWER "\0\0\x13\x88\x40\0\0\x04" "abcd"),
	ROW("no AVP", ANSWER, ANSWER), ROW("half a header", "\x01\0\0\x28\0\0", "\x01\0\0\x28\0\0"), ROW("nothing", "", ""),
};

START_TEST(test_defuse_row_D15)
{
	uint8_t copy[64];

	ck_assert_uint_le(rows[_i].n, sizeof(copy));
	memcpy(copy, rows[_i].in, rows[_i].n);
	codec_defuse(copy, rows[_i].n);
	ck_assert_msg(memcmp(copy, rows[_i].out, rows[_i].n) == 0, "%s", rows[_i].name);
}
END_TEST

TEST_MAIN("codec", TEST_ROWS(test_defuse_row_D15, rows))
