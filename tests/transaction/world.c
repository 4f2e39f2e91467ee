/* tests/transaction/world.c - see world.h. */
#include <stdio.h>
#include "tests/transaction/world.h"

#define START_MS 100000u

static int fake_send(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	struct world *w = u;
	struct world_sent *s = &w->sent[w->n_sent];

	if (w->send_rc < 0)
		return w->send_rc;
	ck_assert_uint_lt(w->n_sent, WORLD_MAX_SENT);
	w->n_sent++;
	s->at_ms = world_now(w);
	s->to = *to;
	s->origin = origin;
	str_copy(bytes_str(wire), s->text, sizeof(s->text));
	return 0;
}

static void server_gone(void *user)
{
	struct world *w = user;

	w->n_gone++;
	w->gone_at_ms = world_now(w);
	w->st = NULL;
	if (w->in_gone)
		w->in_gone(w);
}

static void on_request(void *u, struct tx_server *st, struct sip_msg *m)
{
	struct world *w = u;

	ck_assert_ptr_eq(tx_server_request(st), m);
	w->n_request++;
	w->st = st;
	tx_server_set_user(st, w, server_gone);
	if (w->in_request)
		w->in_request(w, st);
}

static void on_ack(void *u, struct sip_msg *m)
{
	struct world *w = u;

	ck_assert_int_eq(m->method, SIP_ACK);
	w->n_ack++;
}

static void on_cancel(void *u, struct tx_server *invite, struct sip_msg *cancel)
{
	struct world *w = u;

	ck_assert_ptr_eq(invite, w->st);
	ck_assert_int_eq(cancel->method, SIP_CANCEL);
	w->n_cancel++;
}

static void on_stray(void *u, struct sip_msg *m)
{
	struct world *w = u;

	ck_assert(!m->request);
	w->n_stray++;
}

static void on_observe(void *u, bool sent, const struct sip_flow *flow, struct str wire, const struct sip_msg *m)
{
	struct world *w = u;

	ck_assert(flow != NULL && wire.l > 0 && (sent || m));
	*(sent ? &w->n_seen_out : &w->n_seen_in) += 1;
}

static const struct tx_ops layer_ops = {
	.send = fake_send, .request = on_request, .ack = on_ack, .cancel = on_cancel, .stray = on_stray, .observe = on_observe,
};

static void on_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	struct world *w = user;

	w->n_response++;
	w->last_status = m->status;
	if (w->in_response)
		w->in_response(w, ct);
}

static void on_failed(void *user, struct tx_client *ct, int err)
{
	struct world *w = user;

	ck_assert_ptr_eq(ct, w->ct);
	w->n_failed++;
	w->last_err = err;
	w->failed_at_ms = world_now(w);
}

static void client_gone(void *user, struct tx_client *ct)
{
	struct world *w = user;

	if (ct == w->ct)
		w->ct = NULL;
	w->n_gone++;
	w->gone_at_ms = world_now(w);
	if (w->in_gone)
		w->in_gone(w);
}

static const struct tx_client_ops client_ops = { on_response, on_failed, client_gone };

static enum tx_side side_of(void *u, const struct sip_flow *from)
{
	struct world *w = u;

	ck_assert(addr_is_set(&from->remote));
	return w->side;
}

void world_init(struct world *w, enum sip_proto proto, enum tx_side side)
{
	memset(w, 0, sizeof(*w));
	w->proto = proto;
	w->side = side;
	wheel_init(&w->wheel, START_MS);
	w->l = tx_layer_new(&w->wheel, &layer_ops, w, 3);
	ck_assert_ptr_nonnull(w->l);
	tx_layer_set_side_fn(w->l, side_of);
}

void world_fini(struct world *w)
{
	tx_layer_free(w->l);
	w->l = NULL;
}

uint64_t world_now(const struct world *w)
{
	return w->wheel.now_ms - START_MS;
}

void world_advance(struct world *w, uint64_t ms)
{
	wheel_advance(&w->wheel, w->wheel.now_ms + ms);
}

static struct sip_flow peer_flow(const struct world *w)
{
	struct sip_flow f = { .proto = w->proto };

	ck_assert_int_eq(addr_parse(STR(WORLD_PEER), 40000, &f.remote), 0);
	if (w->proto != SIP_UDP) {
		f.conn = 7;
		f.conn_gen = 2;
		f.worker = 3;
	}
	return f;
}

struct sip_msg *world_parse(struct world *w, const char *text)
{
	struct sip_flow f = peer_flow(w);
	struct sip_parse_error e = { 0 };
	struct sip_msg *m = NULL;
	int rc = sip_msg_parse_copy(str_from_c(text), &f, &m, &e);

	ck_assert_msg(rc == 0, "%s: %s at %zu", text, e.why ? e.why : "", e.off);
	return m;
}

void world_request_full(struct world *w, const char *method, const char *branch, const char *to_tag, const char *via_params)
{
	char text[1400];
	struct sip_msg *m;

	snprintf(text, sizeof(text),
		 "%s sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/%s " WORLD_PEER ":5080%s%s%s\r\n"
		 "Via: SIP/2.0/UDP 127.0.0.8:5070;branch=z9hG4bKbelow\r\nMax-Forwards: 70\r\n"
		 "From: <sip:alice@ims.example>;tag=a1\r\nTo: <sip:bob@ims.example>%s%s\r\nCall-ID: world@test\r\n"
		 "CSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
		 method, sip_proto_name(w->proto), branch ? ";branch=" : "", branch ? branch : "",
		 via_params ? via_params : "", to_tag ? ";tag=" : "", to_tag ? to_tag : "", method);
	m = world_parse(w, text);
	tx_input(w->l, m);
	sip_msg_unref(m);
}

void world_request(struct world *w, const char *method)
{
	world_request_full(w, method, WORLD_BRANCH, NULL, NULL);
}

static void response_text(unsigned status, const char *method, char *text, size_t size)
{
	snprintf(text, size,
		 "SIP/2.0 %u Whatever\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=" WORLD_BRANCH "\r\n"
		 "From: <sip:alice@ims.example>;tag=a1\r\nTo: <sip:bob@ims.example>;tag=b1\r\nCall-ID: world@test\r\n"
		 "CSeq: 1 %s\r\nContent-Length: 0\r\n\r\n", status, method);
}

void world_response(struct world *w, unsigned status, const char *method)
{
	char text[1000];
	struct sip_msg *m;

	response_text(status, method, text, sizeof(text));
	m = world_parse(w, text);
	tx_input(w->l, m);
	sip_msg_unref(m);
}

struct tx_client *world_client(struct world *w, const char *method)
{
	char text[1000];
	struct tx_client_new_args a = {
		.method = sip_method_from_str(str_from_c(method)), .branch = STR(WORLD_BRANCH), .to = peer_flow(w),
		.side = w->side, .ops = &client_ops, .user = w,
	};

	snprintf(text, sizeof(text),
		 "%s sip:bob@ims.example SIP/2.0\r\n%sVia: SIP/2.0/UDP 127.0.0.1:5060;branch=" WORLD_BRANCH "\r\n"
		 "Max-Forwards: 70\r\nRoute: <sip:127.0.0.9;lr>\r\nFrom: <sip:alice@ims.example>;tag=a1\r\n"
		 "To: <sip:bob@ims.example>\r\nCall-ID: world@test\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
		 method, w->above ? w->above : "", method);
	a.wire = bytes_new(str_from_c(text));
	w->ct = tx_client_new(w->l, &a);
	bytes_unref(a.wire);
	return w->ct;
}

void world_answer(struct world *w, unsigned status)
{
	ck_assert_ptr_nonnull(w->st);
	tx_server_reply(w->st, status, NULL, STR_NONE);
}

const char *world_last(const struct world *w)
{
	return w->n_sent ? w->sent[w->n_sent - 1].text : "";
}

unsigned world_count(const struct world *w, const char *head)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_sent; i++)
		n += strncmp(w->sent[i].text, head, strlen(head)) == 0;
	return n;
}

void world_expect_times(const struct world *w, const char *head, const uint64_t *at_ms)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_sent; i++) {
		if (strncmp(w->sent[i].text, head, strlen(head)))
			continue;
		ck_assert_msg(at_ms[n] == w->sent[i].at_ms, "%s number %u: sent at %llu ms, expected %llu", head, n,
			      (unsigned long long)w->sent[i].at_ms, (unsigned long long)at_ms[n]);
		n++;
	}
	ck_assert_msg(at_ms[n] == UINT64_MAX, "%s: only %u sent", head, n);
}

void world_check_cell(struct world *w, struct tx *t, const struct world_cell *row, void *arg)
{
	const struct fsm *f = t->fsm;
	unsigned sent = w->n_sent, up = w->n_response + w->n_ack, failed = w->n_failed;
	uint64_t refused = fsm_refused();
	int rc;

	ck_assert_msg(t->state == row->state, "%s: reached %s instead of %s", f->name, f->state_names[t->state],
		      f->state_names[row->state]);
	rc = tx_event(t, row->event, arg);
	if (row->next == WORLD_REFUSED)
		ck_assert_msg(rc == -EPROTO && t->state == row->state && fsm_refused() == refused + 1,
			      "%s: %s in %s was not refused", f->name, f->event_names[row->event], f->state_names[row->state]);
	else
		ck_assert_msg(rc == 0 && t->state == row->next, "%s: %s in %s led to %s", f->name,
			      f->event_names[row->event], f->state_names[row->state], f->state_names[t->state]);
	ck_assert_msg((int)(w->n_sent - sent) == row->sent && (int)(w->n_response + w->n_ack - up) == row->up &&
		      (int)(w->n_failed - failed) == row->failed, "%s: %s in %s: %u sent, %u up, %u failed", f->name,
		      f->event_names[row->event], f->state_names[row->state], w->n_sent - sent,
		      w->n_response + w->n_ack - up, w->n_failed - failed);
}
