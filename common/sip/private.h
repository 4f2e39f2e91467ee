/* common/sip/private.h - what the files of common/sip share with each other only. */
#pragma once
#include "common/sip/msg.h"

#define SIP_NO_HDR 0xffffu

/* Like sip_via_parse, but only an unusable protocol or sent-by fails; *ret_clean says whether the rest keeps the
 * grammar, so that a request with a dirty Via can still be refused by a response. */
int sip_via_parse_lenient(struct str value, struct sip_via *ret, bool *ret_clean);
/* The topmost Via value with received and rport as RFC 3261 §18.2.1 and RFC 3581 §4 want them, in `a`.
 * value: the topmost element.  vouch: received in any case.  Returns it unchanged when there is nothing to do; empty when out of
 * memory. */
struct str sip_via_fixed(const struct sip_msg *m, struct str value, bool vouch, struct arena *a);

#define SIP_DECIMAL_MAX 24
static inline struct str sip_decimal(size_t n, char dst[SIP_DECIMAL_MAX])
{
	size_t i = SIP_DECIMAL_MAX;

	do
		dst[--i] = (char)('0' + n % 10);
	while (n /= 10);
	return str_make(dst + i, SIP_DECIMAL_MAX - i);
}
