/* tests/ue/sdp.h - the phone's side of a media session: offers and answers.  RFC 3264, RFC 3312, TS 24.229 §6.1.
 *
 * One audio stream, one codec.  Pure: text in, text out. */
#pragma once
#include "common/sip/sdp.h"
#include "common/util/addr.h"
#include "common/util/bytes.h"

struct codec {
	const char *name;		/* as in a=rtpmap, without the parameters */
	uint32_t rate;			/* of the RTP clock */
	uint8_t pt;			/* payload type we offer */
	const char *fmtp;		/* or NULL */
	const char *silence;		/* one packet of it: 20 ms */
	uint8_t silence_bytes, fill;	/* silence NULL: so many octets of `fill` */
};

struct session {
	struct addr local;		/* where we want RTP */
	uint64_t id;
	uint32_t version;
	enum sdp_dir want;		/* what we would do: sendonly while we hold */
	bool agreed;			/* offer and answer have met */
	const struct codec *codec;
	uint8_t pt, dtmf_pt;		/* dtmf_pt 0: none */
	struct addr remote;		/* unset: no media there */
	enum sdp_dir dir;		/* as agreed, seen from us */
	bool precond;			/* RFC 3312 status lines are in use */
	bool local_ready, remote_ready;	/* resources reserved, segment by segment */
};

void session_init(struct session *s, const struct addr *local, bool precond);
/* The next offer into b. */
void session_offer(struct session *s, struct buf *b);
/* Takes their offer, writes our answer.  0, -EBADMSG (no SDP), -ENOTSUP (no audio we speak: 488). */
int session_answer(struct session *s, struct str offer, struct buf *b);
/* Takes their answer to our offer.  0, -EBADMSG, -ENOTSUP (refused or without a codec of ours). */
int session_take_answer(struct session *s, struct str answer);
bool session_sends(const struct session *s);
/* Everything that was mandatory is reserved: RFC 3312 §5.1. */
bool session_precond_met(const struct session *s);
const char *session_dir_name(enum sdp_dir d);
/* Does this SDP use preconditions, and is the far end ready? */
bool session_offers_precond(struct str sdp);
