/* common/metrics/metrics.h - counters, gauges and histograms as table rows with help; Prometheus text out.
 *
 * A family is defined once, statically, with at most two labels of bounded value sets.  Updates are
 * relaxed atomics on per-family cells and may come from any thread; nothing here locks on the update
 * path after a cell was made (first use of a label pair takes a lock). */
#pragma once
#include "common/util/bytes.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {				/* a family: static storage, all fields but the last set by METRIC_DEF */
	const char *name;		/* "cscf_sip_requests_total" */
	const char *help;
	enum metric_kind kind;
	const char *label[2];		/* NULL when unused */
	struct metric_state *state;	/* private */
};
#define METRIC_DEF(var, nm, k, hlp, l0, l1) struct metric var = { (nm), (hlp), (k), { (l0), (l1) }, NULL }

#define METRIC_MAX_CELLS 512		/* label pairs per family; more go to the pair "other","other" */

/* Label values are copied on first use; pass NULL for unused labels. */
void metric_add(struct metric *m, const char *l0, const char *l1, uint64_t n);
void metric_set(struct metric *m, const char *l0, const char *l1, int64_t v);
void metric_adjust(struct metric *m, const char *l0, const char *l1, int64_t delta);	/* gauges */
/* Seconds histogram, buckets 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf. */
void metric_observe_us(struct metric *m, const char *l0, const char *l1, uint64_t us);
int64_t metric_get(struct metric *m, const char *l0, const char *l1);			/* for tests and REST */
int64_t metrics_sum(const char *name);		/* of all cells of a family; 0: there is none of that name.  Not of histograms */
void metrics_register(struct metric *m);	/* shows it in the output even before its first use */
void metrics_write(struct buf *out);		/* Prometheus text format 0.0.4, families sorted by name */
