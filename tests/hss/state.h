/* tests/hss/state.h - what outlives the HSS: SQN, registration state and S-CSCF of each subscriber, in LMDB.
 *
 * A put is written to the file before it returns: kill -9 loses nothing that was answered.  (A power cut may: nothing is
 * forced to the disk.) */
#pragma once
#include "tests/hss/subscribers.h"

struct state;

int state_open(struct state **ret, const char *dir);		/* makes it; 0 or a negative code for state_error() */
void state_close(struct state *s);
const char *state_error(int rc);
int state_put(struct state *s, const char *impi, const struct sub_dyn *d);
int state_del(struct state *s, const char *impi);
/* Into the subscriber that is in the table; names are interned there.  0, -ENOENT (nothing stored), -EBADMSG. */
int state_get(struct state *s, struct subs *subs, struct sub *b);
/* A stored value.  0, -EBADMSG. */
int state_read_record(struct str in, struct subs *subs, struct sub_dyn *ret);
