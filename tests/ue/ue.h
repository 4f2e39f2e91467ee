/* tests/ue/ue.h - the simulated phone: what its files share.  README.md says how they follow each other.
 *
 * One thread: commands come in from stdin or -e, SIP from the transport, time from the wheel; events go to stdout. */
#pragma once
#include <cjson/cJSON.h>
#include "common/dialog/dialog.h"
#include "common/loop/loop.h"
#include "common/sip/reginfo.h"
#include "common/transaction/tx.h"
#include "common/transport/transport.h"
#include "tests/ue/ipsec.h"
#include "tests/ue/media.h"
#include "tests/ue/sdp.h"
#include "tests/ue/usim.h"

#define UE_TEXT 256				/* longest identity, name, number */
#define UE_PATH 1024
#define UE_MAX_URIS 16				/* P-Associated-URI that are kept */
#define UE_ALLOW "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, MESSAGE, OPTIONS, NOTIFY"
#define UE_MMTEL "urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"	/* TS 24.229 §7.2A.8.2 */

struct ue;

/* ---- options (options.c) ---- */

enum ue_answer { ANSWER_AUTO, ANSWER_MANUAL, ANSWER_REJECT };

struct ue_options {
	enum sip_proto proto;
	enum sip_proto message_proto;			/* MESSAGE goes by this one */
	struct addr pcscf, bind;
	char tls_ca[UE_PATH], tls_name[UE_TEXT];	/* empty: the system's; the address of --pcscf */
	char imsi[32], msisdn[32], mcc[4], mnc[4], impi[UE_TEXT], impu[UE_TEXT], domain[UE_TEXT], password[UE_TEXT];
	char user_agent[UE_TEXT], pani[UE_TEXT];
	bool has_k;
	uint8_t k[16], opc[16];
	uint64_t sqn;
	uint32_t expires_s, ring_ms, t1_ms, max_ring_s;	/* t1_ms 0: TS 24.229 §7.7 */
	uint32_t udp_max_bytes;				/* larger requests go over TCP; 0: none does */
	enum ue_answer answer;
	unsigned reject_code;
	bool precond, rtp, no_authorization, trace;
	bool ipsec, nat;
	struct {
		enum sec_alg alg;
		enum sec_ealg ealg;
	} pair[UE_PAIRS];			/* of Security-Client, in this order */
	unsigned n_pairs;
	enum ue_attack attack;
	const char *script;				/* -e; NULL: commands come from stdin */
};
/* 0; -EINVAL with a sentence in why; -ECANCELED: --help was printed. */
int options_read(struct ue_options *o, int argc, char **argv, char *why, size_t why_size);

/* ---- the phone ---- */

enum reg_state { REG_NONE, REG_PENDING, REG_DONE };

struct reg {
	enum reg_state state;
	bool was_done;				/* a binding stood when the pending one began */
	bool removing;				/* the pending one is a de-registration */
	char call_id[48], tag[24];
	uint32_t cseq, expires_s, granted_s;
	unsigned challenges, resyncs, invalid;	/* of the pending one */
	uint64_t begun_ms;
	struct tx_client *ct;
	struct timer refresh;
	/* the last challenge; texts malloc'd */
	char *realm, *nonce, *opaque;
	enum auth_algorithm algorithm;
	bool with_qop;
	uint32_t nc;
	uint8_t secret[UE_TEXT];		/* RES or the password.  Never printed */
	size_t secret_len;
	char auts[24];				/* for the next REGISTER only */
	bool empty_response;			/* TS 24.229 §5.1.1.5.3 case 1: the MAC of AUTN was wrong */
	char *service_route;			/* "<...>,<...>" */
	char *associated[UE_MAX_URIS];
	unsigned n_associated;
};

struct subscription {				/* to our own registration: RFC 3680 */
	char call_id[25], tag[11];		/* empty: there is none */
	struct sip_msg *request;		/* the first SUBSCRIBE as sent */
	struct dialog *d;			/* from its answer on */
	struct tx_client *ct;
	struct timer refresh;
	bool removing;
};

struct command_queue {
	struct list waiting;
	struct timer pump;
	struct loop_fd in;
	struct buf partial;			/* half a line of stdin */
	bool eof, script, failed;
	/* what the queue stands at: a command's outcome, or `wait` */
	const struct command *running;
	char wait_for[32];
	struct timer wait_timer, pause_timer;
	struct list seen;			/* events since the last command: a `wait` may come after its event */
};

struct ue {
	struct ue_options o;
	struct loop *loop;
	struct transport_group *group;
	struct transport *transport;
	struct tx_layer *tx;
	struct sip_flow flow;			/* to the P-CSCF */
	struct addr local;			/* our listeners, UDP and TCP on one port */
	char local_text[ADDR_STRLEN];
	char user[32];				/* of the Contact */
	char contact[UE_TEXT];			/* the URI */
	char instance[64];			/* +sip.instance */
	char identity[UE_TEXT];			/* From and P-Preferred-Identity */
	struct usim usim;
	struct ue_ipsec sec;
	struct reg reg;
	struct subscription sub;
	struct list calls;			/* struct call; over ones stay while transactions know them */
	struct command_queue q;
};

/* ---- events.c: JSON lines on stdout ---- */

cJSON *event_new(const char *name);
void event_str(cJSON *e, const char *key, struct str value);
void event_num(cJSON *e, const char *key, double value);
void event_flag(cJSON *e, const char *key, bool value);
/* Every value of a list header, without <>. */
void event_uris(cJSON *e, const char *key, const struct sip_msg *m, enum sip_hdr_id id);
/* Prints and frees.  bad: a command in progress has failed. */
void event_put(struct ue *u, cJSON *e, bool bad);
void event_error(struct ue *u, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- queue.c: commands ---- */

int commands_open(struct ue *u);
void commands_close(struct ue *u);
void commands_event(struct ue *u, const char *name, bool bad);	/* what event_put() tells */

/* ---- net.c: sockets, transactions, what every request carries ---- */

int net_open(struct ue *u);			/* 0 or -errno */
struct sip_flow net_flow(const struct ue *u);	/* to the P-CSCF, nothing agreed */
const char *net_transport_param(const struct ue *u);	/* of URIs that lead to us or to the P-CSCF the way we send: ";transport=tls" or empty */
void net_disconnect(struct ue *u);		/* as if the network had forgotten our connections */
void net_close(struct ue *u);
struct via {
	char branch[24];
	char text[ADDR_STRLEN + 64];		/* the header's value */
};
void via_make(const struct ue *u, struct via *v);
/* Sends through the P-CSCF in a new transaction; takes over wire.  NULL: wire was NULL or there is no room. */
struct tx_client *net_send(struct ue *u, enum sip_method method, const struct via *v, struct bytes *wire,
			   const struct tx_client_ops *ops, void *user);
void net_send_plain(struct ue *u, struct bytes *wire);	/* an ACK of a 2xx; wire is borrowed */
struct request {				/* outside of a dialog */
	const char *method;
	struct str ruri, to, call_id, tag;
	uint32_t cseq;
	bool is_register;			/* no Route, no identity, From = To */
	struct str headers;			/* more lines */
	struct str content_type, body;
};
struct bytes *request_make(struct ue *u, const struct via *v, const struct request *r);
/* "+49...", "0171..." or a URI into a Request-URI.  0 or -EINVAL. */
int target_make(const struct ue *u, struct str text, char dst[UE_TEXT]);
void contact_make(struct ue *u);		/* phone.c: when our address has become another */
void put_contact(const struct ue *u, struct buf *b);	/* the Contact line with its feature tags */

/* ---- incoming.c ---- */

void incoming_request(struct ue *u, struct tx_server *st, struct sip_msg *m);
void incoming_ack(struct ue *u, struct sip_msg *m);
void incoming_cancel(struct ue *u, struct tx_server *invite, struct sip_msg *m);

/* ---- register.c, digest.c ---- */

int register_start(struct ue *u, bool remove);	/* 0, -EBUSY */
void register_close(struct ue *u);
void register_timer(struct timer *t);
void register_ended(struct ue *u, enum reginfo_event event, uint32_t retry_after_s);	/* the network says so */
void register_shortened(struct ue *u, uint32_t expires_s);
/* The Authorization line for the pending REGISTER. */
void digest_put(struct ue *u, struct buf *b, struct str uri);
/* Takes the 401's challenge.  0: answer it (with an AUTS, or empty, when the card says so); -errno: there is no answer. */
int digest_challenge(struct ue *u, const struct sip_msg *m);
void digest_forget(struct reg *r);

/* ---- ipsec.c: nothing of it does anything without --ipsec ---- */

int attack_from_name(const char *name, enum ue_attack *ret);	/* 0 or -EINVAL */
int ipsec_open(struct ue *u);			/* after the transport; 0 or -errno */
void ipsec_close(struct ue *u);
void ipsec_unguard(struct ue *u);		/* last: closing sockets still send something */
void ipsec_put(struct ue *u, struct buf *b, bool is_register);	/* Security-Client, -Verify, Require */
int ipsec_challenge(struct ue *u, const struct sip_msg *m);	/* the 401: associations from its Security-Server */
void ipsec_registered(struct ue *u);
void ipsec_failed(struct ue *u, bool over);
bool ipsec_protected(const struct ue *u);	/* requests go through associations */
void ipsec_response_flow(void *u, const struct sip_msg *req, struct sip_flow *to);
struct sip_flow ipsec_flow_for(const struct ue *u, enum sip_method method);

const struct addr *ipsec_us(const struct ue *u);	/* our address toward the network within associations */
int ipsec_listen(struct ue *u, const struct addr *host);	/* on all our protected ports */

/* ---- nat.c: ESP within UDP through a NAT, with --nat ---- */

void nat_init(struct ue *u);
/* The 401 says where it came from and offers mod=UDP-enc-tun: address, sockets, keep-alives.  0 or -errno. */
int nat_learn(struct ue *u, const struct sip_msg *m);
void nat_fill(const struct ue *u, struct ipsec_set *s);		/* what a set is then */
void nat_close(struct ue *u);

/* ---- subscribe.c: reg-event ---- */

int subscribe_send(struct ue *u, bool remove);	/* 0, -EBUSY, -EPROTO (nothing to remove) */
bool notify_in(struct ue *u, struct tx_server *st, struct sip_msg *m);	/* false: not ours, not answered */
void subscribe_timer(struct timer *t);
void subscribe_close(struct ue *u);

/* ---- message.c: MESSAGE, OPTIONS, raw ---- */

int message_send(struct ue *u, struct str target, struct str text);
int options_send(struct ue *u, struct str target);
int raw_send(struct ue *u, struct str file);
void message_in(struct ue *u, struct tx_server *st, struct sip_msg *m);
/* A header's P-Asserted-Identity and From in an event about a request. */
void event_caller(cJSON *e, const struct sip_msg *m);
