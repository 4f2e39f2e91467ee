/* tests/fuzz/fuzz.h - what every fuzz target and its drivers (libFuzzer, replay.c) share.
 *
 * A target is fuzz_NAME.c with fuzz_one().  guard.c owns the entry that libFuzzer calls and holds every input to a budget of
 * time and memory; seeds are in seeds/NAME, words in NAME.dict. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include "tests/fuzz/guard.h"

/* Not assert(): must hold with NDEBUG too. */
#define MUST(x) do { if (!(x)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); abort(); } } while (0)

void fuzz_one(const uint8_t *data, size_t size);			/* the target */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);		/* guard.c */
