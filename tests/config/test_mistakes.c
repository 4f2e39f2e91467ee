/* tests/config/test_mistakes.c - each mistake gives exactly one message, with its place, its text and what was meant. */
#include <errno.h>
#include <stdio.h>
#include "common/config/config.h"
#include "tests/check.h"

static const struct cfg_row *const schemas[] = { cfg_common_schema, NULL };

#define SIP "sip: {listen: \"udp:127.0.0.1:5060\"}\n"		/* line 1 of most rows */

static const struct { const char *name, *in, *want; } rows[] = {
	{ "unknown key at the top", SIP "wrokers: 2\n", "2:1: unknown key \"wrokers\"; did you mean \"workers\"?" },
	{ "unknown key in a section", "sip:\n  listn: \"udp:127.0.0.1:5060\"\n  listen: \"udp:127.0.0.1:5060\"\n",
	  "2:3: unknown key \"listn\" in sip; did you mean \"listen\"?" },
	{ "letters swapped", SIP "lgo: {level: info}\n", "2:1: unknown key \"lgo\"; did you mean \"log\"?" },
	{ "other spelling", SIP "rest: {token-file: /a}\n", "2:8: unknown key \"token-file\" in rest; did you mean \"token_file\"?" },
	{ "upper case", SIP "Diameter: {identity: a, realm: b}\n", "2:1: unknown key \"Diameter\"; did you mean \"diameter\"?" },
	{ "unknown key in a list element", SIP "diameter:\n  identity: a\n  realm: b\n  peers:\n  - identity: c\n    prot: 3868\n",
	  "7:5: unknown key \"prot\" in diameter.peers; did you mean \"port\"?" },
	{ "unknown key, nested section", SIP "rest: {tls: {cert_file: a, key_file: b, ca_fiel: c}}\n",
	  "2:41: unknown key \"ca_fiel\" in rest.tls" },
	{ "nothing near", SIP "banana: 1\n", "2:1: unknown key \"banana\"" },
	{ "right key, wrong section", SIP "token_file: /a\n", "2:1: unknown key \"token_file\"; it belongs in \"rest\"" },
	{ "top key inside a section", "sip:\n  listen: \"udp:127.0.0.1:5060\"\n  workers: 2\n",
	  "3:3: unknown key \"workers\" in sip; it belongs at the top" },
	{ "section missing", "workers: 1\n", "1:1: required section \"sip\" is missing" },
	{ "empty file", "", "1:1: required section \"sip\" is missing" },
	{ "required key missing", "workers: 1\nsip: {timer_c_s: 200}\n", "2:1: required key \"listen\" is missing in sip" },
	{ "section without keys", "sip:\n", "1:1: required key \"listen\" is missing in sip" },
	{ "required key of an element", SIP "diameter:\n  identity: a\n  realm: b\n  peers:\n    - port: 1\n",
	  "6:7: required key \"identity\" is missing in diameter.peers" },
	{ "no number", SIP "workers: many\n", "2:10: workers: \"many\" is not a whole number" },
	{ "number with unit", "sip:\n  listen: \"udp:127.0.0.1:5060\"\n  timers:\n    t1_ms: 500ms\n",
	  "4:12: sip.timers.t1_ms: \"500ms\" is not a whole number of ms" },
	{ "fraction", SIP "workers: 1.5\n", "2:10: workers: \"1.5\" is not a whole number" },
	{ "too large", SIP "workers: 65\n", "2:10: workers: 65 is out of range, 0 to 64" },
	{ "negative", SIP "workers: -1\n", "2:10: workers: -1 is out of range, 0 to 64" },
	{ "far too large", SIP "workers: 99999999999999999999999\n",
	  "2:10: workers: 99999999999999999999999 is out of range, 0 to 64" },
	{ "octal or not", SIP "workers: 010\n", "2:10: workers: \"010\": write the number without the zero in front" },
	{ "port too large", SIP "diameter: {identity: a, realm: b, peers: [{identity: c, port: 70000}]}\n",
	  "2:63: diameter.peers[].port: 70000 is out of range, 1 to 65535" },
	{ "unknown word", SIP "state: {backend: embeded}\n",
	  "2:18: state.backend: \"embeded\" is not one of embedded, redis, none; did you mean \"embedded\"?" },
	{ "unknown word, nothing near", SIP "state: {backend: oracle}\n",
	  "2:18: state.backend: \"oracle\" is not one of embedded, redis, none" },
	{ "log level", SIP "log: {level: warning}\n",
	  "2:14: log.level: \"warning\" is not one of error, warn, info, debug; did you mean \"warn\"?" },
	{ "log area", SIP "log: {levels: {regg: debug}}\n", "2:16: log.levels: \"regg\" is no area of the log; did you mean \"reg\"?" },
	{ "level of an area", SIP "log: {levels: {reg: loud}}\n",
	  "2:21: log.levels: \"loud\" must be one of error, warn, info, debug" },
	{ "section given as a value", "sip: yes\n", "1:6: sip: must be a section of \"key: value\" lines, not \"yes\"" },
	{ "section given as a list", SIP "log: [info]\n", "2:6: log: must be a section of \"key: value\" lines, not a list" },
	{ "value given as a list", SIP "workers: [1]\n", "2:10: workers: must be a whole number, not a list" },
	{ "value given as a section", SIP "domain: {a: b}\n", "2:9: domain: must be a text, not a section" },
	{ "list given as a section", SIP "diameter: {identity: a, realm: b, peers: {identity: c}}\n",
	  "2:42: diameter.peers: must be a list of sections, not a section" },
	{ "element is no section", SIP "diameter: {identity: a, realm: b, peers: [c]}\n",
	  "2:43: diameter.peers: an entry must be a section of \"key: value\" lines, not a single value" },
	{ "no value", SIP "domain:\n", "2:1: domain: the value is missing" },
	{ "empty string", SIP "domain: \"\"\n", "2:9: domain: \"\" must have 1 to 253 characters" },
	{ "listener without protocol", "sip: {listen: [\"127.0.0.1:5060\"]}\n",
	  "1:16: sip.listen: \"127.0.0.1:5060\": must start with \"udp:\", \"tcp:\" or \"tls:\", as in \"udp:192.0.2.1:5060\"" },
	{ "listener without port", "sip: {listen: [\"udp:127.0.0.1\"]}\n",
	  "1:16: sip.listen: \"udp:127.0.0.1\": the port is missing: write \"ADDRESS:PORT\"" },
	{ "listener with a bad address", "sip: {listen: [\"udp:127.0.0.256:5060\"]}\n",
	  "1:16: sip.listen: \"udp:127.0.0.256:5060\": must be \"ADDRESS:PORT\" with an IPv4 or IPv6 address, not a name" },
	{ "listener with a bad port", "sip:\n  listen:\n    - \"udp:127.0.0.1:5060\"\n    - \"tcp:127.0.0.1:70000\"\n",
	  "4:7: sip.listen: \"tcp:127.0.0.1:70000\": the port must be 1 to 65535" },
	{ "port 0", "sip: {listen: \"udp:127.0.0.1:0\"}\n", "1:15: sip.listen: \"udp:127.0.0.1:0\": the port must be 1 to 65535" },
	{ "listener twice", "sip: {listen: [\"udp:127.0.0.1:5060\", \"udp:127.0.0.1:5060\"]}\n",
	  "1:38: sip.listen: \"udp:127.0.0.1:5060\" stands twice" },
	{ "no listener", "sip: {listen: []}\n", "1:15: sip.listen: the list is empty" },
	{ "name for an address", SIP "rest: {listen: \"localhost:8080\"}\n",
	  "2:16: rest.listen: \"localhost:8080\": must be \"ADDRESS:PORT\" with an IPv4 or IPv6 address, not a name" },
	{ "IPv6 without brackets", SIP "rest: {listen: \"2001:db8::1\"}\n",
	  "2:16: rest.listen: \"2001:db8::1\": the port is missing: write \"[ADDRESS]:PORT\"" },
	{ "DNS server by name", SIP "dns: {servers: [127.0.0.53, dns.example]}\n",
	  "2:29: dns.servers: \"dns.example\" must be ADDRESS or ADDRESS:PORT" },
	{ "next hop", SIP "dns:\n  next_hops:\n    a.example: sctp:1.2.3.4:5\n",
	  "4:16: dns.next_hops: \"sctp:1.2.3.4:5\" must be ADDRESS:PORT with \"udp:\", \"tcp:\" or \"tls:\" before it or not" },
	{ "peer address", SIP "diameter: {identity: a, realm: b, peers: [{identity: c, address: 1.2.3}]}\n",
	  "2:66: diameter.peers[].address: \"1.2.3\" must be an IPv4 or IPv6 address" },
	{ "peer twice", SIP "diameter:\n  identity: a\n  realm: b\n  peers: [{identity: c}, {identity: C}]\n",
	  "5:37: diameter.peers: \"C\" stands twice" },
	{ "identity with a blank", SIP "diameter: {identity: \"a b\", realm: c}\n",
	  "2:22: diameter.identity: \"a b\" must be a host or domain name" },
	{ "no realm anywhere", SIP "diameter: {identity: a}\n",
	  "2:1: diameter: no realm, and neither plmn nor domain to derive it from" },
	{ "country code with two digits", SIP "plmn: {mcc: 01, mnc: 01}\n", "2:13: plmn.mcc: \"01\" must have 3 characters" },
	{ "network code with letters", SIP "plmn: {mcc: 001, mnc: x1}\n", "2:23: plmn.mnc: \"x1\" must be digits only" },
	{ "network code with one digit", SIP "plmn: {mcc: 001, mnc: 1}\n", "2:23: plmn.mnc: \"1\" must have 2 to 3 characters" },
	{ "T1 over T2", "sip: {listen: \"udp:127.0.0.1:5060\", timers: {t1_ms: 5000}}\n",
	  "1:53: sip.timers.t1_ms is 5000, longer than sip.timers.t2_ms with 4000" },
	{ "asks for less than it refuses", "sip: {listen: \"udp:127.0.0.1:5060\", session_timer: {min_se_s: 300, expires_s: 200}}\n",
	  "1:79: sip.session_timer.expires_s is 200, less than min_se_s with 300" },
	{ "token twice", SIP "rest: {token_file: /a, token: b}\n", "2:24: rest: either token or token_file, not both" },
	{ "secret of the wrong kind", SIP "rest: {token: [hunter2]}\n", "2:15: rest.token: must be a text, not a list" },
	{ "key twice", SIP "workers: 1\nworkers: 2\n", "3:1: key \"workers\" stands twice in this section; first in line 2" },
	{ "section twice", SIP "log: {level: info}\nlog: {format: json}\n",
	  "3:1: key \"log\" stands twice in this section; first in line 2" },
	{ "tab", "sip:\n\tlisten: \"udp:127.0.0.1:5060\"\n",
	  "2:1: not YAML: found character that cannot start any token, while scanning for the next token"
	  "; indent with spaces, not with tabs" },
	{ "bracket left open", "sip: {listen: [\"udp:127.0.0.1:5060\"}\n",
	  "1:36: not YAML: did not find expected ',' or ']', while parsing a flow sequence" },
	{ "wrong indent", "sip:\n  listen: \"udp:127.0.0.1:5060\"\n timers: {}\n",
	  "3:2: not YAML: did not find expected key, while parsing a block mapping that starts in line 1" },
	{ "anchor", SIP "domain: &a x\n", "2:9: anchors and aliases are not supported: write the value out" },
	{ "alias", SIP "domain: *a\n", "2:9: anchors and aliases are not supported: write the value out" },
	{ "tag", SIP "domain: !!str x\n", "2:9: tags (\"!\") are not supported: leave it out" },
	{ "two documents", SIP "---\nworkers: 1\n", "2:1: one document only: nothing may follow a second \"---\"" },
	{ "a list for a file", "- a\n- b\n", "1:1: a configuration is made of \"key: value\" lines" },
	{ "a word for a file", "hello\n", "1:1: a configuration is made of \"key: value\" lines" },
	{ "too deep", "a: [[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]\n", "1:19: sections and lists stand too deep in each other" },
	{ "map as a key", "? {a: b}\n: c\n", "1:3: a key must be plain text, not a map or a list" },
	{ "control character", SIP "domain: \"a\\x07b\"\n", "2:9: a value must not hold line breaks or control characters" },
	{ "NUL", SIP "domain: \"a\\0b\"\n", "2:9: a value must not hold line breaks or control characters" },
	{ "not UTF-8", SIP "domain: \xff\xfe\n", "2:9: not YAML: invalid leading UTF-8 octet" },
	{ "include of nothing", SIP "include:\n", "2:9: include: must be a file name or a list of file names" },
	{ "include of a section", SIP "include: {a: b}\n", "2:10: include: must be a file name or a list of file names" },
	{ "long text is cut", SIP "workers: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	  "2:10: workers: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\" is not a whole number" },
};

START_TEST(test_mistake)
{
	struct cfg *c = NULL;
	char want[512];
	struct buf e;
	int rc;

	buf_init(&e, 65536);
	snprintf(want, sizeof(want), "t.yaml:%s\n", rows[_i].want);
	rc = cfg_load_text(str_from_c(rows[_i].in), "t.yaml", schemas, &c, &e);
	ck_assert_msg(rc == -EINVAL && !c && str_eq_c(buf_str(&e), want), "%s: rc %d\n got: %.*swant: %s", rows[_i].name, rc,
		      STR_ARG(buf_str(&e)), want);
	buf_fini(&e);
}
END_TEST

START_TEST(test_all_are_told)
{
	struct cfg *c = NULL;
	struct buf e;

	buf_init(&e, 65536);
	ck_assert_int_eq(cfg_load_text(STR("workers: x\nlog: {level: y}\nsip: {listen: z}\n"), "t.yaml", schemas, &c, &e), -EINVAL);
	ck_assert_int_ge(str_find(buf_str(&e), STR("t.yaml:1:10: ")), 0);
	ck_assert_int_ge(str_find(buf_str(&e), STR("t.yaml:2:14: ")), 0);
	ck_assert_int_ge(str_find(buf_str(&e), STR("t.yaml:3:15: ")), 0);
	buf_fini(&e);
}
END_TEST

/* Limits: one mistake, and soon. */
START_TEST(test_limits)
{
	struct cfg *c = NULL;
	struct buf in, e;

	buf_init(&in, 4u << 20);
	buf_init(&e, 1u << 20);
	buf_puts(&in, SIP);
	while (!in.failed && in.l <= 1u << 20)
		buf_puts(&in, "# nothing but comment, a mebibyte of it\n");
	ck_assert_int_eq(cfg_load_text(buf_str(&in), "t.yaml", schemas, &c, &e), -EINVAL);
	ck_assert(str_eq_c(buf_str(&e), "t.yaml:1:1: the file is larger than 1 MiB\n"));

	buf_reset(&in);
	buf_reset(&e);
	buf_puts(&in, SIP "domain_aliases: [");
	for (int i = 0; i < 200000; i++)
		buf_puts(&in, "a, ");
	buf_puts(&in, "a]\n");
	ck_assert_int_eq(cfg_load_text(buf_str(&in), "t.yaml", schemas, &c, &e), -EINVAL);
	ck_assert_int_ge(str_find(buf_str(&e), STR("too many entries in one list")), 0);

	buf_reset(&in);
	buf_reset(&e);
	for (int i = 0; i < 1000; i++)
		buf_printf(&in, "wrong%d: 1\n", i);
	ck_assert_int_eq(cfg_load_text(buf_str(&in), "t.yaml", schemas, &c, &e), -EINVAL);
	ck_assert_int_ge(str_find(buf_str(&e), STR("more mistakes follow")), 0);
	ck_assert_uint_lt(e.l, 16384);
	buf_fini(&in);
	buf_fini(&e);
}
END_TEST

TEST_MAIN("mistakes", TEST_ROWS(test_mistake, rows), TEST_ONE(test_all_are_told), TEST_ONE(test_limits))
