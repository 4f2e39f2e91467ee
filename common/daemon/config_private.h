/* common/daemon/config_private.h - what the files that change the configuration over REST share: config_text.c, config_change.c,
 * config_revisions.c. */
#pragma once
#include "common/daemon/private.h"
#include "common/daemon/revisions.h"

#define CONFIG_TEXT_BYTES (1u << 20)
#define CONFIG_ERRORS_BYTES (64u * 1024)

struct config_changes {
	const struct cfg *from, *to;
	cJSON *list;			/* the caller's */
	char refused[128];		/* the first key that is not changed by REST; empty: none */
};
void config_compare(struct config_changes *c, const struct cfg *from, const struct cfg *to);
void config_add_revision(cJSON *o, const char *name, uint32_t number);
/* The answer to a change, with the ETag of what runs now; changes is taken over. */
void config_reply_changes(struct stack *s, struct http_req *r, cJSON *changes, bool dry);
void config_refuse(struct http_req *r, const struct buf *errors);	/* 422 with the mistakes */
bool config_dry_run(struct http_req *r, bool *ret);			/* dryRun=; false after a 400 */
/* The file must say what we run by: else a change would bring along what somebody wrote into it meanwhile.  False after a 409. */
bool config_file_is_ours(struct stack *s, struct http_req *r);
/* What the revision that comes of a reload will say. */
void config_reload_begins(struct stack *s, const struct http_req *r, const char *origin);
void config_reload_ends(struct stack *s);
/* text: what the file would say; wanted: what must come of it (NULL: whatever does).  Answers. */
void config_propose(struct stack *s, struct http_req *r, struct str text, const struct cfg *wanted, const char *origin, bool dry);
