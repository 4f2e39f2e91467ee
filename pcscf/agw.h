/* pcscf/agw.h - calls whose media go through a relay (rtpengine): the IMS-ALG with its access gateway, TS 24.229 §6.7, TS 23.228 annex G,
 * TS 23.334; row P17.
 *
 * Each message with a session description is held until the relay has said what it becomes.  This stands before policy control: what waits
 * here comes to policy.c when it goes.  Everything is on the worker that owns the call. */
#pragma once
#include <cjson/cJSON.h>
#include "pcscf/agw_config.h"
#include "pcscf/call.h"

#define AGW_MAX_HELD 8u			/* messages of one call that wait; a provisional response more is dropped */
#define AGW_MAX_FORKS 4u		/* early dialogs whose descriptions are remembered */
#define AGW_MAX_SDP_BYTES 32768u	/* longer ones are not asked about */
#define AGW_ID_BYTES 160u		/* a session's call-id at the relay */

struct store;
int agw_start(struct pcscf_worker *pw);		/* 0 or -errno, logged; nothing when media.mode is off */
void agw_stop(struct pcscf_worker *pw);

/* A request within the call, or the one that begins it.  p NULL: an ACK with its plan, which goes to `flow` (NULL: as the plan says).
 * true: it waits, and goes later, through policy control. */
bool agw_request(struct call *c, struct proxy *p, struct sip_msg *m, struct sip_out *o, bool to_phone, const struct sip_flow *flow);
/* The INVITE of a call that is not kept (call_begin()): no relay can have its media.  true: it is refused, and p may be gone. */
bool agw_turn_away(const struct pcscf_req *r, struct proxy *p, bool to_phone);
/* A response on its way upstream.  PROXY_HOLD: it goes later, through policy control. */
enum proxy_verdict agw_response(struct call *c, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o, bool to_phone);
void agw_bye(struct call *c);			/* as policy_bye(), and before it */
void agw_proxy_gone(struct call *c, struct proxy *p);
void agw_call_over(struct call *c);		/* c->agw is gone; the relay hears so until it has answered */
void agw_call_stays(struct call *c);		/* the same, but the daemon stops and the call goes on: the relay hears nothing */

/* agw_stored.c: once the calls are there.  0 or -errno, logged. */
int agw_restore(struct pcscf *p, struct store *store);

/* agw_view.c.  c->agw is there. */
cJSON *agw_to_json(const struct call *c);
cJSON *agw_summary(const struct call *c);	/* for its record */
cJSON *agw_relays_json(const struct pcscf *p);

/* agw_sdp.c: pure. */
/* Must what stands in that description, of the phone b or to it, go through a relay?  from: where the message came from.
 * ret_nat: the phone does not know its own address (may be NULL). */
bool agw_wants(const struct agw_config *cfg, const struct binding *b, struct str sdp, bool from_phone, const struct addr *from, bool *ret_nat);
int agw_family(struct str sdp);			/* of its first address: AF_INET, AF_INET6; 0: none can be read */
/* The body of m with another session description in it; empty: out of memory, or it has none. */
struct str agw_body(const struct sip_msg *m, struct str sdp);
