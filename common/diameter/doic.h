/* common/diameter/doic.h - overload of the HSS: RFC 7683 (DOIC), the loss algorithm; we are a reacting node.  Row D12.
 *
 * We say in UAR, LIR, MAR and SAR that we know it (OC-Supported-Features).  A HSS that has too much to do says in its answers by how many
 * hundredths less it wants (OC-OLR), and that part is not sent: first what begins a registration, then the rest; de-registrations and calls
 * before what is new, emergencies and calls of priority last.  Who is not served hears -EBUSY: 503 with Retry-After. */
#pragma once
#include "common/diameter/tables.h"

#define DOIC_LOSS 1u			/* OLR_DEFAULT_ALGO, RFC 7683 §7.2 */
#define DOIC_DEFAULT_VALIDITY_S 30u	/* §7.5 */
#define DOIC_MAX_VALIDITY_S 86400u
#define DOIC_MAX_NODES 32		/* hosts and realms whose reports are kept */

struct doic_answer {
	uint64_t features;		/* 0: it does not know DOIC */
	bool report;			/* an OC-OLR is there */
	uint64_t sequence;
	uint32_t reduction, validity_s, type;	/* type 0: of the host, 1: of its realm; validity_s UINT32_MAX: the default */
};
struct doic_origin {
	struct str host, realm;
};
extern const struct dia_row doic_answer_rows[], doic_request_rows[], doic_origin_rows[];
extern const struct dia_avp_def doic_avps[];

/* Any thread. */
void doic_report(struct str host, struct str realm, const struct doic_answer *a, uint64_t now_ms);
/* May this request go out?  host: that it names, empty: any of the realm's.  peers: open ones, one of which it goes to then. */
struct dia_peer_view;
bool doic_admits(enum dia_command_id cmd, const void *req, struct str host, struct str realm, const struct dia_peer_view *peers, size_t n_peers,
		 uint64_t now_ms);
bool doic_is_calm(void);		/* no report is kept: nothing to ask */
void doic_reset(void);			/* tests, and a node that stops */

/* ---- the loss algorithm, by itself ---- */
enum doic_class { DOIC_NEW, DOIC_USUAL, DOIC_VITAL, DOIC_N_CLASSES };
enum doic_class doic_class_of(enum dia_command_id cmd, const void *req);
struct doic_shed {
	uint64_t window_ms;
	uint32_t now[DOIC_N_CLASSES], before[DOIC_N_CLASSES];	/* requests of this second, and of the one before */
	uint32_t credit[DOIC_N_CLASSES];			/* hundredths of a request that is not to be sent */
};
/* One request comes; true: it is one of the `percent` that are not sent. */
bool doic_sheds(struct doic_shed *s, enum doic_class c, uint32_t percent, uint64_t now_ms);
