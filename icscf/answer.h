/* icscf/answer.h - what the I-CSCF does with each Cx answer, in one table.  TS 24.229 §5.3.1.2, §5.3.2.1;
 * TS 29.228 §6.1.1, §6.1.4; rows I1-I3, I6, D10.
 *
 * 403 is for policy (unknown, not allowed, roaming); a HSS that fails or is silent gives 5xx with Retry-After,
 * because phones give up on 403 (row R8). */
#pragma once
#include <stdbool.h>
#include "common/diameter/cx.h"

enum icscf_action {
	ICSCF_TO_SERVER,		/* the answer names the S-CSCF */
	ICSCF_SELECT,			/* capabilities or neither: choose one (or take the configured default) */
	ICSCF_UNREGISTERED,		/* LIR 2003: choose one for services of the unregistered user */
	ICSCF_REFUSE,			/* answer `status` */
};
struct icscf_verdict {
	enum icscf_action action;
	unsigned status;		/* with ICSCF_REFUSE */
	bool retry_after;		/* the failure may pass: add Retry-After */
	const char *why;		/* one sentence for log, REST and Warning */
};
struct icscf_verdict icscf_uaa_judge(const struct cx_uaa *a);
struct icscf_verdict icscf_lia_judge(const struct cx_lia *a);
