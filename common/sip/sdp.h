/* common/sip/sdp.h - SDP (RFC 4566, RFC 8866) as far as a CSCF needs it.  Slices into the body. */
#pragma once
#include "common/util/str.h"

#define SDP_MAX_MEDIA 16
#define SDP_MAX_BYTES 32768

enum sdp_dir { SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };

struct sdp_media {
	struct str type, proto, formats;	/* "audio", "RTP/AVP", "96 97" */
	uint32_t port, n_ports;			/* port 0: rejected or off */
	uint32_t rtcp_port;			/* from a=rtcp, else port + 1 */
	struct str conn;			/* address of c= (media's own or the session's) */
	bool conn_ip6;
	uint32_t as_kbps, rs_bps, rr_bps;	/* b=; UINT32_MAX: absent */
	enum sdp_dir dir;
	bool rtcp_mux;
	struct str text;			/* the m= block, to look further */
	/* preconditions, RFC 3312: strengths and current status as written; empty when absent */
	struct str curr_local, curr_remote, des_local, des_remote;
};

struct sdp {
	struct str origin, session_conn;
	bool session_conn_ip6;
	uint32_t as_kbps;
	unsigned n_media;
	struct sdp_media media[SDP_MAX_MEDIA];
};
/* 0; -EBADMSG (no v=, broken line; *reterr_off), -ENOSPC (more than SDP_MAX_MEDIA media). */
int sdp_parse(struct str body, struct sdp *ret, size_t *reterr_off);
/* Next a= value of that name in a media block (text) or session: *pos starts at 0.  false at the end. */
bool sdp_attr_next(struct str block, const char *name, size_t *pos, struct str *ret_value);
/* "AMR-WB/16000" of a payload type of that media block: a=rtpmap, else RFC 3551 §6; empty: neither tells. */
struct str sdp_codec(struct str block, struct str format);
