/* tests/pcf/test_pcf.c - what the lab PCF finds wrong in a request: TS 29.514 §5.6. */
#include "tests/check.h"
#include "tests/pcf/pcf.h"

#define FLOWS "\"medSubComps\":{\"1\":{\"fNum\":1,\"fDescs\":[\"permit out 17 from 10.0.0.9 4000 to 10.0.0.1 5000\"," \
	"\"permit in 17 from 10.0.0.1 5000 to 10.0.0.9 4000\"]}}"
#define CODECS "\"codecs\":[\"uplink\\noffer\\nm=audio\\n\",\"downlink\\nanswer\\nm=audio\\n\"]"
#define AUDIO(more) "\"1\":{\"medCompN\":1,\"medType\":\"AUDIO\",\"fStatus\":\"ENABLED\",\"marBwUl\":\"64 Kbps\"," CODECS "," FLOWS more "}"
#define HEAD "\"suppFeat\":\"10\",\"notifUri\":\"http://1.2.3.4:7777/n/1\",\"afChargId\":\"icid\"," \
	"\"evSubsc\":{\"events\":[{\"event\":\"FAILED_RESOURCES_ALLOCATION\"}],\"notifUri\":\"http://1.2.3.4:7777/n/1\"},"
#define CREATE(rest) "{\"ascReqData\":{" HEAD "\"ueIpv4\":\"10.0.0.1\",\"medComponents\":{" rest "}}}"
#define UPDATE(rest) "{\"ascReqData\":{\"servInfStatus\":\"FINAL\",\"medComponents\":{" rest "}}}"

static const struct { const char *name; bool update; const char *body; unsigned wrong; } rows[] = {
	{ "good", false, CREATE(AUDIO("")), 0 },
	{ "no ascReqData", false, "{}", 1 },
	{ "nothing", false, "[]", 1 },
	{ "no address", false, "{\"ascReqData\":{" HEAD "\"medComponents\":{" AUDIO("") "}}}", 1 },
	{ "an address that is none", false, "{\"ascReqData\":{" HEAD "\"ueIpv4\":\"10.0.0\",\"medComponents\":{" AUDIO("") "}}}", 1 },
	{ "no component", false, CREATE(""), 1 },
	{ "an unknown member", false, CREATE(AUDIO(",\"bandwidth\":1")), 1 },
	{ "a key that is another number", false, CREATE("\"2\":{\"medCompN\":1,\"medType\":\"AUDIO\",\"fStatus\":\"ENABLED\"," CODECS "," FLOWS "}"), 1 },
	{ "no medType", false, CREATE("\"1\":{\"medCompN\":1,\"fStatus\":\"ENABLED\"," CODECS "," FLOWS "}"), 1 },
	{ "a rate in numbers", false, CREATE("\"1\":{\"medCompN\":1,\"medType\":\"AUDIO\",\"fStatus\":\"ENABLED\",\"marBwUl\":64000," CODECS "," FLOWS "}"), 1 },
	{ "no flows", false, CREATE("\"1\":{\"medCompN\":1,\"medType\":\"AUDIO\",\"fStatus\":\"ENABLED\"," CODECS "}"), 1 },
	{ "codec data of nobody", false, CREATE("\"1\":{\"medCompN\":1,\"medType\":\"AUDIO\",\"fStatus\":\"ENABLED\"," FLOWS "}"), 1 },
	{ "one direction", false, CREATE("\"1\":{\"medCompN\":1,\"medType\":\"AUDIO\",\"fStatus\":\"ENABLED\"," CODECS
					 ",\"medSubComps\":{\"1\":{\"fNum\":1,\"fDescs\":[\"permit out 17 from 10.0.0.9 4000 to 10.0.0.1 5000\"]}}}"), 1 },
	{ "removed, never there", false, CREATE("\"1\":{\"medCompN\":1,\"medType\":\"AUDIO\",\"fStatus\":\"REMOVED\"}"), 1 },
	{ "told again", true, UPDATE(AUDIO("")), 1 },
	{ "a change", true, UPDATE("\"1\":{\"medCompN\":1,\"medType\":\"AUDIO\",\"fStatus\":\"ENABLED-UPLINK\"," CODECS "," FLOWS "}"), 0 },
	{ "several dialogues", true, "{\"ascReqData\":{\"sipForkInd\":\"SEVERAL_DIALOGUES\",\"medComponents\":{" AUDIO("") "}}}", 0 },
	{ "no such fork", true, "{\"ascReqData\":{\"sipForkInd\":\"MANY\",\"medComponents\":{\"1\":{\"medCompN\":1,\"medType\":\"AUDIO\",\"fStatus\":\"REMOVED\"}}}}", 1 },
	{ "what an update cannot say", true, "{\"ascReqData\":{\"ueIpv4\":\"10.0.0.1\",\"medComponents\":{\"1\":{\"medCompN\":1,\"medType\":\"AUDIO\",\"fStatus\":\"REMOVED\"}}}}", 1 },
};

static void on_wrong(void *arg, const char *what)
{
	(void)what;
	++*(unsigned *)arg;
}

START_TEST(test_row)
{
	static struct pcf p;
	cJSON *first = cJSON_Parse(rows[0].body), *body = cJSON_Parse(rows[_i].body);
	struct pcf_session *s;
	unsigned n = 0;

	ck_assert_ptr_nonnull(body);
	list_init(&p.sessions);
	s = pcf_session_new(&p, first);
	if (rows[_i].update)
		pcf_check_update(s, body, on_wrong, &n);
	else
		pcf_check_create(body, on_wrong, &n);
	ck_assert_msg(n == rows[_i].wrong, "%s: %u", rows[_i].name, n);
	pcf_session_free(s);
	cJSON_Delete(first);
	cJSON_Delete(body);
}
END_TEST

START_TEST(test_session)		/* what it came to: changed, removed */
{
	static struct pcf p;
	cJSON *first = cJSON_Parse(rows[0].body), *hold = cJSON_Parse(UPDATE("\"1\":{\"medCompN\":1,\"fStatus\":\"ENABLED-UPLINK\"}"));
	cJSON *gone = cJSON_Parse(UPDATE("\"1\":{\"medCompN\":1,\"medType\":\"AUDIO\",\"fStatus\":\"REMOVED\"}")), *shown;
	const cJSON *m;
	struct pcf_session *s;

	list_init(&p.sessions);
	s = pcf_session_new(&p, first);
	pcf_session_take(s, hold);
	shown = pcf_session_show(s);
	m = cJSON_GetArrayItem(cJSON_GetObjectItem(shown, "media"), 0);
	ck_assert_str_eq(pcf_text(shown, "address"), "10.0.0.1");
	ck_assert_str_eq(pcf_text(m, "status"), "ENABLED-UPLINK");
	ck_assert(cJSON_GetObjectItem(m, "uplinkBps")->valuedouble == 64000 && cJSON_GetArraySize(cJSON_GetObjectItem(m, "flows")) == 2);
	cJSON_Delete(shown);
	pcf_session_take(s, gone);
	shown = pcf_session_show(s);
	ck_assert(cJSON_GetArraySize(cJSON_GetObjectItem(shown, "media")) == 0 && s->requests == 3);
	cJSON_Delete(shown);
	pcf_session_free(s);
	cJSON_Delete(first);
	cJSON_Delete(hold);
	cJSON_Delete(gone);
}
END_TEST

TEST_MAIN("pcf", TEST_ROWS(test_row, rows), TEST_ONE(test_session))
