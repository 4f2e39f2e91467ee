/* pcscf/policy_config.h - policy.*: whom to ask about the bearers of which phone, and what a no or a silence means.  Rows Q7, Q12. */
#pragma once
#include "common/config/config.h"
#include "pcscf/binding.h"
#include "pcscf/n5_config.h"

#define POLICY_MAX_RULES 16u		/* entries of policy.access */

enum policy_mode { POLICY_OFF, POLICY_RX, POLICY_N5, POLICY_BSF, POLICY_N_MODES };	/* BSF: it says which */
enum policy_choice { POLICY_REFUSE, POLICY_GO_ON, POLICY_RETRY };

struct policy_config {			/* policy.*; names as in the configuration */
	enum policy_mode mode;
	struct policy_rule {
		struct addr network;	/* unset: any */
		unsigned bits;
		struct str type;	/* beginning of P-Access-Network-Info; empty: any */
		enum policy_mode mode;
	} rule[POLICY_MAX_RULES];
	unsigned n_rules;
	bool used[POLICY_N_MODES];	/* some phone may have that mode, and what it needs is there */
	enum policy_mode bsf_none, bsf_silent;	/* of mode bsf: no binding; no answer */
	enum policy_choice on_refused, on_silence;
	bool release_on_loss;		/* policy.on_loss */
	bool location, registration;
	uint32_t wait_ms, max_calls, max_call_s;
	unsigned media;			/* bits by enum media_type: what is asked about */
	struct str realm, host, application, mps;	/* policy.rx.*; realm, host empty: not said */
	struct n5_config n5;		/* policy.n5.*; of mode n5 */
};
void policy_config_check(const struct cfg_node *r, struct buf *errors);
void policy_config_read(struct policy_config *c, const struct cfg_node *r);
bool policy_is_used(const struct policy_config *c);
enum policy_mode policy_mode_of(const struct policy_config *c, const struct binding *b);
const char *policy_mode_name(enum policy_mode m);
