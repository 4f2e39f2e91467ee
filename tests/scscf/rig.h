/* tests/scscf/rig.h - the S-CSCF's call path on real transactions and a real proxy, with a published directory, fake time, fake
 * wire and a resolver that knows a few names.
 *
 * Home domain "home.example" (the I-CSCF, 10.0.0.20), alias "alias.example"; this node is "scscf.home.example:6060";
 * P-CSCFs "p1.home.example" ... are 10.0.0.1 ...; "foreign.example" is 10.0.0.50, "gw.example" 10.0.0.60; "nx..." is nowhere. */
#pragma once
#include <errno.h>
#include <stdio.h>
#include "common/resolver/enum.h"
#include "scscf/registrar.h"
#include "scscf/subscription.h"
#include "tests/check.h"

#define RIG_MAX_SENT 128
#define RIG_DOMAIN "home.example"
#define RIG_NAME "scscf.home.example:6060"
enum { ID_ALICE = 0xa1, ID_BOB = 0xb1, ID_CAROL = 0xc1, ID_DAVE = 0xd1, ID_ERIN = 0xe1, ID_FRED = 0xf1, ID_GINA = 0x91 };

struct rig_sent {			/* retransmissions are not noted again */
	struct sip_flow to;
	struct bytes *wire;
	struct sip_msg *m;
};
struct rig {
	struct wheel wheel;
	struct worker w;
	struct scscf_worker sw;
	struct scscf s;
	struct reg_config reg;
	struct cfg *cfg;
	struct session_config *sessions;
	const char *from_ip;			/* of requests; NULL: 10.1.1.1 */
	struct rig_sent sent[RIG_MAX_SENT];
	unsigned n, registers, fetches, restores;
	uint64_t restored_id;
	char fetched[256];			/* whose profile the HSS was asked for last */
	const char *pcfa;			/* of users that are published from now on; NULL: none */
	bool roaming;				/* contacts from now on come by P-CSCFs of another network */
	bool emergency;				/* what is published is for emergencies */
	bool fetch_waits;			/* and the request waits for it */
	struct rig_enum {			/* what ENUM says of a number; ended by number NULL */
		const char *number, *sip, *pstn;
	} enums[4];
	bool enum_waits;			/* until rig_enum_answer() */
	unsigned enum_asked, enum_cancelled;
	void (*enum_fn)(void *arg, const struct enum_result *res);
	void *enum_arg;
	unsigned cseq;				/* added to the CSeq of requests: another INVITE of the same call
						 * is another attempt */
	unsigned turn;				/* in the branch: another one is another request */
};

/* sessions: YAML below "sessions:", flow style ("{country_code: \"49\"}"); NULL: none. */
void rig_init(struct rig *r, const char *sessions);
void rig_fini(struct rig *r);
void rig_run(struct rig *r, uint64_t ms);
/* Publishes the users of the tests:
 *  alice  sip:alice@, sip:+4930111@, tel:+4930111, barred sip:alice-imsi@; one contact by p1
 *  bob    sip:bob@, sip:+4930222@, tel:+4930222; two contacts of q 500 by p2 and p3
 *  carol  sip:carol@; no contact    dave  sip:dave@ barred, sip:dave2@; a contact by p4
 *  erin   tel:1001, sip:1001@; contacts by p5 (q 1000) and p6 (q 100)    fred  only a barred identity; a contact by p7
 *  gina   sip:gina@; a contact that has expired */
void rig_users(struct rig *r);
/* One more user: the inside of a ServiceProfile; contact NULL: not registered, else by p9. */
void rig_user(struct rig *r, uint64_t id, const char *service, const char *contact);
/* The same with any contacts. */
void rig_phones(struct rig *r, uint64_t id, const char *service, unsigned n, const struct reg_contact_view *contacts);
/* And with contacts by p1, p2, ... in their order, the youngest last. */
struct rig_contact {
	const char *params;
	unsigned q;
};
void rig_user_contacts(struct rig *r, uint64_t id, const char *service, unsigned n, const struct rig_contact *contacts);
/* "<sip:TOKEN@scscf.home.example:6060;lr>" */
const char *rig_route(struct rig *r, enum token_kind kind, uint8_t flags, uint64_t id);
/* "METHOD ruri" with the usual headers and `extra` lines ("X: y\n"); to_tag NULL: none. */
void rig_request(struct rig *r, const char *method, const char *ruri, const char *to_tag, const char *extra);
void rig_raw(struct rig *r, const char *text);		/* start line and headers, "\n" for line ends */
/* An application server (10.0.0.6x) sends on what it got: its first Route taken off, ruri NULL: the same.  call_id NULL: as a
 * proxy would; else a B2BUA that makes a new call of it. */
void rig_return(struct rig *r, const struct rig_sent *got, const char *ruri, const char *call_id);
void rig_enum_answer(struct rig *r, unsigned i);	/* row of enums; one that has no URI: no such number */
void rig_cancel(struct rig *r, const char *ruri);
/* The i-th request of that method that went out; NULL: none. */
struct rig_sent *rig_req(struct rig *r, const char *method, unsigned i);
void rig_reply(struct rig *r, struct rig_sent *to, unsigned status, const char *extra);
struct sip_msg *rig_up(struct rig *r);			/* the last response that went upstream, or NULL */
unsigned rig_status(struct rig *r);			/* its status; 0: none but 100 */
const char *rig_down(struct rig *r);			/* "INVITE@10.0.0.1 CANCEL@..." */
/* The value of a header; "" when absent.  Several lines and values are joined by ", ". */
const char *rig_hdr(const struct sip_msg *m, enum sip_hdr_id id);
bool rig_has(const struct sip_msg *m, const char *text);
