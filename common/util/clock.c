/* common/util/clock.c - monotonic and wall clock. */
#include <stdio.h>
#include <time.h>
#include "common/util/clock.h"

static uint64_t now_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
	return now_us(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

uint64_t clock_wall_us(void)
{
	return now_us(CLOCK_REALTIME);
}

uint64_t clock_wall_us_of(uint64_t mono_ms)
{
	uint64_t at_us = mono_ms * 1000 + (clock_wall_us() - clock_mono_us());

	return (at_us + 500000) / 1000000 * 1000000;
}

void clock_rfc3339(uint64_t wall_us, char dst[40])
{
	time_t s = (time_t)(wall_us / 1000000);
	struct tm tm;

	gmtime_r(&s, &tm);
	snprintf(dst, 40, "%04d-%02d-%02dT%02d:%02d:%02d.%06uZ", (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday,
		 tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(wall_us % 1000000));
}
