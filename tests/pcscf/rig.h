/* tests/pcscf/rig.h - a P-CSCF on real transactions and a real proxy, with fake time and a fake wire.
 *
 * The test carries every message: rig_in() is what arrives, rig_next() what was sent, in order (100 Trying and retransmissions
 * left out).  The home domain is "home"; its door is udp:10.0.0.20:4060; the P-CSCF is pcscf.home, 10.0.0.10:5060 (UDP and TCP)
 * toward the core and 10.1.0.10:5060 too when `dual` is asked for. */
#pragma once
#include "common/daemon/private.h"
#include "pcscf/pcscf.h"
#include "tests/check.h"

#define RIG_MAX_SENT 512
#define RIG_WORKERS 2u
#define DOOR "udp:10.0.0.20:4060"		/* the I-CSCF */
#define SCSCF "udp:10.0.0.30:6060"
#define ALICE "udp:10.9.0.1:5060"
#define BOB "udp:10.9.0.2:5060"

struct rig_sent {
	struct sip_flow to;
	struct bytes *wire;
	struct sip_msg *m;
	unsigned worker;
	char where[SIP_FLOW_STRLEN];		/* "udp:10.0.0.20:4060" */
};

#define RIG_MAX_SETS 64u

/* A kernel that does what the helper says, and keeps the table: test_security.c holds it against a model. */
struct rig_kernel {
	struct ipsec_port port;
	struct ipsec_set set[RIG_MAX_SETS];
	unsigned n;
	struct ipsec_req *asked[8];		/* ADDs that wait for an answer */
	unsigned n_asked;
	int says;				/* to the next ADDs */
	unsigned added, updated, deleted, guards;
};

struct rig {
	struct rig_kernel kernel;
	struct wheel wheel;
	struct stack stack;
	struct worker_full workers[RIG_WORKERS];
	struct cfg *cfg;
	struct pcscf p;
	struct rig_sent sent[RIG_MAX_SENT];
	unsigned n, seen;
	unsigned cseq;				/* of requests made by rig_request() */
};

/* access: lines of the configuration below "access:", or NULL. */
void rig_init(struct rig *r, const char *access, unsigned n_workers);
/* With access.ipsec as `ipsec` says ("{policy: prefer}"), one worker, and the kernel above instead of the helper. */
void rig_init_ipsec(struct rig *r, const char *ipsec, const char *access);
/* The same with somebody to ask about bearers (policy.h); access may go on with other sections, "policy:" among them. */
void rig_init_policy(struct rig *r, const char *access, unsigned n_workers, const struct policy_backend *policy);
void rig_fini(struct rig *r);
/* The media relays of rigs made from now on: what is sent to one; u is the struct pcscf.  NULL: none. */
void rig_use_media(void (*send)(void *u, unsigned relay, struct str octets));
void rig_use_store(struct store *s);			/* of rigs made from now on; NULL: none */
void rig_run(struct rig *r, uint64_t ms);
/* A message from `from` ("udp:10.9.0.1:5060", "tcp:...", and with a port of ours "udp:10.9.0.1:6000>10.0.0.10:5100"); LF becomes CRLF, an empty line and Content-Length are added. */
void rig_in(struct rig *r, const char *from, const char *text);
/* "METHOD ruri" with the usual headers and `extra` lines; the Via is `from`'s. */
void rig_request(struct rig *r, const char *from, const char *method, const char *ruri, const char *extra);
/* The same with these From and To values and this Call-ID. */
void rig_request_as(struct rig *r, const char *from, const char *method, const char *ruri, const char *from_to, const char *call_id,
		    const char *extra);
void rig_reply(struct rig *r, const struct rig_sent *to, unsigned status, const char *extra);
/* With a body (LF becomes CRLF there too); type: the Content-Type line, or "" for none.  tag: of To. */
void rig_request_body(struct rig *r, const char *from, const char *method, const char *ruri, const char *from_to, const char *call_id,
		      const char *extra, const char *type, const char *body);
void rig_reply_body(struct rig *r, const struct rig_sent *to, unsigned status, const char *tag, const char *extra, const char *type,
		    const char *body);
struct rig_sent *rig_next(struct rig *r);		/* fails the test when there is none */
/* A sample of the figures: `name` with its labels as they stand there; 0: there is none. */
long rig_metric(const char *name);
void rig_none(struct rig *r);				/* nothing more was sent */
/* rig_next() must be that request to `where`, or that response. */
struct rig_sent *rig_expect(struct rig *r, const char *method, const char *where);
struct rig_sent *rig_expect_status(struct rig *r, unsigned status, const char *where);
const char *rig_hdr(const struct rig_sent *s, const char *name);	/* all values joined by ", "; "" when absent */
bool rig_contains(const struct rig_sent *s, const char *text);		/* anywhere in the message, any case */

/* Registers `user` (identities sip:USER@home and tel:+49N, N the sum of its letters: alice +49510, bob +49307; Service-Route <sip:orig-USER@10.0.0.30:6060;lr>) from `from` with
 * that contact URI, and leaves its Path value in `path`.  params: of the Contact, or NULL. */
void rig_register(struct rig *r, const char *user, const char *from, const char *contact, const char *params, char path[256]);
void rig_contact(const char *user, const char *from, char dst[128]);	/* "sip:USER@10.9.0.1:5060" */
