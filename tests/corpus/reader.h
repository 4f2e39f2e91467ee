/* tests/corpus/reader.h - main() of a program that reads one message and says what it found, so that parsers can be compared:
 *
 *   PROGRAM FILE		lines "@field HEX", or "@refused"; other lines are a library's own
 *
 * Each library's file defines reader_read(), which calls found() for what it read. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READER_MAX_BYTES 70000u

static void found(const char *field, const char *p, size_t l)
{
	printf("@%s ", field);
	for (size_t i = 0; i < l; i++)
		printf("%02x", (unsigned char)p[i]);
	putchar('\n');
}

static inline void found_text(const char *field, const char *text)
{
	if (text)
		found(field, text, strlen(text));
}

static inline void found_number(const char *field, unsigned long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", n);
	found_text(field, text);
}

static int reader_read(const char *text, size_t l);		/* 0, or -1: refused */

int main(int argc, char **argv)
{
	static char all[READER_MAX_BYTES + 1];
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	char *text;
	size_t l;

	if (!f)
		return 2;
	l = fread(all, 1, READER_MAX_BYTES, f);
	fclose(f);
	text = malloc(l + 1);			/* some want it to end with NUL */
	if (!text)
		return 2;
	memcpy(text, all, l + 1);
	if (reader_read(text, l) < 0)
		puts("@refused");
	free(text);
	return 0;
}
