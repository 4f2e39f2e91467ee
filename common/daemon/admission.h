/* common/daemon/admission.h - overload control of one worker: how much new work is let in.  RFC 6357, RFC 7339; row C18.
 *
 * What decides is the measured time that messages waited before we came to them, never a rate.  Within each interval the
 * shortest wait counts: a burst that is worked off leaves some message that did not wait, a standing queue does not.  Above
 * the target the admitted fraction shrinks in proportion, below it grows again; datagrams that the kernel threw away count
 * as a standing queue, whatever the others waited.
 *
 * Only new work is ever refused: requests outside of dialogs.  What belongs to a call, and emergency calls, pass always.
 * No clock and no randomness in here: both come in as parameters. */
#pragma once
#include "common/sip/msg.h"

#define ADMISSION_ONE 65536u			/* the fraction that lets all in */
#define ADMISSION_INTERVAL_US 100000u
#define ADMISSION_MIN_MESSAGES 8u		/* fewer in an interval are no queue, whatever they waited */
#define ADMISSION_FLOOR (ADMISSION_ONE / 64)	/* so much always gets in: else nobody would learn that it is over */
#define ADMISSION_MAX_NAMES 16u			/* sip.overload.never_refuse */
#define ADMISSION_RETRY_MIN_S 2u		/* Retry-After: spread, and longer the worse it is */
#define ADMISSION_RETRY_SPREAD_S 9u

enum admission_class {
	ADMISSION_ALWAYS,			/* in a dialog, ACK, CANCEL, emergency */
	ADMISSION_KNOWN,			/* new work of a user who is known: a re-registration before a first one */
	ADMISSION_NEW,
};

struct admission_config {
	bool enabled;
	uint64_t target_us;
	struct str never_refuse[ADMISSION_MAX_NAMES];	/* Priority values, Resource-Priority namespaces; borrowed */
	unsigned n_never_refuse;
};

struct admission {
	struct admission_config config;
	uint32_t fraction;
	uint64_t interval_ends_us;
	uint64_t min_us, max_us;		/* of this interval */
	uint32_t n;				/* messages of this interval */
	uint64_t lost;				/* by the kernel, in this interval */
	uint64_t worst_us;			/* since it was last asked for */
};

void admission_init(struct admission *a, const struct admission_config *c, uint64_t now_us);
/* A message, of whatever kind, is taken up now after it had waited so long. */
void admission_measure(struct admission *a, uint64_t now_us, uint64_t waited_us);
void admission_lost(struct admission *a, uint64_t n);		/* datagrams that found no room in the kernel */
/* known: the sender, as far as the role can tell cheaply. */
enum admission_class admission_class_of(const struct admission *a, const struct sip_msg *m, bool known);
/* May it come in?  sifted: admission_sifts() applied to it.  dice: 32 random bits. */
bool admission_decide(struct admission *a, enum admission_class c, bool sifted, uint64_t now_us, uint32_t dice);
/* Far beyond what can be served even answers cost too much.  Then datagrams that surely begin something are sifted unparsed: of
 * those that pass one in ADMISSION_SIFTED is admitted and the others hear a 503; for the rest the sender's retransmission is the
 * next try. */
#define ADMISSION_SIFTED 4u
bool admission_sifts(const struct admission *a, struct str raw);	/* is this one of them, now? */
bool admission_sheds(const struct admission *a, uint32_t dice);		/* and does it go? */
unsigned admission_retry_after_s(const struct admission *a, uint32_t dice);
unsigned admission_loss_percent(struct admission *a, uint64_t now_us);	/* what others should hold back: RFC 7339's oc */
