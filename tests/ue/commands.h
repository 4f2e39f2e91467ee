/* tests/ue/commands.h - the commands as rows, and the queue that runs them. */
#pragma once
#include "tests/ue/ue.h"

struct command {
	const char *name, *usage;
	int (*fn)(struct ue *u, struct str args);	/* 0, or -errno: then it has failed at once */
	const char *until[3];				/* -e: the events that are its outcome */
};

/* commands.c */
const struct command *command_find(struct str name);	/* or NULL */

/* queue.c */
/* Cuts the next command of a -e list off *rest, trimmed: commands end at a newline, or at a ';' that is followed by a blank
 * or by nothing - URIs have parameters.  false at the end; empty commands are skipped. */
bool command_next(struct str *rest, struct str *ret);
struct str command_word(struct str *rest);		/* cuts the next word */
int queue_wait(struct ue *u, struct str args);
int queue_pause(struct ue *u, struct str args);
int queue_quit(struct ue *u, struct str args);
