/* common/http/access.c - who may do what: tokens with roles, client certificates, the unix socket; limits; the audit log. */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "common/http/private.h"
#include "common/log/log.h"
#include "common/util/clock.h"
#include "common/util/hash.h"

static const char *const role_names[] = { "open", "view", "operate", "admin" };

const char *http_role_name(enum http_role role)
{
	return role_names[role];
}

int http_role_from_name(struct str name, enum http_role *ret)
{
	for (int i = HTTP_VIEW; i <= HTTP_ADMIN; i++) {
		if (!str_eq_c(name, role_names[i]))
			continue;
		*ret = (enum http_role)i;
		return 0;
	}
	return -ENOENT;
}

const char *http_who(const struct http_req *r)
{
	return r->who;
}

/* ---- life ---- */

static int token_add(struct http_server *s, const char *token, enum http_role role, const char *name)
{
	struct http_token *t = &s->token[s->n_tokens];

	if (s->n_tokens == HTTP_MAX_TOKENS)
		return -ENOSPC;
	t->token = strdup(token);
	t->name = name ? strdup(name) : NULL;
	t->role = role;
	s->n_tokens++;
	return t->token && (!name || t->name) ? 0 : -ENOMEM;
}

static int copy(const char *from, char **to)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int tokens_add(struct http_server *s, const char *token, const struct http_token *tokens, size_t n)
{
	int rc = token ? token_add(s, token, HTTP_ADMIN, "token") : 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = token_add(s, tokens[i].token, tokens[i].role, tokens[i].name);
	return rc;
}

static void forget(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void tokens_forget(struct http_token *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		forget((char *)(uintptr_t)v[i].token);
		free((char *)(uintptr_t)v[i].name);
	}
}

static bool tokens_are(const struct http_server *s, const struct http_token *v, size_t n)
{
	for (size_t i = 0; i < s->n_tokens && n == s->n_tokens; i++)
		if (v[i].role != s->token[i].role || strcmp(v[i].token, s->token[i].token) != 0)
			return false;
	return n == s->n_tokens;
}

int http_server_tokens(struct http_server *s, const char *token, const struct http_token *tokens, size_t n)
{
	struct http_token old[HTTP_MAX_TOKENS];
	size_t n_old = s->n_tokens;
	int rc;

	memcpy(old, s->token, sizeof(old));
	s->n_tokens = 0;
	rc = tokens_add(s, token, tokens, n);
	if (rc < 0) {				/* half of them would be a guess */
		tokens_forget(s->token, s->n_tokens);
		s->n_tokens = 0;
	}
	if (rc < 0 || !tokens_are(s, old, n_old))
		streams_end(s);			/* they were opened by the old ones */
	tokens_forget(old, n_old);
	return rc;
}

static bool ring_init(struct http_audit_ring *g, unsigned room)
{
	g->room = room;
	g->v = calloc(room, sizeof(*g->v));
	return g->v != NULL;
}

int access_init(struct http_server *s, const struct http_config *c)
{
	int rc = tokens_add(s, c->token, c->tokens, c->n_tokens);

	s->requests_per_s = c->requests_per_s;
	s->client_role = c->client_role;
	s->bucket = calloc(HTTP_BUCKETS, sizeof(*s->bucket));
	if (rc == 0 && (!s->bucket || !ring_init(&s->done, HTTP_AUDIT_ENTRIES) || !ring_init(&s->refused, HTTP_AUDIT_REFUSED) ||
			copy(c->tls_cert, &s->tls_cert) < 0 || copy(c->tls_key, &s->tls_key) < 0 || copy(c->tls_client_ca, &s->tls_ca) < 0))
		rc = -ENOMEM;
	return rc;
}

void access_fini(struct http_server *s)
{
	tokens_forget(s->token, s->n_tokens);
	free(s->bucket);
	free(s->done.v);
	free(s->refused.v);
	free(s->tls_cert);
	free(s->tls_ca);
	forget(s->tls_key);
}

/* ---- who is it? ---- */

static void grant(struct http_req *r, enum http_role role, const char *who)
{
	if (role <= r->role)
		return;
	r->role = role;
	snprintf(r->who, sizeof(r->who), "%s", who);
}

static struct str token_of(const struct http_req *r)
{
	const char *h = MHD_lookup_connection_value(r->c, MHD_HEADER_KIND, "Authorization");
	struct str v = str_from_c(h);

	return str_istarts(v, STR("Bearer ")) ? str_trim(str_from(v, 7)) : STR_NONE;
}

/* Every token is compared, in a time that says nothing of where it differs. */
static void by_token(struct http_req *r, struct str v)
{
	const struct http_server *s = r->l->s;

	for (size_t i = 0; i < s->n_tokens; i++)
		if (str_const_time_eq(v, str_from_c(s->token[i].token)))
			grant(r, s->token[i].role, s->token[i].name ? s->token[i].name : http_role_name(s->token[i].role));
}

static void by_certificate(struct http_req *r)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	const gnutls_datum_t *list;
	gnutls_x509_crt_t crt;
	unsigned status = 0, n = 0;
	char name[64] = "certificate";
	size_t size = sizeof(name);

	if (!info || !info->tls_session || gnutls_certificate_verify_peers2(info->tls_session, &status) < 0 || status)
		return;
	list = gnutls_certificate_get_peers(info->tls_session, &n);
	if (!list || !n || gnutls_x509_crt_init(&crt) < 0)
		return;
	if (gnutls_x509_crt_import(crt, &list[0], GNUTLS_X509_FMT_DER) == 0) {
		gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size);
		grant(r, r->l->s->client_role, name);
	}
	gnutls_x509_crt_deinit(crt);
}

static void by_socket(struct http_req *r)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred u = { .uid = (uid_t)-1 };
	socklen_t l = sizeof(u);
	char who[32] = "unix socket";

	if (info && getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &u, &l) == 0)
		snprintf(who, sizeof(who), "uid %u", u.uid);
	grant(r, HTTP_ADMIN, who);
}

/* ---- limits ---- */

static bool address_of(const struct http_req *r, struct addr *ret)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	if (r->l->trusted || !info || !info->client_addr)
		return false;
	memset(ret, 0, sizeof(*ret));
	memcpy(&ret->sa, info->client_addr, info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	addr_set_port(ret, 0);
	return true;
}

static void refill(struct http_bucket *b, uint64_t passed_ms, unsigned per_s)
{
	uint64_t add = passed_ms > 60000 ? 60000 : passed_ms, max = (uint64_t)per_s * 1000;

	b->tokens_milli = (uint32_t)(b->tokens_milli + add * per_s > max ? max : b->tokens_milli + add * per_s);
	b->bad_milli = (uint32_t)(b->bad_milli + add > HTTP_BAD_BURST * 1000 ? HTTP_BAD_BURST * 1000 : b->bad_milli + add);
}

static struct http_bucket *bucket_of(const struct http_req *r)
{
	struct http_server *s = r->l->s;
	uint64_t key, now = clock_mono_ms();
	struct http_bucket *b;
	struct addr a;

	if (!address_of(r, &a))
		return NULL;
	key = conns_source(&a.sa);
	b = &s->bucket[key % HTTP_BUCKETS];
	if (b->key != key)
		*b = (struct http_bucket){ .key = key, .at_ms = now, .tokens_milli = s->requests_per_s * 1000, .bad_milli = HTTP_BAD_BURST * 1000 };
	refill(b, now - b->at_ms, s->requests_per_s);
	b->at_ms = now;
	return b;
}

static bool too_many(const struct http_req *r, struct http_bucket *b)
{
	if (!b || r->l->s->requests_per_s == 0)
		return false;
	if (b->tokens_milli < 1000)
		return true;
	b->tokens_milli -= 1000;
	return false;
}

/* ---- may he? ---- */

bool access_allows(struct http_req *r)
{
	struct http_bucket *b = bucket_of(r);
	struct str token = token_of(r);
	bool cross_site, locked = b && b->bad_milli < 1000 && token.l;	/* not even compared: else a right guess would show among the wrong ones */

	if (too_many(r, b)) {
		http_problem(r, 429, "TOO_MANY_REQUESTS", "more than %u requests per second from one address", r->l->s->requests_per_s);
		return false;
	}
	if (r->l->trusted)
		by_socket(r);
	else if (token.l && !locked)
		by_token(r, token);
	if (!r->l->trusted && r->l->s->tls_ca)
		by_certificate(r);
	/* A browser brings a certificate along of itself; a token somebody put there. */
	cross_site = !token.l && cors_cross_site(r);
	if (r->route->role <= r->role && !cross_site)
		return true;
	r->refused = true;
	if (r->route->role <= r->role) {
		http_problem(r, 403, "CROSS_SITE", "a page of another site may change nothing here; rest.neighbours names those that may");
	} else if (r->role) {
		http_problem(r, 403, "INSUFFICIENT_ROLE", "this needs the role %s; %s has the role %s", http_role_name(r->route->role), r->who,
			     http_role_name(r->role));
	} else if (locked) {
		http_problem(r, 429, "TOO_MANY_FAILURES", "too many wrong tokens from one address; wait some seconds");
	} else {
		if (b && token.l)
			b->bad_milli -= 1000;
		http_problem(r, 401, "UNAUTHORIZED", "a valid bearer token is needed");
	}
	return false;
}

/* ---- audit ---- */

void access_audit(struct http_req *r)
{
	struct http_server *s = r->l->s;
	struct http_audit_ring *g = r->refused ? &s->refused : &s->done;
	struct http_audit *a;
	struct addr from;

	/* 429: whom the limits turn away does not push others out of the ring. */
	if (!r->route || r->status == 429 || strcmp(r->route->method, "GET") == 0)
		return;
	a = &g->v[g->n++ % g->room];
	*a = (struct http_audit){ .wall_us = clock_wall_us(), .number = ++s->n_audit, .status = r->status };
	snprintf(a->who, sizeof(a->who), "%s", r->who[0] ? r->who : "unknown");
	snprintf(a->method, sizeof(a->method), "%s", r->method);
	snprintf(a->path, sizeof(a->path), "%s", r->path);
	if (address_of(r, &from))
		addr_fmt(&from, a->from);
	log_info(LOG_REST, "audit", LOG_C("who", a->who), LOG_C("from", a->from), LOG_C("method", a->method), LOG_C("path", a->path),
		 LOG_U("status", r->status));
}

static cJSON *audit_json(const struct http_audit *a)
{
	cJSON *o = cJSON_CreateObject();
	char text[256];

	clock_rfc3339(a->wall_us, text);
	cJSON_AddStringToObject(o, "at", text);
	cJSON_AddStringToObject(o, "who", a->who);
	cJSON_AddStringToObject(o, "from", a->from);
	snprintf(text, sizeof(text), "%s %s", a->method, a->path);
	cJSON_AddStringToObject(o, "operation", text);
	cJSON_AddNumberToObject(o, "outcome", a->status);
	return o;
}

/* The newest entry whose number is below `before`; *at: how many were written with the one to look at first.  NULL: none is left. */
static const struct http_audit *ring_peek(const struct http_audit_ring *g, uint64_t *at, uint64_t before)
{
	for (; *at && *at + g->room > g->n; --*at)
		if (g->v[(*at - 1) % g->room].number < before)
			return &g->v[(*at - 1) % g->room];
	return NULL;
}

static const struct http_audit *newer(const struct http_audit *a, const struct http_audit *b)
{
	return !b || (a && a->number > b->number) ? a : b;
}

/* Newest first; the cursor is the number of the last one shown. */
static void get_audit(void *u, struct http_req *r)
{
	const struct http_server *s = u;
	uint64_t before = UINT64_MAX, done = s->done.n, refused = s->refused.n;
	const struct http_audit *a;
	unsigned limit;
	cJSON *items;
	char next[24];

	if (!http_page_number(r, UINT64_MAX, &limit, &before))
		return;
	items = cJSON_CreateArray();
	while ((a = newer(ring_peek(&s->done, &done, before), ring_peek(&s->refused, &refused, before))) && limit--) {
		cJSON_AddItemToArray(items, audit_json(a));
		before = a->number;
	}
	snprintf(next, sizeof(next), "%llu", (unsigned long long)before);
	http_reply_page(r, items, a ? next : NULL);
}

const struct http_route http_audit_routes[] = {
	{ "GET", "/api/v1/audit", HTTP_ADMIN, get_audit, "Who changed what, newest first, refused attempts too." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
