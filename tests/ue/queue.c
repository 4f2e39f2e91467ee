/* tests/ue/queue.c - commands from stdin or -e, one after the other, and `wait` for an event.
 *
 * A list of -e goes on when a command has its outcome; from stdin only `wait` and `pause` hold up what follows. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "tests/ue/commands.h"

#define WAIT_DEFAULT_S 30u
#define OUTCOME_S 300u			/* a command of -e without an outcome: longer than any 64*T1 */
#define MAX_LINE 16384

struct queued {
	struct list link;
	char *text;
};

struct seen {
	struct list link;
	char name[32];
	bool bad;				/* a failure that no `wait` has asked for yet */
};

/* ---- splitting ---- */

bool command_next(struct str *rest, struct str *ret)
{
	while (rest->l) {
		size_t i = 0;

		while (i < rest->l && rest->p[i] != '\n' &&
		       !(rest->p[i] == ';' && (i + 1 == rest->l || strchr(" \t\r\n", rest->p[i + 1]))))
			i++;
		*ret = str_trim(str_head(*rest, i));
		*rest = str_from(*rest, i < rest->l ? i + 1 : i);
		if (ret->l)
			return true;
	}
	return false;
}

struct str command_word(struct str *rest)
{
	struct str w;

	*rest = str_trim(*rest);
	str_cut(*rest, ' ', &w, rest);
	*rest = str_trim(*rest);
	return w;
}

/* ---- the queue ---- */

static void pump_soon(struct ue *u)
{
	timer_start(loop_wheel(u->loop), &u->q.pump, 0);
}

static void seen_drop(struct command_queue *q, struct seen *s, bool asked_for)
{
	if (s->bad && !asked_for && q->script)
		q->failed = true;
	list_del(&s->link);
	free(s);
}

static void seen_clear(struct command_queue *q)
{
	while (!list_empty(&q->seen))
		seen_drop(q, list_entry(q->seen.next, struct seen, link), false);
}

/* Has it come since the last command?  What came before it is forgotten with it. */
static bool seen_take(struct command_queue *q, const char *name)
{
	struct list *p;
	bool there = false;

	list_for_each(p, &q->seen)
		there = there || !strcmp(list_entry(p, struct seen, link)->name, name);
	while (there) {
		struct seen *s = list_entry(q->seen.next, struct seen, link);
		bool it = !strcmp(s->name, name);

		seen_drop(q, s, it);
		if (it)
			return true;
	}
	return false;
}

int queue_quit(struct ue *u, struct str args)
{
	(void)args;
	seen_clear(&u->q);			/* failures that nobody asked for count now */
	loop_stop(u->loop, u->q.failed ? 1 : 0);
	return 0;
}

int queue_wait(struct ue *u, struct str args)
{
	struct command_queue *q = &u->q;
	struct str name = command_word(&args);
	uint32_t s = WAIT_DEFAULT_S;

	if (!name.l || !str_copy(name, q->wait_for, sizeof(q->wait_for)) || (args.l && str_to_u32(args, &s) < 0)) {
		q->wait_for[0] = '\0';
		return -EINVAL;
	}
	if (seen_take(q, q->wait_for))
		q->wait_for[0] = '\0';
	else
		timer_start(loop_wheel(u->loop), &q->wait_timer, 1000ull * s);
	return 0;
}

static void on_pause_end(struct timer *t)
{
	struct ue *u = container_of(t, struct ue, q.pause_timer);

	pump_soon(u);
}

int queue_pause(struct ue *u, struct str args)
{
	char text[32], *end;
	double s = str_copy(args, text, sizeof(text)) ? strtod(text, &end) : -1;

	if (!args.l || s < 0 || s > 86400 || *end)
		return -EINVAL;
	timer_start(loop_wheel(u->loop), &u->q.pause_timer, (uint64_t)(1000 * s));
	return 0;
}

static bool held_up(const struct command_queue *q)
{
	return q->wait_for[0] || q->running || timer_pending(&q->pause_timer);
}

static void run(struct ue *u, struct str line)
{
	struct command_queue *q = &u->q;
	struct str args = line, name = command_word(&args);
	const struct command *c = command_find(name);
	int rc;

	if (!c) {
		event_error(u, "no such command: %.*s", STR_ARG(name));
		return;
	}
	if (c->fn != queue_wait && c->fn != queue_pause)
		seen_clear(q);
	if (q->script && c->until[0]) {
		q->running = c;
		timer_start(loop_wheel(u->loop), &q->wait_timer, 1000ull * OUTCOME_S);
	}
	rc = c->fn(u, args);
	if (rc == 0)
		return;
	q->running = NULL;
	if (!q->wait_for[0])
		timer_stop(&q->wait_timer);
	event_error(u, rc == -EINVAL ? "usage: %s %s" : rc == -ENOENT ? "%s%.0s: there is no such call" :
		    rc == -EPROTO ? "%s%.0s: the call is not in that state" : rc == -EBUSY ? "%s%.0s: busy" : "%s%.0s failed",
		    c->name, c->usage);
}

static void on_pump(struct timer *t)
{
	struct ue *u = container_of(t, struct ue, q.pump);
	struct command_queue *q = &u->q;

	while (!list_empty(&q->waiting) && !held_up(q)) {
		struct queued *k = list_entry(q->waiting.next, struct queued, link);

		list_del(&k->link);
		run(u, str_from_c(k->text));
		free(k->text);
		free(k);
	}
	if (q->eof && list_empty(&q->waiting) && !held_up(q))
		(void)queue_quit(u, STR_NONE);
}

static void on_wait_end(struct timer *t)
{
	struct ue *u = container_of(t, struct ue, q.wait_timer);
	cJSON *e = event_new("timeout");

	event_str(e, "waitedFor", str_from_c(u->q.running ? u->q.running->name : u->q.wait_for));
	u->q.running = NULL;
	u->q.wait_for[0] = '\0';
	u->q.failed = true;
	event_put(u, e, true);
	loop_stop(u->loop, 1);
}

static bool is_outcome(const struct command *c, const char *event)
{
	for (size_t i = 0; i < sizeof(c->until) / sizeof(c->until[0]); i++)
		if (c->until[i] && !strcmp(c->until[i], event))
			return true;
	return false;
}

/* Events that a call which failed has no more of. */
static bool is_of_call(const char *event)
{
	static const char *const names[] = { "progress", "ringing", "prack", "update", "answered", "held", "resumed", "ended" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], event))
			return true;
	return false;
}

void commands_event(struct ue *u, const char *name, bool bad)
{
	struct command_queue *q = &u->q;
	struct seen *s;

	if (!strcmp(name, "sip"))
		return;
	if (q->running && is_outcome(q->running, name)) {
		q->running = NULL;
		q->failed = q->failed || bad;
		bad = false;
		timer_stop(&q->wait_timer);
		pump_soon(u);
	}
	if (q->wait_for[0] && !strcmp(q->wait_for, name)) {
		q->wait_for[0] = '\0';
		timer_stop(&q->wait_timer);
		pump_soon(u);
		return;
	}
	if (q->wait_for[0] && !strcmp(name, "call-failed") && is_of_call(q->wait_for))
		timer_start(loop_wheel(u->loop), &q->wait_timer, 0);	/* it will not come any more */
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	str_copy(str_from_c(name), s->name, sizeof(s->name));
	s->bad = bad;
	list_add_tail(&q->seen, &s->link);
}

static void enqueue(struct ue *u, struct str line)
{
	struct queued *k = calloc(1, sizeof(*k));

	if (!k)
		return;
	k->text = str_dup(line);
	list_add_tail(&u->q.waiting, &k->link);
	pump_soon(u);
}

/* ---- stdin ---- */

static void take_input(struct ue *u, struct str in)
{
	struct buf *b = &u->q.partial;
	struct str line;

	while (in.l) {
		bool whole = str_cut(in, '\n', &line, &in);

		buf_put(b, line);
		if (!whole)
			return;
		if (b->failed)
			event_error(u, "command line too long");
		else if (str_trim(buf_str(b)).l)
			enqueue(u, str_trim(buf_str(b)));
		buf_reset(b);
	}
}

static ssize_t read_some(struct ue *u)
{
	char p[4096];
	ssize_t n = read(STDIN_FILENO, p, sizeof(p));

	if (n > 0) {
		take_input(u, str_make(p, (size_t)n));
	} else if (n == 0) {
		take_input(u, STR("\n"));
		u->q.eof = true;
		pump_soon(u);
	}
	return n;
}

static void on_stdin(struct loop_fd *f, uint32_t revents)
{
	struct ue *u = container_of(f, struct ue, q.in);
	(void)revents;

	if (read_some(u) == 0)
		loop_fd_del(u->loop, f);
}

int commands_open(struct ue *u)
{
	struct command_queue *q = &u->q;
	struct str rest = str_from_c(u->o.script), one;
	int rc;

	list_init(&q->waiting);
	list_init(&q->seen);
	buf_init(&q->partial, MAX_LINE);
	timer_init(&q->pump, on_pump);
	timer_init(&q->wait_timer, on_wait_end);
	timer_init(&q->pause_timer, on_pause_end);
	q->in.fd = -1;
	if (u->o.script) {
		q->script = q->eof = true;
		while (command_next(&rest, &one))
			enqueue(u, one);
		pump_soon(u);
		return 0;
	}
	q->in = (struct loop_fd){ .fd = STDIN_FILENO, .events = EPOLLIN, .fn = on_stdin };
	rc = loop_fd_add(u->loop, &q->in);
	if (rc != -EPERM)
		return rc;
	q->in.fd = -1;				/* a file, or /dev/null: read at once, epoll does not wait for those */
	while (read_some(u) > 0)
		;
	return 0;
}

void commands_close(struct ue *u)
{
	struct command_queue *q = &u->q;

	if (q->in.fd >= 0)
		loop_fd_del(u->loop, &q->in);
	timer_stop(&q->pump);
	timer_stop(&q->wait_timer);
	timer_stop(&q->pause_timer);
	while (!list_empty(&q->waiting)) {
		struct queued *k = list_entry(q->waiting.next, struct queued, link);

		list_del(&k->link);
		free(k->text);
		free(k);
	}
	seen_clear(q);
	buf_fini(&q->partial);
}
