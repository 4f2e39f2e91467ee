/* common/sip/charging.h - P-Charging-Vector.  RFC 7315 §4.6, §5.6; TS 24.229 §4.5, §7.2A.5; TS 32.260 §5.1.2; row G1.
 *
 * The ICID stays the same from the first node of a dialog or transaction to the last.  The operator identifiers (IOI) are of one hop: who
 * sends a request takes the one that it got out and puts its own in; the answer brings back orig-ioi as it came and says term-ioi.  There
 * are three types, which a prefix tells apart: between P-CSCF and S-CSCF, between the networks of two users, toward application servers.
 *
 * Everything here is a slice of the message or of the arena. */
#pragma once
#include "common/sip/msg.h"
#include "common/util/arena.h"

#define CHARGING_BYTES 1024u		/* hint for an arena that a vector is made in */

enum charging_ioi { IOI_ACCESS = 1, IOI_NETWORK, IOI_SERVICE };	/* types 1, 2, 3 of TS 24.229 §4.5.4 */

struct charging_vector {		/* values as they stand, quotes and all; empty: not there */
	struct str icid, generated_at;
	struct str orig_ioi, term_ioi;
	struct str session;		/* ";name=value..." of what else belongs to the session: related-icid, loopback */
	struct str access;		/* the same of the access network (access-network-charging-info), and what has no name here */
	struct str domain;		/* the same of the operator's own: fe-identifier, TS 24.229 §4.5.8 */
};					/* transit-ioi is left out: it ends with the hop that it was for, TS 24.229 §4.5.4A */

void charging_read(struct arena *a, const struct sip_msg *m, struct charging_vector *ret);	/* no header: all empty */
/* A new ICID, quoted, with the name of who makes it; `host` may have a port. */
void charging_new(struct arena *a, struct str host, struct charging_vector *ret);
/* Value of orig-ioi or term-ioi: `network` with the prefix of the type.  TS 24.229 table 7.2A.5A. */
struct str charging_ioi(struct arena *a, enum charging_ioi type, struct str network);
enum charging_ioi charging_type(struct str ioi);		/* of a value, by its prefix */
/* Does the vector come from that network, as its sender or as nobody says?  For vectors of type 2. */
bool charging_is_of(const struct charging_vector *v, struct str network);
/* The header's value; no ICID, or no memory: none, which a plan takes for a failure. */
struct str charging_write(struct arena *a, const struct charging_vector *v);
/* Value for an answer of our own to `req`: its ICID and orig-ioi, and us as term-ioi.  TS 24.229 table 4-2B.  The request has no ICID: none. */
struct str charging_answer(struct arena *a, const struct sip_msg *req, enum charging_ioi type, struct str network);
