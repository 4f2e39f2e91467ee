/* scscf/challenge.h - vectors and challenges of one registration: what auth.c judges by.  Only auth.c and challenge.c see it. */
#pragma once
#include "scscf/giba.h"

#define AUTH_MAX_CHALLENGES 4u		/* digest: several phones of one user */

struct aka {				/* one vector: TS 33.203 §6.1.1 */
	uint8_t rand_autn[32], xres[16], ck[16], ik[16];
	uint8_t xres_len;
	bool keys;			/* ck and ik came too */
};
struct challenge {
	struct list link;
	uint64_t sent_ms;
	uint32_t last_nc;
	uint8_t wrong, refused;		/* answers; refused in clear */
	bool resynced;			/* somebody in clear said AUTS to it */
	bool answered;			/* SIP Digest: proven once; serves until nonce_lifetime_s */
	bool used_without_qop;
	uint8_t offered;		/* AKA: bits by enum auth_algorithm under which it was sent */
	struct aka aka;
	char nonce[48];
};
struct auth {
	struct registration *g;
	struct timer await;		/* reg-await-auth: a challenge waits for its answer */
	struct reg_work await_work;
	enum auth_algorithm alg;	/* what the HSS says this user has; AUTH_AKAV1_MD5 stands for AKA */
	struct list challenges;		/* oldest first */
	unsigned n_challenges;
	struct aka *vector;		/* not used yet: [next..n-1] */
	unsigned next, n_vectors;
	char *ha1, *realm, *qop;	/* SIP Digest */
	uint64_t ha1_ms;
	unsigned resyncs;
	bool asked;			/* the HSS was asked and not told yet how it ended */
	char *impu;			/* for which identity */
	struct giba_address giba;	/* nothing set: the HSS gave none */
	uint64_t giba_until_ms;		/* what the HSS said did not let the phone in: it is not asked for the address before that */
	struct addr giba_refused;	/* where that phone was; not set: the HSS gave none */
};

struct auth *auth_get(struct registration *g);		/* made when missing; NULL: out of memory */
/* Run of await_work: reg-await-auth is over (auth.c). */
void auth_await_run(struct registration *g, struct reg_work *w);
/* The user has proven himself and nothing is open: all goes but the vectors that are left. */
void auth_rest(struct registration *g);
void auth_drop_vectors(struct auth *a);			/* and the kept H(A1) */
bool auth_take(struct registration *g, const struct cx_maa *m);	/* keeps what the HSS gave; false: nothing that could be used */

void challenge_drop(struct auth *a, struct challenge *c);
struct challenge *challenge_find(const struct registration *g, struct str nonce);
struct challenge *challenge_outstanding(const struct registration *g);	/* the youngest without an answer */
bool challenge_too_old(const struct registration *g, const struct challenge *c);
/* A new one from what is there: an unused vector, or the kept H(A1).  NULL: nothing is there, or no memory. */
struct challenge *challenge_make(struct registration *g);
/* The next one of a SIP Digest user, for nextnonce: nobody waits for its answer.  NULL: no memory. */
struct challenge *challenge_make_next(struct registration *g);
/* Is this quality of protection (empty: the form of RFC 2069) what our challenges ask for? */
bool challenge_bears_qop(const struct registration *g, struct str qop);
bool auth_quotable(struct str s);			/* may stand between quotes in a header of ours */
/* The WWW-Authenticate line of the 401.  alg: which AKA; else that of the user counts. */
void challenge_write(const struct registration *g, const struct challenge *c, enum auth_algorithm alg, bool stale, struct buf *out);
