/* tests/scscf/test_sets.c - several implicit registration sets of a private identity, and registrations for emergencies beside them:
 * TS 23.228 §5.2.1a; TS 24.229 §5.4.1.5, §5.4.8; TS 29.228 §6.1.3, §6.2.2; rows S8, S12, S16, S17, S20. */
#include <string.h>
#include "tests/scscf/reg_rig.h"

#define WORK "sip:work@" RIG_DOMAIN
#define SET(identities) "<IMSSubscription><PrivateID>" RIG_IMPI "</PrivateID><ServiceProfile>" identities "</ServiceProfile></IMSSubscription>"
#define IDENTITY(uri) "<PublicIdentity><Identity>" uri "</Identity></PublicIdentity>"
#define WORK_XML SET(IDENTITY(WORK) IDENTITY("tel:+492"))

static struct reg_rig r;
static struct rig_phone p, q;		/* of one private identity; the second one at work */
static struct reg_dereg_result ended;
static int pushed;

static void both(void)
{
	rig_init(&r);
	phone_init(&p);
	phone_init(&q);
	p.integrity = q.integrity = "yes";
	q.impu = WORK;
	q.contact = "<sip:work@10.0.0.2>";
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	r.xml = WORK_XML;
	q.sqn_ms = p.sqn_ms;
	ck_assert_uint_eq(phone_register(&r, &q), 200);
	phone_begin(&p);
	phone_begin(&q);
}

static unsigned contacts_of(const char *aor)
{
	struct aor_view *v = reg_directory_aor(r.s->dir, str_from_c(aor));
	unsigned n = 0;

	for (unsigned i = 0; v && i < v->n; i++)
		n += v->v[i]->n_contacts;
	obj_unref(v);
	return n;
}

static void on_ended(void *arg, const struct reg_dereg_result *res)
{
	(void)arg;
	ended = *res;
}

static void end(const char *impu, enum reg_dereg_cause cause)
{
	struct cx_strs impus = { impu ? 1 : 0, { str_from_c(impu) } };

	ended = (struct reg_dereg_result){ 0 };
	ck_assert_int_eq(registrar_deregister(r.s, STR(RIG_IMPI), &impus, cause, on_ended, NULL), 0);
	rig_serve(&r);
}

START_TEST(test_two_sets_stand_side_by_side_S8)
{
	both();
	ck_assert_str_eq(r.cx, "MAR SAR1 MAR SAR1 ");
	ck_assert_uint_eq(contacts_of(RIG_TEL), 1);
	ck_assert_uint_eq(contacts_of(WORK), 1);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert(rig_has(&r, RIG_TEL) && !rig_has(&r, WORK));		/* P-Associated-URI: its own set */
	ck_assert(rig_has(&r, "127.0.31.101") && !rig_has(&r, "10.0.0.2"));
	q.expires = 0;
	ck_assert_uint_eq(phone_send(&r, &q), 200);
	ck_assert_uint_eq(contacts_of(WORK), 0);
	ck_assert_uint_eq(contacts_of(RIG_TEL), 1);
	ck_assert_str_eq(r.cx, "MAR SAR1 MAR SAR1 SAR5 ");
	rig_run(&r, 601000);
	ck_assert_str_eq(r.cx, "MAR SAR1 MAR SAR1 SAR5 SAR4 ");
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *impu; enum reg_dereg_cause cause; unsigned first, second; const char *cx; } ends[] = {
	{ "RTR by private identity: all sets", NULL, REG_DEREG_RTR_PERMANENT, 0, 0, "MAR SAR1 MAR SAR1 " },
	{ "RTR by an identity: its set", "tel:+492", REG_DEREG_RTR_PERMANENT, 1, 0, "MAR SAR1 MAR SAR1 " },
	{ "by an operator", NULL, REG_DEREG_ADMIN, 0, 0, "MAR SAR1 MAR SAR1 SAR8 SAR8 " },
	{ "of nobody", "tel:+493", REG_DEREG_RTR_PERMANENT, 1, 1, "MAR SAR1 MAR SAR1 " },
};

START_TEST(test_end_row_S16)
{
	both();
	end(ends[_i].impu, ends[_i].cause);
	ck_assert_msg(contacts_of(RIG_TEL) == ends[_i].first && contacts_of(WORK) == ends[_i].second, "%s", ends[_i].name);
	ck_assert_msg(strcmp(r.cx, ends[_i].cx) == 0, "%s: %s", ends[_i].name, r.cx);
	ck_assert(ended.found == !(ends[_i].first && ends[_i].second) && ended.hss.err == 0);
	rig_fini(&r);
}
END_TEST

static void on_pushed(void *arg, int rc)
{
	(void)arg;
	pushed = rc;
}

START_TEST(test_push_is_for_its_set_S17)
{
	both();
	ck_assert_int_eq(registrar_push_profile(r.s, STR(RIG_IMPI), STR(SET(IDENTITY(WORK) IDENTITY("tel:+493"))), STR("ccf=\"aaa://c\""),
						on_pushed, NULL), 0);
	rig_serve(&r);
	ck_assert_int_eq(pushed, 0);
	ck_assert_uint_eq(contacts_of("tel:+493"), 1);
	ck_assert_uint_eq(contacts_of("tel:+492"), 0);
	ck_assert_uint_eq(contacts_of(RIG_TEL), 1);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert(rig_has(&r, "P-Charging-Function-Addresses: ccf=\"aaa://c\""));	/* of the user: both sets */
	rig_fini(&r);
}
END_TEST

/* The HSS has put the first set's identities into the second one. */
START_TEST(test_sets_that_were_joined)
{
	rig_init(&r);
	phone_init(&p);
	phone_init(&q);
	p.integrity = q.integrity = "yes";
	q.impu = WORK;
	q.contact = "<sip:work@10.0.0.2>";
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	r.xml = SET(IDENTITY(WORK) IDENTITY(RIG_TEL));
	q.sqn_ms = p.sqn_ms;
	ck_assert_uint_eq(phone_register(&r, &q), 200);
	ck_assert_uint_eq(contacts_of(RIG_TEL), 1);		/* not forked to what is over */
	ck_assert_uint_eq(contacts_of("sip:+491510000001@" RIG_DOMAIN), 0);
	rig_fini(&r);
}
END_TEST

START_TEST(test_sets_are_bounded)
{
	struct registration_sets s;
	char impu[128];
	unsigned i;

	rig_init(&r);
	phone_init(&p);
	for (i = 0; i < REG_MAX_SETS; i++) {
		snprintf(impu, sizeof(impu), "sip:u%u@" RIG_DOMAIN, i);
		p.impu = impu;
		ck_assert_uint_eq(phone_send(&r, &p), 401);
	}
	snprintf(impu, sizeof(impu), "sip:u%u@" RIG_DOMAIN, i);
	ck_assert_uint_eq(phone_send(&r, &p), 401);		/* who proved nothing locks nobody out: the oldest has gone */
	registration_sets(scscf_of(&r.worker.w)->registrar, STR(RIG_IMPI), &s);
	ck_assert_uint_eq(s.n, REG_MAX_SETS);
	rig_run(&r, 300000);					/* nobody answers: they go */
	registration_sets(scscf_of(&r.worker.w)->registrar, STR(RIG_IMPI), &s);
	ck_assert_uint_eq(s.n, 0);
	rig_fini(&r);
}
END_TEST

/* ---- emergencies: S20 ---- */

static void emergency(void)
{
	rig_init(&r);
	phone_init(&p);
	phone_init(&q);
	p.integrity = q.integrity = "yes";
	q.contact = "<sip:001010000000001@127.0.31.101:5066;sos>;+sip.instance=\"<urn:x>\"";
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	q.sqn_ms = p.sqn_ms;
	ck_assert_uint_eq(phone_register(&r, &q), 200);
	phone_begin(&p);
	phone_begin(&q);
	ck_assert_uint_eq(r.n_vital, 2);		/* its MAR and its SAR: not what an overloaded HSS is spared */
}

START_TEST(test_kept_apart_S20)
{
	struct aor_view *v;

	emergency();
	v = reg_directory_aor(r.s->dir, STR(RIG_TEL));
	ck_assert(v && v->n == 2 && v->v[0]->emergency != v->v[1]->emergency);
	obj_unref(v);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert(!rig_has(&r, ";sos"));
	end(NULL, REG_DEREG_RTR_PERMANENT);			/* §5.4.8.5: it is let run out */
	ck_assert_uint_eq(contacts_of(RIG_TEL), 1);
	ck_assert(ended.found);
	q.expires = 0;
	ck_assert_uint_eq(phone_send(&r, &q), 501);		/* §5.4.8.4 */
	ck_assert_uint_eq(contacts_of(RIG_TEL), 1);
	rig_run(&r, 601000);
	ck_assert_uint_eq(contacts_of(RIG_TEL), 0);
	ck_assert(strstr(r.cx, "SAR4 "));			/* the last that stood */
	rig_fini(&r);
}
END_TEST

/* Its end is not told while the user is registered otherwise. */
START_TEST(test_ends_beside_another_S20)
{
	emergency();
	p.expires = 3600;
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	rig_run(&r, 700000);
	ck_assert_uint_eq(contacts_of(RIG_TEL), 1);
	ck_assert_ptr_null(strstr(r.cx, "SAR4"));
	rig_fini(&r);
}
END_TEST

/* Nor is the normal one's while that for emergencies stands: the PSAP calls back. */
START_TEST(test_normal_ends_first_S20)
{
	emergency();
	q.expires = 3600;
	ck_assert_uint_eq(phone_send(&r, &q), 200);
	rig_run(&r, 700000);
	ck_assert_uint_eq(contacts_of(RIG_TEL), 1);
	ck_assert_ptr_null(strstr(r.cx, "SAR4"));
	rig_run(&r, 3600000);
	ck_assert_uint_eq(contacts_of(RIG_TEL), 0);
	ck_assert(strstr(r.cx, "SAR4 "));
	rig_fini(&r);
}
END_TEST

/* S7: whoever ends the normal one.  The HSS is told when the last one is over. */
static const struct { const char *name; bool rest, keeps; } ends_first[] = {
	{ "the phone", false, false }, { "the phone, the S-CSCF's name stays with the HSS", false, true }, { "REST", true, false },
};

START_TEST(test_normal_is_ended_first_row_S20)
{
	emergency();
	r.cfg->keep_server_name = ends_first[_i].keeps;
	p.expires = 0;
	if (ends_first[_i].rest) {
		end(NULL, REG_DEREG_ADMIN);
		ck_assert(ended.found && ended.hss.err == 0 && ended.hss.code == DIA_SUCCESS);
	} else {
		ck_assert_uint_eq(phone_send(&r, &p), 200);
	}
	ck_assert_msg(contacts_of(RIG_TEL) == 1, "%s", ends_first[_i].name);
	ck_assert_msg(!strstr(r.cx, "SAR5") && !strstr(r.cx, "SAR7") && !strstr(r.cx, "SAR8"), "%s: %s", ends_first[_i].name, r.cx);
	rig_run(&r, 700000);
	ck_assert_uint_eq(contacts_of(RIG_TEL), 0);
	ck_assert_msg(strstr(r.cx, "SAR4 ") || strstr(r.cx, "SAR6 "), "%s: %s", ends_first[_i].name, r.cx);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name; int asked; uint32_t granted; } times[] = {
	{ "no least time", 10, 10 }, { "its own longest", 7200, 1800 }, { "as asked", 600, 600 },
};

START_TEST(test_own_times_row_S20)
{
	char want[32];

	rig_init(&r);
	r.cfg->emergency_max_expires_s = 1800;
	phone_init(&p);
	p.integrity = "yes";
	p.contact = "<sip:a@10.0.0.1;sos>";
	p.expires = times[_i].asked;
	ck_assert_msg(phone_register(&r, &p) == 200, "%s: %u", times[_i].name, r.status);
	snprintf(want, sizeof(want), ";expires=%u\r\n", times[_i].granted);
	ck_assert_msg(rig_has(&r, want), "%s: %.*s", times[_i].name, STR_ARG(r.m->raw));
	rig_fini(&r);
}
END_TEST

/* Who is barred may call for help. */
START_TEST(test_barred_S20)
{
	rig_init(&r);
	r.xml = SET("<PublicIdentity><BarringIndication>1</BarringIndication><Identity>" RIG_IMPU "</Identity></PublicIdentity>");
	phone_init(&p);
	p.integrity = "yes";
	ck_assert_uint_eq(phone_register(&r, &p), 403);
	ck_assert_ptr_nonnull(strstr(r.cx, "SAR8 "));
	p.contact = "<sip:a@10.0.0.1;sos>";
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	r.cx[0] = '\0';
	p.contact = NULL;
	ck_assert_uint_eq(phone_register(&r, &p), 403);
	ck_assert_ptr_null(strstr(r.cx, "SAR8 "));		/* that for emergencies stands */
	rig_fini(&r);
}
END_TEST

TEST_MAIN("sets", TEST_ONE(test_two_sets_stand_side_by_side_S8), TEST_ROWS(test_end_row_S16, ends), TEST_ONE(test_push_is_for_its_set_S17),
	  TEST_ONE(test_sets_that_were_joined), TEST_ONE(test_sets_are_bounded), TEST_ONE(test_kept_apart_S20),
	  TEST_ONE(test_ends_beside_another_S20), TEST_ONE(test_normal_ends_first_S20), TEST_ROWS(test_normal_is_ended_first_row_S20, ends_first), TEST_ROWS(test_own_times_row_S20, times), TEST_ONE(test_barred_S20))
