/* icscf/config.c - the keys that only the I-CSCF has. */
#include "common/sip/uri.h"
#include "icscf/icscf.h"

#define CAP_MAX 10			/* digits of an Unsigned32 */

const struct cfg_row icscf_schema[] = {
	{ "selection", CFG_MAP, .flags = CFG_RELOAD, .help = "Which S-CSCF serves a user when the HSS does not name one." },
	{ "selection.default_server", CFG_STR, 1, 253, NULL, NULL, CFG_RELOAD, NULL,
	  "S-CSCF for users of whom the HSS says neither a name nor capabilities: sip:scscf.DOMAIN:6060." },
	{ "selection.servers", CFG_LIST, .flags = CFG_RELOAD, .help = "The S-CSCFs to choose from, with what they can do." },
	{ "selection.servers[].name", CFG_STR, 1, 253, NULL, NULL, CFG_REQUIRED | CFG_RELOAD, NULL,
	  "Its SIP URI, as it gives it to the HSS." },
	{ "selection.servers[].capabilities", CFG_STR_LIST, 1, CAP_MAX, NULL, "@digits", CFG_RELOAD, NULL,
	  "The capabilities it has (TS 29.229 §6.3.5, §6.3.6): numbers that the operator gives a meaning." },
	{ "selection.servers[].priority", CFG_INT, 0, 65535, "0", NULL, CFG_RELOAD, NULL, "Lower ones are taken first." },
	{ "selection.servers[].weight", CFG_INT, 0, 1000, "1", NULL, CFG_RELOAD, NULL,
	  "Its share among those of one priority." },
	{ "selection.max_attempts", CFG_INT, 1, SELECT_MAX_ATTEMPTS, "3", NULL, CFG_RELOAD, NULL,
	  "S-CSCFs that are tried for one request." },
	{ "selection.server_wait_ms", CFG_INT, 100, 32000, "6000", NULL, CFG_RELOAD, "ms",
	  "An S-CSCF that says nothing so long has failed; longer than its own wait for the HSS." },
	{ "selection.suspect_s", CFG_INT, 0, 3600, "30", NULL, CFG_RELOAD, "s", "One that failed is taken last for so long." },
	{ "selection.retry_after_s", CFG_INT, 1, 3600, "10", NULL, CFG_RELOAD, "s",
	  "Retry-After in refusals that may pass; up to half is added at random." },
	{ "selection.tell_user_database", CFG_BOOL, 0, 0, "false", NULL, CFG_RELOAD, NULL,
	  "Tell the S-CSCF in P-User-Database (RFC 4457) which HSS answered, so that it needs not ask a SLF again." },
	{ "trust", CFG_MAP, .help = "The trust domain (TS 24.229 §4.4)." },
	{ "trust.networks", CFG_STR_LIST, 2, 80, NULL, NULL, 0, NULL,
	  "ADDRESS or ADDRESS/BITS of nodes inside of it; what others assert is taken out, they may not register; none: all are "
	  "inside." },
	{ "trust.application_servers", CFG_STR_LIST, 2, 80, NULL, NULL, 0, NULL,
	  "ADDRESS or ADDRESS/BITS of application servers that may originate for a user (`orig` in the Route): inside of the trust domain; none: "
	  "nobody may by way of here.  The S-CSCF must name this node in sessions.interrogating." },
	{ "trust.hide_users", CFG_BOOL, 0, 0, "true", NULL, 0, NULL,
	  "Senders outside of trust.networks hear 480 of a callee who is unknown, barred or not registered, whichever it is." },
	{ "trust.refusal_ms", CFG_INT, 0, 5000, "500", NULL, 0, "ms",
	  "And that no earlier after the request: how long the HSS and the S-CSCF took would tell which it is.  More than two answers of the HSS "
	  "take." },
	{ "numbers", CFG_MAP, .help = "Telephone numbers that are not of this network." },
	{ "numbers.next_hop", CFG_STR, 1, 253, NULL, NULL, 0, NULL, "SIP URI of the BGCF or gateway they go to; absent: 404." },
	{ 0 },
};

static void check_uri(const struct cfg_node *n, const char *path, struct buf *errors)
{
	char text[SCSCF_URI_MAX];
	struct str value = cfg_str(n, path), uri;

	if (cfg_has(n, path) && scscf_uri(value, text, &uri) < 0)
		cfg_error(n, path, errors, "%s: \"%.*s\" is not a SIP URI: write \"sip:HOST:PORT\"", path, STR_ARG(value));
}

void icscf_config_check(const struct cfg *c, struct buf *errors)
{
	const struct cfg_node *r = cfg_root(c);
	size_t n = cfg_list_len(r, "selection.servers");
	uint32_t cap;

	check_uri(r, "selection.default_server", errors);
	check_uri(r, "numbers.next_hop", errors);
	networks_check(r, "trust.networks", errors);
	networks_check(r, "trust.application_servers", errors);
	if (n > SELECT_MAX_SERVERS)
		cfg_error(r, "selection.servers", errors, "selection.servers: at most %d", SELECT_MAX_SERVERS);
	for (size_t i = 0; i < n; i++) {
		const struct cfg_node *row = cfg_list_at(r, "selection.servers", i);
		size_t n_caps = cfg_list_len(row, "capabilities");

		check_uri(row, "name", errors);
		if (n_caps > CX_MAX_LIST)
			cfg_error(row, "capabilities", errors, "capabilities: at most %d", CX_MAX_LIST);
		for (size_t k = 0; k < n_caps; k++)
			if (str_to_u32(cfg_strs_at(row, "capabilities", k), &cap) < 0)
				cfg_error(row, "capabilities", errors, "capabilities: %.*s is over 4294967295",
					  STR_ARG(cfg_strs_at(row, "capabilities", k)));
	}
}
