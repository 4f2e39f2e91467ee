/* tests/corpus/read_ours.c - see reader.h. */
#include "common/sip/msg.h"
#include "tests/corpus/reader.h"

static void slice(const char *field, struct str s)
{
	if (s.p)
		found(field, s.p, s.l);
}

static int reader_read(const char *text, size_t l)
{
	struct sip_parse_error e;
	struct sip_nameaddr na;
	struct sip_values contacts;
	struct sip_msg *m = NULL;
	struct str v;

	if (sip_msg_parse_copy(str_make(text, l), NULL, &m, &e) < 0) {
		sip_msg_unref(m);
		return -1;
	}
	if (m->request) {
		slice("method", m->method_name);
		slice("ruri", m->ruri_text);
	} else {
		found_number("status", m->status);
	}
	slice("call-id", m->call_id);
	found_number("cseq", m->cseq);
	slice("branch", m->via.branch);
	slice("from-tag", m->from_tag);
	slice("to-tag", m->to_tag);
	contacts = sip_values(m, SIP_H_CONTACT);
	if (sip_values_next(&contacts, &v) && sip_nameaddr_parse(v, &na) == 0)
		slice("contact", na.star ? na.text : na.uri.text);
	found_number("body", m->body.l);
	sip_msg_unref(m);
	return 0;
}
