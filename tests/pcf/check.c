/* tests/pcf/check.c - is that request what TS 29.514 §5.6 asks of an AF, and what the PCFs of the field can read? */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/sip/media.h"
#include "tests/pcf/pcf.h"
#include "tests/pcrf/pcrf.h"

struct check {
	pcf_wrong_fn wrong;
	void *arg;
};

static void must(const struct check *c, bool good, const char *what)
{
	if (!good)
		c->wrong(c->arg, what);
}

const char *pcf_text(const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static bool is_one_of(const char *text, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(text, *names) == 0)
			return true;
	return false;
}

static void only_members(const struct check *c, const cJSON *o, const char *const *names)
{
	const cJSON *m;
	char text[160];

	cJSON_ArrayForEach(m, o) {
		if (m->string && is_one_of(m->string, names))
			continue;
		snprintf(text, sizeof(text), "§5.6.2: a member that there is not here: %s", m->string ? m->string : "(none)");
		c->wrong(c->arg, text);
	}
}

/* TS 29.571 §5.5.2. */
static bool is_rate(const cJSON *v)
{
	static const char *const units[] = { "bps", "Kbps", "Mbps", "Gbps", "Tbps", NULL };
	char *end;

	if (!v)
		return true;
	if (!cJSON_IsString(v) || v->valuestring[0] < '0' || v->valuestring[0] > '9')
		return false;
	strtod(v->valuestring, &end);
	return *end == ' ' && is_one_of(end + 1, units);
}

/* A key of a map is the number that its value holds. */
static bool is_key_of(const cJSON *o, const char *member)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, member);
	char text[24];

	if (!cJSON_IsNumber(n))
		return false;
	snprintf(text, sizeof(text), "%d", n->valueint);
	return strcmp(text, o->string) == 0;
}

static const char *const statuses[] = { "ENABLED-UPLINK", "ENABLED-DOWNLINK", "ENABLED", "DISABLED", "REMOVED", NULL };

static void check_rules(const struct check *c, const cJSON *list)
{
	bool in = false, out = false, is_out;
	int n = cJSON_GetArraySize(list);
	const cJSON *r;

	must(c, cJSON_IsArray(list) && n >= 1 && n <= 2, "§5.6.2.8: fDescs has one or two rules");
	cJSON_ArrayForEach(r, list) {
		if (!cJSON_IsString(r) || !pcrf_is_rule(str_from_c(r->valuestring), &is_out)) {
			c->wrong(c->arg, "TS 29.214 §5.3.8: a flow description is no IPFilterRule of the form that is read");
			continue;
		}
		in = in || !is_out;
		out = out || is_out;
	}
	must(c, in && out, "§5.6.2.8: a flow has a rule for each direction");
}

static void check_sub(const struct check *c, const cJSON *s, bool signalling)
{
	static const char *const members[] = { "fNum", "fDescs", "fStatus", "flowUsage", "afSigProtocol", "marBwUl", "marBwDl", "tosTrCl", NULL };
	static const char *const usages[] = { "", "NO_INFO", "RTCP", "AF_SIGNALLING", NULL };

	only_members(c, s, members);
	must(c, is_key_of(s, "fNum"), "§5.6.2.7: the key of a flow is its fNum");
	must(c, is_one_of(pcf_text(s, "flowUsage"), usages), "§5.6.3.12: no flow usage");
	check_rules(c, cJSON_GetObjectItemCaseSensitive(s, "fDescs"));
	if (signalling)
		must(c, strcmp(pcf_text(s, "flowUsage"), "AF_SIGNALLING") == 0 && strcmp(pcf_text(s, "afSigProtocol"), "SIP") == 0,
		     "§4.2.2.16: a flow that is not AF signalling, SIP");
	else if (s->prev && s != s->prev && s->prev->next == s)		/* cJSON: the first one's prev is the last */
		must(c, strcmp(pcf_text(s, "flowUsage"), "RTCP") == 0, "§5.6.2.8: the second flow of a component is RTCP and says so");
}

static void check_codecs(const struct check *c, const cJSON *list)
{
	bool up = false, down = false;
	const cJSON *v;

	cJSON_ArrayForEach(v, list) {
		up = up || (cJSON_IsString(v) && strncmp(v->valuestring, "uplink\n", 7) == 0);
		down = down || (cJSON_IsString(v) && strncmp(v->valuestring, "downlink\n", 9) == 0);
	}
	must(c, up && down && cJSON_GetArraySize(list) == 2, "§5.6.3.2: codec data of a direction is missing");
}

static void check_rates(const struct check *c, const cJSON *m)
{
	static const char *const rates[] = { "marBwUl", "marBwDl", "rsBw", "rrBw", NULL };

	for (const char *const *r = rates; *r; r++)
		must(c, is_rate(cJSON_GetObjectItemCaseSensitive(m, *r)), "TS 29.571 §5.5.2: a bit rate without its unit");
}

static void check_media(const struct check *c, const struct pcf_session *s, const cJSON *m, bool several)
{
	static const char *const members[] = { "medCompN", "medType", "fStatus", "marBwUl", "marBwDl", "rsBw", "rrBw", "codecs", "medSubComps",
					       "resPrio", "afAppId", NULL };
	static const char *const types[] = { "AUDIO", "VIDEO", "DATA", "APPLICATION", "CONTROL", "TEXT", "MESSAGE", "OTHER", NULL };
	const cJSON *subs = cJSON_GetObjectItemCaseSensitive(m, "medSubComps"), *sub, *before;
	bool signalling = strcmp(m->string, "0") == 0;

	only_members(c, m, members);
	must(c, is_key_of(m, "medCompN"), "§5.6.2.3: the key of a component is its medCompN");
	must(c, is_one_of(pcf_text(m, "medType"), types), "§5.6.3.3: medType is missing, or none");
	must(c, is_one_of(pcf_text(m, "fStatus"), statuses), "§5.6.3.12: fStatus is missing, or none");
	before = s ? cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(s->req, "medComponents"), m->string) : NULL;
	if (strcmp(pcf_text(m, "fStatus"), "REMOVED") == 0) {
		must(c, before != NULL, "§4.2.3.2: a component is removed that was never there");
		return;
	}
	check_rates(c, m);
	must(c, cJSON_IsObject(subs) && subs->child, "§5.6.2.7: a component without flows");
	cJSON_ArrayForEach(sub, subs)
		check_sub(c, sub, signalling);
	if (signalling)
		must(c, strcmp(pcf_text(m, "medType"), "CONTROL") == 0, "signalling whose medType is not CONTROL");
	else
		check_codecs(c, cJSON_GetObjectItemCaseSensitive(m, "codecs"));
	must(c, !before || several || s->several || !cJSON_Compare(before, m, true), "§4.2.3.2: told again what is known");
}

static void check_components(const struct check *c, const struct pcf_session *s, const cJSON *o, bool several)
{
	const cJSON *map = cJSON_GetObjectItemCaseSensitive(o, "medComponents"), *m;

	must(c, cJSON_IsObject(map) && map->child, "§5.6.2.3: medComponents is a map with a member at least");
	cJSON_ArrayForEach(m, map)
		check_media(c, s, m, several);
}

static bool is_uri(const char *text)
{
	return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

static void check_address(const struct check *c, const cJSON *o)
{
	const char *v4 = pcf_text(o, "ueIpv4"), *v6 = pcf_text(o, "ueIpv6");
	uint8_t octets[16];

	must(c, (*v4 != '\0') != (*v6 != '\0'), "§5.6.2.3: one address of the UE");
	must(c, !*v4 || inet_pton(AF_INET, v4, octets) == 1, "TS 29.571 §5.2.2: ueIpv4 is no address");
	must(c, !*v6 || inet_pton(AF_INET6, v6, octets) == 1, "TS 29.571 §5.2.2: ueIpv6 is no address");
}

static void check_events(const struct check *c, const cJSON *ev)
{
	static const char *const names[] = { "ACCESS_TYPE_CHANGE", "ANI_REPORT", "CHARGING_CORRELATION", "FAILED_RESOURCES_ALLOCATION", "OUT_OF_CREDIT",
					     "PLMN_CHG", "QOS_NOTIF", "SUCCESSFUL_RESOURCES_ALLOCATION", "USAGE_REPORT", NULL };
	static const char *const members[] = { "events", "notifUri", "reqAnis", "usgThres", "notifCorreId", NULL };
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(ev, "events"), *e;
	bool failed = false;

	only_members(c, ev, members);
	cJSON_ArrayForEach(e, list) {
		must(c, is_one_of(pcf_text(e, "event"), names), "§5.6.3.7: no event");
		failed = failed || strcmp(pcf_text(e, "event"), "FAILED_RESOURCES_ALLOCATION") == 0;
	}
	must(c, failed, "§4.2.2.12: no interest in the resources");
	must(c, is_uri(pcf_text(ev, "notifUri")), "§5.6.2.6: evSubsc without notifUri");
}

static void check_values(const struct check *c, const cJSON *o)
{
	static const char *const infos[] = { "", "FINAL", "PRELIMINARY", NULL };
	const char *feat = pcf_text(o, "suppFeat"), *supi = pcf_text(o, "supi"), *gpsi = pcf_text(o, "gpsi");

	must(c, *feat && strspn(feat, "0123456789abcdefABCDEF") == strlen(feat), "TS 29.571 §5.2.2: suppFeat is hexadecimal");
	must(c, is_uri(pcf_text(o, "notifUri")), "§5.6.2.3: notifUri is missing");
	must(c, is_one_of(pcf_text(o, "servInfStatus"), infos), "§5.6.3.15: servInfStatus is none");
	must(c, !*supi || strncmp(supi, "imsi-", 5) == 0, "TS 29.571 §5.3.2: supi is no imsi-");
	must(c, !*gpsi || strncmp(gpsi, "msisdn-", 7) == 0, "TS 29.571 §5.3.2: gpsi is no msisdn-");
}

static const cJSON *request_data(const struct check *c, const cJSON *body)
{
	static const char *const members[] = { "ascReqData", NULL };
	const cJSON *o = cJSON_GetObjectItemCaseSensitive(body, "ascReqData");

	only_members(c, body, members);
	must(c, cJSON_IsObject(o), "§5.6.2.2: ascReqData is missing");
	return o;
}

void pcf_check_create(const cJSON *body, pcf_wrong_fn wrong, void *arg)
{
	static const char *const members[] = { "suppFeat", "notifUri", "ueIpv4", "ueIpv6", "afAppId", "afChargId", "dnn", "sliceInfo", "supi", "gpsi",
					       "servUrn", "mpsId", "servInfStatus", "evSubsc", "medComponents", "resPrio", "ipDomain", NULL };
	const struct check c = { wrong, arg };
	const cJSON *o = request_data(&c, body);

	if (!o)
		return;
	only_members(&c, o, members);
	check_values(&c, o);
	check_address(&c, o);
	check_events(&c, cJSON_GetObjectItemCaseSensitive(o, "evSubsc"));
	check_components(&c, NULL, o, false);
	if (!cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(o, "medComponents"), "0"))
		must(&c, *pcf_text(o, "afChargId"), "afChargId is missing: nobody can join the records");
}

void pcf_check_update(const struct pcf_session *s, const cJSON *body, pcf_wrong_fn wrong, void *arg)
{
	static const char *const members[] = { "servInfStatus", "sipForkInd", "medComponents", "evSubsc", "mpsId", "resPrio", "afAppId", NULL };
	static const char *const forks[] = { "", "SINGLE_DIALOGUE", "SEVERAL_DIALOGUES", NULL };
	const struct check c = { wrong, arg };
	const cJSON *o = request_data(&c, body);
	const char *fork = pcf_text(o, "sipForkInd");

	if (!o)
		return;
	only_members(&c, o, members);
	must(&c, is_one_of(fork, forks), "§5.6.3.16: sipForkInd is none");
	check_components(&c, s, o, strcmp(fork, "SEVERAL_DIALOGUES") == 0);
}
