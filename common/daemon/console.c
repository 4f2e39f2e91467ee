/* common/daemon/console.c - the web console: the files of rest.console_dir, read once; nothing in them is secret, the page asks for a token. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"
#include "common/log/log.h"

#define CONSOLE_MAX_FILES 16

struct console {
	struct {
		char *name;
		const char *type;
		char *text;
	} file[CONSOLE_MAX_FILES];
	size_t n;
	char *policy;			/* Content-Security-Policy */
};

static const struct { const char *end, *type; } types[] = {
	{ ".html", "text/html; charset=utf-8" },
	{ ".css", "text/css; charset=utf-8" },
	{ ".js", "text/javascript; charset=utf-8" },
	{ ".svg", "image/svg+xml" },
};

static const char *type_of(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_ends(str_from_c(name), str_from_c(types[i].end)))
			return types[i].type;
	return NULL;
}

/* Scripts and styles from here only; it may ask this daemon and its neighbours. */
static char *policy_for(const struct cfg_node *r)
{
	struct buf b;
	char *text;

	buf_init(&b, 8192);
	buf_puts(&b, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
		     "form-action 'none'; frame-ancestors 'none'; connect-src 'self'");
	for (size_t i = 0; i < cfg_list_len(r, "rest.neighbours"); i++) {
		struct str o = cfg_strs_at(r, "rest.neighbours", i);

		buf_printf(&b, " %.*s", STR_ARG(o));
	}
	buf_putc(&b, '\0');
	text = b.failed ? NULL : strdup(b.p);
	buf_fini(&b);
	return text;
}

static int file_add(struct console *c, const char *dir, const char *name, const char *type)
{
	char path[4096];
	int rc;

	if (c->n == CONSOLE_MAX_FILES)
		return -ENFILE;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return -ENAMETOOLONG;
	rc = rest_slurp(path, &c->file[c->n].text, NULL);
	if (rc < 0)
		return rc;
	c->file[c->n].name = strdup(name);
	c->file[c->n].type = type;
	return c->file[c->n++].name ? 0 : -ENOMEM;
}

int console_load(struct console **ret, const struct cfg_node *r)
{
	const char *dir = cfg_cstr(r, "rest.console_dir");
	struct console *c;
	struct dirent *e;
	DIR *d;
	int rc = 0;

	*ret = NULL;
	if (!dir || !*dir)
		return 0;
	d = opendir(dir);
	if (!d)
		return -errno;
	c = calloc(1, sizeof(*c));
	if (!c)
		rc = -ENOMEM;
	while (rc == 0 && (e = readdir(d)))
		if (e->d_name[0] != '.' && type_of(e->d_name))
			rc = file_add(c, dir, e->d_name, type_of(e->d_name));
	closedir(d);
	if (rc == 0 && !(c->policy = policy_for(r)))
		rc = -ENOMEM;
	if (rc < 0)
		console_free(c);
	else
		*ret = c;
	return rc;
}

void console_free(struct console *c)
{
	if (!c)
		return;
	while (c->n--) {
		free(c->file[c->n].name);
		free(c->file[c->n].text);
	}
	free(c->policy);
	free(c);
}

size_t console_origins(const struct cfg_node *r, char *ret[HTTP_MAX_ORIGINS])
{
	size_t n = 0;

	for (; n < cfg_list_len(r, "rest.neighbours") && n < HTTP_MAX_ORIGINS; n++) {
		struct str o = cfg_strs_at(r, "rest.neighbours", n);

		ret[n] = strndup(o.p, o.l);
		if (!ret[n])
			break;
	}
	return n;
}

static void serve(const struct stack *s, struct http_req *r, struct str name)
{
	const struct console *c = s->console;

	for (size_t i = 0; c && i < c->n; i++) {
		if (!str_eq_c(name, c->file[i].name))
			continue;
		http_set_header(r, "Content-Security-Policy", c->policy);
		http_set_header(r, "Referrer-Policy", "no-referrer");
		http_reply(r, 200, c->file[i].type, str_from_c(c->file[i].text));
		return;
	}
	if (c)
		http_problem(r, 404, "RESOURCE_NOT_FOUND", "the console has no such file");
	else
		http_problem(r, 404, "NO_CONSOLE", "rest.console_dir names no folder");
}

static void get_console(void *u, struct http_req *r)
{
	serve(u, r, STR("index.html"));
}

static void get_console_file(void *u, struct http_req *r)
{
	serve(u, r, http_param(r, "file"));
}

const struct http_route console_routes[] = {
	{ "GET", "/console", HTTP_OPEN, get_console, "The web console; it asks for a token." },
	{ "GET", "/console/{file}", HTTP_OPEN, get_console_file, "A file of the web console." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
