/* tests/fuzz/fuzz_sip_msg.c - libFuzzer target: parses, looks at everything, rewrites, parses again. */
#include "common/sip/out.h"
#include "tests/fuzz/fuzz.h"

static bool inside(const struct sip_msg *m, struct str s)
{
	return s.l == 0 || (s.p >= m->raw.p && s.p + s.l <= m->raw.p + m->raw.l);
}

static void look(const struct sip_msg *m)
{
	struct str v, p, k;
	char text[256];
	uint32_t n;

	for (unsigned i = 0; i < m->n_hdrs; i++) {
		const struct sip_hdr *h = &m->hdrs[i];

		struct str value = sip_msg_hdr_value(m, h);

		MUST(inside(m, sip_msg_hdr_name(m, h)) && inside(m, value) && h->off + h->len <= m->raw.l && h->id < SIP_N_HDRS);
		MUST(value.l == 0 || (!memchr(value.p, '\n', value.l) && !memchr(value.p, '\r', value.l)));
	}
	for (unsigned id = 0; id < SIP_N_HDRS; id++) {
		struct sip_values it = sip_values(m, (enum sip_hdr_id)id);

		sip_msg_u32(m, (enum sip_hdr_id)id, &n);
		sip_msg_has_token(m, (enum sip_hdr_id)id, "path");
		while (sip_values_next(&it, &v)) {
			struct sip_nameaddr na;
			struct sip_via via;
			struct addr a;

			MUST(v.l && inside(m, v));
			sip_via_parse(v, &via);
			if (sip_nameaddr_parse(v, &na) == 0 && !na.star) {
				MUST(inside(m, na.uri.text) && inside(m, na.params) && inside(m, na.uri.host));
				for (p = na.params; sip_param_next(&p, &k, &v);)
					MUST(inside(m, k) && inside(m, v));
				sip_uri_aor(&na.uri, text, sizeof(text), &v);
				sip_uri_host_addr(&na.uri, &a);
				sip_uri_has_lr(&na.uri);
				MUST(sip_uri_equal(&na.uri, &na.uri));
			}
		}
	}
	sip_msg_hdr_by_name(m, "x-a");
}

static struct sip_msg *again(struct sip_out *o)
{
	struct sip_parse_error e = { 0 };
	struct sip_msg *w = NULL;
	struct bytes *b;

	if (sip_out_write(o, &b) < 0)
		return NULL;
	if (sip_msg_parse_copy(bytes_str(b), NULL, &w, &e) < 0) {
		fprintf(stderr, "%s\n%.*s\n", e.why, (int)b->l, b->p);
		abort();
	}
	bytes_unref(b);
	return w;
}

static void same(const struct sip_msg *m, const struct sip_msg *w)
{
	MUST(m->request == w->request && m->method == w->method && m->status == w->status && m->cseq == w->cseq);
	MUST(str_eq(m->body, w->body) && str_eq(m->call_id, w->call_id) && str_eq(m->ruri_text, w->ruri_text));
	MUST(str_eq(m->from.text, w->from.text) && str_eq(m->to.text, w->to.text) && m->max_forwards == w->max_forwards);
	for (unsigned id = 0; id < SIP_N_HDRS; id++)
		MUST(id == SIP_H_CONTENT_LENGTH ||
		     sip_values_count(m, (enum sip_hdr_id)id) == sip_values_count(w, (enum sip_hdr_id)id));
}

static void rewrite(struct sip_msg *m)
{
	struct sip_msg *w;
	struct sip_out o;
	unsigned vias = sip_values_count(m, SIP_H_VIA), routes = sip_values_count(m, SIP_H_ROUTE);

	sip_out_init(&o, m);
	w = again(&o);
	if (w)
		same(m, w);
	sip_msg_unref(w);
	sip_out_fix_via(&o);
	sip_out_push(&o, SIP_H_VIA, STR("SIP/2.0/UDP me;branch=z9hG4bKme"));
	sip_out_drop_first(&o, SIP_H_ROUTE);
	sip_out_drop(&o, SIP_H_PAI);
	sip_out_drop_name(&o, "X-Evil");
	sip_out_drop_token(&o, SIP_H_REQUIRE, "sec-agree");
	sip_out_add_token(&o, SIP_H_SUPPORTED, "path");
	sip_out_set(&o, SIP_H_PCV, STR("icid-value=1\r\nX-Evil: 1"));
	sip_out_set_body(&o, STR("a/b"), STR("xyz"));
	w = again(&o);
	if (w) {
		MUST(sip_values_count(w, SIP_H_VIA) == vias + 1 && str_eq_c(w->body, "xyz"));
		MUST(sip_values_count(w, SIP_H_ROUTE) == (routes ? routes - 1 : 0));
		MUST(!sip_msg_hdr(w, SIP_H_PAI) && !sip_msg_hdr_by_name(w, "x-evil"));
		MUST(!sip_msg_has_token(w, SIP_H_REQUIRE, "sec-agree") && sip_msg_has_token(w, SIP_H_SUPPORTED, "path"));
	}
	sip_msg_unref(w);
}

static void answer(const struct sip_msg *m, bool good)
{
	struct bytes *b = sip_reply_make(m, 400, NULL, STR("t"), STR_NONE, STR_NONE, STR_NONE);
	struct sip_parse_error e;
	struct sip_msg *w = NULL;

	if (b && good)
		MUST(sip_msg_parse_copy(bytes_str(b), NULL, &w, &e) == 0 && w->status == 400 && w->to_tag.l);
	sip_msg_unref(w);
	bytes_unref(b);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct str raw = str_make((const char *)data, size);
	struct sip_parse_error e = { 0 };
	struct sip_flow flow = { 0 };
	struct sip_msg *m;
	struct bytes *b;
	size_t len;
	int rc;

	if (sip_frame(raw, &len) == 0)
		MUST(len >= 4);
	sip_scan_call_id(raw);
	addr_parse(STR("192.0.2.7"), 5999, &flow.remote);
	rc = sip_msg_parse_copy(raw, &flow, &m, &e);
	MUST(rc == 0 ? m != NULL : e.why != NULL);
	if (rc == 0) {
		look(m);
		rewrite(m);
		b = sip_ack_make(raw, m);
		bytes_unref(b);
		b = sip_cancel_make(raw, STR("SIP;cause=200"));
		bytes_unref(b);
	}
	if (m && m->request)
		answer(m, rc == 0);
	sip_msg_unref(m);
}
