/* common/trace/capture.h - whole SIP messages of one subscriber or call, for Wireshark and Homer: what was inside ESP and TLS, without what
 * would let its reader pass for somebody.  Plain functions on octets; who captures what is in daemon/traces.c.  Rows O6, O7. */
#pragma once
#include "common/sip/flow.h"
#include "common/util/bytes.h"

struct captured {
	uint64_t wall_us;
	struct addr src, dst;
	enum sip_proto proto;		/* TLS and TCP: a segment; UDP: a datagram */
	bool sent;
	struct str icid;		/* may be empty */
	struct str wire;		/* redacted */
};

/* Overwrites keys and digests with '*', as many: CK, IK and digests in what authenticates (RFC 3310, RFC 7616, TS 24.229 §5.4.1.2.1),
 * media keys in SDP (RFC 4568 inline:, RFC 4566 k=).  Lengths and everything else stay. */
void capture_redact(char *p, size_t l);

/* pcapng (draft-ietf-opsawg-pcapng): a section and an interface of raw IP, then messages as the datagrams and segments that they would
 * have been in clear.  Sequence numbers of a TCP connection go on from message to message. */
struct pcapng;
struct pcapng *pcapng_new(struct buf *out, const char *nf);	/* out is borrowed.  NULL: out of memory */
void pcapng_add(struct pcapng *p, const struct captured *c);
void pcapng_free(struct pcapng *p);

/* HEP version 3 ("EEP"): one packet for a collector. */
#define HEP_MAX_BYTES 65507u
void hep_write(const struct captured *c, uint32_t agent_id, const char *nf, struct buf *out);	/* out.failed: it does not fit */
