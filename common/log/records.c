/* common/log/records.c - see lines.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "common/log/records.h"

#define MAX_PATH 4096

struct records {
	char *path;
	uint64_t max_bytes, bytes;
	unsigned keep;
	int fd;				/* -1: not open */
	dev_t dev;
	ino_t ino;
};

static int open_file(struct records *l)
{
	struct stat st;

	if (l->fd >= 0)
		close(l->fd);
	l->fd = open(l->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (l->fd < 0)
		return -errno;
	if (fstat(l->fd, &st) < 0)
		return -errno;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	l->bytes = (uint64_t)st.st_size;
	return 0;
}

/* FILE.1 is the youngest. */
static void rotate(const struct records *l)
{
	char from[MAX_PATH], to[MAX_PATH];

	for (unsigned i = l->keep; i > 0; i--) {
		snprintf(to, sizeof(to), "%s.%u", l->path, i);
		if (i > 1)
			snprintf(from, sizeof(from), "%s.%u", l->path, i - 1);
		else
			snprintf(from, sizeof(from), "%s", l->path);
		if (rename(from, to) < 0 && errno != ENOENT)
			return;
	}
	if (l->keep == 0)
		unlink(l->path);
}

static bool is_moved(const struct records *l)
{
	struct stat st;

	return stat(l->path, &st) < 0 || st.st_dev != l->dev || st.st_ino != l->ino;
}

int records_open(struct records **ret, const char *path, uint64_t max_bytes, unsigned keep)
{
	struct records *l = calloc(1, sizeof(*l));
	int rc = -ENOMEM;

	if (l && strlen(path) + 16 > MAX_PATH)
		rc = -ENAMETOOLONG;
	else if (l && (l->path = strdup(path))) {
		l->fd = -1;
		l->max_bytes = max_bytes;
		l->keep = keep;
		rc = open_file(l);
	}
	if (rc < 0) {
		records_close(l);
		l = NULL;
	}
	*ret = l;
	return rc;
}

void records_close(struct records *l)
{
	if (!l)
		return;
	if (l->path && l->fd >= 0)
		close(l->fd);
	free(l->path);
	free(l);
}

int records_put(struct records *l, struct str line)
{
	struct iovec v[] = { { (void *)(uintptr_t)line.p, line.l }, { (void *)(uintptr_t)"\n", 1 } };
	ssize_t n;
	int rc = 0;

	if (l->fd >= 0 && l->bytes && l->bytes + line.l + 1 > l->max_bytes)
		rotate(l);
	if (l->fd < 0 || is_moved(l))
		rc = open_file(l);
	if (rc < 0)
		return rc;
	n = writev(l->fd, v, 2);
	if (n < 0)
		return -errno;
	if ((size_t)n != line.l + 1) {		/* a full disk took a part of it: back to where it was */
		if (ftruncate(l->fd, (off_t)l->bytes) < 0)
			l->bytes += (uint64_t)n;
		return -ENOSPC;
	}
	l->bytes += (uint64_t)n;
	return 0;
}
