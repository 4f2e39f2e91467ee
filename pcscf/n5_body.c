/* pcscf/n5_body.c - see n5_body.h.  TS 29.514 §4.2.2, §4.2.3, §5.6; TS 29.213 annex B; rows Q2 Q3 Q8 Q9 Q10. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/http/http.h"
#include "pcscf/n5_body.h"

/* Supported features, §5.8: IMS_SBI is number 5, NetLoc 6, ProvAFsignalFlow 7. */
#define FEATURE(n) (1u << ((n) - 1))

static void add_str(cJSON *o, const char *name, struct str v)
{
	char *c = v.l ? str_dup(v) : NULL;

	if (c)
		cJSON_AddStringToObject(o, name, c);
	free(c);
}

/* BitRate: TS 29.571 §5.5.2. */
static void add_rate(cJSON *o, const char *name, uint32_t bps)
{
	char text[32];

	if (bps == MEDIA_ABSENT)
		return;
	if (bps % 1000 == 0)
		snprintf(text, sizeof(text), "%u Kbps", bps / 1000);
	else
		snprintf(text, sizeof(text), "%u bps", bps);
	cJSON_AddStringToObject(o, name, text);
}

static cJSON *add_numbered(cJSON *map, uint32_t number)
{
	char key[12];

	snprintf(key, sizeof(key), "%u", number);
	return cJSON_AddObjectToObject(map, key);
}

/* ---- components ---- */

static cJSON *add_flow(cJSON *subs, const struct media_flow *f, uint32_t number)
{
	cJSON *s = add_numbered(subs, number), *rules;
	char rule[MEDIA_RULE_STRLEN];

	cJSON_AddNumberToObject(s, "fNum", number);
	rules = cJSON_AddArrayToObject(s, "fDescs");
	cJSON_AddItemToArray(rules, cJSON_CreateString(media_rule(f, true, rule)));
	cJSON_AddItemToArray(rules, cJSON_CreateString(media_rule(f, false, rule)));
	return s;
}

/* §5.6.3.2 CodecData reads as Codec-Data of TS 29.214 §5.3.7. */
static void add_codec(cJSON *list, bool uplink, bool offer, struct str text)
{
	struct buf b;

	if (!text.l)
		return;
	buf_init(&b, text.l + 64);
	buf_printf(&b, "%s\n%s\n%.*s\n", uplink ? "uplink" : "downlink", offer ? "offer" : "answer", STR_ARG(text));
	buf_putc(&b, '\0');
	if (!b.failed)
		cJSON_AddItemToArray(list, cJSON_CreateString(b.p));
	buf_fini(&b);
}

static void add_codecs(cJSON *m, const struct media_component *c)
{
	cJSON *list = cJSON_CreateArray();

	add_codec(list, true, c->ue_offered, c->ue_text);
	add_codec(list, false, !c->ue_offered, c->remote_text);
	if (cJSON_GetArraySize(list))
		cJSON_AddItemToObject(m, "codecs", list);
	else
		cJSON_Delete(list);
}

/* medType always: there are PCFs that refuse a component without it. */
static void add_component(cJSON *map, const struct media_component *c)
{
	cJSON *m = add_numbered(map, c->number), *subs;

	cJSON_AddNumberToObject(m, "medCompN", c->number);
	cJSON_AddStringToObject(m, "medType", media_type_name(c->type));
	cJSON_AddStringToObject(m, "fStatus", media_way_name(c->way));
	if (c->way == MEDIA_REMOVED)
		return;
	add_rate(m, "marBwUl", c->ul_bps);
	add_rate(m, "marBwDl", c->dl_bps);
	add_rate(m, "rsBw", c->rs_bps);
	add_rate(m, "rrBw", c->rr_bps);
	add_codecs(m, c);
	subs = cJSON_AddObjectToObject(m, "medSubComps");
	for (unsigned i = 0; i < c->n_flows; i++) {
		cJSON *s = add_flow(subs, &c->flow[i], i + 1);

		if (c->flow[i].rtcp)
			cJSON_AddStringToObject(s, "flowUsage", "RTCP");
	}
	if (c->n_flows == 0)		/* minProperties 1 */
		cJSON_DeleteItemFromObjectCaseSensitive(m, "medSubComps");
}

cJSON *n5_media(const struct media_set *media)
{
	cJSON *map = cJSON_CreateObject();

	for (unsigned i = 0; map && i < media->n; i++)
		add_component(map, &media->c[i]);
	return map;
}

cJSON *n5_signalling(const struct media_flow *flow, unsigned n)
{
	cJSON *map = cJSON_CreateObject(), *m = add_numbered(map, 0), *subs;

	cJSON_AddNumberToObject(m, "medCompN", 0);
	cJSON_AddStringToObject(m, "medType", "CONTROL");
	cJSON_AddStringToObject(m, "fStatus", "ENABLED");
	subs = cJSON_AddObjectToObject(m, "medSubComps");
	for (unsigned i = 0; i < n; i++) {
		cJSON *s = add_flow(subs, &flow[i], i + 1);

		cJSON_AddStringToObject(s, "fStatus", "ENABLED");
		cJSON_AddStringToObject(s, "flowUsage", "AF_SIGNALLING");
		cJSON_AddStringToObject(s, "afSigProtocol", "SIP");
	}
	return map;
}

void n5_media_merge(cJSON *into, cJSON *from)
{
	cJSON *c;

	while (from && (c = from->child)) {
		cJSON_DetachItemViaPointer(from, c);
		cJSON_DeleteItemFromObjectCaseSensitive(into, c->string);
		cJSON_AddItemToObject(into, c->string, c);
	}
	cJSON_Delete(from);
}

/* ---- create and update ---- */

static void add_address(cJSON *o, const struct addr *a)
{
	char text[INET6_ADDRSTRLEN] = "";
	bool v6 = a->sa.sa_family == AF_INET6;

	inet_ntop(a->sa.sa_family, v6 ? (const void *)&a->in6.sin6_addr : (const void *)&a->in4.sin_addr, text, sizeof(text));
	cJSON_AddStringToObject(o, v6 ? "ueIpv6" : "ueIpv4", text);
}

/* Supi and Gpsi: TS 29.571 §5.3.2. */
static void add_identities(cJSON *o, const struct binding *b)
{
	struct str imsi, rest;
	char text[64];
	uint64_t digits;

	if (str_cut(b->impi, '@', &imsi, &rest) && imsi.l == 15 && str_to_u64(imsi, &digits) == 0) {
		snprintf(text, sizeof(text), "imsi-%.*s", STR_ARG(imsi));
		cJSON_AddStringToObject(o, "supi", text);
	}
	for (unsigned i = 0; i < b->n_identities; i++) {
		struct str n = b->identity[i].aor;

		if (!str_istarts(n, STR("tel:+")) || n.l > 5 + 15)
			continue;
		snprintf(text, sizeof(text), "msisdn-%.*s", STR_ARG(str_from(n, 5)));
		cJSON_AddStringToObject(o, "gpsi", text);
		return;
	}
}

/* "1" or "1-000001": SST, SD. */
static void add_slice(cJSON *o, struct str snssai)
{
	struct str sst, sd;
	uint32_t n;
	cJSON *s;

	str_cut(snssai, '-', &sst, &sd);
	if (!snssai.l || str_to_u32(sst, &n) < 0)
		return;
	s = cJSON_AddObjectToObject(o, "sliceInfo");
	cJSON_AddNumberToObject(s, "sst", n);
	add_str(s, "sd", sd);
}

static void add_event(cJSON *list, const char *name)
{
	cJSON *e = cJSON_CreateObject();

	cJSON_AddStringToObject(e, "event", name);
	cJSON_AddItemToArray(list, e);
}

static void add_events(cJSON *o, const struct n5_subject *s)
{
	cJSON *ev = cJSON_AddObjectToObject(o, "evSubsc"), *list = cJSON_AddArrayToObject(ev, "events"), *anis;

	add_event(list, "FAILED_RESOURCES_ALLOCATION");
	add_event(list, "ACCESS_TYPE_CHANGE");
	add_event(list, "PLMN_CHG");
	if (s->call)
		add_event(list, "CHARGING_CORRELATION");
	cJSON_AddStringToObject(ev, "notifUri", s->notify_uri);
	if (!s->location)
		return;
	add_event(list, "ANI_REPORT");
	anis = cJSON_AddArrayToObject(ev, "reqAnis");
	cJSON_AddItemToArray(anis, cJSON_CreateString("USER_LOCATION"));
	cJSON_AddItemToArray(anis, cJSON_CreateString("UE_TIME_ZONE"));
}

static void add_call(cJSON *o, const struct n5_subject *s)
{
	const struct call *c = s->call;

	add_str(o, "afChargId", c->icid);
	if (c->emergency)
		add_str(o, "servUrn", c->service.l ? c->service : STR("sos"));
	if (c->priority.l)
		add_str(o, "mpsId", s->cfg->mps);
}

cJSON *n5_create_body(const struct n5_subject *s, cJSON *media, bool final)
{
	cJSON *doc = cJSON_CreateObject(), *o = cJSON_AddObjectToObject(doc, "ascReqData");
	unsigned features = FEATURE(5) | (s->location ? FEATURE(6) : 0) | (s->call ? 0 : FEATURE(7));
	char text[16];

	if (!o) {
		cJSON_Delete(doc);
		cJSON_Delete(media);
		return NULL;
	}
	snprintf(text, sizeof(text), "%x", features);
	cJSON_AddStringToObject(o, "suppFeat", text);
	cJSON_AddStringToObject(o, "notifUri", s->notify_uri);
	add_address(o, &s->b->flow.remote);
	add_str(o, "afAppId", s->cfg->application);
	add_str(o, "dnn", s->cfg->dnn);
	add_slice(o, s->cfg->snssai);
	add_identities(o, s->b);
	if (s->call)
		add_call(o, s);
	cJSON_AddStringToObject(o, "servInfStatus", final ? "FINAL" : "PRELIMINARY");
	add_events(o, s);
	cJSON_AddItemToObject(o, "medComponents", media);
	return doc;
}

cJSON *n5_update_body(cJSON *media, bool final, bool several, bool told_several)
{
	cJSON *doc = cJSON_CreateObject(), *o = cJSON_AddObjectToObject(doc, "ascReqData");

	if (!o) {
		cJSON_Delete(doc);
		cJSON_Delete(media);
		return NULL;
	}
	cJSON_AddStringToObject(o, "servInfStatus", final ? "FINAL" : "PRELIMINARY");
	if (several || told_several)
		cJSON_AddStringToObject(o, "sipForkInd", several ? "SEVERAL_DIALOGUES" : "SINGLE_DIALOGUE");
	cJSON_AddItemToObject(o, "medComponents", media);
	return doc;
}

/* ---- answers ---- */

static const char *const media_causes[] = {		/* §5.7.3: what was asked for, not the session as such */
	"INVALID_SERVICE_INFORMATION", "FILTER_RESTRICTIONS", "REQUESTED_SERVICE_NOT_AUTHORIZED", "REQUESTED_SERVICE_TEMPORARILY_NOT_AUTHORIZED",
};

static bool is_media_cause(const char *cause)
{
	for (size_t i = 0; i < sizeof(media_causes) / sizeof(media_causes[0]); i++)
		if (strcmp(cause, media_causes[i]) == 0)
			return true;
	return false;
}

/* It goes into headers and logs: letters, digits and underscore alone. */
static void take_cause(char dst[POLICY_CAUSE_BYTES], const char *cause, unsigned status)
{
	size_t n = 0;

	for (; cause && n + 1 < POLICY_CAUSE_BYTES; n++) {
		char c = cause[n];

		if ((c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_')
			break;
		dst[n] = c;
	}
	dst[n] = '\0';
	if (n == 0)
		snprintf(dst, POLICY_CAUSE_BYTES, "HTTP_%u", status);
}

/* 408, 429, 5xx but the one with a cause of this service: nobody has decided. */
static bool is_silence(unsigned status, const char *cause)
{
	if (strcmp(cause, "PDU_SESSION_NOT_AVAILABLE") == 0 || is_media_cause(cause))
		return false;
	return status == 408 || status == 429 || status >= 500 || status / 100 == 3;
}

void n5_read_problem(unsigned status, struct str body, struct policy_answer *ret)
{
	int err;
	cJSON *j = http_json_parse(body, &err);
	const cJSON *cause = cJSON_GetObjectItemCaseSensitive(j, "cause");

	take_cause(ret->cause, cJSON_IsString(cause) ? cause->valuestring : NULL, status);
	cJSON_Delete(j);
	ret->code = status;
	ret->verdict = is_silence(status, ret->cause) ? POLICY_SILENT : POLICY_NO;
	ret->media = is_media_cause(ret->cause);
	ret->later = ret->verdict == POLICY_SILENT || strcmp(ret->cause, "REQUESTED_SERVICE_TEMPORARILY_NOT_AUTHORIZED") == 0 ||
		     strcmp(ret->cause, "TEMPORARY_NETWORK_FAILURE") == 0;
}

/* ---- places ---- */

static const char *text_at(const cJSON *j, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(j, name);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static bool only(const char *text, const char *set, size_t min, size_t max)
{
	size_t n = strspn(text, set);

	return text[n] == '\0' && n >= min && n <= max;
}

/* tac is four or six, the cell seven or nine hexadecimal digits: TS 29.571 §5.4.4.8 to §5.4.4.10. */
struct str n5_location(const cJSON *ue_loc, char dst[POLICY_LOCATION_BYTES])
{
	static const char digits[] = "0123456789", hex[] = "0123456789abcdefABCDEF";
	const cJSON *nr = cJSON_GetObjectItemCaseSensitive(ue_loc, "nrLocation"), *eutra = cJSON_GetObjectItemCaseSensitive(ue_loc, "eutraLocation");
	const cJSON *at = nr ? nr : eutra, *tai = cJSON_GetObjectItemCaseSensitive(at, "tai");
	const cJSON *cell = cJSON_GetObjectItemCaseSensitive(at, nr ? "ncgi" : "ecgi"), *plmn = cJSON_GetObjectItemCaseSensitive(tai, "plmnId");
	const char *mcc = text_at(plmn, "mcc"), *mnc = text_at(plmn, "mnc"), *tac = text_at(tai, "tac");
	const char *id = text_at(cell, nr ? "nrCellId" : "eutraCellId");
	int l = 0;

	if (only(mcc, digits, 3, 3) && only(mnc, digits, 2, 3) && only(tac, hex, 4, 6) && only(id, hex, nr ? 9 : 7, nr ? 9 : 7))
		l = snprintf(dst, POLICY_LOCATION_BYTES, "%s;utran-cell-id-3gpp=%s%s%s%s;network-provided", nr ? "3GPP-NR" : "3GPP-E-UTRAN", mcc,
			     mnc, tac, id);
	return str_make(dst, (size_t)l);
}

/* An address that can stand in a header: nothing that ends a parameter. */
static bool is_address(const char *s)
{
	return s && *s && strlen(s) < 64 && strspn(s, "0123456789abcdefABCDEF.:") == strlen(s);
}

struct str n5_charging(const cJSON *n, char dst[CHARGING_ACCESS_BYTES])
{
	const cJSON *at = cJSON_GetObjectItemCaseSensitive(n, "anChargAddr");
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(n, "anChargIds"), 0), "accNetChaIdValue");
	const char *v4 = text_at(at, "anChargIpv4Addr"), *v6 = text_at(at, "anChargIpv6Addr");
	char address[72] = "", hex[12] = "";

	if (is_address(v4))
		snprintf(address, sizeof(address), "%s", v4);
	else if (is_address(v6))
		snprintf(address, sizeof(address), "[%s]", v6);
	if (cJSON_IsNumber(id) && id->valuedouble >= 0 && id->valuedouble <= UINT32_MAX)
		snprintf(hex, sizeof(hex), "%08x", (uint32_t)id->valuedouble);
	return charging_access(CHARGING_5GS, str_from_c(address), str_from_c(hex), dst);
}
