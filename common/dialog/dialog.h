/* common/dialog/dialog.h - dialogs: RFC 3261 §12.
 *
 * Two users: an end of a dialog (imsue, later our own NOTIFY and BYE) keeps a struct dialog; a proxy that sits on the
 * route watches dialogs pass in a struct dialog_table. */
#pragma once
#include "common/loop/wheel.h"
#include "common/sip/out.h"
#include "common/util/hash.h"
#include "common/util/obj.h"

/* ---- one end ---- */
struct dialog;
/* UAC side: from the request as sent (parsed) and the response that made it (§12.1.2). */
int dialog_new_uac(const struct sip_msg *request, const struct sip_msg *response, struct dialog **ret);
/* UAS side: from the request and the tag we put (§12.1.1); contact: our own URI "<sip:...>". */
int dialog_new_uas(const struct sip_msg *request, struct str local_tag, struct dialog **ret);
void dialog_free(struct dialog *d);
bool dialog_matches(const struct dialog *d, const struct sip_msg *m);	/* request from, or response of, the far end */
/* §12.2.2: CSeq order (-EPROTO: lower than before -> 500), target refresh by INVITE, UPDATE, SUBSCRIBE, NOTIFY.  0 or -errno. */
int dialog_request_in(struct dialog *d, const struct sip_msg *m);
void dialog_response_in(struct dialog *d, const struct sip_msg *m);	/* target refresh, confirmation */
/* §12.2.1.1: a request within the dialog, without Via.  cseq 0: the next one (ACK, CANCEL: the INVITE's).
 * headers: complete lines.  Content-Length is written. */
struct bytes *dialog_request_make(struct dialog *d, struct str method, uint32_t cseq, struct str via, struct str headers,
				  struct str content_type, struct str body);
struct str dialog_next_hop(const struct dialog *d);	/* URI of the topmost Route, else the target */
struct str dialog_call_id(const struct dialog *d);
struct str dialog_remote_tag(const struct dialog *d);
struct str dialog_local_tag(const struct dialog *d);
uint32_t dialog_local_cseq(const struct dialog *d);
bool dialog_confirmed(const struct dialog *d);
/* All of it, texts borrowed; and one made of that again: 0, -EBADMSG (something is missing), -ENOMEM. */
#define DIALOG_MAX_ROUTES 32u		/* Record-Route values; more: -EBADMSG */
struct dialog_kept {
	struct str call_id, local_tag, remote_tag, local, remote, target;
	struct str route[DIALOG_MAX_ROUTES];
	unsigned n_routes;
	uint32_t local_cseq, remote_cseq, invite_cseq;
	uint8_t remote_cseq_known, confirmed, uac;
};
void dialog_keep(const struct dialog *d, struct dialog_kept *ret);
int dialog_restore(const struct dialog_kept *k, struct dialog **ret);

/* ---- a proxy's view ---- */
struct dialog_table;
struct dialog_view {
	uint64_t id;
	const char *state;			/* "early", "confirmed", "terminated" */
	struct str call_id, from_tag, to_tag, from_uri, to_uri, icid;
	uint64_t started_wall_us, answered_wall_us;
	uint8_t side;				/* the role's own: 0 originating, 1 terminating */
	uint32_t session_s, session_left_s;	/* RFC 4028: agreed interval, what is left of it; 0: no session timer */
	const char *refresher;			/* "uac", "uas" of the last refresh; NULL: no session timer */
};
/* what: "started" (an INVITE), "ringing" (each fork once), "answered", "failed" with the status that went upstream (0: none), "ended". */
typedef void (*dialog_watch_fn)(void *arg, const char *what, unsigned status, const struct dialog_view *v);
struct dialog_table *dialog_table_new(struct wheel *w, uint32_t max_dialogs, uint32_t max_age_s);
void dialog_table_free(struct dialog_table *t);
/* Feeds what passes: INVITE and its responses, BYE and its final.  side only counts for the one that makes it.  Each INVITE fed
 * without a To tag needs its dialog_table_final(). */
void dialog_table_request(struct dialog_table *t, const struct sip_msg *m, uint8_t side, struct str icid);
void dialog_table_response(struct dialog_table *t, const struct sip_msg *m, uint8_t side);
/* A final response to this INVITE has left upstream, whoever made it; status 0: there will be none. */
void dialog_table_final(struct dialog_table *t, const struct sip_msg *invite, unsigned status);
/* This 2xx to INVITE or UPDATE sets the session timer (RFC 4028); session_s 0: there is none (any more). */
void dialog_table_session(struct dialog_table *t, const struct sip_msg *m, uint32_t session_s, bool refresher_uas);
uint64_t dialog_table_expired(const struct dialog_table *t);	/* sessions that ended because nobody refreshed them */
/* Ending dialogs by BYEs of our own (ends.h): what that takes is kept from now on.  For a node that is on the route of its calls. */
void dialog_table_keep_ends(struct dialog_table *t);
/* The next confirmed dialog of that Call-ID behind `after`; 0: none. */
uint64_t dialog_table_of_call(const struct dialog_table *t, struct str call_id, uint64_t after);
/* Makes BYEs for the caller [0] and the callee [1], without Via; the dialog is over then.  One that cannot be made is NULL.
 * 0, -ENOENT (no such confirmed dialog), -EPROTO (neither end is known). */
int dialog_table_release(struct dialog_table *t, struct str call_id, uint64_t id, struct str reason, struct bytes *ret[2]);
/* fn hears of each dialog that has been confirmed for limit_s; 0: of none. */
typedef void (*dialog_limit_fn)(void *arg, struct str call_id, uint64_t id);
void dialog_table_limit(struct dialog_table *t, uint32_t limit_s, dialog_limit_fn fn, void *arg);
#define DIALOG_MAX_ATTACHED 4u
/* Keeps a reference of o for as long as this INVITE, or a dialog that it made, is watched.  which: below DIALOG_MAX_ATTACHED, one of each. */
void dialog_table_attach(struct dialog_table *t, const struct sip_msg *invite, unsigned which, struct obj *o);
/* The next confirmed dialog of that Call-ID behind `after` that keeps o; 0: none.  ret_contact: URI of its end (0 the caller, 1 the callee),
 * borrowed until the table changes; empty: not known. */
uint64_t dialog_table_holding(const struct dialog_table *t, struct str call_id, const struct obj *o, uint64_t after, unsigned end,
			      struct str *ret_contact);
void dialog_table_watch(struct dialog_table *t, dialog_watch_fn fn, void *arg);	/* fn hears of every call; NULL: nobody */
uint32_t dialog_table_count(const struct dialog_table *t);
/* In order of id, those above after_id, at most max. */
void dialog_table_each(const struct dialog_table *t, uint64_t after_id, unsigned max,
		       void (*fn)(void *arg, const struct dialog_view *v), void *arg);
void dialog_table_each_of(const struct dialog_table *t, struct str call_id, void (*fn)(void *arg, const struct dialog_view *v), void *arg);	/* of one Call-ID */
