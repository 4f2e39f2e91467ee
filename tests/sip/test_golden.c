/* tests/sip/test_golden.c - messages from files: outcome by file name, cut at every octet, rewritten; heap calls and
 * long inputs.  NAME.ok.sip parses, NAME.STATUS.sip is refused with that status, NAME.drop.sip is not answered. */
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include "common/sip/out.h"
#include "common/util/clock.h"
#include "tests/check.h"

#define MAX_FILES 64u

struct file {
	char name[128], text[16384];
	size_t l;
};
static struct file files[MAX_FILES];
static unsigned n_files;

static void load(void)
{
	DIR *d = opendir(GOLDEN_DIR);

	ck_assert_ptr_nonnull(d);
	n_files = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL && n_files < MAX_FILES;) {
		struct file *f = &files[n_files];
		char path[1024];
		FILE *in;

		if (!str_ends(str_from_c(e->d_name), STR(".sip")))
			continue;
		snprintf(path, sizeof(path), "%s/%s", GOLDEN_DIR, e->d_name);
		snprintf(f->name, sizeof(f->name), "%.100s", e->d_name);
		in = fopen(path, "rb");
		ck_assert_ptr_nonnull(in);
		f->l = fread(f->text, 1, sizeof(f->text), in);
		fclose(in);
		n_files++;
	}
	closedir(d);
	ck_assert_uint_ge(n_files, 10);
}

/* Parses a copy whose last octet is the last of its heap block, so that a sanitizer sees a read behind it. */
static int parse_exact(const char *text, size_t n, bool stream, struct arena **a, char **block, struct sip_msg **m,
		       struct sip_parse_error *e)
{
	*block = malloc(n ? n : 1);
	memcpy(*block, text, n);
	*a = arena_new(4096);
	return sip_msg_parse(*a, str_make(*block, n), NULL, stream, m, e);
}

START_TEST(test_outcome)
{
	load();
	for (unsigned i = 0; i < n_files; i++) {
		struct file *f = &files[i];
		struct sip_parse_error e = { 0 };
		struct sip_msg *m;
		struct arena *a;
		char *block, *want = strchr(f->name, '.') + 1;
		int rc = parse_exact(f->text, f->l, false, &a, &block, &m, &e);

		if (strncmp(want, "ok.", 3) == 0)
			ck_assert_msg(rc == 0, "%s: %s", f->name, e.why);
		else
			ck_assert_msg(rc == -EBADMSG && e.status == (unsigned)strtoul(want, NULL, 10) && (m != NULL) == (e.status != 0),
				      "%s: %d %u %s", f->name, rc, e.status, e.why);
		arena_unref(a);
		free(block);
	}
}
END_TEST

START_TEST(test_cut_at_every_octet)
{
	load();
	for (unsigned i = 0; i < n_files; i++)
		for (size_t n = 0; n < files[i].l; n++) {
			struct sip_parse_error e = { 0 };
			struct sip_msg *m;
			struct arena *a;
			char *block;
			size_t len;
			int rc = parse_exact(files[i].text, n, true, &a, &block, &m, &e);

			ck_assert(rc == 0 || e.why);
			arena_unref(a);
			memcpy(block, files[i].text, n);
			sip_scan_call_id(str_make(block, n));
			rc = sip_frame(str_make(block, n), &len);
			ck_assert(rc != 0 || len >= 4);
			free(block);
		}
}
END_TEST

START_TEST(test_rewrite)
{
	load();
	for (unsigned i = 0; i < n_files; i++) {
		struct sip_parse_error e = { 0 };
		struct sip_msg *m, *w;
		struct sip_out o;
		struct bytes *b;

		if (sip_msg_parse_copy(str_make(files[i].text, files[i].l), NULL, &m, &e) == 0) {
			sip_out_init(&o, m);
			sip_out_push(&o, SIP_H_VIA, STR("SIP/2.0/TCP me;branch=z9hG4bKme"));
			ck_assert_int_eq(sip_out_write(&o, &b), 0);
			ck_assert_msg(sip_msg_parse_copy(bytes_str(b), NULL, &w, &e) == 0, "%s: %s", files[i].name, e.why);
			ck_assert(str_eq(m->body, w->body) && str_eq(m->call_id, w->call_id) && m->cseq == w->cseq);
			ck_assert(str_eq(m->from.text, w->from.text) && str_eq(m->to.text, w->to.text) && m->status == w->status);
			ck_assert(sip_values_count(w, SIP_H_VIA) == sip_values_count(m, SIP_H_VIA) + 1);
			sip_msg_unref(w);
			bytes_unref(b);
		}
		sip_msg_unref(m);
	}
}
END_TEST

START_TEST(test_no_heap_beyond_the_arena)
{
	load();
	for (unsigned i = 0; i < n_files; i++) {
		struct arena *a = arena_new(16384);
		struct str raw = arena_dup(a, str_make(files[i].text, files[i].l));
		struct sip_parse_error e;
		struct sip_msg *m;
		size_t before = arena_bytes(a);
		size_t used;

		/* The first round takes the block of the table of headers, which the thread keeps for the next one. */
		for (int round = 0; round < 2; round++) {
			used = mallinfo2().uordblks;
			sip_msg_parse(a, raw, NULL, false, &m, &e);
			if (!m)
				break;
			ck_assert(round == 0 || mallinfo2().uordblks == used);
			sip_msg_rest(m);
			ck_assert_uint_eq(arena_bytes(a), before);
		}
		arena_unref(a);
	}
}
END_TEST

/* 64 KiB of one thing: time per octet must not depend on how it is arranged (performance goal "no superlinear input"). */
static const struct { const char *name, *unit; } long_rows[] = {
	{ "parameters", ";a" }, { "commas", "," }, { "list", "<sip:a>," }, { "quotes", "\"\"" }, { "open quotes", "\"" },
	{ "angles", "<" }, { "folds", "\r\n x" }, { "blanks", " " }, { "escapes", "%41" }, { "backslashes", "\\" },
	{ "colons", ":" }, { "at signs", "@" }, { "headers", "\r\nTo: x" }, { "empty folds", "\r\n " },
};

START_TEST(test_long_row)
{
	static const char *const names[] = { "Via", "From", "To", "Contact", "Route", "Call-ID", "CSeq", "Subject" };
	const char *unit = long_rows[_i].unit;
	char *text = malloc(65536);
	uint64_t t0 = clock_mono_us();

	for (unsigned k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		struct sip_parse_error e = { 0 };
		struct sip_msg *m;
		struct sip_out o;
		struct bytes *b;
		struct str one;
		size_t n = (size_t)snprintf(text, 65536, "INVITE sip:b@h SIP/2.0\r\n%s: <sip:a@h>", names[k]);

		while (n + strlen(unit) < 65000) {
			memcpy(text + n, unit, strlen(unit));
			n += strlen(unit);
		}
		n += (size_t)snprintf(text + n, 500, "\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>\r\nTo: <sip:b@h>\r\nCall-ID: x\r\n"
				      "CSeq: 1 INVITE\r\n\r\n");
		sip_msg_parse_copy(str_make(text, n), NULL, &m, &e);
		if (m) {
			struct sip_values v = sip_values(m, SIP_H_CONTACT);

			while (sip_values_next(&v, &one)) {
				struct sip_nameaddr na;

				sip_nameaddr_parse(one, &na);
			}
			sip_out_init(&o, m);
			for (unsigned d = 0; d < 4; d++)
				sip_out_drop_first(&o, SIP_H_ROUTE);
			sip_out_fix_via(&o);
			sip_out_drop_token(&o, SIP_H_CONTACT, "x");
			if (sip_out_write(&o, &b) == 0)
				bytes_unref(b);
		}
		sip_msg_unref(m);
	}
	free(text);
	/* 512 KiB in all: milliseconds when linear, many seconds when not; room for sanitizers and a busy machine. */
	ck_assert_msg(clock_mono_us() - t0 < 3000000, "%s: %llu us", long_rows[_i].name,
		      (unsigned long long)(clock_mono_us() - t0));
}
END_TEST

TEST_MAIN("golden", TEST_ONE(test_outcome), TEST_ONE(test_cut_at_every_octet), TEST_ONE(test_rewrite),
	  TEST_ONE(test_no_heap_beyond_the_arena), TEST_ROWS(test_long_row, long_rows))
