/* tests/sip/test_corpus.c - tests/corpus through the parser and every reader of a value, with nothing mapped behind the text.
 *
 * NAME.ok.sip parses, NAME.STATUS.sip is refused with that status, NAME.drop.sip is not answered.  The names begin with
 * what the messages are written against: regNN (the record of faults in this field), line, method, cseq, lines...
 * tests/integration/hostile.py sends the same files to the daemons. */
#include <dirent.h>
#include <errno.h>
#include "common/sip/auth.h"
#include "common/sip/out.h"
#include "common/sip/sdp.h"
#include "common/sip/token.h"
#include "tests/check.h"
#include "tests/guard.h"

#define MIN_FILES 200u
#define MAX_FILE 70000u
#define PREFIXES 300u			/* values up to that length are read at every length */

static struct guard guard;
static char text[MAX_FILE];
static unsigned n_wrong;

/* The next file of the corpus; false at the end. */
static bool next_file(DIR *d, char name[256], struct str *ret)
{
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char path[1024];
		FILE *in;

		if (!str_ends(str_from_c(e->d_name), STR(".sip")))
			continue;
		snprintf(path, sizeof(path), "%s/%s", CORPUS_DIR, e->d_name);
		snprintf(name, 256, "%s", e->d_name);
		in = fopen(path, "rb");
		ck_assert_ptr_nonnull(in);
		*ret = str_make(text, fread(text, 1, sizeof(text), in));
		fclose(in);
		return true;
	}
	return false;
}

static void each_file(void (*fn)(const char *name, struct str file))
{
	DIR *d = opendir(CORPUS_DIR);
	struct str file;
	char name[256];
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	guard_init(&guard, MAX_FILE);
	while (next_file(d, name, &file)) {
		fn(name, file);
		n++;
	}
	guard_fini(&guard);
	closedir(d);
	ck_assert_uint_ge(n, MIN_FILES);
}

static int parse_guarded(struct str file, bool stream, struct arena **a, struct sip_msg **m, struct sip_parse_error *e)
{
	*a = arena_new(4096);
	ck_assert_ptr_nonnull(*a);
	return sip_msg_parse(*a, guard_put(&guard, file), NULL, stream, m, e);
}

static void outcome(const char *name, struct str file)
{
	struct sip_parse_error e = { 0 };
	struct sip_msg *m;
	struct arena *a;
	const char *want = strchr(name, '.') + 1;
	int rc = parse_guarded(file, false, &a, &m, &e);
	bool as_wanted;

	if (strncmp(want, "ok.", 3) == 0)
		as_wanted = rc == 0;
	else if (strncmp(want, "drop.", 5) == 0)
		as_wanted = rc == -EBADMSG && e.status == 0 && !m;
	else
		as_wanted = rc == -EBADMSG && e.status == (unsigned)strtoul(want, NULL, 10);
	if (!as_wanted)
		printf("%s: %d %u %s\n", name, rc, rc ? e.status : 0, rc ? e.why : "parsed");
	n_wrong += !as_wanted;
	arena_unref(a);
}

START_TEST(test_outcome)
{
	each_file(outcome);
	ck_assert_msg(n_wrong == 0, "%u messages", n_wrong);
}
END_TEST

/* What is cut off must be seen to be missing: REG-04, REG-10. */
static void cut(const char *name, struct str file)
{
	size_t step = file.l > 2000 ? 97 : 1;

	for (size_t n = 0; n < file.l; n += step) {
		struct sip_parse_error e = { 0 };
		struct str part = str_head(file, n);
		struct sip_msg *m;
		struct arena *a;
		size_t len;
		int rc = parse_guarded(part, true, &a, &m, &e);

		ck_assert_msg(rc == 0 || e.why, "%s at %zu", name, n);
		arena_unref(a);
		part = guard_put(&guard, part);
		sip_scan_call_id(part);
		rc = sip_frame(part, &len);
		ck_assert_msg(rc != 0 || (len >= 4 && len <= SIP_MSG_MAX_BYTES + 64), "%s at %zu: frame of %zu", name, n, len);
	}
}

START_TEST(test_cut_at_every_octet)
{
	each_file(cut);
}
END_TEST

/* Everything that reads one value. */
static void read_value(struct str v)
{
	char aor[512], nul[64];
	struct str rest = v, one, name, value;
	struct auth_params ap;
	struct sip_nameaddr na;
	struct sip_via via;
	struct sip_uri uri;
	struct sdp sdp;
	struct token token;
	static const struct token_key key = { { 1 } };
	uint8_t octets[64];
	struct addr addr;
	uint32_t u32;
	uint64_t u64;
	size_t n;

	if (sip_uri_parse(v, &uri, &n) == 0) {
		if (sip_uri_aor(&uri, aor, sizeof(aor), &one) == 0)
			ck_assert_uint_le(one.l, sizeof(aor));
		sip_uri_has_lr(&uri);
		sip_uri_host_addr(&uri, &addr);
		ck_assert(sip_uri_equal(&uri, &uri) || uri.text.l > 100 || memchr(uri.text.p, '%', uri.text.l) ||
			  uri.scheme == SIP_SCHEME_OTHER || uri.scheme == SIP_SCHEME_TEL);
	} else {
		ck_assert_uint_le(n, v.l);
	}
	if (sip_nameaddr_parse(v, &na) == 0 && !na.star) {
		sip_nameaddr_param(&na, "tag", &one);
		sip_unquote(na.display);
	}
	sip_via_parse(v, &via);
	sip_cseq_parse(v, &u32, &one);
	if (auth_params_parse(v, &ap) == 0)
		auth_response_matches(&ap, STR("0123"), STR("REGISTER"), STR_NONE);
	while (sip_list_next(&rest, &one))
		ck_assert(one.l > 0 && one.p >= v.p && one.p + one.l <= v.p + v.l);
	for (rest = v; sip_param_next(&rest, &name, &value);)
		ck_assert(name.p >= v.p && name.p + name.l <= v.p + v.l);
	sip_param_get(v, "tag", &one);
	sip_unescape(v, aor, sizeof(aor), &one);
	sip_method_from_str(v);
	sip_hdr_id_from_name(v);
	str_to_u32(v, &u32);
	str_to_u64(v, &u64);
	str_copy(v, nul, sizeof(nul));
	hex_decode(v, octets, sizeof(octets), &n);
	base64_decode(v, false, octets, sizeof(octets), &n);
	base64_decode(v, true, octets, sizeof(octets), &n);
	token_read(&key, v, &token);
	addr_parse(v, 0, &addr);
	addr_parse_hostport(v, 0, &addr);
	sdp_parse(v, &sdp, &n);
}

static void values(const char *name, struct str file)
{
	struct sip_parse_error e = { 0 };
	struct guard page;
	struct sip_msg *m;
	int rc = sip_msg_parse_copy(file, NULL, &m, &e);

	(void)name;
	if (!m)
		return;
	guard_init(&page, MAX_FILE);
	for (unsigned i = 0; i < m->n_hdrs && i < 30; i++) {
		struct str v = sip_msg_hdr_value(m, &m->hdrs[i]);

		read_value(guard_put(&page, sip_msg_hdr_name(m, &m->hdrs[i])));
		read_value(guard_put(&page, v));
		for (size_t n = 0; n < v.l && v.l <= PREFIXES; n++)
			read_value(guard_put(&page, str_head(v, n)));
	}
	read_value(guard_put(&page, m->ruri_text));
	read_value(guard_put(&page, m->body));
	ck_assert(rc == 0 || e.why);
	guard_fini(&page);
	sip_msg_unref(m);
}

START_TEST(test_values_at_the_end_of_a_page)
{
	each_file(values);
}
END_TEST

/* A header that is dropped is gone however it was spelt: what is written and read again has none (REG-08). */
static void drop(const char *name, struct str file)
{
	struct sip_parse_error e = { 0 };
	struct sip_msg *m, *w;
	struct sip_out o;
	struct bytes *b;

	if (sip_msg_parse_copy(file, NULL, &m, &e) == 0) {
		sip_out_init(&o, m);
		for (unsigned id = SIP_H_OTHER + 1; id < SIP_N_HDRS; id++)
			if (id != SIP_H_VIA && id != SIP_H_FROM && id != SIP_H_TO && id != SIP_H_CALL_ID && id != SIP_H_CSEQ)
				sip_out_drop(&o, (enum sip_hdr_id)id);
		sip_out_drop_name(&o, "X-Bypass-Me");
		sip_out_push(&o, SIP_H_VIA, STR("SIP/2.0/TCP me;branch=z9hG4bKme"));
		ck_assert_int_eq(sip_out_write(&o, &b), 0);
		ck_assert_msg(sip_msg_parse_copy(bytes_str(b), NULL, &w, &e) == 0, "%s: %s", name, e.why);
		ck_assert_msg(str_find(bytes_str(b), STR("smuggled@evil")) < 0, "%s: %.*s", name, STR_ARG(bytes_str(b)));
		ck_assert(str_eq(m->body, w->body) && str_eq(m->call_id, w->call_id) && m->cseq == w->cseq);
		ck_assert_ptr_null(sip_msg_hdr(w, SIP_H_PAI));
		bytes_unref(b);
		sip_msg_unref(w);
	}
	sip_msg_unref(m);
}

START_TEST(test_drop_in_every_spelling)
{
	each_file(drop);
}
END_TEST

/* Tags, branches and Call-IDs of 1 to 65000 octets, and a message of ours made from each (REG-07, REG-13). */
START_TEST(test_lengths_to_the_limit)
{
	static const struct { const char *before, *behind; } forms[] = {
		{ "Via: SIP/2.0/UDP h;branch=", "\r\nFrom: <sip:a@h>;tag=f\r\nTo: <sip:b@h>\r\nCall-ID: c\r\n" },
		{ "Via: SIP/2.0/UDP h;branch=b\r\nFrom: <sip:a@h>;tag=", "\r\nTo: <sip:b@h>\r\nCall-ID: c\r\n" },
		{ "Via: SIP/2.0/UDP h;branch=b\r\nFrom: <sip:a@h>;tag=f\r\nTo: <sip:b@h>;tag=", "\r\nCall-ID: c\r\n" },
		{ "Via: SIP/2.0/UDP h;branch=b\r\nFrom: <sip:a@h>;tag=f\r\nTo: <sip:b@h>\r\nCall-ID: ", "\r\n" },
	};
	static const size_t steps[] = { 1, 2, 15, 16, 17, 63, 64, 255, 256, 257, 1023, 4095, 4096, 16383, 32767, 32768, 65000 };
	char *longest = malloc(65001), *msg = malloc(66000);

	for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
		memset(longest, 'x', steps[s]);
		longest[steps[s]] = '\0';
		for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
			size_t n = (size_t)snprintf(msg, 66000, "INVITE sip:b@h SIP/2.0\r\n%s%s%sCSeq: 1 INVITE\r\n\r\n",
						    forms[f].before, longest, forms[f].behind);
			struct sip_parse_error e = { 0 };
			struct sip_msg *m;
			struct bytes *b;

			ck_assert_int_eq(sip_msg_parse_copy(str_make(msg, n), NULL, &m, &e), 0);
			b = sip_reply_make(m, 486, NULL, STR("local"), STR_NONE, STR_NONE, STR_NONE);
			ck_assert_ptr_nonnull(b);
			bytes_unref(b);
			b = sip_cancel_make(str_make(msg, n), STR("SIP;cause=200"));
			ck_assert_ptr_nonnull(b);
			bytes_unref(b);
			sip_msg_unref(m);
		}
	}
	free(longest);
	free(msg);
}
END_TEST

TEST_MAIN("corpus", TEST_ONE(test_outcome), TEST_ONE(test_cut_at_every_octet), TEST_ONE(test_values_at_the_end_of_a_page),
	  TEST_ONE(test_drop_in_every_spelling), TEST_ONE(test_lengths_to_the_limit))
