/* pcscf/n5.h - what n5.c, n5_peer.c and n5_signalling.c share: the application sessions of a worker.  TS 29.514. */
#pragma once
#include "pcscf/n5_body.h"
#include "pcscf/n5_find.h"
#include "pcscf/policy.h"

#define N5_RESOURCE_BYTES 512u
#define N5_SESSIONS_PATH "/npcf-policyauthorization/v1/app-sessions"
#define N5_MAX_ORPHANS 1000u		/* of a worker: n5_end.c; one more is only counted */
#define N5_NOTIFY_BYTES 384u
#define N5_NOTIFY_PATH "/npcf-notify/v1/"	/* then the worker, the session's number in hexadecimal, and what is notified */

struct n5_question {
	bool set, final, several;
	uint64_t number;
	cJSON *media;			/* medComponents */
};
struct n5_session {
	struct hnode node, by_phone;	/* n5_worker.by_number; by_phone, of a registration's */
	struct list link;
	struct pcscf_worker *pw;
	struct call *call;		/* that it is for; NULL: the signalling of a registration, or it is over */
	struct binding *b;		/* a reference */
	bool signalling, agreed, answered;	/* answered: the call's INVITE was */
	bool over;			/* the end is under way */
	bool orphan;			/* it may exist; only its notifications will name it */
	bool busy;			/* a request has no answer yet */
	bool told_several;
	uint64_t number;		/* random: whoever knows it may notify */
	char notify_uri[N5_NOTIFY_BYTES];
	char root[N5_URI_BYTES];	/* of the PCF that is asked to make it */
	char resource[N5_RESOURCE_BYTES];	/* its URI at the PCF; empty: there is none that we know of */
	struct n5_question now, next;
	unsigned hops;			/* other PCFs that were tried for this question */
	unsigned tries;			/* of the end */
	struct timer retry, later;
	int later_err;
	/* Of the process before this one (n5_stored.c): its call, until that is over.  NULL: ours. */
	char *left_call;
	uint64_t left_binding;
	struct timer life;
};
struct n5_worker {
	struct pcscf_worker *pw;
	struct sbi *sbi;
	struct n5_finder *finder;
	struct htab by_number, by_phone;
	struct list all;
	unsigned n_left, n_orphans;	/* left-overs among them; orphans */
};

/* n5.c */
struct n5_session *n5_session_new(struct pcscf_worker *pw, struct binding *b);	/* b NULL: a left-over's.  NULL: out of memory */
struct n5_session *n5_session_find(struct n5_worker *n, uint64_t number);
/* media is taken over; what waits for its turn is put together.  false: out of memory. */
bool n5_session_ask(struct n5_session *s, cJSON *media, uint64_t number, bool final, bool several);
void n5_session_free(struct n5_session *s);
/* Splits the resource's URI; suffix: of its path.  body is taken over.  false: not sent. */
bool n5_send_to_resource(struct n5_session *s, const char *method, const char *suffix, const char *type, cJSON *body, uint32_t deadline_ms, sbi_fn fn);

/* n5_end.c */
void n5_end_register(void);			/* its figures */
void n5_session_end(struct n5_session *s);	/* told again and again until it is confirmed; s is gone then */
void n5_end_again(struct timer *t);		/* of n5_session.retry */
/* Its create was sent to that root (empty: an SCP chose one), and nobody knows what became of it: s has another number from now on. */
void n5_orphan(struct n5_session *s, struct str root);
bool n5_orphan_found(struct n5_session *s, const cJSON *notification);	/* true: it was one, and ends */

/* n5.c */
void n5_take_events(struct n5_session *s, const cJSON *notification);	/* place and charging, of an EventsNotification */

void n5_session_renumber(struct n5_session *s, uint64_t number);	/* as it was before a restart */

/* n5_stored.c */
void n5_keep(const struct n5_session *s);	/* it has a name at the PCF; again when something of it changed */
void n5_forget(const struct n5_session *s);
int n5_restore(struct pcscf *p, struct store *store);	/* 0 or -errno, logged */
void n5_left_gone(struct pcscf_worker *pw, struct str call_id, uint64_t binding_id);

/* n5_signalling.c, at the worker of the private identity */
void n5_signalling_registered(struct pcscf_worker *pw, struct binding *b);
void n5_signalling_ended(struct pcscf_worker *pw, const struct binding *b);

/* n5_peer.c: one for the process, on the main loop */
struct n5_peer;
int n5_peer_open(struct n5_peer **ret, struct pcscf *p);	/* 0 or -errno, logged */
void n5_peer_close(struct n5_peer *n);				/* NULL is fine */
struct h2_tls *n5_peer_client_tls(struct n5_peer *n);		/* for requests; NULL: only clear text */
