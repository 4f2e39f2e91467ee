/* tests/scscf/test_subscription.c - the reg event notifier: TS 24.229 §5.4.2.1; RFC 3680, RFC 6665; rows S14, S15, SEC-17. */
#include "common/util/clock.h"
#include "tests/scscf/rig.h"
#include "tests/sip/reginfo_valid.h"

#define ALICE "sip:alice@home.example"
#define CONTACT "Contact: <sip:watcher@10.1.1.1:5070>\n"
#define BY(uri) "P-Asserted-Identity: <" uri ">\n"

static void subscribe(struct rig *r, const char *ruri, const char *to_tag, const char *extra)
{
	char text[2048];

	r->turn++;
	snprintf(text, sizeof(text), "Event: reg\n%s", extra);
	rig_request(r, "SUBSCRIBE", ruri, to_tag, text);
}

/* ---- who may, and what is refused ---- */

static const struct {
	const char *name, *ruri, *extra;
	unsigned status;
	const char *has;		/* in the answer */
} rows[] = {
	{ "own identity", ALICE, BY("sip:alice@home.example") CONTACT "Expires: 600\n", 200, "Expires: 600\r\n" },
	{ "another of the own identities", ALICE, BY("tel:+4930111") CONTACT "Expires: 600\n", 200, "" },
	{ "to the number", "tel:+4930111", BY("sip:alice@home.example") CONTACT "Expires: 600\n", 200, "" },
	{ "a barred one of the own", ALICE, BY("sip:alice-imsi@home.example") CONTACT, 403, "" },
	{ "another user", ALICE, BY("sip:bob@home.example") CONTACT, 403, "" },
	{ "nobody asserted, whatever From says", ALICE, CONTACT, 403, "" },
	{ "the P-CSCF of the Path", ALICE, BY("sip:p1.home.example") CONTACT, 200, "" },
	{ "the P-CSCF with its port", ALICE, BY("sip:p1.home.example:5060") CONTACT, 200, "" },
	{ "another port of that host", ALICE, BY("sip:p1.home.example:5062") CONTACT, 403, "" },
	{ "a user at that host", ALICE, BY("sip:x@p1.home.example") CONTACT, 403, "" },
	{ "another P-CSCF", ALICE, BY("sip:p2.home.example") CONTACT, 403, "" },
	{ "a barred identity is nobody", "sip:alice-imsi@home.example", BY("sip:alice@home.example") CONTACT, 404, "" },
	{ "default time, RFC 3680 §4.4", ALICE, BY("sip:alice@home.example") CONTACT, 200, "Expires: 3761\r\n" },
	{ "too long is shortened", ALICE, BY("sip:alice@home.example") CONTACT "Expires: 600000\n", 200, "Expires: 7200\r\n" },
	{ "too short, RFC 6665 §4.2.1.1", ALICE, BY("sip:alice@home.example") CONTACT "Expires: 59\n", 423, "Min-Expires: 60\r\n" },
	{ "no number", ALICE, BY("sip:alice@home.example") CONTACT "Expires: soon\n", 400, "" },
	{ "no Contact", ALICE, BY("sip:alice@home.example"), 400, "" },
	{ "Accept names something else", ALICE, BY("sip:alice@home.example") CONTACT "Accept: application/pidf+xml\n", 406,
	  "Accept: application/reginfo+xml\r\n" },
	{ "Accept names it", ALICE, BY("sip:alice@home.example") CONTACT "Accept: text/plain, application/reginfo+xml;q=0.1\n", 200, "" },
	{ "the route set comes back", ALICE, BY("sip:alice@home.example") CONTACT "Record-Route: <sip:t@p1.home.example;lr>\n", 200,
	  "Record-Route: <sip:t@p1.home.example;lr>\r\n" },
};

START_TEST(test_who_row)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_users(&r);
	subscribe(&r, rows[_i].ruri, NULL, rows[_i].extra);
	ck_assert_msg(rig_status(&r) == rows[_i].status, "%s: %u", rows[_i].name, rig_status(&r));
	ck_assert_msg(rig_has(rig_up(&r), rows[_i].has), "%s: %.*s", rows[_i].name, STR_ARG(rig_up(&r)->raw));
	ck_assert_msg((rig_req(&r, "NOTIFY", 0) != NULL) == (rows[_i].status == 200), "%s", rows[_i].name);
	rig_fini(&r);
}
END_TEST

/* S15, TS 24.229 §5.4.2.1.1: who has services for the user may watch his registration; nobody else's servers may. */
static const struct { const char *name, *by; unsigned status; } servers[] = {
	{ "S15 a server of his criteria", "sip:as1.home.example:5070", 200 },
	{ "S15 what it calls itself", "sip:presence@as1.home.example:5070", 200 },
	{ "S15 named with a user", "sip:mmtel@as2.home.example", 200 },
	{ "S15 another user of that host", "sip:other@as2.home.example", 403 },
	{ "S15 another port", "sip:as1.home.example", 403 },
	{ "S15 another server", "sip:as3.home.example", 403 },
};

START_TEST(test_server_of_criteria_row)
{
	static const char ifc[] = "<InitialFilterCriteria><Priority>%u</Priority><ApplicationServer><ServerName>%s</ServerName></ApplicationServer>"
				  "</InitialFilterCriteria>";
	char service[1024], by[256];
	struct rig r;
	int n;

	rig_init(&r, NULL);
	n = snprintf(service, sizeof(service), "<PublicIdentity><Identity>sip:hugo@home.example</Identity></PublicIdentity>");
	n += snprintf(service + n, sizeof(service) - (size_t)n, ifc, 1u, "sip:as1.home.example:5070");
	snprintf(service + n, sizeof(service) - (size_t)n, ifc, 2u, "sip:mmtel@as2.home.example");
	rig_user(&r, 0x77, service, "sip:hugo@10.8.0.9");
	snprintf(by, sizeof(by), "P-Asserted-Identity: <%s>\n" CONTACT, servers[_i].by);
	subscribe(&r, "sip:hugo@home.example", NULL, by);
	ck_assert_msg(rig_status(&r) == servers[_i].status, "%s: %u", servers[_i].name, rig_status(&r));
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *from_ip, *by, *type; } watchers[] = {
	{ "the P-CSCF", NULL, BY("sip:p1.home.example"), "Type 1" }, { "the user", NULL, BY("sip:alice@home.example"), "Type 1" },
	{ "an application server", "10.9.9.9", BY("sip:as.home.example"), "Type 3" },
};

START_TEST(test_charging_row_G1)	/* TS 24.229 §5.4.2.1.2, §4.5.4: the answer, and a NOTIFY with an ICID of its own */
{
	char want[256], extra[512];
	const char *v;
	struct rig r;

	rig_init(&r, "{application_servers: [10.9.9.9]}");
	rig_users(&r);
	r.from_ip = watchers[_i].from_ip;
	snprintf(extra, sizeof(extra), "%s" CONTACT "P-Charging-Vector: icid-value=i;orig-ioi=\"x\"\n", watchers[_i].by);
	subscribe(&r, ALICE, NULL, extra);
	ck_assert_msg(rig_status(&r) == 200, "%s: %u", watchers[_i].name, rig_status(&r));
	snprintf(want, sizeof(want), "icid-value=i;orig-ioi=\"x\";term-ioi=\"%shome.example\"", watchers[_i].type);
	ck_assert_str_eq(rig_hdr(rig_up(&r), SIP_H_PCV), want);
	v = rig_hdr(rig_req(&r, "NOTIFY", 0)->m, SIP_H_PCV);
	snprintf(want, sizeof(want), ";icid-generated-at=scscf.home.example;orig-ioi=\"%shome.example\"", watchers[_i].type);
	ck_assert_msg(strncmp(v, "icid-value=\"", 12) == 0 && strstr(v, want), "%s: %s", watchers[_i].name, v);
	rig_fini(&r);
}
END_TEST

START_TEST(test_by_service_route)	/* a phone's own: no way round by the I-CSCF (TS 24.229 §5.1.1.3) */
{
	struct rig r;
	char extra[512];

	rig_init(&r, NULL);
	rig_users(&r);
	snprintf(extra, sizeof(extra), "Route: %s\n" CONTACT, rig_route(&r, TOKEN_SERVICE_ROUTE, 0, ID_ALICE));
	subscribe(&r, ALICE, NULL, extra);
	ck_assert_uint_eq(rig_status(&r), 200);
	ck_assert_str_eq(rig_down(&r), "NOTIFY@10.1.1.1");
	subscribe(&r, "sip:bob@home.example", NULL, extra);	/* goes to whoever serves bob */
	ck_assert_str_eq(rig_down(&r), "NOTIFY@10.1.1.1 SUBSCRIBE@10.0.0.20");
	rig_fini(&r);
}
END_TEST

/* ---- a subscription of alice's ---- */

static const char *tag_of(struct rig *r)
{
	static char text[64];

	str_copy(rig_up(r)->to_tag, text, sizeof(text));
	return text;
}

static void begin(struct rig *r)
{
	rig_init(r, NULL);
	rig_users(r);
	subscribe(r, ALICE, NULL, BY("sip:alice@home.example") CONTACT "Expires: 600\n");
	ck_assert_uint_eq(rig_status(r), 200);
}

static struct sip_msg *notify(struct rig *r, unsigned i)
{
	struct rig_sent *s = rig_req(r, "NOTIFY", i);

	return s ? s->m : NULL;
}

/* Ends a test: every document that was sent is valid by the schema (row S14; RFC 3680 §5, RFC 5628 §5). */
static void end(struct rig *r)
{
	for (unsigned i = 0; notify(r, i); i++)
		reginfo_validate(notify(r, i)->body);
	rig_fini(r);
}

/* What the owner does: a new view of alice with these contacts, and word of it. */
static void change(struct rig *r, unsigned n, struct reg_contact_view *c, const char *ended, enum reginfo_event event)
{
	struct reg_view *old = reg_directory_id(r->s.dir, ID_ALICE), *v;
	static struct str aors[3] = { { "sip:alice@home.example", 22 }, { "sip:+4930111@home.example", 25 }, { "tel:+4930111", 12 } };
	struct arena *a = arena_new(512);
	struct reg_change *g = arena_zalloc(a, sizeof(*g));

	*g = (struct reg_change){ .arena = a, .impi = arena_dup(a, str_from_c(old->impi)), .aor = aors, .n_aors = 3, .n_ended = ended ? 1 : 0 };
	g->ended = arena_zalloc(a, sizeof(*g->ended));
	if (ended)
		*g->ended = (struct reg_ended){ .uri = str_from_c(ended), .event = event, .call_id = STR("cid"), .cseq = 3, .retry_after_s = 30 };
	if (n) {
		v = reg_view_new(ID_ALICE, g->impi, old->profile, NULL, n, c);
		ck_assert_int_eq(reg_directory_publish(r->s.dir, v), 0);
		obj_unref(v);
	} else {
		reg_directory_withdraw(r->s.dir, ID_ALICE);
	}
	obj_unref(old);
	subscriptions_changed(&r->w, g);
}

static struct reg_contact_view contact(char *uri, unsigned cseq, enum reginfo_event e)
{
	static char params[] = "+g.3gpp.smsip", *path[] = { params };

	return (struct reg_contact_view){ .uri = uri, .params = params, .call_id = "cid", .impu = 1, .cseq = cseq,
					  .event = (uint8_t)e, .expires_wall_us = clock_wall_us() + 60000000, .n_path = 0, .path = path };
}

static char phone1[] = "sip:alice@10.8.0.1:5066", phone2[] = "sip:alice@10.8.0.9";

START_TEST(test_dialog)			/* right dialog identifiers, and the whole state first */
{
	struct rig r;
	struct sip_msg *n;

	begin(&r);
	n = notify(&r, 0);
	ck_assert(str_eq_c(n->call_id, "call") && str_eq_c(n->from_tag, tag_of(&r)) && str_eq_c(n->to_tag, "A"));
	ck_assert(str_eq_c(n->ruri_text, "sip:watcher@10.1.1.1:5070"));
	ck_assert_str_eq(rig_hdr(n, SIP_H_EVENT), "reg");
	ck_assert_str_eq(rig_hdr(n, SIP_H_SUBSCRIPTION_STATE), "active;expires=600");
	ck_assert_str_eq(rig_hdr(n, SIP_H_CONTENT_TYPE), "application/reginfo+xml");
	ck_assert_str_eq(rig_hdr(n, SIP_H_CONTACT), "<sip:" RIG_NAME ">");
	ck_assert(rig_has(n, "version=\"0\" state=\"full\""));
	ck_assert(rig_has(n, "<registration aor=\"sip:alice@home.example\"") && rig_has(n, "aor=\"sip:+4930111@home.example\"") &&
		  rig_has(n, "aor=\"tel:+4930111\"") && !rig_has(n, "alice-imsi"));
	ck_assert(rig_has(n, "<uri>sip:alice@10.8.0.1:5066</uri>"));
	end(&r);
}
END_TEST

START_TEST(test_one_at_a_time)		/* changes while a NOTIFY is out are told together; the version rises by one */
{
	struct rig r;
	struct reg_contact_view two[] = { contact(phone1, 4, REGINFO_REFRESHED), contact(phone2, 1, REGINFO_REGISTERED) };

	begin(&r);
	change(&r, 2, two, NULL, REGINFO_NONE);
	change(&r, 1, two, phone2, REGINFO_UNREGISTERED);
	ck_assert_ptr_null(notify(&r, 1));
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 200, "");
	ck_assert_ptr_nonnull(notify(&r, 1));
	ck_assert_ptr_null(notify(&r, 2));
	ck_assert_uint_eq(notify(&r, 1)->cseq, notify(&r, 0)->cseq + 1);
	ck_assert(rig_has(notify(&r, 1), "version=\"1\" state=\"full\""));
	ck_assert(rig_has(notify(&r, 1), "state=\"active\" event=\"refreshed\" expires=\"60\""));
	ck_assert(rig_has(notify(&r, 1), "state=\"terminated\" event=\"unregistered\" expires=\"0\""));
	rig_reply(&r, rig_req(&r, "NOTIFY", 1), 200, "");
	ck_assert_ptr_null(notify(&r, 2));	/* nothing new */
	change(&r, 1, two, NULL, REGINFO_NONE);
	ck_assert(rig_has(notify(&r, 2), "version=\"2\"") && !rig_has(notify(&r, 2), "unregistered"));
	end(&r);
}
END_TEST

START_TEST(test_implicit)		/* §5.4.2.1.2: what came along is "created" */
{
	struct rig r;
	struct reg_contact_view one[] = { contact(phone2, 1, REGINFO_REGISTERED) };
	ssize_t at;

	begin(&r);
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 200, "");
	change(&r, 1, one, NULL, REGINFO_NONE);
	at = str_find(notify(&r, 1)->body, STR("event=\"registered\""));
	ck_assert_int_gt(at, 0);
	ck_assert_int_lt(str_find(str_from(notify(&r, 1)->body, (size_t)at + 1), STR("event=\"registered\"")), 0);
	ck_assert(rig_has(notify(&r, 1), "event=\"created\""));
	ck_assert(rig_has(notify(&r, 1), "callid=\"cid\" cseq=\"1\"") && rig_has(notify(&r, 1), "<unknown-param name=\"+g.3gpp.smsip\">"));
	end(&r);
}
END_TEST

START_TEST(test_partial)		/* RFC 3680 §5.1: only what changed */
{
	struct rig r;
	struct reg_contact_view two[] = { contact(phone1, 4, REGINFO_REFRESHED), contact(phone2, 1, REGINFO_REGISTERED) };

	begin(&r);
	r.reg.notify_partial = true;
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 200, "");
	change(&r, 2, two, NULL, REGINFO_NONE);
	ck_assert(rig_has(notify(&r, 1), "version=\"1\" state=\"partial\"") && rig_has(notify(&r, 1), phone1));
	rig_reply(&r, rig_req(&r, "NOTIFY", 1), 200, "");
	change(&r, 1, two, phone2, REGINFO_EXPIRED);
	ck_assert(rig_has(notify(&r, 2), "event=\"expired\"") && !rig_has(notify(&r, 2), phone1));
	rig_reply(&r, rig_req(&r, "NOTIFY", 2), 200, "");
	change(&r, 1, two, NULL, REGINFO_NONE);			/* the same again */
	ck_assert_ptr_null(notify(&r, 3));
	end(&r);
}
END_TEST

START_TEST(test_gone)			/* nothing is registered any more: the subscription ends with it, row S16 */
{
	struct rig r;

	begin(&r);
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 200, "");
	change(&r, 0, NULL, phone1, REGINFO_PROBATION);
	ck_assert_str_eq(rig_hdr(notify(&r, 1), SIP_H_SUBSCRIPTION_STATE), "terminated;reason=noresource");
	ck_assert(rig_has(notify(&r, 1), "<registration aor=\"sip:alice@home.example\"") && !rig_has(notify(&r, 1), "state=\"active\""));
	ck_assert(rig_has(notify(&r, 1), "state=\"terminated\" event=\"probation\" expires=\"0\" retry-after=\"30\""));
	rig_reply(&r, rig_req(&r, "NOTIFY", 1), 200, "");
	subscribe(&r, "sip:" RIG_NAME, tag_of(&r), CONTACT "Expires: 0\n");	/* clients.md 8 */
	ck_assert_uint_eq(rig_status(&r), 481);
	end(&r);
}
END_TEST

START_TEST(test_gone_but_for_emergencies_S20)	/* what stands beside it is not told of: it is over all the same */
{
	struct rig r;

	begin(&r);
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 200, "");
	r.emergency = true;
	rig_user(&r, 0x77, "<PublicIdentity><Identity>sip:alice@home.example</Identity></PublicIdentity>", "sip:alice@10.9.0.9;sos");
	change(&r, 0, NULL, phone1, REGINFO_UNREGISTERED);
	ck_assert_str_eq(rig_hdr(notify(&r, 1), SIP_H_SUBSCRIPTION_STATE), "terminated;reason=noresource");
	ck_assert(!rig_has(notify(&r, 1), "sos"));
	end(&r);
}
END_TEST

START_TEST(test_refresh_and_end)
{
	struct rig r;
	char tag[64];

	begin(&r);
	snprintf(tag, sizeof(tag), "%s", tag_of(&r));
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 200, "");
	subscribe(&r, "sip:" RIG_NAME, tag, CONTACT "Expires: 1200\n");
	ck_assert(rig_status(&r) == 200 && rig_has(rig_up(&r), "Expires: 1200\r\n"));
	ck_assert(rig_has(notify(&r, 1), "version=\"1\" state=\"full\""));
	rig_reply(&r, rig_req(&r, "NOTIFY", 1), 200, "");
	rig_run(&r, 700000);			/* longer than the first one */
	subscribe(&r, "sip:" RIG_NAME, tag, CONTACT "Expires: 0\n");
	ck_assert_uint_eq(rig_status(&r), 200);
	ck_assert_str_eq(rig_hdr(notify(&r, 2), SIP_H_SUBSCRIPTION_STATE), "terminated;reason=timeout");
	rig_reply(&r, rig_req(&r, "NOTIFY", 2), 200, "");
	subscribe(&r, "sip:" RIG_NAME, tag, CONTACT "Expires: 600\n");
	ck_assert_uint_eq(rig_status(&r), 481);
	end(&r);
}
END_TEST

START_TEST(test_fetch)			/* RFC 6665 §4.4.3 */
{
	struct rig r;

	rig_init(&r, NULL);
	rig_users(&r);
	subscribe(&r, ALICE, NULL, BY("sip:alice@home.example") CONTACT "Expires: 0\n");
	ck_assert_uint_eq(rig_status(&r), 200);
	ck_assert_str_eq(rig_hdr(notify(&r, 0), SIP_H_SUBSCRIPTION_STATE), "terminated;reason=timeout");
	ck_assert(rig_has(notify(&r, 0), "state=\"full\""));
	end(&r);
}
END_TEST

START_TEST(test_expires)
{
	struct rig r;

	begin(&r);
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 200, "");
	rig_run(&r, 599000);
	ck_assert_ptr_null(notify(&r, 1));
	rig_run(&r, 1100);
	ck_assert_str_eq(rig_hdr(notify(&r, 1), SIP_H_SUBSCRIPTION_STATE), "terminated;reason=timeout");
	end(&r);
}
END_TEST

/* RFC 6665 §4.2.2: what becomes of it after a NOTIFY that failed. */
static const struct {
	const char *name;
	unsigned status;
	const char *extra;
	bool lives;
} failures[] = {
	{ "481", 481, "", false }, { "481, whatever it adds", 481, "Retry-After: 5\r\n", false }, { "489", 489, "", false },
	{ "500", 500, "", false }, { "500, come again", 500, "Retry-After: 5\r\n", true }, { "503, come again", 503, "Retry-After: 5\r\n", true },
	{ "503, next year", 503, "Retry-After: 31000000\r\n", false }, { "silence", 0, "", false },
	{ "480, gone whatever it adds", 480, "Retry-After: 5\r\n", false }, { "486, come again", 486, "Retry-After: 5\r\n", true },
	{ "408, come again", 408, "Retry-After: 5;duration=60 (soon)\r\n", true }, { "603, come again", 603, "Retry-After: 5\r\n", true },
	{ "503, no number", 503, "Retry-After: soon\r\n", false }, { "503, nothing", 503, "", false },
	{ "604, nowhere", 604, "Retry-After: 5\r\n", false },
};

START_TEST(test_failure_row)
{
	struct rig r;

	begin(&r);
	if (failures[_i].status)
		rig_reply(&r, rig_req(&r, "NOTIFY", 0), failures[_i].status, failures[_i].extra);
	else
		rig_run(&r, 33000);
	change(&r, 0, NULL, NULL, REGINFO_NONE);
	ck_assert_ptr_null(notify(&r, 1));		/* not before the time asked for */
	rig_run(&r, 5100);
	ck_assert_msg((notify(&r, 1) != NULL) == failures[_i].lives, "%s", failures[_i].name);
	end(&r);
}
END_TEST

START_TEST(test_comes_again_S14_RFC_6665_4_2_2)	/* the whole state, as it is then, under the next version; refused again: again */
{
	struct rig r;
	struct reg_contact_view two[] = { contact(phone1, 4, REGINFO_REFRESHED), contact(phone2, 1, REGINFO_REGISTERED) };

	begin(&r);
	r.reg.notify_partial = true;
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 503, "Retry-After: 5\r\n");
	change(&r, 2, two, NULL, REGINFO_NONE);
	ck_assert_ptr_null(notify(&r, 1));
	rig_run(&r, 5100);
	ck_assert(rig_has(notify(&r, 1), "version=\"1\" state=\"full\"") && rig_has(notify(&r, 1), phone2));
	ck_assert_str_eq(rig_hdr(notify(&r, 1), SIP_H_SUBSCRIPTION_STATE), "active;expires=595");
	rig_reply(&r, rig_req(&r, "NOTIFY", 1), 503, "Retry-After: 20\r\n");
	rig_run(&r, 19000);
	ck_assert_ptr_null(notify(&r, 2));
	rig_run(&r, 1100);
	ck_assert(rig_has(notify(&r, 2), "version=\"2\" state=\"full\""));
	rig_reply(&r, rig_req(&r, "NOTIFY", 2), 200, "");
	change(&r, 1, two, phone2, REGINFO_EXPIRED);
	ck_assert(rig_has(notify(&r, 3), "version=\"3\" state=\"partial\""));
	end(&r);
}
END_TEST

START_TEST(test_the_pause_does_not_outlive_it_S14)	/* the subscription's time runs on meanwhile */
{
	struct rig r;

	begin(&r);
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 200, "");
	rig_run(&r, 500000);
	change(&r, 1, (struct reg_contact_view[]){ contact(phone1, 4, REGINFO_REFRESHED) }, NULL, REGINFO_NONE);
	rig_reply(&r, rig_req(&r, "NOTIFY", 1), 503, "Retry-After: 300\r\n");
	rig_run(&r, 101000);
	ck_assert_str_eq(rig_hdr(notify(&r, 2), SIP_H_SUBSCRIPTION_STATE), "terminated;reason=timeout");
	rig_reply(&r, rig_req(&r, "NOTIFY", 2), 200, "");
	rig_run(&r, 300000);
	ck_assert_ptr_null(notify(&r, 3));
	end(&r);
}
END_TEST

/* REG-20: whatever the subscriber says, without any header that one might expect in it. */
START_TEST(test_every_status_reg_20)
{
	for (unsigned status = 200; status < 700; status++) {
		struct rig r;

		begin(&r);
		rig_reply(&r, rig_req(&r, "NOTIFY", 0), status, "");
		change(&r, 0, NULL, NULL, REGINFO_NONE);
		ck_assert_msg((notify(&r, 1) != NULL) == (status < 300), "%u", status);
		rig_fini(&r);
	}
}
END_TEST

/* A provisional one is no answer: what changes meanwhile waits for the final one. */
START_TEST(test_every_provisional_reg_20)
{
	struct rig r;

	begin(&r);
	for (unsigned status = 100; status < 200; status++)
		rig_reply(&r, rig_req(&r, "NOTIFY", 0), status, "");
	change(&r, 1, (struct reg_contact_view[]){ contact(phone1, 4, REGINFO_REFRESHED) }, NULL, REGINFO_NONE);
	rig_run(&r, 1000);
	ck_assert_ptr_null(notify(&r, 1));
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 200, "");
	rig_run(&r, 10000);
	ck_assert(rig_has(notify(&r, 1), "version=\"1\""));
	rig_reply(&r, rig_req(&r, "NOTIFY", 1), 200, "");
	end(&r);
}
END_TEST

START_TEST(test_unregistered)		/* an application server watches a user who is not there yet: "init" */
{
	struct rig r;

	rig_init(&r, "{application_servers: [\"10.1.1.1\"]}");
	rig_users(&r);
	subscribe(&r, "sip:carol@home.example", NULL, CONTACT);
	ck_assert_uint_eq(rig_status(&r), 200);
	ck_assert(rig_has(notify(&r, 0), "state=\"init\"") && !rig_has(notify(&r, 0), "<contact"));
	ck_assert(str_starts(sip_msg_value(notify(&r, 0), SIP_H_SUBSCRIPTION_STATE), STR("active")));
	end(&r);
}
END_TEST

/* A P-CSCF that asks when nobody is registered any more hears so; to others it is nobody's business (SEC-06). */
START_TEST(test_comes_late)
{
	static const struct { const char *by; unsigned status; } who[] = {
		{ BY("sip:p1.home.example"), 480 }, { BY("sip:bob@home.example"), 403 }, { BY("tel:+4930222"), 403 }, { "", 403 },
		{ BY("sip:carol@home.example"), 200 },
	};
	struct rig r;

	for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
		char extra[256];

		rig_init(&r, NULL);
		rig_users(&r);
		snprintf(extra, sizeof(extra), "%s" CONTACT, who[i].by);
		subscribe(&r, "sip:carol@home.example", NULL, extra);
		ck_assert_msg(rig_status(&r) == who[i].status, "%s: %u", who[i].by, rig_status(&r));
		rig_fini(&r);
	}
}
END_TEST

START_TEST(test_makes_room)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_users(&r);
	for (unsigned i = 0; i < SUBSCRIPTIONS_PER_IDENTITY + 3; i++) {
		subscribe(&r, ALICE, NULL, BY("sip:alice@home.example") CONTACT);
		ck_assert_uint_eq(rig_status(&r), 200);
	}
	end(&r);
}
END_TEST

/* RFC 5628: what its phones can be called by. */
START_TEST(test_gruus_are_told_S13_RFC_5628)
{
	static char uri[] = "sip:h@10.9.0.1", params[] = "+sip.instance=\"<urn:uuid:1>\"", path[] = "<sip:P@p2.home.example;lr>", *paths[] = { path };
	struct reg_contact_view c = { .uri = uri, .params = params, .path = paths, .n_path = 1, .call_id = "c", .cseq = 77, .gruu = 1,
				      .expires_wall_us = UINT64_MAX };
	struct rig r;

	rig_init(&r, NULL);
	rig_phones(&r, 0x41, "<PublicIdentity><Identity>sip:h@home.example</Identity></PublicIdentity>"
		   "<PublicIdentity><Identity>tel:+4977</Identity></PublicIdentity>", 1, &c);
	subscribe(&r, "sip:h@home.example", NULL, BY("sip:h@home.example") CONTACT);
	ck_assert(rig_has(rig_req(&r, "NOTIFY", 0)->m, "<gr:pub-gruu uri=\"sip:h@home.example;gr=urn:uuid:1\"/>"));
	ck_assert(rig_has(rig_req(&r, "NOTIFY", 0)->m, "<gr:temp-gruu uri=\"sip:tgruu."));
	ck_assert(rig_has(rig_req(&r, "NOTIFY", 0)->m, ";gr\" first-cseq=\"77\"/>"));
	ck_assert(!rig_has(rig_req(&r, "NOTIFY", 0)->m, "tel:+4977;gr"));
	end(&r);
}
END_TEST

TEST_MAIN("subscription", TEST_ONE(test_gruus_are_told_S13_RFC_5628), TEST_ROWS(test_who_row, rows), TEST_ROWS(test_charging_row_G1, watchers), TEST_ONE(test_by_service_route), TEST_ONE(test_dialog),
	  TEST_ONE(test_one_at_a_time), TEST_ONE(test_implicit), TEST_ONE(test_partial), TEST_ONE(test_gone), TEST_ONE(test_gone_but_for_emergencies_S20), TEST_ROWS(test_server_of_criteria_row, servers),
	  TEST_ONE(test_refresh_and_end), TEST_ONE(test_fetch), TEST_ONE(test_expires), TEST_ROWS(test_failure_row, failures), TEST_ONE(test_every_status_reg_20), TEST_ONE(test_every_provisional_reg_20),
	  TEST_ONE(test_comes_again_S14_RFC_6665_4_2_2), TEST_ONE(test_the_pause_does_not_outlive_it_S14),
	  TEST_ONE(test_unregistered), TEST_ONE(test_comes_late), TEST_ONE(test_makes_room))
