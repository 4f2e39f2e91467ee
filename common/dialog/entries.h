/* common/dialog/entries.h - private to the table of dialogs (dialog.h): its entries, how they are found, what they say. */
#pragma once
#include "common/dialog/dialog.h"
#include "common/dialog/ends.h"

#define TABLE_MAX_PER_CALL 64u		/* forks of one call; more are not watched */
#define TABLE_LINGER_MS 32000u		/* 64*T1: losers of a fork after the 2xx, and a BYE that nobody answers */

enum entry_state { ENTRY_EARLY, ENTRY_CONFIRMED, ENTRY_TERMINATED };

struct call {
	struct hnode node;
	char *call_id;
	struct list entries;
	unsigned n;
};

struct entry {
	struct list in_call, in_table;	/* in_table: in order of id */
	struct dialog_table *t;
	struct call *call;
	struct timer timer;
	enum entry_state state;
	uint8_t side;
	uint64_t id, started_wall_us, answered_wall_us;
	uint32_t invite_cseq;		/* of the INVITE that made it */
	uint64_t branch;		/* hash of our Via on the response that made it: the branch it lives on */
	uint16_t open;			/* of an attempt: INVITEs without a final response */
	bool has_dialogs;		/* of an attempt: some response made one */
	uint32_t session_s;		/* RFC 4028: it ends when not refreshed so long; 0: no session timer */
	bool refresher_uas;
	char *from_tag, *to_tag;	/* to_tag "": no response with a tag yet */
	char *from_uri, *to_uri, *icid;
	struct dialog_ends *ends;	/* NULL: not kept */
	struct timer limit;
	bool rang, told_end;		/* what the watcher has heard */
	struct obj *held[DIALOG_MAX_ATTACHED];		/* dialog_table_attach() */
};

struct dialog_table {
	struct wheel *wheel;
	struct htab calls;
	struct list entries;
	uint32_t n, max, max_age_s;
	uint32_t hidden;		/* of n: attempts that do not show */
	uint64_t last_id, expired;
	bool keep_ends;
	uint32_t limit_s;
	dialog_limit_fn limit_fn;
	void *limit_arg;
	dialog_watch_fn watch_fn;
	void *watch_arg;
};

struct call *dialog_call_find(const struct dialog_table *t, struct str call_id);	/* NULL: none */
/* All texts are copied.  NULL when the table or the call is full, or out of memory. */
struct entry *dialog_entry_new(struct dialog_table *t, struct str call_id, struct str from_tag, struct str to_tag, struct str from_uri,
			struct str to_uri, struct str icid);
void dialog_entry_free(struct entry *e);	/* the last one takes its call along */
void dialog_entry_age(struct entry *e);	/* something came within the dialog */
void dialog_entry_session_start(struct entry *e);	/* RFC 4028: refreshed, session_s is set */
void dialog_entry_bye_seen(struct entry *e);	/* it lingers for what is still on its way */
struct dialog_view dialog_entry_view(const struct entry *e);	/* texts borrowed */

/* To the watcher, if there is one; the end of an answered call once. */
void dialog_entry_tell(struct entry *e, const char *what, unsigned status);
void dialog_entry_tell_end(struct entry *e);

static inline bool dialog_entry_is_attempt(const struct entry *e)
{
	return !e->to_tag[0];
}

/* Of one call; NULL: none.  The attempt of an INVITE; a dialog by both tags, whichever end sent the message. */
struct entry *dialog_entry_find_attempt(const struct call *c, const struct sip_msg *m);
struct entry *dialog_entry_find_dialog(const struct call *c, const struct sip_msg *m);
