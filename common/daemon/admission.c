/* common/daemon/admission.c - the controller: the shortest wait of each interval moves the admitted fraction. */
#include "common/daemon/admission.h"

#define MAX_STEPS 64u			/* intervals without a message that are counted one by one */

void admission_init(struct admission *a, const struct admission_config *c, uint64_t now_us)
{
	*a = (struct admission){ .config = *c, .fraction = ADMISSION_ONE, .interval_ends_us = now_us + ADMISSION_INTERVAL_US,
				 .min_us = UINT64_MAX };
}

static uint32_t scaled(uint32_t fraction, uint64_t num, uint64_t den)
{
	return (uint32_t)(fraction * num / den);
}

/* By the target over what was measured, never below half at a time. */
static void shrink(struct admission *a, uint64_t min_us)
{
	uint64_t target = a->config.target_us;

	if (a->lost && min_us < target * 4 / 3)
		a->fraction = scaled(a->fraction, 3, 4);
	else if (min_us > 2 * target)
		a->fraction /= 2;
	else
		a->fraction = scaled(a->fraction, target, min_us);
	if (a->fraction < ADMISSION_FLOOR)
		a->fraction = ADMISSION_FLOOR;
}

/* A fiftieth of all and a sixteenth of itself: from the floor to everything in about two and a half seconds. */
static void grow(struct admission *a)
{
	a->fraction += ADMISSION_ONE / 50 + a->fraction / 16;
	if (a->fraction > ADMISSION_ONE)
		a->fraction = ADMISSION_ONE;
}

static void roll(struct admission *a, uint64_t now_us)
{
	uint64_t steps;

	if (now_us < a->interval_ends_us)
		return;
	steps = (now_us - a->interval_ends_us) / ADMISSION_INTERVAL_US;
	if (a->lost || (a->n >= ADMISSION_MIN_MESSAGES && a->min_us > a->config.target_us))
		shrink(a, a->n ? a->min_us : 0);
	else if (a->n == 0 || a->min_us <= a->config.target_us)
		grow(a);
	for (uint64_t i = 0; i < steps && i < MAX_STEPS; i++)		/* nothing came: nothing waits */
		grow(a);
	a->interval_ends_us += (steps + 1) * ADMISSION_INTERVAL_US;
	a->min_us = UINT64_MAX;
	a->max_us = 0;
	a->n = 0;
	a->lost = 0;
}

void admission_measure(struct admission *a, uint64_t now_us, uint64_t waited_us)
{
	roll(a, now_us);
	if (waited_us < a->min_us)
		a->min_us = waited_us;
	if (waited_us > a->max_us)
		a->max_us = waited_us;
	if (waited_us > a->worst_us)
		a->worst_us = waited_us;
	a->n++;
}

void admission_lost(struct admission *a, uint64_t n)
{
	a->lost += n;
}

/* ---- what may be refused ---- */

static bool is_named(const struct admission *a, struct str value)
{
	struct str name, level;

	str_cut(value, '.', &name, &level);		/* Resource-Priority: namespace "." priority, RFC 4412 §3.1 */
	for (unsigned i = 0; i < a->config.n_never_refuse; i++)
		if (str_ieq(str_trim(name), a->config.never_refuse[i]))
			return true;
	return false;
}

static bool has_priority(const struct admission *a, const struct sip_msg *m)
{
	static const enum sip_hdr_id ids[] = { SIP_H_PRIORITY, SIP_H_RESOURCE_PRIORITY };
	struct str v;

	for (unsigned i = 0; a->config.n_never_refuse && i < 2; i++) {
		struct sip_values it = sip_values(m, ids[i]);

		while (sip_values_next(&it, &v))
			if (is_named(a, v))
				return true;
	}
	return false;
}

enum admission_class admission_class_of(const struct admission *a, const struct sip_msg *m, bool known)
{
	if (!m->request || m->to_tag.l)
		return ADMISSION_ALWAYS;
	switch (m->method) {
	case SIP_ACK:
	case SIP_CANCEL:
	case SIP_BYE:
	case SIP_PRACK:
	case SIP_UPDATE:
		return ADMISSION_ALWAYS;
	default:
		break;
	}
	if (str_istarts(m->ruri_text, STR("urn:service:sos")) || has_priority(a, m))	/* RFC 5031; RFC 7339 §5.10.1 */
		return ADMISSION_ALWAYS;
	return known && m->method == SIP_REGISTER ? ADMISSION_KNOWN : ADMISSION_NEW;
}

bool admission_decide(struct admission *a, enum admission_class c, bool sifted, uint64_t now_us, uint32_t dice)
{
	uint32_t fraction;

	roll(a, now_us);
	if (!a->config.enabled || c == ADMISSION_ALWAYS || a->fraction >= ADMISSION_ONE)
		return true;
	/* Those that are known get four times the chance: a user who falls out costs a registration with its Cx exchanges. */
	fraction = sifted && ADMISSION_SIFTED * a->fraction < ADMISSION_ONE ? ADMISSION_ONE / ADMISSION_SIFTED : a->fraction;
	if (c == ADMISSION_KNOWN)
		fraction *= 4;
	return (dice & (ADMISSION_ONE - 1)) < fraction;
}

bool admission_sifts(const struct admission *a, struct str raw)
{
	bool priority;

	return a->config.enabled && ADMISSION_SIFTED * a->fraction < ADMISSION_ONE && sip_scan_is_new(raw, &priority) &&
	       !(priority && a->config.n_never_refuse);
}

bool admission_sheds(const struct admission *a, uint32_t dice)
{
	return (dice & (ADMISSION_ONE - 1)) >= ADMISSION_SIFTED * a->fraction;
}

unsigned admission_retry_after_s(const struct admission *a, uint32_t dice)
{
	unsigned worse = a->fraction < ADMISSION_ONE / 8 ? 2 : 1;

	return worse * ADMISSION_RETRY_MIN_S + dice % (worse * ADMISSION_RETRY_SPREAD_S);
}

unsigned admission_loss_percent(struct admission *a, uint64_t now_us)
{
	roll(a, now_us);
	return a->config.enabled ? 100 - (unsigned)(a->fraction * 100ull / ADMISSION_ONE) : 0;
}
