/* tests/scscf/test_share.c - a registration that another instance writes, too: rows H1, H6; reliability F15.  The other one is the test. */
#include "common/proxy/uac.h"
#include "common/store/private.h"
#include "scscf/keep.h"
#include "tests/scscf/reg_rig.h"

#define XML_WITH_AS "<IMSSubscription><PrivateID>" RIG_IMPI "</PrivateID><ServiceProfile>" \
	"<PublicIdentity><Identity>" RIG_IMPU "</Identity></PublicIdentity><InitialFilterCriteria><Priority>1</Priority>" \
	"<ApplicationServer><ServerName>sip:10.0.0.60</ServerName></ApplicationServer></InitialFilterCriteria></ServiceProfile></IMSSubscription>"

static char dir[64];
static struct reg_rig r;
static struct rig_phone p;
static struct store *store;

/* ---- the shared store ---- */

static const struct store_shared_ops *role;
static char written[8192];		/* our last record */
static size_t written_l;
static unsigned n_written, n_fetched;
static uint64_t version;
static enum { FETCH_NOT_BEGUN, FETCH_AWAY, FETCH_NOTHING_NEWER, FETCH_REFRESHED, FETCH_SILENT } fetch;
static store_fetch_fn silent_fn;		/* FETCH_SILENT: whom to tell, later */
static void *silent_arg;

bool __wrap_store_is_shared(const struct store *s);
void __wrap_store_share(struct store *s, const struct store_shared_ops *ops, void *u);
int __wrap_store_fetch(struct store *s, enum store_table table, struct str key, store_fetch_fn fn, void *arg);
int __real_store_put(struct store_port *port, enum store_table table, struct str key, struct str value, uint64_t expires_ms);
int __wrap_store_put(struct store_port *port, enum store_table table, struct str key, struct str value, uint64_t expires_ms);

bool __wrap_store_is_shared(const struct store *s)
{
	return s != NULL;
}

void __wrap_store_share(struct store *s, const struct store_shared_ops *ops, void *u)
{
	(void)s;
	(void)u;
	role = ops;
}

int __wrap_store_put(struct store_port *port, enum store_table table, struct str key, struct str value, uint64_t expires_ms)
{
	if (table == STORE_REGISTRATION && value.l <= sizeof(written)) {
		memcpy(written, value.p, value.l);
		written_l = value.l;
		n_written++;
	}
	return __real_store_put(port, table, key, value, expires_ms);
}

struct theirs {
	uint32_t expires_s;
	int later, told;		/* how many REGISTERs after ours, of the phone and to application servers */
	const char *call_id;		/* NULL: the same */
	bool conflict;
};

/* What we wrote last, as the other instance has it after a refresh. */
static void peer_writes(struct theirs t)
{
	struct store_remote out = { .table = STORE_REGISTRATION, .key = STR(RIG_IMPI), .their_now_ms = store_now_ms(store), .version = ++version,
				    .conflict = t.conflict };
	struct keep_record *k = malloc(sizeof(*k));
	struct buf b;

	ck_assert_int_eq(keep_record_read(str_make(written, written_l), k), 0);
	k->contact[0].cseq += (uint32_t)t.later;
	k->contact[0].call_id = t.call_id ? str_from_c(t.call_id) : k->contact[0].call_id;
	k->thirdparty_cseq += (uint32_t)t.told;
	out.expires_ms = k->contact[0].expires_ms = out.their_now_ms + (uint64_t)t.expires_s * 1000;
	buf_init(&b, KEEP_MAX_BYTES);
	keep_record_write(k, &b);
	out.value = buf_str(&b);
	store_flush(store);		/* all of ours is known to the writer */
	role->changed(r.s, &out);
	buf_fini(&b);
	free(k);
}

int __wrap_store_fetch(struct store *s, enum store_table table, struct str key, store_fetch_fn fn, void *arg)
{
	(void)s;
	if (fetch == FETCH_NOT_BEGUN)
		return -ENOMEM;
	ck_assert(table == STORE_REGISTRATION && str_eq(key, STR(RIG_IMPI)));
	n_fetched++;
	silent_fn = fn;
	silent_arg = arg;
	if (fetch == FETCH_SILENT)
		return 0;
	if (fetch == FETCH_REFRESHED)
		peer_writes((struct theirs){ .expires_s = 600, .later = 2 });
	fn(arg, fetch == FETCH_AWAY ? -ENOTCONN : 0);
	return 0;
}

/* ---- */

/* ---- the application server ---- */

static struct sip_msg *told;		/* the last REGISTER to it */
static unsigned n_told;

struct uac *__wrap_uac_send(struct proxy_layer *l, struct str text, enum tx_side side, uint32_t wait_ms, uac_fn fn, void *arg);
bool __wrap_uac_stopping(const struct proxy_layer *l);

static struct sip_msg *parse(struct str first, struct str rest)
{
	struct sip_parse_error err;
	struct sip_msg *m;
	struct buf b;

	buf_init(&b, 8192);
	buf_put(&b, first);
	buf_put(&b, rest);
	ck_assert_msg(sip_msg_parse_copy(buf_str(&b), NULL, &m, &err) == 0, "%s\n%.*s", err.why, STR_ARG(buf_str(&b)));
	buf_fini(&b);
	return m;
}

/* It takes it for 100 s at once: before those are over it is told again. */
struct uac *__wrap_uac_send(struct proxy_layer *l, struct str text, enum tx_side side, uint32_t wait_ms, uac_fn fn, void *arg)
{
	static char handle;
	struct sip_msg *m;
	ssize_t line = str_find(text, STR("\r\n"));
	(void)l;
	(void)side;
	(void)wait_ms;

	sip_msg_unref(told);
	told = parse(STR("REGISTER sip:10.0.0.60 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK\r\n"), str_from(text, (size_t)line + 2));
	n_told++;
	m = parse(STR("SIP/2.0 200 OK\r\n"), STR("Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK\r\nFrom: <sip:a>;tag=f\r\nTo: <sip:b>;tag=t\r\nCall-ID: c\r\n"
		  "CSeq: 1 REGISTER\r\nExpires: 100\r\nContent-Length: 0\r\n\r\n"));
	fn(arg, 200, m);
	sip_msg_unref(m);
	return (struct uac *)&handle;
}

bool __wrap_uac_stopping(const struct proxy_layer *l)
{
	(void)l;
	return false;
}

/* ---- */

static void begin_as(const char *xml)
{
	const struct store_config c = { .dir = dir, .max_bytes = 64 << 20, .max_pending_bytes = 1 << 20, .journal_bytes = 65536, .commit_ms = 100 };

	fetch = FETCH_NOT_BEGUN;
	n_written = n_fetched = 0;
	version = 0;
	snprintf(dir, sizeof(dir), "/tmp/cscf-share-XXXXXX");
	ck_assert(mkdtemp(dir));
	rig_init(&r);
	r.xml = xml;
	n_told = 0;
	ck_assert_int_eq(store_open(&store, &c, 1), 0);
	r.worker.w.store = store_port(store, 0);
	ck_assert_int_eq(keep_restore(r.s, &r.stack, store), 0);
	phone_init(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	r.cx[0] = '\0';
}

static void begin(void)
{
	begin_as(RIG_XML);
}

static void end(void)
{
	char command[128];

	rig_fini(&r);
	sip_msg_unref(told);
	told = NULL;
	store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void peer_refreshes(void)
{
	peer_writes((struct theirs){ .expires_s = 600, .later = 2 });
	rig_serve(&r);
	ck_assert(rig_registration(&r)->foreign);
}

/* So long that each time it is tried again. */
static void takeovers(unsigned n)
{
	for (; n; n--) {
		rig_run(&r, 2 * SHARE_TAKEOVER_MS + 1000);
		rig_serve(&r);
	}
}

/* The owner may have refreshed it, and we not heard: it ends only when the store says that there is nothing newer. */
START_TEST(test_not_ended_unasked)
{
	begin();
	peer_refreshes();
	rig_run(&r, 600000);
	takeovers(3);
	ck_assert_str_eq(r.cx, "");		/* nobody could be asked */
	fetch = FETCH_AWAY;
	takeovers(3);
	ck_assert_str_eq(r.cx, "");
	ck_assert(rig_registration(&r) && n_fetched >= 2);
	fetch = FETCH_REFRESHED;
	takeovers(2);
	ck_assert_str_eq(r.cx, "");
	ck_assert(rig_registration(&r)->foreign);
	ck_assert_uint_gt(binding_next_ms(rig_registration(&r)), r.wheel.now_ms + 500000);
	fetch = FETCH_NOTHING_NEWER;
	rig_run(&r, 600000);
	ck_assert_str_eq(r.cx, "");
	takeovers(1);
	ck_assert_str_eq(r.cx, "SAR4 ");	/* TIMEOUT_DEREGISTRATION, TS 29.228 §6.1.2: its owner is gone */
	ck_assert(!rig_registration(&r));
	end();
}
END_TEST

/* RFC 3261 §10.2: the CSeq of one Call-ID rises, whichever instance tells the application server; one of them does, the owner. */
START_TEST(test_cseq_to_servers)
{
	uint32_t cseq;
	char call_id[128];

	begin_as(XML_WITH_AS);
	r.cfg->third_party_min_s = 1;
	ck_assert_uint_eq(n_told, 1);
	cseq = told->cseq;
	str_copy(sip_msg_value(told, SIP_H_CALL_ID), call_id, sizeof(call_id));
	peer_writes((struct theirs){ .expires_s = 600, .later = 2, .told = 3 });
	rig_serve(&r);
	rig_run(&r, 200000);
	ck_assert_uint_eq(n_told, 1);
	p.cseq += 2;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_uint_eq(n_told, 2);
	ck_assert(str_eq_c(sip_msg_value(told, SIP_H_CALL_ID), call_id));
	ck_assert_uint_eq(told->cseq, cseq + 4);
	rig_run(&r, 60000);
	ck_assert_uint_eq(n_told, 3);		/* ours again: the time that it granted counts */
	end();
}
END_TEST

/* Both were refreshed at once, the same contact: the later REGISTER counts (RFC 3261 §10.3 step 7), else who ends later. */
static const struct { const char *name; struct theirs t; bool ours; } conflicts[] = {
	{ "theirs is the later one", { .expires_s = 100, .later = 1 }, false }, { "ours is the later one", { .expires_s = 900, .later = -1 }, true },
	{ "another Call-ID, for longer", { .expires_s = 900, .call_id = "other" }, false },
	{ "another Call-ID, for less", { .expires_s = 100, .call_id = "other" }, true }, { "the same REGISTER", { .expires_s = 600 }, false },
};

START_TEST(test_conflict)
{
	struct theirs t = conflicts[_i].t;
	const struct binding *b;
	unsigned n;

	begin();
	n = n_written;
	t.conflict = true;
	peer_writes(t);
	rig_serve(&r);
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 1);
	b = list_entry(rig_registration(&r)->bindings.next, struct binding, link);
	ck_assert_msg(rig_registration(&r)->foreign == !conflicts[_i].ours, "%s: whose", conflicts[_i].name);
	ck_assert_msg((n_written > n) == conflicts[_i].ours, "%s: written %u times", conflicts[_i].name, n_written - n);
	ck_assert_msg(b->cseq == p.cseq + (conflicts[_i].ours ? 0 : (uint32_t)t.later), "%s: CSeq %u", conflicts[_i].name, b->cseq);
	ck_assert_msg((binding_next_ms(rig_registration(&r)) - r.wheel.now_ms + 500) / 1000 == (conflicts[_i].ours ? 600 : t.expires_s), "%s: the end",
		      conflicts[_i].name);
	end();
}
END_TEST

/* The writer's thread waits for a disk, or for whatever: a REGISTER does not. */
START_TEST(test_look_has_a_deadline)
{
	unsigned before;

	begin();
	fetch = FETCH_SILENT;
	before = r.n_responses;
	phone_begin(&p);
	phone_send(&r, &p);
	rig_run(&r, SHARE_LOOK_MS - 200);
	ck_assert_uint_eq(r.n_responses, before);
	rig_run(&r, 400);
	ck_assert_uint_eq(r.n_responses, before + 1);
	silent_fn(silent_arg, 0);		/* too late */
	rig_serve(&r);
	ck_assert_uint_eq(r.n_responses, before + 1);
	end();
}
END_TEST

START_TEST(test_look_in_time)
{
	unsigned before;

	begin();
	fetch = FETCH_SILENT;
	before = r.n_responses;
	phone_begin(&p);
	phone_send(&r, &p);
	silent_fn(silent_arg, 0);
	rig_serve(&r);
	ck_assert_uint_eq(r.n_responses, before + 1);
	rig_run(&r, 3 * SHARE_LOOK_MS);		/* the deadline finds nothing to do */
	ck_assert_uint_eq(r.n_responses, before + 1);
	end();
}
END_TEST

static void nothing(void *arg)
{
	(void)arg;
}

/* The store has answered, and the owner's mailbox is full: the REGISTER goes on when its time is over. */
START_TEST(test_look_and_a_full_mailbox)
{
	unsigned before;

	begin();
	fetch = FETCH_SILENT;
	before = r.n_responses;
	phone_begin(&p);
	phone_send(&r, &p);
	while (loop_post(r.worker.w.loop, nothing, NULL) == 0)
		;
	silent_fn(silent_arg, 0);
	while (loop_post(r.worker.w.loop, nothing, NULL) < 0)
		loop_run_for(r.worker.w.loop, 1);
	rig_serve(&r);
	ck_assert_uint_eq(r.n_responses, before);
	rig_run(&r, 2 * SHARE_LOOK_MS);
	ck_assert_uint_eq(r.n_responses, before + 1);
	end();
}
END_TEST

START_TEST(test_look_when_we_stop)
{
	begin();
	fetch = FETCH_SILENT;
	phone_begin(&p);
	phone_send(&r, &p);
	end();
	silent_fn(silent_arg, -ESHUTDOWN);
}
END_TEST

TEST_MAIN("share", TEST_ONE(test_not_ended_unasked), TEST_ONE(test_cseq_to_servers), TEST_ROWS(test_conflict, conflicts), TEST_ONE(test_look_has_a_deadline),
	  TEST_ONE(test_look_in_time), TEST_ONE(test_look_and_a_full_mailbox), TEST_ONE(test_look_when_we_stop))
