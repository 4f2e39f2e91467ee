/* common/config/include.c - files, `include`, and overriding: what a file says wins over what it includes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/config/private.h"

/* Files that are being read now, innermost first. */
struct chain {
	const struct chain *up;
	dev_t dev;
	ino_t ino;
	unsigned depth;
};

static struct raw *expand(struct cfg_load *l, struct raw *root, const struct chain *up);

static int read_all(int fd, struct buf *b)
{
	char chunk[16 * 1024];
	ssize_t n;

	while (!b->failed) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		buf_put(b, str_make(chunk, (size_t)n));
	}
	return -EFBIG;
}

/* Reads one file into b, knows it again by device and inode.  0, -errno; -ELOOP when it is being read already. */
static int slurp(const char *file, const struct chain *up, struct chain *ret, struct buf *b)
{
	struct stat st;
	int rc = 0, fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);		/* a FIFO must not hang the start */

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (S_ISDIR(st.st_mode))
		rc = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		rc = -ENOTSUP;
	for (const struct chain *c = up; c && rc == 0; c = c->up)
		if (c->dev == st.st_dev && c->ino == st.st_ino)
			rc = -ELOOP;
	if (rc == 0)
		rc = read_all(fd, b);
	close(fd);
	*ret = (struct chain){ up, st.st_dev, st.st_ino, up ? up->depth + 1 : 1 };
	return rc;
}

static struct raw *parse_file(struct cfg_load *l, const char *file, const struct chain *up, int *ret_rc)
{
	struct raw *root = NULL;
	struct chain here = { 0 };
	struct buf b;

	buf_init(&b, CFG_MAX_BYTES);
	*ret_rc = slurp(file, up, &here, &b);
	if (*ret_rc == 0)
		root = cfg_yaml_parse(l, buf_str(&b), file);
	if (root)
		root = expand(l, root, &here);
	buf_fini(&b);
	return root;
}

struct raw *cfg_read_file(struct cfg_load *l, const char *file, int *ret_rc)
{
	struct raw *root = parse_file(l, file, NULL, ret_rc);

	if (*ret_rc == -EFBIG)
		cfg_mistake(l, file, 1, 1, "the file is larger than 1 MiB");
	else if (*ret_rc < 0)
		cfg_mistake(l, file, 1, 1, "cannot be read: %s", strerror(-*ret_rc));
	return root;
}

void cfg_raw_drop(struct raw *map, const struct raw *gone)
{
	struct raw *prev = NULL;

	for (struct raw *r = map->first; r; prev = r, r = r->next) {
		if (r != gone)
			continue;
		if (prev)
			prev->next = r->next;
		else
			map->first = r->next;
		if (map->last == r)
			map->last = prev;
		map->n--;
		return;
	}
}

/* Adds to `own` what it does not say itself.  Sections are joined, anything else is one value. */
static void inherit(struct raw *own, struct raw *from)
{
	for (struct raw *r = from->first, *next, *mine; r; r = next) {
		next = r->next;
		mine = cfg_raw_find(own, r->key->text);
		if (mine && mine->kind == RAW_MAP && r->kind == RAW_MAP) {
			inherit(mine, r);
		} else if (!mine) {
			r->next = NULL;
			cfg_raw_append(own, r);
		}
	}
}

/* `name` as seen from the file that `r` stands in. */
char *cfg_path_beside(struct cfg_pool *pool, const struct raw *r, struct str name)
{
	ssize_t slash = str_rchr(str_from_c(r->file), '/');
	size_t dir = slash < 0 ? 0 : (size_t)slash + 1;
	char *path;

	if (name.l == 0 || name.p[0] == '/' || dir == 0)
		return cfg_pool_dup(pool, name);
	path = cfg_pool_alloc(pool, dir + name.l + 1);
	if (path) {
		memcpy(path, r->file, dir);
		memcpy(path + dir, name.p, name.l);
	}
	return path;
}

static struct raw *include_one(struct cfg_load *l, const struct raw *r, const struct chain *up)
{
	struct cfg_shown shown;
	struct raw *root;
	char *path;
	int rc = 0;

	if (r->kind != RAW_SCALAR || r->text.l == 0) {
		cfg_mistake_at(l, r, "include: must be a file name or a list of file names");
		return NULL;
	}
	if ((up && up->depth >= CFG_MAX_INCLUDE_DEPTH) || ++l->n_files > CFG_MAX_FILES) {
		cfg_mistake_at(l, r, "include: %s: too many files include each other", cfg_show(r->text, &shown));
		return NULL;
	}
	path = cfg_path_beside(l->pool, r, r->text);
	if (!path)
		return NULL;
	root = parse_file(l, path, up, &rc);
	if (rc == -ELOOP)
		cfg_mistake_at(l, r, "include: %s is being read already: the files include each other in a circle",
			       cfg_show(r->text, &shown));
	else if (rc == -EFBIG)
		cfg_mistake_at(l, r, "include: %s is larger than 1 MiB", cfg_show(r->text, &shown));
	else if (rc < 0)
		cfg_mistake_at(l, r, "include: %s cannot be read: %s", cfg_show(r->text, &shown), strerror(-rc));
	return root;
}

static struct raw *expand(struct cfg_load *l, struct raw *root, const struct chain *up)
{
	struct raw *inc = cfg_raw_find(root, STR("include")), **got, *one;
	size_t n = 0, i = 0;
	bool bad = false;

	if (!inc)
		return root;
	cfg_raw_drop(root, inc);
	if (inc->kind == RAW_MAP || cfg_raw_is_null(inc)) {
		cfg_mistake_at(l, inc, "include: must be a file name or a list of file names");
		return NULL;
	}
	n = inc->kind == RAW_SEQ ? inc->n : 1;
	got = cfg_pool_alloc(l->pool, (n + 1) * sizeof(*got));
	if (!got)
		return NULL;
	for (one = inc->kind == RAW_SEQ ? inc->first : inc; i < n; i++, one = one->next) {
		got[i] = include_one(l, one, up);
		bad |= !got[i];
	}
	while (i-- > 0)				/* of two included files the later one wins */
		if (got[i])
			inherit(root, got[i]);
	return bad ? NULL : root;
}

struct raw *cfg_include(struct cfg_load *l, struct raw *root)
{
	return expand(l, root, NULL);
}
