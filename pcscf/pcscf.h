/* pcscf/pcscf.h - what the P-CSCF's files share: one struct for the daemon, one per worker, one per request in hand.
 *
 * struct pcscf is read-only once the workers run (its directories lock for themselves); struct pcscf_worker belongs to its
 * thread.  README.md follows a request through the files. */
#pragma once
#include <stdatomic.h>
#include "common/daemon/stack.h"
#include "common/util/cmap.h"
#include "pcscf/agw_config.h"
#include "pcscf/binding.h"
#include "pcscf/budget.h"
#include "pcscf/policy_config.h"
#include "pcscf/sdp_policy.h"
#include "pcscf/security.h"

#define PCSCF_MAX_TRUSTED 64u			/* entries of access.trusted */
#define PCSCF_MAX_PASS 32u			/* entries of access.pass_headers */
#define STACK_HOSTS_MAX 8u			/* addresses of sip.listen that get protected ports */

#define PCSCF_MAX_EMERGENCY 32u			/* entries of access.emergency.numbers */

struct emergency_config {			/* access.emergency */
	char *ecscf;				/* "<sip:...;lr>", owned; NULL: phones are turned to another domain */
	bool allow_anonymous, need_registration;
	struct emergency_number {
		struct str digits, service;	/* "110", "sos.police" */
	} number[PCSCF_MAX_EMERGENCY];
	unsigned n_numbers;
};
struct pcscf_config {				/* access.*; names as in the configuration */
	struct {
		struct addr a;
		unsigned bits;
	} trusted[PCSCF_MAX_TRUSTED];
	unsigned n_trusted;
	const char *pass_headers[PCSCF_MAX_PASS];
	unsigned n_pass;
	struct str icscf;			/* "<sip:...;lr>"; empty: what the home domain resolves to */
	struct str visited_network;		/* P-Visited-Network-ID */
	struct str path_host;			/* host:port of our Path */
	bool match_by_address, reg_event;
	bool hide_topology;
	bool early_media;			/* phones authorise it */
	uint32_t silence_ms;			/* a phone that does not answer a non-INVITE for so long: 480 */
	uint32_t reg_event_linger_ms;		/* how long the last NOTIFY of a subscription may take once the last binding is gone: 64*T1 */
	uint32_t max_contacts;			/* of one REGISTER */
	uint32_t max_sessions;			/* that are watched, all workers */
	uint32_t keep_s;			/* RFC 6223; 0: not asked for */
	uint32_t max_early_calls, early_grace_s, max_ringing_s;
	uint32_t udp_max_bytes;			/* sip.udp_max_bytes */
	uint32_t retry_after_s;			/* with 500 and 504 when the core is down or silent */
	struct security_config security;	/* access.ipsec */
	struct policy_config policy;		/* policy.* */
	struct sdp_policy media;		/* access.media */
	struct agw_config agw;			/* media.* */
	struct budgets budgets;			/* access.budgets */

	struct emergency_config emergency;
	char *icscf_text;			/* its memory */
};

struct pcscf {
	struct stack *stack;
	struct pcscf_config cfg;
	struct phone_directory *phones;		/* published bindings, all workers */
	struct cmap *learned;			/* core neighbours we found out about: neighbour.c */
	struct sa_pool *sas;			/* NULL: no IPsec */
	struct ipsec_helper *helper;
	struct stored_sets {			/* sets of an earlier process, while we start: stored.h */
		struct stored_set *v;
		size_t n, room;
	} stored;
	int nat_fd[STACK_HOSTS_MAX];		/* nat.c: sockets that the kernel takes ESP out of */
	unsigned n_nat_fds;
	struct ipsec_port *test_port;		/* instead of a helper */
	const struct policy_backend *test_policy;	/* instead of every other */
	struct ng_relay relay[NG_MAX_RELAYS];	/* of media.rtpengine, with how they are: agw.h */
	void (*test_media_send)(void *u, unsigned relay, struct str octets);	/* instead of sockets; u: this struct */
	struct call_records *records;		/* records.h; NULL: none are kept */
	struct n5_peer *n5;			/* n5.h: where PCFs notify; NULL: nowhere */
	atomic_bool rx_ready;			/* all workers stand: what a PCRF asks can be delivered */
};

struct pcscf_worker {				/* worker.role */
	struct pcscf *p;
	struct worker *w;
	struct bindings *bindings;		/* those this worker owns */
	struct sa_owner *sets;			/* likewise; NULL: no IPsec */
	struct ipsec_port *port;		/* to the helper */
	struct sessions *sessions;		/* calls that pass: session.h */
	struct reg_events *reg_events;		/* and our subscriptions to their registration: reg_event.h */
	struct calls *calls;			/* call.h; NULL: nobody is asked about bearers or media, and nobody writes it down */
	struct rx_sessions *rx;			/* rx.h; NULL: no phone is asked about over Rx */
	struct n5_worker *n5;			/* n5.h; likewise over N5 */
	struct agw_worker *agw;			/* agw.h; NULL: media go as they are */
	/* Our address for a message to `to`: the transport's, or a test's. */
	int (*local_for)(struct worker *w, const struct sip_flow *to, struct addr *ret);
};
static inline struct pcscf_worker *pcscf_of(struct worker *w)
{
	return w->role;
}

/* A request on its way through the procedures.  Lives on the stack of the handler. */
struct pcscf_req {
	struct pcscf_worker *pw;
	struct tx_server *st;			/* NULL: an ACK, which is never answered */
	struct sip_msg *m;
	struct sip_out out;			/* own Routes are popped already */
	bool core;				/* came from the core side (neighbour.c); else from a phone, or who knows whom */
	bool has_token;				/* `token` is the verified one of the topmost own Route that had any */
	struct token token;
	struct binding *b;			/* the phone that sent it, or is to get it: a reference, or NULL */
	bool has_route;				/* `route` is the rest of its route set, as we sealed it: topology.c */
	struct str route;
	bool emergency;				/* goes to the E-CSCF */
	struct str icid;			/* once there is one: the correlation of all log lines */
};

int pcscf_config_read(struct pcscf_config *c, const struct cfg *cfg, struct str sip_name);	/* 0 or -errno, logged */
void pcscf_config_fini(struct pcscf_config *c);
void pcscf_config_check(const struct cfg *cfg, struct buf *errors);
char *pcscf_route_of_uri(struct str uri);		/* "<sip:...;lr>", to be freed; NULL: no SIP URI, or out of memory */
extern const struct cfg_row pcscf_schema[];		/* config.c */

int pcscf_init(struct pcscf *p);			/* before stack_start(): 0 or -ENOMEM */
void pcscf_fini(struct pcscf *p);
extern const struct role_ops pcscf_ops;			/* request.c */
/* ---- security_rest.c ---- */
struct cJSON *security_json(const struct sa_set *s);			/* what `ip xfrm state` calls the associations; never their keys */
void security_list(void *u, struct http_req *r);
void security_show(void *u, struct http_req *r);
void security_delete(void *u, struct http_req *r);
void security_algorithms(void *u, struct http_req *r);
extern const struct http_shape pcscf_shapes[];		/* shapes.c */
extern const struct http_route pcscf_routes[];		/* rest.c; u is struct pcscf */

/* ---- request.c ---- */
void pcscf_request(struct worker *w, struct tx_server *st, struct sip_msg *m);
void pcscf_ack(struct worker *w, struct sip_msg *m);
/* Answers by tx_refuse(); an ACK hears nothing. */
void pcscf_refuse(struct pcscf_req *r, unsigned status, const char *why, struct str extra);

extern const struct str pcscf_capabilities;		/* header lines of a 200 to OPTIONS */

void pcscf_doctor(struct doctor *d, const struct cfg *c);	/* doctor.c */
extern struct metric pcscf_registrations;		/* register.c */

/* ---- the procedures: each consumes the request (answers, forwards or drops it) ---- */
void pcscf_register(struct pcscf_req *r);		/* register.c, TS 24.229 §5.2.2 */
void pcscf_originating(struct pcscf_req *r);		/* originating.c, §5.2.6.3 */
void pcscf_terminating(struct pcscf_req *r);		/* terminating.c, §5.2.6.4 */
void pcscf_in_dialog(struct pcscf_req *r);		/* indialog.c, §5.2.6.3.7 and the like */

/* ---- emergency.c, TS 24.229 §5.2.10; row P21 ---- */
#define RECORD_ROUTE_SOS 1u			/* token.flags: of an emergency call */
void emergency_init(void);
int emergency_config_read(struct emergency_config *c, const struct cfg_node *r);
void emergency_config_fini(struct emergency_config *c);
void emergency_config_check(const struct cfg_node *r, struct buf *errors);
/* A service URN below sos (RFC 5031), or a local emergency number. */
bool pcscf_is_emergency(const struct pcscf *p, const struct sip_uri *ruri);
void pcscf_emergency(struct pcscf_req *r);		/* an initial request of a phone, or of anybody: consumed */
bool pcscf_urgent(struct worker *w, struct str ruri, const struct sip_msg *m);	/* role_ops.urgent */
bool pcscf_knows_sos_hop(const struct pcscf *p, const struct sip_uri *u);	/* the E-CSCF, or who it put on a route */

/* ---- forward.c: through the proxy, with what is the same for every method ---- */
/* Toward the core, along Route or Request-URI as r->out stands.  dialog: our Record-Route goes in.  learn: the next hop was
 * not the phone's choice, so its address is a core neighbour. */
void pcscf_forward_to_core(struct pcscf_req *r, bool dialog, bool learn);
/* To the phone r->b on its access path; r->b NULL: to the address in the Request-URI (after a restart). */
void pcscf_forward_to_phone(struct pcscf_req *r, bool dialog);

/* ---- phone.c: who sent this? ---- */
struct binding *pcscf_phone_of(struct pcscf_req *r);	/* a reference, or NULL: not registered (row P9) */
/* May this message come from that phone (SEC-09)?  Its flow, or its address when nobody else's. */
bool pcscf_phone_sent(struct pcscf_req *r, const struct binding *b);

/* ---- neighbour.c: who is core? ---- */
bool pcscf_is_trusted(const struct pcscf *p, const struct sip_flow *from);
void pcscf_learn(struct pcscf *p, const struct sip_flow *core);
void pcscf_learn_sender(struct pcscf *p, const struct sip_msg *m);
void pcscf_learn_hop(struct pcscf *p, struct str value);	/* a Route, Service-Route or Record-Route value from the core */
bool pcscf_knows_hop(const struct pcscf *p, const struct sip_uri *u);
/* A table of its own within the table: what was learned as `kind` is known as nothing else. */
void pcscf_learn_hop_as(struct pcscf *p, const char *kind, struct str value);
bool pcscf_knows_hop_as(const struct pcscf *p, const char *kind, const struct sip_uri *u);
void pcscf_learn_static(struct pcscf *p, const struct cfg *cfg);	/* dns.next_hops */

/* ---- stranger.c: role_ops.standing and turn_away ---- */
enum standing pcscf_standing(struct worker *w, const struct sip_flow *from);
bool pcscf_turn_away(struct worker *w, struct sip_msg *m, struct refusal *ret);

/* ---- path.c: routing tokens of ours and the way to a phone ---- */
/* The token in a Route of m, as token_read().  One of a dialog's route is for requests with that Call-ID and the tag of the end that began it,
 * whichever end sends: with another Call-ID or an invented tag it is -EPERM. */
int pcscf_token_read(const struct pcscf *p, const struct sip_msg *m, struct str text, struct token *ret);
struct str pcscf_path_value(struct pcscf_worker *pw, struct arena *a, uint64_t id, bool outbound);	/* of a Path header */
/* Adds our Record-Route: one value, or two when both sides reach us differently (RFC 5658; clients.md point 7).
 * flags: of the token.  from, to: the flows it came on and goes to.  Returns how many, topmost first in ret. */
unsigned pcscf_record_route(struct pcscf_worker *pw, struct sip_out *o, uint64_t id, uint8_t flags, const struct sip_flow *from,
			    const struct sip_flow *to, bool to_phone, struct str ret[2]);
/* THE choice of a flow toward a phone (rows C8, P13).  Port roles of security associations go here. */
void pcscf_access_path(const struct binding *b, struct sip_flow *ret);

/* ---- topology.c: SEC-05 ---- */
/* The Record-Route of a request to a phone, or of a response to it: `ours` alone, with the rest of the route set sealed into it.
 * first: our topmost value in the response. */
void topology_hide_request(struct pcscf_worker *pw, struct sip_out *o, struct str ours);
void topology_hide_response(struct pcscf_worker *pw, struct sip_out *o, struct str first, struct str ours);
int topology_read(struct pcscf_req *r, const struct sip_uri *ours);	/* a Route value of ours: 0, or -EPERM (forged) */
void topology_set_route(struct pcscf_req *r);

/* ---- identity.c: rows P10, S6 ---- */
/* Sets P-Asserted-Identity of a request from b: what P-Preferred-Identity names of its set (one sip and one tel at most),
 * else the default identity. */
void pcscf_assert_sender(struct sip_out *o, const struct binding *b);
/* The same on a response from b to `req`: P-Preferred-Identity, else the identity that was called, else the default. */
void pcscf_assert_callee(struct sip_out *o, const struct sip_msg *req, const struct binding *b);

/* ---- security.c: what a message must show by the way it came ---- */
struct registration;
struct reg_security {				/* of one REGISTER */
	struct sa_set *via;			/* what it came on: a reference; NULL: in clear */
	struct sec_list client;
	int chosen;				/* of client.entry; -1: no set will be made */
	enum sec_mod mod;			/* nat.c */
};
/* Answers and returns false when the REGISTER ends here.  before: the phone's binding, or NULL.  what->key may become that of the set. */
bool security_check(struct pcscf_req *r, struct registration *what, const struct binding *before, struct reg_security *ret);
/* Makes the set that the challenge has keys for.  0: done will be called on this worker, maybe at once (s is borrowed);
 * -ENOKEY: the challenge has none. */
int security_make(struct pcscf_worker *pw, const struct sip_msg *req, const struct registration *what, const struct reg_security *g,
		  const struct sip_msg *challenge, void (*done)(void *arg, struct sa_set *s, int rc), void *arg);
void security_refuse(struct pcscf_worker *pw, struct sa_set *s);	/* what came on that pending set was refused */
void security_count(const struct binding *b);
bool security_admit(struct worker *w, const struct sip_msg *m);
void security_response_flow(struct worker *w, const struct sip_msg *req, struct sip_flow *to);
void security_sent_by(struct worker *w, const struct sip_flow *to, struct addr *a);
int security_start(struct pcscf *p);		/* before any thread runs */
int security_worker_start(struct pcscf_worker *pw);
void security_worker_stop(struct pcscf_worker *pw);
int security_listen(struct worker *w);

/* ---- nat.c ---- */
bool nat_between(const struct sip_msg *m);	/* a request in clear came through one */
/* How a set is to be made for what sent that REGISTER. */
enum sec_mod nat_mod(const struct security_config *c, const struct sip_msg *m, const struct sa_set *via);
void nat_keep_key(const struct sa_set *via, struct registration *what);	/* what->key is borrowed of via then */
int nat_open(struct pcscf *p, const struct addr *host);	/* before any thread runs.  -errno: it is off from now on */
void nat_close(struct pcscf *p);

/* ---- keep.c: row P23 ---- */
/* The 200 to that REGISTER, on its way to the phone: our keep value where it belongs. */
void pcscf_keep(const struct pcscf_config *c, const struct sip_msg *req, struct sip_out *o);
/* The same by RFC 5626 §5.4, for a registrar that has agreed to outbound. */
void pcscf_flow_timer(const struct pcscf_config *c, const struct sip_msg *req, struct sip_out *o);

/* ---- charging.c: row G1 ---- */
/* A new P-Charging-Vector; its icid becomes the log's correlation.  Returns it, in the plan's arena. */
struct str pcscf_charging_new(struct pcscf_worker *pw, struct sip_out *o);
struct str pcscf_charging_value(const struct pcscf_worker *pw, struct arena *a, struct str *ret_icid);	/* the header's value */
/* The same with an ICID that is there already.  access: access-network-charging-info with its ";", or empty. */
struct str pcscf_charging_known(const struct pcscf_worker *pw, struct arena *a, struct str icid, struct str access);
/* Of a phone's request within a dialog: the ICID of the call, else a new one.  Returns it. */
struct str pcscf_charging_in_dialog(struct pcscf_worker *pw, struct sip_out *o, uint64_t binding_id);
/* Of a phone's response: what the core said in the request, and us; and once it is known, what the access network says. */
void pcscf_charging_answer(struct pcscf_worker *pw, struct sip_out *o, const struct sip_msg *req, uint64_t binding_id);
struct str pcscf_charging_icid(const struct sip_msg *m);	/* of a message from the core; empty: none */
