/* common/util/clock.h - the two clocks: monotonic for timers, wall for what people and files see. */
#pragma once
#include <stdint.h>

uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
uint64_t clock_wall_us(void);			/* since 1970-01-01T00:00:00Z */
/* When the monotonic clock shows or showed that, to the second: asked again it says the same, unless somebody sets the clock. */
uint64_t clock_wall_us_of(uint64_t mono_ms);
void clock_rfc3339(uint64_t wall_us, char dst[40]);	/* "2026-01-31T12:04:05.123456Z" */
