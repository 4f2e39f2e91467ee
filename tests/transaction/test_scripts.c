/* tests/transaction/test_scripts.c - scripts of fuzz_tx.c from a fixed generator, in every build. */
#include <stdint.h>
#include "tests/check.h"

#define SCRIPTS 400
#define SCRIPT_BYTES 400

void fuzz_one(const uint8_t *data, size_t size);

static uint64_t next(uint64_t *x)	/* xorshift: the same scripts everywhere */
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static const uint64_t seeds[] = { 1, 0x3261, 0x6026, 0x4320 };

START_TEST(test_scripts)
{
	uint8_t script[SCRIPT_BYTES];
	uint64_t x = seeds[_i];

	for (int n = 0; n < SCRIPTS; n++) {
		for (size_t i = 0; i < sizeof(script); i++)
			script[i] = (uint8_t)(next(&x) >> 32);
		fuzz_one(script, sizeof(script));
	}
}
END_TEST

TEST_MAIN("scripts", TEST_ROWS(test_scripts, seeds))
