/* tests/scscf/rig.c - see rig.h. */
#include <stdlib.h>
#include <string.h>
#include "scscf/keep.h"
#include "tests/scscf/rig.h"

static struct token_key key = { "0123456789abcde" };

/* ---- the stack that is not there ---- */

const struct token_key *stack_token_key(const struct stack *s)
{
	(void)s;
	return &key;
}

struct str stack_home_domain(const struct stack *s)
{
	(void)s;
	return STR(RIG_DOMAIN);
}

bool stack_is_home_domain(const struct stack *s, struct str host)
{
	(void)s;
	return str_ieq_c(host, RIG_DOMAIN) || str_ieq_c(host, "alias.example");
}

struct str stack_sip_name(const struct stack *s)
{
	(void)s;
	return STR(RIG_NAME);
}

bool stack_is_self(const struct stack *s, const struct sip_uri *uri)
{
	(void)s;
	return (str_ieq_c(uri->host, "scscf.home.example") && (uri->port == 6060 || uri->port == 0)) ||
	       (str_eq_c(uri->host, "10.9.9.9") && uri->port == 6060);
}

static bool is_self(void *u, const struct sip_uri *uri)
{
	(void)u;
	return stack_is_self(NULL, uri);
}

void scscf_register(struct scscf_worker *sw, struct tx_server *st, struct sip_msg *m)
{
	struct rig *r = (struct rig *)((char *)sw - offsetof(struct rig, sw));
	(void)m;

	r->registers++;
	tx_server_reply(st, 200, NULL, STR_NONE);
}

bool unregistered_fetch(struct scscf_worker *sw, struct session_in *in, struct str aor)
{
	struct rig *r = (struct rig *)((char *)sw - offsetof(struct rig, sw));

	if (in->again)
		return false;
	r->fetches++;
	str_copy(aor, r->fetched, sizeof(r->fetched));
	return r->fetch_waits;
}

bool unregistered_restore(struct scscf_worker *sw, struct session_in *in, struct str aor, uint64_t id)
{
	struct rig *r = (struct rig *)((char *)sw - offsetof(struct rig, sw));

	r->restores++;
	r->restored_id = id;
	return unregistered_fetch(sw, in, aor);
}

/* ---- names ---- */

static bool name_known(struct str host, char text[16])
{
	if (str_ieq_c(host, RIG_DOMAIN))
		strcpy(text, "10.0.0.20");
	else if (str_eq_c(host, "foreign.example"))
		strcpy(text, "10.0.0.50");
	else if (str_eq_c(host, "gw.example"))
		strcpy(text, "10.0.0.60");
	else if (host.l == 15 && host.p[0] == 'p' && str_ieq_c(str_from(host, 2), ".home.example"))
		snprintf(text, 16, "10.0.0.%c", host.p[1]);
	else if (host.l < 16 && host.p[0] >= '0' && host.p[0] <= '9')
		str_copy(host, text, 16);
	else
		return false;
	return true;
}

struct resolver_query *resolver_lookup(struct resolver *rs, const struct sip_uri *uri, resolver_fn fn, void *arg)
{
	struct resolver_result res = { .err = -ENOENT, .why = "no such name" };
	char text[16];
	(void)rs;

	if (name_known(uri->host, text)) {
		res = (struct resolver_result){ .n = 1 };
		ck_assert_int_eq(addr_parse(str_from_c(text), uri->port ? uri->port : 5060, &res.target[0].remote), 0);
	}
	fn(arg, &res);
	return NULL;
}

struct resolver_query *resolver_lookup_watched(struct resolver *rs, const struct sip_uri *uri, const struct resolver_watch *w, resolver_fn fn,
					       void *arg)
{
	(void)w;
	return resolver_lookup(rs, uri, fn, arg);
}

void resolver_cancel(struct resolver_query *q)
{
	struct rig *r = (struct rig *)q;		/* only ENUM ever waits here */

	ck_assert(r && r->enum_fn);
	r->enum_fn = NULL;
	r->enum_cancelled++;
}

static void enum_put(struct enum_result *res, const char *uri, bool pstn)
{
	if (!uri)
		return;
	res->uri[res->n].pstn = pstn;
	snprintf(res->uri[res->n++].text, ENUM_URI_MAX, "%s", uri);
}

static void enum_answer(const struct rig_enum *e, enum_fn fn, void *arg)
{
	struct enum_result res = { 0 };

	if (e) {
		enum_put(&res, e->sip, false);
		enum_put(&res, e->pstn, true);
	}
	if (res.n == 0) {
		res.err = -ENOENT;
		res.why = "no such number";
	}
	fn(arg, &res);
}

void rig_enum_answer(struct rig *r, unsigned i)
{
	enum_fn fn = r->enum_fn;

	ck_assert_ptr_nonnull(r->enum_fn);
	r->enum_fn = NULL;
	enum_answer(&r->enums[i], fn, r->enum_arg);
}

struct resolver_query *enum_lookup(struct resolver *rs, struct str number, struct str suffix, enum_fn fn, void *arg)
{
	struct rig *r = (struct rig *)rs;
	const struct rig_enum *e = r->enums;

	ck_assert(str_eq_c(suffix, "e164.test"));
	r->enum_asked++;
	if (r->enum_waits) {
		r->enum_fn = fn;
		r->enum_arg = arg;
		return (struct resolver_query *)r;
	}
	while (e->number && !str_eq_c(number, e->number))
		e++;
	enum_answer(e->number ? e : NULL, fn, arg);
	return NULL;
}

struct resolver_query *enum_lookup_watched(struct resolver *rs, struct str number, struct str suffix, const struct resolver_watch *w,
					   enum_fn fn, void *arg)
{
	(void)w;
	return enum_lookup(rs, number, suffix, fn, arg);
}

void resolver_target_failed(struct resolver *rs, const struct sip_flow *t, uint32_t hold_s)
{
	(void)rs, (void)t, (void)hold_s;
}

/* ---- wire ---- */

static int send_fn(void *u, const struct sip_flow *to, struct bytes *wire)
{
	struct rig *r = u;
	struct sip_parse_error err;

	for (unsigned n = 0; n < r->n; n++)
		if (r->sent[n].wire == wire)
			return 0;
	ck_assert_uint_lt(r->n, RIG_MAX_SENT);
	r->sent[r->n].wire = bytes_ref(wire);
	r->sent[r->n].to = *to;
	ck_assert_msg(sip_msg_parse_copy(bytes_str(wire), NULL, &r->sent[r->n].m, &err) == 0, "what we sent: %s\n%.*s",
		      err.why, STR_ARG(bytes_str(wire)));
	r->n++;
	return 0;
}

static int tx_send(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	(void)origin;
	return send_fn(u, to, wire);
}

static int local_for(void *u, const struct sip_flow *to, struct addr *ret)
{
	(void)u, (void)to;
	return addr_parse(STR("10.9.9.9"), 6060, ret);
}

static void on_request(void *u, struct tx_server *st, struct sip_msg *m)
{
	struct rig *r = u;

	dialog_table_request(r->w.dialogs, m, 0, STR_NONE);
	scscf_request(&r->w, st, m);
}

static void on_observe(void *u, bool sent, const struct sip_flow *flow, struct str wire, const struct sip_msg *m)
{
	struct rig *r = u;

	(void)sent, (void)flow, (void)wire;
	if (m && !m->request)
		dialog_table_response(r->w.dialogs, m, 0);
}

static void on_invite_final(void *u, const struct sip_msg *invite, unsigned status)
{
	struct rig *r = u;

	dialog_table_final(r->w.dialogs, invite, status);
}

static void on_ack(void *u, struct sip_msg *m)
{
	struct rig *r = u;

	scscf_ack(&r->w, m);
}

static void on_cancel(void *u, struct tx_server *invite, struct sip_msg *cancel)
{
	(void)u;
	if (proxy_of(invite))
		proxy_cancel(proxy_of(invite), cancel);
}

static const struct tx_ops transaction_ops = { .send = tx_send, .request = on_request, .ack = on_ack, .cancel = on_cancel,
					      .observe = on_observe, .invite_final = on_invite_final };

/* ---- life ---- */

static void sessions_load(struct rig *r, const char *text)
{
	static const struct cfg_row *const schemas[] = { cfg_common_schema, scscf_session_schema, NULL };
	struct buf yaml, err;

	buf_init(&yaml, 8192);
	buf_init(&err, 8192);
	buf_printf(&yaml, "plmn: {mcc: \"001\", mnc: \"01\"}\nsip: {listen: [\"udp:127.0.32.1:6060\"]}\nsessions: %s\n", text);
	ck_assert_msg(cfg_load_text(buf_str(&yaml), "test", schemas, &r->cfg, &err) == 0, "%.*s", STR_ARG(buf_str(&err)));
	session_config_check(r->cfg, &err);
	ck_assert_msg(err.l == 0, "%.*s", STR_ARG(buf_str(&err)));
	ck_assert_int_eq(session_config_new(r->cfg, &r->sessions), 0);
	buf_fini(&yaml);
	buf_fini(&err);
}

void rig_init(struct rig *r, const char *sessions)
{
	struct proxy_env env = { .local_for = local_for, .is_self = is_self, .send = send_fn, .u = r };

	*r = (struct rig){ 0 };
	wheel_init(&r->wheel, 1000);
	if (sessions)
		sessions_load(r, sessions);
	r->s = (struct scscf){ .dir = reg_directory_new(), .sessions = r->sessions, .criteria = criteria_store_new(),
				.as_calls = cmap_new() };
	ck_assert_ptr_nonnull(r->s.dir);
	r->sw = (struct scscf_worker){ .s = &r->s, .w = &r->w };
	list_init(&r->sw.invites);
	ck_assert_int_eq(legs_new(&r->sw), 0);
	r->w.role = &r->sw;
	r->reg = (struct reg_config){ .subscription_min_s = 60, .subscription_max_s = 7200, .notify_refresh = true };
	r->s.reg = &r->reg;
	r->s.watch = watch_index_new();
	r->sw.subscriptions = subscriptions_new(&r->sw);
	ck_assert(r->s.watch && r->sw.subscriptions);
	r->w.wheel = &r->wheel;
	r->w.resolver = (struct resolver *)r;		/* see resolver_lookup() above */
	r->w.dialogs = dialog_table_new(&r->wheel, 100, 3600);
	r->s.session_counts = cmap_new();
	ck_assert(r->w.dialogs && r->s.session_counts);
	r->w.tx = tx_layer_new(&r->wheel, &transaction_ops, r, 0);
	tx_layer_set_agent(r->w.tx, &(const struct tx_agent){ .name = STR(RIG_NAME), .fe = "s-cscf" });
	env.tx = r->w.tx;
	env.wheel = &r->wheel;
	env.timer_c_ms = 185000;
	r->w.proxy = proxy_layer_new(&env);
	ck_assert_ptr_nonnull(r->w.proxy);
}

void rig_fini(struct rig *r)
{
	proxy_layer_free(r->w.proxy);
	tx_layer_free(r->w.tx);
	dialog_table_free(r->w.dialogs);
	legs_free(&r->sw);
	ck_assert_uint_eq(cmap_count(r->s.session_counts), 0);		/* every place was given back */
	cmap_free(r->s.session_counts);
	subscriptions_free(r->sw.subscriptions);
	watch_index_free(r->s.watch);
	reg_directory_free(r->s.dir);
	cmap_free(r->s.as_calls);
	criteria_store_free(r->s.criteria);
	session_config_free(r->sessions);
	cfg_unref(r->cfg);
	for (unsigned i = 0; i < r->n; i++) {
		sip_msg_unref(r->sent[i].m);
		bytes_unref(r->sent[i].wire);
	}
}

void rig_run(struct rig *r, uint64_t ms)
{
	wheel_advance(&r->wheel, r->wheel.now_ms + ms);
}

/* ---- users ---- */

#define IDENTITY(uri, more) "<PublicIdentity><Identity>" uri "</Identity>" more "</PublicIdentity>"
#define BARRED "<BarringIndication>1</BarringIndication>"
#define GROUP(n) "<Extension><Extension><Extension><AliasIdentityGroupID>" n "</AliasIdentityGroupID></Extension></Extension></Extension>"
#define NAMED(n) "<Extension><Extension><DisplayName>" n "</DisplayName></Extension></Extension>"

static struct user {
	uint64_t id;
	const char *identities;
	struct { char uri[64], path[2][64]; unsigned q; bool expired; } contact[2];
} users[] = {
	{ ID_ALICE, IDENTITY("sip:alice-imsi@home.example", BARRED) IDENTITY("sip:alice@home.example", NAMED("Alice \"A\"") GROUP("1"))
	  IDENTITY("sip:+4930111@home.example", GROUP("2")) IDENTITY("tel:+4930111", GROUP("2")),
	  { { "sip:alice@10.8.0.1:5066", { "<sip:PA@p1.home.example;lr>" }, 0, false } } },
	{ ID_BOB, IDENTITY("sip:bob@home.example", "") IDENTITY("sip:+4930222@home.example", "") IDENTITY("tel:+4930222", ""),
	  { { "sip:bob@10.8.0.2:5066?Subject=x", { "<sip:PB@p2.home.example;lr>" }, 500, false },
	    { "sip:bob@10.8.0.3:5066;transport=tcp", { "<sip:PC@p3.home.example;lr>", "<sip:edge@10.8.1.1;lr>" }, 500, false } } },
	{ ID_CAROL, IDENTITY("sip:carol@home.example", ""), { { "", { "" }, 0, false } } },
	{ ID_GINA, IDENTITY("sip:gina@home.example", ""), { { "sip:gina@10.8.0.8", { "<sip:PH@p8.home.example;lr>" }, 0, true } } },
	{ ID_DAVE, IDENTITY("sip:dave@home.example", BARRED) IDENTITY("sip:dave2@home.example", ""),
	  { { "sip:dave@10.8.0.4", { "<sip:PD@p4.home.example;lr>" }, 0, false } } },
	{ ID_ERIN, IDENTITY("tel:1001", "") IDENTITY("sip:1001@home.example", ""),
	  { { "sip:erin@10.8.0.5", { "<sip:PE@p5.home.example;lr>" }, 1000, false },
	    { "sip:erin@10.8.0.6", { "<sip:PF@p6.home.example;lr>" }, 100, false } } },
	{ ID_FRED, IDENTITY("sip:fred@home.example", BARRED), { { "sip:fred@10.8.0.7", { "<sip:PG@p7.home.example;lr>" }, 0, false } } },
};

void rig_phones(struct rig *r, uint64_t id, const char *service, unsigned n, const struct reg_contact_view *contacts)
{
	struct reg_view *v;
	struct profile *p;
	char xml[16384], why[160];

	snprintf(xml, sizeof(xml), "<IMSSubscription><PrivateID>%llx@home.example</PrivateID><ServiceProfile>%s</ServiceProfile>"
		 "</IMSSubscription>", (unsigned long long)id, service);
	ck_assert_msg(profile_parse(str_from_c(xml), r->s.criteria, &p, why) == 0, "%s", why);
	v = reg_view_new(id, str_from_c(p->impi), p, r->pcfa, n, contacts);
	ck_assert_ptr_nonnull(v);
	v->emergency = r->emergency;
	ck_assert_int_eq(reg_directory_publish(r->s.dir, v), 0);
	obj_unref(v);
	obj_unref(p);
}

static void publish(struct rig *r, struct user *u)
{
	static char none[1];
	char *path[2][2];
	struct reg_contact_view contacts[2];
	unsigned n = 0;

	for (; n < 2 && u->contact[n].uri[0]; n++) {
		path[n][0] = u->contact[n].path[0];
		path[n][1] = u->contact[n].path[1];
		contacts[n] = (struct reg_contact_view){ .uri = u->contact[n].uri, .params = none, .path = path[n],
							 .n_path = u->contact[n].path[1][0] ? 2 : 1, .q = u->contact[n].q & 0x7fff, .home = !r->roaming,
							 .expires_wall_us = u->contact[n].expired ? 1 : UINT64_MAX };
	}
	rig_phones(r, u->id, u->identities, n, contacts);
}

void rig_user(struct rig *r, uint64_t id, const char *service, const char *contact)
{
	char none[1] = "", path[] = "<sip:PX@p9.home.example;lr>", uri[128], *paths[] = { path };
	struct reg_contact_view c = { .uri = uri, .params = none, .path = paths, .n_path = 1, .home = !r->roaming, .expires_wall_us = UINT64_MAX };

	snprintf(uri, sizeof(uri), "%s", contact ? contact : "");
	rig_phones(r, id, service, contact ? 1 : 0, &c);
}

void rig_user_contacts(struct rig *r, uint64_t id, const char *service, unsigned n, const struct rig_contact *contacts)
{
	char path[8][64], uri[8][64], params[8][512], *paths[8];
	struct reg_contact_view c[8];
	struct str reg_id;
	uint32_t number;

	ck_assert_uint_le(n, 8);
	for (unsigned i = 0; i < n; i++) {
		snprintf(path[i], sizeof(path[i]), "<sip:P@p%u.home.example;lr>", i + 1);
		snprintf(uri[i], sizeof(uri[i]), "sip:phone@10.8.0.%u", i + 1);
		snprintf(params[i], sizeof(params[i]), "%s", contacts[i].params);
		paths[i] = path[i];
		c[i] = (struct reg_contact_view){ .uri = uri[i], .params = params[i], .path = &paths[i], .n_path = 1,
						  .q = (uint16_t)contacts[i].q, .expires_wall_us = UINT64_MAX };
		if (sip_param_get(str_from_c(params[i]), "reg-id", &reg_id) && str_to_u32(reg_id, &number) == 0)
			c[i].reg_id = number;
	}
	rig_phones(r, id, service, n, c);
}

void rig_users(struct rig *r)
{
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		publish(r, &users[i]);
}

const char *rig_route(struct rig *r, enum token_kind kind, uint8_t flags, uint64_t id)
{
	static char text[4][128];
	static unsigned turn;
	const struct token t = { .kind = (uint8_t)kind, .flags = flags, .id = id };
	char token[TOKEN_STRLEN], *dst = text[turn++ % 4];
	(void)r;

	token_make(&key, &t, token);
	snprintf(dst, 128, "<sip:%s@" RIG_NAME ";lr>", token);
	return dst;
}

/* ---- the test's side ---- */

static void input(struct rig *r, struct str raw, const char *from)
{
	struct sip_flow flow = { .proto = SIP_UDP };
	struct sip_parse_error err;
	struct sip_msg *m;

	ck_assert_int_eq(addr_parse(str_from_c(from), 5060, &flow.remote), 0);
	ck_assert_msg(sip_msg_parse_copy(raw, &flow, &m, &err) == 0, "test message: %s\n%.*s", err.why, STR_ARG(raw));
	tx_input(r->w.tx, m);
	sip_msg_unref(m);
}

static void input_text(struct rig *r, const char *text)
{
	struct buf b;

	buf_init(&b, 65000);
	for (; *text; text++) {
		if (*text == '\n')
			buf_putc(&b, '\r');
		buf_putc(&b, *text);
	}
	buf_puts(&b, "Content-Length: 0\r\n\r\n");
	ck_assert(!b.failed);
	input(r, buf_str(&b), r->from_ip ? r->from_ip : "10.1.1.1");
	buf_fini(&b);
}

void rig_request(struct rig *r, const char *method, const char *ruri, const char *to_tag, const char *extra)
{
	char text[8192];

	snprintf(text, sizeof(text), "%s %s SIP/2.0\nVia: SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bKup%u%s\n%s"
		 "From: <sip:somebody@else.example>;tag=A\nTo: <sip:bob@home.example>%s%s\nCall-ID: call\nCSeq: %u %s\n%s",
		 method, ruri, r->turn, method, extra && strstr(extra, "Max-Forwards") ? "" : "Max-Forwards: 70\n",
		 to_tag ? ";tag=" : "", to_tag ? to_tag : "", 7 + r->cseq, method, extra ? extra : "");
	input_text(r, text);
}

void rig_raw(struct rig *r, const char *text)
{
	input_text(r, text);
}

void rig_cancel(struct rig *r, const char *ruri)
{
	char text[1024];

	snprintf(text, sizeof(text), "CANCEL %s SIP/2.0\nVia: SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bKup%uINVITE\n"
		 "Max-Forwards: 70\nFrom: <sip:somebody@else.example>;tag=A\nTo: <sip:bob@home.example>\nCall-ID: call\n"
		 "CSeq: 7 CANCEL\nReason: SIP;cause=26;text=\"x\"\n", ruri, r->turn);
	input_text(r, text);
}

void rig_return(struct rig *r, const struct rig_sent *got, const char *ruri, const char *call_id)
{
	static unsigned turn;
	struct bytes *wire;
	char host[ADDR_STRLEN];
	struct sip_out o;

	ck_assert_ptr_nonnull(got);
	sip_out_init(&o, got->m);
	sip_out_drop_first(&o, SIP_H_ROUTE);
	if (ruri)
		sip_out_set_ruri(&o, str_from_c(ruri));
	if (call_id) {
		sip_out_drop(&o, SIP_H_VIA);
		sip_out_drop(&o, SIP_H_RECORD_ROUTE);
		sip_out_drop(&o, SIP_H_PCV);
		sip_out_set(&o, SIP_H_CALL_ID, str_from_c(call_id));
		sip_out_set(&o, SIP_H_FROM, STR("<sip:somebody@else.example>;tag=b2b"));
	}
	addr_host(&got->to.remote, host);
	sip_out_push(&o, SIP_H_VIA, arena_printf(got->m->arena, "SIP/2.0/UDP %s:5060;branch=z9hG4bKas%u", host, turn++));
	ck_assert_int_eq(sip_out_write(&o, &wire), 0);
	input(r, bytes_str(wire), host);
	bytes_unref(wire);
}

struct rig_sent *rig_req(struct rig *r, const char *method, unsigned i)
{
	for (unsigned n = 0; n < r->n; n++)
		if (r->sent[n].m->request && str_eq_c(r->sent[n].m->method_name, method) && !i--)
			return &r->sent[n];
	return NULL;
}

void rig_reply(struct rig *r, struct rig_sent *to, unsigned status, const char *extra)
{
	struct bytes *wire;
	char host[ADDR_STRLEN];

	ck_assert_ptr_nonnull(to);
	wire = sip_reply_make(to->m, status, NULL, STR("B"), str_from_c(extra), STR_NONE, STR_NONE);
	ck_assert_ptr_nonnull(wire);
	input(r, bytes_str(wire), addr_host(&to->to.remote, host));
	bytes_unref(wire);
}

struct sip_msg *rig_up(struct rig *r)
{
	for (unsigned n = r->n; n-- > 0;)
		if (!r->sent[n].m->request && r->sent[n].m->method != SIP_CANCEL && r->sent[n].m->status != 100)
			return r->sent[n].m;
	return NULL;
}

unsigned rig_status(struct rig *r)
{
	struct sip_msg *m = rig_up(r);

	return m ? m->status : 0;
}

const char *rig_down(struct rig *r)
{
	static char text[4096];
	char addr[ADDR_STRLEN];
	size_t l = 0;

	text[0] = '\0';
	for (unsigned n = 0; n < r->n; n++)
		if (r->sent[n].m->request)
			l += (size_t)snprintf(text + l, sizeof(text) - l, "%s%.*s@%s", l ? " " : "",
					      STR_ARG(r->sent[n].m->method_name), addr_host(&r->sent[n].to.remote, addr));
	return text;
}

const char *rig_hdr(const struct sip_msg *m, enum sip_hdr_id id)
{
	static char text[4][2048];
	static unsigned turn;
	char *dst = text[turn++ % 4];
	struct sip_values it = sip_values(m, id);
	struct str v;
	size_t l = 0;

	dst[0] = '\0';
	while (sip_values_next(&it, &v))
		l += (size_t)snprintf(dst + l, 2048 - l, "%s%.*s", l ? ", " : "", STR_ARG(v));
	return dst;
}

bool rig_has(const struct sip_msg *m, const char *text)
{
	return m && (!text[0] || str_find(m->raw, str_from_c(text)) >= 0);
}

/* ---- the store ---- */

void keep_subscription(const struct subscription *s)
{
	(void)s;
}

void keep_forget_subscription(const struct subscription *s)
{
	(void)s;
}
