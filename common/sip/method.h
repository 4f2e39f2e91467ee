/* common/sip/method.h - methods, status classes and reason phrases. */
#pragma once
#include "common/util/str.h"

enum sip_method {
	SIP_UNKNOWN_METHOD,		/* any other token: passes like a non-INVITE request */
	SIP_REGISTER, SIP_INVITE, SIP_ACK, SIP_CANCEL, SIP_BYE, SIP_OPTIONS, SIP_INFO, SIP_MESSAGE, SIP_SUBSCRIBE,
	SIP_NOTIFY, SIP_UPDATE, SIP_PRACK, SIP_PUBLISH, SIP_REFER,
	SIP_N_METHODS
};

enum sip_method sip_method_from_str(struct str token);		/* case matters: RFC 3261 §7.1 */
const char *sip_method_name(enum sip_method m);			/* "INVITE"; "UNKNOWN" */
const char *sip_reason_phrase(unsigned status);			/* never NULL; falls back to the class's phrase */
