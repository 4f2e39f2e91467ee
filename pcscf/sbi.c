/* pcscf/sbi.c - see sbi.h.  TS 29.500 §5.2.2.2 (User-Agent), §5.2.3.2 (3gpp-Sbi headers), §6.10.9 (redirect); TS 29.510 §6.3 (tokens). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/http/http.h"
#include "common/log/log.h"
#include "common/util/clock.h"
#include "pcscf/policy.h"
#include "pcscf/sbi.h"

#define MAX_REDIRECTS 3u
#define MAX_HEADERS 12u
#define CONNECT_MS 3000u
#define IDLE_MS 300000u
#define MAX_REQUESTS 4096u		/* of one worker */
#define MAX_STREAMS 100u
#define N_TOKENS ((int)SBI_TOKEN)	/* of each other service one */
#define TOKEN_BYTES 8192u
#define TOKEN_DEADLINE_MS 3000u
#define TOKEN_SPARE_S 10u		/* a token is renewed so long before its end */
#define TOKEN_DEFAULT_S 300u

/* TS 29.510 §6.3.5.2.2: scope and target of a token. */
static const struct { const char *scope, *target; } services[N_TOKENS] = {
	{ "npcf-policyauthorization", "PCF" }, { "nbsf-management", "BSF" }, { "nnrf-disc", "NRF" },
};

struct sbi_token {
	char text[TOKEN_BYTES];
	uint64_t until_ms;
	bool asking;
	struct list waiting;		/* calls */
	struct sbi *s;
};
struct sbi {
	struct pcscf_worker *pw;
	const struct n5_config *cfg;
	struct h2_client *h2;
	struct list calls;
	struct sbi_token token[N_TOKENS];
	char agent[64];
	uint32_t n;
	bool closing;
};
struct sbi_call {
	struct list link, token_link;
	struct sbi *s;
	struct arena *a;
	struct sbi_request r;
	struct str target;		/* root of the PCF that an SCP shall take */
	sbi_fn fn;
	void *arg;
	uint64_t until_ms;
	unsigned redirects;
	bool renewed;			/* with a fresh token after 401 */
	bool secret;			/* its token has gone by TLS: not in clear after a redirect */
	struct resolver_query *query;
	uint64_t http;
	struct timer now;		/* a failure that is told later than the call */
	int err;
	struct str icid;		/* of the log lines and the ladder of what it is about */
};

/* ---- URIs ---- */

int sbi_uri_parse(struct str text, struct sbi_uri *ret)
{
	struct str rest, port;
	uint32_t n;
	ssize_t slash, colon;

	*ret = (struct sbi_uri){ .tls = str_istarts(text, STR("https://")), .port = 80 };
	if (!ret->tls && !str_istarts(text, STR("http://")))
		return -EBADMSG;
	rest = str_from(text, ret->tls ? 8 : 7);
	slash = str_chr(rest, '/');
	ret->authority = slash < 0 ? rest : str_head(rest, (size_t)slash);
	ret->path = slash < 0 ? STR_NONE : str_from(rest, (size_t)slash);
	ret->root = str_head(text, text.l - ret->path.l);
	if (ret->tls)
		ret->port = 443;
	colon = str_rchr(ret->authority, ':');
	if (colon >= 0 && ret->authority.l && ret->authority.p[ret->authority.l - 1] != ']') {
		port = str_from(ret->authority, (size_t)colon + 1);
		if (str_to_u32(port, &n) < 0 || n == 0 || n > 65535)
			return -EBADMSG;
		ret->port = (uint16_t)n;
		ret->host = str_head(ret->authority, (size_t)colon);
	} else {
		ret->host = ret->authority;
	}
	if (ret->host.l > 2 && ret->host.p[0] == '[')
		ret->host = str_make(ret->host.p + 1, ret->host.l - 2);
	if (!ret->host.l)
		return -EBADMSG;
	for (size_t i = 0; i < text.l; i++)		/* goes into a header and a log */
		if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] >= 127 || text.p[i] == '"')
			return -EBADMSG;
	return 0;
}

/* ---- the end ---- */

static void call_free(struct sbi_call *k)
{
	timer_stop(&k->now);
	if (k->query)
		resolver_cancel(k->query);
	h2_cancel(k->s->h2, k->http);
	list_del(&k->token_link);
	list_del(&k->link);
	k->s->n--;
	arena_unref(k->a);
	free(k);
}

/* For ladders, where Diameter stands too: who is asked, and what. */
static const char *peer_of(const struct sbi_call *k)
{
	static const char *const names[] = { "pcf", "bsf", "nrf", "nrf" };

	return names[k->r.service];
}

static const char *word_of(const struct sbi_call *k)
{
	static const char *const names[] = { "", "binding", "discovery", "token" };

	if (k->r.service != SBI_PCF)
		return names[k->r.service];
	return str_ends(k->r.path, STR("/delete")) ? "delete" : strcmp(k->r.method, "PATCH") == 0 ? "update" : "create";
}

static void finish(struct sbi_call *k, const struct sbi_answer *a)
{
	struct str before = arena_dup(k->a, log_correlation_get());

	list_del(&k->link);
	list_del(&k->token_link);
	log_correlation(k->icid);
	if (a->err)
		trace_add(k->s->pw->w->trace, TRACE_DIA_IN, k->icid, k->icid, peer_of(k), "none: %s, %s", word_of(k), strerror(-a->err));
	else
		trace_add(k->s->pw->w->trace, TRACE_DIA_IN, k->icid, k->icid, peer_of(k), "%u %s", a->status, word_of(k));
	k->fn(k->arg, a);
	log_correlation(before);
	call_free(k);
}

static void on_now(struct timer *t)
{
	struct sbi_call *k = container_of(t, struct sbi_call, now);
	const struct sbi_answer a = { .err = k->err };

	finish(k, &a);
}

static void fail(struct sbi_call *k, int err)
{
	k->err = err;
	timer_start(k->s->pw->w->wheel, &k->now, 0);
}

/* ---- the request ---- */

static void begin(struct sbi_call *k);
static bool wants_token(const struct sbi_call *k);

static uint32_t left_ms(const struct sbi_call *k)
{
	uint64_t now = loop_now_ms(k->s->pw->w->loop);

	return now < k->until_ms ? (uint32_t)(k->until_ms - now) : 1;
}

static void follow(struct sbi_call *k, struct str location)
{
	struct sbi_uri u;

	location = arena_dup(k->a, location);
	if (sbi_uri_parse(location, &u) < 0) {
		fail(k, -EPROTO);
		return;
	}
	k->r.root = u.root;
	k->r.path = u.path;
	begin(k);
}

static void on_http(void *arg, const struct h2_response *r)
{
	struct sbi_call *k = arg;
	struct str location = h2_response_header(r, "location");
	struct sbi_answer a = { .err = r->err, .status = r->status, .body = r->body, .location = location,
				.root = k->target.l ? k->target : k->r.root };

	k->http = 0;
	if (r->err == 0 && (r->status == 307 || r->status == 308) && location.l && k->redirects++ < MAX_REDIRECTS) {
		follow(k, location);
	} else if (r->err == 0 && r->status == 401 && wants_token(k) && !k->renewed) {
		k->renewed = true;
		k->s->token[k->r.service].until_ms = 0;
		begin(k);
	} else {
		finish(k, &a);
	}
}

static bool wants_token(const struct sbi_call *k)
{
	return k->s->cfg->oauth2 && k->r.service != SBI_TOKEN;
}

static void add(struct h2_header *h, unsigned *n, const char *name, struct str value)
{
	if (value.l && *n < MAX_HEADERS)
		h[(*n)++] = (struct h2_header){ str_from_c(name), value };
}

static bool by_scp(const struct sbi_call *k)
{
	return k->s->cfg->scp.l && k->r.service == SBI_PCF;
}

static void send_to(struct sbi_call *k, const struct sbi_uri *u, struct addr to)
{
	struct h2_header h[MAX_HEADERS];
	struct h2_request r = { .tls = u->tls, .authority = u->authority, .method = k->r.method, .header = h, .body = k->r.body,
				.deadline_ms = left_ms(k) };

	addr_set_port(&to, u->port);
	r.to = to;
	r.path = arena_printf(k->a, "%.*s%.*s", STR_ARG(u->path), STR_ARG(k->r.path));
	add(h, &r.n_headers, "user-agent", str_from_c(k->s->agent));
	add(h, &r.n_headers, "accept", STR("application/json,application/problem+json"));
	if (k->r.content_type)
		add(h, &r.n_headers, "content-type", str_from_c(k->r.content_type));
	k->secret = k->secret || u->tls;
	if (wants_token(k) && u->tls == k->secret)
		add(h, &r.n_headers, "authorization", arena_printf(k->a, "Bearer %s", k->s->token[k->r.service].text));
	if (by_scp(k) && k->target.l) {
		add(h, &r.n_headers, "3gpp-sbi-target-apiroot", k->target);
	} else if (by_scp(k)) {
		add(h, &r.n_headers, "3gpp-sbi-discovery-target-nf-type", STR("PCF"));
		add(h, &r.n_headers, "3gpp-sbi-discovery-requester-nf-type", STR("AF"));
		add(h, &r.n_headers, "3gpp-sbi-discovery-service-names", str_from_c(services[k->r.service].scope));
	}
	trace_add(k->s->pw->w->trace, TRACE_DIA_OUT, k->icid, k->icid, peer_of(k), "%s", word_of(k));
	k->http = h2_send(k->s->h2, &r, on_http, k);
	if (!k->http)
		fail(k, -EBUSY);
}

static void on_resolved(void *arg, const struct resolver_result *res)
{
	struct sbi_call *k = arg;
	struct sbi_uri u;

	k->query = NULL;
	if (res->err || res->n == 0 || sbi_uri_parse(by_scp(k) ? k->s->cfg->scp : k->r.root, &u) < 0)
		fail(k, -EHOSTUNREACH);
	else
		send_to(k, &u, res->target[0].remote);
}

/* Names by the worker's resolver, which knows static next hops too; the port is there, so it looks for addresses alone. */
static void resolve(struct sbi_call *k)
{
	struct sbi_uri u;
	struct sip_uri name;
	struct addr a;
	struct str text;

	if (by_scp(k))
		k->target = k->r.root;
	if (sbi_uri_parse(by_scp(k) ? k->s->cfg->scp : k->r.root, &u) < 0) {
		fail(k, -EHOSTUNREACH);
		return;
	}
	if (addr_parse(u.host, u.port, &a) == 0) {
		send_to(k, &u, a);
		return;
	}
	text = arena_printf(k->a, "sip:%.*s:%u;transport=tcp", STR_ARG(u.host), u.port);
	if (sip_uri_parse(text, &name, NULL) < 0)
		fail(k, -EHOSTUNREACH);
	else
		k->query = resolver_lookup(k->s->pw->w->resolver, &name, on_resolved, k);
}

/* ---- tokens: TS 29.510 §5.4.2.2, RFC 6749 §4.4 ---- */

static void take_token(struct sbi_token *t, const struct sbi_answer *r)
{
	int err;
	cJSON *j = r->err == 0 && r->status == 200 ? http_json_parse(r->body, &err) : NULL;
	const cJSON *text = cJSON_GetObjectItemCaseSensitive(j, "access_token"), *life = cJSON_GetObjectItemCaseSensitive(j, "expires_in");
	double s = cJSON_IsNumber(life) ? life->valuedouble : TOKEN_DEFAULT_S;

	t->text[0] = '\0';
	if (cJSON_IsString(text) && s >= 1 && s < 1e7 && str_copy(str_from_c(text->valuestring), t->text, sizeof(t->text)))
		t->until_ms = loop_now_ms(t->s->pw->w->loop) + (uint64_t)(s > 2 * TOKEN_SPARE_S ? s - TOKEN_SPARE_S : s / 2) * 1000 + 1;
	else
		log_warn(LOG_SESS, "the NRF gives no token", LOG_U("status", r->status), LOG_C("error", r->err ? strerror(-r->err) : ""));
	cJSON_Delete(j);
}

static void on_token(void *arg, const struct sbi_answer *r)
{
	struct sbi_token *t = arg;

	t->asking = false;
	take_token(t, r);
	while (!list_empty(&t->waiting)) {
		struct sbi_call *k = list_entry(t->waiting.next, struct sbi_call, token_link);

		list_del(&k->token_link);
		if (t->text[0])
			resolve(k);
		else
			fail(k, -EPERM);
	}
}

static bool ask_token(struct sbi_token *t, enum sbi_service what)
{
	char body[512];
	struct sbi_request r = { .service = SBI_TOKEN, .method = "POST", .root = t->s->cfg->nrf, .path = STR("/oauth2/token"),
				 .content_type = "application/x-www-form-urlencoded", .deadline_ms = TOKEN_DEADLINE_MS };

	r.body = str_make(body, (size_t)snprintf(body, sizeof(body), "grant_type=client_credentials&nfInstanceId=%s&nfType=AF&targetNfType=%s&scope=%s",
						 t->s->cfg->instance, services[what].target, services[what].scope));
	t->asking = sbi_send(t->s, &r, on_token, t);
	return t->asking;
}

static void begin(struct sbi_call *k)
{
	struct sbi_token *t = wants_token(k) ? &k->s->token[k->r.service] : NULL;

	if (!t || t->until_ms > loop_now_ms(k->s->pw->w->loop)) {
		resolve(k);
		return;
	}
	if (!t->asking && !ask_token(t, k->r.service)) {
		fail(k, -EPERM);
		return;
	}
	list_add_tail(&t->waiting, &k->token_link);
}

/* ---- life ---- */

bool sbi_send(struct sbi *s, const struct sbi_request *r, sbi_fn fn, void *arg)
{
	struct sbi_call *k = s->n < MAX_REQUESTS && !s->closing ? calloc(1, sizeof(*k)) : NULL;

	if (!k || !(k->a = arena_new(1024 + r->body.l))) {
		free(k);
		return false;
	}
	k->s = s;
	k->r = *r;
	k->r.root = arena_dup(k->a, r->root);
	k->r.path = arena_dup(k->a, r->path);
	k->r.body = arena_dup(k->a, r->body);
	k->icid = arena_dup(k->a, log_correlation_get());
	k->fn = fn;
	k->arg = arg;
	k->until_ms = loop_now_ms(s->pw->w->loop) + r->deadline_ms;
	timer_init(&k->now, on_now);
	list_init(&k->token_link);
	list_add_tail(&s->calls, &k->link);
	s->n++;
	if (k->r.body.l != r->body.l || k->r.path.l != r->path.l || k->r.root.l != r->root.l)
		fail(k, -ENOMEM);
	else
		begin(k);
	return true;
}

uint32_t sbi_outstanding(const struct sbi *s)
{
	return s->n;
}

struct sbi *sbi_new(struct pcscf_worker *pw, struct h2_tls *tls)
{
	const struct h2_client_config c = { .tls = tls, .connect_ms = CONNECT_MS, .idle_ms = IDLE_MS, .max_requests = MAX_REQUESTS + N_TOKENS,
					    .max_streams = MAX_STREAMS };
	struct sbi *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->pw = pw;
	s->cfg = &pw->p->cfg.policy.n5;
	s->h2 = h2_client_new(pw->w->loop, &c);
	if (!s->h2) {
		free(s);
		return NULL;
	}
	list_init(&s->calls);
	for (int i = 0; i < N_TOKENS; i++) {
		list_init(&s->token[i].waiting);
		s->token[i].s = s;
	}
	snprintf(s->agent, sizeof(s->agent), "AF-%s", s->cfg->instance);
	return s;
}

void sbi_free(struct sbi *s)
{
	if (!s)
		return;
	s->closing = true;
	while (!list_empty(&s->calls)) {
		const struct sbi_answer a = { .err = -ECANCELED };

		finish(list_entry(s->calls.next, struct sbi_call, link), &a);
	}
	h2_client_free(s->h2);
	free(s);
}
