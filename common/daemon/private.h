/* common/daemon/private.h - the inside of struct stack: the files of common/daemon only. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "common/daemon/admission.h"
#include "common/daemon/stack.h"
#include "common/transport/tls.h"
#include "common/util/block.h"

#define STACK_MAX_WORKERS 64
#define STACK_MAX_LISTENERS 16
#define TOKEN_KEY_FILE "token.key"	/* in state.dir */

#define WORKER_SILENT_MS 5000u			/* a worker whose loop has not ticked for so long is stuck */

struct worker_full {
	struct worker w;			/* what others see; first */
	pthread_t thread;
	bool started;
	struct timer stats_timer;
	struct list returns;			/* worker_return: answers that found a mailbox full */
	struct list main_returns;		/* and that of the main thread: nobody else waits for it */
	struct timer returns_timer;
	atomic_uint_least64_t beat_ms;		/* clock_mono_ms() of its last tick: the main thread's watchdog reads it */
	struct correlation *correlation;
	struct filters *look;			/* traces.c: whose messages are captured; NULL: nobody's */
	struct transport_stats last_tp;
	struct tx_stats last_tx;
	struct proxy_stats last_px;
	uint32_t last_dialogs;
	uint64_t last_expired;
	struct block_stats last_blocks;
	struct admission admission;
	uint64_t admitted, last_admitted, last_drops;
	unsigned last_percent;
	atomic_uint shown_percent;		/* the same for other threads */
};

struct stack {
	struct daemon *daemon;
	const struct role_ops *ops;
	void *u;
	struct cfg *config;
	struct loop *main_loop;
	struct transport_group *group;
	struct worker_full *workers;
	unsigned n_workers;
	struct {
		enum sip_proto proto;
		struct addr a;
	} listener[STACK_MAX_LISTENERS];
	unsigned n_listeners;
	char *name;				/* host:port of our own URIs */
	struct token_key token_key;
	uint64_t owner_seed;			/* who owns which key: the same after a restart, for subscriptions hang on it */
	struct store *store;			/* NULL: nothing is kept */
	struct sources *sources;		/* NULL: nobody is limited */
	struct http_server *http;
	bool diameter;
	atomic_bool draining;
	struct timer drain_timer;
	struct revisions *revisions;
	struct events *events;			/* events.c; NULL before REST is there */
	struct alarms *alarms;			/* alarms.c */
	struct operations *operations;		/* operations.c */
	struct traces *traces;			/* traces.c */
	struct drain *drain;			/* drain.c; NULL: none is asked for by REST */
	struct { const char *origin, *by; } reload_for;	/* while REST reads the file; NULL: SIGHUP */
	struct timer log_revert;		/* levels changed by REST for a while */
	struct console *console;		/* served at /console; NULL: none */
	bool open_to_all;			/* others can read rest.token_file */
	uint64_t drain_until_ms;
	atomic_uint drain_busy, drain_asked;
	void (*drain_done)(void *);
	void *drain_arg;
};

int worker_open(struct stack *s, unsigned id);		/* on the main thread, before its thread starts */
int worker_start(struct worker_full *f);
void worker_stop(struct worker_full *f);		/* joins */
void worker_close(struct worker_full *f);
void worker_returns_open(struct worker_full *f);	/* between.c */
void figures_register(void);				/* figures.c */
void figures_open(struct worker_full *f);
/* guard.c: what stands before the transactions */
int guard_init(struct stack *s);			/* once; 0 or -ENOMEM */
void guard_open(struct worker_full *f);
bool guard_may_hold(void *u, const struct sip_msg *m);	/* proxy_env.may_hold; u is the worker */
/* A malformed message: may it be answered, and with how many octets at most (0: any)? */
bool guard_malformed(struct worker *w, const struct sip_flow *from, size_t bytes, size_t *ret_max);
extern const struct http_route bans_routes[];		/* bans.c; u is struct stack */
void guard_measure(struct worker_full *f, const struct sip_msg *m);	/* every message, when it is taken up */
void guard_stats(struct worker_full *f, const struct transport_stats *tp);	/* once a second, before last_tp is renewed */
void guard_check_config(const struct cfg *c, struct buf *errors);
extern const struct http_route stack_routes[];		/* all of these: u is struct stack */
extern const struct http_route status_routes[], bundle_routes[], peers_routes[], connections_routes[], ping_routes[], dns_routes[], tls_routes[];
extern const struct http_shape stack_shapes[];		/* shapes.c */
/* Main thread; the caller owns them. */
cJSON *rest_info(struct stack *s);
cJSON *rest_status(struct stack *s);
cJSON *rest_alarms(struct stack *s);			/* an array */
cJSON *rest_peers(void);				/* an array */
/* console.c */
int console_load(struct console **ret, const struct cfg_node *r);	/* *ret NULL: there is none; 0 or -errno */
void console_free(struct console *c);
size_t console_origins(const struct cfg_node *r, char *ret[HTTP_MAX_ORIGINS]);	/* of rest.neighbours, on the heap; how many */
extern const struct http_route console_routes[];	/* u is struct stack */
/* rest_open.c: a file as text on the heap; ret_open_to_all (may be NULL): others can read it.  0, -errno, -EFBIG. */
int rest_slurp(const char *path, char **ret, bool *ret_open_to_all);
extern const struct http_route config_routes[];		/* config_rest.c; u is struct stack */
extern const struct http_route config_change_routes[], config_revisions_routes[];	/* u is struct stack */
cJSON *config_json(const struct stack *s);		/* as GET /api/v1/config shows it */
cJSON *config_findings(const struct buf *errors);	/* mistakes, a line each, as objects */
void config_was_read(struct stack *s);			/* a text of the file that was found good becomes a revision */
extern const struct http_route alarms_routes[];		/* alarms.c; u is struct stack */
int alarms_init(struct stack *s);			/* 0 or -ENOMEM */
void alarms_fini(struct stack *s);
extern const struct http_route operations_routes[];	/* operations.c; u is struct stack */
int operations_init(struct stack *s);			/* 0 or -ENOMEM */
void operations_fini(struct stack *s);
extern const struct http_route traces_routes[];		/* traces.c; u is struct stack */
int traces_init(struct stack *s);			/* 0 or -ENOMEM */
void traces_fini(struct stack *s);			/* when the workers have stopped */
void traces_close(struct worker_full *f);
struct filters;
void traces_observe(struct worker *w, const struct filters *look, bool sent, const struct sip_flow *flow, struct str wire, const struct sip_msg *m);
extern const struct http_route drain_routes[];		/* drain.c; u is struct stack */
void drain_fini(struct stack *s);			/* when the workers have stopped */
extern const struct http_route events_routes[];		/* events.c; u is struct stack */
int events_init(struct stack *s);			/* 0 or -ENOMEM */
void events_fini(struct stack *s);
void stack_event(struct stack *s, const char *type, cJSON *data);	/* as events_post(), on the main thread */
extern const struct http_route sip_rest_routes[];		/* sip_rest.c; u is struct stack */
extern const struct http_route explain_routes[];		/* explain.c; u is struct stack */
/* correlation.c: the log's correlation id for a message: its ICID when the sender is believed, else that of its Call-ID, else the
 * Call-ID; keep: what the role has set meanwhile (the P-CSCF makes ICIDs) is that of the Call-ID from now on. */
struct correlation *correlation_new(void);
void correlation_free(struct correlation *c);
void correlation_begin(struct correlation *c, const struct sip_msg *m, bool believe);
void correlation_keep(struct correlation *c, const struct sip_msg *m);
/* certificates.c: sip.tls as a context; checked, with what is wrong appended; for new connections from now on. */
int certificates_load(const struct cfg *c, struct tls_context **ret, char reterr[TLS_ERROR_BYTES]);	/* 0 or -EINVAL */
void certificates_check(const struct cfg *c, struct buf *errors);
int certificates_use(struct stack *s, const struct cfg *c);	/* 0 or -EINVAL, logged */
/* To `user` (NULL or empty: stay who we are), with state_dir given to it.  0 or -errno with the reason logged. */
int privileges_drop(const char *user, const char *state_dir);
bool stack_ready(struct stack *s, struct buf *why);
unsigned stack_admitted_percent(struct stack *s);	/* of new requests, at the busiest worker */
void config_rest_init(struct stack *s);			/* config_rest.c: the timer that takes log levels back */
/* rest_open.c */
int stack_rest_open(struct stack *s);			/* by rest.*; 0 or -errno, logged */
void rest_tokens_use(struct stack *s, const struct cfg *c);	/* the tokens as they are now */
void rest_check_config(const struct cfg *c, struct buf *errors);	/* tokens and certificates can be read */

/* ---- state.c ---- */
int stack_load_key(struct stack *s);			/* of the routing tokens; 0 or -errno, logged */
int stack_open_store(struct stack *s);			/* s->store, or NULL when nothing is kept; 0 or -errno, logged */
void stack_check_state(const struct cfg *c, struct buf *errors);
