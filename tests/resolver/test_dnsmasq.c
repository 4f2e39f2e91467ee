/* tests/resolver/test_dnsmasq.c - RFC 3263 §4.1, §4.2 against a DNS server that is not ours: dnsmasq. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/resolver/ask.h"

#define DNSMASQ "/usr/sbin/dnsmasq"
#define START_MAX_MS 5000

static const struct row rows[] = {
	{ "sip:host.test:5099", 0, "udp:127.0.101.41:5099", false },
	{ "sip:host.test", 0, "udp:127.0.101.41:5060", false },
	{ "sip:srv.test", 0, "udp:127.0.101.41:5081", false },
	{ "sip:srv.test;transport=tcp", 0, "tcp:127.0.101.42:5082", true },
	{ "sip:naptr.test", 0, "tcp:127.0.101.42:5082", true },
	{ "sip:missing.test", -ENOENT, NULL, false },
};

static void child(int log)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* a failed test leaves nothing behind */
	dup2(log, STDERR_FILENO);
	execl(DNSMASQ, "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
	      "--user=root", "--pid-file=", "--listen-address=127.0.101.53", "--bind-interfaces", "--port=15353", "--local=/test/",
	      "--address=/host.test/127.0.101.41", "--address=/tcp.test/127.0.101.42",
	      "--srv-host=_sip._udp.srv.test,host.test,5081,1,1", "--srv-host=_sip._udp.srv.test,tcp.test,5089,2,1",
	      "--srv-host=_sip._tcp.srv.test,tcp.test,5082,1,1", "--naptr-record=naptr.test,20,1,S,SIP+D2U,,_sip._udp.srv.test",
	      "--naptr-record=naptr.test,10,1,S,SIP+D2T,,_sip._tcp.srv.test", (char *)NULL);
	_exit(127);
}

/* Returns when it says that it has started: its sockets are open then. */
static pid_t dnsmasq(void)
{
	char text[4096];
	size_t n = 0;
	int p[2];
	pid_t pid;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		child(p[1]);
	close(p[1]);
	for (;;) {
		struct pollfd f = { .fd = p[0], .events = POLLIN };
		ssize_t got_n;

		ck_assert_msg(poll(&f, 1, START_MAX_MS) == 1, "dnsmasq says nothing");
		got_n = read(p[0], text + n, sizeof(text) - 1 - n);
		ck_assert_msg(got_n > 0, "dnsmasq ended: %.*s", (int)n, text);
		n += (size_t)got_n;
		text[n] = '\0';
		if (strstr(text, "started"))
			break;
	}
	close(p[0]);
	return pid;
}

START_TEST(test_real_server)
{
	struct resolver_config c = { .n_servers = 1, .timeout_ms = 1000, .tries = 2, .cache_max = 100, .stale_max_s = 60,
				     .negative_ttl_s = 5 };
	struct addr server;
	struct sip_flow failed;
	pid_t pid = dnsmasq();

	ck_assert_int_eq(addr_parse(STR("127.0.101.53"), 15353, &server), 0);
	c.servers = &server;
	l = loop_new();
	r = resolver_new(l, &c);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
	/* A target that failed goes behind: RFC 3263 §4.3. */
	look("sip:srv.test");
	ck_assert_uint_ge(got.n, 2);
	failed = got.target[0];
	resolver_target_failed(r, &failed, 60);
	look("sip:srv.test");
	ck_assert(!addr_eq(&got.target[0].remote, &failed.remote));
	resolver_free(r);
	loop_free(l);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}
END_TEST

TEST_MAIN_NEEDS("dnsmasq", DNSMASQ, "package dnsmasq-base", TEST_ONE(test_real_server))
