/* common/util/file.c - reading a file whole, and replacing it so that nobody ever sees half of it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/util/file.h"

int file_read(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	char chunk[16 * 1024];
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while (!out->failed && ((n = read(fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0)
			buf_put(out, str_make(chunk, (size_t)n));
	if (n < 0)
		rc = -errno;
	close(fd);
	return rc < 0 ? rc : out->failed ? -EFBIG : 0;
}

static int write_all(int fd, struct str text)
{
	while (text.l) {
		ssize_t n = write(fd, text.p, text.l);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			text = str_from(text, (size_t)n);
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The name of the file must be on the disk too. */
static void sync_folder(const char *path)
{
	ssize_t slash = str_rchr(str_from_c(path), '/');
	char folder[PATH_MAX];
	int fd;

	if (!str_copy(slash < 0 ? STR(".") : slash == 0 ? STR("/") : str_make(path, (size_t)slash), folder, sizeof(folder)))
		return;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!fsync(fd);			/* a file system that cannot has nothing to lose */
	close(fd);
}

int file_replace(const char *path, struct str text, mode_t mode)
{
	char real[PATH_MAX], fresh[PATH_MAX + 16];
	struct stat st;
	bool there;
	int fd, rc = 0;

	if (!realpath(path, real) && (errno != ENOENT || !str_copy(str_from_c(path), real, sizeof(real))))
		return -errno;
	there = stat(real, &st) == 0;
	snprintf(fresh, sizeof(fresh), "%s.new-XXXXXX", real);
	fd = mkostemp(fresh, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Only root gives files away; to its own group anybody may, and else the mode must not let others in. */
	if (there && fchown(fd, st.st_uid, st.st_gid) < 0 && (st.st_uid != geteuid() || st.st_gid != getegid()))
		rc = -errno;
	if (rc == 0 && fchmod(fd, there ? st.st_mode & 07777 : mode) < 0)
		rc = -errno;
	if (rc == 0)
		rc = write_all(fd, text);
	close(fd);
	if (rc == 0 && rename(fresh, real) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(fresh);
	else
		sync_folder(real);
	return rc;
}
