/* common/util/rand.h - random values from the kernel (getrandom), buffered per thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *dst, size_t n);
uint32_t rand_u32(void);
uint64_t rand_u64(void);
uint32_t rand_below(uint32_t n);		/* uniform in 0..n-1; n > 0 */
void rand_token(char *dst, size_t n);		/* n characters of [0-9a-zA-Z], then NUL: dst has n+1 */
