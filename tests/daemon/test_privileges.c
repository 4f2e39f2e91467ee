/* tests/daemon/test_privileges.c - `user`: sockets opened as root, served by somebody who can do nothing else; row X12. */
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include "common/daemon/private.h"
#include "tests/check.h"

static void on_request(struct worker *w, struct tx_server *st, struct sip_msg *m)
{
	(void)w, (void)m;
	tx_server_reply(st, 501, NULL, STR_NONE);
}

static void on_ack(struct worker *w, struct sip_msg *m)
{
	(void)w, (void)m;
}

static const struct role_ops ops = { .request = on_request, .ack = on_ack };
static const struct cfg_row *const schemas[] = { cfg_common_schema, NULL };

static char dir[] = "/tmp/cscf-test-XXXXXX";

static void remove_dir(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/state/" TOKEN_KEY_FILE, dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/state", dir);
	rmdir(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static int start(struct stack **ret, struct daemon *d, const char *user)
{
	struct buf err;
	char text[512];

	buf_init(&err, 4096);
	snprintf(text, sizeof(text), "plmn: {mcc: \"001\", mnc: \"01\"}\nuser: %s\nworkers: 2\nsip:\n  listen: [\"udp:127.0.101.9:987\"]\n"
		 "state: {dir: %s/state}\n", user, dir);
	ck_assert_msg(cfg_load_text(str_from_c(text), "test", schemas, &d->config, &err) == 0, "%.*s", STR_ARG(buf_str(&err)));
	d->loop = loop_new();
	buf_fini(&err);
	return stack_start(ret, d, &ops, NULL);
}

static void stop(struct stack *s, struct daemon *d)
{
	stack_free(s);
	loop_free(d->loop);
	cfg_unref(d->config);
}

/* "CapEff:" of every thread is zero, and each belongs to uid. */
static void check_threads(uid_t uid)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *e;
	unsigned threads = 0;
	char path[300], line[256];

	ck_assert_ptr_nonnull(tasks);
	while ((e = readdir(tasks))) {
		unsigned long long caps = 1;
		unsigned u = 0;
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", e->d_name);
		f = fopen(path, "r");
		ck_assert_ptr_nonnull(f);
		while (fgets(line, sizeof(line), f)) {
			sscanf(line, "CapEff: %llx", &caps);
			sscanf(line, "Uid: %*u %u", &u);
		}
		fclose(f);
		ck_assert_msg(caps == 0 && u == uid, "thread %s: CapEff %llx, uid %u", e->d_name, caps, u);
		threads++;
	}
	closedir(tasks);
	ck_assert_uint_ge(threads, 3);
}

START_TEST(test_becomes_nobody)
{
	struct daemon d = { .name = "test" };
	struct stack *s = NULL;
	struct passwd *pw = getpwnam("nobody");
	char path[64];
	struct stat st;

	ck_assert_ptr_nonnull(pw);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chown(dir, pw->pw_uid, pw->pw_gid), 0);	/* so that it can be removed below */
	ck_assert_int_eq(start(&s, &d, "nobody"), 0);
	check_threads(pw->pw_uid);
	ck_assert_int_eq(setuid(0), -1);
	snprintf(path, sizeof(path), "%s/state/" TOKEN_KEY_FILE, dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, pw->pw_uid);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	stop(s, &d);
	remove_dir();
}
END_TEST

START_TEST(test_unknown_user)
{
	struct daemon d = { .name = "test" };
	struct stack *s = NULL;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(start(&s, &d, "no-such-user-here"), -ENOENT);
	ck_assert_uint_eq(geteuid(), 0);
	stop(s, &d);
	remove_dir();
}
END_TEST

TEST_MAIN_AS_ROOT("privileges", TEST_ONE(test_becomes_nobody), TEST_ONE(test_unknown_user))
