/* tests/icscf/fixture.c - see fixture.h. */
#include "common/transaction/refuse.h"
#include "tests/icscf/fixture.h"

static struct fixture *the_fixture;

/* ---- stand-ins: the HSS ---- */

static struct hss_request *request_new(void)
{
	struct fixture *f = the_fixture;
	struct hss_request *q;

	if (f->hss_full)
		return NULL;
	ck_assert_uint_lt(f->n_hss, HSS_MAX);
	q = &f->hss[f->n_hss++];
	*q = (struct hss_request){ .id = f->n_hss, .open = true };
	return q;
}

uint64_t cx_uar_send(struct dia_client *c, const struct cx_uar *r, cx_uaa_fn fn, void *arg)
{
	struct hss_request *q = request_new();

	(void)c;
	if (!q)
		return 0;
	ck_assert(str_copy(r->impi, q->impi, sizeof(q->impi)) && str_copy(r->impu, q->impu, sizeof(q->impu)) &&
		  str_copy(r->visited_network, q->visited, sizeof(q->visited)));
	q->type = r->type;
	q->flags = r->flags;
	q->fn = (void (*)(void))fn;
	q->arg = arg;
	return q->id;
}

uint64_t cx_lir_send(struct dia_client *c, const struct cx_lir *r, cx_lia_fn fn, void *arg)
{
	struct hss_request *q = request_new();

	(void)c;
	if (!q)
		return 0;
	ck_assert(str_copy(r->impu, q->impu, sizeof(q->impu)));
	q->lir = true;
	q->originating = r->originating;
	q->priority = r->session_priority;
	q->fn = (void (*)(void))fn;
	q->arg = arg;
	return q->id;
}

void dia_client_cancel(struct dia_client *c, uint64_t request)
{
	(void)c;
	ck_assert_uint_le(request, the_fixture->n_hss);
	the_fixture->hss[request - 1].open = false;
}

struct hss_request *fixture_asked(struct fixture *f, unsigned i)
{
	ck_assert_msg(i < f->n_hss, "the HSS was asked %u times", f->n_hss);
	return &f->hss[i];
}

static struct hss_request *answered(struct fixture *f, unsigned i, bool lir)
{
	struct hss_request *q = fixture_asked(f, i);

	ck_assert(q->lir == lir);
	ck_assert_msg(q->open, "request %u is not open", i);
	q->open = false;
	return q;
}

void fixture_uaa(struct fixture *f, unsigned i, const struct cx_uaa *a)
{
	struct hss_request *q = answered(f, i, false);

	((cx_uaa_fn)q->fn)(q->arg, a);
}

void fixture_lia(struct fixture *f, unsigned i, const struct cx_lia *a)
{
	struct hss_request *q = answered(f, i, true);

	((cx_lia_fn)q->fn)(q->arg, a);
}

/* ---- stand-ins: the stack ---- */

bool stack_is_self(const struct stack *s, const struct sip_uri *uri)
{
	(void)s;
	return str_ieq_c(uri->host, "self") || str_eq_c(uri->host, "10.9.9.9");
}

bool stack_is_home_domain(const struct stack *s, struct str host)
{
	(void)s;
	return str_ieq_c(host, "home") || str_ieq_c(host, "alias");
}

/* Dry runs begin at REST, which is not here: tests/integration/cscfctl.sh has them. */
void stack_ask(struct stack *s, struct http_req *r, struct worker *w, struct str key, void (*fn)(struct worker *w, struct ask *a))
{
	(void)s, (void)r, (void)w, (void)key, (void)fn;
	abort();
}

struct worker *stack_worker(struct stack *s, unsigned i)
{
	(void)s, (void)i;
	abort();
}

struct str stack_sip_name(const struct stack *s)
{
	(void)s;
	return STR("self:4060");
}

struct str stack_home_domain(const struct stack *s)
{
	(void)s;
	return STR("home");
}

void ask_done(struct ask *a)
{
	(void)a;
	abort();
}

/* ---- life ---- */

static void on_request(struct rig *r, struct tx_server *st, struct sip_msg *m)
{
	icscf_request(&container_of(r, struct fixture, r)->w, st, m);
}

static void on_ack(struct rig *r, struct sip_msg *m)
{
	icscf_ack(&container_of(r, struct fixture, r)->w, m);
}

static struct cfg *read_config(const char *yaml)
{
	static const struct cfg_row *const schemas[] = { cfg_common_schema, icscf_schema, NULL };
	struct cfg *c = NULL;
	struct buf text, errors;

	buf_init(&text, 16384);
	buf_init(&errors, 16384);
	buf_printf(&text, "domain: home\nplmn: {mcc: \"001\", mnc: \"01\"}\nsip: {listen: [\"udp:127.0.33.1:4060\"]}\n%s", yaml);
	ck_assert_msg(cfg_load_text(buf_str(&text), "test", schemas, &c, &errors) == 0, "%.*s", STR_ARG(buf_str(&errors)));
	icscf_config_check(c, &errors);
	ck_assert_msg(errors.l == 0, "%.*s", STR_ARG(buf_str(&errors)));
	buf_fini(&text);
	buf_fini(&errors);
	return c;
}

void fixture_init(struct fixture *f, const char *yaml)
{
	memset(f, 0, sizeof(*f));
	the_fixture = f;
	rig_init(&f->r);
	tx_layer_set_agent(f->r.tx, &(const struct tx_agent){ .name = STR("icscf.example:4060"), .fe = "i-cscf" });
	f->r.request = on_request;
	f->r.ack = on_ack;
	f->cfg = read_config(yaml);
	ck_assert_int_eq(icscf_new(&f->i, f->cfg), 0);
	f->iw = (struct icscf_worker){ f->i, &f->w };
	f->w = (struct worker){ .wheel = &f->r.w, .tx = f->r.tx, .proxy = f->r.pl, .role = &f->iw };
}

void fixture_fini(struct fixture *f)
{
	rig_fini(&f->r);			/* frees what is in progress: nothing stays open at the HSS */
	for (unsigned n = 0; n < f->n_hss; n++)
		ck_assert_msg(!f->hss[n].open, "request %u outlived its transaction", n);
	icscf_free(f->i);
	cfg_unref(f->cfg);
}

void fixture_register(struct fixture *f, const char *extra)
{
	char text[4096];

	snprintf(text, sizeof(text), "REGISTER sip:home SIP/2.0\nVia: SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bKup\nMax-Forwards: 70\n"
		 "From: <sip:alice@home>;tag=A\nTo: <sip:alice@home>\nCall-ID: call\nCSeq: 7 REGISTER\n%s", extra);
	rig_in(&f->r, text);
}

struct str fixture_up_header(struct fixture *f, enum sip_hdr_id id)
{
	struct sip_msg *m = rig_last_up(&f->r);

	ck_assert_ptr_nonnull(m);
	return sip_msg_value(m, id);
}
