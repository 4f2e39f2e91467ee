/* pcscf/policy.h - policy control of calls: who is asked about the bearers of a call, what is held meanwhile, and what becomes of a no.
 * TS 24.229 §5.2.7, §5.2.8; TS 29.214 §4.4, annex A, annex B; rows Q1 to Q9, P18.
 *
 * policy.c says when a question is due and keeps the messages that wait for its answer.  A backend (rx.c, n5.c) puts the question into its
 * protocol and brings back what the network says.  Everything here is on the worker that owns the call. */
#pragma once
#include "common/sip/media.h"
#include "pcscf/call.h"
#include "pcscf/policy_config.h"

#define POLICY_MAX_HELD 8u		/* messages of one call that wait; a provisional response more is dropped */
#define POLICY_MAX_LATE_OFFERS 4u	/* offers that came in a response, until their answer */
#define POLICY_CAUSE_BYTES 64u
#define POLICY_LOCATION_BYTES 128u

/* ---- the backend ---- */
struct policy_question {
	uint64_t number;		/* goes back with the answer */
	const struct media_set *media;	/* what changed; removed ones too */
	bool first;			/* of its session */
	bool several;			/* early dialogs with different answers: all are meant */
	bool final;			/* the answer is the one of the 2xx, or later */
};
enum policy_verdict { POLICY_YES, POLICY_NO, POLICY_SILENT };
struct policy_answer {
	enum policy_verdict verdict;
	uint32_t code;			/* of the protocol; 0: none */
	bool later;			/* the refusal is for now only: worth another try */
	bool media;			/* what was asked for is not allowed; else the session as such */
	char cause[POLICY_CAUSE_BYTES];	/* "IP-CAN_SESSION_NOT_AVAILABLE" */
	struct str reason;		/* value of Reason (RFC 3326); borrowed; empty: none */
};
struct policy_backend {
	const char *name;		/* of the interface, for REST and records: "rx" */
	/* A worker of the stack: its sessions.  0 or -errno, logged; stop ends nothing at the peer.  Both may be NULL. */
	int (*start)(struct pcscf_worker *pw);
	void (*stop)(struct pcscf_worker *pw);
	/* A session for this call; NULL: out of memory. */
	void *(*open)(struct pcscf_worker *pw, struct call *c);
	/* One answer comes by policy_answered(), never from inside.  false: none will. */
	bool (*ask)(void *session, const struct policy_question *q);
	/* The call is over; the peer hears so whatever is still outstanding, again and again if need be. */
	void (*end)(void *session);
	const char *(*id)(const void *session);		/* for REST and the log */
	/* A registration stands (again), or is over: what policy.registration asks for.  Both may be NULL. */
	void (*registered)(struct pcscf_worker *pw, struct binding *b);
	void (*unregistered)(struct pcscf_worker *pw, const struct binding *b);
	/* Over a restart; each may be NULL.  answered: the call is, so its session is worth keeping.  restore: sessions of the process before
	 * this one, before any thread runs, each to its call by policy_adopt(), or to its end; 0 or -errno, logged.  leave: the daemon
	 * stops, its call goes on in the next process: nothing is told any more, to neither side; NULL: the session is ended.  left_gone: the call (empty: any) of that phone is over that such a
	 * session was for. */
	void (*answered)(void *session);
	int (*restore)(struct pcscf *p, struct store *store);
	void (*leave)(void *session);
	void (*left_gone)(struct pcscf_worker *pw, struct str call_id, uint64_t binding_id);
};
void policy_answered(struct call *c, uint64_t number, const struct policy_answer *a);
/* The backend that was asked has found out that k is to be (policy_choose.c): it is in its place from now on, and is asked q instead unless that
 * has had its time.  The session of the old one is its own to free. */
void policy_chosen(struct call *c, const struct policy_question *q, const struct policy_backend *k);
/* The network says by itself: the bearer of these components is gone (none named: of all); fatal: the session is over there too. */
void policy_lost(struct call *c, const uint32_t *components, unsigned n, bool fatal, const char *why, struct str reason);
/* What the access network says for charging, of that call (access-network-charging-info, TS 24.229 §7.2A.5). */
#define CHARGING_ACCESS_BYTES 256u
enum charging_access_kind { CHARGING_EPS, CHARGING_GPRS, CHARGING_5GS };
struct str charging_access(enum charging_access_kind kind, struct str address, struct str id_hex, char dst[CHARGING_ACCESS_BYTES]);	/* charging_access.c; empty: nothing usable */
void policy_charged(struct call *c, struct str params);
struct str policy_charging(const struct pcscf_worker *pw, struct str call_id, uint64_t binding_id);	/* borrowed; empty: not known */
/* Where the phone is, as a value of P-Access-Network-Info. */
void policy_located(struct call *c, struct str value);

/* ---- the calls ---- */
void policy_call_begins(struct pcscf_worker *pw, struct call *c);
void policy_call_answered(struct call *c);
void policy_call_over(struct call *c, const char *why);		/* c->policy is gone */
/* A response passes on its way upstream; o: its plan.  PROXY_HOLD: kept, and resumed later. */
enum proxy_verdict policy_response(struct call *c, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o, bool to_phone);
/* A request within the call; o: its plan.  true: it waits, and proxy_start(p) is called later (p NULL: an ACK, which waits for nobody). */
bool policy_request(struct call *c, struct proxy *p, struct sip_msg *m, const struct sip_out *o, bool to_phone);
/* A BYE of an answered dialog is about to pass: it overtakes nobody, what is held goes first, whatever the answer will be. */
void policy_bye(struct call *c);
void policy_proxy_gone(struct call *c, struct proxy *p);
/* c->policy is there. */
/* policy_stored.c: over a restart.  What was agreed, as octets; a session made of that, whose peer is still to be found. */
void policy_keep(const struct call *c, struct buf *out);
void policy_restore_call(struct pcscf_worker *pw, struct call *c, struct str kept);
bool policy_adopt(struct call *c, const struct policy_backend *k, void *peer);	/* false: it is not for this call */
bool policy_call_stays(struct call *c);		/* the daemon stops.  true: the peer hears nothing, the next process goes on */
cJSON *policy_to_json(const struct call *c);
cJSON *policy_summary(const struct call *c);		/* for its record */

/* ---- which backend: policy_backend.c ---- */
int policy_start(struct pcscf_worker *pw);	/* those that some phone's mode names: 0 or -errno, logged */
void policy_stop(struct pcscf_worker *pw);
const struct policy_backend *policy_backend_by_mode(enum policy_mode m);	/* NULL: off */
const struct policy_backend *policy_backend_kept(const struct pcscf_worker *pw, const struct binding *b, struct str name);	/* NULL: not that one any more */
const struct policy_backend *policy_backend_of(const struct pcscf_worker *pw, const struct binding *b);	/* NULL: nobody is asked */
void policy_registered(struct pcscf_worker *pw, struct binding *b);
/* k (NULL: nobody) has the session of that registration's signalling from now on; one that another backend has ends: the mode has changed. */
void policy_signalling_by(struct pcscf_worker *pw, struct binding *b, const struct policy_backend *k);
void policy_unregistered(struct pcscf_worker *pw, const struct binding *b);
int policy_restore(struct pcscf *p, struct store *store);
void policy_left_gone(struct pcscf_worker *pw, struct str call_id, uint64_t binding_id);

/* ---- the signalling of a registration: signalling_flows.c ---- */
#define SIGNALLING_MAX_PAIRS 2u
struct signalling_pair {		/* of ports: SIP between this phone and us */
	struct addr phone, us;
	bool udp, tcp;
};
unsigned signalling_pairs(struct pcscf_worker *pw, const struct binding *b, struct signalling_pair ret[SIGNALLING_MAX_PAIRS]);
bool signalling_same_way(const struct binding *a, const struct binding *b);
/* The network cannot reach the phone any more: its registration here is over, and its calls. */
void signalling_lost(struct pcscf_worker *pw, struct binding *b, const char *why);

/* rx.c, rx_peer.c */
extern const struct policy_backend rx_backend, n5_backend, choose_backend;
void rx_start(struct pcscf *p);			/* serves ASR and RAR: before Diameter starts */
struct str rx_location(struct str user_location, char dst[POLICY_LOCATION_BYTES]);	/* location.c: TS 29.274 §8.21; empty: not told */
