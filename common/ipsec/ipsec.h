/* common/ipsec/ipsec.h - the four security associations of one IMS registration.  TS 33.203 §7.1, annexes H and I; rows X1, X3.
 *
 *	theirs.port_c -> mine.port_s	in,  spi mine.spi_s	their requests, and what they answer over UDP
 *	mine.port_s -> theirs.port_c	out, spi theirs.spi_c	our side of their TCP connections
 *	mine.port_c -> theirs.port_s	out, spi theirs.spi_s	our requests, and what we answer over UDP
 *	theirs.port_s -> mine.port_c	in,  spi mine.spi_c	their side of our TCP connections
 *
 * The struct is the same seen from either end: phone and P-CSCF only change places. */
#pragma once
#include "common/loop/loop.h"
#include "common/sip/secagree.h"
#include "common/util/addr.h"
#include "common/util/list.h"

struct ipsec_end {
	uint32_t spi_c, spi_s;		/* the receiver's own: what comes to it carries them */
	uint16_t port_c, port_s;
};

struct ipsec_set {			/* plain: it travels to the helper process */
	struct addr us, peer;		/* addresses; ports are in the ends */
	struct ipsec_end mine, theirs;
	enum sec_alg alg;
	enum sec_ealg ealg;
	uint8_t ck[16], ik[16];
	uint32_t reqid;			/* of the pair at our server port; the other pair has the next one.  The mark that it is ours */
	uint32_t out_seq;		/* what we send begins behind this sequence number: of associations that the peer knows already */
	uint32_t lifetime_s;		/* hard, from when the associations were made; 0: for ever */
	/* Through a NAT, TS 33.203 annex M: tunnel mode within UDP.  us and peer are then inside, with the phone's public address. */
	uint16_t encap_us;		/* our UDP port; 0: transport mode, no UDP */
	uint16_t encap_peer;		/* the peer's as we see it; 0: not known before something came */
	struct addr outer;		/* our address outside when that is another, as a phone's is; else unset */
};

/* ---- keys.c ---- */
#define IPSEC_MAX_KEY 32u
struct ipsec_algorithm {		/* as the kernel wants it */
	const char *auth, *crypt, *aead;	/* kernel's names; NULL: none of that kind */
	unsigned auth_bits, icv_bits;	/* of the key of auth; of what is sent of the check value */
	unsigned crypt_bits, aead_bits;
	uint8_t auth_key[IPSEC_MAX_KEY], crypt_key[IPSEC_MAX_KEY], aead_key[IPSEC_MAX_KEY];
};
/* Kernel algorithm and expanded keys of a set.  0 or -ENOTSUP.  The caller wipes *ret. */
int ipsec_keys(const struct ipsec_set *s, struct ipsec_algorithm *ret);
bool ipsec_pair_is_null(enum sec_alg a, enum sec_ealg e);	/* nothing is encrypted */
void ipsec_wipe(void *p, size_t n);

/* ---- xfrm.c: the kernel, by netlink; blocking, every request acknowledged.  CAP_NET_ADMIN ---- */
struct xfrm;
int xfrm_open(struct xfrm **ret);				/* 0 or -errno */
void xfrm_close(struct xfrm *x);
/* Four associations and four policies, or none: what was made is taken back when one fails.  -EEXIST: one is somebody else's. */
int xfrm_set_add(struct xfrm *x, const struct ipsec_set *s);
int xfrm_set_update(struct xfrm *x, const struct ipsec_set *s);	/* the lifetime.  -ESRCH: one is missing */
int xfrm_set_del(struct xfrm *x, const struct ipsec_set *s);	/* all that is there; 0, or the first error but ESRCH and ENOENT */
/* What comes to that port of ours or leaves it in clear is thrown away by the kernel; policies of sets go before. */
int xfrm_guard_add(struct xfrm *x, const struct addr *us_and_port);
int xfrm_guard_del(struct xfrm *x, const struct addr *us_and_port);
/* What an earlier process left, by its reqid in first..last.  Sets that are to stay: one that is whole stays as it is, one with a part missing
 * is made anew.  All the rest goes. */
struct ipsec_left {
	const struct ipsec_set *set;
	size_t n;
	bool *lost;			/* n of them, written: that set is neither whole nor could it be made.  NULL: not told */
	unsigned whole, made, failed, taken_away;	/* sets; associations and policies */
};
int xfrm_take_up(struct xfrm *x, uint32_t first_reqid, uint32_t last_reqid, struct ipsec_left *left);
int xfrm_events_fd(struct xfrm *x);				/* readable: xfrm_event() */
/* Of an association with a reqid of ours: 1; 0: nothing; -errno. */
struct ipsec_event {
	uint32_t spi;			/* ours, of what comes in */
	uint16_t encap_peer;		/* 0: its hard expiry; else the NAT sends from that port now (proven by the peer's key) */
};
int xfrm_event(struct xfrm *x, uint32_t first_reqid, uint32_t last_reqid, struct ipsec_event *ret);
/* A socket that takes ESP out of UDP for the kernel, RFC 3948: nothing is read from it.  The descriptor or -errno. */
int xfrm_encap_socket(const struct addr *us_and_port);

/* ---- helper.c: a process of its own with the privilege; the workers ask it by message ---- */
enum ipsec_op { IPSEC_ADD, IPSEC_UPDATE, IPSEC_DEL, IPSEC_GUARD, IPSEC_UNGUARD };

struct ipsec_req {			/* embedded by who asks; until done it must stay */
	struct list link;
	struct timer deadline;
	uint32_t id;
	void (*done)(struct ipsec_req *r, int rc);	/* from the loop, once: 0, what the kernel said, -ETIMEDOUT, -EPIPE */
	struct ipsec_port *port;
};
struct ipsec_port {			/* one worker's way to it, or a test's */
	/* r NULL: nobody waits.  0: r->done will be called; -errno: it will not. */
	int (*submit)(struct ipsec_port *p, enum ipsec_op op, const struct ipsec_set *s, struct ipsec_req *r);
	void (*event)(void *u, const struct ipsec_event *e);	/* of any association of ours; set by the worker */
	void *u;
};
struct ipsec_helper;
#define IPSEC_MAX_PORTS 64u
/* Forks it, for n workers, before any thread runs.  first..last: our reqids; left: what is to be done with those that are there, NULL: they go.
 * The calling process loses CAP_NET_ADMIN.  -EPERM: no privilege, -ENOTSUP, -EPROTONOSUPPORT: a kernel without XFRM. */
int ipsec_helper_start(struct ipsec_helper **ret, unsigned n, uint32_t first_reqid, uint32_t last_reqid, struct ipsec_left *left);
/* The way of worker i, on its loop. */
int ipsec_helper_open(struct ipsec_helper *h, unsigned i, struct loop *l, struct ipsec_port **ret);
void ipsec_helper_close(struct ipsec_port *p);	/* what waits is forgotten, without done */
bool ipsec_helper_alive(const struct ipsec_helper *h);	/* any thread; false once a worker has found it gone */
void ipsec_helper_stop(struct ipsec_helper *h);	/* the process ends; the kernel keeps what it has */
