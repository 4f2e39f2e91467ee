/* tests/corpus/read_sofia.c - Sofia-SIP (package libsofia-sip-ua-dev); see reader.h. */
#include <sofia-sip/msg_parser.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_extra.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/url.h>
#include "tests/corpus/reader.h"

static void uri(const char *field, const url_t *u)
{
	static char text[READER_MAX_BYTES];

	if (url_e(text, sizeof(text), u) > 0)
		found_text(field, text);
}

static void read_all(const sip_t *sip)
{
	if (sip->sip_request) {
		found_text("method", sip->sip_request->rq_method_name);
		uri("ruri", sip->sip_request->rq_url);
	} else {
		found_number("status", (unsigned long)sip->sip_status->st_status);
	}
	found_text("call-id", sip->sip_call_id->i_id);
	found_number("cseq", sip->sip_cseq->cs_seq);
	found_text("branch", sip->sip_via->v_branch);
	found_text("from-tag", sip->sip_from->a_tag);
	found_text("to-tag", sip->sip_to->a_tag);
	if (sip->sip_contact)
		uri("contact", sip->sip_contact->m_url);
	found_number("body", sip->sip_payload ? sip->sip_payload->pl_len : 0);
}

static int reader_read(const char *text, size_t l)
{
	const msg_mclass_t *class = sip_extend_mclass(NULL);
	msg_t *m = class ? msg_make(class, 0, text, (ssize_t)l) : NULL;
	sip_t *sip = m ? sip_object(m) : NULL;
	int rc = -1;

	/* What its own transaction layer looks at before it takes a message. */
	if (sip && (sip->sip_request || sip->sip_status) && !(sip->sip_flags & MSG_FLG_ERROR) && sip_sanity_check(sip) == 0 &&
	    sip->sip_via && sip->sip_from && sip->sip_to) {
		read_all(sip);
		rc = 0;
	}
	msg_destroy(m);
	return rc;
}
