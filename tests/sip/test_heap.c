/* tests/sip/test_heap.c - G3: no call of the heap for a message that is parsed, read through and forwarded, once a thread has
 * had the first ones.  malloc() and its kin are taken over here and count. */
#include <dirent.h>
#include "common/sip/out.h"
#include "tests/check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int main(void)
{
	printf("SKIP: the sanitizer has taken malloc() over itself\n");
	return TEST_SKIP;
}
#else
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t m);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);
void *malloc(size_t n);
void *calloc(size_t n, size_t m);
void *realloc(void *p, size_t n);
void free(void *p);

static unsigned long calls;

void *malloc(size_t n)
{
	calls++;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t m)
{
	calls++;
	return __libc_calloc(n, m);
}

void *realloc(void *p, size_t n)
{
	calls++;
	return __libc_realloc(p, n);
}

void free(void *p)
{
	calls += p != NULL;
	__libc_free(p);
}

static void read_lists(const struct sip_msg *m)
{
	static const enum sip_hdr_id lists[] = { SIP_H_ROUTE, SIP_H_RECORD_ROUTE, SIP_H_PATH, SIP_H_CONTACT, SIP_H_PAI };
	struct sip_nameaddr na;
	struct sip_values it;
	struct sip_via via;
	struct str v;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (it = sip_values(m, lists[i]); sip_values_next(&it, &v);)
			sip_nameaddr_parse(v, &na);
	for (it = sip_values(m, SIP_H_VIA); sip_values_next(&it, &v);)
		sip_via_parse(v, &via);
}

static struct bytes *forward(struct sip_msg *m)
{
	struct bytes *wire = NULL;
	struct sip_out o;

	sip_out_init(&o, m);
	if (m->request) {
		sip_out_fix_via(&o);
		sip_out_drop_first(&o, SIP_H_ROUTE);
		sip_out_set(&o, SIP_H_MAX_FORWARDS, STR("68"));
		sip_out_push(&o, SIP_H_RECORD_ROUTE, STR("<sip:AQIDBAUGBwgJCgsMDQ4PEBES@scscf.home.example:6060;lr>"));
		sip_out_push(&o, SIP_H_VIA, STR("SIP/2.0/UDP 10.0.0.9:6060;branch=z9hG4bKabcdefghijklmno"));
		sip_out_drop_token(&o, SIP_H_REQUIRE, "sec-agree");
		sip_out_add_token(&o, SIP_H_SUPPORTED, "path");
	} else {
		sip_out_drop_first(&o, SIP_H_VIA);
	}
	return sip_out_write(&o, &wire) == 0 ? wire : NULL;
}

/* What an arena and a message on the wire are, is kept by the thread: the first round fills it. */
static void round_of(struct str raw, bool full, bool on)
{
	struct sip_parse_error err;
	struct bytes *wire = NULL;
	struct sip_msg *m;

	if (sip_msg_parse_copy(raw, NULL, &m, &err) == 0) {
		if (full)
			read_lists(m);
		if (on)
			wire = forward(m);
		if (on && wire == NULL)
			abort();
	}
	bytes_unref(wire);
	sip_msg_unref(m);
}

static void count(const char *dir, const char *name)
{
	static char text[SIP_MSG_MAX_BYTES + 1];
	char path[1024];
	struct str raw;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	ck_assert_ptr_nonnull(f);
	raw = str_make(text, fread(text, 1, sizeof(text), f));
	fclose(f);
	if (raw.l > 4096)		/* more than a kept block holds, with what it is parsed into */
		return;
	for (int way = 0; way < 3; way++) {
		unsigned long before;

		round_of(raw, way > 0, way > 1);
		before = calls;
		for (int i = 0; i < 10; i++)
			round_of(raw, way > 0, way > 1);
		ck_assert_msg(calls == before, "%s, %s: %lu calls of the heap for 10 messages", name,
			      way == 0 ? "min" : way == 1 ? "full" : "forwarded", calls - before);
	}
}

static const char *const dirs[] = { BENCH_DIR, CORPUS_DIR };

START_TEST(test_no_heap)
{
	DIR *d = opendir(dirs[_i]);
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		if (!str_ends(str_from_c(e->d_name), STR(".sip")))
			continue;
		count(dirs[_i], e->d_name);
		n++;
	}
	closedir(d);
	ck_assert_uint_ge(n, 8);
	ck_assert_uint_gt(calls, 0);		/* they do come here */
}
END_TEST

TEST_MAIN("heap", TEST_ROWS(test_no_heap, dirs))
#endif
