/* tests/pcf/core.c - the functions beside the PCF: NRF (TS 29.510), BSF (TS 29.521), SCP (TS 29.500 §6.10), tokens. */
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "tests/pcf/pcf.h"

void pcf_wrong(struct pcf *p, unsigned session, const char *what)
{
	log_warn(LOG_REST, "a request is not as it should be", LOG_C("what", what), LOG_U("session", session));
	history_note(&p->history, session, true, "violation: %s", what);
}

/* Address and port of our root, as an end point. */
static void add_end_point(const struct pcf *p, cJSON *list)
{
	struct addr a = { 0 };
	char host[ADDR_STRLEN];
	cJSON *e = cJSON_CreateObject();

	addr_parse_hostport(str_from(str_from_c(p->root), str_find(str_from_c(p->root), STR("://")) + 3), 80, &a);
	cJSON_AddStringToObject(e, a.sa.sa_family == AF_INET6 ? "ipv6Address" : "ipv4Address", addr_host(&a, host));
	cJSON_AddStringToObject(e, "transport", "TCP");
	cJSON_AddNumberToObject(e, "port", addr_port(&a));
	cJSON_AddItemToArray(list, e);
}

/* Two PCFs; the better one by its priority is not there. */
static cJSON *nf_profile(const struct pcf *p, bool there)
{
	cJSON *nf = cJSON_CreateObject(), *s = cJSON_CreateObject(), *ends;

	cJSON_AddStringToObject(nf, "nfInstanceId", there ? "11111111-1111-4111-8111-111111111111" : "22222222-2222-4222-8222-222222222222");
	cJSON_AddStringToObject(nf, "nfType", "PCF");
	cJSON_AddStringToObject(nf, "nfStatus", "REGISTERED");
	cJSON_AddNumberToObject(nf, "priority", there ? 2 : 1);
	cJSON_AddItemToArray(cJSON_AddArrayToObject(nf, "nfServices"), s);
	cJSON_AddStringToObject(s, "serviceName", "npcf-policyauthorization");
	cJSON_AddStringToObject(s, "scheme", strncmp(p->root, "https", 5) == 0 ? "https" : "http");
	cJSON_AddStringToObject(s, "nfServiceStatus", "REGISTERED");
	ends = cJSON_AddArrayToObject(s, "ipEndPoints");
	add_end_point(p, ends);
	if (!there)
		cJSON_ReplaceItemInObjectCaseSensitive(ends->child, "port", cJSON_CreateNumber(1));
	return nf;
}

static void discovery(struct pcf *p, struct h2_req *r)
{
	const struct pcf_rule *rule = pcf_match(p, PCF_DISCOVERY);
	struct str path = h2_req_path(r);
	cJSON *doc, *list;

	history_note(&p->history, 0, false, "discovery");
	if (str_find(path, STR("target-nf-type=PCF")) < 0 || str_find(path, STR("requester-nf-type=AF")) < 0)
		pcf_wrong(p, 0, "TS 29.510 §6.2.3.2.3.1: target-nf-type or requester-nf-type is missing");
	if (str_find(path, STR("service-names=npcf-policyauthorization")) < 0)
		pcf_wrong(p, 0, "the discovery names no service");
	if (rule && rule->how == PCF_SILENT) {
		h2_req_drop(r);
		return;
	}
	doc = cJSON_CreateObject();
	cJSON_AddNumberToObject(doc, "validityPeriod", 3600);
	list = cJSON_AddArrayToObject(doc, "nfInstances");
	cJSON_AddItemToArray(list, nf_profile(p, true));
	cJSON_AddItemToArray(list, nf_profile(p, false));
	pcf_answer(p, r, rule, 0, rule && rule->status ? rule->status : 200, "", doc);
}

static void binding(struct pcf *p, struct h2_req *r)
{
	const struct pcf_rule *rule = pcf_match(p, PCF_BINDING);
	struct str path = h2_req_path(r);
	cJSON *doc;

	history_note(&p->history, 0, false, "binding");
	if (str_find(path, STR("?ipv4Addr=")) < 0 && str_find(path, STR("?ipv6Prefix=")) < 0)
		pcf_wrong(p, 0, "TS 29.521 §5.3.2.3.1: a look-up without an address");
	if (rule && rule->how == PCF_SILENT) {
		h2_req_drop(r);
		return;
	}
	if (rule && rule->status) {
		pcf_answer(p, r, rule, 0, rule->status, "", NULL);
		return;
	}
	doc = cJSON_CreateObject();
	cJSON_AddStringToObject(doc, "dnn", "ims");
	add_end_point(p, cJSON_AddArrayToObject(doc, "pcfIpEndPoints"));
	pcf_answer(p, r, rule, 0, 200, "", doc);
}

static void token(struct pcf *p, struct h2_req *r)
{
	const struct pcf_rule *rule = pcf_match(p, PCF_OAUTH);
	static const char *const needed[] = { "grant_type=client_credentials", "nfInstanceId=", "nfType=AF", "targetNfType=", "scope=" };
	cJSON *doc;
	char text[32];

	history_note(&p->history, 0, false, "token");
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (str_find(h2_req_body(r), str_from_c(needed[i])) < 0)
			pcf_wrong(p, 0, "TS 29.510 §6.3.5.2.2: a member of the token request is missing");
	if (!str_eq(h2_req_header(r, "content-type"), STR("application/x-www-form-urlencoded")))
		pcf_wrong(p, 0, "RFC 6749 §4.4.2: a token request is a form");
	if (rule && rule->status) {
		pcf_answer(p, r, rule, 0, rule->status, "", NULL);
		return;
	}
	snprintf(text, sizeof(text), PCF_TOKEN "-%u", ++p->tokens);
	doc = cJSON_CreateObject();
	cJSON_AddStringToObject(doc, "access_token", text);
	cJSON_AddStringToObject(doc, "token_type", "Bearer");
	cJSON_AddNumberToObject(doc, "expires_in", 3600);
	pcf_answer(p, r, rule, 0, 200, "", doc);
}

/* Each worker of a P-CSCF has a token of its own. */
static bool is_authorised(const struct pcf *p, const struct h2_req *r)
{
	const struct str head = STR("Bearer " PCF_TOKEN "-");
	struct str v = h2_req_header(r, "authorization");
	uint32_t n;

	return !p->oauth2 || (str_starts(v, head) && str_to_u32(str_from(v, head.l), &n) == 0 && n > p->revoked && n <= p->tokens);
}

/* What an SCP needs to know where to: discovery, or the root that it shall take. */
static bool is_for_scp(const struct h2_req *r)
{
	return h2_req_header(r, "3gpp-sbi-target-apiroot").l || (str_eq(h2_req_header(r, "3gpp-sbi-discovery-target-nf-type"), STR("PCF")) &&
								  h2_req_header(r, "3gpp-sbi-discovery-service-names").l);
}

bool pcf_core_request(struct pcf *p, struct h2_req *r)
{
	struct str path = h2_req_path(r);

	if (str_eq(path, STR("/oauth2/token"))) {
		token(p, r);
	} else if (!is_authorised(p, r)) {
		history_note(&p->history, 0, false, "without a token");
		h2_reply(r, 401, &(struct h2_header){ STR("www-authenticate"), STR("Bearer realm=\"lab\"") }, 1, STR_NONE);
	} else if (str_starts(path, STR("/nnrf-disc/v1/nf-instances?"))) {
		discovery(p, r);
	} else if (str_starts(path, STR("/nbsf-management/v1/pcfBindings"))) {
		binding(p, r);
	} else if (p->scp && !is_for_scp(r)) {
		pcf_wrong(p, 0, "TS 29.500 §6.10.3: an SCP is not told where to");
		h2_reply(r, 400, NULL, 0, STR_NONE);
	} else {
		return false;
	}
	return true;
}
