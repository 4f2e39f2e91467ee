/* tests/fuzz/mutate.h - the line mutator, and the words it has. */
#pragma once
#include <stddef.h>
#include <stdint.h>

extern const char *const mutate_lines[];	/* whole lines with their ends */
extern const unsigned mutate_n_lines;
extern const char *const mutate_names[];	/* header names, compact and odd ones too */
extern const unsigned mutate_n_names;

/* data has room for max octets.  Returns the new size, 1..max. */
size_t mutate(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t mutate_cross(const uint8_t *a, size_t an, const uint8_t *b, size_t bn, uint8_t *out, size_t max, unsigned seed);

/* The names libFuzzer looks for. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t an, const uint8_t *b, size_t bn, uint8_t *out, size_t max, unsigned seed);
