/* common/daemon/revisions.c - config-NNNNNNNN.yaml in state.dir: a line that says whose it is, then the text. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/daemon/revisions.h"
#include "common/log/log.h"
#include "common/util/clock.h"
#include "common/util/file.h"

#define TEXT_BYTES ((1u << 20) + 512)
#define PATH_BYTES 4096

struct revisions {
	char *dir;
	unsigned max;
	struct revision *v;		/* oldest first; room for max + 1 */
	unsigned n;
	uint32_t newest;
	struct buf text;		/* of the newest */
};

static void path_of(const struct revisions *r, uint32_t number, char dst[PATH_BYTES])
{
	snprintf(dst, PATH_BYTES, "%s/config-%08u.yaml", r->dir, number);
}

/* The first line; what follows is the text.  False: it is none of ours. */
static bool read_one(const struct revisions *r, uint32_t number, struct revision *ret, struct buf *text)
{
	unsigned long long wall_us;
	struct str line, rest;
	char path[PATH_BYTES], head[160];
	struct buf all;
	bool good;

	path_of(r, number, path);
	buf_init(&all, TEXT_BYTES);
	memset(ret, 0, sizeof(*ret));
	good = file_read(path, &all) == 0 && str_cut(buf_str(&all), '\n', &line, &rest) && str_copy(line, head, sizeof(head)) &&
	       sscanf(head, "# revision %u %llu %11s %63[^\n]", &ret->number, &wall_us, ret->origin, ret->by) >= 3 && ret->number == number;
	if (good) {
		ret->wall_us = wall_us;
		if (text)
			buf_put(text, rest);
	}
	buf_fini(&all);
	return good;
}

static int by_number(const void *a, const void *b)
{
	const struct revision *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static void forget_oldest(struct revisions *r)
{
	char path[PATH_BYTES];

	path_of(r, r->v[0].number, path);
	unlink(path);
	memmove(r->v, r->v + 1, --r->n * sizeof(*r->v));
}

/* More than max lie there when the limit was lowered: the numbers are sorted in as they come, the least goes. */
static void found(struct revisions *r, uint32_t number)
{
	struct revision one;

	if (!read_one(r, number, &one, NULL))
		return;
	r->v[r->n++] = one;
	qsort(r->v, r->n, sizeof(*r->v), by_number);
	if (r->n > r->max)
		forget_oldest(r);
}

static void scan(struct revisions *r)
{
	const struct dirent *e;
	DIR *d = opendir(r->dir);
	char tail[8];
	unsigned n;

	while (d && (e = readdir(d))) {
		if (sscanf(e->d_name, "config-%8u.%7s", &n, tail) != 2 || strcmp(tail, "yaml") != 0)
			continue;
		r->newest = n > r->newest ? n : r->newest;
		found(r, n);
	}
	if (d)
		closedir(d);
}

struct revisions *revisions_open(const char *dir, unsigned max)
{
	struct revisions *r = calloc(1, sizeof(*r));
	struct revision last;

	if (!r)
		return NULL;
	buf_init(&r->text, TEXT_BYTES);
	r->max = max;
	r->v = calloc((size_t)max + 1, sizeof(*r->v));
	r->dir = dir && *dir && max ? strdup(dir) : NULL;
	if (!r->v || (dir && *dir && max && !r->dir)) {
		revisions_free(r);
		return NULL;
	}
	if (r->dir)
		scan(r);
	if (r->n && r->v[r->n - 1].number == r->newest)
		read_one(r, r->newest, &last, &r->text);
	return r;
}

static void wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_fini(b);
	buf_init(b, TEXT_BYTES);
}

void revisions_free(struct revisions *r)
{
	if (!r)
		return;
	wipe(&r->text);
	free(r->v);
	free(r->dir);
	free(r);
}

static int keep(struct revisions *r, const struct revision *one, struct str text)
{
	char path[PATH_BYTES];
	struct buf all;
	int rc;

	path_of(r, one->number, path);
	buf_init(&all, TEXT_BYTES);
	buf_printf(&all, "# revision %u %llu %s %s\n", one->number, (unsigned long long)one->wall_us, one->origin, one->by);
	buf_put(&all, text);
	rc = all.failed ? -EFBIG : file_replace(path, buf_str(&all), 0600);
	wipe(&all);
	return rc;
}

void revisions_add(struct revisions *r, struct str text, const char *origin, const char *by)
{
	struct revision one = { .wall_us = clock_wall_us() };
	int rc;

	if (r->newest && str_eq(text, buf_str(&r->text)))
		return;
	one.number = ++r->newest;
	snprintf(one.origin, sizeof(one.origin), "%s", origin);
	snprintf(one.by, sizeof(one.by), "%s", by);
	for (char *c = one.by; *c; c++)
		*c = (unsigned char)*c < ' ' ? '?' : *c;
	wipe(&r->text);
	buf_put(&r->text, text);
	if (!r->dir)
		return;
	rc = keep(r, &one, text);
	if (rc < 0) {
		log_error(LOG_CONF, "a revision of the configuration cannot be kept", LOG_C("dir", r->dir), LOG_C("error", strerror(-rc)));
		return;
	}
	r->v[r->n++] = one;
	if (r->n > r->max)
		forget_oldest(r);
}

uint32_t revisions_newest(const struct revisions *r)
{
	return r->newest;
}

struct str revisions_text(const struct revisions *r)
{
	return buf_str(&r->text);
}

size_t revisions_list(const struct revisions *r, uint32_t before, struct revision *ret, size_t max)
{
	size_t n = 0;

	for (unsigned i = r->n; i-- > 0 && n < max; )
		if (before == 0 || r->v[i].number < before)
			ret[n++] = r->v[i];
	return n;
}

int revisions_read(const struct revisions *r, uint32_t number, struct buf *text)
{
	struct revision one;

	for (unsigned i = 0; i < r->n; i++)
		if (r->v[i].number == number)
			return read_one(r, number, &one, text) ? 0 : -EIO;
	return -ENOENT;
}
