/* tests/fuzz/checks.c - the rigs of the unit tests assert through Check; outside of a test runner a failed one aborts. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void _ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: %s: ", file, line, expr);
	if (msg) {
		va_start(ap, msg);
		vfprintf(stderr, msg, ap);
		va_end(ap);
	}
	fprintf(stderr, "\n");
	abort();
}

void _mark_point(const char *file, int line)
{
	(void)file, (void)line;
}
