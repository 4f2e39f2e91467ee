/* tests/pcscf/test_binding.c - the owner's table and the directory: who is found by what, when, and what a later one takes over. */
#include <errno.h>
#include <stdio.h>
#include "pcscf/binding.h"
#include "tests/check.h"

static struct wheel wheel;
static struct phone_directory *dir;
static struct bindings *bs;

static void begin(void)
{
	wheel_init(&wheel, 1000);
	dir = phone_directory_new();
	bs = bindings_new(&wheel, dir);
	ck_assert(dir && bs);
}

static void end(void)
{
	bindings_free(bs);
	phone_directory_free(dir);
}

static struct sip_flow flow_of(enum sip_proto proto, const char *at, uint32_t conn)
{
	struct sip_flow f = { .proto = proto, .conn = conn, .conn_gen = conn != 0 };

	ck_assert_int_eq(addr_parse_hostport(str_from_c(at), 5060, &f.remote), 0);
	return f;
}

/* "user@home" with contact user@at. */
static struct binding *make(uint64_t id, const char *user, struct sip_flow f)
{
	struct binding *b = binding_new(512);
	char at[ADDR_STRLEN];

	ck_assert_ptr_nonnull(b);
	b->id = id;
	b->flow = f;
	b->impi = arena_printf(b->arena, "%s@home", user);
	b->contact = arena_printf(b->arena, "sip:%s@%s", user, addr_fmt(&f.remote, at));
	b->contact_aor = str_from(b->contact, 4);
	b->key = arena_printf(b->arena, "%s@home|%.*s", user, STR_ARG(b->contact_aor));
	ck_assert_int_eq(binding_add_identity(b, arena_printf(b->arena, "<sip:%s@home>", user)), 0);
	ck_assert_int_eq(binding_add_identity(b, STR("<tel:+49-1>")), 0);
	return b;
}

/* The id, 0: nobody. */
static uint64_t id_of(struct binding *b)
{
	uint64_t id = b ? b->id : 0;

	obj_unref(b);
	return id;
}

START_TEST(test_lookups)
{
	struct sip_flow f, other, elsewhere;

	begin();
	f = flow_of(SIP_UDP, "10.9.0.1:5060", 0);
	other = flow_of(SIP_UDP, "10.9.0.1:6000", 0);
	elsewhere = flow_of(SIP_UDP, "10.9.0.2:5060", 0);
	ck_assert_int_eq(bindings_put(bs, make(1, "alice", f), 60), 0);
	ck_assert_uint_eq(id_of(phone_by_id(dir, 1)), 1);
	ck_assert_uint_eq(id_of(phone_by_id(dir, 2)), 0);
	ck_assert_uint_eq(id_of(phone_by_key(dir, STR("alice@home|alice@10.9.0.1:5060"))), 1);
	ck_assert_uint_eq(id_of(phone_by_flow(dir, &f)), 1);
	ck_assert_uint_eq(id_of(phone_by_flow(dir, &other)), 0);
	ck_assert_uint_eq(id_of(phone_by_flow_aor(dir, &f, STR("tel:+491"))), 1);
	ck_assert_uint_eq(id_of(phone_by_flow_aor(dir, &f, STR("sip:bob@home"))), 0);
	ck_assert_uint_eq(id_of(phone_by_host_aor(dir, &other, STR("sip:alice@home"))), 1);
	ck_assert_uint_eq(id_of(phone_by_host_aor(dir, &elsewhere, STR("sip:alice@home"))), 0);
	ck_assert_uint_eq(id_of(phone_by_host_contact(dir, &other, STR("alice@10.9.0.1:5060"))), 1);
	ck_assert_uint_eq(bindings_count(bs), 1);
	ck_assert(bindings_del(bs, STR("alice@home|alice@10.9.0.1:5060"), "test"));
	ck_assert(!bindings_del(bs, STR("alice@home|alice@10.9.0.1:5060"), "test"));
	ck_assert_uint_eq(id_of(phone_by_flow(dir, &f)) + id_of(phone_by_id(dir, 1)) + id_of(phone_by_host_aor(dir, &f, STR("tel:+491"))), 0);
	end();
}
END_TEST

START_TEST(test_stream_port_reused)	/* the connection decides, not its port */
{
	struct sip_flow a, b;

	begin();
	a = flow_of(SIP_TCP, "10.9.0.1:40000", 7);
	b = flow_of(SIP_TCP, "10.9.0.1:40000", 8);
	ck_assert_int_eq(bindings_put(bs, make(1, "alice", a), 60), 0);
	ck_assert_uint_eq(id_of(phone_by_flow(dir, &a)), 1);
	ck_assert_uint_eq(id_of(phone_by_flow(dir, &b)), 0);
	end();
}
END_TEST

START_TEST(test_refresh)		/* the reader's copy lives on; the new one is found, under its new flow only */
{
	struct sip_flow f, g;
	struct binding *held, *next;

	begin();
	f = flow_of(SIP_UDP, "10.9.0.1:5060", 0);
	g = flow_of(SIP_UDP, "10.9.0.1:7000", 0);
	ck_assert_int_eq(bindings_put(bs, make(1, "alice", f), 60), 0);
	held = phone_by_id(dir, 1);
	next = make(1, "alice", f);
	next->flow = g;
	next->registered_wall_us = 5;
	held->registered_wall_us = 3;
	ck_assert_int_eq(bindings_put(bs, next, 60), 0);
	ck_assert(sip_flow_eq(&held->flow, &f));
	obj_unref(held);
	ck_assert_uint_eq(id_of(phone_by_flow(dir, &f)), 0);
	ck_assert_uint_eq(id_of(phone_by_flow(dir, &g)), 1);
	held = phone_by_id(dir, 1);
	ck_assert_uint_eq(held->registered_wall_us, 3);		/* since when it is registered */
	obj_unref(held);
	ck_assert_uint_eq(bindings_count(bs), 1);
	end();
}
END_TEST

START_TEST(test_expiry)
{
	struct sip_flow f, g;

	begin();
	f = flow_of(SIP_UDP, "10.9.0.1:5060", 0);
	g = flow_of(SIP_UDP, "10.9.0.2:5060", 0);
	ck_assert_int_eq(bindings_put(bs, make(1, "alice", f), 60), 0);
	ck_assert_int_eq(bindings_put(bs, make(2, "bob", g), 600000), 0);
	wheel_advance(&wheel, 1000 + 30000);
	ck_assert_int_eq(bindings_put(bs, make(1, "alice", f), 60), 0);		/* starts over */
	wheel_advance(&wheel, 1000 + 89000);
	ck_assert_uint_eq(id_of(phone_by_id(dir, 1)), 1);
	wheel_advance(&wheel, 1000 + 91000);
	ck_assert_uint_eq(id_of(phone_by_id(dir, 1)), 0);
	ck_assert_uint_eq(id_of(phone_by_id(dir, 2)), 2);
	ck_assert_uint_eq(bindings_count(bs), 1);
	end();
}
END_TEST

START_TEST(test_shared_flow)		/* a later one takes the flow; the earlier one's end does not take it away */
{
	struct sip_flow f;

	begin();
	f = flow_of(SIP_UDP, "10.9.0.1:5060", 0);
	ck_assert_int_eq(bindings_put(bs, make(1, "alice", f), 60), 0);
	ck_assert_int_eq(bindings_put(bs, make(2, "bob", f), 60), 0);
	ck_assert_uint_eq(id_of(phone_by_flow(dir, &f)), 2);
	ck_assert_uint_eq(id_of(phone_by_flow_aor(dir, &f, STR("sip:alice@home"))), 1);
	ck_assert_uint_eq(bindings_del_impi(bs, STR("alice@home"), "test"), 1);
	ck_assert_uint_eq(id_of(phone_by_flow(dir, &f)), 2);
	ck_assert_uint_eq(id_of(phone_by_flow_aor(dir, &f, STR("sip:alice@home"))), 0);
	end();
}
END_TEST

START_TEST(test_limit)			/* BINDING_MAX_PER_IMPI: the one longest without a REGISTER goes */
{
	struct sip_flow f;
	char at[32];

	begin();
	for (unsigned i = 0; i < BINDING_MAX_PER_IMPI; i++) {
		snprintf(at, sizeof(at), "10.9.0.1:%u", 5000 + i);
		ck_assert_int_eq(bindings_put(bs, make(i + 1, "alice", flow_of(SIP_UDP, at, 0)), 60), 0);
	}
	f = flow_of(SIP_UDP, "10.9.0.1:5000", 0);
	ck_assert_int_eq(bindings_put(bs, make(1, "alice", f), 60), 0);			/* refreshed: not the oldest any more */
	ck_assert_int_eq(bindings_put(bs, make(99, "alice", flow_of(SIP_UDP, "10.9.0.1:9999", 0)), 60), 0);
	ck_assert_uint_eq(bindings_count(bs), BINDING_MAX_PER_IMPI);
	ck_assert_uint_eq(id_of(phone_by_id(dir, 1)), 1);
	ck_assert_uint_eq(id_of(phone_by_id(dir, 2)), 0);
	ck_assert_uint_eq(id_of(phone_by_id(dir, 99)), 99);
	ck_assert_uint_eq(bindings_del_impi(bs, STR("alice@home"), "test"), BINDING_MAX_PER_IMPI);
	ck_assert_uint_eq(bindings_count(bs), 0);
	end();
}
END_TEST

struct walk {
	unsigned n, stop;
};

static bool count(void *arg, const struct binding *b)
{
	struct walk *w = arg;

	ck_assert_ptr_nonnull(b);
	if (w->n == w->stop)
		return false;
	w->n++;
	return true;
}

START_TEST(test_pages)			/* a cursor goes on where it stopped, whatever went meanwhile */
{
	struct walk w = { 0, 2 };
	uint64_t after = 0;
	char at[32];

	begin();
	for (unsigned i = 0; i < 5; i++) {
		snprintf(at, sizeof(at), "10.9.0.%u:5060", i);
		ck_assert_int_eq(bindings_put(bs, make(i + 1, "alice", flow_of(SIP_UDP, at, 0)), 60), 0);
	}
	bindings_each(bs, &after, count, &w);
	ck_assert_uint_eq(w.n, 2);
	bindings_del(bs, STR("alice@home|alice@10.9.0.1:5060"), "test");	/* the last one listed */
	w = (struct walk){ 0, 99 };
	bindings_each(bs, &after, count, &w);
	ck_assert_uint_eq(w.n, 3);
	end();
}
END_TEST

START_TEST(test_too_many_identities)
{
	struct binding *b = binding_new(512);
	char value[64];

	for (unsigned i = 0; i < BINDING_MAX_IDENTITIES; i++) {
		snprintf(value, sizeof(value), "<sip:u%u@home>", i);
		ck_assert_int_eq(binding_add_identity(b, str_from_c(value)), 0);
	}
	ck_assert_int_eq(binding_add_identity(b, STR("<sip:more@home>")), -ENOSPC);
	ck_assert(str_eq_c(b->identity[BINDING_MAX_IDENTITIES - 1].aor, "sip:u63@home"));
	obj_unref(b);
}
END_TEST

TEST_MAIN("binding", TEST_ONE(test_lookups), TEST_ONE(test_stream_port_reused), TEST_ONE(test_refresh), TEST_ONE(test_expiry),
	  TEST_ONE(test_shared_flow), TEST_ONE(test_limit), TEST_ONE(test_pages), TEST_ONE(test_too_many_identities))
