/* common/diameter/doic.c - what the HSS says of its load, and what is not sent to it then.  RFC 7683 §5.2.1, §6, §7; row D12. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "common/diameter/cx.h"
#include "common/diameter/doic.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"

#define WINDOW_MS 1000u
#define ALL 100u

static METRIC_DEF(m_reduction, "cscf_diameter_overload_percent", METRIC_GAUGE, "By how much the HSS wants less (RFC 7683): the highest report that stands.",
		  NULL, NULL);

const struct dia_avp_def doic_avps[] = {
	{ 621, "OC-Supported-Features", DIA_AVP_GROUP, false }, { 622, "OC-Feature-Vector", DIA_AVP_U64, false },
	{ 623, "OC-OLR", DIA_AVP_GROUP, false }, { 624, "OC-Sequence-Number", DIA_AVP_U64, false },
	{ 625, "OC-Validity-Duration", DIA_AVP_U32, false }, { 626, "OC-Report-Type", DIA_AVP_U32, false },
	{ 627, "OC-Reduction-Percentage", DIA_AVP_U32, false }, { 0 },
};
static const struct dia_row supported[] = { DIA_ROW(622, BASE, U64_OPT, doic_answer, features), { 0 } };
static const struct dia_row olr[] = {
	DIA_ROW(624, BASE, U64, doic_answer, sequence), DIA_ROW(626, BASE, U32, doic_answer, type), DIA_ROW(627, BASE, U32, doic_answer, reduction),
	DIA_ROW(625, BASE, U32_OR_MAX, doic_answer, validity_s), { 0 },
};
const struct dia_row doic_origin_rows[] = { DIA_ROW(264, BASE, STR, doic_origin, host), DIA_ROW(296, BASE, STR, doic_origin, realm), { 0 } };
const struct dia_row doic_request_rows[] = { DIA_ROW_GROUP(621, BASE, supported), { 0 } };
/* A report is written when it says that it is there. */
const struct dia_row doic_answer_rows[] = {
	DIA_ROW_GROUP(621, BASE, supported), { 623, DIA_BASE, DIA_K_GROUP_IF, 0, olr, offsetof(struct doic_answer, report), 0, 0 }, { 0 },
};

/* ---- the loss algorithm ---- */

enum doic_class doic_class_of(enum dia_command_id cmd, const void *req)
{
	const struct cx_uar *uar = req;
	const struct cx_lir *lir = req;
	const struct cx_mar *mar = req;
	const struct cx_sar *sar = req;

	switch (cmd) {
	case CX_UA:
		return uar->flags & CX_UAR_FLAG_EMERGENCY ? DOIC_VITAL : uar->type == CX_UAR_DE_REGISTRATION ? DOIC_USUAL : DOIC_NEW;
	case CX_MA:
		return mar->vital ? DOIC_VITAL : DOIC_NEW;
	case CX_SA:
		return sar->vital ? DOIC_VITAL : DOIC_USUAL;
	case CX_LI:
		return lir->session_priority != UINT32_MAX ? DOIC_VITAL : DOIC_USUAL;
	default:
		return DOIC_USUAL;
	}
}

static void roll(struct doic_shed *s, uint64_t now_ms)
{
	if (now_ms < s->window_ms || now_ms - s->window_ms < WINDOW_MS)		/* a thread may be a moment behind */
		return;
	if (now_ms - s->window_ms >= 2 * WINDOW_MS)
		memset(s->now, 0, sizeof(s->now));
	memcpy(s->before, s->now, sizeof(s->before));
	memset(s->now, 0, sizeof(s->now));
	s->window_ms = now_ms;
}

/* Of all that come in two seconds, `percent` must stay: from the first class as many as it has, what is missing from the next. */
bool doic_sheds(struct doic_shed *s, enum doic_class c, uint32_t percent, uint64_t now_ms)
{
	uint64_t total = 0, want, share;

	roll(s, now_ms);
	s->now[c]++;
	for (int i = 0; i < DOIC_N_CLASSES; i++)
		total += s->now[i] + s->before[i];
	want = total * percent;
	for (int i = 0; i < (int)c; i++) {
		uint64_t all = (uint64_t)ALL * (s->now[i] + s->before[i]);

		want = want > all ? want - all : 0;
	}
	share = want / (s->now[c] + s->before[c]);
	s->credit[c] += share < ALL ? (uint32_t)share : ALL;
	if (s->credit[c] < ALL)
		return false;
	s->credit[c] -= ALL;
	return true;
}

/* ---- reports ---- */

static struct {
	pthread_mutex_t lock;
	atomic_uint n;			/* under the lock, but for a look */
	struct report {
		char name[256];
		bool realm;
		uint64_t sequence, until_ms;
		uint32_t reduction;
	} v[DOIC_MAX_NODES];
	struct doic_shed shed;
} reports = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void show(void)
{
	uint32_t most = 0;

	for (unsigned i = 0; i < reports.n; i++)
		most = reports.v[i].reduction > most ? reports.v[i].reduction : most;
	metric_set(&m_reduction, NULL, NULL, most);
}

static void forget_old(uint64_t now_ms)
{
	for (unsigned i = 0; i < reports.n;) {
		if (now_ms < reports.v[i].until_ms) {
			i++;
			continue;
		}
		log_info(LOG_DIA, "overload is over", LOG_C("of", reports.v[i].name));
		reports.v[i] = reports.v[reports.n - 1];
		reports.n--;
		show();
	}
}

static struct report *find(struct str name, bool realm)
{
	for (unsigned i = 0; i < reports.n; i++)
		if (reports.v[i].realm == realm && str_ieq_c(name, reports.v[i].name))
			return &reports.v[i];
	return NULL;
}

static void take(struct str name, bool realm, const struct doic_answer *a, uint32_t validity_s, uint64_t now_ms)
{
	struct report *r = find(name, realm);

	if (r && a->sequence <= r->sequence)		/* §5.2.1.3: old, or the one that we have */
		return;
	if (!r && (reports.n == DOIC_MAX_NODES || !validity_s))
		return;
	if (!r) {
		r = &reports.v[reports.n];
		*r = (struct report){ .realm = realm };
		if (!str_copy(name, r->name, sizeof(r->name)))
			return;
		reports.n++;
	}
	r->sequence = a->sequence;
	r->reduction = a->reduction;
	r->until_ms = now_ms + (uint64_t)validity_s * 1000;
	log_warn(LOG_DIA, "overload: less is sent", LOG_C("to", r->name), LOG_U("percent", r->reduction), LOG_U("for_s", validity_s));
	show();
}

void doic_report(struct str host, struct str realm, const struct doic_answer *a, uint64_t now_ms)
{
	uint32_t validity_s = a->validity_s > DOIC_MAX_VALIDITY_S ? DOIC_DEFAULT_VALIDITY_S : a->validity_s;

	if (!a->report || a->type > 1 || a->reduction > ALL || !(a->features & DOIC_LOSS))
		return;
	metrics_register(&m_reduction);
	pthread_mutex_lock(&reports.lock);
	take(a->type ? realm : host, a->type == 1, a, validity_s, now_ms);
	forget_old(now_ms);
	pthread_mutex_unlock(&reports.lock);
}

/* Of the realm, or the least of the peers that the request may go to. */
static uint32_t reduction_for(struct str host, struct str realm, const struct dia_peer_view *peers, size_t n_peers)
{
	const struct report *r = host.l ? find(host, false) : find(realm, true);
	uint32_t least = ALL;

	if (host.l || r)
		return r ? r->reduction : 0;
	for (size_t i = 0; i < n_peers; i++) {
		if (!peers[i].open)
			continue;
		r = find(str_from_c(peers[i].identity), false);
		least = !r ? 0 : r->reduction < least ? r->reduction : least;
	}
	return n_peers ? least : 0;
}

bool doic_admits(enum dia_command_id cmd, const void *req, struct str host, struct str realm, const struct dia_peer_view *peers, size_t n_peers,
		 uint64_t now_ms)
{
	uint32_t percent;
	bool sheds;

	pthread_mutex_lock(&reports.lock);
	forget_old(now_ms);
	percent = reduction_for(host, realm, peers, n_peers);
	sheds = percent && doic_sheds(&reports.shed, doic_class_of(cmd, req), percent, now_ms);
	pthread_mutex_unlock(&reports.lock);
	return !sheds;
}

bool doic_is_calm(void)
{
	return atomic_load_explicit(&reports.n, memory_order_relaxed) == 0;
}

void doic_reset(void)
{
	pthread_mutex_lock(&reports.lock);
	reports.n = 0;
	memset(&reports.shed, 0, sizeof(reports.shed));
	pthread_mutex_unlock(&reports.lock);
}
