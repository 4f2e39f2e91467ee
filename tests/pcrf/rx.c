/* tests/pcrf/rx.c - AAR and STR in, the misbehaviour that was ordered, answers out. */
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "tests/pcrf/pcrf.h"

struct job {				/* an answer that a delay keeps back */
	struct list link;		/* pcrf.held */
	struct timer timer;
	struct pcrf *p;
	struct dia_peer_request *q;
	enum pcrf_command cmd;
	unsigned session;
	struct dia_result result;
	char user_location[64];
};

static struct loop *loop_of(void *u, struct str session_id)
{
	(void)session_id;
	return ((struct pcrf *)u)->loop;
}

static void answer(struct job *j)
{
	const char *name = j->cmd == PCRF_AAR ? "AAA" : "STA";

	struct pcrf_session *s = session_by_number(j->p, j->session);

	if (s)
		s->coming = false;
	history_note(&j->p->history, j->session, false, "%s %s", name, rx_result_name(j->result.code, j->result.experimental));
	if (j->cmd == PCRF_AAR) {
		struct rx_aaa a = { .result = j->result, .access = { .ip_can = RX_ABSENT, .rat = RX_ABSENT } };
		uint8_t where[32];
		size_t n;

		if (j->user_location[0] && hex_decode(str_from_c(j->user_location), where, sizeof(where), &n) == 0)
			a.access.user_location = str_make((char *)where, n);
		rx_aaa_send(j->q, &a);
	} else {
		struct rx_sta a = { .result = j->result, .access = { .ip_can = RX_ABSENT, .rat = RX_ABSENT } };

		rx_sta_send(j->q, &a);
	}
}

static void on_delay(struct timer *t)
{
	struct job *j = container_of(t, struct job, timer);

	answer(j);
	list_del(&j->link);
	free(j);
}

static struct pcrf_rule *match(struct pcrf *p, enum pcrf_command cmd)
{
	for (unsigned i = 0; i < p->n_rules; i++) {
		struct pcrf_rule *r = &p->rule[i];

		if (r->command != cmd || r->count == 0)
			continue;
		if (r->count != UINT32_MAX)
			r->count--;
		return r;
	}
	return NULL;
}

static void reply(struct pcrf *p, struct dia_peer_request *q, enum pcrf_command cmd, unsigned session, struct dia_result result,
		  const struct pcrf_rule *rule)
{
	struct job now = { .p = p, .q = q, .cmd = cmd, .session = session, .result = result }, *j;

	if (rule && rule->silent) {
		history_note(&p->history, session, false, "silent");
		dia_request_drop(q);
		return;
	}
	if (rule)
		snprintf(now.user_location, sizeof(now.user_location), "%s", rule->user_location);
	j = rule && rule->delay_ms ? malloc(sizeof(*j)) : NULL;
	if (!j) {
		answer(&now);
		return;
	}
	*j = now;
	list_add_tail(&p->held, &j->link);
	timer_init(&j->timer, on_delay);
	timer_start(loop_wheel(p->loop), &j->timer, rule->delay_ms);
}

struct wrong {
	struct pcrf *p;
	unsigned session;
};

static void on_wrong(void *arg, const char *what)
{
	struct wrong *w = arg;

	log_warn(LOG_DIA, "an AAR is not as it should be", LOG_C("what", what), LOG_U("session", w->session));
	history_note(&w->p->history, w->session, true, "violation: %s", what);
}

static void note_aar(struct pcrf *p, unsigned session, const struct rx_aar *r)
{
	char text[HISTORY_TEXT];
	int l = snprintf(text, sizeof(text), "AAR");

	for (unsigned i = 0; i < r->n_media && (size_t)l < sizeof(text); i++)
		l += snprintf(text + l, sizeof(text) - (size_t)l, " %u/%u/%u", r->media[i].number, r->media[i].type, r->media[i].status);
	if (r->forking == 1 && (size_t)l < sizeof(text))
		snprintf(text + l, sizeof(text) - (size_t)l, " several");
	history_note(&p->history, session, false, "%s", text);
}

static void on_aar(void *u, struct dia_peer_request *q, const struct rx_aar *r)
{
	struct pcrf *p = u;
	struct pcrf_session *s = session_find(p, r->session_id);
	const struct pcrf_rule *rule = match(p, PCRF_AAR);
	struct wrong w = { p, s ? s->number : p->last_number + 1 };
	struct dia_result ok = { 0, DIA_SUCCESS, false };
	bool refused = rule && rule->result.code;

	note_aar(p, w.session, r);
	pcrf_check_aar(s, r, on_wrong, &w);
	if (!s && !refused)
		s = session_new(p, r);
	else if (!s)
		p->last_number++;
	if (s && !refused)
		session_take(s, r);
	if (s && rule && rule->slow && s->aars == 1)
		s->coming = true;
	if (!s && !refused)
		ok = (struct dia_result){ 0, DIA_UNABLE_TO_COMPLY, false };
	reply(p, q, PCRF_AAR, w.session, refused ? rule->result : ok, rule);
}

static void on_str(void *u, struct dia_peer_request *q, const struct rx_str *r)
{
	struct pcrf *p = u;
	struct pcrf_session *s = session_find(p, r->session_id);
	const struct pcrf_rule *rule = match(p, PCRF_STR);
	struct dia_result result = { 0, DIA_SUCCESS, false };
	unsigned number;

	if (s && s->coming)
		s = NULL;
	if (!s)
		result.code = DIA_UNKNOWN_SESSION_ID;
	number = s ? s->number : 0;
	history_note(&p->history, number, false, "STR");
	if (rule && rule->result.code)
		result = rule->result;
	else if (s) {
		session_free(s);
		p->ended++;
	}
	reply(p, q, PCRF_STR, number, result, rule);
}

void pcrf_rx_open(struct pcrf *p)
{
	static const struct rx_server_ops ops = { .loop_of = loop_of, .aar = on_aar, .str = on_str };

	list_init(&p->sessions);
	list_init(&p->held);
	rx_serve(&ops, p);
}

void pcrf_rx_close(struct pcrf *p)
{
	rx_serve_end();
	while (!list_empty(&p->held)) {
		struct job *j = list_entry(p->held.next, struct job, link);

		timer_stop(&j->timer);
		dia_request_drop(j->q);
		list_del(&j->link);
		free(j);
	}
	while (!list_empty(&p->sessions))
		session_free(list_entry(p->sessions.next, struct pcrf_session, link));
}
