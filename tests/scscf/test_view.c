/* tests/scscf/test_view.c - the directory of published registrations: rows S8, S12, T13; TS 23.228 §4.3.3.4 (shared identities). */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include "scscf/view.h"
#include "tests/check.h"

static struct profile *profile_of(const char *const *uris)
{
	struct profile *p;
	struct buf b;

	buf_init(&b, 65536);
	buf_puts(&b, "<IMSSubscription><PrivateID>x</PrivateID><ServiceProfile>");
	for (; *uris; uris++)
		buf_printf(&b, "<PublicIdentity><Identity>%s</Identity></PublicIdentity>", *uris);
	buf_puts(&b, "</ServiceProfile></IMSSubscription>");
	ck_assert_int_eq(profile_parse(buf_str(&b), NULL, &p, NULL), 0);
	buf_fini(&b);
	return p;
}

static int publish(struct reg_directory *d, uint64_t id, const char *const *uris, unsigned n)
{
	char p1[] = "<sip:p1;lr>", p2[] = "<sip:p2;lr>", a1[] = "sip:a@1", a2[] = "sip:a@2", audio[] = "audio", none[] = "";
	char *path[] = { p1, p2 };
	struct reg_contact_view c[] = {
		{ .uri = a1, .params = audio, .n_path = 2, .path = path, .q = 1000, .expires_wall_us = 5 },
		{ .uri = a2, .params = none, .q = 500, .expires_wall_us = 6 } };
	struct profile *p = profile_of(uris);
	struct reg_view *v = reg_view_new(id, STR("me@h"), p, NULL, n, c);
	int rc = reg_directory_publish(d, v);

	obj_unref(v);
	obj_unref(p);
	return rc;
}

static unsigned how_many(struct reg_directory *d, const char *aor)
{
	struct aor_view *v = reg_directory_aor(d, str_from_c(aor));
	unsigned n = v ? v->n : 0;

	obj_unref(v);
	return n;
}

#define IDS(...) (const char *const[]){ __VA_ARGS__, NULL }

START_TEST(test_everything_is_copied)
{
	struct reg_directory *d = reg_directory_new();
	struct reg_view *v;

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(publish(d, 7, IDS("sip:a@h", "tel:+49"), 2), 0);
	v = reg_directory_id(d, 7);
	ck_assert_ptr_nonnull(v);
	reg_directory_withdraw(d, 7);			/* what a reader holds stays whole */
	ck_assert_ptr_null(reg_directory_id(d, 7));
	ck_assert_str_eq(v->impi, "me@h");
	ck_assert_uint_eq(v->n_contacts, 2);
	ck_assert_str_eq(v->contacts[0].uri, "sip:a@1");
	ck_assert_str_eq(v->contacts[0].params, "audio");
	ck_assert_str_eq(v->contacts[0].path[1], "<sip:p2;lr>");
	ck_assert_uint_eq(v->contacts[1].n_path, 0);
	ck_assert_uint_eq(v->contacts[1].q, 500);
	ck_assert_ptr_nonnull(profile_find(v->profile, STR("tel:+49")));
	obj_unref(v);
	reg_directory_free(d);
}
END_TEST

START_TEST(test_identities_come_and_go)
{
	struct reg_directory *d = reg_directory_new();

	ck_assert_ptr_nonnull(d);
	publish(d, 1, IDS("sip:a@h", "tel:+1"), 1);
	ck_assert(how_many(d, "sip:a@h") == 1 && how_many(d, "tel:+1") == 1 && how_many(d, "tel:+2") == 0);
	publish(d, 1, IDS("sip:a@h", "tel:+2"), 1);
	ck_assert(how_many(d, "sip:a@h") == 1 && how_many(d, "tel:+1") == 0 && how_many(d, "tel:+2") == 1);
	ck_assert_uint_eq(reg_directory_count(d), 1);
	reg_directory_withdraw(d, 1);
	reg_directory_withdraw(d, 1);
	ck_assert(how_many(d, "sip:a@h") == 0 && how_many(d, "tel:+2") == 0 && reg_directory_count(d) == 0);
	reg_directory_free(d);
}
END_TEST

START_TEST(test_shared_identity)
{
	struct reg_directory *d = reg_directory_new();
	char own[32];

	ck_assert_ptr_nonnull(d);
	for (uint64_t id = 1; id <= REG_MAX_SHARED; id++) {
		snprintf(own, sizeof(own), "sip:u%u@h", (unsigned)id);
		ck_assert_int_eq(publish(d, id, IDS(own, "tel:+1"), 1), 0);
		ck_assert_uint_eq(how_many(d, "tel:+1"), id);
	}
	/* One too many: nothing of it is left. */
	ck_assert_int_eq(publish(d, 99, IDS("sip:u99@h", "tel:+1"), 1), -ENOSPC);
	ck_assert(how_many(d, "sip:u99@h") == 0 && how_many(d, "tel:+1") == REG_MAX_SHARED && reg_directory_count(d) == REG_MAX_SHARED);
	/* One that was there and wants a full one too: it stays as it was. */
	publish(d, 99, IDS("sip:u99@h"), 1);
	ck_assert_int_eq(publish(d, 99, IDS("sip:u99@h", "sip:more@h", "tel:+1"), 2), -ENOSPC);
	ck_assert(how_many(d, "sip:u99@h") == 1 && how_many(d, "sip:more@h") == 0);
	ck_assert_int_eq(publish(d, 1, IDS("sip:u1@h", "tel:+1"), 2), 0);	/* a refresh is no addition */
	reg_directory_withdraw(d, 1);
	ck_assert_uint_eq(how_many(d, "tel:+1"), REG_MAX_SHARED - 1);
	reg_directory_free(d);
}
END_TEST

/* Two owners change the same shared identity: no change of either is lost. */
struct owner {
	struct reg_directory *d;
	uint64_t id;
};

static void *keep_publishing(void *arg)
{
	const struct owner *o = arg;

	for (int i = 0; i < 2000; i++) {
		publish(o->d, o->id, i % 2 ? IDS("tel:+1") : IDS("tel:+1", "tel:+2"), 1);
		if (how_many(o->d, "tel:+1") == 0)
			return arg;		/* ours must be in it */
		if (i % 7 == 0)
			reg_directory_withdraw(o->d, o->id);
	}
	publish(o->d, o->id, IDS("tel:+1", "tel:+2"), 1);
	return NULL;
}

START_TEST(test_two_owners)
{
	struct owner o[2] = { { reg_directory_new(), 1 }, { NULL, 2 } };
	pthread_t t[2];
	void *bad;

	o[1].d = o[0].d;
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, keep_publishing, &o[i]), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], &bad);
		ck_assert_ptr_null(bad);
	}
	ck_assert(how_many(o[0].d, "tel:+1") == 2 && how_many(o[0].d, "tel:+2") == 2);
	reg_directory_free(o[0].d);
}
END_TEST

TEST_MAIN("view", TEST_ONE(test_everything_is_copied), TEST_ONE(test_identities_come_and_go), TEST_ONE(test_shared_identity),
	  TEST_ONE(test_two_owners))
