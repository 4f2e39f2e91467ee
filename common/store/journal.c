/* common/store/journal.c - a ring of changes in a file that is mapped into memory: what a producer has copied there outlives the process,
 * for the pages are the kernel's.  One producer, one consumer, no lock, no system call.
 *
 *	octets 0..7	"CSCFJRN1"
 *	8..15		size of the ring
 *	16..23		salt of the sums: random, new for each file
 *	64..71		position up to which everything is safe elsewhere
 *	4096..		the ring; positions count up for ever, modulo its size
 *
 * A change is 32 octets, key, value, padded to eight.  Its sum covers its position and the salt: nothing that lies there from an earlier
 * round, and nothing half written, is taken for one.  So the file needs no other end mark. */
#define XXH_INLINE_ALL
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include "common/store/private.h"
#include "common/util/rand.h"

#define MAGIC "CSCFJRN1"
#define RING_AT 4096u

struct head {
	char magic[8];
	uint64_t size, salt;
	char pad[40];
	_Atomic(uint64_t) safe;
};
struct entry {
	uint64_t sum;
	uint32_t key_l, value_l;
	uint64_t expires_ms;
	uint8_t op, table, zero[6];
};

struct journal {
	struct head *h;
	uint8_t *ring;
	uint64_t size;
	uint64_t written;		/* producer's */
	_Atomic(uint64_t) published;	/* producer to consumer */
	uint64_t taken;			/* consumer's */
	int fd;
	char *path;
};

static size_t entry_bytes(uint64_t key_l, uint64_t value_l)
{
	return (size_t)((sizeof(struct entry) + key_l + value_l + 7) & ~UINT64_C(7));
}

static uint64_t entry_sum(uint64_t salt, uint64_t pos, const struct entry *e, struct str key, struct str value)
{
	uint64_t h = XXH3_64bits_withSeed((const char *)e + 8, sizeof(*e) - 8, salt ^ pos);

	h = XXH3_64bits_withSeed(key.l ? key.p : "", key.l, h);
	return XXH3_64bits_withSeed(value.l ? value.p : "", value.l, h);
}

/* ---- the file ---- */

static int map_file(struct journal *j, const char *path, size_t bytes)
{
	int rc;

	j->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return -errno;
	rc = -posix_fallocate(j->fd, 0, (off_t)bytes);		/* all of it now: a page without a block would be a SIGBUS later */
	if (rc == 0) {
		j->h = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, j->fd, 0);
		rc = j->h == MAP_FAILED ? -errno : 0;
	}
	if (rc < 0) {
		close(j->fd);
		j->fd = -1;
		unlink(path);
	}
	return rc;
}

int journal_new(const char *path, uint32_t bytes, struct journal **ret, bool *ret_safe)
{
	struct journal *j = calloc(1, sizeof(*j));
	size_t all;

	if (!j)
		return -ENOMEM;
	j->size = (bytes + 4095) & ~4095u;
	all = RING_AT + j->size;
	j->path = strdup(path);
	*ret_safe = j->path && map_file(j, path, all) == 0;
	if (!*ret_safe) {
		j->fd = -1;
		j->h = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (j->h == MAP_FAILED) {
			free(j->path);
			free(j);
			return -ENOMEM;
		}
	}
	j->ring = (uint8_t *)j->h + RING_AT;
	j->h->size = j->size;
	j->h->salt = rand_u64();
	atomic_store(&j->h->safe, 0);
	memcpy(j->h->magic, MAGIC, 8);		/* last: a file without it holds nothing */
	*ret = j;
	return 0;
}

void journal_free(struct journal *j, bool unlink_file)
{
	if (!j)
		return;
	munmap(j->h, RING_AT + j->size);
	if (j->fd >= 0) {
		close(j->fd);
		if (unlink_file)
			unlink(j->path);
	}
	free(j->path);
	free(j);
}

/* ---- producer ---- */

static uint64_t copy_in(struct journal *j, uint64_t pos, const void *p, size_t l)
{
	size_t at = (size_t)(pos % j->size), first = l < j->size - at ? l : (size_t)(j->size - at);

	if (first)
		memcpy(j->ring + at, p, first);
	if (l > first)
		memcpy(j->ring, (const char *)p + first, l - first);
	return pos + l;
}

size_t journal_need(const struct change *c)
{
	return entry_bytes(c->r.key.l, c->r.value.l);
}

int journal_write(struct journal *j, const struct change *c)
{
	struct entry e = { .key_l = (uint32_t)c->r.key.l, .value_l = (uint32_t)c->r.value.l, .expires_ms = c->r.expires_ms, .op = c->op,
			   .table = c->r.table };
	uint64_t at = j->written, used = at - atomic_load_explicit(&j->h->safe, memory_order_acquire);
	size_t need = journal_need(c);

	if (need > j->size - used)
		return -ENOSPC;
	e.sum = entry_sum(j->h->salt, at, &e, c->r.key, c->r.value);
	at = copy_in(j, at, &e, sizeof(e));
	at = copy_in(j, at, c->r.key.p, c->r.key.l);
	copy_in(j, at, c->r.value.p, c->r.value.l);
	j->written += need;
	atomic_store_explicit(&j->published, j->written, memory_order_release);
	return 0;
}

bool journal_half_full(const struct journal *j)
{
	return j->written - atomic_load_explicit(&j->h->safe, memory_order_relaxed) > j->size / 2;
}

/* ---- consumer ---- */

static void copy_out(const struct journal *j, uint64_t pos, void *p, size_t l)
{
	size_t at = (size_t)(pos % j->size), first = l < j->size - at ? l : (size_t)(j->size - at);

	memcpy(p, j->ring + at, first);
	if (l > first)
		memcpy((char *)p + first, j->ring, l - first);
}

bool journal_take(struct journal *j, char *room, struct change *ret)
{
	struct entry e;

	if (j->taken == atomic_load_explicit(&j->published, memory_order_acquire))
		return false;
	copy_out(j, j->taken, &e, sizeof(e));
	copy_out(j, j->taken + sizeof(e), room, (size_t)e.key_l + e.value_l);
	*ret = (struct change){ .op = e.op, .r = { .table = e.table, .expires_ms = e.expires_ms, .key = str_make(room, e.key_l),
						   .value = str_make(room + e.key_l, e.value_l) } };
	j->taken += entry_bytes(e.key_l, e.value_l);
	return true;
}

void journal_release(struct journal *j)
{
	atomic_store_explicit(&j->h->safe, j->taken, memory_order_release);
}

/* ---- what a process left ---- */

struct image {
	const uint8_t *ring;
	uint64_t size, have;		/* have: octets of the ring that the file still holds */
	uint64_t salt;
	uint8_t *room;
};

/* false: not there any more. */
static bool image_get(const struct image *m, uint64_t pos, void *dst, size_t l)
{
	uint8_t *to = dst;

	for (size_t done = 0; done < l; ) {
		uint64_t at = (pos + done) % m->size;
		size_t n = l - done < m->size - at ? l - done : (size_t)(m->size - at);

		if (at + n > m->have)
			return false;
		memcpy(to + done, m->ring + at, n);
		done += n;
	}
	return true;
}

static bool image_change(const struct image *m, uint64_t pos, struct change *ret)
{
	struct str key, value;
	struct entry e;

	if (!image_get(m, pos, &e, sizeof(e)) || e.key_l > STORE_MAX_KEY || e.value_l > STORE_MAX_VALUE ||
	    entry_bytes(e.key_l, e.value_l) > m->size)
		return false;
	if (!image_get(m, pos + sizeof(e), m->room, (size_t)e.key_l + e.value_l))
		return false;
	key = str_make((const char *)m->room, e.key_l);
	value = str_make((const char *)m->room + e.key_l, e.value_l);
	if (e.sum != entry_sum(m->salt, pos, &e, key, value) || (e.op != JOURNAL_PUT && e.op != JOURNAL_DEL))
		return false;
	*ret = (struct change){ .op = e.op, .r = { e.table, key, value, e.expires_ms } };
	return true;
}

int journal_replay_text(struct str file, void (*fn)(void *arg, const struct change *c), void *arg)
{
	struct head h;
	struct image m;
	struct change c;
	uint64_t pos, end;

	if (file.l < RING_AT)
		return 0;
	memcpy(&h, file.p, sizeof(h));
	if (memcmp(h.magic, MAGIC, 8) != 0 || h.size == 0 || h.size > (UINT64_C(1) << 32))
		return 0;
	m = (struct image){ .ring = (const uint8_t *)file.p + RING_AT, .size = h.size, .salt = h.salt,
			    .have = file.l - RING_AT < h.size ? file.l - RING_AT : h.size, .room = malloc(JOURNAL_ROOM) };
	if (!m.room)
		return -ENOMEM;
	pos = atomic_load(&h.safe);
	end = pos + m.size;
	while (pos + sizeof(struct entry) <= end && image_change(&m, pos, &c)) {
		pos += entry_bytes(c.r.key.l, c.r.value.l);
		if (pos > end)
			break;		/* longer than the ring was free: a forgery of chance */
		fn(arg, &c);
	}
	explicit_bzero(m.room, JOURNAL_ROOM);
	free(m.room);
	return 0;
}

int journal_replay(const char *path, void (*fn)(void *arg, const struct change *c), void *arg)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	struct stat st;
	char *text = NULL;
	size_t l = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (st.st_size > 0 && !(text = malloc((size_t)st.st_size)))
		rc = -ENOMEM;
	while (rc == 0 && l < (size_t)st.st_size) {
		ssize_t n = pread(fd, text + l, (size_t)st.st_size - l, (off_t)l);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;		/* an unreadable end is a short file */
		l += (size_t)n;
	}
	close(fd);
	if (rc == 0)
		rc = journal_replay_text(str_make(text, l), fn, arg);
	free(text);
	return rc;
}
