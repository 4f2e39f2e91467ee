/* common/daemon/daemon.c - options, configuration, signals, readiness. */
#include "config.h"
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/daemon/daemon.h"
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/util/clock.h"

#define TRIM_EVERY_MS 10000		/* memory that a burst took goes back to the system */

struct daemon_private {
	struct loop_fd signals;
	struct timer trim, watchdog;
	uint32_t watchdog_ms;		/* how often the service manager hears of us; 0: it does not ask */
	const struct cfg_row *schemas[3];
	bool draining;
};

static struct daemon *the_daemon;	/* signals are the process's: one daemon per process */
static uint64_t start_wall_us;

const char *daemon_version(void)
{
	return PACKAGE_VERSION;
}

uint64_t daemon_start_wall_us(void)
{
	return start_wall_us;
}

static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t len;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') || !str_copy(str_from_c(path), a.sun_path, sizeof(a.sun_path)))
		return;
	len = offsetof(struct sockaddr_un, sun_path) + strlen(path);
	if (a.sun_path[0] == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&a, (socklen_t)len) < 0)
		log_warn(LOG_CORE, "the service manager could not be told", LOG_C("error", strerror(errno)));
	close(fd);
}

/* The main loop turns, or this would not run; a worker that does not is the reason to say nothing and be started anew. */
static void on_watchdog(struct timer *t)
{
	struct daemon *d = the_daemon;

	if (!d->stack_alive || d->stack_alive(d->stack))
		notify("WATCHDOG=1\n");
	else
		log_error(LOG_CORE, "a worker does not turn: the service manager is not told that all is well");
	timer_start(loop_wheel(d->loop), t, d->priv->watchdog_ms);
}

/* sd_watchdog_enabled(3): told at half the interval. */
static void watchdog_start(struct daemon *d)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t us;

	if (!usec || (pid && strtoul(pid, NULL, 10) != (unsigned long)getpid()))
		return;
	us = strtoull(usec, NULL, 10);
	if (us < 2000 || us / 2000 > UINT32_MAX)
		return;
	d->priv->watchdog_ms = (uint32_t)(us / 2000);
	timer_start(loop_wheel(d->loop), &d->priv->watchdog, d->priv->watchdog_ms);
}

void daemon_ready(struct daemon *d)
{
	notify("READY=1\n");
	watchdog_start(d);
	log_info(LOG_CORE, "ready");
}

void daemon_status(struct daemon *d, const char *text)
{
	char line[256];

	(void)d;
	snprintf(line, sizeof(line), "STATUS=%s\n", text);
	notify(line);
}

static void apply_log_levels(const struct cfg *c)
{
	const struct cfg_node *r = cfg_root(c);
	enum log_level lvl = LOG_INFO;
	struct str area, level;

	log_level_from_name(cfg_str(r, "log.level"), &lvl);
	log_set_level(LOG_N_AREAS, lvl);
	for (size_t i = 0; cfg_map_at(r, "log.levels", i, &area, &level); i++) {
		enum log_area a;

		if (log_area_from_name(area, &a) == 0 && log_level_from_name(level, &lvl) == 0)
			log_set_level(a, lvl);
	}
}

/* What every daemon needs and no row of the schema can say. */
static void check_common(const struct daemon *d, const struct cfg *c, struct buf *errors)
{
	const struct cfg_node *r = cfg_root(c);

	if (cfg_home_domain(c).l == 0)
		cfg_error(r, "domain", errors, "the home domain is not known: give plmn or domain");
	if (d->needs_diameter && !cfg_has(r, "diameter"))
		cfg_error(r, "diameter", errors, "diameter is missing: %sd asks the HSS", d->name);
	if (d->common)
		return;
	rest_check_config(c, errors);
	certificates_check(c, errors);
	stack_check_state(c, errors);
	guard_check_config(c, errors);
}

/* Of a configuration that its schema takes: what else is wrong with it.  Gives it up when something is. */
static int check_loaded(const struct daemon *d, struct cfg **c, struct buf *errors)
{
	size_t before = errors->l;

	check_common(d, *c, errors);
	if (d->check)
		d->check(*c, errors);
	if (errors->l == before)
		return 0;
	cfg_unref(*c);
	*c = NULL;
	return -EINVAL;
}

static int load(const struct daemon *d, struct cfg **ret, struct buf *errors)
{
	int rc = cfg_load(d->config_file, d->priv->schemas, ret, errors);

	return rc < 0 ? rc : check_loaded(d, ret, errors);
}

static int load_text(const struct daemon *d, struct str text, const char *name, struct cfg **ret, struct buf *errors)
{
	int rc = cfg_load_text(text, name, d->priv->schemas, ret, errors);

	return rc < 0 ? rc : check_loaded(d, ret, errors);
}

int daemon_load_text(const struct daemon *d, struct str text, struct cfg **ret, struct buf *errors)
{
	return load_text(d, text, d->config_file, ret, errors);
}

int daemon_check_text(const struct daemon *d, struct str text, struct buf *errors)
{
	struct cfg *c = NULL;
	int rc = load_text(d, text, "request", &c, errors);

	cfg_unref(c);
	return rc;
}

void daemon_schema_json(const struct daemon *d, struct buf *out)
{
	cfg_schema_write_json(d->priv->schemas, out);
}

static void log_change(void *u, const char *path, bool reload)
{
	(void)u;
	if (!reload)
		log_warn(LOG_CONF, "a changed key takes effect at the next start only", LOG_C("key", path));
}

/* All or nothing: the old configuration stays until the new one is found good as a whole. */
int daemon_reload(struct daemon *d, struct buf *errors, void (*changed)(void *u, const char *path, bool reload), void *u)
{
	struct cfg *fresh = NULL, *old;
	int rc;

	notify("RELOADING=1\n");
	rc = load(d, &fresh, errors);
	if (rc == 0) {
		old = d->config;
		d->config = fresh;
		if (changed)
			cfg_changes(old, fresh, changed, u);
		cfg_unref(old);
		apply_log_levels(fresh);
		if (d->stack_reload)
			d->stack_reload(d->stack, fresh);
		if (d->reload)
			d->reload(d->u, fresh);
		log_info(LOG_CONF, "configuration reloaded");
	}
	notify("READY=1\n");
	return rc;
}

static void reload(struct daemon *d)
{
	struct buf errors;
	struct str rest, line;

	buf_init(&errors, 64 * 1024);
	if (daemon_reload(d, &errors, log_change, NULL) < 0) {
		rest = buf_str(&errors);
		while (rest.l) {
			str_cut(rest, '\n', &line, &rest);
			if (line.l)
				log_error(LOG_CONF, "the new configuration is not taken", LOG_S("mistake", line));
		}
	}
	buf_fini(&errors);
}

void daemon_log_levels(const struct daemon *d)
{
	apply_log_levels(d->config);
}

static void on_signals(struct loop_fd *f, uint32_t ev)
{
	struct daemon *d = the_daemon;
	struct signalfd_siginfo si;

	(void)ev;
	while (read(f->fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGHUP) {
			reload(d);
		} else if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT) {
			notify("STOPPING=1\n");
			log_info(LOG_CORE, "stopping", LOG_U("signal", si.ssi_signo));
			if (!d->drain || d->priv->draining) {
				loop_stop(d->loop, 0);		/* asked twice: at once */
				continue;
			}
			d->priv->draining = true;
			d->drain(d->u);
		}
	}
}

void daemon_stopped(struct daemon *d)
{
	loop_stop(d->loop, 0);
}

static void on_trim(struct timer *t)
{
	struct daemon *d = the_daemon;

	malloc_trim(1 << 20);
	timer_start(loop_wheel(d->loop), t, TRIM_EVERY_MS);
}

static int signals_open(struct daemon *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);	/* before any thread: all inherit it */
	signal(SIGPIPE, SIG_IGN);
	d->priv->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (d->priv->signals.fd < 0)
		return -errno;
	d->priv->signals.events = EPOLLIN;
	d->priv->signals.fn = on_signals;
	return loop_fd_add(d->loop, &d->priv->signals);
}

static void raise_descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static void usage(const struct daemon *d, FILE *out)
{
	fprintf(out,
		"usage: %sd -c FILE [-t | --doctor]\n"
		"       %sd -s | -V | -h\n"
		"  -c FILE  configuration\n"
		"  -t       check the configuration and exit: 0, or 78 with one line per mistake\n"
		"  --doctor look for what would keep it from working on this machine, with fixes: 0, or 1 when something is broken\n"
		"  -s       print a sample configuration with every key\n"
		"  -V       version\n"
		"  -h       this text\n",
		d->name, d->name);
}

static void print_sample(const struct daemon *d)
{
	struct buf out;

	buf_init(&out, 1u << 20);
	cfg_schema_write_sample(d->priv->schemas, &out);
	printf("%.*s", (int)out.l, out.l ? out.p : "");
	buf_fini(&out);
}

static int check_only_or_load(struct daemon *d, bool check_only)
{
	struct buf errors;
	int rc, status = DAEMON_GO;

	buf_init(&errors, 256 * 1024);
	rc = load(d, &d->config, &errors);
	if (rc < 0) {
		if (errors.l)
			fprintf(stderr, "%.*s", (int)errors.l, errors.p);
		else
			fprintf(stderr, "%s: %s\n", d->config_file, strerror(-rc));
		status = DAEMON_EX_CONFIG;
	} else if (check_only) {
		printf("%s: the configuration is good\n", d->config_file);
		status = 0;
	}
	buf_fini(&errors);
	return status;
}

static int see_doctor(const struct daemon *d)
{
	struct doctor doc = { 0 };

	if (!d->common)
		doctor_common(&doc, d->config);
	if (d->doctor)
		d->doctor(&doc, d->config);
	printf("%u ok, %u warnings, %u broken\n", doc.good, doc.doubtful, doc.broken);
	return doc.broken ? EXIT_FAILURE : 0;
}

int daemon_init(struct daemon *d, int argc, char **argv)
{
	static const struct option options[] = { { "doctor", no_argument, NULL, 'd' }, { 0 } };
	bool check_only = false, doctor = false;
	int opt, rc;

	d->priv = calloc(1, sizeof(*d->priv));
	if (!d->priv)
		return EXIT_FAILURE;
	d->priv->schemas[0] = d->common ? d->common : cfg_common_schema;
	d->priv->schemas[1] = d->schema;
	while ((opt = getopt_long(argc, argv, "c:tsVh", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			d->config_file = optarg;
			break;
		case 't':
			check_only = true;
			break;
		case 'd':
			doctor = true;
			break;
		case 'V':
			printf("%sd %s\n", d->name, daemon_version());
			return 0;
		case 's':
			print_sample(d);
			return 0;
		case 'h':
			usage(d, stdout);
			return 0;
		default:
			usage(d, stderr);
			return EXIT_FAILURE;
		}
	}
	if (!d->config_file || optind != argc) {
		usage(d, stderr);
		return EXIT_FAILURE;
	}
	rc = check_only_or_load(d, check_only);
	if (rc != DAEMON_GO)
		return rc;
	if (doctor)
		return see_doctor(d);
	log_open(d->name, str_eq_c(cfg_str(cfg_root(d->config), "log.format"), "json") ? LOG_JSON : LOG_TEXT, LOG_INFO);
	apply_log_levels(d->config);
	start_wall_us = clock_wall_us();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);		/* nothing we might be made to execute gains rights */
	raise_descriptor_limit();
#ifndef __SANITIZE_ADDRESS__			/* the leak checker traces its own process */
	prctl(PR_SET_DUMPABLE, 0);		/* keys live here: no core dumps, no ptrace by others */
#endif
	the_daemon = d;
	d->loop = loop_new();
	if (!d->loop || signals_open(d) < 0) {
		log_error(LOG_CORE, "no event loop", LOG_C("error", strerror(errno)));
		return EXIT_FAILURE;
	}
	timer_init(&d->priv->watchdog, on_watchdog);
	timer_init(&d->priv->trim, on_trim);
	timer_start(loop_wheel(d->loop), &d->priv->trim, TRIM_EVERY_MS);
	return DAEMON_GO;
}

int daemon_exit(struct daemon *d, int rc)
{
	if (d->loop) {
		if (rc < 0)
			log_error(LOG_CORE, "stopped by an error", LOG_C("error", strerror(-rc)));
		else
			log_info(LOG_CORE, "stopped");
		timer_stop(&d->priv->watchdog);
		timer_stop(&d->priv->trim);
		loop_fd_del(d->loop, &d->priv->signals);
		close(d->priv->signals.fd);
		loop_free(d->loop);
		d->loop = NULL;
	}
	cfg_unref(d->config);
	free(d->priv);
	return rc < 0 ? EXIT_FAILURE : rc == DAEMON_GO ? 0 : rc;
}
