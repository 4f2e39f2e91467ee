/* tests/metrics/test_metrics.c - cells, histograms, the text format, and updates from four threads. */
#include <pthread.h>
#include <stdio.h>
#include "common/metrics/metrics.h"
#include "tests/check.h"

static METRIC_DEF(m_req, "t_requests_total", METRIC_COUNTER, "Requests.", "method", "role");
static METRIC_DEF(m_gauge, "t_contacts", METRIC_GAUGE, "Contacts.", NULL, NULL);
static METRIC_DEF(m_lat, "t_seconds", METRIC_HISTOGRAM, "Time.", "command", NULL);
static METRIC_DEF(m_full, "t_full_total", METRIC_COUNTER, "Many.", "a", "b");
static METRIC_DEF(m_quiet, "t_quiet_seconds", METRIC_HISTOGRAM, "None yet.", NULL, NULL);

static struct buf out;

static const char *text(void)
{
	buf_fini(&out);
	buf_init(&out, 1u << 22);
	metrics_write(&out);
	buf_putc(&out, '\0');
	ck_assert(!out.failed);
	return out.p;
}

static size_t count(const char *hay, const char *needle)
{
	size_t n = 0;

	for (const char *p = hay; (p = strstr(p, needle)) != NULL; p++)
		n++;
	return n;
}

START_TEST(test_values)
{
	const char *o;

	metrics_register(&m_gauge);
	metrics_register(&m_req);
	metrics_register(&m_quiet);
	o = text();
	ck_assert_ptr_nonnull(strstr(o, "# HELP t_contacts Contacts.\n# TYPE t_contacts gauge\nt_contacts 0\n"));
	ck_assert_ptr_nonnull(strstr(o, "# TYPE t_requests_total counter\n"));
	ck_assert_ptr_nonnull(strstr(o, "t_quiet_seconds_count 0\n"));
	metric_add(&m_req, "REGISTER", "pcscf", 2);
	metric_add(&m_req, "REGISTER", "pcscf", 3);
	metric_add(&m_req, "INVITE", "pcscf", 1);
	metric_set(&m_gauge, NULL, NULL, 7);
	metric_adjust(&m_gauge, NULL, NULL, -9);
	metric_adjust(&m_gauge, "ignored", "too", 1);		/* the family has no labels */
	ck_assert_int_eq(metric_get(&m_req, "REGISTER", "pcscf"), 5);
	ck_assert_int_eq(metric_get(&m_gauge, NULL, NULL), -1);
	ck_assert_int_eq(metric_get(&m_req, "NOTIFY", "pcscf"), 0);
	ck_assert_int_eq(metrics_sum("t_requests_total"), 6);
	ck_assert_int_eq(metrics_sum("t_nobody"), 0);
	o = text();
	ck_assert_ptr_nonnull(strstr(o, "\nt_requests_total{method=\"INVITE\",role=\"pcscf\"} 1\n"
					"t_requests_total{method=\"REGISTER\",role=\"pcscf\"} 5\n"));
	ck_assert_ptr_null(strstr(o, "NOTIFY"));		/* asking made no series */
	ck_assert_uint_eq(count(o, "\nt_contacts "), 1);
	ck_assert_ptr_nonnull(strstr(o, "\nt_contacts -1\n"));
	ck_assert(strstr(o, "t_contacts") < strstr(o, "t_quiet_seconds"));
	ck_assert(strstr(o, "t_quiet_seconds") < strstr(o, "t_requests_total"));
}
END_TEST

START_TEST(test_histogram)
{
	static const uint64_t us[] = { 0, 1000, 1001, 9999, 10000001, 600000000 };

	for (size_t i = 0; i < sizeof(us) / sizeof(us[0]); i++)
		metric_observe_us(&m_lat, "UAR", NULL, us[i]);
	ck_assert_ptr_nonnull(strstr(text(), "t_seconds_bucket{command=\"UAR\",le=\"0.001\"} 2\n"
					     "t_seconds_bucket{command=\"UAR\",le=\"0.0025\"} 3\n"
					     "t_seconds_bucket{command=\"UAR\",le=\"0.005\"} 3\n"
					     "t_seconds_bucket{command=\"UAR\",le=\"0.01\"} 4\n"));
	ck_assert_ptr_nonnull(strstr(out.p, "t_seconds_bucket{command=\"UAR\",le=\"10\"} 4\n"
					    "t_seconds_bucket{command=\"UAR\",le=\"+Inf\"} 6\n"
					    "t_seconds_sum{command=\"UAR\"} 610.012001\n"
					    "t_seconds_count{command=\"UAR\"} 6\n"));
}
END_TEST

START_TEST(test_labels)
{
	char a[100], b[100];

	memset(a, 'l', sizeof(a));
	memset(b, 'l', sizeof(b));
	a[98] = '1';
	a[99] = b[99] = '\0';
	metric_add(&m_req, a, "x", 1);				/* alike in what is kept of them: one series */
	metric_add(&m_req, b, "x", 1);
	ck_assert_int_eq(metric_get(&m_req, a, "x"), 2);
	metric_add(&m_req, "q\"\\\n", "", 1);
	ck_assert_uint_eq(count(text(), "\nt_requests_total{method=\"lll"), 1);
	ck_assert_ptr_nonnull(strstr(out.p, "t_requests_total{method=\"q\\\"\\\\\\n\",role=\"\"} 1\n"));
}
END_TEST

START_TEST(test_full)
{
	char l[16];

	for (int i = 0; i < 5000; i++) {
		snprintf(l, sizeof(l), "v%d", i);
		metric_add(&m_full, _i ? "other" : l, _i ? l : "w", 1);
	}
	ck_assert_int_eq(metric_get(&m_full, "other", "other"), 5000 - METRIC_MAX_CELLS);
	ck_assert_uint_eq(count(text(), "\nt_full_total{"), METRIC_MAX_CELLS + 1);
	ck_assert_int_eq(metric_get(&m_full, _i ? "other" : "v3", _i ? "v3" : "w"), 1);
}
END_TEST

#define THREADS 4
#define ROUNDS 20000

static void *updates(void *arg)
{
	static const char *const method[] = { "A", "B", "C", "D", "E" };
	char l[16];

	for (int i = 0; i < ROUNDS; i++) {
		metric_add(&m_req, method[i % 5], "r", 1);
		metric_observe_us(&m_lat, method[i % 5], NULL, 500);
		snprintf(l, sizeof(l), "%d", i % 700);		/* more than there are cells */
		metric_add(&m_full, l, l, 1);
		if (arg && i % 2000 == 0) {
			struct buf b;

			buf_init(&b, 1u << 22);
			metrics_write(&b);
			buf_fini(&b);
		}
	}
	return NULL;
}

START_TEST(test_threads)
{
	pthread_t t[THREADS];
	int64_t sum = 0;
	char l[16];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, updates, i == 0 ? &m_req : NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	ck_assert_int_eq(metric_get(&m_req, "C", "r"), THREADS * ROUNDS / 5);
	ck_assert_int_eq(metric_get(&m_lat, "C", NULL), THREADS * ROUNDS / 5 * 500);
	for (int i = 0; i < 700; i++) {
		snprintf(l, sizeof(l), "%d", i);
		sum += metric_get(&m_full, l, l);
	}
	ck_assert_int_eq(sum + metric_get(&m_full, "other", "other"), THREADS * ROUNDS);
	ck_assert_uint_eq(count(text(), "\nt_full_total{"), METRIC_MAX_CELLS + 1);
}
END_TEST

static const int full_rows[2];

TEST_MAIN("metrics", TEST_ONE(test_values), TEST_ONE(test_histogram), TEST_ONE(test_labels),
	  TEST_ROWS(test_full, full_rows), TEST_ONE(test_threads))
