/* common/sip/msg.h - a SIP message, parsed in place.  RFC 3261 §7, §25.
 *
 * The text stays in the received buffer; everything here is slices of it, kept in the message's arena.
 * One pass finds the lines and names; start line, top Via, Call-ID, CSeq, From and To are parsed and
 * checked at once because every layer needs them; other headers on demand through the accessors.
 * A message is owned by one thread at a time; the arena's references are atomic.
 *
 * Tolerant reader (row C2): leading CRLFs, LF line ends, folding, compact forms, SP/HTAB before the
 * colon, missing Content-Length over UDP, surplus octets behind the body over UDP (dropped). */
#pragma once
#include "common/sip/flow.h"
#include "common/sip/hdr.h"
#include "common/sip/method.h"
#include "common/sip/nameaddr.h"
#include "common/util/arena.h"

#define SIP_MSG_MAX_BYTES 65535u
#define SIP_MSG_MAX_HDRS 512u		/* lines; more: 400 (RFC 3261 gives no number; named limit) */

struct sip_hdr {				/* offsets in raw: SIP_MSG_MAX_BYTES fits.  sip_msg_hdr_name(), sip_msg_hdr_value() read it */
	uint16_t off, len;		/* the whole line(s), with CRLF */
	uint16_t name_len;		/* at off */
	uint16_t value_off, value_len;
	uint16_t id;			/* enum sip_hdr_id */
	uint16_t next;			/* index of the next header of this id; 0xffff: none */
};

struct sip_via {
	enum sip_proto proto;
	bool proto_ok, has_rport;
	uint16_t port, rport;		/* 0: none given; 0: empty or absent */
	struct str proto_text;		/* "UDP"; proto is only valid when proto_ok */
	struct str host;		/* sent-by, brackets kept */
	struct str params;
	struct str branch, received;
};

struct sip_msg {
	struct arena *arena;		/* this struct lives in it */
	struct str raw;			/* the message, body included */
	struct sip_flow flow;		/* where it came from */
	uint64_t recv_us;		/* clock_mono_us() when it arrived: datagrams by the kernel's stamp, streams when read */
	bool request;
	enum sip_method method;		/* of the request line, or of CSeq */
	struct str method_name;
	struct str ruri_text;		/* requests */
	struct sip_uri ruri;
	unsigned status;		/* responses */
	struct str reason;
	uint32_t start_len;		/* octets of the start line with its CRLF */
	struct str body;
	uint16_t n_hdrs;
	struct sip_hdr *hdrs;		/* in the order of the message */
	uint16_t *first;		/* index of the first header of an id; 0xffff: none.  NULL: the table is not there, sip_msg_wake() */
	/* parsed and checked at once */
	struct sip_via via;		/* topmost */
	struct str call_id;
	uint32_t cseq;
	struct sip_nameaddr from, to;
	struct str from_tag, to_tag;	/* empty: none */
	uint32_t max_forwards;		/* UINT32_MAX: absent */
};

/* Room of an arena for a message of so many octets: the text, what it is parsed into, what a proxy keeps beside it. */
#define SIP_ARENA_BYTES(octets) ((octets) + 1 + sizeof(struct sip_msg) + 152)

/* What is wrong with a message that cannot be served, as the sender should hear it. */
struct sip_parse_error {
	unsigned status;		/* 400, 505, 513...; 0: not even answerable (drop) */
	size_t off;			/* first wrong octet in raw */
	const char *why;		/* short phrase: "CSeq method does not match" */
};

/* Parses `raw`, which the caller placed in `a` and which may be changed in place (folds).
 * flow may be NULL (tests).  stream: Content-Length is required (RFC 3261 §18.3).
 * On success *ret lives in `a`, which it borrows: keep a reference with sip_msg_ref().
 * Returns 0; -EBADMSG with *reterr, and *ret set to what could be parsed when a response can still be built
 * (a request other than ACK whose topmost Via is usable; RFC 4475 §3.3.1 wants its 400 too), else NULL; -ENOMEM. */
int sip_msg_parse(struct arena *a, struct str raw, const struct sip_flow *flow, bool stream,
		  struct sip_msg **ret, struct sip_parse_error *reterr);
/* Copies `raw` into a new arena first; tests and locally built messages. */
int sip_msg_parse_copy(struct str raw, const struct sip_flow *flow, struct sip_msg **ret, struct sip_parse_error *reterr);
static inline struct sip_msg *sip_msg_ref(struct sip_msg *m)
{
	arena_ref(m->arena);
	return m;
}
static inline void sip_msg_unref(struct sip_msg *m)
{
	if (m)
		arena_unref(m->arena);
}

/* Gives back the table of headers, for a message that waits for minutes: no struct sip_hdr of it is there any more, values that were
 * read stay.  It is made again from the octets when somebody asks for a header. */
void sip_msg_rest(struct sip_msg *m);
/* Makes it again; who reads m->hdrs himself asks for it.  false: out of memory, and arena_failed() from then on: no header is found. */
bool sip_msg_table_make(struct sip_msg *m);
static inline bool sip_msg_wake(const struct sip_msg *m)
{
	return m->first || sip_msg_table_make((struct sip_msg *)(uintptr_t)m);
}

/* First header of that id, or NULL; then the next one. */
const struct sip_hdr *sip_msg_hdr(const struct sip_msg *m, enum sip_hdr_id id);
const struct sip_hdr *sip_msg_hdr_next(const struct sip_msg *m, const struct sip_hdr *h);
static inline struct str sip_msg_hdr_name(const struct sip_msg *m, const struct sip_hdr *h)	/* as written */
{
	return str_make(m->raw.p + h->off, h->name_len);
}
static inline struct str sip_msg_hdr_value(const struct sip_msg *m, const struct sip_hdr *h)	/* trimmed; folds replaced by SP in place */
{
	return str_make(m->raw.p + h->value_off, h->value_len);
}
static inline struct str sip_msg_value(const struct sip_msg *m, enum sip_hdr_id id)	/* empty: absent */
{
	const struct sip_hdr *h = sip_msg_hdr(m, id);

	return h ? sip_msg_hdr_value(m, h) : STR_NONE;
}
const struct sip_hdr *sip_msg_hdr_by_name(const struct sip_msg *m, const char *name);

/* Walks all elements of a comma-list header over all its lines:
 *	struct sip_values v = sip_values(m, SIP_H_ROUTE);
 *	while (sip_values_next(&v, &value)) ...                                                          */
struct sip_values {
	const struct sip_msg *m;
	const struct sip_hdr *h;
	struct str rest;
};
struct sip_values sip_values(const struct sip_msg *m, enum sip_hdr_id id);
bool sip_values_next(struct sip_values *v, struct str *ret);
unsigned sip_values_count(const struct sip_msg *m, enum sip_hdr_id id);
bool sip_msg_has_token(const struct sip_msg *m, enum sip_hdr_id id, const char *token);	/* option tags, any case */

int sip_via_parse(struct str value, struct sip_via *ret);			/* one value; -EBADMSG */
int sip_cseq_parse(struct str value, uint32_t *ret_n, struct str *ret_method);	/* -EBADMSG, -ERANGE */
/* Seconds of Expires, Min-Expires, Session-Expires...: digits before any parameter.  -ENOENT, -EBADMSG. */
int sip_msg_u32(const struct sip_msg *m, enum sip_hdr_id id, uint32_t *ret);
/* Content-Length of a stream's next message from its head, for framing: RFC 3261 §18.3.
 * Returns 0 and the total length of the message (head and body), -EAGAIN (head not complete), -EBADMSG (no, two
 * different, or absurd Content-Length), -EMSGSIZE (over SIP_MSG_MAX_BYTES). */
int sip_frame(struct str stream, size_t *ret_len);
/* The Call-ID in one short scan without parsing, for the hand-over between workers.  Empty when there is none. */
struct str sip_scan_call_id(struct str raw);
/* The same for overload: surely a request that begins something - no ACK, no response, no To tag, nothing that only exists in a
 * dialog, no emergency?  When in doubt: false.  *ret_priority: it has Priority or Resource-Priority. */
bool sip_scan_is_new(struct str raw, bool *ret_priority);
