/* tests/scscf/test_keep.c - registrations over a restart: TS 23.380 §4, TS 24.229 §5.4.1; rows H1, S12; reliability F1, F4, F14. */
#include "common/store/private.h"
#include "common/store/fields.h"
#include "scscf/keep.h"
#include "tests/scscf/reg_rig.h"

#define XML_WITH_AS "<IMSSubscription><PrivateID>" RIG_IMPI "</PrivateID><ServiceProfile>" \
	"<PublicIdentity><Identity>" RIG_IMPU "</Identity><Extension><Extension><Extension><DisplayName>Al &amp; co</DisplayName>" \
	"</Extension></Extension></Extension></PublicIdentity><PublicIdentity><Identity>" RIG_TEL "</Identity></PublicIdentity>" \
	"<InitialFilterCriteria><Priority>1</Priority><ApplicationServer><ServerName>sip:127.0.31.60:5090</ServerName>" \
	"</ApplicationServer></InitialFilterCriteria></ServiceProfile></IMSSubscription>"

static char dir[64];
static struct reg_rig r;
static struct rig_phone p;
static struct store *store;

static void open_store(int64_t later_ms)
{
	const struct store_config c = { .dir = dir, .max_bytes = 64 << 20, .max_pending_bytes = 1 << 20, .journal_bytes = 65536, .commit_ms = 100 };

	ck_assert_int_eq(store_open(&store, &c, 1), 0);
	store->offset_ms += later_ms;
	r.worker.w.store = store_port(store, 0);
}

static void begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/cscf-keep-XXXXXX");
	ck_assert(mkdtemp(dir));
	rig_init(&r);
	open_store(0);
	phone_init(&p);
}

/* The process goes, and another one comes later. */
static void restart(int64_t later_ms)
{
	uint64_t sqn = r.sqn;

	r.worker.w.store = NULL;
	rig_fini(&r);
	store_close(store);
	rig_init(&r);
	r.sqn = sqn;
	open_store(later_ms);
	ck_assert_int_eq(keep_restore(r.s, &r.stack, store), 0);
}

static void end(void)
{
	char command[128];

	rig_fini(&r);
	store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct aor_view *published(const char *aor)
{
	return reg_directory_aor(r.s->dir, str_from_c(aor));
}

START_TEST(test_comes_back)
{
	struct registration *g;
	struct aor_view *set;
	uint64_t id;
	char uri[128], call_id[64];

	begin();
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	g = rig_registration(&r);
	id = g->id;
	snprintf(uri, sizeof(uri), "%s", list_entry(g->bindings.next, struct binding, link)->uri);
	snprintf(call_id, sizeof(call_id), "%s", p.call_id);
	restart(60000);
	g = rig_registration(&r);
	ck_assert(g && g->profile && g->n_bindings == 1);
	ck_assert_uint_eq(g->id, id);		/* Service-Route of before leads here */
	ck_assert_uint_eq(g->profile->n_identities, 3);
	ck_assert(g->profile->identity[0].barred && !g->profile->identity[1].barred);
	set = published(RIG_TEL);
	ck_assert(set && set->n == 1 && set->v[0]->n_contacts == 1);
	ck_assert_str_eq(set->v[0]->contacts[0].uri, uri);
	ck_assert_str_eq(set->v[0]->contacts[0].params, "+g.3gpp.smsip");
	ck_assert_uint_eq(set->v[0]->contacts[0].q, 500);
	ck_assert_str_eq(set->v[0]->contacts[0].path[0], "<sip:TOKEN@127.0.31.10:5060;lr>");
	ck_assert_str_eq(set->v[0]->contacts[0].call_id, call_id);
	ck_assert_uint_eq(set->v[0]->contacts[0].impu, 0);
	obj_unref(set);
	/* A minute of its ten has gone. */
	ck_assert_uint_le(binding_next_ms(g) - r.wheel.now_ms, 541000);
	ck_assert_uint_ge(binding_next_ms(g) - r.wheel.now_ms, 530000);
	/* An older REGISTER of the same Call-ID is still an older one (RFC 3261 §10.3), a newer one refreshes without a new SAR. */
	r.cx[0] = '\0';
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_str_eq(r.cx, "MAR ");
	end();
}
END_TEST

/* A number of 0 is not written: a contact of which a record says nothing came by a P-CSCF of ours. */
static const struct { const char *name; bool says, abroad, want; } visits[] = {
	{ "G1 a record of before", false, false, false }, { "G1 at home", true, false, false }, { "G1 abroad", true, true, true },
};

START_TEST(test_visit_row)
{
	struct keep_record *k = calloc(1, sizeof(*k)), *back = calloc(1, sizeof(*back));
	struct buf whole, contact;

	*k = (struct keep_record){ .id = 1, .n_identities = 1, .n_services = 1 };
	k->identity[0].uri = STR("sip:a@h");
	k->criteria[0] = STR("x");
	buf_init(&whole, 4096);
	buf_init(&contact, 4096);
	if (visits[_i].says) {
		k->contact[k->n_contacts++] = (struct keep_contact){ .uri = STR("sip:a@10.0.0.1"), .abroad = visits[_i].abroad };
	} else {
		field_write(1, STR("sip:a@10.0.0.1"), &contact);
		field_write(100, buf_str(&contact), &whole);
	}
	keep_record_write(k, &whole);
	ck_assert_int_eq(keep_record_read(buf_str(&whole), back), 0);
	ck_assert_uint_eq(back->n_contacts, 1);
	ck_assert_msg(back->contact[0].abroad == visits[_i].want, "%s", visits[_i].name);
	buf_fini(&contact);
	buf_fini(&whole);
	free(back);
	free(k);
}
END_TEST

/* Each set of a private identity, and the registration for emergencies, is a record of its own: S8, S20. */
START_TEST(test_every_set_comes_back_S8_S20)
{
	struct rig_phone work, sos;
	struct registration_sets sets;
	unsigned emergencies = 0;

	begin();
	phone_init(&work);
	phone_init(&sos);
	p.integrity = work.integrity = sos.integrity = "yes";
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	sos.contact = "<sip:a@10.0.0.9;sos>";
	sos.sqn_ms = p.sqn_ms;
	ck_assert_uint_eq(phone_register(&r, &sos), 200);
	r.xml = "<IMSSubscription><PrivateID>" RIG_IMPI "</PrivateID><ServiceProfile><PublicIdentity><Identity>sip:work@" RIG_DOMAIN
		"</Identity></PublicIdentity></ServiceProfile></IMSSubscription>";
	work.impu = "sip:work@" RIG_DOMAIN;
	work.contact = "<sip:work@10.0.0.8>";
	work.sqn_ms = sos.sqn_ms;
	ck_assert_uint_eq(phone_register(&r, &work), 200);
	restart(1000);
	registration_sets(scscf_of(&r.worker.w)->registrar, STR(RIG_IMPI), &sets);
	ck_assert_uint_eq(sets.n, 3);
	for (unsigned i = 0; i < sets.n; i++) {
		ck_assert(sets.v[i]->profile && sets.v[i]->n_bindings == 1);
		emergencies += sets.v[i]->emergency;
		ck_assert(sets.v[i]->emergency == (strstr(list_entry(sets.v[i]->bindings.next, struct binding, link)->uri, ";sos") != NULL));
	}
	ck_assert_uint_eq(emergencies, 1);
	work.expires = 0;
	work.integrity = "yes";
	phone_begin(&work);
	ck_assert_uint_eq(phone_send(&r, &work), 200);		/* one goes: its record alone */
	restart(1000);
	registration_sets(scscf_of(&r.worker.w)->registrar, STR(RIG_IMPI), &sets);
	ck_assert_uint_eq(sets.n, 2);
	end();
}
END_TEST

START_TEST(test_expires_later)
{
	begin();
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	restart(0);
	r.cx[0] = '\0';
	rig_run(&r, 590000);
	ck_assert_str_eq(r.cx, "");
	rig_run(&r, 15000);
	ck_assert_str_eq(r.cx, "SAR4 ");	/* TIMEOUT_DEREGISTRATION, TS 29.228 §6.1.2 */
	ck_assert(!rig_registration(&r));
	restart(0);
	ck_assert(!rig_registration(&r));
	end();
}
END_TEST

/* It ran out while nobody was there: the HSS hears of it, after the grace. */
START_TEST(test_expired_while_away)
{
	begin();
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	restart(3600000);
	r.cx[0] = '\0';
	ck_assert(rig_registration(&r));
	rig_run(&r, r.cfg->restart_grace_s * 1000 - 100);
	ck_assert_str_eq(r.cx, "");
	rig_run(&r, 200);
	ck_assert_str_eq(r.cx, "SAR4 ");
	ck_assert(!rig_registration(&r));
	end();
}
END_TEST

/* Within the grace a phone that comes again has lost nothing. */
START_TEST(test_grace)
{
	begin();
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	restart(601000);
	rig_run(&r, 1000);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	r.cx[0] = '\0';
	rig_run(&r, 10000);
	ck_assert_str_eq(r.cx, "");
	end();
}
END_TEST

START_TEST(test_gone_stays_gone)
{
	begin();
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	p.expires = 0;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert(!rig_registration(&r));
	restart(0);
	ck_assert(!rig_registration(&r));
	ck_assert_uint_eq(reg_directory_count(r.s->dir), 0);
	end();
}
END_TEST

/* Filter criteria are kept once for all who share them, and go with the last. */
START_TEST(test_criteria)
{
	struct registration *g;

	begin();
	r.xml = XML_WITH_AS;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	restart(0);
	g = rig_registration(&r);
	ck_assert(g && g->profile->n_services == 1 && g->profile->criteria[0]);
	ck_assert_uint_eq(g->profile->criteria[0]->n, 1);
	ck_assert(str_eq(g->profile->criteria[0]->v[0].server, STR("sip:127.0.31.60:5090")));
	ck_assert_str_eq(g->profile->identity[0].display, "Al & co");
	ck_assert_uint_eq(criteria_store_count(r.s->criteria), 1);
	registration_clear(g, REGINFO_NONE);
	registration_done(g);
	restart(0);
	restart(0);
	ck_assert_uint_eq(criteria_store_count(r.s->criteria), 0);
	end();
}
END_TEST

/* Filter criteria are not here, but may be at another start: the record stays. */
START_TEST(test_criteria_missing)
{
	struct criteria *c;
	struct buf text;
	char digest[16];

	begin();
	r.xml = XML_WITH_AS;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	c = rig_registration(&r)->profile->criteria[0];
	memcpy(digest, c->digest, sizeof(digest));
	buf_init(&text, 4096);
	buf_put(&text, c->text);
	ck_assert_int_eq(store_del(r.worker.w.store, STORE_CRITERIA, str_make(digest, sizeof(digest))), 0);
	restart(0);
	ck_assert(!rig_registration(&r));
	ck_assert_int_eq(store_put(r.worker.w.store, STORE_CRITERIA, str_make(digest, sizeof(digest)), buf_str(&text), 0), 0);
	restart(0);
	ck_assert(rig_registration(&r) && rig_registration(&r)->profile->criteria[0]);
	buf_fini(&text);
	end();
}
END_TEST

/* A profile that the HSS pushed is what comes back. */
static void pushed(void *arg, int rc)
{
	*(int *)arg = rc;
}

START_TEST(test_pushed)
{
	int rc = 1;

	begin();
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_int_eq(registrar_push_profile(r.s, STR(RIG_IMPI), STR(XML_WITH_AS), STR("ccf=\"a.b\""), pushed, &rc), 0);
	rig_serve(&r);
	ck_assert_int_eq(rc, 0);
	restart(0);
	ck_assert_uint_eq(rig_registration(&r)->profile->n_identities, 2);
	ck_assert_str_eq(rig_registration(&r)->pcfa, "ccf=\"a.b\"");
	end();
}
END_TEST

/* ---- records ---- */

static struct keep_record sample(void)
{
	return (struct keep_record){
		.id = 77, .registered_wall_us = 5, .pcfa = STR("ccf=x"), .profile_impi = STR(RIG_IMPI), .n_contacts = 2, .n_identities = 2, .n_services = 1,
		.contact = { { .uri = STR("sip:a@127.0.0.1"), .params = STR("x=y"), .call_id = STR("c"), .cseq = 9, .n_path = 2,
			       .path = { STR("<sip:p;lr>"), STR("<sip:q;lr>") }, .expires_ms = 1234567 },
			     { .uri = STR("sip:b@127.0.0.1"), .instance = STR("<urn:uuid:1>"), .reg_id = 2 } },
		.identity = { { .uri = STR(RIG_IMPU), .barred = 1 }, { .uri = STR(RIG_TEL), .display = STR("Al") } },
		.criteria = { STR("0123456789abcdef") },
	};
}

/* F4: cut anywhere it is no record, or one that is sound as far as it goes. */
START_TEST(test_cut_record)
{
	struct keep_record *k = malloc(sizeof(*k)), *back = malloc(sizeof(*back));
	struct buf b;

	*k = sample();
	buf_init(&b, KEEP_MAX_BYTES);
	keep_record_write(k, &b);
	for (size_t l = 0; l < b.l; l++)
		if (keep_record_read(str_make(b.p, l), back) == 0)
			ck_assert(back->id == 77 && back->n_identities <= 2);
	ck_assert_int_eq(keep_record_read(buf_str(&b), back), 0);
	ck_assert(back->n_contacts == 2 && back->contact[0].n_path == 2 && back->contact[0].cseq == 9 && back->contact[1].reg_id == 2);
	ck_assert(str_eq(back->contact[0].path[1], STR("<sip:q;lr>")) && str_eq(back->identity[1].aor, STR(RIG_TEL)));
	buf_fini(&b);
	free(k);
	free(back);
}
END_TEST

/* A record that nobody can use is left out and deleted; the others stand. */
START_TEST(test_unusable)
{
	begin();
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_int_eq(store_put(r.worker.w.store, STORE_REGISTRATION, STR("somebody@else"), STR("\1\2\3"), 0), 0);
	restart(0);
	ck_assert(rig_registration(&r));
	ck_assert_uint_eq(registrar_count(scscf_of(&r.worker.w)->registrar), 1);
	end();
}
END_TEST

TEST_MAIN("keep", TEST_ONE(test_every_set_comes_back_S8_S20), TEST_ONE(test_comes_back), TEST_ROWS(test_visit_row, visits), TEST_ONE(test_expires_later), TEST_ONE(test_expired_while_away), TEST_ONE(test_grace),
	  TEST_ONE(test_gone_stays_gone), TEST_ONE(test_criteria), TEST_ONE(test_criteria_missing), TEST_ONE(test_pushed), TEST_ONE(test_cut_record), TEST_ONE(test_unusable))
