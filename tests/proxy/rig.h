/* tests/proxy/rig.h - a proxy on real transactions, with fake time, fake wire and a resolver that answers by the host's name.
 *
 * Hosts: "n1" is 10.0.0.1, "n12" first 10.0.0.1 then 10.0.0.2 ...; "nx" does not exist; "wait1" answers when rig_resolve()
 * says so; "tcp1" is TCP by record, "tls1" TLS.  ";transport=udp" fixes UDP.  "self" is the proxy. */
#pragma once
#include <errno.h>
#include <stdio.h>
#include "common/proxy/proxy.h"
#include "tests/check.h"

#define RIG_MAX_SENT 256

struct rig_sent {			/* retransmissions are not noted again */
	struct sip_flow to;
	struct bytes *wire;
	struct sip_msg *m;
};

struct rig {
	struct wheel w;
	struct tx_layer *tx;
	struct proxy_layer *pl;
	struct proxy_env env;
	struct rig_sent sent[RIG_MAX_SENT];
	unsigned n;
	int tcp_err, udp_err;			/* what a send returns at once */
	bool unread;				/* what was sent is not read here: `m` stays NULL */
	char resolver_failed[256];		/* addresses given to resolver_target_failed() */

	/* another role than the one of rig.c (NULL): tests of a daemon's handlers */
	void (*request)(struct rig *r, struct tx_server *st, struct sip_msg *m);
	void (*ack)(struct rig *r, struct sip_msg *m);

	/* the role: what it does with a request */
	bool by_hand;				/* does nothing: the test goes on by itself */
	const char *targets[8];
	unsigned q[8], n_targets;
	const char *route;			/* pushed on every target */
	const struct sip_flow *flow;
	uint32_t wait_ms;
	const char *const *supported;
	struct tx_server *st;
	struct proxy *p;
	char log[1024];				/* callbacks, in order: "branch response:180 failed:486 final:486 gone " */
	const char *add_in_failed;		/* one more target from branch_failed */
	bool disregard;				/* which takes the place of the one that failed */
	bool waits_on;				/* wait_ms over: go on all the same */
	enum proxy_verdict verdict;		/* of every response but 1xx */
	bool final_taken;			/* final() answers by itself */
	bool reject_in_branch;
	bool starved;				/* the request's memory is used up once the next hop is known */
	struct sip_msg *held;
	struct proxy_branch *held_b;
	struct sip_out held_o;
	struct sip_nameaddr own[2];
	unsigned n_own;
};

void rig_init(struct rig *r);
void rig_fini(struct rig *r);
void rig_sent_free(struct rig *r);
void rig_run(struct rig *r, uint64_t ms);
/* A request from upstream; LF becomes CRLF, an empty line and Content-Length are added. */
void rig_in(struct rig *r, const char *text);
/* "INVITE sip:bob@n1 SIP/2.0" with the usual headers and `extra` lines ("X: y\n"). */
void rig_request(struct rig *r, const char *method, const char *ruri, const char *extra);
void rig_cancel(struct rig *r, const char *extra);
/* The i-th request of that method that went downstream; NULL: none. */
struct rig_sent *rig_req(struct rig *r, const char *method, unsigned i);
void rig_raw(struct rig *r, const char *text);		/* exactly these octets */
void rig_reply(struct rig *r, struct rig_sent *to, unsigned status, const char *to_tag, const char *extra);
/* extra has the Content-Type. */
void rig_reply_body(struct rig *r, struct rig_sent *to, unsigned status, const char *to_tag, const char *extra, const char *body);
struct sip_msg *rig_last_up(struct rig *r);
const char *rig_up(struct rig *r);		/* statuses that went upstream: "100 180 200" */
const char *rig_down(struct rig *r);		/* "INVITE@10.0.0.1:5060 CANCEL@..."; tcp is marked "/tcp" */
void rig_resolve(struct rig *r);
