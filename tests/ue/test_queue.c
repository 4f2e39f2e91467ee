/* tests/ue/test_queue.c - how a list of commands is cut. */
#include "tests/check.h"
#include "tests/ue/commands.h"

static const struct { const char *name, *in, *out[5]; } rows[] = {
	{ "one",                      "register",                        { "register" } },
	{ "blank behind the sign",    "register; wait registered 5",     { "register", "wait registered 5" } },
	{ "sign at the end",          "register;",                       { "register" } },
	{ "URI parameters stay",      "call sip:+49@a;user=phone; hold", { "call sip:+49@a;user=phone", "hold" } },
	{ "tel parameters stay",      "call tel:110;phone-context=a;\n", { "call tel:110;phone-context=a" } },
	{ "lines",                    "register\ncall 1\n",              { "register", "call 1" } },
	{ "empty ones are skipped",   "; ;\n;  quit ; ",                 { "quit" } },
	{ "nothing",                  "",                                { NULL } },
	{ "text of a message",        "message sip:a it's; good\n",      { "message sip:a it's", "good" } },
};

START_TEST(test_split_row)
{
	struct str rest = str_from_c(rows[_i].in), one;
	int n = 0;

	while (command_next(&rest, &one)) {
		ck_assert_msg(n < 5 && rows[_i].out[n] && str_eq_c(one, rows[_i].out[n]), "%s: command %d is '%.*s'", rows[_i].name,
			      n, STR_ARG(one));
		n++;
	}
	ck_assert_msg(n == 5 || !rows[_i].out[n], "%s: only %d commands", rows[_i].name, n);
}
END_TEST

START_TEST(test_words)
{
	struct str rest = STR("  message   sip:a   two  words ");

	ck_assert(str_eq_c(command_word(&rest), "message"));
	ck_assert(str_eq_c(command_word(&rest), "sip:a"));
	ck_assert(str_eq_c(rest, "two  words"));
}
END_TEST

TEST_MAIN("queue", TEST_ROWS(test_split_row, rows), TEST_ONE(test_words))
