/* pcscf/security.h - access security by IPsec: TS 33.203 §7, annexes H and I; TS 24.229 §5.2.2; RFC 3329.
 *
 *	secpolicy.c	what the operator wants: policy, the ordered list of algorithm pairs, what a phone is told of it
 *	sa_make.c	sets of security associations, from the challenge to the kernel
 *	sa.c		their life from then on to the last answer
 *	sa_pool.c	SPIs, ports, and who has them
 *	nat.c		phones behind a NAT: ESP within UDP
 *	ports.c		which of the four ports a message uses
 *	security.c	what a REGISTER must show, by the way it came
 *
 * A set belongs to the worker of its private identity, like the binding.  All workers find it by the ports of a message. */
#pragma once
#include "common/config/config.h"
#include "common/ipsec/ipsec.h"
#include "common/util/obj.h"

struct store_port;

#define SECURITY_MAX_PAIRS 8u		/* of access.ipsec.algorithms */
#define SA_KERNEL_GRACE_S 10u		/* the kernel's own end comes after ours */
#define SECURITY_MAX_SETS 6u		/* of one phone at a time; one more: the oldest that nobody has answered for makes room, else refused */

enum security_policy { SECURITY_OFF, SECURITY_PREFER, SECURITY_REQUIRE };

struct security_pair {
	enum sec_alg alg;
	enum sec_ealg ealg;
};
#define SECURITY_MAX_LISTENERS 32u	/* of access.ipsec.listeners */

struct security_config {		/* access.ipsec */
	bool on;			/* anywhere */
	enum security_policy policy;	/* where none is named; TLS listeners: off */
	struct security_listener {
		enum sip_proto proto;
		struct addr at;
		enum security_policy policy;
	} listener[SECURITY_MAX_LISTENERS];
	unsigned n_listeners;
	struct security_pair pair[SECURITY_MAX_PAIRS];	/* best first */
	unsigned n_pairs;
	uint16_t port_s, port_c, n_ports;
	uint32_t spi_first, n_spis, reqid_first;
	uint32_t await_auth_s;		/* reg-await-auth: TS 24.229 table 7.8.1 */
	uint32_t margin_s;		/* associations outlive the registration so long */
	uint32_t old_ms;		/* 64*T1 of the phones' side */
	uint32_t quarantine_s;		/* of SPIs */
	uint16_t nat_port;		/* 0: no ESP within UDP */
	uint32_t max_pending, max_pending_per_source;	/* sets that nobody has answered for yet: SEC-10; 0: no limit */
};

/* ---- secpolicy.c ---- */
void security_config_check(const struct cfg_node *r, struct buf *errors);
void security_config_read(struct security_config *c, const struct cfg_node *r);
/* What holds where a REGISTER in clear came in. */
enum security_policy security_policy_at(const struct security_config *c, const struct sip_flow *f);
/* The first pair of OUR list that the phone offers for that mode (S1): index into client->entry and, in *ret_pair, ours.  -ENOENT: none. */
int security_choose(const struct security_config *c, const struct sec_list *client, enum sec_mod mod, unsigned *ret_pair);
/* Security-Server: every pair of ours, best first, with the ports and SPIs of `mine`. */
unsigned security_server_list(const struct security_config *c, enum sec_mod mod, const struct ipsec_end *mine,
			      struct sec_agree ret[SECURITY_MAX_PAIRS]);
struct str security_server_value(const struct sec_agree *list, unsigned n, struct arena *a);
/* "Security-Server: ...\r\n" for 421 and 494, before there are ports or SPIs. */
struct str security_server_line(const struct security_config *c, enum sec_mod mod, struct arena *a);

/* ---- sa.c, sa_make.c, sa_pool.c ---- */
enum sa_state {
	SA_MAKING,			/* the kernel has not said yes yet */
	SA_PENDING,			/* the challenge is out: REGISTER alone, until reg-await-auth */
	SA_LIVE,
	SA_OLD,				/* replaced or de-registered: still good for what is on its way */
	SA_ENDING,			/* refused: our last answer may still leave by it, nothing comes in */
};
struct sa_set {
	struct obj o;
	_Atomic(int) state;		/* written by the owner */
	struct ipsec_set k;		/* mine: ours; theirs: the phone's */
	struct str impi, key;		/* key: the binding's */
	struct sec_agree *client;	/* Security-Client as it first came */
	unsigned n_client, client_others;
	struct sec_agree server[SECURITY_MAX_PAIRS];	/* Security-Server as it went out */
	unsigned n_server;
	uint64_t made_ms;
	bool by_phone;			/* the REGISTER for it came over a proven set: nobody else pushes it out */
	bool unproven;			/* counted by the pool as one that nobody has answered for */
	struct str texts;
};
struct sa_pool;				/* all workers: SPIs, ports, who has them */
struct sa_pool *sa_pool_new(const struct security_config *c);
void sa_pool_free(struct sa_pool *p);
/* A reference, or NULL: the set whose ports these are, in whatever state; sa_of: in one that may be used. */
struct sa_set *sa_find(struct sa_pool *p, const struct sip_flow *f);
struct sa_set *sa_of(struct sa_pool *p, const struct sip_flow *f);
struct sa_set *sa_of_phone(struct sa_pool *p, struct str key);		/* its newest one, pending or live */
static inline enum sec_mod sa_mod(const struct sa_set *s)
{
	return s->k.encap_us ? SEC_MOD_UDP_ENC_TUN : SEC_MOD_TRANS;
}
static inline enum sa_state sa_state(const struct sa_set *s)
{
	return (enum sa_state)atomic_load_explicit(&((struct sa_set *)s)->state, memory_order_acquire);
}
const char *sa_state_name(enum sa_state s);

struct sa_wish {			/* what a set is made from; texts are copied */
	struct str impi, key;
	struct addr phone, us;		/* of the REGISTER */
	const struct sec_list *client;
	unsigned chosen;		/* of client->entry */
	uint16_t encap_us;		/* our UDP port when there is a NAT between, else 0 */
	uint8_t ck[16], ik[16];
	const struct sa_set *via;	/* what the REGISTER came on, or NULL: its server port is kept (§7.4) */
};
struct sa_set *sa_set_new(const struct sa_wish *w);		/* any worker; one reference; NULL: out of memory */

struct sa_owner;			/* the sets of one worker */
struct sa_owner *sa_owner_new(struct sa_pool *p, const struct security_config *c, struct wheel *w, struct ipsec_port *port);
void sa_owner_store(struct sa_owner *o, struct store_port *port);	/* sets are kept there from now on; NULL: they are not */
/* Takes up a set that was kept, whose associations the kernel has: it ends in left_ms.  A reference of its own.  0; -EEXIST: its SPIs or
 * ports are taken; -ENOMEM, -ENOSPC. */
int sa_restore(struct sa_owner *o, struct sa_set *s, enum sa_state state, uint64_t left_ms);
void sa_rest(struct sa_pool *p, const struct sa_set *s);	/* its SPIs are not given out until they have rested */
/* Called when the kernel has ended a live set by itself, after it is gone: there is no way to that phone any more. */
void sa_owner_on_dead(struct sa_owner *o, void (*fn)(void *arg, const struct sa_set *s), void *arg);
void sa_owner_free(struct sa_owner *o);		/* the kernel's state stays as it is: the next start takes it up */
/* Ports and SPIs, and the kernel's four associations.  done is called once, later or at once: 0 and the set is PENDING;
 * -ENOSPC: pools are empty; -EEXIST: SPIs or ports of another phone; what the helper says.  Takes a reference of its own. */
void sa_setup(struct sa_owner *o, struct sa_set *s, void (*done)(void *arg, int rc), void *arg);
/* The home network has accepted what came on s: LIVE for so long; what was live is OLD. */
void sa_confirm(struct sa_owner *o, struct sa_set *s, uint32_t granted_s);
/* A reference: the live set of the phone whose old one s is, else s itself. */
struct sa_set *sa_current(struct sa_owner *o, struct sa_set *s);
void sa_refuse(struct sa_owner *o, struct sa_set *s);		/* a pending one: gone once the answer has left */
enum sa_retire {			/* a binding has ended; sets that nobody has answered for yet belong to a registration that goes on */
	SA_EXPIRED,			/* it ran out: live and old go at once */
	SA_RELEASED,			/* by the network: they go once the last messages have left */
	SA_LEFT,			/* the phone has de-registered or come back in clear: all go, its answer leaves first */
};
void sa_retire(struct sa_owner *o, struct str key, enum sa_retire why);
/* Sets behind the first `skip`, oldest first; fn returns false to have no more. */
void sa_each(const struct sa_owner *o, uint64_t skip, bool (*fn)(void *arg, const struct sa_set *s), void *arg);
size_t sa_count(const struct sa_owner *o);

/* ---- ports.c ---- */
bool ports_protected(const struct security_config *c, const struct addr *local);
bool ports_client(const struct security_config *c, const struct addr *local);	/* one of our client ports */
void ports_to_phone(const struct sa_set *s, enum sip_proto proto, struct sip_flow *ret);
void ports_response(const struct sa_set *s, const struct sip_flow *came, struct sip_flow *to);
