/* tests/corpus/read_osip.c - libosip2 (package libosip2-dev); see reader.h. */
#include <sys/time.h>
#include <osipparser2/osip_parser.h>
#include "tests/corpus/reader.h"

static void uri(const char *field, osip_uri_t *u)
{
	char *text;

	if (!u || osip_uri_to_str(u, &text) != 0)
		return;
	found_text(field, text);
	osip_free(text);
}

static void call_id(const osip_message_t *m)
{
	static char text[READER_MAX_BYTES];

	if (!m->call_id)
		return;
	snprintf(text, sizeof(text), "%s%s%s", m->call_id->number, m->call_id->host ? "@" : "", m->call_id->host ? m->call_id->host : "");
	found_text("call-id", text);
}

static void tags(osip_message_t *m)
{
	osip_generic_param_t *p;
	osip_via_t *via = NULL;

	osip_message_get_via(m, 0, &via);
	if (via && osip_via_param_get_byname(via, (char *)"branch", &p) == 0)
		found_text("branch", p->gvalue);
	if (m->from && osip_from_get_tag(m->from, &p) == 0)
		found_text("from-tag", p->gvalue);
	if (m->to && osip_to_get_tag(m->to, &p) == 0)
		found_text("to-tag", p->gvalue);
}

static void body(osip_message_t *m)
{
	osip_body_t *b = NULL;
	size_t l = 0;

	for (int i = 0; osip_message_get_body(m, i, &b) >= 0 && b; i++)
		l += b->length;
	found_number("body", l);
}

static int reader_read(const char *text, size_t l)
{
	osip_contact_t *c = NULL;
	osip_message_t *m;

	if (parser_init() != 0 || osip_message_init(&m) != 0)
		return -1;
	if (osip_message_parse(m, text, l) != 0) {
		osip_message_free(m);
		return -1;
	}
	if (MSG_IS_REQUEST(m)) {
		found_text("method", m->sip_method);
		uri("ruri", m->req_uri);
	} else {
		found_number("status", (unsigned long)m->status_code);
	}
	call_id(m);
	if (m->cseq)
		found_number("cseq", strtoul(m->cseq->number, NULL, 10));
	tags(m);
	osip_message_get_contact(m, 0, &c);
	if (c)
		uri("contact", c->url);
	body(m);
	osip_message_free(m);
	return 0;
}
