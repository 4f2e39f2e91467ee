/* tests/scscf/test_restoration.c - what the HSS keeps for us and gives back: TS 23.380 §4.2 to §4.4, TS 29.228 §6.1.2; row D9. */
#include <string.h>
#include "tests/scscf/reg_rig.h"

static struct reg_rig r;
static struct rig_phone p;
static int restored;

#define OTHER "<sip:b@10.0.0.2>;+sip.instance=\"<urn:x>\""

static void begin(void)
{
	rig_init(&r);
	phone_init(&p);
	p.integrity = "yes";
}

START_TEST(test_contacts_go_with_the_registration_D9)
{
	char want[512];

	begin();
	r.features = CX_FEATURE_RESTORATION;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_uint_eq(r.n_restored, 1);
	snprintf(want, sizeof(want), "<sip:TOKEN@127.0.31.10:5060;lr> <sip:001010000000001@127.0.31.101:5066>;+g.3gpp.smsip;q=0.500;expires=600 %s 2",
		 p.call_id);
	ck_assert_str_eq(r.restored[0], want);
	phone_begin(&p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);		/* nothing new: nothing told */
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	rig_run(&r, 100000);
	p.contact = OTHER;
	p.expires = 300;
	ck_assert_uint_eq(phone_send(&r, &p), 200);		/* another contact: all that stand then */
	ck_assert_str_eq(r.cx, "MAR SAR1 SAR2 ");
	ck_assert_uint_eq(r.n_restored, 2);
	ck_assert(strstr(r.restored[0], " " OTHER ";q=1.000;expires=300 "));
	ck_assert(strstr(r.restored[1], ";q=0.500;expires=500 "));
	rig_fini(&r);
}
END_TEST

static const struct { const char *name; bool on; enum hss_profile hss; uint32_t features; unsigned n; const char *cx; } rows[] = {
	{ "the HSS says nothing of it", true, HSS_STANDARD, 0, 1, "MAR SAR1 " },
	{ "it has other features", true, HSS_STANDARD, CX_FEATURE_ALIAS, 1, "MAR SAR1 " },
	{ "not wanted", false, HSS_STANDARD, CX_FEATURE_RESTORATION, 0, "MAR SAR1 " },
	{ "PyHSS", true, HSS_PYHSS, 0, 0, "MAR SAR1 " },
	{ "Open5GS", true, HSS_OPEN5GS, 0, 0, "MAR SAR1 " },
};

START_TEST(test_not_with_every_hss_row_D9)
{
	begin();
	r.cfg->restoration = rows[_i].on;
	r.s->hss = rows[_i].hss;
	r.features = rows[_i].features;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_msg(r.n_restored == rows[_i].n, "%s: %u", rows[_i].name, r.n_restored);
	phone_begin(&p);
	p.contact = OTHER;
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_msg(strcmp(r.cx, rows[_i].cx) == 0, "%s: %s", rows[_i].name, r.cx);
	rig_fini(&r);
}
END_TEST

static void on_restored(void *arg, int rc)
{
	(void)arg;
	restored = rc;
}

static void restore(const struct cx_restoration *what, uint64_t id)
{
	struct profile *profile;

	ck_assert_int_eq(profile_parse(STR(RIG_XML), NULL, &profile, NULL), 0);
	restored = 1;
	ck_assert_int_eq(registrar_restore(r.s, what, STR(RIG_TEL), profile, id, on_restored, NULL), 0);
	obj_unref(profile);
	rig_serve(&r);
}

static struct cx_restoration kept(const char *contact, const char *path)
{
	return (struct cx_restoration){ STR(RIG_IMPI), 1, { { str_from_c(path), str_from_c(contact), STR("call"), 9 } } };
}

START_TEST(test_taken_up_again_TS_23_380)
{
	struct cx_restoration k = kept("<sip:b@10.0.0.2>;+sip.instance=\"<urn:x>\";q=0.5;expires=100", "<sip:p;lr>, <sip:q;lr>");
	struct reg_view *v;

	begin();
	restore(&k, 0x1234);
	ck_assert_int_eq(restored, 0);
	v = reg_directory_id(r.s->dir, 0x1234);
	ck_assert(v && v->n_contacts == 1 && strcmp(v->contacts[0].uri, "sip:b@10.0.0.2") == 0 && v->contacts[0].q == 500);
	ck_assert(v->contacts[0].n_path == 2 && strcmp(v->contacts[0].path[1], "<sip:q;lr>") == 0);
	ck_assert_str_eq(v->contacts[0].call_id, "call");
	obj_unref(v);
	ck_assert_str_eq(r.cx, "");
	k = kept("<sip:c@10.0.0.3>;expires=100", "<sip:p;lr>");		/* comes twice: what stands stays */
	restore(&k, 0);
	ck_assert_int_eq(restored, 0);
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 1);
	ck_assert_uint_eq(phone_register(&r, &p), 200);			/* and it is a registration like any other */
	rig_run(&r, 101000);
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 1);
	rig_run(&r, 600000);
	ck_assert_ptr_null(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

/* A request for somebody whose registration is just being ended asks the HSS, which has not heard of it yet. */
START_TEST(test_crosses_the_end)
{
	struct cx_restoration k = kept("<sip:b@10.0.0.2>;expires=1000", "<sip:p;lr>");

	begin();
	phone_begin(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_int_eq(registrar_deregister(r.s, STR(RIG_IMPI), NULL, REG_DEREG_ADMIN, NULL, NULL), 0);
	restore(&k, 0x1234);
	ck_assert_int_eq(restored, -ESTALE);
	ck_assert(!rig_registration(&r) || rig_registration(&r)->n_bindings == 0);
	rig_run(&r, 11000);
	restore(&k, 0x1234);			/* another node's, by now */
	ck_assert_int_eq(restored, 0);
	rig_fini(&r);
}
END_TEST

static void adopted(void *arg, int rc)
{
	(void)arg;
	ck_assert_int_eq(rc, 0);
}

/* Kept for services while it was not registered: what was published of it goes, with its old id. */
START_TEST(test_kept_unregistered_before)
{
	struct cx_restoration k = kept("<sip:b@10.0.0.2>;expires=100", "<sip:p;lr>");
	struct profile *profile;
	struct aor_view *v;
	uint64_t before;

	begin();
	ck_assert_int_eq(profile_parse(STR(RIG_XML), NULL, &profile, NULL), 0);
	ck_assert_int_eq(registrar_adopt(r.s, STR(RIG_IMPI), profile, adopted, NULL), 0);
	obj_unref(profile);
	rig_serve(&r);
	before = rig_registration(&r)->id;
	restore(&k, 0x1234);
	ck_assert_int_eq(restored, 0);
	ck_assert_uint_eq(reg_directory_count(r.s->dir), 1);
	ck_assert_ptr_null(reg_directory_id(r.s->dir, before));
	v = reg_directory_aor(r.s->dir, STR(RIG_TEL));
	ck_assert(v && v->n == 1 && v->v[0]->n_contacts == 1 && v->v[0]->id == 0x1234);
	obj_unref(v);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *contact, *path; } broken[] = {
	{ "no contact", "nonsense", "<sip:p;lr>" }, { "*", "*", "<sip:p;lr>" }, { "tel", "<tel:+49>", "<sip:p;lr>" },
	{ "expired", "<sip:b@h>;expires=0", "<sip:p;lr>" }, { "path is nonsense", "<sip:b@h>;expires=100", "<sip:p;lr>, x" },
};

START_TEST(test_what_cannot_be_taken_up_row)
{
	struct cx_restoration k = kept(broken[_i].contact, broken[_i].path);

	begin();
	restore(&k, 0);
	ck_assert_msg(restored == -EBADMSG, "%s: %d", broken[_i].name, restored);
	ck_assert_ptr_null(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

TEST_MAIN("restoration", TEST_ONE(test_contacts_go_with_the_registration_D9), TEST_ROWS(test_not_with_every_hss_row_D9, rows),
	  TEST_ONE(test_taken_up_again_TS_23_380), TEST_ONE(test_crosses_the_end), TEST_ONE(test_kept_unregistered_before), TEST_ROWS(test_what_cannot_be_taken_up_row, broken))
