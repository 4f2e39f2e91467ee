/* common/daemon/rest_open.c - the REST server by the configuration: tokens with roles, TLS, the unix socket. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/daemon/private.h"
#include "common/log/log.h"

#define MAX_FILE_BYTES (256u * 1024)

struct rest_files {			/* texts on the heap */
	char *tokens, *cert, *key, *client_ca;
	struct http_token token[HTTP_MAX_TOKENS];	/* slices of tokens */
	size_t n_tokens;
	bool open_to_all;		/* the file of tokens can be read by everybody */
};

static void files_free(struct rest_files *f)
{
	char *const all[] = { f->tokens, f->cert, f->key, f->client_ca };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i])
			explicit_bzero(all[i], strlen(all[i]));
		free(all[i]);
	}
}

int rest_slurp(const char *path, char **ret, bool *ret_open_to_all)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;		/* a FIFO must not hang the main loop */
	struct stat st;
	size_t l = 0;
	ssize_t n;
	char *text;

	if (fd < 0)
		return -errno;
	text = calloc(1, MAX_FILE_BYTES + 1);
	if (!text)
		rc = -ENOMEM;
	else if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -ENOTSUP;
	while (rc == 0 && (n = read(fd, text + l, MAX_FILE_BYTES - l)) != 0) {
		if (n < 0)
			rc = -errno;
		else if ((l += (size_t)n) == MAX_FILE_BYTES)
			rc = -EFBIG;
	}
	if (rc == 0 && ret_open_to_all)
		*ret_open_to_all = st.st_mode & S_IROTH;
	close(fd);
	if (rc < 0) {
		free(text);
		return rc;
	}
	*ret = text;
	return 0;
}

/* The next word of *line, NUL-terminated in place; NULL at its end. */
static char *word(char **line)
{
	char *w = *line + strspn(*line, " \t\r");
	size_t l = strcspn(w, " \t\r");

	if (l == 0)
		return NULL;
	*line = w + l;
	if (**line)
		*(*line)++ = '\0';
	return w;
}

/* NULL, or what is wrong with a line. */
static const char *token_line(struct rest_files *f, char *line)
{
	char *token = word(&line), *role = token ? word(&line) : NULL, *name = role ? word(&line) : NULL;
	struct http_token *t = &f->token[f->n_tokens];

	if (!token || token[0] == '#')
		return NULL;
	if (f->n_tokens == HTTP_MAX_TOKENS)
		return "has too many tokens";
	*t = (struct http_token){ token, HTTP_ADMIN, name ? name : "token" };
	if (role && http_role_from_name(str_from_c(role), &t->role) < 0)
		return "names a role that is not view, operate or admin";
	f->n_tokens++;
	return NULL;
}

static const char *read_tokens(struct rest_files *f)
{
	char *line = f->tokens, *next;
	const char *why = NULL;

	for (; line && !why; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		why = token_line(f, line);
	}
	return why ? why : f->n_tokens ? NULL : "holds no token";
}

/* NULL, or what is wrong, with the key that it is about. */
static const char *read_files(const struct cfg_node *r, struct rest_files *f, const char **ret_key)
{
	const struct { const char *key; char **to; } pem[] = {
		{ "rest.tls.cert_file", &f->cert }, { "rest.tls.key_file", &f->key }, { "rest.tls.client_ca_file", &f->client_ca } };
	int rc;

	*ret_key = "rest.token_file";
	if (cfg_has(r, "rest.token_file")) {
		if ((rc = rest_slurp(cfg_cstr(r, "rest.token_file"), &f->tokens, &f->open_to_all)) < 0)
			return strerror(-rc);
		if (read_tokens(f))
			return "holds no token, or one with an unknown role";
	}
	for (size_t i = 0; i < sizeof(pem) / sizeof(pem[0]); i++) {
		*ret_key = pem[i].key;
		if (!cfg_has(r, pem[i].key))
			continue;
		if ((rc = rest_slurp(cfg_cstr(r, pem[i].key), pem[i].to, NULL)) < 0)
			return strerror(-rc);
		if (!strstr(*pem[i].to, "-----BEGIN "))
			return "is no PEM";
	}
	return NULL;
}

void rest_check_config(const struct cfg *c, struct buf *errors)
{
	const struct cfg_node *r = cfg_root(c);
	struct rest_files f = { 0 };
	const char *key, *why = read_files(r, &f, &key);

	/* A token file that is made later is no mistake of the configuration; a wrong one is. */
	if (why && (strcmp(key, "rest.token_file") != 0 || f.tokens))
		cfg_error(r, key, errors, "%s: %s %s", key, cfg_cstr(r, key), why);
	files_free(&f);
}

/* The token of rest.token or the first of rest.token_file, on the heap; NULL when neither is there.  A file that was named must yield one. */
static int first_token(const struct cfg_node *r, char **ret)
{
	const char *file = cfg_cstr(r, "rest.token_file"), *direct = cfg_cstr(r, "rest.token");
	struct rest_files f = { 0 };
	int rc;

	*ret = NULL;
	if (direct && *direct) {
		*ret = strdup(direct);
		return *ret ? 0 : -ENOMEM;
	}
	if (!file || !*file)
		return 0;
	rc = rest_slurp(file, &f.tokens, NULL);
	if (rc == 0 && read_tokens(&f))
		rc = -ENODATA;
	if (rc == 0 && !(*ret = strdup(f.token[0].token)))
		rc = -ENOMEM;
	files_free(&f);
	if (rc < 0)
		log_error(LOG_REST, "the token file cannot be used", LOG_C("file", file), LOG_C("error", strerror(-rc)));
	return rc;
}

int daemon_rest_open(struct loop *l, const char *nf, const struct cfg_node *root, const struct http_route *routes, void *u, struct http_server **ret)
{
	struct http_config c = { .nf = nf, .unix_socket = cfg_cstr(root, "rest.unix_socket") };
	char *token = NULL;
	int rc;

	if (!cfg_has(root, "rest"))
		return 0;
	if (cfg_has(root, "rest.listen") && addr_parse_hostport(cfg_str(root, "rest.listen"), 8080, &c.listen) < 0)
		return -EINVAL;
	rc = first_token(root, &token);
	if (rc < 0)
		return rc;
	c.token = token;
	rc = http_server_new(ret, l, &c);
	if (token)
		explicit_bzero(token, strlen(token));
	free(token);
	if (rc < 0)
		log_error(LOG_REST, "the REST interface cannot be opened", LOG_C("error", strerror(-rc)));
	else
		http_server_routes(*ret, routes, u);
	return rc;
}

static void settings(const struct stack *s, const struct rest_files *f, struct http_config *c)
{
	const struct cfg_node *r = cfg_root(s->config);

	c->nf = s->daemon->name;
	c->unix_socket = cfg_has(r, "rest.unix_socket") ? cfg_cstr(r, "rest.unix_socket") : NULL;
	c->token = cfg_has(r, "rest.token") ? cfg_cstr(r, "rest.token") : NULL;
	c->tokens = f->token;
	c->n_tokens = f->n_tokens;
	c->requests_per_s = (unsigned)cfg_int(r, "rest.requests_per_s");
	c->tls_cert = f->cert;
	c->tls_key = f->key;
	c->tls_client_ca = f->client_ca;
	c->client_role = HTTP_VIEW;
	http_role_from_name(cfg_str(r, "rest.tls.client_role"), &c->client_role);
	if (!addr_is_set(&c->listen))
		return;
	if (!c->token && !c->n_tokens && !c->tls_client_ca)
		log_warn(LOG_REST, "no rest.token_file: over TCP only the open resources are served");
	if (f->open_to_all)
		log_warn(LOG_REST, "everybody can read rest.token_file: chmod o-r", LOG_C("file", cfg_cstr(r, "rest.token_file")));
	if (!c->tls_cert && !addr_is_loopback(&c->listen))
		log_warn(LOG_REST, "REST in clear beyond loopback: tokens can be read on the way; rest.tls");
}

/* On SIGHUP.  A file that cannot be read any more takes no token away: nobody must be locked out by a slip. */
void rest_tokens_use(struct stack *s, const struct cfg *c)
{
	const struct cfg_node *r = cfg_root(c);
	struct rest_files f = { 0 };
	const char *file = cfg_cstr(r, "rest.token_file");
	int rc = file && *file ? rest_slurp(file, &f.tokens, &f.open_to_all) : 0;
	bool good = rc == 0 && (!f.tokens || !read_tokens(&f));

	if (!s->http)
		return;
	if (good)
		rc = http_server_tokens(s->http, cfg_has(r, "rest.token") ? cfg_cstr(r, "rest.token") : NULL, f.token, f.n_tokens);
	if (!good || rc < 0)
		log_error(LOG_REST, good ? "the tokens cannot be kept" : "the token file cannot be used: the old tokens stay",
			  LOG_C("file", file ? file : ""), LOG_C("error", rc < 0 ? strerror(-rc) : "a wrong line"));
	else
		s->open_to_all = f.open_to_all;
	files_free(&f);
}

static const struct http_route *const tables[] = {
	stack_routes, status_routes, events_routes, operations_routes, drain_routes, traces_routes, bans_routes, explain_routes, sip_rest_routes,
	connections_routes, ping_routes, dns_routes, tls_routes, peers_routes, bundle_routes, console_routes, config_routes, config_change_routes, config_revisions_routes,
	alarms_routes,
};

int stack_rest_open(struct stack *s)
{
	const struct cfg_node *r = cfg_root(s->config);
	struct rest_files f = { 0 };
	char *origins[HTTP_MAX_ORIGINS];
	struct http_config c = { .origins = (const char *const *)origins };
	const char *key, *why;
	int rc = 0;

	if (!cfg_has(r, "rest"))
		return 0;
	why = read_files(r, &f, &key);
	if (why || (cfg_has(r, "rest.listen") && addr_parse_hostport(cfg_str(r, "rest.listen"), 8080, &c.listen) < 0)) {
		log_error(LOG_REST, "a file of the REST interface cannot be used", LOG_C("key", key), LOG_C("error", why ? why : "rest.listen"));
		rc = -EINVAL;
	} else {
		settings(s, &f, &c);
		s->open_to_all = f.open_to_all;
		rc = console_load(&s->console, r);
		if (rc < 0)
			log_error(LOG_REST, "the console cannot be read", LOG_C("dir", cfg_cstr(r, "rest.console_dir")),
				  LOG_C("error", strerror(-rc)));
	}
	if (rc == 0) {
		c.n_origins = console_origins(r, origins);
		rc = http_server_new(&s->http, s->main_loop, &c);
		while (c.n_origins)
			free(origins[--c.n_origins]);
		if (rc < 0)
			log_error(LOG_REST, "the REST interface cannot be opened",
				  LOG_C("listen", addr_is_set(&c.listen) ? cfg_cstr(r, "rest.listen") : c.unix_socket),
				  LOG_C("error", strerror(-rc)));
	}
	files_free(&f);
	if (rc < 0 || (rc = events_init(s)) < 0 || (rc = alarms_init(s)) < 0 || (rc = operations_init(s)) < 0 || (rc = traces_init(s)) < 0)
		return rc;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		http_server_routes(s->http, tables[i], s);
	http_server_routes(s->http, http_audit_routes, s->http);
	http_server_shapes(s->http, stack_shapes);
	if (s->ops->shapes)
		http_server_shapes(s->http, s->ops->shapes);
	if (s->ops->routes)
		http_server_routes(s->http, s->ops->routes, s->u);
	return 0;
}
