/* common/ipsec/helper.c - the process that may change the kernel's associations, and the workers' way to it.  Rows X12, F20.
 *
 * A forked child, with CAP_NET_ADMIN and nothing else; its parent gives that up.  One SOCK_SEQPACKET pair per worker: a
 * packet is a request or an answer.  The child serves one request after the other and ends when its parent does. */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/ipsec/ipsec.h"
#include "common/log/log.h"

#define DEADLINE_MS 8000u
#define EVENT_ID 0u			/* of an answer: nobody asked, something happened to an association */
#define STOP_WAIT_MS 2000

struct ipsec_helper {
	unsigned n;
	int fd[IPSEC_MAX_PORTS];	/* the parent's ends; -1: taken by a port */
	pid_t pid;
	atomic_bool gone;
};
struct question {
	uint32_t id, op;
	struct ipsec_set set;
};
struct answer {
	uint32_t id;
	int32_t rc;
	struct ipsec_event event;
	uint32_t whole, made, failed, taken_away;	/* of the first one: struct ipsec_left */
};

/* ---- privilege ---- */

static int keep_only(uint64_t wanted, bool keep)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		uint32_t bits = (uint32_t)(wanted >> (32 * i));

		d[i].permitted = keep ? d[i].permitted & bits : d[i].permitted & ~bits;
		d[i].effective = keep ? d[i].permitted : d[i].effective & ~bits;
		d[i].inheritable = 0;
	}
	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

/* ---- the child ---- */

static int serve_one(struct xfrm *x, const struct question *q)
{
	switch (q->op) {
	case IPSEC_ADD: return xfrm_set_add(x, &q->set);
	case IPSEC_UPDATE: return xfrm_set_update(x, &q->set);
	case IPSEC_DEL: return xfrm_set_del(x, &q->set);
	case IPSEC_GUARD: return xfrm_guard_add(x, &q->set.us);
	case IPSEC_UNGUARD: return xfrm_guard_del(x, &q->set.us);
	}
	return -EINVAL;
}

/* false: the parent has closed it. */
static bool serve_fd(struct xfrm *x, int fd)
{
	struct question q;
	struct answer a = { 0 };
	ssize_t l = recv(fd, &q, sizeof(q), 0);

	if (l <= 0)
		return l < 0 && (errno == EINTR || errno == EAGAIN);
	a.id = q.id;
	a.rc = l == sizeof(q) ? serve_one(x, &q) : -EBADMSG;
	ipsec_wipe(&q, sizeof(q));
	return send(fd, &a, sizeof(a), MSG_NOSIGNAL) == sizeof(a);
}

/* Every worker hears of it: the one that owns the association knows it. */
static void tell_events(struct xfrm *x, const struct pollfd *p, unsigned n, uint32_t first, uint32_t last)
{
	struct answer a = { .id = EVENT_ID };
	int rc;

	while ((rc = xfrm_event(x, first, last, &a.event)) > 0)
		for (unsigned i = 0; i < n; i++)
			if (p[i].fd >= 0)
				(void)send(p[i].fd, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void close_others(const int *keep, unsigned n)
{
	int max = (int)sysconf(_SC_OPEN_MAX);

	for (int fd = 3; fd < (max > 65536 ? 65536 : max); fd++) {
		bool mine = false;

		for (unsigned i = 0; i < n; i++)
			mine = mine || keep[i] == fd;
		if (!mine)
			close(fd);
	}
}

static _Noreturn void child(const int *fd, unsigned n, uint32_t first, uint32_t last, struct ipsec_left *left)
{
	struct pollfd p[IPSEC_MAX_PORTS + 1];
	struct answer ready = { .id = EVENT_ID };
	struct xfrm *x = NULL;
	unsigned open = n;
	sigset_t none;

	/* The parent's end is the end: signals to the group are the parent's to act on. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close_others(fd, n);
	prctl(PR_SET_NAME, "cscf-ipsec");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0);
	ready.rc = keep_only(1ull << CAP_NET_ADMIN, true);
	if (ready.rc == 0)
		ready.rc = xfrm_open(&x);
	if (ready.rc == 0)
		ready.rc = xfrm_take_up(x, first, last, left);
	if (left->n)
		ipsec_wipe((void *)(uintptr_t)left->set, left->n * sizeof(*left->set));		/* this process's copy */
	ready.whole = left->whole;
	ready.made = left->made;
	ready.failed = left->failed;
	ready.taken_away = left->taken_away;
	if (send(fd[0], &ready, sizeof(ready), MSG_NOSIGNAL) < 0 || ready.rc < 0)
		_exit(1);
	for (unsigned i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	p[n] = (struct pollfd){ .fd = xfrm_events_fd(x), .events = POLLIN };
	while (open) {
		if (poll(p, n + 1, -1) < 0 && errno != EINTR)
			break;
		for (unsigned i = 0; i < n; i++) {
			if (p[i].fd < 0 || !p[i].revents || serve_fd(x, p[i].fd))
				continue;
			close(p[i].fd);
			p[i].fd = -1;
			open--;
		}
		if (p[n].revents)
			tell_events(x, p, n, first, last);
	}
	_exit(0);
}

/* ---- the parent ---- */

static int wait_ready(int fd, struct ipsec_left *left)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct answer a;

	if (poll(&p, 1, DEADLINE_MS) <= 0)
		return -ETIMEDOUT;
	if (recv(fd, &a, sizeof(a), 0) != sizeof(a))
		return -EPIPE;
	left->whole = a.whole;
	left->made = a.made;
	left->failed = a.failed;
	left->taken_away = a.taken_away;
	return a.rc;
}

/* The child tells which sets are lost through memory that both have: there may be more of them than a message holds. */
static int share_lost(const struct ipsec_left *left, struct ipsec_left *ret_child)
{
	void *p = NULL;

	*ret_child = *left;
	ret_child->lost = NULL;		/* never the parent's own */
	if (left->lost && left->n) {
		p = mmap(NULL, left->n * sizeof(*left->lost), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return -errno;
	}
	ret_child->lost = p;
	return 0;
}

static void take_lost(struct ipsec_left *left, const struct ipsec_left *child)
{
	if (!child->lost)
		return;
	memcpy(left->lost, child->lost, left->n * sizeof(*left->lost));
	munmap(child->lost, left->n * sizeof(*left->lost));
}

int ipsec_helper_start(struct ipsec_helper **ret, unsigned n, uint32_t first, uint32_t last, struct ipsec_left *left)
{
	struct ipsec_left none = { .n = 0 }, theirs_left = none;
	struct ipsec_helper *h = calloc(1, sizeof(*h));
	int theirs[IPSEC_MAX_PORTS], pair[2], rc = 0;

	if (!left)
		left = &none;
	if (!h || n == 0 || n > IPSEC_MAX_PORTS) {
		free(h);
		return h ? -EINVAL : -ENOMEM;
	}
	for (; h->n < n; h->n++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
			rc = -errno;
			break;
		}
		h->fd[h->n] = pair[0];
		theirs[h->n] = pair[1];
	}
	if (rc == 0)
		rc = share_lost(left, &theirs_left);
	if (rc == 0) {
		h->pid = fork();
		if (h->pid == 0)
			child(theirs, n, first, last, &theirs_left);
		rc = h->pid < 0 ? -errno : 0;
	}
	for (unsigned i = 0; i < h->n; i++)
		close(theirs[i]);
	if (rc == 0)
		rc = wait_ready(h->fd[0], left);
	take_lost(left, &theirs_left);
	if (rc == 0)
		rc = keep_only(1ull << CAP_NET_ADMIN, false);
	if (rc < 0) {
		ipsec_helper_stop(h);
		return rc;
	}
	*ret = h;
	return 0;
}

bool ipsec_helper_alive(const struct ipsec_helper *h)
{
	return !atomic_load(&((struct ipsec_helper *)(uintptr_t)h)->gone);
}

void ipsec_helper_stop(struct ipsec_helper *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < h->n; i++)
		if (h->fd[i] >= 0)
			close(h->fd[i]);
	/* It ends by itself now; one that hangs in the kernel is not waited for. */
	for (int ms = 0; h->pid > 0 && ms < STOP_WAIT_MS; ms += 10) {
		if (waitpid(h->pid, NULL, WNOHANG) != 0)
			break;
		usleep(10000);
	}
	free(h);
}

/* ---- a worker's way to it ---- */

struct waiting {
	struct list link;
	struct ipsec_req *r;		/* NULL: nobody waits any more */
	uint32_t id;
	enum ipsec_op op;
	struct ipsec_set set;
};
struct port {
	struct ipsec_port p;		/* first */
	struct loop *loop;
	struct loop_fd f;
	struct list waiting;
	uint32_t last_id;
	bool dead;
	struct ipsec_helper *h;
};

static void waiting_free(struct waiting *w)
{
	if (w->r)
		timer_stop(&w->r->deadline);
	list_del(&w->link);
	ipsec_wipe(&w->set, sizeof(w->set));
	free(w);
}

static struct waiting *waiting_find(struct port *p, uint32_t id)
{
	struct list *i;

	list_for_each(i, &p->waiting)
		if (list_entry(i, struct waiting, link)->id == id)
			return list_entry(i, struct waiting, link);
	return NULL;
}

static void on_deadline(struct timer *t)
{
	struct ipsec_req *r = container_of(t, struct ipsec_req, deadline);
	struct waiting *w = waiting_find(container_of(r->port, struct port, p), r->id);

	if (w)
		w->r = NULL;
	log_error(LOG_SEC, "the ipsec helper does not answer");
	r->done(r, -ETIMEDOUT);
}

static int submit(struct ipsec_port *port, enum ipsec_op op, const struct ipsec_set *s, struct ipsec_req *r)
{
	struct port *p = container_of(port, struct port, p);
	struct waiting *w;
	struct question q = { .op = op, .set = *s };
	int rc = 0;

	if (p->dead)
		return -EPIPE;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	if (++p->last_id == EVENT_ID)
		++p->last_id;
	*w = (struct waiting){ .r = r, .id = p->last_id, .op = op, .set = *s };
	list_add_tail(&p->waiting, &w->link);
	q.id = w->id;
	if (send(p->f.fd, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(q))
		rc = errno ? -errno : -EIO;
	ipsec_wipe(&q, sizeof(q));
	if (rc < 0) {
		w->r = NULL;
		waiting_free(w);
		return rc;
	}
	if (r) {
		r->id = w->id;
		r->port = port;
		timer_init(&r->deadline, on_deadline);
		timer_start(loop_wheel(p->loop), &r->deadline, DEADLINE_MS);
	}
	return 0;
}

static void on_answer(struct port *p, const struct answer *a)
{
	struct waiting *w = waiting_find(p, a->id);
	struct ipsec_req *r;

	if (!w)
		return;
	r = w->r;
	if (!r && w->op == IPSEC_ADD && a->rc == 0)	/* who wanted it was told it failed */
		(void)submit(&p->p, IPSEC_DEL, &w->set, NULL);
	else if (!r && a->rc < 0)
		log_warn(LOG_SEC, "the kernel refused a change of associations", LOG_U("op", w->op), LOG_I("errno", -a->rc));
	waiting_free(w);
	if (r)
		r->done(r, a->rc);
}

/* All that waits hears of it; whatever comes later is refused at once. */
static void port_dead(struct port *p)
{
	log_error(LOG_SEC, "the ipsec helper has ended: no protected registration any more");
	p->dead = true;
	atomic_store(&p->h->gone, true);
	loop_fd_del(p->loop, &p->f);
	while (!list_empty(&p->waiting)) {
		struct waiting *w = list_entry(p->waiting.next, struct waiting, link);
		struct ipsec_req *r = w->r;

		waiting_free(w);
		if (r)
			r->done(r, -EPIPE);
	}
}

static void on_readable(struct loop_fd *f, uint32_t revents)
{
	struct port *p = container_of(f, struct port, f);
	struct answer a;
	ssize_t l;

	(void)revents;
	while (!p->dead) {
		l = recv(f->fd, &a, sizeof(a), MSG_DONTWAIT);
		if (l < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (l != sizeof(a))
			port_dead(p);
		else if (a.id == EVENT_ID && p->p.event)
			p->p.event(p->p.u, &a.event);
		else
			on_answer(p, &a);
	}
}

int ipsec_helper_open(struct ipsec_helper *h, unsigned i, struct loop *l, struct ipsec_port **ret)
{
	struct port *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return -ENOMEM;
	list_init(&p->waiting);
	p->h = h;
	p->loop = l;
	p->p.submit = submit;
	p->f = (struct loop_fd){ .fd = h->fd[i], .events = EPOLLIN, .fn = on_readable };
	rc = loop_fd_add(l, &p->f);
	if (rc < 0) {
		free(p);
		return rc;
	}
	h->fd[i] = -1;
	*ret = &p->p;
	return 0;
}

void ipsec_helper_close(struct ipsec_port *port)
{
	struct port *p = port ? container_of(port, struct port, p) : NULL;

	if (!p)
		return;
	while (!list_empty(&p->waiting))
		waiting_free(list_entry(p->waiting.next, struct waiting, link));
	loop_fd_del(p->loop, &p->f);
	close(p->f.fd);
	free(p);
}
