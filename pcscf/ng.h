/* pcscf/ng.h - media relays by rtpengine's ng protocol: one datagram "COOKIE DICTIONARY" each way, in bencode (common/util/bencode.h).
 *
 *	ng.c		questions of one worker: cookies, retransmission, deadline; which relay; whether one answers at all
 *	ng_udp.c	its sockets
 *
 * A relay answers a repeated cookie with what it said before, so a question is sent again until its deadline.  One that says nothing is
 * taken to be down, by all workers, until a ping is answered. */
#pragma once
#include "common/loop/loop.h"
#include "common/util/addr.h"
#include "common/util/bytes.h"

#define NG_MAX_RELAYS 16u
#define NG_MAX_OUTSTANDING 4096u	/* questions of one worker */
#define NG_MAX_BYTES 60000u		/* of a datagram */
#define NG_WHY_BYTES 96u

/* Shared by the workers; what changes is atomic. */
struct ng_relay {
	struct addr address;
	char name[ADDR_STRLEN];
	uint32_t weight;		/* 0: takes no new calls while others can */
	_Atomic(bool) up;
	_Atomic(uint32_t) sessions, rtt_us;
	_Atomic(uint64_t) asked, failed;
};
struct ng_env {
	struct wheel *wheel;
	struct ng_relay *relay;
	unsigned n_relays;
	uint32_t timeout_ms;
	/* One datagram to that relay; a failure is as good as a loss. */
	void (*send)(void *u, unsigned relay, struct str octets);
	void *u;
};

enum ng_outcome { NG_OK, NG_ERROR, NG_SILENT };
struct ng_answer {
	enum ng_outcome outcome;
	struct str all;			/* the dictionary, checked; empty: silent */
	struct str sdp;			/* slices of it */
	char why[NG_WHY_BYTES];		/* of what is not NG_OK: printable */
};
struct ng;
struct ng_query;
struct ng *ng_new(const struct ng_env *env);		/* copied; NULL: out of memory */
void ng_free(struct ng *g);				/* no callback any more */
/* dict: the command, a dictionary.  fn is called once, never from inside this; NULL: there is no room, and it never is. */
struct ng_query *ng_ask(struct ng *g, unsigned relay, struct str dict, void (*fn)(void *arg, const struct ng_answer *a), void *arg);
void ng_cancel(struct ng_query *q);			/* fn is not called */
/* A relay for a new session, by weight, of those that are up and not in the mask `but`; -1: there is none. */
int ng_choose(const struct ng *g, uint32_t but);
/* Pings every relay, from now on and forever, again when it has answered or its time is over; one worker does. */
void ng_watch(struct ng *g, uint32_t ping_ms);
unsigned ng_outstanding(const struct ng *g);

/* What came from that relay; nobody listens there. */
void ng_input(struct ng *g, unsigned relay, struct str octets);
void ng_refused(struct ng *g, unsigned relay);

/* ---- ng_udp.c ---- */
struct ng_sockets;
struct ng_sockets *ng_sockets_new(struct loop *l, struct ng_relay *relay, unsigned n);	/* NULL: logged */
void ng_sockets_free(struct ng_sockets *s);
void ng_sockets_serve(struct ng_sockets *s, struct ng *g);		/* input goes there */
void ng_sockets_send(void *u, unsigned relay, struct str octets);	/* ng_env.send; u: the sockets */
