/* tests/hss/hss_config.c - keys of labhssd's file. */
#include <stdio.h>
#include <stdlib.h>
#include "tests/hss/hss_config.h"

const struct cfg_row hss_common_schema[] = {
	{ "plmn", CFG_MAP, .help = "The home network; realm and domain derive from it (TS 23.003 §13)." },
	{ "plmn.mcc", CFG_STR, 3, 3, NULL, "@digits", CFG_REQUIRED, NULL, "Mobile country code, three digits." },
	{ "plmn.mnc", CFG_STR, 2, 3, NULL, "@digits", CFG_REQUIRED, NULL, "Mobile network code, two or three digits." },
	{ "domain", CFG_STR, 1, 253, NULL, "@host", 0, NULL, "Home domain, when it is not the one of the PLMN." },
	{ "diameter", CFG_MAP, .flags = CFG_REQUIRED, .help = "The Diameter node.  Any peer may connect." },
	{ "diameter.identity", CFG_STR, 1, 253, NULL, "@host", CFG_REQUIRED, NULL, "Origin-Host of this node." },
	{ "diameter.realm", CFG_STR, 1, 253, NULL, "@host", 0, NULL, "Origin-Realm; else the home domain." },
	{ "diameter.listen", CFG_ADDR, 0, 0, NULL, NULL, CFG_REQUIRED, NULL, "Where peers connect." },
	{ "diameter.request_timeout_ms", CFG_INT, 100, 60000, "5000", NULL, 0, "ms", "RTR and PPR: an answer that takes longer is given up." },
	{ "diameter.max_outstanding", CFG_INT, 1, 10000, "64", NULL, 0, NULL, "RTR and PPR at a time without an answer." },
	{ "rest", CFG_MAP, .help = "The control interface." },
	{ "rest.listen", CFG_ADDR, 0, 0, NULL, NULL, 0, NULL, "Where it is served." },
	{ "rest.token_file", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "File whose first line is the bearer token." },
	{ "rest.token", CFG_STR, 1, 512, NULL, NULL, CFG_SECRET, NULL, "The bearer token itself." },
	{ "rest.unix_socket", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "Unix socket; needs no token." },
	{ "state", CFG_MAP, .help = "SQN and S-CSCF assignments." },
	{ "state.dir", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "Their directory; absent: they end with the process." },
	{ "log", CFG_MAP, .help = "The log, on standard error." },
	{ "log.level", CFG_ENUM, 0, 0, "info", "error|warn|info|debug", CFG_RELOAD, NULL, "Level of all areas." },
	{ "log.format", CFG_ENUM, 0, 0, "text", "text|json", 0, NULL, "Lines for people or for machines." },
	{ "log.levels", CFG_STR_MAP, 0, 0, NULL, "@loglevel", CFG_RELOAD, NULL, "Level of single areas." },
	{ 0 },
};

const struct cfg_row hss_schema[] = {
	{ "subscribers_file", CFG_FILE, 0, 0, NULL, NULL, CFG_RELOAD, NULL, "YAML list of subscribers; absent: none but by REST." },
	{ "hss", CFG_MAP, .help = "How this HSS answers." },
	{ "hss.zero_in_res", CFG_BOOL, 0, 0, "false", NULL, CFG_RELOAD, NULL,
	  "Use RANDs whose RES has a zero octet; some agents take RES for a C string." },
	{ "hss.max_vectors", CFG_INT, 1, CX_MAX_VECTORS, "5", NULL, CFG_RELOAD, NULL, "Vectors in one answer at most." },
	{ "hss.keep_server_name", CFG_BOOL, 0, 0, "true", NULL, CFG_RELOAD, NULL,
	  "De-registration with STORE_SERVER_NAME keeps the S-CSCF; else 2004." },
	{ "hss.rtr_on_new_server", CFG_BOOL, 0, 0, "true", NULL, CFG_RELOAD, NULL, "RTR to the S-CSCF that lost a user to another." },
	{ "hss.restoration", CFG_BOOL, 0, 0, "true", NULL, CFG_RELOAD, NULL,
	  "Keeps what S-CSCFs tell of their registrations (SCSCF-Restoration-Info) and says so." },
	{ "hss.shared_state", CFG_BOOL, 0, 0, "false", NULL, CFG_RELOAD, NULL,
	  "Other labhssd use state.dir too: it is read anew for each request, as the front ends of one HSS do." },
	{ "hss.primary_ccf", CFG_STR, 1, 255, NULL, NULL, CFG_RELOAD, NULL, "Charging-Information of profiles." },
	{ "hss.secondary_ccf", CFG_STR, 1, 255, NULL, NULL, CFG_RELOAD, NULL, "Charging-Information of profiles." },
	{ "hss.primary_ecf", CFG_STR, 1, 255, NULL, NULL, CFG_RELOAD, NULL, "Charging-Information of profiles." },
	{ "hss.secondary_ecf", CFG_STR, 1, 255, NULL, NULL, CFG_RELOAD, NULL, "Charging-Information of profiles." },
	{ "hss.answer_delay_ms", CFG_INT, 0, BEHAVE_MAX_DELAY_MS, "0", NULL, CFG_RELOAD, "ms", "Every answer comes that late." },
	{ "hss.silent", CFG_STR_LIST, 3, 3, NULL, NULL, CFG_RELOAD, NULL, "Commands that are never answered: UAR, LIR, MAR, SAR." },
	{ "hss.behaviour", CFG_LIST, .flags = CFG_RELOAD, .help = "Misbehaviour; the first rule that fits a request counts." },
	{ "hss.behaviour[].command", CFG_ENUM, 0, 0, NULL, "UAR|LIR|MAR|SAR", CFG_REQUIRED, NULL, "Whose answers." },
	{ "hss.behaviour[].silent", CFG_BOOL, 0, 0, "false", NULL, 0, NULL, "No answer." },
	{ "hss.behaviour[].delay_ms", CFG_INT, 0, BEHAVE_MAX_DELAY_MS, "0", NULL, 0, "ms", "The answer comes that late." },
	{ "hss.behaviour[].result_code", CFG_INT, 1001, 5999, NULL, NULL, 0, NULL, "Result-Code instead of the right result." },
	{ "hss.behaviour[].experimental_code", CFG_INT, 1001, 5999, NULL, NULL, 0, NULL, "Experimental-Result-Code instead." },
	{ "hss.behaviour[].user_data", CFG_STR, 0, BEHAVE_MAX_USER_DATA, NULL, NULL, 0, NULL, "User-Data of the SAA." },
	{ "hss.behaviour[].redirect_to", CFG_STR, 7, 255, NULL, NULL, 0, NULL, "A SLF: 3006 with this Redirect-Host, \"aaa://hss1.example\"." },
	{ "hss.behaviour[].redirect_usage", CFG_INT, 0, 6, "6", NULL, 0, NULL, "Redirect-Host-Usage (RFC 6733 §6.13): 0 is not to be remembered." },
	{ "hss.behaviour[].redirect_cache_s", CFG_INT, 0, 86400, "60", NULL, 0, "s", "Redirect-Max-Cache-Time." },
	{ "hss.behaviour[].percent", CFG_INT, 0, 100, "100", NULL, 0, NULL, "How many of the requests." },
	{ "hss.behaviour[].count", CFG_INT, 1, 1000000000, NULL, NULL, 0, NULL, "How often; absent: always." },
	{ "hss.behaviour[].identity", CFG_STR, 1, 255, NULL, NULL, 0, NULL, "Only requests with this text in an identity." },
	{ 0 },
};

static struct subs *checked;

void hss_config_check(const struct cfg *c, struct buf *errors)
{
	const struct cfg_node *r = cfg_root(c);
	size_t before = errors->l;
	enum hss_command cmd;

	for (size_t i = 0; i < cfg_list_len(r, "hss.silent"); i++)
		if (hss_command_from_name(cfg_strs_at(r, "hss.silent", i), &cmd) < 0 || cmd > HSS_SAR)
			cfg_error(r, "hss.silent", errors, "hss.silent: \"%.*s\" is none of UAR, LIR, MAR, SAR",
				  STR_ARG(cfg_strs_at(r, "hss.silent", i)));
	if (cfg_list_len(r, "hss.behaviour") + cfg_list_len(r, "hss.silent") + 4 > BEHAVE_MAX_RULES)
		cfg_error(r, "hss.behaviour", errors, "hss.behaviour: more than %u rules", BEHAVE_MAX_RULES);
	subs_free(checked);
	checked = NULL;
	if (subs_new(&checked, cfg_home_domain(c)) < 0) {
		cfg_error(r, "subscribers_file", errors, "out of memory");
		return;
	}
	if (cfg_cstr(r, "subscribers_file"))
		subs_read_file(checked, cfg_cstr(r, "subscribers_file"), errors);
	if (errors->l != before) {
		subs_free(checked);
		checked = NULL;
	}
}

struct subs *hss_config_take_subs(void)
{
	struct subs *s = checked;

	checked = NULL;
	return s;
}

static void add_rule(struct behave *b, const struct cfg_node *n)
{
	struct behave_rule r = { .silent = cfg_bool(n, "silent"), .delay_ms = (uint32_t)cfg_int(n, "delay_ms"),
				 .percent = (uint32_t)cfg_int(n, "percent"), .count = UINT32_MAX, .overload_s = UINT32_MAX };

	hss_command_from_name(cfg_str(n, "command"), &r.command);
	if (cfg_has(n, "count"))
		r.count = (uint32_t)cfg_int(n, "count");
	if (cfg_has(n, "experimental_code"))
		r.result = (struct dia_result){ 0, (uint32_t)cfg_int(n, "experimental_code"), true };
	else if (cfg_has(n, "result_code"))
		r.result = (struct dia_result){ 0, (uint32_t)cfg_int(n, "result_code"), false };
	if (cfg_has(n, "user_data"))
		r.user_data = str_dup(cfg_str(n, "user_data"));
	r.set_user_data = r.user_data != NULL;
	str_copy(cfg_str(n, "identity"), r.identity, sizeof(r.identity));
	str_copy(cfg_str(n, "redirect_to"), r.redirect, sizeof(r.redirect));
	r.usage = (uint32_t)cfg_int(n, "redirect_usage");
	r.cache_s = (uint32_t)cfg_int(n, "redirect_cache_s");
	if (behave_add(b, &r) < 0)
		free(r.user_data);
}

void hss_config_apply(struct hss *h, const struct cfg *c)
{
	const struct cfg_node *r = cfg_root(c);
	struct behave_rule rule = { .percent = 100, .count = UINT32_MAX, .overload_s = UINT32_MAX };

	h->set = (struct hss_settings){ .zero_in_res = cfg_bool(r, "hss.zero_in_res"),
					.max_vectors = (unsigned)cfg_int(r, "hss.max_vectors"),
					.restoration = cfg_bool(r, "hss.restoration"),
					.keep_server_name = cfg_bool(r, "hss.keep_server_name"),
					.shared_state = cfg_bool(r, "hss.shared_state"),
					.rtr_on_new_server = cfg_bool(r, "hss.rtr_on_new_server") };
	str_copy(cfg_str(r, "hss.primary_ccf"), h->set.primary_ccf, sizeof(h->set.primary_ccf));
	str_copy(cfg_str(r, "hss.secondary_ccf"), h->set.secondary_ccf, sizeof(h->set.secondary_ccf));
	str_copy(cfg_str(r, "hss.primary_ecf"), h->set.primary_ecf, sizeof(h->set.primary_ecf));
	str_copy(cfg_str(r, "hss.secondary_ecf"), h->set.secondary_ecf, sizeof(h->set.secondary_ecf));
	behave_clear(&h->behave);
	for (size_t i = 0; i < cfg_list_len(r, "hss.behaviour"); i++)
		add_rule(&h->behave, cfg_list_at(r, "hss.behaviour", i));
	for (size_t i = 0; i < cfg_list_len(r, "hss.silent"); i++) {
		rule.silent = true;
		if (hss_command_from_name(cfg_strs_at(r, "hss.silent", i), &rule.command) == 0)
			behave_add(&h->behave, &rule);
	}
	rule.silent = false;
	rule.delay_ms = (uint32_t)cfg_int(r, "hss.answer_delay_ms");
	for (int cmd = HSS_UAR; rule.delay_ms && cmd <= HSS_SAR; cmd++) {
		rule.command = (enum hss_command)cmd;
		behave_add(&h->behave, &rule);
	}
}
