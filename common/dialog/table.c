/* common/dialog/table.c - the dialogs that pass through a proxy: early ones per To tag, confirmed by a 2xx, ended by BYE.
 * RFC 3261 §12.1, §12.3, §13.2.2.4, §15; RFC 4028 §8.3; RFC 6228.
 *
 * Entries of one Call-ID hang on one struct call: a handful, walked in line.  The INVITE itself is an entry without a To tag, the
 * attempt: it stands until its final response has left upstream, and as often as the INVITE came (an S-CSCF on both sides of a
 * call sees it twice).  It shows as a dialog only while no response has made one. */
#include <stdlib.h>
#include "common/dialog/entries.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/clock.h"

static METRIC_DEF(m_setup, "cscf_session_setup_seconds", METRIC_HISTOGRAM, "From an INVITE to its 200.", NULL, NULL);

struct dialog_table *dialog_table_new(struct wheel *w, uint32_t max_dialogs, uint32_t max_age_s)
{
	struct dialog_table *t = calloc(1, sizeof(*t));

	metrics_register(&m_setup);
	if (!t)
		return NULL;
	if (htab_init(&t->calls, 64)) {
		free(t);
		return NULL;
	}
	t->wheel = w;
	t->max = max_dialogs;
	t->max_age_s = max_age_s;
	list_init(&t->entries);
	return t;
}

void dialog_table_free(struct dialog_table *t)
{
	if (!t)
		return;
	t->watch_fn = NULL;
	while (!list_empty(&t->entries))
		dialog_entry_free(list_entry(t->entries.next, struct entry, in_table));
	htab_fini(&t->calls);
	free(t);
}

/* Early dialogs that this INVITE, or the INVITE of this response, made; not the attempt. */
static bool is_early_of(const struct entry *e, const struct sip_msg *m)
{
	return e->state == ENTRY_EARLY && !dialog_entry_is_attempt(e) && e->invite_cseq == m->cseq && str_eq_c(m->from_tag, e->from_tag);
}

/* Did the callee send the request, or is it answered by the caller? */
static bool from_callee(const struct entry *e, const struct sip_msg *m)
{
	return !str_eq_c(m->from_tag, e->from_tag);
}

/* Another BYE follows. */
static void bye_challenged(struct entry *e)
{
	e->state = e->answered_wall_us ? ENTRY_CONFIRMED : ENTRY_EARLY;
	if (e->session_s)
		dialog_entry_session_start(e);
	else
		dialog_entry_age(e);
}

void dialog_table_request(struct dialog_table *t, const struct sip_msg *m, uint8_t side, struct str icid)
{
	struct call *c = dialog_call_find(t, m->call_id);
	struct entry *e;

	if (m->to_tag.l) {
		e = c ? dialog_entry_find_dialog(c, m) : NULL;
		if (!e || e->state == ENTRY_TERMINATED)
			return;
		if (e->ends)
			dialog_ends_request(e->ends, from_callee(e, m), m);
		if (m->method == SIP_BYE)
			dialog_entry_bye_seen(e);
		else if (e->state == ENTRY_CONFIRMED)
			dialog_entry_age(e);
		return;
	}
	if (m->method != SIP_INVITE)
		return;
	e = c ? dialog_entry_find_attempt(c, m) : NULL;
	if (e) {
		e->open++;
		return;
	}
	e = dialog_entry_new(t, m->call_id, m->from_tag, STR_NONE, m->from.uri.text, m->to.uri.text, icid);
	if (!e)
		return;
	e->side = side;
	e->invite_cseq = m->cseq;
	e->open = 1;
	if (t->keep_ends)
		e->ends = dialog_ends_new(m);
	dialog_entry_tell(e, "started", 0);
}

/* The attempt, or when it is over another dialog that the same INVITE made. */
static struct entry *find_sibling(struct call *c, const struct sip_msg *m)
{
	struct entry *e = dialog_entry_find_attempt(c, m);
	struct list *i;

	if (e)
		return e;
	list_for_each(i, &c->entries) {
		e = list_entry(i, struct entry, in_call);
		if (e->invite_cseq == m->cseq && str_eq_c(m->from_tag, e->from_tag))
			return e;
	}
	return NULL;
}

/* The dialog a 101..299 belongs to: there already, or one that this response makes. */
static struct entry *entry_for(struct dialog_table *t, struct call *c, const struct sip_msg *m)
{
	struct entry *e = dialog_entry_find_dialog(c, m), *sibling;

	if (e)
		return e;
	sibling = find_sibling(c, m);
	if (!sibling)
		return NULL;
	e = dialog_entry_new(t, m->call_id, m->from_tag, m->to_tag, str_from_c(sibling->from_uri), str_from_c(sibling->to_uri),
		      str_from_c(sibling->icid));
	if (!e)
		return NULL;
	e->side = sibling->side;
	e->invite_cseq = sibling->invite_cseq;
	e->started_wall_us = sibling->started_wall_us;
	e->branch = hash_str(m->via.branch);
	e->ends = dialog_ends_copy(sibling->ends);
	for (unsigned i = 0; i < DIALOG_MAX_ATTACHED; i++)
		e->held[i] = obj_ref(sibling->held[i]);
	if (dialog_entry_is_attempt(sibling) && !sibling->has_dialogs) {
		sibling->has_dialogs = true;
		t->hidden++;
	}
	return e;
}

/* §13.2.2.4: other early dialogs of this INVITE end 64*T1 after the first 2xx. */
static void losers_linger(struct call *c, const struct sip_msg *m)
{
	struct list *i;

	list_for_each(i, &c->entries) {
		struct entry *e = list_entry(i, struct entry, in_call);

		if (is_early_of(e, m))
			timer_start(e->t->wheel, &e->timer, TABLE_LINGER_MS);
	}
}

/* The early dialogs of this INVITE: all, or those that the response ends: that of its To tag and the others of its branch
 * (RFC 3261 §13.2.2.3; a 199 ends only the one, RFC 6228 §1). */
static void early_end(struct call *c, const struct sip_msg *m, bool all)
{
	uint64_t branch = m->request || m->status < 200 ? 0 : hash_str(m->via.branch);
	struct list *i, *tmp;
	unsigned n = c->n;

	list_for_each_safe(i, tmp, &c->entries) {
		struct entry *e = list_entry(i, struct entry, in_call);

		n--;
		if (is_early_of(e, m) && (all || str_eq_c(m->to_tag, e->to_tag) || (branch && e->branch == branch)))
			dialog_entry_free(e);	/* the last one takes c along */
		if (!n)
			break;
	}
}

void dialog_table_final(struct dialog_table *t, const struct sip_msg *invite, unsigned status)
{
	struct call *c = invite->method == SIP_INVITE && !invite->to_tag.l ? dialog_call_find(t, invite->call_id) : NULL;
	struct entry *e = c ? dialog_entry_find_attempt(c, invite) : NULL;

	if (!e || --e->open)
		return;
	if (status / 100 != 2) {
		early_end(c, invite, true);	/* leaves c: the attempt is still there */
		dialog_entry_tell(e, "failed", status);
	}
	dialog_entry_free(e);
}

void dialog_table_session(struct dialog_table *t, const struct sip_msg *m, uint32_t session_s, bool refresher_uas)
{
	struct call *c = dialog_call_find(t, m->call_id);
	struct entry *e = c ? dialog_entry_find_dialog(c, m) : NULL;

	if (!e || e->state != ENTRY_CONFIRMED)
		return;
	e->session_s = session_s;
	e->refresher_uas = refresher_uas;
	if (session_s)
		dialog_entry_session_start(e);
	else
		dialog_entry_age(e);
}

static void invite_response(struct dialog_table *t, struct call *c, const struct sip_msg *m)
{
	struct entry *e = dialog_entry_find_dialog(c, m);
	bool first;

	if (e && e->state != ENTRY_EARLY) {	/* of a re-INVITE: §12.2.1.2 */
		if (m->status == 408 || m->status == 481)
			dialog_entry_free(e);
		else if (m->status < 300 && e->state == ENTRY_CONFIRMED)
			dialog_entry_age(e);
		if (m->status >= 200 && m->status < 300 && e->ends)	/* who answers is not who asked */
			dialog_ends_response(e->ends, !from_callee(e, m), m);
		return;
	}
	if (m->status >= 300 || m->status == 199) {
		early_end(c, m, false);
		return;
	}
	if (m->status == 100 || !m->to_tag.l)
		return;
	e = entry_for(t, c, m);
	if (e && m->status == 180 && !e->rang) {
		e->rang = true;
		dialog_entry_tell(e, "ringing", 180);
	}
	if (!e || m->status < 200)
		return;
	if (m->method == SIP_INVITE && e->state != ENTRY_CONFIRMED)
		metric_observe_us(&m_setup, NULL, NULL, clock_wall_us() - e->started_wall_us);
	first = e->state == ENTRY_EARLY;
	e->state = ENTRY_CONFIRMED;
	e->answered_wall_us = clock_wall_us();
	if (first)
		dialog_entry_tell(e, "answered", m->status);
	if (e->ends)
		dialog_ends_answered(e->ends, m, 1);
	if (t->limit_s)
		timer_start(t->wheel, &e->limit, (uint64_t)t->limit_s * 1000);
	dialog_entry_age(e);
	losers_linger(c, m);
}

void dialog_table_response(struct dialog_table *t, const struct sip_msg *m, uint8_t side)
{
	struct call *c = dialog_call_find(t, m->call_id);
	struct entry *e;

	(void)side;		/* settled by the INVITE */
	if (!c)
		return;
	if (m->method == SIP_INVITE) {
		invite_response(t, c, m);
		return;
	}
	e = dialog_entry_find_dialog(c, m);
	if (!e)
		return;
	if (m->method == SIP_BYE && m->status >= 200 && m->status != 401 && m->status != 407)	/* §15.1.1 */
		dialog_entry_free(e);
	else if (m->status == 481 && e->state == ENTRY_CONFIRMED)	/* §12.2.1.2 */
		dialog_entry_free(e);
	else if (m->method == SIP_BYE && m->status >= 200)
		bye_challenged(e);
}
