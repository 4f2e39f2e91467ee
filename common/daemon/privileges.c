/* common/daemon/privileges.c - from root to an ordinary user once every socket is open. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/daemon/private.h"
#include "common/log/log.h"

#define PASSWD_BYTES 16384

static int refuse(const char *user, const char *why, int rc)
{
	log_error(LOG_CORE, "the user cannot be changed", LOG_C("user", user), LOG_C("why", why));
	return rc;
}

/* What we made in state.dir as root must stay ours. */
static int give(const char *dir, const char *name, uid_t uid, gid_t gid)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s%s%s", dir, name ? "/" : "", name ? name : "");
	if (fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

/* Token key, state file, journals: all that lies there. */
static int give_all(const char *dir, uid_t uid, gid_t gid)
{
	int rc = give(dir, NULL, uid, gid);
	const struct dirent *e;
	DIR *d = rc < 0 ? NULL : opendir(dir);

	if (!d)
		return rc < 0 ? rc : errno == ENOENT ? 0 : -errno;
	while (rc == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = give(dir, e->d_name, uid, gid);
	closedir(d);
	return rc;
}

int privileges_drop(const char *user, const char *state_dir)
{
	struct passwd pw, *found = NULL;
	char text[PASSWD_BYTES];
	int rc = 0;

	if (!user || !*user) {
		if (geteuid() == 0)
			log_info(LOG_CORE, "running as root: the key `user` names another user");
		return 0;
	}
	if (getpwnam_r(user, &pw, text, sizeof(text), &found) != 0 || !found)
		return refuse(user, "there is no such user", -ENOENT);
	if (geteuid() != 0)
		return geteuid() == pw.pw_uid ? 0 : refuse(user, "only root can", -EPERM);
	if (state_dir && *state_dir && (rc = give_all(state_dir, pw.pw_uid, pw.pw_gid)) < 0)
		return refuse(user, "state.dir cannot be given to it", rc);
	/* The C library does this for every thread of the process. */
	if (initgroups(user, pw.pw_gid) < 0 || setresgid(pw.pw_gid, pw.pw_gid, pw.pw_gid) < 0 ||
	    setresuid(pw.pw_uid, pw.pw_uid, pw.pw_uid) < 0)
		return refuse(user, strerror(errno), -errno);
	if (pw.pw_uid != 0 && setuid(0) == 0)
		return refuse(user, "the way back to root is open", -EPERM);
	log_info(LOG_CORE, "privileges dropped", LOG_C("user", user));
	return 0;
}
