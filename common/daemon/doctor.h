/* common/daemon/doctor.h - `--doctor`: what on this machine would keep the daemon from working, with fixes.  Row Y2.
 *
 * Looks and changes nothing.  One line per finding; the exit status is 1 when something is broken. */
#pragma once
#include "common/config/config.h"

struct doctor {
	unsigned good, doubtful, broken;
};

void doctor_good(struct doctor *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* fix: what to do, a sentence or a command. */
void doctor_doubt(struct doctor *d, const char *fix, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void doctor_bad(struct doctor *d, const char *fix, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool doctor_has_capability(unsigned cap);		/* of linux/capability.h, effective */

/* Everything that all daemons have in common. */
void doctor_common(struct doctor *d, const struct cfg *c);
