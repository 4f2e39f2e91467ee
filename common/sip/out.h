/* common/sip/out.h - writing messages: the plan of edits for a forwarded one, and the ones we make ourselves.
 *
 * struct sip_out is a received message plus a short list of edits.  Writing it copies the untouched
 * lines as they came, so what we do not know passes unharmed.  Texts given to an edit are borrowed until
 * the write; make them with arena_dup/arena_printf in the message's arena.  Several plans may share a
 * message (forks).
 *
 * Nobody need look whether these texts were made: a value without a pointer, or an arena that was ever short, is a lack of memory, and
 * sip_out_write() says so.  A line without its value would go out otherwise, or one that lacks a part. */
#pragma once
#include "common/sip/msg.h"

struct sip_edit;
struct sip_out {
	const struct sip_msg *m;
	struct arena *arena;			/* edits live here; normally m->arena */
	struct str ruri;			/* empty: as received */
	const struct sip_edit *last;		/* each knows the one before it: a copy of the plan shares them and goes its own way */
	struct str body;			/* replaces when body_set */
	bool body_set;
	bool vouch;				/* sip_out_vouch() */
	bool failed;				/* out of memory on the way: sip_out_write() says -ENOMEM */
};

void sip_out_init(struct sip_out *o, struct sip_msg *m);
static inline void sip_out_copy(struct sip_out *dst, const struct sip_out *src)	/* a fork's own plan, starting with src's edits */
{
	*dst = *src;
}
void sip_out_set_ruri(struct sip_out *o, struct str uri);
void sip_out_drop(struct sip_out *o, enum sip_hdr_id id);		/* every header of that id, compact and odd spellings too */
void sip_out_drop_name(struct sip_out *o, const char *name);		/* for names without an id */
void sip_out_drop_line(struct sip_out *o, const struct sip_hdr *h);
void sip_out_drop_first(struct sip_out *o, enum sip_hdr_id id);		/* topmost value; the rest of its line stays.  Repeats: the next */
void sip_out_set_line(struct sip_out *o, const struct sip_hdr *h, struct str value);	/* new value for that line */
/* Drops every header of id and adds one. */
void sip_out_set(struct sip_out *o, enum sip_hdr_id id, struct str value);
/* New line above the first header of that id (Via, Route, Record-Route, Path), or behind the start line.
 * The one pushed last is topmost. */
void sip_out_push(struct sip_out *o, enum sip_hdr_id id, struct str value);
void sip_out_add(struct sip_out *o, enum sip_hdr_id id, struct str value);		/* new line behind the last header */
void sip_out_add_name(struct sip_out *o, const char *name, struct str value);
/* Takes one option tag out of a list header (Require, Proxy-Require, Supported); the header goes when it was the last. */
void sip_out_drop_token(struct sip_out *o, enum sip_hdr_id id, const char *token);
void sip_out_add_token(struct sip_out *o, enum sip_hdr_id id, const char *token);	/* unless present */
void sip_out_set_body(struct sip_out *o, struct str type, struct str body);		/* Content-Type and Content-Length follow */
/* received and rport in the topmost Via of a received request, from its flow: RFC 3261 §18.2.1, RFC 3581 §4. */
void sip_out_fix_via(struct sip_out *o);
/* ... and received even where sent-by says the same: for who must know that we saw that address, and not only believed it. */
static inline void sip_out_vouch(struct sip_out *o)
{
	o->vouch = true;
}
/* The topmost value of that header as the plan stands, without writing it.  0, -ENOENT, -ENOMEM. */
int sip_out_top(const struct sip_out *o, enum sip_hdr_id id, struct str *ret);
/* Edits apply in the order they were made.  CR, LF in given texts become SP: no value makes a second line.
 * Content-Length is written right in every case.  Returns 0, -ENOMEM, -EMSGSIZE (octets, or lines). */
int sip_out_write(const struct sip_out *o, struct bytes **ret);

/* A response of ours to `req`: RFC 3261 §8.2.6.  Via, From, To, Call-ID, CSeq are copied (all Vias, received/rport as
 * the server transaction put them), Timestamp on 100, to_tag added unless the request has one or status is 100.
 * extra: complete header lines, each with CRLF, or empty.  reason NULL: the standard phrase.
 * Returns NULL when out of memory. */
struct bytes *sip_reply_make(const struct sip_msg *req, unsigned status, const char *reason, struct str to_tag,
			     struct str extra, struct str content_type, struct str body);
/* RFC 3261 §17.1.1.3 ACK for a non-2xx, and §9.1 CANCEL, from the INVITE as we sent it (wire) - same branch.
 * reason: value of a Reason header to add (RFC 3326), or empty.  NULL when out of memory. */
struct bytes *sip_ack_make(struct str invite_wire, const struct sip_msg *response);
struct bytes *sip_cancel_make(struct str invite_wire, struct str reason);
/* What sip_ack_make() and sip_cancel_make() need of it, for an INVITE that is not sent again.  NULL when out of memory. */
struct bytes *sip_invite_shrink(struct str invite_wire);
