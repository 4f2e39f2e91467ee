/* tests/hss/behave.h - misbehaviour to order: silence, delays, results, broken User-Data; and what was answered so far. */
#pragma once
#include <cjson/cJSON.h>
#include "common/diameter/dia.h"
#include "common/util/bytes.h"

enum hss_command { HSS_UAR, HSS_LIR, HSS_MAR, HSS_SAR, HSS_RTR, HSS_PPR, HSS_N_COMMANDS };
const char *hss_command_name(enum hss_command c);
int hss_command_from_name(struct str name, enum hss_command *ret);	/* any case; -ENOENT */

#define BEHAVE_MAX_RULES 32u
#define BEHAVE_MAX_DELAY_MS 55000u
#define BEHAVE_ALL_USER 6u		/* RFC 6733 §6.13 */
#define BEHAVE_MAX_USER_DATA 60000u	/* the library closes connections over 65,535 octets */

struct behave_rule {
	enum hss_command command;
	bool silent, set_user_data;
	uint32_t delay_ms;
	struct dia_result result;	/* code 0: the right one */
	char *user_data;		/* owned */
	char redirect[256];		/* a SLF: 3006 with this Redirect-Host, "aaa://hss1.example"; "": no */
	uint32_t overload, overload_s;	/* DOIC: by how many hundredths less is wanted, for how long; overload_s UINT32_MAX: no report */
	uint64_t sequence;		/* of that report: another order is another one */
	uint32_t usage, cache_s;	/* Redirect-Host-Usage, Redirect-Max-Cache-Time */
	uint32_t percent;		/* of the requests; 100: all */
	uint32_t count;			/* how many more; UINT32_MAX: no end */
	char identity[256];		/* only requests with this text in the private or a public identity; "": all */
};
struct behave {
	unsigned n;
	struct behave_rule rule[BEHAVE_MAX_RULES];
};

void behave_clear(struct behave *b);
/* The rule for this request, counted down; NULL: behave.  The first that fits wins. */
const struct behave_rule *behave_match(struct behave *b, enum hss_command c, struct str impi, struct str impu);
/* {"UAR": {"silent": true, "delayMs": 100, "resultCode": 3004, "experimentalCode": 5001, "userData": "...",
 *  "redirectTo": "aaa://...", "redirectUsage": 6, "redirectCacheS": 60, "overloadPercent": 50, "overloadS": 10, "probability": 0.5, "count": 3, "identity": "..."}, "MAR": [{...}, {...}]}
 * replaces all rules.  0, or -EINVAL with the reason in why and the rules as they were. */
int behave_from_json(struct behave *b, const cJSON *json, char why[200]);
cJSON *behave_to_json(const struct behave *b);
int behave_add(struct behave *b, const struct behave_rule *r);		/* takes user_data over; -ENOSPC */

#define HSS_MAX_RESULTS 32u
struct hss_count {			/* by result */
	unsigned n;
	struct {
		struct dia_result result;
		uint64_t n;
	} v[HSS_MAX_RESULTS];
	uint64_t silent, delayed;
};
void hss_count_result(struct hss_count *c, const struct dia_result *r);
cJSON *hss_count_to_json(const struct hss_count c[HSS_N_COMMANDS]);	/* {"UAR":{"2001E":3,"silent":1},...} */
