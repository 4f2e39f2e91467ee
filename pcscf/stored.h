/* pcscf/stored.h - phones, their security associations and our subscriptions as records of the store, and back at the next start:
 * row H1; reliability F2; TS 33.203 §7.  Keys of associations are among them: files of mode 0600, never in a log or an answer.
 *
 *	stored.c	bindings; the order in which everything comes back
 *	stored_sa.c	sets of associations: what the kernel still has is taken up again, what it has not is made anew
 *	reg_event.c, session_stored.c, call_stored.c, policy_stored.c, rx_stored.c, agw_stored.c	write and restore their own, with fields of theirs */
#pragma once
#include "pcscf/pcscf.h"

#define STORED_MAX_BYTES (128u * 1024)

/* ---- stored.c ---- */
void stored_phone(struct store_port *port, const struct binding *b, uint64_t left_ms);	/* port NULL: nothing */
void stored_forget_phone(struct store_port *port, const struct binding *b);
int stored_restore(void *u, struct stack *s, struct store *store);	/* role_ops.restore */

/* ---- session_stored.c, call_stored.c: once the phones are there.  0 or -errno: of no use any more ---- */
int session_restore(struct pcscf *p, const struct store_record *rec, uint64_t now_ms);
int call_restore(struct pcscf *p, const struct store_record *rec, uint64_t now_ms);

/* ---- stored_sa.c ---- */
struct stored_set {			/* of pcscf.stored: read before the helper starts, taken over once their owners are there */
	struct sa_set *s;		/* a reference */
	bool lost;			/* there is no way back to it: its phone is not taken up either */
	enum sa_state state;
	uint64_t left_ms;
};
void stored_set(struct store_port *port, const struct sa_set *s, enum sa_state state, uint64_t left_ms);
void stored_forget_set(struct store_port *port, const struct sa_set *s);
int stored_sets_read(struct pcscf *p, struct store *store);		/* into p->stored: 0, -ENOMEM */
void stored_sets_free(struct pcscf *p);
/* The same as the kernel wants them.  malloc'd, with keys: the caller wipes and frees. */
struct ipsec_set *stored_sets_kernel(const struct pcscf *p);
void stored_sets_lost(struct pcscf *p, const bool *lost);		/* the kernel has not got those, in the order of stored_sets_kernel() */
void stored_sets_restore(struct pcscf *p);				/* to their owners; what cannot be is lost */
struct sa_set *stored_sets_find(const struct pcscf *p, uint32_t spi_s);	/* borrowed; NULL: none, or lost */
