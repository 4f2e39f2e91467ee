/* tests/pcscf/test_n5.c - bodies of N5, discovery, places, URIs: TS 29.514 §5.6, §5.7; TS 29.510 §6.2.6; TS 29.521 §5.6.2.2; rows Q2 Q3 Q8 Q9
 * Q10 Q12 Q13. */
#include <errno.h>
#include <stdio.h>
#include "pcscf/n5_body.h"
#include "pcscf/n5_find.h"
#include "tests/check.h"
#include "tests/pcf/pcf.h"

/* ---- bodies: judged by the lab PCF's own check ---- */

static void on_wrong(void *arg, const char *what)
{
	char *text = arg;
	size_t l = strlen(text);

	snprintf(text + l, 1024 - l, "%s; ", what);
}

static void media_make(struct media_set *s, enum media_way way)
{
	struct media_component *c = &s->c[0];

	*s = (struct media_set){ .n = 1 };
	*c = (struct media_component){ .number = 1, .type = MEDIA_AUDIO, .way = way, .ul_bps = 64000, .dl_bps = 64001, .rs_bps = 800,
				       .rr_bps = MEDIA_ABSENT, .n_flows = 2, .ue_text = STR("m=audio 5000 RTP/AVP 8"),
				       .remote_text = STR("m=audio 4000 RTP/AVP 8"), .ue_offered = true };
	for (unsigned i = 0; i < 2; i++) {
		addr_parse(STR("10.9.0.1"), (uint16_t)(5000 + i), &c->flow[i].ue);
		addr_parse(STR("10.46.0.9"), (uint16_t)(4000 + i), &c->flow[i].remote);
		c->flow[i].protocol = 17;
		c->flow[i].rtcp = i == 1;
	}
}

static struct binding_identity ids[] = { { .aor = STR("sip:001010000000001@home") }, { .aor = STR("tel:+4915200001") } };
static struct n5_config cfg = { .dnn = STR("ims"), .snssai = STR("1-000001"), .application = STR("IMS Services"), .mps = STR("mps") };

static const struct { const char *name, *address; bool emergency, priority, location; const char *has[4], *not; } creates[] = {
	{ "a call", "10.9.0.1", false, false, false,
	  { "\"ueIpv4\":\"10.9.0.1\"", "\"supi\":\"imsi-001010000000001\",\"gpsi\":\"msisdn-4915200001\"", "\"suppFeat\":\"10\"",
	    "\"sliceInfo\":{\"sst\":1,\"sd\":\"000001\"}" }, "servUrn" },
	{ "IPv6", "2001:db8::9", false, false, false, { "\"ueIpv6\":\"2001:db8::9\"", "\"marBwUl\":\"64 Kbps\",\"marBwDl\":\"64001 bps\"" }, "ueIpv4" },
	{ "an emergency, §4.2.2.22", "10.9.0.1", true, false, false, { "\"servUrn\":\"sos.fire\"" }, "mpsId" },
	{ "priority", "10.9.0.1", false, true, false, { "\"mpsId\":\"mps\"" }, "servUrn" },
	{ "NetLoc", "10.9.0.1", false, false, true, { "\"suppFeat\":\"30\"", "ANI_REPORT", "\"reqAnis\":[\"USER_LOCATION\",\"UE_TIME_ZONE\"]" }, "servUrn" },
};

START_TEST(test_create)
{
	struct binding b = { .impi = STR("001010000000001@home"), .n_identities = 2, .identity = ids };
	struct call c = { .b = &b, .icid = STR("icid-1"), .emergency = creates[_i].emergency, .service = STR("sos.fire"),
			  .priority = creates[_i].priority ? STR("wps.0") : STR_NONE };
	struct n5_subject who = { &cfg, &b, &c, "http://10.1.1.1:7777/n/0/1", creates[_i].location };
	struct media_set set;
	char wrong[1024] = "", *text;
	cJSON *j;

	addr_parse(str_from_c(creates[_i].address), 5060, &b.flow.remote);
	media_make(&set, MEDIA_BOTH);
	j = n5_create_body(&who, n5_media(&set), true);
	pcf_check_create(j, on_wrong, wrong);
	ck_assert_msg(!wrong[0], "%s: %s", creates[_i].name, wrong);
	text = cJSON_PrintUnformatted(j);
	for (unsigned i = 0; i < 4 && creates[_i].has[i]; i++)
		ck_assert_msg(strstr(text, creates[_i].has[i]), "%s: no %s in %s", creates[_i].name, creates[_i].has[i], text);
	ck_assert_msg(!strstr(text, creates[_i].not), "%s: %s", creates[_i].name, text);
	ck_assert_ptr_nonnull(strstr(text, "\"afChargId\":\"icid-1\""));
	ck_assert_ptr_nonnull(strstr(text, "\"fDescs\":[\"permit out 17 from 10.46.0.9 4000 to 10.9.0.1 5000\",\"permit in 17 from 10.9.0.1 5000 to 10.46.0.9 4000\"]"));
	cJSON_free(text);
	cJSON_Delete(j);
}
END_TEST

START_TEST(test_update)		/* hold, removal, forks: only what changed */
{
	static struct pcf p;
	struct binding b = { .impi = STR("x@home"), .n_identities = 1, .identity = ids };
	struct call c = { .b = &b, .icid = STR("i") };
	struct n5_subject who = { &cfg, &b, &c, "http://10.1.1.1:7777/n/0/1", false };
	struct media_set set;
	char wrong[1024] = "", *text;
	struct pcf_session *s;
	cJSON *j;

	list_init(&p.sessions);
	addr_parse(STR("10.9.0.1"), 5060, &b.flow.remote);
	media_make(&set, MEDIA_BOTH);
	j = n5_create_body(&who, n5_media(&set), false);
	s = pcf_session_new(&p, j);
	cJSON_Delete(j);
	for (unsigned i = 0; i < 4; i++) {
		media_make(&set, i == 0 ? MEDIA_UPLINK : i == 3 ? MEDIA_REMOVED : MEDIA_BOTH);
		j = n5_update_body(n5_media(&set), i == 2, i == 1, i == 2);
		pcf_check_update(s, j, on_wrong, wrong);
		ck_assert_msg(!wrong[0], "%u: %s", i, wrong);
		text = cJSON_PrintUnformatted(j);
		ck_assert_msg(!i == !strstr(text, i == 1 ? "SEVERAL_DIALOGUES" : i == 2 ? "SINGLE_DIALOGUE" : i == 3 ? "REMOVED" : "DIALOGUE"), "%u: %s", i, text);
		ck_assert_ptr_nonnull(strstr(text, i == 2 ? "\"FINAL\"" : "\"PRELIMINARY\""));
		cJSON_free(text);
		pcf_session_take(s, j);
		cJSON_Delete(j);
	}
	pcf_session_free(s);
}
END_TEST

START_TEST(test_merge)		/* what waits is put together: the later one wins */
{
	cJSON *into = cJSON_Parse("{\"1\":{\"a\":1},\"2\":{\"a\":2}}"), *text;

	n5_media_merge(into, cJSON_Parse("{\"2\":{\"a\":3},\"3\":{\"a\":4}}"));
	text = cJSON_Parse("{\"1\":{\"a\":1},\"2\":{\"a\":3},\"3\":{\"a\":4}}");
	ck_assert(cJSON_Compare(into, text, true));
	cJSON_Delete(into);
	cJSON_Delete(text);
}
END_TEST

START_TEST(test_signalling)	/* §4.2.2.16 */
{
	struct binding b = { .impi = STR("x@home"), .n_identities = 1, .identity = ids };
	struct n5_subject who = { &cfg, &b, NULL, "http://10.1.1.1:7777/n/0/1", false };
	struct media_flow flow[2] = { { .protocol = 17 }, { .protocol = 6 } };
	char wrong[1024] = "";
	cJSON *j;

	for (unsigned i = 0; i < 2; i++) {
		addr_parse(STR("10.9.0.1"), 5060, &flow[i].ue);
		addr_parse(STR("10.1.1.1"), 5060, &flow[i].remote);
	}
	addr_parse(STR("10.9.0.1"), 5060, &b.flow.remote);
	j = n5_create_body(&who, n5_signalling(flow, 2), true);
	pcf_check_create(j, on_wrong, wrong);
	ck_assert_msg(!wrong[0], "%s", wrong);
	cJSON_Delete(j);
}
END_TEST

/* ---- refusals: TS 29.514 §5.7.3 ---- */

static const struct { unsigned status; const char *body; enum policy_verdict verdict; bool media, later; const char *cause; } problems[] = {
	{ 403, "{\"cause\":\"REQUESTED_SERVICE_NOT_AUTHORIZED\"}", POLICY_NO, true, false, "REQUESTED_SERVICE_NOT_AUTHORIZED" },
	{ 403, "{\"cause\":\"REQUESTED_SERVICE_TEMPORARILY_NOT_AUTHORIZED\"}", POLICY_NO, true, true, "REQUESTED_SERVICE_TEMPORARILY_NOT_AUTHORIZED" },
	{ 400, "{\"cause\":\"FILTER_RESTRICTIONS\"}", POLICY_NO, true, false, "FILTER_RESTRICTIONS" },
	{ 500, "{\"cause\":\"PDU_SESSION_NOT_AVAILABLE\"}", POLICY_NO, false, false, "PDU_SESSION_NOT_AVAILABLE" },
	{ 404, "", POLICY_NO, false, false, "HTTP_404" },
	{ 403, "no JSON", POLICY_NO, false, false, "HTTP_403" },
	{ 503, "{\"cause\":\"NF_CONGESTION\"}", POLICY_SILENT, false, true, "NF_CONGESTION" },
	{ 500, "{\"cause\":7}", POLICY_SILENT, false, true, "HTTP_500" },
	{ 429, "{}", POLICY_SILENT, false, true, "HTTP_429" },
	{ 403, "{\"cause\":\"A\\\"\\r\\nX: y\"}", POLICY_NO, false, false, "A" },		/* it goes into a header */
};

START_TEST(test_problem)
{
	struct policy_answer a = { 0 };

	n5_read_problem(problems[_i].status, str_from_c(problems[_i].body), &a);
	ck_assert_msg(a.verdict == problems[_i].verdict && a.media == problems[_i].media && a.later == problems[_i].later &&
		      a.code == problems[_i].status && strcmp(a.cause, problems[_i].cause) == 0, "row %d: %d %d %d %s", _i, a.verdict, a.media, a.later, a.cause);
}
END_TEST

/* ---- places: TS 29.571 §5.4.4.7, TS 24.229 §7.2A.4 ---- */

#define PLMN "{\"mcc\":\"001\",\"mnc\":\"01\"}"
static const struct { const char *json, *value; } places[] = {
	{ "{\"nrLocation\":{\"tai\":{\"plmnId\":" PLMN ",\"tac\":\"00000a\"},\"ncgi\":{\"plmnId\":" PLMN ",\"nrCellId\":\"000000abc\"}}}",
	  "3GPP-NR;utran-cell-id-3gpp=0010100000a000000abc;network-provided" },
	{ "{\"eutraLocation\":{\"tai\":{\"plmnId\":" PLMN ",\"tac\":\"000a\"},\"ecgi\":{\"plmnId\":" PLMN ",\"eutraCellId\":\"0000abc\"}}}",
	  "3GPP-E-UTRAN;utran-cell-id-3gpp=00101000a0000abc;network-provided" },
	{ "{\"nrLocation\":{\"tai\":{\"plmnId\":" PLMN ",\"tac\":\"0a\\r\\n\"},\"ncgi\":{\"plmnId\":" PLMN ",\"nrCellId\":\"000000abc\"}}}", "" },
	{ "{\"nrLocation\":{\"ncgi\":{}}}", "" }, { "{\"n3gaLocation\":{}}", "" }, { "[]", "" },
};

START_TEST(test_place)
{
	char dst[POLICY_LOCATION_BYTES];
	cJSON *j = cJSON_Parse(places[_i].json);
	struct str v = n5_location(j, dst);

	ck_assert_ptr_nonnull(j);
	ck_assert_msg(str_eq_c(v, places[_i].value), "row %d: %.*s", _i, STR_ARG(v));
	cJSON_Delete(j);
}
END_TEST

static const struct { const char *json, *value; } charged[] = {	/* row G1: TS 29.514 §5.6.2.9, TS 24.229 §7.2A.5 */
	{ "{\"anChargAddr\":{\"anChargIpv4Addr\":\"10.0.0.9\"},\"anChargIds\":[{\"accNetChaIdValue\":42}]}",
	  ";smf=10.0.0.9;5gs-info=\"5gs-item=1;5gs-sig=no;5gscid=0000002a\"" },
	{ "{\"anChargAddr\":{\"anChargIpv6Addr\":\"2001:db8::9\"}}", ";smf=[2001:db8::9]" },
	{ "{\"anChargIds\":[{\"accNetChaIdValue\":42}]}", "" },
	{ "{\"anChargAddr\":{\"anChargIpv4Addr\":\"1;evil=2\"}}", "" },
	{ "{\"anChargAddr\":{\"anChargIpv4Addr\":\"10.0.0.9\"},\"anChargIds\":[{\"accNetChaIdValue\":-1}]}", ";smf=10.0.0.9" },
	{ "{\"anChargAddr\":7,\"anChargIds\":{}}", "" },
};

START_TEST(test_charged_row_G1)
{
	char dst[CHARGING_ACCESS_BYTES];
	cJSON *j = cJSON_Parse(charged[_i].json);
	struct str v = n5_charging(j, dst);

	ck_assert_msg(str_eq_c(v, charged[_i].value), "row %d: %.*s", _i, STR_ARG(v));
	cJSON_Delete(j);
}
END_TEST

/* ---- discovery: TS 29.510 §6.2.6, TS 29.521 §5.6.2.2 ---- */

#define SERVICE(more) "{\"serviceName\":\"npcf-policyauthorization\"" more "}"
static const struct { const char *name, *json, *roots; } discoveries[] = {
	{ "an end point", "{\"nfInstances\":[{\"nfServices\":[" SERVICE(",\"scheme\":\"http\",\"ipEndPoints\":[{\"ipv4Address\":\"10.0.0.5\",\"port\":7777}]") "]}]}",
	  "http://10.0.0.5:7777 " },
	{ "a map of services, a name, a prefix", "{\"nfInstances\":[{\"nfServiceList\":{\"a\":" SERVICE(",\"scheme\":\"https\",\"fqdn\":\"pcf.core\",\"apiPrefix\":\"/x\"") "}}]}",
	  "https://pcf.core/x " },
	{ "the function's address, IPv6", "{\"nfInstances\":[{\"ipv6Addresses\":[\"2001:db8::5\"],\"nfServices\":[" SERVICE("") "]}]}", "http://[2001:db8::5] " },
	{ "by priority", "{\"nfInstances\":[{\"priority\":9,\"fqdn\":\"b\",\"nfServices\":[" SERVICE("") "]},{\"priority\":1,\"fqdn\":\"a\",\"nfServices\":[" SERVICE("") "]},"
	  "{\"fqdn\":\"c\",\"nfServices\":[" SERVICE("") "]}]}", "http://a http://b http://c " },
	{ "suspended, another service, nothing", "{\"nfInstances\":[{\"nfStatus\":\"SUSPENDED\",\"fqdn\":\"a\",\"nfServices\":[" SERVICE("") "]},"
	  "{\"fqdn\":\"b\",\"nfServices\":[{\"serviceName\":\"npcf-smpolicycontrol\"}]},7,{}]}", "" },
	{ "a host that is none", "{\"nfInstances\":[{\"fqdn\":\"a b\\r\\n\",\"nfServices\":[" SERVICE("") "]}]}", "" },
	{ "no list", "{\"nfInstances\":{}}", "" }, { "no object", "[]", "" },
};

START_TEST(test_discovery)
{
	cJSON *j = cJSON_Parse(discoveries[_i].json);
	struct n5_roots r;
	char text[1024] = "";

	ck_assert_ptr_nonnull(j);
	n5_read_discovery(j, &r);
	for (unsigned i = 0; i < r.n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", r.root[i]);
	ck_assert_msg(strcmp(text, discoveries[_i].roots) == 0, "%s: %s", discoveries[_i].name, text);
	ck_assert(r.valid_s == 60);
	cJSON_Delete(j);
}
END_TEST

static const struct { const char *json, *root; } bindings[] = {
	{ "{\"pcfIpEndPoints\":[{\"ipv4Address\":\"10.0.0.5\",\"port\":7777}],\"pcfFqdn\":\"x\"}", "http://10.0.0.5:7777" },
	{ "{\"pcfFqdn\":\"pcf.core\"}", "http://pcf.core" }, { "{\"pcfDiamHost\":\"pcrf\"}", NULL }, { "{}", NULL },
};

START_TEST(test_binding)
{
	char root[N5_URI_BYTES];
	cJSON *j = cJSON_Parse(bindings[_i].json);
	bool found = n5_read_binding(j, false, root);

	ck_assert_msg(found == (bindings[_i].root != NULL) && (!found || strcmp(root, bindings[_i].root) == 0), "row %d", _i);
	cJSON_Delete(j);
}
END_TEST

/* ---- URIs ---- */

static const struct { const char *text; int rc; const char *host; unsigned port; const char *root, *path; } uris[] = {
	{ "http://10.0.0.5:7777/npcf/v1/x", 0, "10.0.0.5", 7777, "http://10.0.0.5:7777", "/npcf/v1/x" },
	{ "https://pcf.core", 0, "pcf.core", 443, "https://pcf.core", "" }, { "http://[2001:db8::5]:80/", 0, "2001:db8::5", 80, "http://[2001:db8::5]:80", "/" },
	{ "HTTP://a", 0, "a", 80, "HTTP://a", "" }, { "ftp://a", -EBADMSG, 0, 0, 0, 0 }, { "http://", -EBADMSG, 0, 0, 0, 0 },
	{ "http://a:0", -EBADMSG, 0, 0, 0, 0 }, { "http://a:65536", -EBADMSG, 0, 0, 0, 0 }, { "http://a/\r\nX: y", -EBADMSG, 0, 0, 0, 0 },
	{ "", -EBADMSG, 0, 0, 0, 0 }, { "http://:80", -EBADMSG, 0, 0, 0, 0 },
};

START_TEST(test_uri)
{
	struct sbi_uri u;
	int rc = sbi_uri_parse(str_from_c(uris[_i].text), &u);

	ck_assert_msg(rc == uris[_i].rc, "%s: %d", uris[_i].text, rc);
	if (rc == 0)
		ck_assert_msg(str_eq_c(u.host, uris[_i].host) && u.port == uris[_i].port && str_eq_c(u.root, uris[_i].root) && str_eq_c(u.path, uris[_i].path),
			      "%s", uris[_i].text);
}
END_TEST

TEST_MAIN("n5", TEST_ROWS(test_create, creates), TEST_ONE(test_update), TEST_ONE(test_merge), TEST_ONE(test_signalling), TEST_ROWS(test_problem, problems),
	  TEST_ROWS(test_place, places), TEST_ROWS(test_charged_row_G1, charged), TEST_ROWS(test_discovery, discoveries), TEST_ROWS(test_binding, bindings), TEST_ROWS(test_uri, uris))
