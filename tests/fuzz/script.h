/* tests/fuzz/script.h - a sequence of messages, answers, failures and time, written as text, for the stateful targets.
 *
 *	!in 1			the lines below come in from peer 1, up to the next line that begins with '!'
 *	INVITE sip:bob@home SIP/2.0
 *	...
 *	!answer 0 180		the newest request that was sent (1: the one before...) is answered; header lines may follow
 *	!wait 500		milliseconds pass
 *	!fail			the transport of what was sent last breaks
 *	!cx 2001		the oldest waiting Cx request is answered with that Result-Code (experimental when above 5000)
 *	!knob 3			the target's own
 *
 * In the text "$r" stands for the Record-Route values that were sent last, "$p" "$s" "$c" for those of Path, Service-Route and
 * Contact, "$t" "$b" "$i" for To tag, topmost branch and Call-ID of the newest message sent, other letters for what the target knows.
 * Each step is held to the budget of time and memory by itself (guard.h).
 * Line ends are LF or CRLF as they stand.  mutate.c knows this format: it is lines.  FUZZ_TRACE=1 shows what happens. */
#pragma once
#include "common/loop/wheel.h"
#include "common/sip/msg.h"
#include "tests/fuzz/fuzz.h"

#define SCRIPT_MAX_STEPS 48u
#define SCRIPT_RING 16u
#define SCRIPT_TEXT_BYTES 65536u

struct script_sent {
	struct bytes *wire;
	struct sip_msg *m;
	struct sip_flow to;
	void *at;			/* what the target noted: its worker */
};
struct script {
	const struct script_ops *ops;
	void *u;
	struct script_sent ring[SCRIPT_RING];	/* newest first */
	unsigned n;
	struct buf text;
};
struct script_ops {
	void (*in)(struct script *s, unsigned peer, struct str text);
	void (*answer)(struct script *s, const struct script_sent *to, struct str text);	/* a response, ready to come in */
	struct wheel *(*wheel)(struct script *s);
	void (*wait)(struct script *s, uint64_t ms);	/* called from one timer to the next */
	void (*fail)(struct script *s, const struct script_sent *last);
	void (*cx)(struct script *s, unsigned code);
	void (*knob)(struct script *s, unsigned bits);
	void (*var)(struct script *s, char name, struct buf *out);
	void (*after)(struct script *s);	/* each step: give what was sent to script_sent() */
};

void script_run(struct script *s, const struct script_ops *ops, void *u, struct str text);
/* Takes over both references. */
void script_sent(struct script *s, const struct sip_flow *to, struct bytes *wire, struct sip_msg *m, void *at);
/* That much time passes, as `!wait` does: each moment at which something is due is a step. */
void script_wait(struct script *s, uint64_t ms);
void script_trace(const char *what, struct str line);	/* when FUZZ_TRACE is in the environment */
void script_end(struct script *s);
