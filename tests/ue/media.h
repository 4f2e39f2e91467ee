/* tests/ue/media.h - RTP silence out, RTP counted in.  RFC 3550 §5.1. */
#pragma once
#include "common/loop/loop.h"
#include "tests/ue/sdp.h"

struct media {
	struct loop *loop;
	struct loop_fd rtp;
	int rtcp_fd;
	struct addr local;		/* of RTP; RTCP is one above */
	const struct session *session;	/* while it runs */
	struct timer tick;
	uint16_t seq;
	uint32_t ts, ssrc;
	uint64_t sent, received;
};

int media_open(struct media *m, struct loop *l, const struct addr *host);	/* an even port of its own; 0 or -errno */
void media_close(struct media *m);
void media_start(struct media *m, const struct session *s);	/* borrowed until media_close() */
