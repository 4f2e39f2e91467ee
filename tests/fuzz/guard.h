/* tests/fuzz/guard.h - no input costs more than its budget: processor time and heap, the speed guard of the fuzz targets.
 *
 * Time is the thread's own (CLOCK_THREAD_CPUTIME_ID), so a busy machine does not matter; sanitizers and coverage get a factor.
 * An input over its budget is tried again before it counts as found.  Heap is the most that was live at once above what was live
 * before, by a hook under malloc (glibc) or under the sanitizer's allocator.
 *
 * An input that is a sequence (messages, answers, time) is held to the budget step by step: the target says where a step begins and
 * ends, and what it does in between (start and stop of what it tests) is not counted. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define GUARD_INPUT_BYTES 65536u	/* longer inputs are not run */
#define GUARD_CPU_US 10000u
#define GUARD_HEAP_BYTES (1u << 20)

struct fuzz_limits {
	uint64_t cpu_us, heap_bytes;	/* 0: not limited */
};
struct fuzz_cost {
	uint64_t cpu_us, heap_bytes;
};
/* A target with another budget than the two above defines this one, and says why. */
extern const struct fuzz_limits fuzz_budget __attribute__((weak));

unsigned cost_factor(void);		/* how much slower this build may be */
/* One run of fn over the input, measured. */
struct fuzz_cost cost_measure(void (*fn)(const uint8_t *, size_t), const uint8_t *data, size_t size);
/* Steps of the input that runs.  From the first one on only steps count; cost_measure() gives the dearest. */
void cost_step_begin(void);
void cost_step_end(void);
/* Runs it up to four times; aborts, saying the figures, when none was within the budget.  Returns the cheapest. */
struct fuzz_cost cost_run(void (*fn)(const uint8_t *, size_t), const uint8_t *data, size_t size, const struct fuzz_limits *b);
extern struct fuzz_cost cost_worst;	/* of everything that was run so far */
