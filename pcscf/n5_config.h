/* pcscf/n5_config.h - policy.n5.*: which network functions are asked, and how they reach us.  Rows Q10 to Q13. */
#pragma once
#include "common/config/config.h"
#include "common/util/addr.h"

#define N5_URI_BYTES 256u		/* of a root that is configured */

struct n5_config {			/* texts live with the configuration; empty: not said */
	struct str pcf, nrf, bsf, scp;	/* "http://ADDRESS:PORT[/PREFIX]" */
	bool oauth2;
	struct addr listen;
	char notify_root[N5_URI_BYTES];	/* how the PCF reaches us */
	char instance[40];		/* nfInstanceId */
	struct str dnn, snssai, application, mps;
	uint32_t timeout_ms, find_ms, bsf_cache_s;
	const char *cert_file, *key_file, *ca_file;
	bool tls;			/* our notification endpoint too */
};
void n5_config_check(const struct cfg_node *r, struct buf *errors);	/* policy.n5 must do for mode n5 */
void n5_config_read(struct n5_config *c, const struct cfg_node *r);
