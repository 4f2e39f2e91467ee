/* tests/hss/test_state.c - what was put is there after kill -9 and after a new start. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/hss/state.h"
#include "tests/check.h"

static char dir[64];

static struct subs *people(void)
{
	struct subs *s;
	struct buf e;

	buf_init(&e, 4096);
	ck_assert_int_eq(subs_new(&s, STR("home")), 0);
	ck_assert_int_eq(subs_read_text(s, STR("- {imsi: \"1\", password: x}\n- {imsi: \"2\", password: x}\n"), "f", &e), 0);
	buf_fini(&e);
	return s;
}

static void remove_dir(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	unlink(path);
	rmdir(dir);
}

START_TEST(test_kill_loses_nothing)
{
	const struct sub_dyn d = { 0xffffffffffe1ull, SUB_REGISTERED, true, "sip:scscf.home:6060;lr", "scscf.home" };
	struct subs *s = people();
	struct state *st;
	pid_t child;
	int status;

	snprintf(dir, sizeof(dir), "hss-state-test.%d", (int)getpid());
	child = fork();
	if (child == 0) {
		if (state_open(&st, dir) < 0 || state_put(st, "1@home", &(struct sub_dyn){ .sqn = 1 }) < 0 || state_put(st, "1@home", &d) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the writer failed");
	ck_assert_int_eq(state_open(&st, dir), 0);
	ck_assert_int_eq(state_get(st, s, s->v[0]), 0);
	ck_assert(s->v[0]->d.sqn == d.sqn && s->v[0]->d.state == d.state && s->v[0]->d.auth_pending);
	ck_assert_str_eq(s->v[0]->d.server_name, d.server_name);
	ck_assert_str_eq(s->v[0]->d.server_host, d.server_host);
	ck_assert_int_eq(state_get(st, s, s->v[1]), -ENOENT);
	ck_assert_int_eq(state_put(st, "1@home", &(struct sub_dyn){ .sqn = 5 }), 0);
	ck_assert_int_eq(state_get(st, s, s->v[0]), 0);
	ck_assert(s->v[0]->d.sqn == 5 && !s->v[0]->d.server_name && !s->v[0]->d.server_host && s->v[0]->d.state == SUB_NOT_REGISTERED);
	ck_assert_int_eq(state_del(st, "1@home"), 0);
	ck_assert_int_eq(state_del(st, "1@home"), 0);
	ck_assert_int_eq(state_get(st, s, s->v[0]), -ENOENT);
	state_close(st);
	subs_free(s);
	remove_dir();
}
END_TEST

START_TEST(test_a_place_that_cannot_be_used)
{
	struct state *st;

	ck_assert_int_eq(state_open(&st, "no/such/place"), -ENOENT);
	ck_assert_str_eq(state_error(-ENOENT), "No such file or directory");
	ck_assert_int_lt(state_open(&st, "/dev/null"), 0);
}
END_TEST

static const struct { const char *text; int rc; } records[] = {
	{ "1 ff 1 0 sip:s scscf", 0 }, { "1 0 0 0 - -", 0 }, { "1 1000000000000 1 0 - -", -EBADMSG }, { "1 fx 1 0 - -", -EBADMSG },
	{ "1 ff 3 0 - -", -EBADMSG }, { "2 ff 1 0 - -", -EBADMSG }, { "1 ff 1 0 -", -EBADMSG }, { "1 -1 1 0 - -", -EBADMSG }, { "", -EBADMSG },
};

START_TEST(test_record)		/* found by fuzz_subs: a SQN of more than 48 bits */
{
	struct subs *s = people();
	struct sub_dyn d = { .sqn = 7 };

	ck_assert_msg(state_read_record(str_from_c(records[_i].text), s, &d) == records[_i].rc, "%s", records[_i].text);
	ck_assert(d.sqn >> 48 == 0 && (records[_i].rc == 0 || d.sqn == 7));
	subs_free(s);
}
END_TEST

TEST_MAIN("state", TEST_ROWS(test_record, records), TEST_ONE(test_kill_loses_nothing), TEST_ONE(test_a_place_that_cannot_be_used))
