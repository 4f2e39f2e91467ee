/* tests/bench/bench_sets.c - what security associations of many phones cost, in the process and in the kernel: see tests/bench/run.
 *
 *   bench_sets N      one line of JSON.  CAP_NET_ADMIN, and a kernel with ESP: tests/kernel/run
 *
 * N phones get a set each through pcscf/sa.c and common/ipsec (four associations and four policies), which become live, are refreshed and go
 * again.  The kernel is asked directly, without the helper process: its messages are not what is measured. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "common/log/log.h"
#include "pcscf/security.h"

struct direct {
	struct ipsec_port port;
	struct xfrm *x;
	struct ipsec_req *asked;
	int rc;
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double slab_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	double kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Slab: %lf", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static int submit(struct ipsec_port *p, enum ipsec_op op, const struct ipsec_set *s, struct ipsec_req *r)
{
	struct direct *d = container_of(p, struct direct, port);

	d->asked = r;
	d->rc = op == IPSEC_ADD ? xfrm_set_add(d->x, s) : op == IPSEC_UPDATE ? xfrm_set_update(d->x, s) : xfrm_set_del(d->x, s);
	return r ? 0 : d->rc;
}

static void made(void *arg, int rc)
{
	*(int *)arg = rc;
}

static struct sa_set *set_of(unsigned i)
{
	struct sec_list l = { .n = 1 };
	struct sa_wish w = { .client = &l };
	char key[64], at[32];
	int n = snprintf(key, sizeof(key), "00101%010u@ims.example|phone", i);

	l.entry[0] = (struct sec_agree){ .alg = SEC_ALG_HMAC_SHA1_96, .ealg = SEC_EALG_AES_CBC, .spi_c = 1000, .spi_s = 1001, .port_c = 6000,
					 .port_s = 6001, .q = 1000 };
	w.key = str_make(key, (size_t)n);
	w.impi = w.key;
	snprintf(at, sizeof(at), "10.%u.%u.%u", 60 + (i >> 16), i >> 8 & 255, i & 255);
	if (addr_parse(str_from_c(at), 5060, &w.phone) < 0 || addr_parse(STR("10.50.0.3"), 5060, &w.us) < 0)
		return NULL;
	return sa_set_new(&w);
}

static int run(struct sa_owner *o, struct direct *d, struct sa_set **set, unsigned n)
{
	double t0, t1, t2, t3, slab0 = slab_kib(), slab1;
	size_t heap0 = mallinfo2().uordblks, heap1;
	int rc = 0;

	t0 = now_ms();
	for (unsigned i = 0; i < n && rc == 0; i++) {
		set[i] = set_of(i);
		if (!set[i])
			return -ENOMEM;
		sa_setup(o, set[i], made, &rc);
		if (d->asked)
			d->asked->done(d->asked, d->rc);
		d->asked = NULL;
		if (rc == 0)
			sa_confirm(o, set[i], 3600);
	}
	if (rc < 0)
		return rc;
	t1 = now_ms();
	slab1 = slab_kib();
	heap1 = mallinfo2().uordblks;
	for (unsigned i = 0; i < n; i++)
		sa_confirm(o, set[i], 3600);
	t2 = now_ms();
	for (unsigned i = 0; i < n; i++) {
		sa_retire(o, set[i]->key, SA_EXPIRED);
		obj_unref(set[i]);
	}
	t3 = now_ms();
	printf("{\"sets\": %u, \"make_us\": %.1f, \"refresh_us\": %.1f, \"end_us\": %.1f, \"process_bytes\": %.0f, \"kernel_bytes\": %.0f}\n", n,
	       (t1 - t0) * 1e3 / n, (t2 - t1) * 1e3 / n, (t3 - t2) * 1e3 / n, (double)(heap1 - heap0) / n, (slab1 - slab0) * 1024 / n);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	struct security_config c = { .policy = SECURITY_REQUIRE, .on = true, .pair = { { SEC_ALG_HMAC_SHA1_96, SEC_EALG_AES_CBC } },
				     .n_pairs = 1, .port_s = 5100, .port_c = 5120, .n_ports = 4, .spi_first = 1 << 20, .n_spis = 2 * n + 64,
				     .reqid_first = 1 << 20, .await_auth_s = 240, .margin_s = 30, .old_ms = 128000 };
	struct direct d = { .port.submit = submit };
	struct sa_set **set = calloc(n ? n : 1, sizeof(struct sa_set *));
	struct sa_pool *pool = sa_pool_new(&c);
	struct sa_owner *o;
	struct wheel w;
	int rc;

	if (!n || !set || !pool) {
		fprintf(stderr, "bench_sets N\n");
		return 2;
	}
	log_open("bench", LOG_TEXT, LOG_WARN);
	wheel_init(&w, 1000);
	o = sa_owner_new(pool, &c, &w, &d.port);
	rc = o ? xfrm_open(&d.x) : -ENOMEM;
	if (rc == 0)
		rc = run(o, &d, set, n);
	if (rc < 0)
		fprintf(stderr, "bench_sets: %s\n", strerror(-rc));
	sa_owner_free(o);
	sa_pool_free(pool);
	xfrm_close(d.x);
	free(set);
	return rc < 0;
}
