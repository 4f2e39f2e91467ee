/* common/http/route.c - which handler serves a path; path parameters. */
#include <errno.h>
#include <stdlib.h>
#include "common/http/private.h"

char *http_unescape(struct str in)
{
	char *out = malloc(in.l + 1);
	size_t n = 0;

	if (!out)
		return NULL;
	for (size_t i = 0; i < in.l; i++) {
		uint8_t octet;
		size_t got;

		if (in.p[i] != '%') {
			out[n++] = in.p[i];
			continue;
		}
		if (i + 2 >= in.l || hex_decode(str_make(in.p + i + 1, 2), &octet, 1, &got) < 0 || octet == 0) {
			free(out);
			return NULL;
		}
		out[n++] = (char)octet;
		i += 2;
	}
	out[n] = '\0';
	return out;
}

static void params_clear(struct http_req *r)
{
	for (unsigned i = 0; i < r->n_params; i++)
		free(r->param[i].value);
	r->n_params = 0;
}

static bool is_param(struct str seg)
{
	return seg.l > 2 && seg.p[0] == '{' && seg.p[seg.l - 1] == '}';
}

/* r NULL: only whether the path fits. */
static bool path_matches(const char *pattern, const char *path, struct http_req *r)
{
	struct str pat = str_from_c(pattern), in = str_from_c(path);

	for (;;) {
		struct str pseg, iseg;
		bool pmore = str_cut(pat, '/', &pseg, &pat), imore = str_cut(in, '/', &iseg, &in);

		if (is_param(pseg)) {
			if (iseg.l == 0)
				return false;
			if (r && r->n_params < HTTP_MAX_PARAMS) {
				char *value = http_unescape(iseg);

				if (!value)
					return false;
				r->param[r->n_params].name = str_make(pseg.p + 1, pseg.l - 2);
				r->param[r->n_params++].value = value;
			}
		} else if (!str_eq(pseg, iseg)) {
			return false;
		}
		if (pmore != imore)
			return false;
		if (!pmore)
			return true;
	}
}

const struct http_route *http_route_find(struct http_server *s, struct http_req *r, bool *ret_known_path)
{
	*ret_known_path = false;
	for (unsigned t = 0; t < s->n_tables; t++) {
		for (const struct http_route *e = s->table[t].routes; e->method; e++) {
			params_clear(r);
			if (!path_matches(e->path, r->path, r))
				continue;
			*ret_known_path = true;
			if (strcmp(e->method, r->method) == 0 ||
			    (strcmp(r->method, "HEAD") == 0 && strcmp(e->method, "GET") == 0)) {
				r->u = s->table[t].u;
				return e;
			}
		}
	}
	params_clear(r);
	return NULL;
}

void http_route_allow(const struct http_server *s, const char *path, struct buf *out)
{
	for (unsigned t = 0; t < s->n_tables; t++) {
		for (const struct http_route *e = s->table[t].routes; e->method; e++) {
			if (!path_matches(e->path, path, NULL))
				continue;
			if (out->l)
				buf_puts(out, ", ");
			buf_puts(out, e->method);
		}
	}
}

struct str http_param(const struct http_req *r, const char *name)
{
	for (unsigned i = 0; i < r->n_params; i++)
		if (str_eq_c(r->param[i].name, name))
			return str_from_c(r->param[i].value);
	return STR_NONE;
}
