/* common/diameter/node.c - the Diameter node: freeDiameter configured, started, watched and stopped.  RFC 6733 §5. */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "common/diameter/doic.h"
#include "common/diameter/private.h"
#include "common/log/log.h"
#include "common/util/bytes.h"
#include "common/util/clock.h"

#define MAX_CONFIG_BYTES 65536
#define RECONNECT_S 1			/* TcTimer: RFC 6733 §12 recommends 30; a HSS that comes back should be found at once */
#define WATCHDOG_MIN_S 6		/* RFC 3539 §3.4.1 */
#define DISPATCH_THREADS 2
#define MACHINE_START_MS 1000
#define STOP_PAUSE_US 50000
#define ADDRESS_WAIT_MS 5000u
#define ADDRESS_PAUSE_MS 20u
#define ACCEPT_PAUSE_MS 100u

static struct dia_node node;
static atomic_bool stopping;

const struct dia_node *dia_node(void)
{
	return &node;
}

/* ---- log ---- */

/* The library writes a dump of the message, identities included, for each routing error: an outage would flood the log. */
__attribute__((format(printf, 2, 0))) static void on_log(int level, const char *fmt, va_list ap)
{
	char text[512];

	if (level < FD_LOG_FATAL && !log_enabled(LOG_DIA, LOG_DEBUG))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	/* That we stop it is written with the highest level too. */
	if (level >= FD_LOG_FATAL && strncmp(text, "Initiating", 10) != 0)
		log_error(LOG_DIA, "libfdcore", LOG_C("text", text));
	else
		log_debug(LOG_DIA, "libfdcore", LOG_C("text", text));
}

static void on_octets(enum fd_hook_type type, struct msg *m, struct peer_hdr *peer, void *other, struct fd_hook_permsgdata *pmd,
		      void *u)
{
	struct fd_cnx_rcvdata *data = other;

	(void)type;
	(void)m;
	(void)peer;
	(void)pmd;
	(void)u;
	codec_defuse(data->buffer, data->length);
}

/* The lab HSS takes any peer that connects: its users come and go. */
static int on_unknown_peer(struct peer_info *info, int *auth, int (**cb2)(struct peer_info *))
{
	(void)cb2;
	info->config.pic_flags.sec = PI_SEC_NONE;
	*auth = 1;
	return 0;
}

/* ---- configuration ---- */

static void write_peer(struct buf *b, const struct dia_peer_config *p)
{
	buf_printf(b, "ConnectPeer = \"%s\" { No_TLS; No_SCTP; Port = %u;", p->identity, p->port);
	if (p->address)
		buf_printf(b, " ConnectTo = \"%s\";", p->address);
	if (p->realm)
		buf_printf(b, " Realm = \"%s\";", p->realm);
	buf_puts(b, " };\n");
}

/* NoRelay is left out on purpose: with it the library refuses a Destination-Host that is not our very identity ("host:port",
 * README.md trap 7) before we see the request.  server.c answers what is not for us. */
static void write_config(struct buf *b, const struct dia_config *c)
{
	buf_printf(b, "Identity = \"%s\";\nRealm = \"%s\";\nPort = %u;\nSecPort = 0;\nNo_SCTP;\n", c->identity, c->realm,
		   addr_port(&c->listen));
	buf_printf(b, "TcTimer = %d;\nTwTimer = %u;\nAppServThreads = %d;\n", RECONNECT_S,
		   c->watchdog_s < WATCHDOG_MIN_S ? WATCHDOG_MIN_S : c->watchdog_s, DISPATCH_THREADS);
	for (size_t i = 0; i < c->n_peers; i++)
		write_peer(b, &c->peers[i]);
}

static int parse_config(const struct dia_config *c)
{
	char path[64];
	struct buf b;
	int fd = -1, rc = -EINVAL;

	buf_init(&b, MAX_CONFIG_BYTES);
	write_config(&b, c);
	if (b.failed)
		goto out;
	fd = memfd_create("diameter", MFD_CLOEXEC);
	if (fd < 0 || write(fd, b.p, b.l) != (ssize_t)b.l) {
		rc = -errno;
		goto out;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = -fd_core_parseconf(path);
out:
	if (fd >= 0)
		close(fd);
	buf_fini(&b);
	return rc;
}

static bool is_loopback(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)sa)->sin6_addr);
	return sa->sa_family == AF_INET && ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static bool machine_has_only_loopback(void)
{
	struct ifaddrs *all, *i;
	bool only = true;

	if (getifaddrs(&all) < 0)
		return false;
	for (i = all; i && only; i = i->ifa_next)
		if (i->ifa_addr && (i->ifa_addr->sa_family == AF_INET || i->ifa_addr->sa_family == AF_INET6))
			only = is_loopback(i->ifa_addr);
	freeifaddrs(all);
	return only;
}

/* Every address of this machine, or the one.  false: every one. */
static bool listen_address(const struct dia_config *c, struct addr *ret)
{
	*ret = c->listen;
	if (addr_is_set(ret) && !addr_is_any(ret))
		return true;
	if (!machine_has_only_loopback())
		return false;
	addr_parse(STR("127.0.0.1"), addr_port(&c->listen), ret);
	return true;
}

/* Where it listens, and what its Host-IP-Address says (RFC 6733 §5.3.5).  `ListenOn` of the library's own configuration drops
 * loopback addresses, and on a machine that has no other the library does not start: this is the way past both. */
static int add_endpoint(const struct dia_config *c)
{
	struct addr a;

	if (!listen_address(c, &a))
		return 0;
	addr_set_port(&a, 0);
	return -fd_ep_add_merge(&fd_g_config->cnf_endpoints, &a.sa, addr_len(&a), EP_FL_CONF | EP_ACCEPTALL);
}

static int set_hooks(void)
{
	struct fd_hook_hdl *h;

	return -fd_hook_register(HOOK_MASK(HOOK_DATA_RECEIVED), on_octets, NULL, NULL, &h);
}

#ifdef __SANITIZE_THREAD__
/* The library takes a peer's lock and the dictionary's in both orders, among its own threads: nothing of ours. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "deadlock:libfdproto.so\ndeadlock:libfdcore.so\n";
}
#endif

/* ---- the address ---- */

static int try_address(const struct addr *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, rc = 0;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 || bind(fd, &a->sa, addr_len(a)) < 0 || listen(fd, 1) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* The process before us may have been killed a moment ago: the kernel takes its sockets away thread by thread.  The library tries once,
 * and then says "not connected" whatever was the reason (the error of its own clean-up). */
static int wait_for_address(const struct dia_config *c)
{
	const struct timespec pause = { 0, ADDRESS_PAUSE_MS * 1000000L };
	struct addr a;
	int rc;

	if (!addr_port(&c->listen))
		return 0;
	listen_address(c, &a);
	rc = try_address(&a);
	if (rc == -EADDRINUSE)
		log_warn(LOG_DIA, "the address is still in use", LOG_U("port", addr_port(&a)), LOG_U("wait_ms", ADDRESS_WAIT_MS));
	for (unsigned ms = 0; rc == -EADDRINUSE && ms < ADDRESS_WAIT_MS; ms += ADDRESS_PAUSE_MS) {
		nanosleep(&pause, NULL);
		rc = try_address(&a);
	}
	return rc;
}

/* ---- life ---- */

static bool machines_wait(void)
{
	bool all = true;

	pthread_rwlock_rdlock(&fd_g_peers_rw);
	for (struct fd_list *li = fd_g_peers.next; li != &fd_g_peers && all; li = li->next)
		all = fd_peer_get_state(li->o) != STATE_NEW;
	pthread_rwlock_unlock(&fd_g_peers_rw);
	return all;
}

/* A peer's thread that runs for the first time after fd_core_start() takes its peer for one added later and waits a random
 * time of up to four seconds before it connects.  The library tells nobody when a thread is there; its peer's state does. */
static void let_machines_start(void)
{
	struct timespec pause = { 0, 1000000 };

	for (unsigned ms = 0; ms < MACHINE_START_MS && !machines_wait(); ms++)
		nanosleep(&pause, NULL);
}

int dia_start(const struct dia_config *c)
{
	const char *step = "fd_core_initialize";
	int rc;

	node.c = *c;
	snprintf(node.identity, sizeof(node.identity), "%s", c->identity);
	snprintf(node.realm, sizeof(node.realm), "%s", c->realm);
	if (!node.dest_realm[0])
		snprintf(node.dest_realm, sizeof(node.dest_realm), "%s", c->realm);
	fd_log_handler_register(on_log);
	fd_g_debug_lvl = log_enabled(LOG_DIA, LOG_DEBUG) ? FD_LOG_NOTICE : FD_LOG_FATAL;
	rc = -fd_core_initialize();
	if (rc == 0) {
		step = "configuration";
		rc = parse_config(c);
		if (rc == 0)
			rc = add_endpoint(c);
	}
	if (rc == 0) {
		step = "dictionary";
		rc = dictionary_open(fd_g_config->cnf_dict);
	}
	if (rc == 0)
		rc = -fd_disp_app_support(dictionary_application(c->rx ? DIA_RX : DIA_CX), dictionary_vendor(), 1, 0);
	if (rc == 0)
		rc = server_register();
	if (rc == 0)
		rc = set_hooks();
	if (rc == 0)
		rc = peers_watch();
	if (rc == 0 && c->any_peer)
		rc = -fd_peer_validate_register(on_unknown_peer);
	if (rc == 0) {
		step = "the address to listen at";
		rc = wait_for_address(c);
	}
	if (rc == 0) {
		step = "fd_core_start";
		let_machines_start();
		rc = -fd_core_start();
	}
	if (rc == 0)
		rc = -fd_core_waitstartcomplete();
	if (rc < 0) {
		log_error(LOG_DIA, "the Diameter node cannot be started", LOG_C("step", step), LOG_C("error", strerror(-rc)),
			  LOG_U("port", addr_port(&c->listen)));
		return rc;
	}
	node.running = true;
	return 0;
}

/* While it stops, the library gives each thread that waits on a queue twenty times usleep(1000) to leave it, and aborts
 * (fd_fifo_del).  On a busy machine a thread may not run for that long: its pauses are ours, and longer. */
int usleep(useconds_t us)
{
	struct timespec t;

	if (us < STOP_PAUSE_US && atomic_load(&stopping))
		us = STOP_PAUSE_US;
	t = (struct timespec){ (time_t)(us / 1000000), (long)(us % 1000000) * 1000 };
	return nanosleep(&t, NULL);
}

/* Threads of the library are ended wherever they wait: not within the log, which has a lock. */
static void say_of_listener(const char *text, int err)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	if (err)
		log_warn(LOG_DIA, text, LOG_C("error", strerror(err)));
	else
		log_info(LOG_DIA, text);
	pthread_setcancelstate(state, NULL);
}

static bool passes(int err)		/* accept(2): shortages, and errors of the one connection that is gone already */
{
	static const int all[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET,
				   EHOSTUNREACH, ENETUNREACH, EPERM };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (err == all[i])
			return true;
	return false;
}

/* The library's listener ends the whole node, for good, when accept() fails: when no descriptor is left, or when a peer that was about to
 * connect has gone.  Here it waits until that is over.  Sockets that do not block are not the library's: all is as usual with them. */
int accept(int fd, __SOCKADDR_ARG a, socklen_t *restrict l)
{
	const struct timespec pause = { 0, ACCEPT_PAUSE_MS * 1000000L };
	socklen_t room = l ? *l : 0;
	int got, err, flags = fcntl(fd, F_GETFL);
	bool said = false;

	while ((got = accept4(fd, a, l, 0)) < 0 && flags >= 0 && !(flags & O_NONBLOCK) && passes(errno)) {
		err = errno;
		if (!said && (err == EMFILE || err == ENFILE)) {
			say_of_listener("no descriptor is left for a peer that connects: it waits", err);
			said = true;
		}
		nanosleep(&pause, NULL);
		if (l)
			*l = room;
	}
	if (said && got >= 0)
		say_of_listener("descriptors are there again: peers that waited are let in", 0);
	return got;
}

void dia_stop(void)
{
	if (!node.running)
		return;
	node.running = false;
	atomic_store(&stopping, true);
	fd_core_shutdown();
	fd_core_wait_shutdown_complete();
	flights_end();
	doic_reset();
	fd_log_handler_unregister();
}

void cx_set_destination(const char *realm, const char *host)
{
	if (realm && *realm)
		snprintf(node.dest_realm, sizeof(node.dest_realm), "%s", realm);
	if (host && *host)
		snprintf(node.dest_host, sizeof(node.dest_host), "%s", host);
}
