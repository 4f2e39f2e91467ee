/* common/daemon/daemon.h - what every main() does: options, configuration, log, privileges, signals, readiness, stop.
 *
 *   -c FILE  configuration (required)   -t  check it and exit (0, or 78 with one line per mistake)
 *   --doctor (with -c)  look for what would keep it from working on this machine, with fixes: 0, or 1 when something is broken
 *   -s  print a sample configuration   -V  version   -h  usage
 * SIGTERM, SIGINT: drain and stop; SIGHUP: reload; SIGUSR2: nothing; SIGPIPE ignored. */
#pragma once
#include "common/config/config.h"
#include "common/daemon/doctor.h"
#include "common/loop/loop.h"

#define DAEMON_GO 1000				/* not an exit status */
#define DAEMON_EX_CONFIG 78

struct daemon {
	const char *name;				/* "pcscf": program "pcscfd" */
	const struct cfg_row *schema;			/* the daemon's own rows */
	const struct cfg_row *common;			/* instead of cfg_common_schema; NULL: that one.  A program without SIP */
	/* Checks what a schema cannot (references, names); appends mistakes with cfg_error().  May be NULL. */
	void (*check)(const struct cfg *c, struct buf *errors);
	bool needs_diameter;				/* a file without `diameter` is refused */
	void (*doctor)(struct doctor *d, const struct cfg *c);	/* --doctor, what only this daemon needs.  May be NULL */
	void (*reload)(void *u, const struct cfg *c);	/* SIGHUP, after the new file was found good */
	void (*drain)(void *u);				/* SIGTERM: must end in daemon_stopped() */
	void *u;
	/* stack.c's own part of a reload, set by stack_start() */
	void (*stack_reload)(void *stack, const struct cfg *c);
	bool (*stack_alive)(void *stack);		/* do all workers turn?  Asked before each WATCHDOG=1 */
	void *stack;
	/* set by daemon_init */
	struct cfg *config;
	struct loop *loop;				/* the main thread's */
	const char *config_file;
	struct daemon_private *priv;
};

int daemon_init(struct daemon *d, int argc, char **argv);	/* DAEMON_GO, or the exit status */
void daemon_ready(struct daemon *d);				/* sd_notify READY=1 (own datagram, no libsystemd) */
void daemon_status(struct daemon *d, const char *text);		/* sd_notify STATUS= */
void daemon_stopped(struct daemon *d);				/* the drain is over: the main loop ends */
/* Reads the file again, all or nothing: 0, or -errno with a line per mistake.  Then changed() (may be NULL) hears of every key that
 * differs, and whether it takes effect without a restart. */
int daemon_reload(struct daemon *d, struct buf *errors, void (*changed)(void *u, const char *path, bool reload), void *u);
int daemon_load_text(const struct daemon *d, struct str text, struct cfg **ret, struct buf *errors);	/* as if the file said that */
int daemon_check_text(const struct daemon *d, struct str text, struct buf *errors);	/* a configuration: 0, or a line per mistake */
void daemon_schema_json(const struct daemon *d, struct buf *out);
void daemon_log_levels(const struct daemon *d);		/* as the configuration says */
int daemon_exit(struct daemon *d, int rc);			/* frees; 0 on rc >= 0 */
const char *daemon_version(void);
/* REST of a program without a SIP stack: by rest.listen, unix_socket, token and token_file of its configuration, with its routes.
 * *ret stays NULL without a section rest.  0, or -errno with the reason logged. */
struct http_route;
struct http_server;
int daemon_rest_open(struct loop *l, const char *nf, const struct cfg_node *root, const struct http_route *routes, void *u, struct http_server **ret);
/* Handlers for any route table; u is not looked at: GET /metrics, /healthz, /api/v1/diameter/peers. */
struct http_req;
void daemon_rest_metrics(void *u, struct http_req *r);
void daemon_rest_healthz(void *u, struct http_req *r);
void daemon_rest_peers(void *u, struct http_req *r);
uint64_t daemon_start_wall_us(void);
