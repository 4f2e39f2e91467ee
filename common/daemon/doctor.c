/* common/daemon/doctor.c - see doctor.h: rights, listeners, state, routes, Diameter peers, DNS, clock. */
#include <errno.h>
#include <linux/capability.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>
#include "common/daemon/doctor.h"
#include "common/loop/loop.h"
#include "common/resolver/resolver.h"
#include "common/sip/flow.h"

#define CONNECT_MS 2000
#define DNS_MS 5000
#define PRIVILEGED_PORTS 1024

/* ---- words ---- */

static void say(const char *mark, const char *fmt, va_list ap)
{
	printf("%-5s ", mark);
	vprintf(fmt, ap);
	putchar('\n');
}

void doctor_good(struct doctor *d, const char *fmt, ...)
{
	va_list ap;

	d->good++;
	va_start(ap, fmt);
	say("ok", fmt, ap);
	va_end(ap);
}

void doctor_doubt(struct doctor *d, const char *fix, const char *fmt, ...)
{
	va_list ap;

	d->doubtful++;
	va_start(ap, fmt);
	say("warn", fmt, ap);
	va_end(ap);
	printf("      fix: %s\n", fix);
}

void doctor_bad(struct doctor *d, const char *fix, const char *fmt, ...)
{
	va_list ap;

	d->broken++;
	va_start(ap, fmt);
	say("BAD", fmt, ap);
	va_end(ap);
	printf("      fix: %s\n", fix);
}

/* ---- rights ---- */

bool doctor_has_capability(unsigned cap)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long set = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &set) == 1)
			break;
	if (f)
		fclose(f);
	return set >> cap & 1;
}

static void check_user(struct doctor *d, const struct cfg_node *r)
{
	const char *user = cfg_cstr(r, "user");

	if (user && !getpwnam(user))
		doctor_bad(d, "adduser --system --group NAME, or another name at `user`", "there is no user %s", user);
	else if (geteuid() == 0 && !user)
		doctor_doubt(d, "give `user` in the configuration, or start it as that user", "it would run as root");
	else
		doctor_good(d, "runs as %s", user ? user : "the user who starts it");
}

static void check_state(struct doctor *d, const struct cfg_node *r)
{
	const char *dir = cfg_cstr(r, "state.dir");
	struct stat st;

	if (!dir || !*dir)
		doctor_doubt(d, "give state.dir: else routes of calls and registrations do not outlive a restart", "there is no state.dir");
	else if (stat(dir, &st) < 0 && errno == ENOENT)
		doctor_good(d, "state.dir %s will be made", dir);
	else if (access(dir, W_OK | X_OK) < 0)
		doctor_bad(d, "chown it to the daemon's user", "state.dir %s: %s", dir, strerror(errno));
	else if (st.st_mode & (S_IRWXG | S_IRWXO))
		doctor_doubt(d, "chmod 0700: keys are in there", "state.dir %s is open to others", dir);
	else
		doctor_good(d, "state.dir %s", dir);
}

static void check_token_file(struct doctor *d, const struct cfg_node *r)
{
	const char *file = cfg_cstr(r, "rest.token_file");
	struct stat st;

	if (!file)
		return;
	if (stat(file, &st) < 0)
		doctor_bad(d, "head -c 24 /dev/urandom | xxd -p > FILE; chmod 0600 FILE", "rest.token_file %s: %s", file, strerror(errno));
	else if (st.st_mode & S_IRWXO)
		doctor_doubt(d, "chmod o-rwx", "rest.token_file %s is open to all", file);
	else
		doctor_good(d, "rest.token_file %s", file);
}

/* ---- sockets ---- */

static void check_bind(struct doctor *d, const char *what, bool stream, const struct addr *a)
{
	int fd = socket(a->sa.sa_family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0), yes = 1, err = 0;
	char text[ADDR_STRLEN];

	if (fd < 0 || (stream && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0) || bind(fd, &a->sa, addr_len(a)) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	addr_fmt(a, text);
	if (err == 0)
		doctor_good(d, "%s %s can be opened", what, text);
	else if (err == EADDRINUSE)
		doctor_doubt(d, "ss -lnup; ss -lntp", "%s %s is in use: by the daemon itself?", what, text);
	else if (err == EADDRNOTAVAIL)
		doctor_bad(d, "ip address add ..., or another address in the configuration", "%s %s: this machine has no such address", what, text);
	else if (err == EACCES && addr_port(a) < PRIVILEGED_PORTS)
		doctor_bad(d, "a port from 1024 on, or CAP_NET_BIND_SERVICE", "%s %s: the port is a privileged one", what, text);
	else
		doctor_bad(d, "see the message", "%s %s: %s", what, text, strerror(err));
}

static void check_listeners(struct doctor *d, const struct cfg_node *r)
{
	struct addr a;

	for (size_t i = 0; i < cfg_list_len(r, "sip.listen"); i++) {
		struct str proto, rest;

		str_cut(cfg_strs_at(r, "sip.listen", i), ':', &proto, &rest);
		if (addr_parse_hostport(rest, 5060, &a) == 0)
			check_bind(d, "SIP listener", !str_eq(proto, STR("udp")), &a);
	}
	if (cfg_has(r, "rest.listen") && addr_parse_hostport(cfg_str(r, "rest.listen"), 8080, &a) == 0)
		check_bind(d, "REST listener", true, &a);
}

/* 0 or -errno.  route_only: only whether the kernel knows a way. */
static int reach(const struct addr *a, bool route_only)
{
	int fd = socket(a->sa.sa_family, (route_only ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t l = sizeof(err);

	if (fd < 0)
		return -errno;
	if (connect(fd, &a->sa, addr_len(a)) < 0) {
		err = errno;
		if (err == EINPROGRESS)
			err = poll(&p, 1, CONNECT_MS) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &l) == 0 ? err : ETIMEDOUT;
	}
	close(fd);
	return -err;
}

static void check_hops(struct doctor *d, const struct cfg_node *r)
{
	struct str name, target, proto, rest;
	struct addr a;

	for (size_t i = 0; cfg_map_at(r, "dns.next_hops", i, &name, &target); i++) {
		if (!str_cut(target, ':', &proto, &rest) || addr_parse_hostport(rest, 5060, &a) < 0)
			continue;
		if (reach(&a, true) < 0)
			doctor_bad(d, "ip route add ...", "no route to the next hop %.*s of %.*s", STR_ARG(target), STR_ARG(name));
		else
			doctor_good(d, "route to the next hop %.*s of %.*s", STR_ARG(target), STR_ARG(name));
	}
}

/* ---- Diameter ---- */

static bool peer_address(const struct cfg_node *p, struct addr *ret)
{
	uint16_t port = (uint16_t)cfg_int(p, "port");
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM }, *all = NULL;

	if (cfg_has(p, "address"))
		return addr_parse(cfg_str(p, "address"), port, ret) == 0;
	if (getaddrinfo(cfg_cstr(p, "identity"), NULL, &hint, &all) != 0)
		return false;
	memset(ret, 0, sizeof(*ret));
	memcpy(&ret->sa, all->ai_addr, all->ai_addrlen < sizeof(ret->in6) ? all->ai_addrlen : sizeof(ret->in6));
	addr_set_port(ret, port);
	freeaddrinfo(all);
	return true;
}

static void check_peers(struct doctor *d, const struct cfg_node *r)
{
	char text[ADDR_STRLEN];
	struct addr a;
	int rc;

	for (size_t i = 0; i < cfg_list_len(r, "diameter.peers"); i++) {
		const struct cfg_node *p = cfg_list_at(r, "diameter.peers", i);
		const char *name = cfg_cstr(p, "identity");

		if (!peer_address(p, &a)) {
			doctor_bad(d, "give diameter.peers[].address, or its name to DNS", "Diameter peer %s has no address", name);
			continue;
		}
		rc = reach(&a, false);
		addr_fmt(&a, text);
		if (rc == 0)
			doctor_good(d, "Diameter peer %s takes connections at %s", name, text);
		else
			doctor_bad(d, rc == -ECONNREFUSED ? "start the HSS, or correct its port: nobody listens there" :
				   rc == -ENETUNREACH || rc == -EHOSTUNREACH ? "ip route add ..." : "a firewall on the way?  is the address right?",
				   "Diameter peer %s at %s: %s", name, text, strerror(-rc));
	}
}

/* ---- DNS ---- */

struct lookup {
	struct loop *l;
	bool done;
	struct resolver_result res;
};

static void on_result(void *arg, const struct resolver_result *res)
{
	struct lookup *k = arg;

	k->done = true;
	k->res = *res;
	loop_stop(k->l, 0);
}

static void check_domain(struct doctor *d, const struct cfg *c, struct resolver_config *rc)
{
	struct lookup k = { .l = loop_new() };
	struct resolver *r = k.l ? resolver_new(k.l, rc) : NULL;
	struct sip_uri uri = { .scheme = SIP_SCHEME_SIP, .host = cfg_home_domain(c) };
	char text[SIP_FLOW_STRLEN];

	if (r) {
		resolver_lookup(r, &uri, on_result, &k);
		if (!k.done)
			loop_run_for(k.l, DNS_MS);
	}
	if (!r)
		doctor_bad(d, "free some memory", "names cannot be looked up");
	else if (k.done && k.res.err == 0 && k.res.n)
		doctor_good(d, "the home domain %.*s leads to %s", STR_ARG(uri.host), sip_flow_fmt(&k.res.target[0], text));
	else
		doctor_bad(d, "NAPTR and SRV, or A records, for the home domain that lead to the I-CSCF; or dns.next_hops",
			   "the home domain %.*s leads nowhere: %s", STR_ARG(uri.host), k.done && k.res.why ? k.res.why : "no answer");
	resolver_free(r);
	loop_free(k.l);
}

static void check_dns(struct doctor *d, const struct cfg *c)
{
	const struct cfg_node *r = cfg_root(c);
	struct resolver_static st[64];
	struct addr servers[8];
	struct resolver_config rc = { .servers = servers, .statics = st, .timeout_ms = (uint32_t)cfg_int(r, "dns.timeout_ms"),
				      .tries = (uint32_t)cfg_int(r, "dns.tries"), .cache_max = 16 };

	for (size_t i = 0; i < cfg_list_len(r, "dns.servers") && rc.n_servers < 8; i++)
		if (addr_parse_hostport(cfg_strs_at(r, "dns.servers", i), 53, &servers[rc.n_servers]) == 0)
			rc.n_servers++;
	while (rc.n_statics < 64 && cfg_map_at(r, "dns.next_hops", rc.n_statics, &st[rc.n_statics].name, &st[rc.n_statics].target))
		rc.n_statics++;
	if (rc.n_servers == 0 && rc.n_statics == 0)
		doctor_doubt(d, "dns.servers or dns.next_hops", "neither DNS servers nor next hops: only addresses can be reached");
	else
		check_domain(d, c, &rc);
}

/* ---- clock ---- */

static void check_clock(struct doctor *d)
{
	struct timex t = { 0 };

	if (adjtimex(&t) == TIME_ERROR || (t.status & STA_UNSYNC))
		doctor_doubt(d, "install chrony or systemd-timesyncd: certificates, logs and registrations of several machines need one time",
			     "nobody keeps the clock right");
	else
		doctor_good(d, "the clock is kept");
}

void doctor_common(struct doctor *d, const struct cfg *c)
{
	const struct cfg_node *r = cfg_root(c);

	check_user(d, r);
	check_state(d, r);
	check_token_file(d, r);
	check_listeners(d, r);
	check_hops(d, r);
	if (cfg_has(r, "diameter"))
		check_peers(d, r);
	check_dns(d, c);
	check_clock(d);
}
