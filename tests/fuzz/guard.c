/* tests/fuzz/guard.c - see guard.h. */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/fuzz/fuzz.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GUARD_ASAN 1
#elif __has_feature(thread_sanitizer)
#define GUARD_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define GUARD_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define GUARD_TSAN 1
#endif

#define ATTEMPTS 4

struct fuzz_cost cost_worst;

/* ---- heap ---- */

static __thread int64_t live, most;	/* of this thread; targets have only one */

static void took(size_t n)
{
	live += (int64_t)n;
	if (live > most)
		most = live;
}

#if defined(GUARD_ASAN) || defined(GUARD_TSAN)
/* As in clang's sanitizer/allocator_interface.h; gcc brings the functions without the header. */
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
					      void (*free_hook)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *p);

static void on_malloc(const volatile void *p, size_t n)
{
	(void)p;
	took(n);
}

static void on_free(const volatile void *p)
{
	if (p)
		live -= (int64_t)__sanitizer_get_allocated_size(p);
}

static void hooks_open(void)
{
	static bool done;

	if (!done)
		__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
	done = true;
}
#else
/* glibc lets a program bring its own; these are the ones it would have used.  Aligned blocks are not counted when they are made,
 * so they are not when they go: both are rare here and small. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t k, size_t n);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

void *malloc(size_t n)
{
	void *p = __libc_malloc(n);

	if (p)
		took(malloc_usable_size(p));
	return p;
}

void *calloc(size_t k, size_t n)
{
	void *p = __libc_calloc(k, n);

	if (p)
		took(malloc_usable_size(p));
	return p;
}

void *realloc(void *p, size_t n)
{
	size_t before = p ? malloc_usable_size(p) : 0;
	void *q = __libc_realloc(p, n);

	if (q || !n) {
		live -= (int64_t)before;
		took(q ? malloc_usable_size(q) : 0);
	}
	return q;
}

void free(void *p)
{
	int saved = errno;

	if (p)
		live -= (int64_t)malloc_usable_size(p);
	__libc_free(p);
	errno = saved;
}

static void hooks_open(void)
{
}
#endif

/* ---- time ---- */

/* Measured on the seeds: ASan and UBSan with libFuzzer's counters cost 4 to 9 times a plain -O2 build, TSan 5 to 12. */
unsigned cost_factor(void)
{
#if defined(GUARD_TSAN)
	return 30;
#elif defined(GUARD_ASAN)
	return 20;
#elif defined(__OPTIMIZE__) && !defined(CSCF_COVERAGE)
	return 1;
#else
	return 8;
#endif
}

static uint64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static struct {
	bool any;
	uint64_t began_us;
	int64_t began_live;
	struct fuzz_cost worst;
} steps;				/* of the run that is measured */

void cost_step_begin(void)
{
	steps.any = true;
	steps.began_live = most = live;
	steps.began_us = cpu_us();
}

void cost_step_end(void)
{
	uint64_t us = cpu_us() - steps.began_us, bytes = (uint64_t)(most - steps.began_live);

	if (us > steps.worst.cpu_us)
		steps.worst.cpu_us = us;
	if (bytes > steps.worst.heap_bytes)
		steps.worst.heap_bytes = bytes;
}

struct fuzz_cost cost_measure(void (*fn)(const uint8_t *, size_t), const uint8_t *data, size_t size)
{
	struct fuzz_cost c;
	int64_t before;
	uint64_t t;

	hooks_open();
	steps.any = false;
	steps.worst = (struct fuzz_cost){ 0, 0 };
	before = most = live;
	t = cpu_us();
	fn(data, size);
	c.cpu_us = cpu_us() - t;
	c.heap_bytes = (uint64_t)(most - before);
	return steps.any ? steps.worst : c;
}

static bool within(struct fuzz_cost c, const struct fuzz_limits *b)
{
	return (!b->cpu_us || c.cpu_us <= b->cpu_us * cost_factor()) && (!b->heap_bytes || c.heap_bytes <= b->heap_bytes);
}

struct fuzz_cost cost_run(void (*fn)(const uint8_t *, size_t), const uint8_t *data, size_t size, const struct fuzz_limits *b)
{
	struct fuzz_cost best = { UINT64_MAX, UINT64_MAX };

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct fuzz_cost c = cost_measure(fn, data, size);

		if (c.cpu_us < best.cpu_us)
			best.cpu_us = c.cpu_us;
		if (c.heap_bytes < best.heap_bytes)
			best.heap_bytes = c.heap_bytes;
		if (within(best, b))
			return best;
	}
	fprintf(stderr, "over its budget: %s of %zu octets cost %llu us of processor time (budget %llu, times %u in this build) and %llu "
		"octets of heap (budget %llu)\n", steps.any ? "a step" : "an input", size, (unsigned long long)best.cpu_us, (unsigned long long)b->cpu_us, cost_factor(),
		(unsigned long long)best.heap_bytes, (unsigned long long)b->heap_bytes);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_limits usual = { GUARD_CPU_US, GUARD_HEAP_BYTES };
	static bool warm;
	struct fuzz_cost c;

	if (size > GUARD_INPUT_BYTES)
		return 0;
	if (!warm) {				/* caches of a thread, tables of libraries: once */
		warm = true;
		fuzz_one(data, size);
	}
	c = cost_run(fuzz_one, data, size, &fuzz_budget ? &fuzz_budget : &usual);
	if (c.cpu_us > cost_worst.cpu_us)
		cost_worst.cpu_us = c.cpu_us;
	if (c.heap_bytes > cost_worst.heap_bytes)
		cost_worst.heap_bytes = c.heap_bytes;
	return 0;
}
