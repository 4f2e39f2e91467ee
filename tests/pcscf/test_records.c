/* tests/pcscf/test_records.c - call records: row G4, TS 32.260 (ICID). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "pcscf/records.h"
#include "tests/pcscf/rig.h"

static char file[64];
static cJSON *line[16];
static unsigned n_lines;

static void begin(struct rig *r)
{
	char config[256];
	int fd;

	snprintf(file, sizeof(file), "/tmp/call-records-XXXXXX");
	fd = mkstemp(file);
	ck_assert_int_ge(fd, 0);
	close(fd);
	snprintf(config, sizeof(config), "  reg_event: false\nrecords: {file: %s}\n", file);
	rig_init(r, config, 1);
	rig_register(r, "alice", ALICE, NULL, NULL, NULL);
}

static void read_all(void)
{
	char text[4096];
	FILE *f = fopen(file, "r");

	ck_assert_ptr_nonnull(f);
	for (n_lines = 0; fgets(text, sizeof(text), f); n_lines++) {
		line[n_lines] = cJSON_Parse(text);
		ck_assert_msg(line[n_lines] != NULL, "%s", text);
	}
	fclose(f);
}

static const char *of(unsigned i, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(line[i], name);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static double number(unsigned i, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(line[i], name);

	return cJSON_IsNumber(v) ? v->valuedouble : -1;
}

static void end(void)
{
	while (n_lines)
		cJSON_Delete(line[--n_lines]);
	unlink(file);
}

static struct rig_sent *invite(struct rig *r)
{
	rig_request(r, ALICE, "INVITE", "tel:+491", "Contact: <sip:alice@10.9.0.1:5060>\n");
	return rig_expect(r, "INVITE", SCSCF);
}

START_TEST(test_answered)
{
	char extra[1024];
	struct rig_sent *s;
	struct rig r;

	begin(&r);
	s = invite(&r);
	snprintf(extra, sizeof(extra), "Contact: <sip:bob@10.46.0.9>\nRecord-Route: <sip:s@10.0.0.30:6060;lr>, %s\n", rig_hdr(s, "Record-Route"));
	rig_reply(&r, s, 200, extra);
	rig_expect_status(&r, 200, ALICE);
	snprintf(extra, sizeof(extra), "Route: %s, <sip:s@10.0.0.30:6060;lr>\n", rig_hdr(s, "Record-Route"));
	rig_request_as(&r, ALICE, "BYE", "sip:bob@10.46.0.9", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "call", extra);
	rig_expect(&r, "BYE", SCSCF);
	rig_run(&r, 601000);
	read_all();
	ck_assert_uint_eq(n_lines, 3);
	ck_assert_str_eq(of(0, "type"), "registration");
	ck_assert_str_eq(of(0, "event"), "registered");
	ck_assert_str_eq(of(0, "user"), "sip:alice@home");
	ck_assert(strlen(of(0, "icid")) == 32 && number(0, "expiresS") == 600);
	ck_assert_str_eq(of(1, "type"), "call");
	ck_assert_str_eq(of(1, "side"), "orig");
	ck_assert_str_eq(of(1, "callId"), "call");
	ck_assert_str_eq(of(1, "cause"), "BYE");
	ck_assert_str_eq(of(1, "to"), "sip:bob@home");
	ck_assert(number(1, "status") == 200 && number(1, "durationMs") >= 0 && of(1, "answeredAt")[0]);
	snprintf(extra, sizeof(extra), "icid-value=\"%s\"", of(1, "icid"));
	ck_assert_msg(rig_contains(s, extra), "the ICID of P-Charging-Vector: %s", extra);
	ck_assert_str_eq(of(2, "event"), "expired");
	rig_fini(&r);
	end();
}
END_TEST

START_TEST(test_refused)
{
	struct rig r;

	begin(&r);
	rig_reply(&r, invite(&r), 486, "");
	rig_expect(&r, "ACK", SCSCF);
	rig_expect_status(&r, 486, ALICE);
	read_all();
	ck_assert_uint_eq(n_lines, 2);
	ck_assert_str_eq(of(1, "cause"), "failed");
	ck_assert(number(1, "status") == 486 && of(1, "answeredAt")[0] == '\0' && number(1, "durationMs") == -1);
	rig_fini(&r);
	end();
}
END_TEST

static void from_worker(struct worker *w, void *arg)
{
	struct rig *r = arg;
	struct binding *b = phone_by_key(r->p.phones, STR("alice@home|alice@10.9.0.1:5060"));

	ck_assert(worker_current() == w && b);
	for (unsigned i = 0; i < 3; i++)
		record_registration(r->p.records, b, "at the very end", STR_NONE, i + 1);
	obj_unref(b);
	loop_stop(w->loop, 0);
}

/* What a worker says after the main loop's last turn is written all the same, once and in order. */
START_TEST(test_orderly_stop)
{
	struct worker_full *f;
	struct rig r;

	begin(&r);
	f = &r.workers[0];
	ck_assert_int_eq(worker_start(f), 0);
	ck_assert_int_eq(worker_post(&f->w, from_worker, &r), 0);
	ck_assert_int_eq(pthread_join(f->thread, NULL), 0);
	f->started = false;
	read_all();
	ck_assert_uint_eq(n_lines, 1);
	while (n_lines)
		cJSON_Delete(line[--n_lines]);
	rig_fini(&r);
	read_all();
	ck_assert_uint_eq(n_lines, 4);
	for (unsigned i = 1; i < n_lines; i++)
		ck_assert(strcmp(of(i, "event"), "at the very end") == 0 && number(i, "expiresS") == i);
	end();
}
END_TEST

START_TEST(test_none)			/* without the section nothing is kept */
{
	struct rig r;

	rig_init(&r, NULL, 1);
	ck_assert_ptr_null(pcscf_of(&r.workers[0].w)->calls);
	ck_assert_ptr_null(r.p.records);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("records", TEST_ONE(test_answered), TEST_ONE(test_refused), TEST_ONE(test_orderly_stop), TEST_ONE(test_none))
