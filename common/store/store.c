/* common/store/store.c - opening and closing, store time, the way in for workers. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "common/log/log.h"
#include "common/store/private.h"
#include "common/util/clock.h"

#define META_KEY "clock"
#define JOURNAL_NAME "journal."

const char *store_table_name(unsigned table)
{
	static const char *const names[STORE_N_TABLES] = { "meta", "registration", "criteria", "subscription", "phone", "security", "watch",
							   "shared_set", "policy", "session", "call", "rx", "media" };

	return table < STORE_N_TABLES ? names[table] : "unknown";
}

/* ---- store time ---- */

/* Counts on while the machine sleeps, and cannot be set. */
static int64_t boot_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void boot_id(char dst[40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, dst, 36);

	if (fd >= 0)
		close(fd);
	dst[n > 0 ? n : 0] = '\0';
}

uint64_t store_now_ms(const struct store *s)
{
	return (uint64_t)(boot_ms() + s->offset_ms);
}

struct meta {				/* as it is kept; only ever read on the machine that wrote it */
	char boot[40];
	int64_t boot_ms, wall_ms;
};

int store_meta(const struct store *s, struct change *ret, char text[64])
{
	struct meta m = { .boot_ms = boot_ms(), .wall_ms = (int64_t)(clock_wall_us() / 1000) };

	_Static_assert(sizeof(m) <= 64, "room for it");
	boot_id(m.boot);
	memcpy(text, &m, sizeof(m));
	/* Its expiry is store time as of now. */
	*ret = (struct change){ JOURNAL_PUT, { STORE_META, STR(META_KEY), str_make(text, sizeof(m)), (uint64_t)(m.boot_ms + s->offset_ms) } };
	return 0;
}

/* F14: after a mere restart the kernel's boot time says how long we were gone, whatever the wall clock says.  After a boot it is all there
 * is; it does not run backwards. */
static void on_meta(void *arg, const struct store_record *r)
{
	struct store *s = arg;
	int64_t boot = boot_ms(), wall = (int64_t)(clock_wall_us() / 1000), now;
	struct meta m;
	char id[40];

	if (!str_eq(r->key, STR(META_KEY)) || r->value.l != sizeof(m))
		return;
	memcpy(&m, r->value.p, sizeof(m));
	m.boot[sizeof(m.boot) - 1] = '\0';
	boot_id(id);
	now = (int64_t)r->expires_ms;
	if (strcmp(m.boot, id) == 0 && boot >= m.boot_ms)
		now += boot - m.boot_ms;
	else if (wall > m.wall_ms)
		now += wall - m.wall_ms;
	s->offset_ms = now - boot;
}

/* ---- journals ---- */

struct found {
	uint64_t generation;
	unsigned port;
};

static int by_age(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->generation != y->generation ? x->generation < y->generation ? -1 : 1 : (x->port > y->port) - (x->port < y->port);
}

static void journal_path(const struct store *s, uint64_t generation, unsigned port, char dst[4200])
{
	snprintf(dst, 4200, "%s/" JOURNAL_NAME "%" PRIu64 ".%u", s->dir, generation, port);
}

/* Those there are but for `but` (0: all), oldest first. */
static int find_journals(const struct store *s, uint64_t but, struct found **ret, size_t *ret_n)
{
	DIR *d = opendir(s->dir);
	struct found *all = NULL, one, *more;
	const struct dirent *e;
	size_t n = 0;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (sscanf(e->d_name, JOURNAL_NAME "%" SCNu64 ".%u", &one.generation, &one.port) != 2 || one.generation == but)
			continue;
		more = realloc(all, (n + 1) * sizeof(*all));
		if (!more) {
			closedir(d);
			free(all);
			return -ENOMEM;
		}
		all = more;
		all[n++] = one;
	}
	closedir(d);
	if (n)
		qsort(all, n, sizeof(*all), by_age);
	*ret = all;
	*ret_n = n;
	return 0;
}

static void on_replay(void *arg, const struct change *c)
{
	struct store *s = arg;

	if (c->r.table < STORE_N_TABLES && pending_add(&s->pending, c) < 0)
		metric_add(&store_m_lost, NULL, NULL, 1);
}

static int replay(struct store *s)
{
	struct found *all;
	char path[4200];
	size_t n, before = s->pending.by_key.n;
	int rc = find_journals(s, 0, &all, &n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		journal_path(s, all[i].generation, all[i].port, path);
		rc = journal_replay(path, on_replay, s);
		if (rc < 0)
			log_error(LOG_CORE, "a journal cannot be read", LOG_C("file", path), LOG_C("error", strerror(-rc)));
		s->journal_generation = all[i].generation;
	}
	s->old_journals = n > 0;
	s->journal_generation++;
	if (s->pending.by_key.n > before)
		log_info(LOG_CORE, "changes taken from the journals of a process that was killed", LOG_U("changes", s->pending.by_key.n - before));
	free(all);
	return 0;
}

void store_remove_old_journals(struct store *s)
{
	struct found *all;
	char path[4200];
	size_t n;

	if (find_journals(s, s->journal_generation, &all, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		journal_path(s, all[i].generation, all[i].port, path);
		unlink(path);
	}
	free(all);
	s->old_journals = false;
}

static int make_journals(struct store *s, const struct store_config *c)
{
	char path[4200];
	bool safe;
	int rc;

	for (unsigned i = 0; i < s->n_ports; i++) {
		journal_path(s, s->journal_generation, i, path);
		s->port[i].s = s;
		rc = journal_new(path, c->journal_bytes, &s->port[i].j, &safe);
		if (rc < 0)
			return rc;
		if (!safe)
			atomic_store(&s->unsafe, true);
	}
	if (atomic_load(&s->unsafe))
		log_error(LOG_CORE, "no room for the journals: what is not committed yet would not survive a kill", LOG_C("dir", s->dir),
			  LOG_U("journal_bytes", c->journal_bytes));
	return 0;
}

/* ---- life ---- */

/* A record lock is this process's alone: a helper that we forked and that outlives a kill for a moment does not have it.  A process
 * of many threads that was killed has it until the last of them is gone, which takes a moment on a busy machine. */
#define LOCK_WAIT_MS 1000
#define LOCK_STEP_MS 10
static int lock_dir(struct store *s)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[4200];

	if (mkdir(s->dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), "%s/lock", s->dir);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return -errno;
	for (int waited_ms = 0; fcntl(s->lock_fd, F_SETLK, &all) < 0; waited_ms += LOCK_STEP_MS) {
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		if (waited_ms >= LOCK_WAIT_MS)
			return -EBUSY;
		nanosleep(&(struct timespec){ .tv_nsec = LOCK_STEP_MS * 1000000L }, NULL);
	}
	return 0;
}

static void register_metrics(void)
{
	struct metric *const all[] = { &store_m_changes, &store_m_commits, &store_m_commit_seconds, &store_m_pending, &store_m_failing,
				       &store_m_lost, &store_m_bad, &store_m_aside };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		metrics_register(all[i]);
}

static int open_all(struct store *s, const struct store_config *c, const char **ret_what)
{
	int rc;

	*ret_what = "state.dir cannot be used";
	rc = lock_dir(s);
	if (rc == -EBUSY)
		*ret_what = "another process uses state.dir";
	if (rc < 0)
		return rc;
	*ret_what = "the state cannot be opened";
	s->offset_ms = (int64_t)(clock_wall_us() / 1000) - boot_ms();
	rc = pending_init(&s->pending, c->max_pending_bytes);
	if (rc == 0)
		rc = lmdb_backend_open(s->dir, c->max_bytes, &s->pending, &s->backend);
	if (rc == 0)
		rc = replay(s);
	if (rc == 0)
		rc = store_scan(s, STORE_META, on_meta, s);
	if (rc == 0)
		rc = make_journals(s, c);
	if (rc == 0 && c->redis) {
		*ret_what = "the way to Redis cannot be prepared";
		rc = shared_new(&s->shared, s, c->redis, c->max_pending_bytes);
	}
	s->committed_ms = store_now_ms(s);
	return rc;
}

int store_open(struct store **ret, const struct store_config *c, unsigned n_ports)
{
	struct store *s = calloc(1, sizeof(*s));
	const char *what;
	int rc;

	if (!s)
		return -ENOMEM;
	register_metrics();
	s->lock_fd = -1;
	s->dir = strdup(c->dir);
	s->commit_ms = c->commit_ms;
	s->port = calloc(n_ports, sizeof(*s->port));
	s->n_ports = s->port ? n_ports : 0;
	s->room = malloc(JOURNAL_ROOM);
	s->loop = loop_new();
	timer_init(&s->timer, writer_tick);
	if (!s->dir || !s->port || !s->room || !s->loop) {
		store_close(s);
		return -ENOMEM;
	}
	rc = open_all(s, c, &what);
	if (rc < 0) {
		log_error(LOG_CORE, what, LOG_C("dir", c->dir), LOG_C("error", strerror(-rc)));
		store_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

static void *writer_main(void *arg)
{
	struct store *s = arg;

	pthread_setname_np(pthread_self(), "store");
	loop_run(s->loop);
	return NULL;
}

int store_start(struct store *s)
{
	int rc;

	timer_start(loop_wheel(s->loop), &s->timer, 0);
	s->started = true;
	rc = -pthread_create(&s->thread, NULL, writer_main, s);
	if (rc < 0)
		s->started = false;
	return rc;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->started) {
		store_flush(s);			/* behind what is in the writer's mailbox */
		loop_stop(s->loop, 0);
		pthread_join(s->thread, NULL);
		s->started = false;
	}
	timer_stop(&s->timer);
	shared_free(s->shared);
	s->shared = NULL;
	if (s->backend) {
		bool ready = s->n_ports && s->port[s->n_ports - 1].j;

		if (ready)
			writer_run(s);
		for (unsigned i = 0; i < s->n_ports; i++)
			journal_free(s->port[i].j, ready && !atomic_load(&s->failing));
		s->backend->close(s->backend);
	}
	pending_fini(&s->pending);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->loop)
		loop_free(s->loop);
	if (s->room)
		explicit_bzero(s->room, JOURNAL_ROOM);
	free(s->room);
	free(s->port);
	free(s->dir);
	free(s);
}

/* ---- reading ---- */

struct scan {
	const struct store *s;
	unsigned table;
	void (*fn)(void *arg, const struct store_record *r);
	void *arg;
};

static void tell(const struct scan *c, const struct record *r)
{
	const struct store_record out = { r->key, r->value, r->expires_ms };

	c->fn(c->arg, &out);
}

static void on_stored(void *arg, const struct record *r)
{
	const struct scan *c = arg;

	if (!pending_find(&c->s->pending, r->table, r->key))		/* else there is something newer */
		tell(c, r);
}

int store_scan(struct store *s, enum store_table table, void (*fn)(void *arg, const struct store_record *r), void *arg)
{
	struct scan c = { s, table, fn, arg };
	struct list *pos;
	int rc = s->backend->scan(s->backend, table, on_stored, &c);

	if (rc == -EIO)			/* not even an empty file could be made */
		rc = 0;
	list_for_each(pos, &s->pending.all) {
		const struct change *p = &list_entry(pos, struct pending_change, link)->c;

		if (p->op == JOURNAL_PUT && p->r.table == table)
			tell(&c, &p->r);
	}
	return rc;
}

/* ---- the way in ---- */

struct store_port *store_port(struct store *s, unsigned i)
{
	return s && i < s->n_ports ? &s->port[i] : NULL;
}

struct store *store_of(struct store_port *p)
{
	return p->s;
}

static int change(struct store_port *p, const struct change *c)
{
	int rc = -ENOSPC;

	if (!p)
		return 0;
	if (c->r.key.l > STORE_MAX_KEY || c->r.value.l > STORE_MAX_VALUE)
		return -EMSGSIZE;
	p->sequence++;
	metric_add(&store_m_changes, c->op == JOURNAL_PUT ? "put" : "delete", store_table_name(c->r.table), 1);
	if (atomic_load(&p->overflow) == 0)
		rc = journal_write(p->j, c);
	if (rc < 0)			/* the writer waits for the disk, or a burst was too much: order is kept, safety is not */
		rc = writer_mail(p, c);
	else if (journal_half_full(p->j))
		writer_wake(p);
	else if (p->s->shared)
		writer_nudge(p);
	if (rc < 0) {
		p->sequence--;
		metric_add(&store_m_lost, NULL, NULL, 1);
		log_error(LOG_CORE, "a change of state is lost: too many wait for the disk", LOG_C("table", store_table_name(c->r.table)));
	}
	return rc;
}

int store_put(struct store_port *p, enum store_table table, struct str key, struct str value, uint64_t expires_ms)
{
	return change(p, &(const struct change){ JOURNAL_PUT, { (uint8_t)table, key, value, expires_ms } });
}

int store_del(struct store_port *p, enum store_table table, struct str key)
{
	return change(p, &(const struct change){ JOURNAL_DEL, { (uint8_t)table, key, STR_NONE, 0 } });
}

/* ---- shared ---- */

bool store_is_shared(const struct store *s)
{
	return s && s->shared;
}

void store_share(struct store *s, const struct store_shared_ops *ops, void *u)
{
	if (s->shared)
		shared_start(s->shared, ops, u);
}

int store_fetch(struct store *s, enum store_table table, struct str key, store_fetch_fn fn, void *arg)
{
	return s->shared ? shared_fetch(s->shared, table, key, fn, arg) : -ENOTSUP;
}

struct took {
	struct store *s;
	uint64_t version;
	enum store_table table;
	size_t l;
	char key[];
};

static void on_took(void *arg)
{
	struct took *t = arg;

	writer_take(t->s);
	shared_took(t->s->shared, t->table, str_make(t->key, t->l), t->version);
	free(t);
}

int store_took(struct store *s, enum store_table table, struct str key, uint64_t version)
{
	struct took *t = s->shared ? malloc(sizeof(*t) + key.l) : NULL;
	int rc;

	if (!t)
		return s->shared ? -ENOMEM : -ENOTSUP;
	*t = (struct took){ s, version, table, key.l };
	memcpy(t->key, key.p, key.l);
	rc = loop_post(s->loop, on_took, t);
	if (rc < 0)
		free(t);
	return rc;
}

uint64_t store_sequence(const struct store_port *p)
{
	return p ? p->sequence : 0;
}

uint64_t store_taken(const struct store *s, unsigned port)
{
	return port < s->n_ports ? s->port[port].taken : 0;
}

bool store_shared_seen(const struct store *s)
{
	return !s || !s->shared || shared_looked(s->shared);
}

static void on_unshare(void *arg)
{
	struct store *s = arg;

	shared_stop(s->shared);
}

#define UNSHARE_WAIT_MS 1000u
void store_unshare(struct store *s)
{
	if (!s || !s->shared || !s->started)
		return;
	store_flush(s);
	for (unsigned ms = 0; shared_is_up(s->shared) && shared_waiting(s->shared) && ms < UNSHARE_WAIT_MS; ms += 5)
		poll(NULL, 0, 5);
	while (loop_post(s->loop, on_unshare, s) < 0)
		sched_yield();
	store_flush(s);			/* behind it */
}

/* ---- how it is ---- */

bool store_trouble(struct store *s, struct buf *why)
{
	int err = s ? atomic_load(&s->failing) : 0;

	if (err)
		buf_printf(why, "state cannot be written to %s (%s): it is kept in memory until it can", s->dir, strerror(err));
	else if (s && atomic_load(&s->unsafe))
		buf_printf(why, "there was no room for the journals in %s: the last second of changes would not survive a kill", s->dir);
	if (s && s->shared && !shared_is_up(s->shared)) {
		buf_puts(why, err || atomic_load(&s->unsafe) ? "; " : "");
		buf_puts(why, "the shared store does not answer (");
		shared_why(s->shared, why);
		buf_printf(why, "): %u changes wait, other instances do not hear of them", shared_waiting(s->shared));
		return true;
	}
	return err || (s && atomic_load(&s->unsafe));
}

struct flush {
	struct store *s;
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool is_done;
};

static void on_flush(void *arg)
{
	struct flush *f = arg;

	writer_run(f->s);
	pthread_mutex_lock(&f->lock);
	f->is_done = true;
	pthread_cond_signal(&f->done);
	pthread_mutex_unlock(&f->lock);
}

void store_flush(struct store *s)
{
	struct flush f = { s, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

	if (!s->started) {
		writer_run(s);
		return;
	}
	while (loop_post(s->loop, on_flush, &f) < 0)		/* a full mailbox empties */
		sched_yield();
	pthread_mutex_lock(&f.lock);
	while (!f.is_done)
		pthread_cond_wait(&f.done, &f.lock);
	pthread_mutex_unlock(&f.lock);
}
