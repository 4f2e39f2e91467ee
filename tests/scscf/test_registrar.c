/* tests/scscf/test_registrar.c - order of work, timers, release by the network, pushed profiles, REST: TS 24.229 §5.4.1.5;
 * TS 29.228 §6.1.3, §6.2.2; rows S7, S16, S17; reliability row REG-03. */
#include <malloc.h>
#include <string.h>
#include "common/util/rand.h"
#include "tests/scscf/reg_rig.h"

static struct reg_rig r;
static struct rig_phone p;
static struct reg_dereg_result ended;
static unsigned n_ended;
static int pushed;

static void begin(void)
{
	rig_init(&r);
	phone_init(&p);
	p.integrity = "yes";
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	phone_begin(&p);
}

static void on_ended(void *arg, const struct reg_dereg_result *res)
{
	(void)arg;
	ended = *res;
	n_ended++;
}

static void on_pushed(void *arg, int rc)
{
	(void)arg;
	pushed = rc;
}

static void end(enum reg_dereg_cause cause, const char *impi, const char *impu)
{
	struct cx_strs impus = { impu ? 1 : 0, { str_from_c(impu) } };

	n_ended = 0;
	ck_assert_int_eq(registrar_deregister(r.s, str_from_c(impi), &impus, cause, on_ended, NULL), 0);
	rig_serve(&r);
}

static bool is_published(void)
{
	struct aor_view *v = reg_directory_aor(r.s->dir, STR(RIG_TEL)), *barred = reg_directory_aor(r.s->dir, STR(RIG_IMPU));
	bool yes = v != NULL;

	ck_assert((v != NULL) == (barred != NULL));	/* barred ones are found too: to be refused */
	obj_unref(v);
	obj_unref(barred);
	return yes;
}

/* ---- release by the network ---- */

static const struct { const char *name; enum reg_dereg_cause cause; const char *impi, *impu; bool found; const char *cx; } releases[] = {
	{ "REST", REG_DEREG_ADMIN, RIG_IMPI, NULL, true, "MAR SAR1 SAR8 " },
	{ "RTR by private identity", REG_DEREG_RTR_PERMANENT, RIG_IMPI, NULL, true, "MAR SAR1 " },
	{ "RTR by public identity", REG_DEREG_RTR_PERMANENT, RIG_IMPI, RIG_TEL, true, "MAR SAR1 " },
	{ "RTR in another spelling", REG_DEREG_RTR_PERMANENT, RIG_IMPI, "tel:+49-151-0000001", true, "MAR SAR1 " },
	{ "RTR: another S-CSCF", REG_DEREG_RTR_NEW_SERVER, RIG_IMPI, NULL, true, "MAR SAR1 " },
	{ "RTR: capabilities changed", REG_DEREG_RTR_SERVER_CHANGE, RIG_IMPI, NULL, true, "MAR SAR1 " },
	{ "RTR: remove S-CSCF", REG_DEREG_RTR_REMOVE, RIG_IMPI, NULL, true, "MAR SAR1 " },
	{ "RTR: public identity of nobody", REG_DEREG_RTR_PERMANENT, RIG_IMPI, "sip:nobody@h", false, "MAR SAR1 " },
	{ "RTR: nobody", REG_DEREG_RTR_PERMANENT, "nobody@h", NULL, false, "MAR SAR1 " },
};

START_TEST(test_release_row_S16)
{
	begin();
	end(releases[_i].cause, releases[_i].impi, releases[_i].impu);
	ck_assert_uint_eq(n_ended, 1);
	ck_assert_msg(ended.found == releases[_i].found && ended.hss.err == 0, "%s", releases[_i].name);
	ck_assert_msg(strcmp(r.cx, releases[_i].cx) == 0, "%s: %s", releases[_i].name, r.cx);
	ck_assert_msg(is_published() == !releases[_i].found && !rig_registration(&r) == releases[_i].found, "%s", releases[_i].name);
	rig_fini(&r);
}
END_TEST

/* The registration is gone before the HSS answers, and also when it never does. */
START_TEST(test_release_does_not_wait_for_the_hss)
{
	begin();
	r.hold = true;
	end(REG_DEREG_ADMIN, RIG_IMPI, NULL);
	ck_assert_uint_eq(n_ended, 0);
	ck_assert(!is_published());
	r.hold = false;
	r.saa = (struct dia_result){ -ETIMEDOUT, 0, false };
	rig_run(&r, 0);
	ck_assert_uint_eq(n_ended, 1);
	ck_assert(ended.found && ended.hss.err == -ETIMEDOUT);
	ck_assert_ptr_null(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

/* ---- expiry ---- */

START_TEST(test_expiry_S7)
{
	begin();
	rig_run(&r, 599000);
	ck_assert(is_published());
	rig_run(&r, 1100);
	ck_assert_str_eq(r.cx, "MAR SAR1 SAR4 ");
	ck_assert(!is_published());
	ck_assert_ptr_null(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

START_TEST(test_one_of_two_contacts_expires)
{
	struct aor_view *v;

	begin();
	p.contact = "<sip:b@10.0.0.2>";
	p.expires = 100;
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	rig_run(&r, 101000);
	v = reg_directory_aor(r.s->dir, STR(RIG_TEL));
	ck_assert(v && v->n == 1 && v->v[0]->n_contacts == 1);
	obj_unref(v);
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	rig_run(&r, 500000);
	ck_assert_str_eq(r.cx, "MAR SAR1 SAR4 ");
	rig_fini(&r);
}
END_TEST

START_TEST(test_service_route_leads_nowhere_afterwards)
{
	uint64_t id;
	struct reg_view *v;

	begin();
	id = rig_registration(&r)->id;
	v = reg_directory_id(r.s->dir, id);
	ck_assert_ptr_nonnull(v);
	obj_unref(v);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_uint_eq(rig_registration(&r)->id, id);		/* keeps over a refresh */
	p.expires = 0;
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_ptr_null(reg_directory_id(r.s->dir, id));
	rig_fini(&r);
}
END_TEST

/* The HSS still holds us for the user's S-CSCF after our restart: it is told also when nothing is known here. */
START_TEST(test_leaving_after_a_restart)
{
	rig_init(&r);
	phone_init(&p);
	p.expires = 0;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_str_eq(r.cx, "MAR SAR5 ");
	ck_assert_ptr_null(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

/* The phone is gone whatever the HSS says. */
START_TEST(test_leaving_without_the_hss)
{
	begin();
	p.expires = 0;
	r.saa = (struct dia_result){ -ETIMEDOUT, 0, false };
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert(!is_published());
	ck_assert_ptr_null(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

/* ---- one piece of work at a time: REG-03 ---- */

START_TEST(test_what_crosses_waits_in_line_REG_03)
{
	unsigned answers;

	begin();
	r.hold = true;
	r.cfg->sar_on_refresh = true;
	ck_assert_uint_eq(phone_send(&r, &p), 0);			/* waits for SAR 2 */
	p.expires = 0;
	ck_assert_uint_eq(phone_send(&r, &p), 0);			/* leaves behind it */
	end(REG_DEREG_RTR_PERMANENT, RIG_IMPI, NULL);			/* and an RTR */
	ck_assert_uint_eq(n_ended, 0);
	ck_assert_int_eq(registrar_push_profile(r.s, STR(RIG_IMPI), STR(RIG_XML), STR_NONE, on_pushed, NULL), 0);
	rig_serve(&r);
	ck_assert_str_eq(r.cx, "MAR SAR1 SAR2 ");
	answers = r.n_responses;
	r.hold = false;
	rig_run(&r, 0);
	ck_assert_uint_eq(r.n_responses, answers + 2);
	ck_assert_str_eq(r.cx, "MAR SAR1 SAR2 SAR5 ");
	ck_assert(n_ended == 1 && !ended.found && pushed == -ENOENT);	/* nothing was left for them */
	ck_assert_ptr_null(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

START_TEST(test_the_line_is_bounded)
{
	unsigned busy = 0;

	begin();
	r.cfg->sar_on_refresh = true;
	r.hold = true;
	phone_send(&r, &p);
	for (unsigned i = 0; i < REG_MAX_QUEUE + 5; i++)
		busy += phone_send(&r, &p) == 503;
	ck_assert_uint_eq(busy, 5);
	ck_assert(rig_has(&r, "Retry-After: "));
	r.hold = false;
	rig_run(&r, 0);
	ck_assert_uint_eq(r.status, 200);
	rig_fini(&r);
}
END_TEST

/* Expiry while a REGISTER waits for the HSS: the refresh wins, as it came first. */
START_TEST(test_expiry_waits_for_a_refresh)
{
	begin();
	r.cfg->sar_on_refresh = true;
	rig_run(&r, 599000);
	r.hold = true;
	phone_send(&r, &p);
	rig_run(&r, 5000);
	ck_assert(is_published());
	r.hold = false;
	rig_run(&r, 0);
	ck_assert_uint_eq(r.status, 200);
	rig_run(&r, 10000);
	ck_assert(is_published());
	ck_assert_str_eq(r.cx, "MAR SAR1 SAR2 ");
	rig_fini(&r);
}
END_TEST

/* Everything at once, many times, in an order nobody chose. */
START_TEST(test_random_crossings_REG_03)
{
	static const struct dia_result results[] = { { 0, DIA_SUCCESS, false }, { -ETIMEDOUT, 0, false }, { 0, CX_USER_UNKNOWN, true } };

	rig_init(&r);
	phone_init(&p);
	p.integrity = "yes";
	r.cfg->sar_on_refresh = true;
	for (int i = 0; i < 3000; i++) {
		r.hold = rand_below(2);
		r.saa = results[rand_below(8) < 6 ? 0 : 1 + rand_below(2)];
		r.maa = results[rand_below(8) < 6 ? 0 : 1 + rand_below(2)];
		p.expires = rand_below(4) ? 60 + (int)rand_below(600) : 0;
		p.contact = rand_below(2) ? NULL : "<sip:b@10.0.0.2>";
		switch (rand_below(8)) {
		case 0: registrar_deregister(r.s, STR(RIG_IMPI), NULL, (enum reg_dereg_cause)rand_below(5), NULL, NULL); break;
		case 1: registrar_push_profile(r.s, STR(RIG_IMPI), STR(RIG_XML), STR("ccf=\"x\""), on_pushed, NULL); break;
		case 2: rig_run(&r, rand_below(400000)); break;
		case 3: p.wrong = rand_below(4) == 0; break;
		default:
			if (rand_below(2))
				phone_begin(&p);
			if (phone_send(&r, &p) == 401 && phone_solve(&r, &p) == 0)
				phone_send(&r, &p);
		}
		if (r.n_pending > RIG_MAX_PENDING / 2)
			r.hold = false;
		rig_run(&r, 0);
		if (i % 4 == 0)
			rig_serve(&r);
		r.cx[0] = '\0';
	}
	r.hold = false;
	rig_serve(&r);
	rig_run(&r, 8000000);
	ck_assert_uint_eq(r.n_pending, 0);
	ck_assert_uint_eq(registrar_count(scscf_of(&r.worker.w)->registrar), 0);
	ck_assert_uint_eq(reg_directory_count(r.s->dir), 0);
	ck_assert(!is_published());
	rig_fini(&r);
}
END_TEST

/* ---- pushed profiles ---- */

#define ID(uri) "<PublicIdentity><Identity>" uri "</Identity></PublicIdentity>"
#define SUB(x) "<IMSSubscription><PrivateID>" RIG_IMPI "</PrivateID><ServiceProfile>" x "</ServiceProfile></IMSSubscription>"

START_TEST(test_new_profile_S17)
{
	struct aor_view *v;

	begin();
	ck_assert_int_eq(registrar_push_profile(r.s, STR(RIG_IMPI), STR(SUB(ID(RIG_IMPU) ID("tel:+777"))), STR_NONE, on_pushed, NULL), 0);
	rig_serve(&r);
	ck_assert_int_eq(pushed, 0);
	ck_assert_ptr_null(reg_directory_aor(r.s->dir, STR(RIG_TEL)));
	v = reg_directory_aor(r.s->dir, STR("tel:+777"));
	ck_assert(v && v->n == 1 && v->v[0]->n_contacts == 1 && !profile_find(v->v[0]->profile, STR(RIG_IMPU))->barred);
	obj_unref(v);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert(rig_has(&r, "P-Associated-URI: <" RIG_IMPU ">, <tel:+777>\r\n"));
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *impi, *xml, *pcfa; int rc; } pushes[] = {
	{ "nobody", "nobody@h", RIG_XML, "", -ENOENT },
	{ "no XML", RIG_IMPI, "hello", "", -EBADMSG },
	{ "charging only", RIG_IMPI, "", "ccf=\"aaa://new\"", 0 },
	{ "nothing", RIG_IMPI, "", "", 0 },
};

START_TEST(test_push_row_S17)
{
	begin();
	pushed = 1;
	ck_assert_int_eq(registrar_push_profile(r.s, str_from_c(pushes[_i].impi), str_from_c(pushes[_i].xml), str_from_c(pushes[_i].pcfa),
						on_pushed, NULL), 0);
	rig_serve(&r);
	ck_assert_msg(pushed == pushes[_i].rc, "%s: %d", pushes[_i].name, pushed);
	ck_assert(is_published());			/* what was there before stands */
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	if (*pushes[_i].pcfa)
		ck_assert(str_eq_c(sip_msg_value(r.m, SIP_H_PCFA), pushes[_i].pcfa));
	rig_fini(&r);
}
END_TEST

/* ---- REST ---- */

static const char *text(const cJSON *o, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(o, name));
}

START_TEST(test_json_of_a_registration)
{
	cJSON *o, *c;

	begin();
	p.contact = "<sip:b@10.0.0.2>;+sip.instance=\"<urn:1>\";reg-id=2;q=0.1";
	phone_send(&r, &p);
	ck_assert_ptr_null(registrar_show(scscf_of(&r.worker.w)->registrar, STR("nobody@h")));
	o = registrar_show(scscf_of(&r.worker.w)->registrar, STR(RIG_IMPI));
	ck_assert_str_eq(text(o, "impi"), RIG_IMPI);
	ck_assert_str_eq(text(o, "impu"), "sip:+491510000001@" RIG_DOMAIN);
	ck_assert_str_eq(text(o, "state"), "registered");
	ck_assert_str_eq(text(o, "scscf"), "sip:127.0.31.30:6060");
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(o, "irs")), 3);
	c = cJSON_GetArrayItem(cJSON_GetObjectItem(o, "contacts"), 1);
	ck_assert_str_eq(text(c, "uri"), "sip:b@10.0.0.2");
	ck_assert_str_eq(text(c, "instance"), "<urn:1>");
	ck_assert_int_eq(cJSON_GetObjectItem(c, "regId")->valueint, 2);
	ck_assert_str_eq(cJSON_GetArrayItem(cJSON_GetObjectItem(c, "path"), 0)->valuestring, "<sip:TOKEN@127.0.31.10:5060;lr>");
	cJSON_Delete(o);
	rig_fini(&r);
}
END_TEST

static void register_user(unsigned n, int expires)
{
	struct rig_phone q;
	char impi[64], impu[64];

	snprintf(impi, sizeof(impi), "user%u@h", n);
	snprintf(impu, sizeof(impu), "sip:user%u@h", n);
	phone_init(&q);
	q.impi = q.user = impi;
	q.impu = impu;
	q.integrity = "yes";
	q.sqn_ms = r.sqn;
	q.expires = expires;
	ck_assert_uint_eq(phone_register(&r, &q), 200);
}

/* Each user has a set of its own; RIG_XML would be shared by all. */
#define IFC(priority, method) "<InitialFilterCriteria><Priority>" priority "</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>" \
	"<SPT><Group>0</Group><Method>" method "</Method></SPT></TriggerPoint><ApplicationServer><ServerName>sip:as.h</ServerName>" \
	"</ApplicationServer></InitialFilterCriteria>"

static void own_profile(unsigned n)
{
	static char xml[2048];

	snprintf(xml, sizeof(xml), "<IMSSubscription><PrivateID>user%u@h</PrivateID><ServiceProfile>" ID("sip:user%u@h") ID("tel:+49%u")
		 ID("sip:+49%u@h") IFC("1", "INVITE") IFC("2", "MESSAGE") IFC("3", "SUBSCRIBE") "</ServiceProfile></IMSSubscription>", n, n, n, n);
	r.xml = xml;
}

START_TEST(test_pages)
{
	struct gather g = { .items = cJSON_CreateArray(), .limit = 3 };

	rig_init(&r);
	for (unsigned i = 0; i < 5; i++) {
		own_profile(i);
		register_user(i, 7200);
	}
	phone_init(&p);
	phone_send(&r, &p);			/* only challenged: not listed */
	registrar_list(&r.worker.w, &g);
	ck_assert(g.more && cJSON_GetArraySize(g.items) == 3);
	g.after = g.last;
	g.limit = 3;
	g.more = false;
	registrar_list(&r.worker.w, &g);
	ck_assert(!g.more && cJSON_GetArraySize(g.items) == 5);
	cJSON_Delete(g.items);
	g = (struct gather){ .items = cJSON_CreateArray(), .limit = 3, .filter = STR("pending") };
	registrar_list(&r.worker.w, &g);
	ck_assert_int_eq(cJSON_GetArraySize(g.items), 1);
	ck_assert_str_eq(text(cJSON_GetArrayItem(g.items, 0), "impi"), RIG_IMPI);
	cJSON_Delete(g.items);
	rig_fini(&r);
}
END_TEST

/* ---- memory ---- */

static size_t in_use(void)
{
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* Issue: 10,000 users and gone again leave nothing; reliability row L4.  Goal: 1.5 KiB for one with three identities, three
 * filter criteria that all share, and the vectors left over of its MAA. */
START_TEST(test_memory_of_many)
{
	enum { N = 10000 };
	size_t before, full, after;

	rig_init(&r);
	for (unsigned i = 0; i < 100; i++) {		/* what grows once */
		own_profile(i);
		register_user(i, 7200);
		register_user(i, 0);
	}
	rig_run(&r, 100000);
	before = in_use();
	for (unsigned i = 0; i < N; i++) {
		own_profile(i);
		register_user(i, 7200);
		r.cx[0] = '\0';
		if (i % 500 == 0)
			rig_run(&r, 40000);		/* transactions end */
	}
	rig_run(&r, 40000);
	full = in_use();
	ck_assert_uint_eq(reg_directory_count(r.s->dir), N);
#ifndef __SANITIZE_ADDRESS__
	ck_assert_msg((full - before) / N < 1536, "%zu octets for a registration", (full - before) / N);
#endif
	for (unsigned i = 0; i < N; i++) {
		register_user(i, 0);
		r.cx[0] = '\0';
		if (i % 500 == 0)
			rig_run(&r, 40000);
	}
	rig_run(&r, 40000);
	after = in_use();
	ck_assert_uint_eq(registrar_count(scscf_of(&r.worker.w)->registrar), 0);
	ck_assert_msg(after <= before + before / 10, "%zu octets before, %zu after (%zu in between)", before, after, full);
	rig_fini(&r);
}
END_TEST

/* Row D15: what was made of the filter criteria, and what could not be used. */
START_TEST(test_json_of_services)
{
	cJSON *o, *services;
	char *text;

	rig_init(&r);
	r.xml = "<IMSSubscription><PrivateID>" RIG_IMPI "</PrivateID><ServiceProfile><PublicIdentity><Identity>" RIG_IMPU "</Identity></PublicIdentity>"
		"<InitialFilterCriteria><Priority>4</Priority><ApplicationServer><ServerName>sip:as.example</ServerName><DefaultHandling>1</DefaultHandling>"
		"</ApplicationServer></InitialFilterCriteria><InitialFilterCriteria><Priority>5</Priority></InitialFilterCriteria></ServiceProfile></IMSSubscription>";
	phone_init(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	o = registrar_show(scscf_of(&r.worker.w)->registrar, STR(RIG_IMPI));
	services = cJSON_GetObjectItem(o, "services");
	text = cJSON_PrintUnformatted(services);
	ck_assert_str_eq(text, "[{\"criteria\":[{\"priority\":4,\"applicationServer\":\"sip:as.example\",\"defaultHandling\":\"SESSION_TERMINATED\","
			       "\"triggers\":0}],\"identities\":[\"" RIG_IMPU "\"],\"skipped\":1,\"skippedWhy\":\"priority 5: there is no ServerName\"}]");
	free(text);
	cJSON_Delete(o);
	rig_fini(&r);
}
END_TEST

/* ---- users who are not registered: TS 29.228 §6.1.2, TS 24.229 §5.4.3.3 ---- */

static void adopted(void *arg, int rc)
{
	*(int *)arg = rc;
}

static void adopt(int *rc)
{
	struct profile *fetched;

	*rc = 1;
	ck_assert_int_eq(profile_parse(STR(RIG_XML), r.s->criteria, &fetched, NULL), 0);
	ck_assert_int_eq(registrar_adopt(r.s, STR(RIG_IMPI), fetched, adopted, rc), 0);
	obj_unref(fetched);
	rig_serve(&r);
}

START_TEST(test_unregistered_user)
{
	struct aor_view *v;
	int rc;

	rig_init(&r);
	r.cfg->unregistered_keep_s = 100;
	adopt(&rc);
	ck_assert_int_eq(rc, 0);
	v = reg_directory_aor(r.s->dir, STR(RIG_TEL));
	ck_assert(v && v->n == 1 && v->v[0]->n_contacts == 0);
	obj_unref(v);
	rig_run(&r, 99000);
	adopt(&rc);				/* again: it stays as it is */
	ck_assert_int_eq(rc, 0);
	ck_assert_str_eq(r.cx, "");
	rig_run(&r, 1100);			/* long enough: the HSS is told, nothing is left */
	ck_assert_str_eq(r.cx, "SAR4 ");
	ck_assert_uint_eq(reg_directory_count(r.s->dir), 0);
	ck_assert_ptr_null(rig_registration(&r));
	/* one who registers is registered, and stays beyond that time */
	r.cx[0] = '\0';
	adopt(&rc);
	phone_init(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	rig_run(&r, 200000);
	ck_assert_uint_eq(reg_directory_count(r.s->dir), 1);
	adopt(&rc);
	ck_assert(rc == 0 && rig_registration(&r)->n_bindings == 1);
	rig_fini(&r);
}
END_TEST

static const struct {
	const char *name;
	bool expires, experimental, pyhss;
	int err;
	uint32_t code;
	const char *cx;			/* after MAR SAR1 */
	bool kept;
} leavings[] = {
	{ "by the phone, kept", false, false, false, 0, DIA_SUCCESS, "SAR7 ", true },
	{ "by the phone, the HSS does not keep it", false, true, false, 0, CX_SERVER_NAME_NOT_STORED, "SAR7 ", false },
	{ "by the phone, no answer", false, false, false, -ETIMEDOUT, 0, "SAR7 ", false },
	{ "by the phone, refused", false, false, false, 0, DIA_UNABLE_TO_COMPLY, "SAR7 ", false },
	{ "by the phone, a HSS that does not bear it", false, false, true, 0, DIA_SUCCESS, "SAR5 ", false },
	{ "by its time, kept", true, false, false, 0, DIA_SUCCESS, "SAR6 ", true },
	{ "by its time, the HSS does not keep it", true, true, false, 0, CX_SERVER_NAME_NOT_STORED, "SAR6 ", false },
	{ "by its time, no answer", true, false, false, -ETIMEDOUT, 0, "SAR6 ", false },
};

START_TEST(test_the_server_name_is_kept_S7)		/* TS 29.228 §6.1.2.1 */
{
	struct aor_view *v;

	begin();
	r.cfg->keep_server_name = true;
	r.cfg->unregistered_keep_s = 100;
	if (leavings[_i].pyhss)
		r.s->hss = HSS_PYHSS;
	r.cx[0] = '\0';
	r.saa = (struct dia_result){ leavings[_i].err, leavings[_i].code, leavings[_i].experimental };
	p.expires = 0;
	if (leavings[_i].expires)
		rig_run(&r, 601000);
	else
		ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_str_eq(r.cx, leavings[_i].cx);
	v = reg_directory_aor(r.s->dir, STR(RIG_TEL));
	ck_assert_msg((v && v->n == 1 && v->v[0]->n_contacts == 0) == leavings[_i].kept, "%s", leavings[_i].name);
	obj_unref(v);
	ck_assert((rig_registration(&r) != NULL) == leavings[_i].kept);
	r.saa = (struct dia_result){ 0, DIA_SUCCESS, false };
	rig_run(&r, 101000);			/* not for ever */
	ck_assert_msg(!leavings[_i].kept || strcmp(r.cx + 5, "SAR4 ") == 0, "%s", r.cx);
	ck_assert_ptr_null(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

START_TEST(test_who_was_kept_registers_again_S7)
{
	begin();
	r.cfg->keep_server_name = true;
	p.expires = 0;
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	r.cx[0] = '\0';
	p.expires = 600;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_msg(strstr(r.cx, "SAR1 "), "%s", r.cx);
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 1);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("registrar", TEST_ROWS(test_the_server_name_is_kept_S7, leavings), TEST_ONE(test_who_was_kept_registers_again_S7), TEST_ROWS(test_release_row_S16, releases), TEST_ONE(test_release_does_not_wait_for_the_hss), TEST_ONE(test_expiry_S7),
	  TEST_ONE(test_one_of_two_contacts_expires), TEST_ONE(test_service_route_leads_nowhere_afterwards),
	  TEST_ONE(test_leaving_after_a_restart), TEST_ONE(test_leaving_without_the_hss), TEST_ONE(test_what_crosses_waits_in_line_REG_03),
	  TEST_ONE(test_the_line_is_bounded), TEST_ONE(test_expiry_waits_for_a_refresh), TEST_ONE(test_random_crossings_REG_03),
	  TEST_ONE(test_new_profile_S17), TEST_ROWS(test_push_row_S17, pushes), TEST_ONE(test_json_of_a_registration), TEST_ONE(test_pages),
	  TEST_ONE(test_memory_of_many),
	  TEST_ONE(test_json_of_services), TEST_ONE(test_unregistered_user))
