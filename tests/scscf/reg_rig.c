/* tests/scscf/reg_rig.c - see reg_rig.h. */
#include <stdlib.h>
#include <string.h>
#include "common/log/log.h"
#include "common/util/rand.h"
#include "tests/scscf/reg_rig.h"

static const uint8_t K[16] = { 0x46, 0x5b, 0x5c, 0xe8, 0xb1, 0x99, 0xb4, 0x9f, 0xaa, 0x5f, 0x0a, 0x2e, 0xe2, 0x38, 0xa6, 0xbc };
static const uint8_t OPC[16] = { 0xcd, 0x63, 0xcb, 0x71, 0x95, 0x4a, 0x9f, 0x4e, 0x48, 0xa5, 0x99, 0x4e, 0x37, 0xa0, 0x2b, 0xaf };
static const uint8_t ZERO_RES[8] = { 0, 1, 0, 2, 0, 3, 4, 0 };
static struct reg_rig *the_rig;

static const char config_text[] =
	"plmn: {mcc: '001', mnc: '01'}\n"
	"sip: {listen: ['udp:127.0.31.30:6060']}\n"
	"diameter: {identity: scscf.test}\n";

/* ---- the HSS ---- */

static void note(const char *what)
{
	size_t l = strlen(the_rig->cx);

	snprintf(the_rig->cx + l, sizeof(the_rig->cx) - l, "%s ", what);
}

static void note_host(struct str host)
{
	size_t l = strlen(the_rig->hosts);

	snprintf(the_rig->hosts + l, sizeof(the_rig->hosts) - l, "%.*s ", STR_ARG(host.l ? host : STR("-")));
}

static uint64_t hss_mar(struct dia_client *c, const struct cx_mar *m, cx_maa_fn fn, void *arg)
{
	struct rig_pending *p = &the_rig->pending[the_rig->n_pending++];
	(void)c;

	ck_assert_uint_le(the_rig->n_pending, RIG_MAX_PENDING);
	ck_assert(str_eq_c(m->server_name, "sip:127.0.31.30:6060"));
	*p = (struct rig_pending){ .mar = true, .maa = fn, .arg = arg, .n_items = m->n_items, .auts_l = m->item.authorization.l };
	ck_assert_uint_le(p->auts_l, sizeof(p->auts));
	if (p->auts_l)
		memcpy(p->auts, m->item.authorization.p, p->auts_l);
	str_copy(m->item.scheme, the_rig->scheme, sizeof(the_rig->scheme));
	note_host(m->dest_host);
	the_rig->n_vital += m->vital;
	note(p->auts_l ? "MAR+auts" : "MAR");
	return 1;
}

static uint64_t hss_sar(struct dia_client *c, const struct cx_sar *m, cx_saa_fn fn, void *arg)
{
	struct rig_pending *p = &the_rig->pending[the_rig->n_pending++];
	char text[16];
	(void)c;

	ck_assert_uint_le(the_rig->n_pending, RIG_MAX_PENDING);
	ck_assert_uint_eq(m->impus.n, 1);
	ck_assert_uint_gt(m->impus.v[0].l, 0);
	*p = (struct rig_pending){ .saa = fn, .arg = arg, .type = m->type };
	str_copy(m->impus.v[0], p->impu, sizeof(p->impu));
	for (unsigned i = 0; m->n_restorations && i < m->restoration[0].n; i++) {
		const struct cx_restored *one = &m->restoration[0].v[i];

		the_rig->n_restored = m->restoration[0].n;
		snprintf(the_rig->restored[i], sizeof(the_rig->restored[i]), "%.*s %.*s %.*s %u", STR_ARG(one->path), STR_ARG(one->contact),
			 STR_ARG(one->call_id), one->cseq);
	}
	note_host(m->dest_host);
	the_rig->n_vital += m->vital;
	snprintf(text, sizeof(text), "SAR%u", m->type);
	note(text);
	return 1;
}

static const struct scscf_cx fake_cx = { hss_mar, hss_sar };

static void sqn_octets(uint64_t sqn, uint8_t out[6])
{
	for (int i = 5; i >= 0; i--, sqn >>= 8)
		out[i] = (uint8_t)sqn;
}

static void answer_mar(struct reg_rig *r, const struct rig_pending *p)
{
	static const uint8_t amf[2] = { 0x80, 0 };
	struct cx_maa a = { .result = r->maa, .origin_host = str_from_c(r->hss) };
	struct aka_vector v[CX_MAX_VECTORS];
	uint8_t rnd[16], sqn[6];
	struct addr address;
	char ha1[AUTH_HEX_MAX];

	if (p->auts_l == 30) {
		if (aka_auts_check(K, OPC, p->auts, p->auts + 16, sqn) == 0) {
			r->sqn = 0;
			for (int i = 0; i < 6; i++)
				r->sqn = r->sqn << 8 | sqn[i];
		} else {
			a.result = (struct dia_result){ 0, CX_AUTH_SCHEME_NOT_SUPPORTED, true };
		}
	}
	if (r->unknown_scheme && strcmp(r->scheme, r->unknown_scheme) == 0)
		a.result = (struct dia_result){ 0, CX_AUTH_SCHEME_NOT_SUPPORTED, true };
	if (r->cfg->giba && strcmp(r->scheme, r->cfg->giba) == 0 && !r->giba)
		a.result = (struct dia_result){ 0, CX_AUTH_SCHEME_NOT_SUPPORTED, true };
	if (a.result.err == 0 && a.result.code == DIA_SUCCESS && r->cfg->giba && strcmp(r->scheme, r->cfg->giba) == 0) {
		ck_assert_int_eq(addr_parse(str_from_c(r->giba), 0, &address), 0);
		ck_assert_uint_eq(p->n_items, 1);
		a.n_items = 1;
		a.item[0] = (struct cx_auth_item){ .number = 1, .scheme = str_from_c(r->scheme),
						   .framed_ip = str_make((const char *)&address.in4.sin_addr, 4) };
	} else if (a.result.err == 0 && a.result.code == DIA_SUCCESS && r->password) {
		auth_ha1(r->digest, STR(RIG_IMPI), STR(RIG_DOMAIN), str_from_c(r->password), ha1);
		a.n_items = 1;
		a.item[0] = (struct cx_auth_item){ .number = 1, .scheme = STR("SIP Digest"), .digest_realm = STR(RIG_DOMAIN),
						   .digest_ha1 = str_from_c(ha1), .digest_qop = str_from_c(r->digest_qop),
						   .digest_algorithm = str_from_c(auth_algorithm_name(r->digest)) };
	} else if (a.result.err == 0 && a.result.code == DIA_SUCCESS) {
		for (; a.n_items < p->n_items && a.n_items < r->max_vectors; a.n_items++) {
			struct aka_vector *one = &v[a.n_items];

			rand_bytes(rnd, sizeof(rnd));
			sqn_octets(r->sqn += 32, sqn);
			aka_vector_make(K, OPC, rnd, sqn, amf, one);
			if (r->zero_res)
				memcpy(one->xres, ZERO_RES, 8);
			a.item[a.n_items] = (struct cx_auth_item){ .number = a.n_items + 1, .scheme = STR("Digest-AKAv1-MD5"),
				.authenticate = str_make((const char *)one->rand, 32),
				.authorization = str_make((const char *)one->xres, one->xres_len),
				.ck = str_make((const char *)one->ck, r->no_keys ? 0 : 16), .ik = str_make((const char *)one->ik, r->no_keys ? 0 : 16) };
		}
	}
	p->maa(p->arg, &a);
}

void rig_answer(struct reg_rig *r)
{
	struct rig_pending p = r->pending[0];
	struct cx_saa a = { .result = r->saa, .origin_host = str_from_c(r->hss) };

	ck_assert_uint_gt(r->n_pending, 0);
	memmove(r->pending, r->pending + 1, --r->n_pending * sizeof(p));
	if (p.mar) {
		answer_mar(r, &p);
		return;
	}
	if (r->xml && a.result.err == 0)
		a.user_data = str_from_c(r->xml);
	a.primary_ccf = str_from_c(r->ccf);
	if (r->features)
		a.features[a.n_features++] = cx_features_make(r->features);
	p.saa(p.arg, &a);
}

/* ---- the wire ---- */

static int on_send(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	struct reg_rig *r = u;
	struct sip_parse_error err;
	struct sip_msg *m;
	(void)to;
	(void)origin;

	ck_assert_msg(sip_msg_parse_copy(bytes_str(wire), NULL, &m, &err) == 0, "what we sent: %s\n%.*s", err.why,
		      STR_ARG(bytes_str(wire)));
	if (m->status < 200) {
		sip_msg_unref(m);
		return 0;
	}
	sip_msg_unref(r->m);
	r->m = m;
	r->status = m->status;
	r->n_responses++;
	return 0;
}

static void on_request(void *u, struct tx_server *st, struct sip_msg *m)
{
	struct reg_rig *r = u;

	r->st = st;
	scscf_register(r->worker.w.role, st, m);
}

static const struct tx_ops ops = { .send = on_send, .request = on_request };

bool rig_has(const struct reg_rig *r, const char *text)
{
	return r->m && str_find(r->m->raw, str_from_c(text)) >= 0;
}

void rig_run(struct reg_rig *r, uint64_t ms)
{
	uint64_t end = r->wheel.now_ms + ms;

	do {
		while (r->n_pending && !r->hold)
			rig_answer(r);
		if (r->wheel.now_ms < end) {
			uint64_t step = wheel_next_ms(&r->wheel, end - r->wheel.now_ms);

			wheel_advance(&r->wheel, r->wheel.now_ms + (step ? step : 1));
		}
	} while (r->wheel.now_ms < end || (r->n_pending && !r->hold));
}

static void mark(void *arg)
{
	*(bool *)arg = true;
}

/* Runs what was posted before. */
static void serve_loop(struct loop *l)
{
	bool through = false;

	ck_assert_int_eq(loop_post(l, mark, &through), 0);
	while (!through)
		loop_run_for(l, 1);
}

void rig_serve(struct reg_rig *r)
{
	serve_loop(r->worker.w.loop);
	rig_run(r, 0);
	serve_loop(r->stack.main_loop);
}

/* ---- life ---- */

void rig_init(struct reg_rig *r)
{
	const struct cfg_row *const schemas[] = { cfg_common_schema, scscf_schema(), NULL };
	struct buf errors;

	*r = (struct reg_rig){ .maa = { 0, DIA_SUCCESS, false }, .saa = { 0, DIA_SUCCESS, false }, .xml = RIG_XML,
			       .max_vectors = CX_MAX_VECTORS, .sqn = 1000, .digest_qop = "auth" };
	the_rig = r;
	log_open("test", LOG_TEXT, getenv("TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
	buf_init(&errors, 4096);
	ck_assert_msg(cfg_load_text(STR(config_text), "t.yaml", schemas, &r->config, &errors) == 0, "%.*s", STR_ARG(buf_str(&errors)));
	buf_fini(&errors);
	r->stack.config = r->config;
	r->stack.name = (char *)(uintptr_t)"127.0.31.30:6060";
	r->stack.n_workers = 1;
	r->stack.workers = &r->worker;
	r->stack.main_loop = loop_new();
	wheel_init(&r->wheel, 1000);
	r->worker.w = (struct worker){ .stack = &r->stack, .loop = loop_new(), .wheel = &r->wheel };
	r->worker.w.dialogs = dialog_table_new(&r->wheel, 10, 3600);
	r->worker.w.tx = tx_layer_new(&r->wheel, &ops, r, 0);
	tx_layer_set_agent(r->worker.w.tx, &(const struct tx_agent){ .name = str_from_c(r->stack.name), .fe = "s-cscf" });
	ck_assert_int_eq(scscf_new(&r->s, r->config), 0);
	r->s->cx = &fake_cx;
	r->cfg = (struct reg_config *)(uintptr_t)r->s->reg;
	ck_assert_int_eq(scscf_worker_new(r->s, &r->worker.w, &r->worker.w.role), 0);
}

void rig_fini(struct reg_rig *r)
{
	sip_msg_unref(r->m);
	tx_layer_free(r->worker.w.tx);
	dialog_table_free(r->worker.w.dialogs);
	scscf_worker_free(&r->worker.w, r->worker.w.role);
	scscf_free(r->s);
	loop_free(r->worker.w.loop);
	loop_free(r->stack.main_loop);
	cfg_unref(r->config);
}

struct registration *rig_registration(struct reg_rig *r)
{
	return registration_find(scscf_of(&r->worker.w)->registrar, STR(RIG_IMPI));
}

/* ---- the phone ---- */

void phone_init(struct rig_phone *p)
{
	*p = (struct rig_phone){ .impi = RIG_IMPI, .impu = RIG_IMPU, .user = RIG_IMPI, .sqn_ms = 1000, .integrity = "no",
				 .algorithm = "AKAv1-MD5", .uri = "sip:" RIG_DOMAIN, .expires = 600, .extra = "", .qop = "auth" };
	rand_token(p->call_id, 16);
	phone_begin(p);
}

static void put_integrity(struct rig_phone *p)
{
	size_t l = strlen(p->auth);

	if (p->integrity)
		snprintf(p->auth + l, sizeof(p->auth) - l, ", integrity-protected=\"%s\"", p->integrity);
}

void phone_begin(struct rig_phone *p)
{
	snprintf(p->auth, sizeof(p->auth), "Digest username=\"%s\", realm=\"" RIG_DOMAIN "\", uri=\"%s\", nonce=\"\", response=\"\"",
		 p->user, p->uri);
	if (p->asks)
		snprintf(p->auth + strlen(p->auth), sizeof(p->auth) - strlen(p->auth), ", algorithm=%s", p->asks);
	put_integrity(p);
}

unsigned phone_send(struct reg_rig *r, struct rig_phone *p)
{
	struct sip_parse_error err;
	struct sip_flow flow = { .proto = SIP_UDP };
	struct sip_msg *m;
	struct buf b;
	unsigned before = r->n_responses;
	char branch[32];

	rand_token(branch, 16);
	ck_assert_int_eq(addr_parse(STR("127.0.31.10"), 5060, &flow.remote), 0);
	buf_init(&b, 8192);
	buf_printf(&b, "REGISTER sip:127.0.31.30:6060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.31.10:5060;branch=z9hG4bK%s\r\n"
		       "Max-Forwards: 69\r\nFrom: <%s>;tag=f\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: %u REGISTER\r\n"
		       "Path: <sip:TOKEN@127.0.31.10:5060%s>\r\nRequire: path\r\nSupported: path\r\n"
		       "P-Visited-Network-ID: " RIG_DOMAIN "\r\n%s",
		   branch, p->impu, p->impu, p->call_id, ++p->cseq, p->path_params ? p->path_params : ";lr", p->extra);
	if (!p->contact)
		buf_puts(&b, "Contact: <sip:001010000000001@127.0.31.101:5066>;+g.3gpp.smsip;q=0.5\r\n");
	else if (*p->contact)
		buf_printf(&b, "Contact: %s\r\n", p->contact);
	if (p->expires >= 0)
		buf_printf(&b, "Expires: %d\r\n", p->expires);
	if (!p->no_authorization)
		buf_printf(&b, "Authorization: %s\r\n", p->auth);
	buf_puts(&b, "Content-Length: 0\r\n\r\n");
	ck_assert_msg(sip_msg_parse_copy(buf_str(&b), &flow, &m, &err) == 0, "%s", err.why);
	buf_fini(&b);
	tx_input(r->worker.w.tx, m);
	sip_msg_unref(m);
	rig_run(r, 0);
	return r->n_responses > before ? r->status : 0;
}

/* Password for the response: RES, or the digest password. */
static int password(struct reg_rig *r, struct rig_phone *p, const uint8_t nonce[32], struct milenage_out *out, uint8_t auts[14],
		    struct str *ret)
{
	int rc;

	if (p->password) {
		*ret = str_from_c(p->password);
		return 0;
	}
	rc = aka_usim(K, OPC, nonce, nonce + 16, &p->sqn_ms, out, auts);
	*ret = r->zero_res ? str_make((const char *)ZERO_RES, 8) : str_make((const char *)out->res, 8);
	return rc;
}

int phone_solve(struct reg_rig *r, struct rig_phone *p)
{
	struct auth_params w, a = { 0 };
	char *ha1 = p->ha1, *response = p->response, nc[12], auts64[32];
	struct milenage_out out;
	uint8_t nonce[32], auts[14];
	struct str pw;
	size_t n = 0, l;
	int rc;

	ck_assert_int_eq(auth_params_parse(sip_msg_value(r->m, SIP_H_WWW_AUTHENTICATE), &w), 0);
	if (!str_eq_c(w.nonce, p->nonce))
		p->nc = 0;
	str_copy(w.nonce, p->nonce, sizeof(p->nonce));
	str_copy(w.realm, p->realm, sizeof(p->realm));
	if (!p->password)
		ck_assert(base64_decode(w.nonce, false, nonce, sizeof(nonce), &n) == 0 && n == 32);
	rc = password(r, p, nonce, &out, auts, &pw);
	if (rc < 0) {
		base64_encode(auts, sizeof(auts), false, auts64);
		snprintf(p->auth, sizeof(p->auth), "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"\", algorithm=%s",
			 p->user, p->realm, p->nonce, p->uri, p->algorithm);
		l = strlen(p->auth);
		if (rc == -ESTALE)
			snprintf(p->auth + l, sizeof(p->auth) - l, ", auts=\"%s\"", auts64);
		put_integrity(p);
		return rc;
	}
	snprintf(nc, sizeof(nc), "%08x", ++p->nc);
	a.algorithm = w.algorithm;
	a.nonce = str_from_c(p->nonce);
	a.uri = str_from_c(p->uri);
	if (!p->without_qop) {
		a.qop = str_from_c(p->qop);
		a.nc = str_from_c(nc);
		a.cnonce = STR("cn");
	}
	if (auth_is_aka(w.algorithm))
		auth_aka_ha1(w.algorithm, str_from_c(p->user), str_from_c(p->realm), p->wrong ? STR("nonsense") : pw, out.ik, out.ck, ha1);
	else
		auth_ha1(w.algorithm, str_from_c(p->user), str_from_c(p->realm), p->wrong ? STR("nonsense") : pw, ha1);
	ck_assert_int_eq(auth_response(&a, str_from_c(ha1), STR("REGISTER"), STR_NONE, response), 0);
	snprintf(p->auth, sizeof(p->auth), "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\", algorithm=%s",
		 p->user, p->realm, p->nonce, p->uri, response, auth_algorithm_name(w.algorithm));
	l = strlen(p->auth);
	if (!p->without_qop)
		snprintf(p->auth + l, sizeof(p->auth) - l, ", qop=%s, cnonce=\"cn\", nc=%s", p->qop, nc);
	put_integrity(p);
	return 0;
}

unsigned phone_register(struct reg_rig *r, struct rig_phone *p)
{
	unsigned status;

	phone_begin(p);
	status = phone_send(r, p);
	if (status != 401)
		return status;
	ck_assert_int_eq(phone_solve(r, p), 0);
	return phone_send(r, p);
}
