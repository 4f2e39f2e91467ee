/* tests/daemon/test_admission.c - the controller of common/daemon/admission.c against a simulated worker with fake time.
 *
 * Row C18, reliability L2: what is refused and what never is; a step to five times the capacity keeps the wait near the target
 * and the goodput near the capacity; all is let in again within 5 s. */
#include "common/daemon/admission.h"
#include "tests/check.h"

#define SERVE_US 100u			/* a request that is let in */
#define REFUSE_US 8u			/* one that is not */
#define SHED_US 2u			/* one that is dropped unparsed */
#define TARGET_US 50000u
#define NEW_REQUEST "OPTIONS sip:h SIP/2.0\r\nTo: <sip:h>\r\n\r\n"

/* ---- a worker with a queue ---- */

struct sim {
	struct admission a;
	uint64_t now, next, step;	/* the clock; when the next request arrives; the time between two */
	uint32_t seed;
	uint64_t served, refused, longest;
	unsigned in_dialog_refused;
};

static uint32_t dice(struct sim *s)
{
	s->seed = s->seed * 1664525u + 1013904223u;
	return s->seed >> 8;
}

static void sim_init(struct sim *s)
{
	const struct admission_config c = { .enabled = true, .target_us = TARGET_US };

	*s = (struct sim){ .now = 1000000, .next = 1000000, .seed = 7 };
	admission_init(&s->a, &c, s->now);
}

/* Takes requests in their order of arrival until `ends`; every tenth belongs to a dialog. */
static void sim_run(struct sim *s, uint64_t us, uint64_t per_second)
{
	uint64_t ends = s->now + us, n = 0;

	s->step = 1000000 / per_second;
	s->served = s->refused = s->longest = 0;
	while (s->now < ends) {
		enum admission_class c = n++ % 10 ? ADMISSION_NEW : ADMISSION_ALWAYS;
		uint64_t wait;
		bool sifted;

		if (s->next > s->now)
			s->now = s->next;
		wait = s->now - s->next;
		s->next += s->step;
		if (wait > s->longest)
			s->longest = wait;
		sifted = c == ADMISSION_NEW && admission_sifts(&s->a, STR(NEW_REQUEST));
		if (sifted && admission_sheds(&s->a, dice(s))) {
			s->refused++;
			s->now += SHED_US;
			continue;
		}
		admission_measure(&s->a, s->now, wait);
		if (admission_decide(&s->a, c, sifted, s->now, dice(s))) {
			s->served++;
			s->now += SERVE_US;
		} else {
			s->refused++;
			s->in_dialog_refused += c == ADMISSION_ALWAYS;
			s->now += REFUSE_US;
		}
	}
}

START_TEST(test_unloaded)
{
	struct sim s;

	sim_init(&s);
	sim_run(&s, 10000000, 8000);		/* four fifths of what it can do */
	ck_assert_uint_eq(s.refused, 0);
	ck_assert_uint_eq(admission_loss_percent(&s.a, s.now), 0);
}
END_TEST

static const struct { const char *name; unsigned per_second, least_per_second; } loads[] = {
	{ "a tenth too much", 11000, 9000 },
	{ "twice as much (L2)", 20000, 8200 },	/* with the refusals 9130 are possible */
	{ "five times as much (L2)", 50000, 7500 },
	{ "twenty times as much", 200000, 3000 },	/* a tenth of it is in dialogs: it alone takes all */
};

START_TEST(test_step_and_recovery)
{
	struct sim s;
	uint64_t over;

	sim_init(&s);
	sim_run(&s, 2000000, 5000);
	sim_run(&s, 3000000, loads[_i].per_second);	/* the controller finds its place */
	sim_run(&s, 10000000, loads[_i].per_second);
	ck_assert_msg(s.longest < 6 * TARGET_US || _i == 3, "%s: a request waited %llu us", loads[_i].name, (unsigned long long)s.longest);
	ck_assert_msg(s.served / 10 >= loads[_i].least_per_second, "%s: %llu requests per second are served", loads[_i].name,
		      (unsigned long long)s.served / 10);
	ck_assert_uint_gt(s.refused, 0);
	ck_assert_uint_eq(s.in_dialog_refused, 0);
	over = s.now;
	while (admission_loss_percent(&s.a, s.now) > 0 && s.now < over + 10000000)
		sim_run(&s, 100000, 1000);
	ck_assert_msg(s.now - over <= 5000000, "%s: all is let in again after %llu us", loads[_i].name,
		      (unsigned long long)(s.now - over));
	sim_run(&s, 1000000, 5000);
	ck_assert_uint_eq(s.refused, 0);
}
END_TEST

/* Silence after the flood: nobody measures anything, and it is over all the same. */
START_TEST(test_recovery_in_silence)
{
	struct sim s;

	sim_init(&s);
	sim_run(&s, 5000000, 50000);
	ck_assert_uint_gt(admission_loss_percent(&s.a, s.now), 50);
	ck_assert_uint_eq(admission_loss_percent(&s.a, s.now + 5000000), 0);
	ck_assert(admission_decide(&s.a, ADMISSION_NEW, false, s.now + 5000000, ADMISSION_ONE - 1));
}
END_TEST

/* A few messages that waited are a busy machine, not a queue; a burst has some that did not wait. */
START_TEST(test_no_false_alarm)
{
	struct sim s;

	sim_init(&s);
	for (unsigned i = 0; i < 200; i++)
		admission_measure(&s.a, s.now += 50000, 300000);
	ck_assert_uint_eq(admission_loss_percent(&s.a, s.now), 0);
	for (unsigned i = 0; i < 200; i++) {
		for (unsigned k = 0; k < 300; k++)
			admission_measure(&s.a, s.now + k, k * 1000);
		s.now += ADMISSION_INTERVAL_US;
	}
	ck_assert_uint_eq(admission_loss_percent(&s.a, s.now), 0);
}
END_TEST

/* The socket's buffer is small: nothing waits long, but datagrams are lost. */
START_TEST(test_kernel_drops)
{
	struct sim s;

	sim_init(&s);
	for (unsigned i = 0; i < 5; i++) {
		for (unsigned k = 0; k < 50; k++)
			admission_measure(&s.a, s.now + k, 3000);
		admission_lost(&s.a, 10);
		s.now += ADMISSION_INTERVAL_US;
	}
	ck_assert_uint_gt(admission_loss_percent(&s.a, s.now), 50);
}
END_TEST

START_TEST(test_off)
{
	struct sim s;

	sim_init(&s);
	s.a.config.enabled = false;
	sim_run(&s, 3000000, 50000);
	ck_assert_uint_eq(s.refused, 0);
	ck_assert_uint_eq(admission_loss_percent(&s.a, s.now), 0);
}
END_TEST

/* Spread, so that those who were refused do not all come back in the same second. */
START_TEST(test_retry_after)
{
	struct sim s;
	unsigned seen[64] = { 0 }, different = 0;

	sim_init(&s);
	for (unsigned i = 0; i < 1000; i++) {
		unsigned r = admission_retry_after_s(&s.a, dice(&s));

		ck_assert_uint_ge(r, ADMISSION_RETRY_MIN_S);
		ck_assert_uint_lt(r, 64);
		different += seen[r]++ == 0;
	}
	ck_assert_uint_ge(different, ADMISSION_RETRY_SPREAD_S);
	s.a.fraction = ADMISSION_FLOOR;
	ck_assert_uint_ge(admission_retry_after_s(&s.a, 0), 2 * ADMISSION_RETRY_MIN_S);
}
END_TEST

/* ---- what may be refused ---- */

static const struct { const char *name, *raw; bool is_new, priority; } scans[] = {
	{ "a call", "INVITE sip:b@h SIP/2.0\r\nVia: x\r\nTo: <sip:b@h>\r\n\r\n", true, false },
	{ "compact", "\r\nMESSAGE sip:b@h SIP/2.0\r\nt: <sip:b@h>\r\n\r\n", true, false },
	{ "a tag", "INVITE sip:b@h SIP/2.0\r\nt: <sip:b@h>\r\n ;TAG=1\r\n\r\n", false, false },
	{ "no To", "INVITE sip:b@h SIP/2.0\r\nFrom: <sip:b@h>\r\n\r\n", false, false },
	{ "To in the body", "INVITE sip:b@h SIP/2.0\r\nFrom: <sip:b@h>\r\n\r\nTo: x\r\n", false, false },
	{ "ACK", "ACK sip:b@h SIP/2.0\r\nTo: <sip:b@h>\r\n\r\n", false, false },
	{ "PRACK", "PRACK sip:b@h SIP/2.0\r\nTo: <sip:b@h>\r\n\r\n", false, false },
	{ "unknown", "FOO sip:b@h SIP/2.0\r\nTo: <sip:b@h>\r\n\r\n", false, false },
	{ "a response", "SIP/2.0 200 OK\r\nTo: <sip:b@h>\r\n\r\n", false, false },
	{ "an emergency", "INVITE urn:service:sos SIP/2.0\r\nTo: <sip:b@h>\r\n\r\n", false, false },
	{ "priority", "INVITE sip:b@h SIP/2.0\r\nTo: <sip:b@h>\r\nResource-Priority: esnet.0\r\n\r\n", true, true },
	{ "nothing", "", false, false },
};

START_TEST(test_scan)
{
	bool priority;

	ck_assert_msg(sip_scan_is_new(str_from_c(scans[_i].raw), &priority) == scans[_i].is_new, "%s", scans[_i].name);
	ck_assert_msg(priority == scans[_i].priority, "%s", scans[_i].name);
}
END_TEST


static const struct { const char *name, *method, *ruri, *to, *extra; bool known; enum admission_class want; } classes[] = {
	{ "call", "INVITE", "sip:b@h", "<sip:b@h>", "", false, ADMISSION_NEW },
	{ "text", "MESSAGE", "sip:b@h", "<sip:b@h>", "", true, ADMISSION_NEW },
	{ "subscription", "SUBSCRIBE", "sip:b@h", "<sip:b@h>", "", false, ADMISSION_NEW },
	{ "unknown method", "FOO", "sip:b@h", "<sip:b@h>", "", false, ADMISSION_NEW },
	{ "first registration", "REGISTER", "sip:h", "<sip:b@h>", "", false, ADMISSION_NEW },
	{ "re-registration", "REGISTER", "sip:h", "<sip:b@h>", "", true, ADMISSION_KNOWN },
	{ "re-INVITE", "INVITE", "sip:b@h", "<sip:b@h>;tag=1", "", false, ADMISSION_ALWAYS },
	{ "BYE", "BYE", "sip:b@h", "<sip:b@h>;tag=1", "", false, ADMISSION_ALWAYS },
	{ "PRACK without a tag", "PRACK", "sip:b@h", "<sip:b@h>", "", false, ADMISSION_ALWAYS },
	{ "UPDATE", "UPDATE", "sip:b@h", "<sip:b@h>;tag=1", "", false, ADMISSION_ALWAYS },
	{ "CANCEL", "CANCEL", "sip:b@h", "<sip:b@h>", "", false, ADMISSION_ALWAYS },
	{ "ACK", "ACK", "sip:b@h", "<sip:b@h>;tag=1", "", false, ADMISSION_ALWAYS },
	{ "emergency RFC 5031", "INVITE", "urn:service:sos", "<urn:service:sos>", "", false, ADMISSION_ALWAYS },
	{ "emergency, fire", "INVITE", "URN:service:sos.fire", "<urn:service:sos>", "", false, ADMISSION_ALWAYS },
	{ "Priority as configured", "INVITE", "sip:b@h", "<sip:b@h>", "Priority: Emergency\r\n", false, ADMISSION_ALWAYS },
	{ "Resource-Priority as configured", "INVITE", "sip:b@h", "<sip:b@h>", "Resource-Priority: q735.1, esnet.0\r\n", false,
	  ADMISSION_ALWAYS },
	{ "Resource-Priority of others", "INVITE", "sip:b@h", "<sip:b@h>", "Resource-Priority: q735.1\r\n", false, ADMISSION_NEW },
};

START_TEST(test_class)
{
	struct admission_config c = { .enabled = true, .target_us = 1, .never_refuse = { STR("emergency"), STR("esnet") },
				      .n_never_refuse = 2 };
	struct sip_parse_error err;
	struct admission a;
	struct sip_msg *m;
	char text[1024];

	snprintf(text, sizeof(text), "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=x\r\nTo: %s\r\n"
		 "Call-ID: c\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\n%sContent-Length: 0\r\n\r\n", classes[_i].method, classes[_i].ruri,
		 classes[_i].to, classes[_i].method, classes[_i].extra);
	ck_assert_msg(sip_msg_parse_copy(str_from_c(text), NULL, &m, &err) == 0, "%s", classes[_i].name);
	admission_init(&a, &c, 0);
	ck_assert_msg(admission_class_of(&a, m, classes[_i].known) == classes[_i].want, "%s", classes[_i].name);
	sip_msg_unref(m);
}
END_TEST

TEST_MAIN("admission", TEST_ONE(test_unloaded), TEST_ROWS(test_step_and_recovery, loads), TEST_ONE(test_recovery_in_silence),
	  TEST_ONE(test_no_false_alarm), TEST_ONE(test_kernel_drops), TEST_ONE(test_off), TEST_ONE(test_retry_after),
	  TEST_ROWS(test_class, classes), TEST_ROWS(test_scan, scans))
