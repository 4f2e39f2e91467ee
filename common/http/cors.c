/* common/http/cors.c - which pages of other origins may read answers, or change something with the rights that a browser
 * brings along: those that the configuration names, else none. */
#include <errno.h>
#include <stdlib.h>
#include "common/http/private.h"

int cors_init(struct http_server *s, const struct http_config *c)
{
	if (c->n_origins > HTTP_MAX_ORIGINS)
		return -ENOSPC;
	for (; s->n_origins < c->n_origins; s->n_origins++) {
		s->origin[s->n_origins] = strdup(c->origins[s->n_origins]);
		if (!s->origin[s->n_origins])
			return -ENOMEM;
	}
	return 0;
}

void cors_fini(struct http_server *s)
{
	while (s->n_origins)
		free(s->origin[--s->n_origins]);
}

/* The Origin of the request when it is one of those; else NULL.  RFC 6454 §7: compared as a text. */
static const char *origin_of(const struct http_req *r)
{
	const char *h = MHD_lookup_connection_value(r->c, MHD_HEADER_KIND, "Origin");
	const struct http_server *s = r->l->s;

	for (size_t i = 0; h && i < s->n_origins; i++)
		if (strcmp(h, s->origin[i]) == 0)
			return h;
	return NULL;
}

bool cors_preflight(struct http_req *r)
{
	if (strcmp(r->method, "OPTIONS") != 0 || !origin_of(r) ||
	    !MHD_lookup_connection_value(r->c, MHD_HEADER_KIND, "Access-Control-Request-Method"))
		return false;
	http_set_header(r, "Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE");
	http_set_header(r, "Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, If-None-Match, Last-Event-ID");
	http_set_header(r, "Access-Control-Max-Age", "600");
	http_reply(r, 204, NULL, STR_NONE);
	return true;
}

/* Does it come from a page of ours?  RFC 6454 §7; the scheme may be that of a proxy before us. */
static bool is_own(struct str origin, struct str host)
{
	ssize_t at = str_find(origin, STR("://"));

	return at > 0 && host.l && str_ieq(str_from(origin, (size_t)at + 3), host);
}

bool cors_cross_site(const struct http_req *r)
{
	struct str origin = http_header(r, "Origin");

	if (strcmp(r->method, "GET") == 0 || origin_of(r) || is_own(origin, http_header(r, "Host")))
		return false;
	return origin.l || str_eq_c(http_header(r, "Sec-Fetch-Site"), "cross-site");
}

void cors_headers(const struct http_req *r, struct MHD_Response *resp)
{
	const char *origin = origin_of(r);

	if (r->l->s->n_origins)
		MHD_add_response_header(resp, "Vary", "Origin");
	if (!origin)
		return;
	MHD_add_response_header(resp, "Access-Control-Allow-Origin", origin);
	MHD_add_response_header(resp, "Access-Control-Expose-Headers", "ETag, Location");
}
