/* tests/pcscf/test_sa.c - life of a set of security associations, on fake time and a fake kernel: TS 33.203 §7.3, §7.4;
 * rows P5, P13, X3, X5; S8, F20, F21, SEC-23. */
#include <errno.h>
#include <stdio.h>
#include "pcscf/pcscf.h"
#include "tests/check.h"

#define MAX_OPS 256

static struct wheel wheel;
static struct security_config cfg;
static struct sa_pool *pool;
static struct sa_owner *owner;
static struct {
	enum ipsec_op op;
	struct ipsec_set set;
	struct ipsec_req *r;
} ops[MAX_OPS];
static unsigned n_ops;
static int refuse_rc;			/* of submit itself */
static int last_rc;
static unsigned n_done;

static int submit(struct ipsec_port *p, enum ipsec_op op, const struct ipsec_set *s, struct ipsec_req *r)
{
	(void)p;
	if (refuse_rc)
		return refuse_rc;
	ck_assert_uint_lt(n_ops, MAX_OPS);
	ops[n_ops].op = op;
	ops[n_ops].set = *s;
	ops[n_ops++].r = r;
	return 0;
}

static struct ipsec_port port = { .submit = submit };

static void begin(uint32_t n_spis, uint32_t quarantine_s)
{
	wheel_init(&wheel, 1000);
	cfg = (struct security_config){ .policy = SECURITY_REQUIRE, .pair = { { SEC_ALG_HMAC_SHA1_96, SEC_EALG_AES_CBC } }, .n_pairs = 1,
					.port_s = 5100, .port_c = 5120, .n_ports = 4, .spi_first = 4096, .n_spis = n_spis, .reqid_first = 70000,
					.await_auth_s = 240, .margin_s = 30, .old_ms = 128000, .quarantine_s = quarantine_s };
	n_ops = n_done = 0;
	refuse_rc = last_rc = 0;
	pool = sa_pool_new(&cfg);
	owner = sa_owner_new(pool, &cfg, &wheel, &port);
	ck_assert(pool && owner);
}

static void end(void)
{
	sa_owner_free(owner);
	sa_pool_free(pool);
}

static void on_done(void *arg, int rc)
{
	(void)arg;
	n_done++;
	last_rc = rc;
}

static struct sa_set *wish(const char *user, const char *at, uint32_t spi, unsigned port_c, unsigned port_s, const struct sa_set *via)
{
	static struct sec_list l;
	struct sa_wish w = { .impi = str_from_c(user), .key = str_from_c(user), .client = &l, .via = via };
	struct sa_set *s;

	l.n = 1;
	l.entry[0] = (struct sec_agree){ .alg = SEC_ALG_HMAC_SHA1_96, .ealg = SEC_EALG_AES_CBC, .spi_c = spi, .spi_s = spi + 1,
					 .port_c = (uint16_t)port_c, .port_s = (uint16_t)port_s, .q = 1000 };
	ck_assert(addr_parse(str_from_c(at), 5060, &w.phone) == 0 && addr_parse(STR("10.0.0.10"), 5060, &w.us) == 0);
	s = sa_set_new(&w);
	ck_assert_ptr_nonnull(s);
	return s;
}

/* The kernel's answer to the newest ADD. */
static void kernel_says(int rc)
{
	unsigned i = n_ops;

	while (i > 0 && !(ops[i - 1].op == IPSEC_ADD && ops[i - 1].r))
		i--;
	ck_assert_uint_gt(i, 0);
	ops[i - 1].r->done(ops[i - 1].r, rc);
	ops[i - 1].r = NULL;
}

static struct sa_set *made(const char *user, const char *at, uint32_t spi, unsigned port_c, unsigned port_s, const struct sa_set *via)
{
	struct sa_set *s = wish(user, at, spi, port_c, port_s, via);

	sa_setup(owner, s, on_done, NULL);
	kernel_says(0);
	ck_assert_int_eq(last_rc, 0);
	ck_assert_int_eq(sa_state(s), SA_PENDING);
	return s;
}

static unsigned count(enum ipsec_op op)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_ops; i++)
		n += ops[i].op == op;
	return n;
}

static struct sip_flow flow(const struct sa_set *s, bool to_server)
{
	struct sip_flow f = { .remote = s->k.peer, .local = s->k.us };

	addr_set_port(&f.remote, to_server ? s->k.theirs.port_c : s->k.theirs.port_s);
	addr_set_port(&f.local, to_server ? s->k.mine.port_s : s->k.mine.port_c);
	return f;
}

static bool found(const struct sa_set *s, bool usable)
{
	struct sip_flow a = flow(s, true), b = flow(s, false);
	struct sa_set *x = (usable ? sa_of : sa_find)(pool, &a), *y = (usable ? sa_of : sa_find)(pool, &b);
	bool ok = x == s && y == s;

	ck_assert(ok || (!x && !y));
	obj_unref(x);
	obj_unref(y);
	return ok;
}

static void after(uint64_t ms)
{
	wheel_advance(&wheel, wheel.now_ms + ms);
}

/* Registration, re-registration, de-registration: at each instant what the kernel is told (S8). */
START_TEST(test_life)
{
	struct sa_set *a, *b;

	begin(1024, 300);
	a = made("alice", "10.9.0.1", 1000, 6000, 6001, NULL);
	ck_assert_uint_eq(ops[0].set.lifetime_s, 250);			/* reg-await-auth and a grace */
	ck_assert(found(a, true));
	sa_confirm(owner, a, 3600);
	ck_assert_int_eq(sa_state(a), SA_LIVE);
	ck_assert(ops[1].op == IPSEC_UPDATE && ops[1].set.lifetime_s >= 3640 && ops[1].set.lifetime_s <= 3641);
	after(600000);
	ck_assert_uint_eq(count(IPSEC_DEL), 0);
	b = made("alice", "10.9.0.1", 2000, 6002, 6001, a);
	ck_assert_uint_eq(b->k.mine.port_s, a->k.mine.port_s);		/* the server port stays, the client port changes: §7.4 */
	ck_assert_uint_ne(b->k.mine.port_c, a->k.mine.port_c);
	ck_assert_int_eq(sa_state(a), SA_LIVE);				/* until the answer is accepted */
	sa_confirm(owner, b, 3600);
	ck_assert(sa_state(b) == SA_LIVE && sa_state(a) == SA_OLD && found(a, true));
	after(127999);
	ck_assert_uint_eq(count(IPSEC_DEL), 0);
	after(1);
	ck_assert_uint_eq(count(IPSEC_DEL), 1);				/* 64*T1 */
	ck_assert(!found(a, false) && found(b, true));
	sa_retire(owner, STR("alice"), SA_LEFT);
	ck_assert(found(b, true));					/* a 200 that was lost is sent again */
	after(5000);
	ck_assert_uint_eq(count(IPSEC_DEL), 2);
	ck_assert_uint_eq(sa_count(owner), 0);
	obj_unref(a);
	obj_unref(b);
	end();
}
END_TEST

/* A refresh without a challenge keeps the set and its lifetime grows (handsets row 28). */
START_TEST(test_refresh)
{
	struct sa_set *a;

	begin(1024, 300);
	a = made("alice", "10.9.0.1", 1000, 6000, 6001, NULL);
	sa_confirm(owner, a, 100);
	after(99000);
	sa_confirm(owner, a, 100);
	after(129000);
	ck_assert_uint_eq(count(IPSEC_DEL), 0);
	after(1001);							/* granted time and margin */
	ck_assert_uint_eq(count(IPSEC_DEL), 1);
	obj_unref(a);
	end();
}
END_TEST

/* One live and at most one old set, however often a phone comes (row P5: no pile-up). */
START_TEST(test_no_pile_up)
{
	struct sa_set *s[20], *via = NULL;

	begin(1024, 300);
	for (unsigned i = 0; i < 20; i++) {
		s[i] = made("alice", "10.9.0.1", 1000 + 2 * i, 6010 + i, 6001, via);
		sa_confirm(owner, s[i], 3600);
		via = s[i];
		ck_assert_uint_le(sa_count(owner), 2);
	}
	ck_assert_uint_eq(count(IPSEC_ADD) - count(IPSEC_DEL), 2);
	for (unsigned i = 0; i < 20; i++)
		obj_unref(s[i]);
	end();
}
END_TEST

/* A challenge that nobody answers; a wrong answer (S2: gone within a second, its 403 still leaves by it). */
START_TEST(test_pending_ends)
{
	struct sa_set *a, *b;

	begin(1024, 300);
	a = made("alice", "10.9.0.1", 1000, 6000, 6001, NULL);
	b = made("bob", "10.9.0.2", 1000, 6000, 6001, NULL);
	sa_refuse(owner, b);
	ck_assert(!found(b, true) && found(b, false));
	after(1000);
	ck_assert_uint_eq(count(IPSEC_DEL), 1);
	ck_assert(!found(b, false));
	after(238999);
	ck_assert(found(a, true));
	after(1);
	ck_assert_uint_eq(count(IPSEC_DEL), 2);
	sa_confirm(owner, a, 3600);					/* too late */
	ck_assert_uint_eq(count(IPSEC_UPDATE), 0);
	obj_unref(a);
	obj_unref(b);
	end();
}
END_TEST

/* The phone tries again before it answers: one pending set is left. */
START_TEST(test_tries_again)
{
	struct sa_set *a, *b, *c;

	begin(1024, 300);
	a = made("alice", "10.9.0.1", 1000, 6000, 6001, NULL);
	b = made("alice", "10.9.0.1", 3000, 6002, 6001, NULL);
	ck_assert(!found(a, true) && found(b, true));
	after(1000);
	ck_assert_uint_eq(sa_count(owner), 1);
	c = made("alice", "10.9.0.1", 3000, 6002, 6001, NULL);		/* with the same SPIs: the old one goes first */
	ck_assert(ops[n_ops - 2].op == IPSEC_DEL && ops[n_ops - 1].op == IPSEC_ADD);
	ck_assert_uint_eq(sa_count(owner), 1);
	obj_unref(a);
	obj_unref(b);
	obj_unref(c);
	end();
}
END_TEST

/* F20, SEC-23: the kernel refuses, the helper is silent, gone or full: nothing is left, and the next one works. */
START_TEST(test_kernel_refuses)
{
	static const int errors[] = { -EPERM, -ENOBUFS, -EEXIST, -ETIMEDOUT, -EPIPE };
	struct sa_set *a;

	begin(1024, 0);
	for (unsigned i = 0; i < 2 * sizeof(errors) / sizeof(errors[0]); i++) {
		int rc = errors[i / 2];

		a = wish("alice", "10.9.0.1", 1000, 6000, 6001, NULL);
		refuse_rc = i % 2 ? rc : 0;
		sa_setup(owner, a, on_done, NULL);
		if (!refuse_rc)
			kernel_says(rc);
		refuse_rc = 0;
		ck_assert_int_eq(last_rc, rc);
		ck_assert_uint_eq(n_done, i + 1);
		ck_assert_uint_eq(sa_count(owner), 0);
		ck_assert(!found(a, false));
		obj_unref(a);
	}
	ck_assert_uint_eq(count(IPSEC_DEL), 0);				/* the helper has rolled back: others' are not ours to delete */
	obj_unref(made("alice", "10.9.0.1", 1000, 6000, 6001, NULL));
	end();
}
END_TEST

/* F21: an SPI rests before it is used again; an empty pool refuses. */
START_TEST(test_spis)
{
	struct sa_set *s[33];
	bool seen[64] = { false };
	char name[16], at[20];

	begin(64, 300);
	for (unsigned i = 0; i < 32; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		snprintf(at, sizeof(at), "10.9.1.%u", i + 1);
		s[i] = made(name, at, 1000, 6000, 6001, NULL);
		ck_assert(s[i]->k.mine.spi_c >= 4096 && s[i]->k.mine.spi_s < 4096 + 64);
		ck_assert(!seen[s[i]->k.mine.spi_c - 4096] && !seen[s[i]->k.mine.spi_s - 4096]);
		seen[s[i]->k.mine.spi_c - 4096] = seen[s[i]->k.mine.spi_s - 4096] = true;
		ck_assert_uint_eq(s[i]->k.reqid - 70000, s[i]->k.mine.spi_c - 4096);
	}
	s[32] = wish("late", "10.9.1.99", 1000, 6000, 6001, NULL);
	sa_setup(owner, s[32], on_done, NULL);
	ck_assert_int_eq(last_rc, -ENOSPC);
	sa_retire(owner, STR("u0"), SA_EXPIRED);
	sa_setup(owner, s[32], on_done, NULL);
	ck_assert_int_eq(last_rc, -ENOSPC);				/* quarantine */
	for (unsigned i = 0; i < 33; i++)
		obj_unref(s[i]);
	end();
}
END_TEST

/* What an earlier process gave out and could not be had again: its phone may hold it still. */
START_TEST(test_spis_of_before)
{
	struct sa_set *lost, *s[2];

	begin(4, 300);
	lost = wish("alice", "10.9.0.1", 1000, 6000, 6001, NULL);
	lost->k.mine.spi_c = 4098;
	sa_rest(pool, lost);
	s[0] = made("bob", "10.9.0.2", 1000, 6000, 6001, NULL);
	ck_assert_uint_eq(s[0]->k.mine.spi_c, 4096);
	s[1] = wish("carol", "10.9.0.3", 1000, 6000, 6001, NULL);
	sa_setup(owner, s[1], on_done, NULL);
	ck_assert_int_eq(last_rc, -ENOSPC);
	obj_unref(lost);
	obj_unref(s[0]);
	obj_unref(s[1]);
	end();
}
END_TEST

/* SEC-10: who only asks and never answers gets so many sets and no more; others are served, and he again once some are over. */
START_TEST(test_unproven)
{
	struct sa_set *s[6];
	char name[8], at[20];

	begin(1024, 0);
	cfg.max_pending_per_source = 2;
	cfg.max_pending = 4;
	cfg.n_ports = 12;
	for (unsigned i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		snprintf(at, sizeof(at), "10.9.0.%u", 1 + i / 3);	/* three from the first address, three from the second */
		s[i] = wish(name, at, 1000 + 2 * i, 6000 + i, 6100 + i, NULL);
		sa_setup(owner, s[i], on_done, NULL);
		if (i % 3 == 2) {
			ck_assert_int_eq(last_rc, -EDQUOT);
			continue;
		}
		kernel_says(0);
		ck_assert_int_eq(last_rc, 0);
	}
	obj_unref(s[2]);
	s[2] = wish("third", "10.9.0.3", 3000, 6200, 6201, NULL);
	sa_setup(owner, s[2], on_done, NULL);
	ck_assert_int_eq(last_rc, -EDQUOT);				/* all together */
	sa_confirm(owner, s[0], 3600);					/* one has answered: it counts no more */
	sa_setup(owner, s[2], on_done, NULL);
	kernel_says(0);
	ck_assert_int_eq(last_rc, 0);
	sa_setup(owner, s[5], on_done, NULL);
	ck_assert_int_eq(last_rc, -EDQUOT);
	after(240000);							/* reg-await-auth */
	sa_setup(owner, s[5], on_done, NULL);
	kernel_says(0);
	ck_assert_int_eq(last_rc, 0);
	sa_retire(owner, STR("u0"), SA_EXPIRED);				/* counted out once, not twice */
	ck_assert_uint_eq(sa_count(owner), 1);
	for (unsigned i = 0; i < 6; i++)
		obj_unref(s[i]);
	end();
}
END_TEST

/* Row X5: the same ports of one address, for the same phone or another behind it, never share a pair of ours. */
START_TEST(test_ports_differ)
{
	struct sa_set *s[5];
	char name[8];

	begin(1024, 0);
	for (unsigned i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		s[i] = wish(name, "10.9.0.1", 1000 + 2 * i, 6000, 6001, NULL);
		sa_setup(owner, s[i], on_done, NULL);
		if (i == 4)
			break;
		kernel_says(0);
		for (unsigned k = 0; k < i; k++)
			ck_assert(s[k]->k.mine.port_s != s[i]->k.mine.port_s && s[k]->k.mine.port_c != s[i]->k.mine.port_c);
	}
	ck_assert_int_eq(last_rc, -ENOSPC);
	for (unsigned i = 0; i < 5; i++)
		obj_unref(s[i]);
	end();
}
END_TEST

/* The kernel ended an association by itself: the rest of the set goes too. */
START_TEST(test_expired_in_kernel)
{
	struct sa_set *a;

	begin(1024, 300);
	a = made("alice", "10.9.0.1", 1000, 6000, 6001, NULL);
	sa_confirm(owner, a, 3600);
	port.event(port.u, &(struct ipsec_event){ .spi = 77 });
	ck_assert_uint_eq(sa_count(owner), 1);
	port.event(port.u, &(struct ipsec_event){ .spi = a->k.mine.spi_s });
	ck_assert_uint_eq(sa_count(owner), 0);
	ck_assert_uint_eq(count(IPSEC_DEL), 1);
	obj_unref(a);
	end();
}
END_TEST

/* The phone leaves while the helper works on a set of its: what was made for nobody goes again, and whoever asked for it hears so. */
START_TEST(test_leaves_while_asked)
{
	struct sa_set *a, *b;

	begin(1024, 300);
	a = made("alice", "10.9.0.1", 1000, 6000, 6001, NULL);
	sa_confirm(owner, a, 3600);
	b = wish("alice", "10.9.0.1", 2000, 6002, 6001, a);
	sa_setup(owner, b, on_done, NULL);
	sa_retire(owner, STR("alice"), SA_LEFT);
	ck_assert(sa_state(a) == SA_OLD && sa_state(b) == SA_ENDING);
	if (_i)
		after(5000);						/* the helper is slow */
	kernel_says(0);
	ck_assert_int_eq(last_rc, -ECANCELED);
	ck_assert_int_eq(sa_state(b), SA_ENDING);
	after(5000);
	ck_assert_uint_eq(sa_count(owner), 0);
	ck_assert_uint_eq(count(IPSEC_DEL), 2);
	obj_unref(a);
	obj_unref(b);
	end();
}
END_TEST

/* Its registration runs out, or the network ends it, while it registers again: it lost its radio and is back.  That one's own outcome decides. */
static const enum sa_retire ends[] = { SA_EXPIRED, SA_RELEASED };
START_TEST(test_ends_while_it_registers_again)
{
	struct sa_set *a, *b, *c;

	begin(1024, 300);
	a = made("alice", "10.9.0.1", 1000, 6000, 6001, NULL);
	sa_confirm(owner, a, 600);
	b = made("alice", "10.9.0.1", 2000, 6002, 6001, NULL);
	sa_retire(owner, STR("alice"), ends[_i]);
	ck_assert(sa_state(b) == SA_PENDING && found(b, true));
	after(5000);
	ck_assert(!found(a, false) && sa_count(owner) == 1);
	sa_confirm(owner, b, 600);
	ck_assert_int_eq(sa_state(b), SA_LIVE);
	c = wish("alice", "10.9.0.1", 3000, 6004, 6001, b);
	sa_setup(owner, c, on_done, NULL);
	sa_retire(owner, STR("alice"), ends[_i]);
	kernel_says(0);
	ck_assert(last_rc == 0 && sa_state(c) == SA_PENDING && found(c, true));
	after(5000);
	ck_assert_uint_eq(sa_count(owner), 1);
	obj_unref(a);
	obj_unref(b);
	obj_unref(c);
	end();
}
END_TEST

/* TS 33.203 annex M: the NAT's port is learned, told to the kernel, and known to the next set of that phone. */
START_TEST(test_mapping)
{
	struct sa_set *a, *b;

	begin(1024, 300);
	a = wish("alice", "10.9.0.1", 1000, 6000, 6001, NULL);
	a->k.encap_us = 4500;
	sa_setup(owner, a, on_done, NULL);
	ck_assert(ops[0].set.encap_us == 4500 && ops[0].set.encap_peer == 0);
	kernel_says(0);
	port.event(port.u, &(struct ipsec_event){ .spi = a->k.mine.spi_s, .encap_peer = 1024 });
	ck_assert(n_ops == 2 && ops[1].op == IPSEC_UPDATE && ops[1].set.encap_peer == 1024);
	port.event(port.u, &(struct ipsec_event){ .spi = a->k.mine.spi_s, .encap_peer = 1024 });	/* others told it before the kernel knew */
	ck_assert_uint_eq(n_ops, 2);
	sa_confirm(owner, a, 3600);
	after(1000);
	port.event(port.u, &(struct ipsec_event){ .spi = a->k.mine.spi_c, .encap_peer = 2048 });
	ck_assert(ops[n_ops - 1].op == IPSEC_UPDATE && ops[n_ops - 1].set.encap_peer == 2048 && sa_state(a) == SA_LIVE);
	b = wish("alice", "10.9.0.1", 2000, 6002, 6001, a);
	b->k.encap_us = 4500;
	sa_setup(owner, b, on_done, NULL);
	ck_assert(ops[n_ops - 1].op == IPSEC_ADD && ops[n_ops - 1].set.encap_peer == 2048);
	kernel_says(0);
	obj_unref(a);
	obj_unref(b);
	end();
}
END_TEST

/* A phone that sends from two ports in turn makes an event of each packet: others' associations wait behind what each of them costs. */
START_TEST(test_mapping_flood)
{
	struct sa_set *a, *b;
	unsigned before;

	begin(1024, 300);
	a = wish("alice", "10.9.0.1", 1000, 6000, 6001, NULL);
	b = wish("bob", "10.9.0.2", 1000, 6000, 6001, NULL);
	a->k.encap_us = b->k.encap_us = 4500;
	sa_setup(owner, a, on_done, NULL);
	kernel_says(0);
	sa_setup(owner, b, on_done, NULL);
	kernel_says(0);
	for (unsigned s = 1; s <= 3; s++) {
		before = n_ops;
		for (unsigned i = 0; i < 100; i++)
			port.event(port.u, &(struct ipsec_event){ .spi = a->k.mine.spi_s, .encap_peer = (uint16_t)(1024 + s + i % 2) });
		ck_assert_uint_eq(n_ops - before, 1);
		port.event(port.u, &(struct ipsec_event){ .spi = b->k.mine.spi_s, .encap_peer = (uint16_t)(2000 + s) });
		ck_assert(n_ops - before == 2 && ops[n_ops - 1].set.encap_peer == 2000 + s);	/* the other one's own */
		after(1000);
	}
	obj_unref(a);
	obj_unref(b);
	end();
}
END_TEST

/* Port roles, TS 33.203 §7.1: where a response goes.  came: on which of our ports, and from which of the phone's. */
static const struct { const char *name; enum sip_proto proto; unsigned via_port, want_remote, want_local; } roles[] = {
	{ "UDP, sent-by the server port", SIP_UDP, 6001, 6001, 5120 },
	{ "UDP, rport: back to the client port", SIP_UDP, 6000, 6000, 5100 },
	{ "UDP, sent-by some other port", SIP_UDP, 5060, 6001, 5120 },
	{ "TCP, when its connection has gone", SIP_TCP, 6001, 6001, 5120 },
};

START_TEST(test_role_row)
{
	struct sa_set *s = wish("alice", "10.9.0.1", 1000, 6000, 6001, NULL);
	struct sip_flow came, to;

	s->k.mine = (struct ipsec_end){ 1, 2, 5120, 5100 };
	came = flow(s, true);
	came.proto = roles[_i].proto;
	to = came;
	addr_set_port(&to.remote, (uint16_t)roles[_i].via_port);
	ports_response(s, &came, &to);
	ck_assert_msg(addr_port(&to.remote) == roles[_i].want_remote && addr_port(&to.local) == roles[_i].want_local, "%s: %u from %u",
		      roles[_i].name, addr_port(&to.remote), addr_port(&to.local));
	ports_to_phone(s, roles[_i].proto, &to);
	ck_assert(addr_port(&to.remote) == 6001 && addr_port(&to.local) == 5120 && to.proto == roles[_i].proto && !to.conn);
	obj_unref(s);
}
END_TEST

TEST_MAIN("sa", TEST_ONE(test_life), TEST_ONE(test_refresh), TEST_ONE(test_no_pile_up), TEST_ONE(test_pending_ends),
	  TEST_ONE(test_tries_again), TEST_ONE(test_kernel_refuses), TEST_ONE(test_spis), TEST_ONE(test_spis_of_before), TEST_ONE(test_ports_differ), TEST_ONE(test_unproven),
	  TEST_ONE(test_expired_in_kernel), TEST_ONE(test_mapping), TEST_ONE(test_mapping_flood), TEST_ROWS(test_leaves_while_asked, ends), TEST_ROWS(test_ends_while_it_registers_again, ends),
	  TEST_ROWS(test_role_row, roles))
