/* tests/ue/events.c - one JSON object per line on stdout, flushed at once. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/clock.h"
#include "tests/ue/ue.h"

cJSON *event_new(const char *name)
{
	cJSON *e = cJSON_CreateObject();
	char now[40];

	clock_rfc3339(clock_wall_us(), now);
	cJSON_AddStringToObject(e, "t", now);
	cJSON_AddStringToObject(e, "event", name);
	return e;
}

/* Length of the UTF-8 sequence that begins s (RFC 3629 §4), 0 when it is none. */
static size_t utf8_len(struct str s)
{
	unsigned char c = (unsigned char)s.p[0], low = 0x80, high = 0xbf;
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;

	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	if (n > s.l)
		return 0;
	for (size_t i = 1; i < n; i++, low = 0x80, high = 0xbf)
		if ((unsigned char)s.p[i] < low || (unsigned char)s.p[i] > high)
			return 0;
	return n;
}

/* What is no UTF-8, and NUL, becomes '?': every line can be read as JSON whatever the network sent. */
static cJSON *text_of(struct str s)
{
	char *p = malloc(s.l + 1);
	cJSON *j = NULL;

	if (!p)
		return NULL;
	for (size_t i = 0, n; i < s.l; i += n ? n : 1) {
		n = s.p[i] ? utf8_len(str_from(s, i)) : 0;
		if (n)
			memcpy(p + i, s.p + i, n);
		else
			p[i] = '?';
	}
	p[s.l] = '\0';
	j = cJSON_CreateString(p);
	free(p);
	return j;
}

void event_str(cJSON *e, const char *key, struct str value)
{
	cJSON_AddItemToObject(e, key, text_of(value));
}

void event_num(cJSON *e, const char *key, double value)
{
	cJSON_AddNumberToObject(e, key, value);
}

void event_flag(cJSON *e, const char *key, bool value)
{
	cJSON_AddBoolToObject(e, key, value);
}

void event_uris(cJSON *e, const char *key, const struct sip_msg *m, enum sip_hdr_id id)
{
	cJSON *list = cJSON_AddArrayToObject(e, key);
	struct sip_values it = sip_values(m, id);
	struct sip_nameaddr na;
	struct str v;

	while (sip_values_next(&it, &v))
		cJSON_AddItemToArray(list, text_of(sip_nameaddr_parse(v, &na) || na.star ? v : na.uri.text));
}

void event_put(struct ue *u, cJSON *e, bool bad)
{
	char *line = cJSON_PrintUnformatted(e);
	const cJSON *name = cJSON_GetObjectItem(e, "event");

	if (line) {
		puts(line);
		fflush(stdout);
	}
	cJSON_free(line);
	if (cJSON_IsString(name))
		commands_event(u, name->valuestring, bad);
	cJSON_Delete(e);
}

void event_error(struct ue *u, const char *fmt, ...)
{
	cJSON *e = event_new("error");
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	event_str(e, "text", str_from_c(text));
	event_put(u, e, true);
}
