/* tests/ue/test_options.c - the command line and what is derived from it.  TS 23.003 §13.2 to §13.4B. */
#include <errno.h>
#include "tests/check.h"
#include "tests/ue/ue.h"

#define P "--pcscf", "udp:127.0.0.1:5060"
#define K "--k", "465b5ce8b199b49faa5f0a2ee238a6bc", "--opc", "cd63cb71954a9f4e48a5994e37a02baf"
#define ID "--imsi", "001010000000001", "--mcc", "001", "--mnc", "01"
#define MAX_ARGS 24

static int read_args(struct ue_options *o, const char *const *args, char *why, size_t size)
{
	char *argv[MAX_ARGS] = { (char *)(uintptr_t)"imsue" };
	int n = 1;

	for (; args[n - 1]; n++)
		argv[n] = (char *)(uintptr_t)args[n - 1];
	return options_read(o, n, argv, why, size);
}

static const struct { const char *name, *args[MAX_ARGS - 1], *domain, *impi, *impu; } good[] = {
	{ "MNC of two digits", { P, K, ID }, "ims.mnc001.mcc001.3gppnetwork.org", "001010000000001@ims.mnc001.mcc001.3gppnetwork.org",
	  "sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org" },
	{ "MNC of three digits", { P, K, "--imsi", "310410000000001", "--mcc", "310", "--mnc", "410" },
	  "ims.mnc410.mcc310.3gppnetwork.org", "310410000000001@ims.mnc410.mcc310.3gppnetwork.org",
	  "sip:310410000000001@ims.mnc410.mcc310.3gppnetwork.org" },
	{ "names given", { P, "--password", "x", "--impi", "a@p", "--impu", "sip:b@c", "--domain", "d" }, "d", "a@p", "sip:b@c" },
	{ "a domain beats the PLMN", { P, K, ID, "--domain", "d" }, "d", "001010000000001@d", "sip:001010000000001@d" },
	{ "TLS", { "--pcscf", "tls:127.0.0.1", K, ID, "--tls-ca", "x.pem", "--tls-name", "p" }, "ims.mnc001.mcc001.3gppnetwork.org",
	  "001010000000001@ims.mnc001.mcc001.3gppnetwork.org", "sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org" },
	{ "the last one counts", { P, K, ID, "--domain", "d", "--domain", "e" }, "e", "001010000000001@e", "sip:001010000000001@e" },
};

START_TEST(test_good_row)
{
	struct ue_options o;
	char why[256] = "";
	int rc = read_args(&o, good[_i].args, why, sizeof(why));

	ck_assert_msg(rc == 0, "%s: %s", good[_i].name, why);
	ck_assert_str_eq(o.domain, good[_i].domain);
	ck_assert_str_eq(o.impi, good[_i].impi);
	ck_assert_str_eq(o.impu, good[_i].impu);
}
END_TEST

static const struct { const char *name, *args[MAX_ARGS - 1], *why; } bad[] = {
	{ "nothing", { NULL }, "--pcscf: is missing" },
	{ "no P-CSCF", { K, ID }, "--pcscf: is missing" },
	{ "SCTP", { "--pcscf", "sctp:127.0.0.1:5060", K, ID }, "--pcscf: udp:" },
	{ "IPsec over TLS", { "--pcscf", "tls:127.0.0.1:5061", K, ID, "--ipsec" }, "--ipsec: TLS" },
	{ "MESSAGE beside TLS", { "--pcscf", "tls:127.0.0.1:5061", K, ID, "--message-proto", "udp" }, "--message-proto: not with" },
	{ "MESSAGE by TLS alone", { P, K, ID, "--message-proto", "tls" }, "--message-proto: udp or tcp" },
	{ "a name", { "--pcscf", "udp:pcscf.example:5060", K, ID }, "--pcscf: udp:" },
	{ "no domain", { P, K, "--imsi", "1" }, "--domain: is missing" },
	{ "no identity", { P, K, "--mcc", "001", "--mnc", "01" }, "--impi: is missing" },
	{ "K alone", { P, ID, "--k", "465b5ce8b199b49faa5f0a2ee238a6bc" }, "--k: --k needs --opc" },
	{ "OPc alone", { P, ID, "--opc", "465b5ce8b199b49faa5f0a2ee238a6bc" }, "--k: --k needs --opc" },
	{ "no credentials", { P, ID }, "--k: credentials are missing" },
	{ "short key", { P, ID, "--k", "46", "--opc", "46" }, "--k: 32 hex digits" },
	{ "no hex", { P, ID, "--k", "zz5b5ce8b199b49faa5f0a2ee238a6bc" }, "--k: 32 hex digits" },
	{ "letters in the IMSI", { P, K, "--imsi", "12x" }, "--imsi: only digits" },
	{ "SQN of 49 bits", { P, K, ID, "--sqn", "281474976710656" }, "--sqn: a number of 48 bits" },
	{ "line break in a header", { P, K, ID, "--user-agent", "a\r\nEvil: 1" }, "--user-agent: control characters" },
	{ "answer 200", { P, K, ID, "--answer", "200" }, "--answer: auto, manual" },
	{ "precond maybe", { P, K, ID, "--precond", "maybe" }, "--precond: yes or no" },
	{ "T1 of nothing", { P, K, ID, "--t1-ms", "0" }, "--t1-ms: not a number" },
	{ "unknown", { P, K, ID, "--nonsense" }, "no such option: --nonsense" },
	{ "value missing", { P, K, ID, "--sqn" }, "--sqn needs a value" },
	{ "a word", { P, K, ID, "register" }, "not an option: register" },
};

START_TEST(test_bad_row)
{
	struct ue_options o;
	char why[256] = "";
	int rc = read_args(&o, bad[_i].args, why, sizeof(why));

	ck_assert_msg(rc == -EINVAL && !strncmp(why, bad[_i].why, strlen(bad[_i].why)), "%s: rc %d, %s", bad[_i].name, rc, why);
}
END_TEST

/* TS 35.208 test set 1: OPc of OP. */
START_TEST(test_op)
{
	static const char *const args[] = { P, ID, "--op", "cdc202d5123e20f62b6d676ac72cb318", "--k", "465b5ce8b199b49faa5f0a2ee238a6bc",
					    NULL };
	struct ue_options o;
	char why[256], hex[33];

	ck_assert_int_eq(read_args(&o, args, why, sizeof(why)), 0);
	hex_encode(o.opc, 16, hex);
	ck_assert_str_eq(hex, "cd63cb71954a9f4e48a5994e37a02baf");
}
END_TEST

static const struct { const char *in, *out; } targets[] = {
	{ "+491510000002", "tel:+491510000002" },
	{ "0171", "tel:0171;phone-context=d" },
	{ "*21#", "tel:*21#;phone-context=d" },
	{ "sip:a@b;user=phone", "sip:a@b;user=phone" },
	{ "tel:+49-151", "tel:+49-151" },
	{ "urn:service:sos", "urn:service:sos" },
	{ "not a uri", NULL },
	{ "", NULL },
};

START_TEST(test_target_row)
{
	struct ue u = { .o = { .domain = "d" } };
	char dst[UE_TEXT] = "";
	int rc = target_make(&u, str_from_c(targets[_i].in), dst);

	ck_assert_msg(targets[_i].out ? rc == 0 && !strcmp(dst, targets[_i].out) : rc == -EINVAL, "'%s': %d '%s'", targets[_i].in,
		      rc, dst);
}
END_TEST

TEST_MAIN("ue_options", TEST_ROWS(test_good_row, good), TEST_ROWS(test_bad_row, bad), TEST_ONE(test_op),
	  TEST_ROWS(test_target_row, targets))
