/* pcscf/trust.h - what may cross between a phone and the core, by header: rows P12, P1, R7; TS 24.229 §4.4, §5.2.6.
 *
 * The phone is outside of the trust domain (RFC 3325).  One table says what is taken out, on which of four ways. */
#pragma once
#include "common/sip/out.h"

enum trust_way {
	TRUST_REQ_FROM_PHONE = 1, TRUST_RESP_FROM_PHONE = 2, TRUST_REQ_TO_PHONE = 4, TRUST_RESP_TO_PHONE = 8
};
struct pcscf_config;

/* Adds to `o` the edits for its message on that way.  Returns how many lines or values are taken out. */
unsigned trust_strip(const struct pcscf_config *c, struct sip_out *o, enum trust_way way);
extern struct metric trust_metric_stripped;

/* ---- credentials.c ---- */
enum credentials {
	CREDENTIALS_NONE,		/* no Authorization at all */
	CREDENTIALS_EMPTY,		/* names the user, answers nothing */
	CREDENTIALS_AKA,		/* answers an AKA challenge */
	CREDENTIALS_DIGEST,		/* answers a Digest challenge */
};
enum credentials credentials_kind(const struct sip_msg *m);
/* Takes every integrity-protected out of Authorization and Proxy-Authorization (S4) and puts `value` into each Digest
 * Authorization; NULL: none.  0, or -EBADMSG: one cannot be read well enough to be sure. */
int credentials_set_integrity(struct sip_out *o, const char *value);
/* Takes ck and ik out of every challenge (row R7).  What cannot be read well enough to be sure goes as a whole. */
void credentials_hide_keys(struct sip_out *o);
