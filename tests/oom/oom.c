/* tests/oom/oom.c - preloaded: makes allocations of the program fail, and says where it crashed then.
 *
 * Counted are allocations whose caller is in the program itself, not in a shared library, and in one of the ranges of OOM_OURS:
 * a test's own code does not look whether it got memory.
 *   OOM_AT=N       in each process that is forked the N-th one fails, once.  OOM_LOG gets a line for it.
 *   OOM_GATE=FILE  a struct gate, mapped: while `every` is not 0, every so-many-th one fails.  `failed` and `live` are ours.
 *   OOM_OURS=FILE  lines "FROM TO", hexadecimal offsets in the program, sorted; without it all of the program
 * A crash writes "CRASH SIGNAL OFFSET..." to OOM_LOG: the return addresses in the program, innermost first. */
#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <unistd.h>

#define MAX_RANGES 16384
#define FRAMES 32

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t m);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

struct gate {
	_Atomic uint64_t every, seen, failed, live;
};

static struct gate own, *gate = &own;
static _Atomic uint64_t count;
static uint64_t at;			/* 0: not armed */
static uintptr_t base, from, to;	/* of the program and its code */
static struct { uintptr_t from, to; } ours[MAX_RANGES];
static unsigned n_ours;
static int log_fd = -1;

static int find_program(struct dl_phdr_info *i, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	base = i->dlpi_addr;
	for (int k = 0; k < i->dlpi_phnum; k++)
		if (i->dlpi_phdr[k].p_type == PT_LOAD && (i->dlpi_phdr[k].p_flags & PF_X)) {
			from = base + i->dlpi_phdr[k].p_vaddr;
			to = from + i->dlpi_phdr[k].p_memsz;
		}
	return 1;			/* the first one is the program */
}

static int is_ours(uintptr_t pc)
{
	unsigned lo = 0, hi = n_ours;

	if (pc < from || pc >= to)
		return 0;
	if (!n_ours)
		return 1;
	pc -= base;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (pc < ours[mid].from)
			hi = mid;
		else if (pc >= ours[mid].to)
			lo = mid + 1;
		else
			return 1;
	}
	return 0;
}

static void say(const char *text, size_t l)
{
	if (log_fd >= 0 && write(log_fd, text, l) < 0)
		log_fd = -1;
}

static void on_crash(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;
	void *frame[FRAMES];
	char line[FRAMES * 20 + 32];
	int n, l;

	(void)info;
	l = snprintf(line, sizeof(line), "CRASH %d", sig);
#ifdef __x86_64__
	if ((uintptr_t)u->uc_mcontext.gregs[REG_RIP] >= from && (uintptr_t)u->uc_mcontext.gregs[REG_RIP] < to)
		l += snprintf(line + l, sizeof(line) - (size_t)l, " %lx", (unsigned long)((uintptr_t)u->uc_mcontext.gregs[REG_RIP] - base));
#endif
	n = backtrace(frame, FRAMES);
	for (int i = 0; i < n; i++)
		if ((uintptr_t)frame[i] >= from && (uintptr_t)frame[i] < to)
			l += snprintf(line + l, sizeof(line) - (size_t)l, " %lx", (unsigned long)((uintptr_t)frame[i] - base - 1));
	l += snprintf(line + l, sizeof(line) - (size_t)l, "\n");
	say(line, (size_t)l);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void in_child(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	struct sigaction sa = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_RESETHAND };
	const char *s = getenv("OOM_AT");

	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
	atomic_store(&count, 0);
	at = s ? strtoull(s, NULL, 10) : 0;
}

__attribute__((constructor)) static void start(void)
{
	const char *s;
	void *frame[2];
	FILE *f;

	dl_iterate_phdr(find_program, NULL);
	backtrace(frame, 2);		/* loads what it needs now, not in a handler */
	s = getenv("OOM_OURS");
	f = s ? fopen(s, "r") : NULL;
	while (f && n_ours < MAX_RANGES && fscanf(f, "%lx %lx", &ours[n_ours].from, &ours[n_ours].to) == 2)
		n_ours++;
	if (f)
		fclose(f);
	s = getenv("OOM_LOG");
	if (s)
		log_fd = open(s, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	s = getenv("OOM_GATE");
	if (s) {
		int fd = open(s, O_RDWR | O_CLOEXEC);
		void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (p != MAP_FAILED)
			gate = p;
		if (fd >= 0)
			close(fd);
		in_child();
	}
	pthread_atfork(NULL, NULL, in_child);
}

/* Where the test's own code called us, with how many of our frames between it and the allocation. */
static uintptr_t test_call(const void *caller, int *ret_depth)
{
	void *frame[FRAMES];
	int n = backtrace(frame, FRAMES), i = 0;

	while (i < n && frame[i] != caller)
		i++;
	for (*ret_depth = 0; i < n && is_ours((uintptr_t)frame[i]); i++)
		++*ret_depth;
	return i < n ? (uintptr_t)frame[i] - base - 1 : 0;
}

/* Does this one fail? */
static int fails(const void *caller)
{
	char line[96];
	uint64_t n, every;
	uintptr_t from_test;
	int depth;

	if ((!at && gate == &own) || !is_ours((uintptr_t)caller))
		return 0;
	if (at) {
		if (atomic_fetch_add(&count, 1) + 1 != at)
			return 0;
	} else {
		every = atomic_load(&gate->every);
		n = atomic_fetch_add(&gate->seen, 1);
		if (!every || n % every != every - 1)
			return 0;
		atomic_fetch_add(&gate->failed, 1);
	}
	if (at) {		/* what a test asked for itself it only would have to look at: no path of ours begins there */
		from_test = test_call(caller, &depth);
		say(line, (size_t)snprintf(line, sizeof(line), "%s %lx\n", n_ours && depth == 1 ? "SPARE" : "FAIL", (unsigned long)from_test));
		if (n_ours && depth == 1)
			return 0;
	}
	errno = ENOMEM;
	return 1;
}

static void *counted(void *p)
{
	if (p && gate != &own)
		atomic_fetch_add_explicit(&gate->live, 1, memory_order_relaxed);
	return p;
}

void *malloc(size_t n)
{
	return fails(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(n));
}

void *calloc(size_t n, size_t m)
{
	return fails(__builtin_return_address(0)) ? NULL : counted(__libc_calloc(n, m));
}

void *realloc(void *p, size_t n)
{
	if (fails(__builtin_return_address(0)))
		return NULL;
	return p ? __libc_realloc(p, n) : counted(__libc_malloc(n));
}

char *strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = fails(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(n));

	return p ? memcpy(p, s, n) : NULL;
}

void free(void *p)
{
	if (p && gate != &own)
		atomic_fetch_sub_explicit(&gate->live, 1, memory_order_relaxed);
	__libc_free(p);
}
