/* common/util/clock.c - monotonic and wall clock. */
#include <stdio.h>
#include <string.h>
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
	static _Thread_local struct {		/* every line of the log has one, many in a second */
		time_t s;
		char text[72];
	} last = { .s = -1 };
	time_t s = (time_t)(wall_us / 1000000);
	unsigned us = (unsigned)(wall_us % 1000000);
	struct tm tm;

	if (s != last.s) {
		gmtime_r(&s, &tm);
		snprintf(last.text, sizeof(last.text), "%04d-%02d-%02dT%02d:%02d:%02d.", (tm.tm_year + 1900) % 10000, tm.tm_mon + 1,
			 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		last.s = s;
	}
	memcpy(dst, last.text, 20);
	for (int i = 25; i >= 20; i--, us /= 10)
		dst[i] = (char)('0' + us % 10);
	memcpy(dst + 26, "Z", 2);
}
