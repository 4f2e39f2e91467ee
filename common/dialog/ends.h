/* common/dialog/ends.h - what the node on the route of a dialog must know to end it: RFC 3261 §12.1, §12.2.1.1; TS 24.229 §5.4.5.
 *
 * Both ends' targets, the routes to them from where this node stands first, and how far their CSeqs are. */
#pragma once
#include "common/sip/msg.h"
#include "common/util/bytes.h"

struct dialog_ends {
	char *contact[2];		/* [0] caller, [1] callee: URI, NULL when unknown */
	char *route[2];			/* Route values toward it, ", " between; NULL: none */
	uint32_t cseq[2];		/* the highest that came from it */
	unsigned n_before;		/* Record-Route values that stood above us when the INVITE came first */
};

struct dialog_ends *dialog_ends_new(const struct sip_msg *invite);		/* NULL when out of memory */
struct dialog_ends *dialog_ends_copy(const struct dialog_ends *e);		/* of NULL: NULL */
void dialog_ends_free(struct dialog_ends *e);
/* The 2xx that made the dialog; n_ours: Record-Route values that this node had put in. */
void dialog_ends_answered(struct dialog_ends *e, const struct sip_msg *response, unsigned n_ours);
/* That end is reached by its flow: its contact as in m.  What it wrote as Record-Route is none, and did not go on. */
void dialog_ends_by_flow(struct dialog_ends *e, unsigned end, const struct sip_msg *m);
/* A request from end `from` within it, or a 2xx to one: target refresh (INVITE, UPDATE), CSeq. */
void dialog_ends_request(struct dialog_ends *e, unsigned from, const struct sip_msg *m);
void dialog_ends_response(struct dialog_ends *e, unsigned from, const struct sip_msg *m);

struct dialog_names {			/* of [0] the caller, [1] the callee */
	struct str call_id, uri[2], tag[2];
};
/* A BYE to end `to`, as the other end would send it, without Via.  extra: header lines.  NULL: its target is not known, or out of memory. */
struct bytes *dialog_ends_bye(struct dialog_ends *e, unsigned to, const struct dialog_names *n, struct str reason, struct str extra);
