/* common/diameter/client.c - requests that leave a worker: one completion each, in the worker's own time.
 *
 *   pending, with its deadline on the worker's wheel -> request.c makes the message -> flight.c takes it to the library and
 *   brings the answer back -> client_delivered() finds the pending by its id, or counts a late answer.
 *
 * Not more than max_outstanding are with the library, whose send blocks when its queue is full.  What comes on top waits its
 * turn, within the same deadline: a burst (everybody registers after a power cut) is served as fast as the HSS can. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "common/diameter/doic.h"
#include "common/diameter/private.h"
#include "common/diameter/redirect.h"
#include "common/log/log.h"
#include "common/util/clock.h"
#include "common/util/list.h"

#define CORRELATION_BYTES 64		/* longer ones are cut */

static METRIC_DEF(m_requests, "cscf_diameter_requests_total", METRIC_COUNTER, "Diameter requests by command and result.", "command",
		  "result");
static METRIC_DEF(m_seconds, "cscf_diameter_seconds", METRIC_HISTOGRAM, "Time until the answer.", "command", NULL);
static METRIC_DEF(m_waiting, "cscf_diameter_waiting", METRIC_GAUGE, "Requests that wait for others to be answered.", NULL, NULL);
static METRIC_DEF(m_redirects, "cscf_diameter_redirects_total", METRIC_COUNTER,
		  "Redirects (3006): followed, remembered from before, refused (no such peer, or too many).", "outcome", NULL);
static METRIC_DEF(m_shed, "cscf_diameter_throttled_total", METRIC_COUNTER,
		  "Requests that were not sent because the HSS reported overload (RFC 7683).", "command", NULL);
static METRIC_DEF(m_late, "cscf_diameter_late_answers_total", METRIC_COUNTER, "Answers that came after the deadline.", "command",
		  NULL);

typedef void (*any_fn)(void);

struct pending {
	struct dia_client *c;
	struct timer timer;
	uint32_t slot, gen;
	enum dia_command_id cmd;
	any_fn fn;
	void *arg;
	uint64_t sent_us;
	uint64_t user;			/* hash of who it is about, when its host was remembered; else 0 */
	unsigned n_redirects;
	int err;			/* known at once: delivered by the timer */
	bool sent;
	struct msg *m;			/* waits to be sent; else NULL */
	struct list waiting;		/* dia_client.waiting */
	char correlation[CORRELATION_BYTES];
};

struct dia_client {
	struct loop *loop;
	struct mailbox *box;
	uint32_t timeout_ms, max_outstanding, outstanding, max_waiting, n_waiting;
	struct list waiting;		/* pending.waiting, oldest first */
	struct pending **slot;
	uint32_t *gen, n_slots, hint;
	struct redirect_cache redirects;
	dia_watch_fn watch;
	void *watch_u;
};

/* ---- pending requests ---- */

static struct pending *pending_find(struct dia_client *c, uint64_t id)
{
	uint32_t slot = (uint32_t)id - 1, gen = (uint32_t)(id >> 32);

	return slot < c->n_slots && c->slot[slot] && c->slot[slot]->gen == gen ? c->slot[slot] : NULL;
}

static int grow(struct dia_client *c)
{
	uint32_t n = c->n_slots ? c->n_slots * 2 : 64;
	struct pending **slot = realloc(c->slot, n * sizeof(*slot));
	uint32_t *gen;

	if (!slot)
		return -ENOMEM;
	c->slot = slot;
	gen = realloc(c->gen, n * sizeof(*gen));
	if (!gen)
		return -ENOMEM;
	c->gen = gen;
	memset(&c->slot[c->n_slots], 0, (n - c->n_slots) * sizeof(*slot));
	memset(&c->gen[c->n_slots], 0, (n - c->n_slots) * sizeof(*gen));
	c->hint = c->n_slots;
	c->n_slots = n;
	return 0;
}

static struct pending *pending_new(struct dia_client *c)
{
	struct pending *p = calloc(1, sizeof(*p));
	uint32_t tries = 0;

	if (!p)
		return NULL;
	while (tries < c->n_slots && c->slot[c->hint]) {
		c->hint = (c->hint + 1) % c->n_slots;
		tries++;
	}
	if (tries == c->n_slots && grow(c) < 0) {
		free(p);
		return NULL;
	}
	p->c = c;
	p->slot = c->hint;
	p->gen = ++c->gen[p->slot];
	c->slot[p->slot] = p;
	c->hint = (c->hint + 1) % c->n_slots;
	return p;
}

static uint64_t pending_id(const struct pending *p)
{
	return (uint64_t)p->gen << 32 | (p->slot + 1);
}

static void wait_begin(struct pending *p, struct msg *m)
{
	p->m = m;
	list_add_tail(&p->c->waiting, &p->waiting);
	p->c->n_waiting++;
	metric_adjust(&m_waiting, NULL, NULL, 1);
}

static struct msg *wait_end(struct pending *p)
{
	struct msg *m = p->m;

	if (!m)
		return NULL;
	p->m = NULL;
	list_del(&p->waiting);
	p->c->n_waiting--;
	metric_adjust(&m_waiting, NULL, NULL, -1);
	return m;
}

static void send_waiting(struct dia_client *c);

static void pending_drop(struct pending *p)
{
	struct dia_client *c = p->c;
	struct msg *m = wait_end(p);

	timer_stop(&p->timer);
	if (m)
		fd_msg_free(m);
	if (p->sent)
		c->outstanding--;
	c->slot[p->slot] = NULL;
	free(p);
	send_waiting(c);
}

static const char *err_name(int err)
{
	switch (err) {
	case -ETIMEDOUT: return "timeout";
	case -ENOTCONN: return "no_peer";
	case -EBUSY: return "too_many";
	case -EBADMSG: return "malformed";
	default: return "failed";
	}
}

static void call(enum dia_command_id cmd, any_fn fn, void *arg, const void *answer)
{
	switch (cmd) {
	case CX_UA: ((cx_uaa_fn)fn)(arg, answer); break;
	case CX_SA: ((cx_saa_fn)fn)(arg, answer); break;
	case CX_LI: ((cx_lia_fn)fn)(arg, answer); break;
	case CX_MA: ((cx_maa_fn)fn)(arg, answer); break;
	case CX_RT: ((cx_rta_fn)fn)(arg, answer); break;
	case CX_PP: ((cx_ppa_fn)fn)(arg, answer); break;
	case RX_AA: ((rx_aaa_fn)fn)(arg, answer); break;
	case RX_ST: ((rx_sta_fn)fn)(arg, answer); break;
	case RX_AS: ((rx_asa_fn)fn)(arg, answer); break;
	case RX_RA: ((rx_raa_fn)fn)(arg, answer); break;
	case DIA_N_COMMANDS: break;
	}
}

static void tell_watcher(const struct pending *p, const char *name, const struct dia_result *r)
{
	if (p->c->watch)
		p->c->watch(p->c->watch_u, name, r, str_from_c(p->correlation));
}

static void complete(struct pending *p, const void *answer)
{
	union {
		struct dia_result result;
		struct cx_uaa uaa;
		struct cx_saa saa;
		struct cx_lia lia;
		struct cx_maa maa;
		struct cx_rta rta;
		struct cx_ppa ppa;
		struct rx_aaa aaa;
		struct rx_sta sta;
	} none;
	const struct dia_result *r;
	enum dia_command_id cmd = p->cmd;
	any_fn fn = p->fn;
	void *arg = p->arg;

	if (!answer) {
		memset(&none, 0, sizeof(none));
		none.result.err = p->err;
		answer = &none;
	}
	r = answer;
	log_correlation(str_from_c(p->correlation));
	metric_add(&m_requests, dia_commands[cmd].request_name, r->err ? err_name(r->err) : dia_command_result_name(cmd, r), 1);
	metric_observe_us(&m_seconds, dia_commands[cmd].request_name, NULL, clock_mono_us() - p->sent_us);
	if (r->err)
		log_info(LOG_DIA, "request without an answer", LOG_C("command", dia_commands[cmd].request_name),
			 LOG_C("why", err_name(r->err)));
	tell_watcher(p, dia_commands[cmd].answer_name, r);
	if (p->user && (r->err || (!r->experimental && r->code / 1000 == 3)))
		redirect_cache_forget(&p->c->redirects, p->user);
	pending_drop(p);
	call(cmd, fn, arg, answer);
	log_correlation(STR_NONE);
}

static void on_deadline(struct timer *t)
{
	struct pending *p = container_of(t, struct pending, timer);

	if (p->err == 0)
		p->err = -ETIMEDOUT;
	complete(p, NULL);
}

void client_delivered(struct dia_client *c, uint64_t id, enum dia_command_id cmd, const void *answer)
{
	struct pending *p = pending_find(c, id);

	if (p)
		complete(p, answer);
	else
		metric_add(&m_late, dia_commands[cmd].request_name, NULL, 1);
}

/* ---- redirects ---- */

bool client_redirected(struct dia_client *c, uint64_t id, enum dia_command_id cmd, struct redirection *r)
{
	struct pending *p = pending_find(c, id);
	uint64_t now = loop_wheel(c->loop)->now_ms;
	struct str host = STR_NONE, user = redirect_identity(cmd, r->request);
	struct msg *m;

	if (!p)
		return false;
	for (unsigned i = 0; i < r->r.n && !(host.l && dia_is_open(host)); i++)
		host = redirect_host(r->r.host[i]);
	if (!host.l || !dia_is_open(host) || p->n_redirects == DIA_MAX_REDIRECTS || p->timer.at_ms <= now) {
		metric_add(&m_redirects, "refused", NULL, 1);
		log_info(LOG_DIA, "a redirect is not followed", LOG_C("command", dia_commands[cmd].request_name), LOG_S("to", r->r.host[0]),
			 LOG_C("why", p->n_redirects == DIA_MAX_REDIRECTS ? "too many" : "not an open peer"));
		return false;
	}
	dia_request_set_text(cmd, r->request, 293, host);
	if (request_make(cmd, r->request, &m) < 0 || flight_start(c->box, id, cmd, m, (uint32_t)(p->timer.at_ms - now)) < 0)
		return false;
	p->n_redirects++;
	p->user = 0;
	metric_add(&m_redirects, "followed", NULL, 1);
	redirect_cache_put(&c->redirects, user, host, &r->r, now);
	return true;
}

/* The request; to the host that an earlier redirect of this user named; by realm when the host that it names has gone mute. */
static int make_request(struct pending *p, enum dia_command_id cmd, const void *req, struct msg **ret)
{
	union {
		struct cx_uar uar;
		struct cx_lir lir;
		struct cx_mar mar;
		struct cx_sar sar;
	} copy;
	struct redirect_cache *cache = &p->c->redirects;
	struct str user = redirect_identity(cmd, req), host = STR_NONE;
	struct str named = user.l ? dia_request_text(cmd, req, 293) : STR_NONE;

	if (user.l && !named.l && cache->n)
		host = redirect_cache_find(cache, user, loop_wheel(p->c->loop)->now_ms);
	if (host.l && dia_is_open(host)) {
		p->user = hash_str(user);
		metric_add(&m_redirects, "remembered", NULL, 1);
	} else if (named.l && peer_better_than(named)) {
		host = STR_NONE;
	} else {
		return request_make(cmd, req, ret);
	}
	memcpy(&copy, req, dia_commands[cmd].request_size);
	dia_request_set_text(cmd, &copy, 293, host);
	return request_make(cmd, &copy, ret);
}

/* ---- overload of the HSS ---- */

static bool is_shed(enum dia_command_id cmd, const void *req)
{
	struct dia_peer_view peers[DOIC_MAX_NODES];
	struct str host = dia_request_text(cmd, req, 293);
	size_t n = 0;

	if (doic_is_calm() || !redirect_identity(cmd, req).l)
		return false;
	if (!host.l)
		n = dia_peers(peers, DOIC_MAX_NODES);
	if (doic_admits(cmd, req, host, str_from_c(dia_node()->dest_realm), peers, n, clock_mono_ms()))
		return false;
	metric_add(&m_shed, dia_commands[cmd].request_name, NULL, 1);
	return true;
}

/* ---- sending ---- */

/* Sends it, or has its timer tell at once why not. */
static void send_now(struct pending *p, struct msg *m)
{
	if (!dia_any_open()) {
		fd_msg_free(m);
		p->err = -ENOTCONN;
	} else {
		p->err = flight_start(p->c->box, pending_id(p), p->cmd, m, p->c->timeout_ms);
	}
	p->sent = p->err == 0;
	if (!p->sent) {
		timer_start(loop_wheel(p->c->loop), &p->timer, 0);
		return;
	}
	p->c->outstanding++;
	tell_watcher(p, dia_commands[p->cmd].request_name, NULL);
}

static void send_waiting(struct dia_client *c)
{
	while (!list_empty(&c->waiting) && c->outstanding < c->max_outstanding) {
		struct pending *p = list_entry(c->waiting.next, struct pending, waiting);

		send_now(p, wait_end(p));
	}
}

static uint64_t send_request(struct dia_client *c, enum dia_command_id cmd, const void *req, any_fn fn, void *arg)
{
	struct pending *p = pending_new(c);
	struct msg *m;

	if (!p)
		return 0;
	p->cmd = cmd;
	p->fn = fn;
	p->arg = arg;
	p->sent_us = clock_mono_us();
	str_copy(log_correlation_get(), p->correlation, sizeof(p->correlation));
	timer_init(&p->timer, on_deadline);
	list_init(&p->waiting);
	timer_start(loop_wheel(c->loop), &p->timer, c->timeout_ms);
	p->err = !dia_any_open() ? -ENOTCONN : is_shed(cmd, req) ? -EBUSY : c->outstanding >= c->max_outstanding && c->n_waiting >= c->max_waiting ? -EBUSY
		: make_request(p, cmd, req, &m);
	if (p->err)
		timer_start(loop_wheel(c->loop), &p->timer, 0);
	else if (c->outstanding >= c->max_outstanding)
		wait_begin(p, m);
	else
		send_now(p, m);
	return pending_id(p);
}

#define SEND(name, req, ans, cmd) \
	uint64_t name(struct dia_client *c, const struct req *r, ans fn, void *arg) \
	{ \
		return send_request(c, cmd, r, (any_fn)fn, arg); \
	}
SEND(cx_uar_send, cx_uar, cx_uaa_fn, CX_UA)
SEND(cx_sar_send, cx_sar, cx_saa_fn, CX_SA)
SEND(cx_lir_send, cx_lir, cx_lia_fn, CX_LI)
SEND(cx_mar_send, cx_mar, cx_maa_fn, CX_MA)
SEND(cx_rtr_send, cx_rtr, cx_rta_fn, CX_RT)
SEND(cx_ppr_send, cx_ppr, cx_ppa_fn, CX_PP)
SEND(rx_aar_send, rx_aar, rx_aaa_fn, RX_AA)
SEND(rx_str_send, rx_str, rx_sta_fn, RX_ST)
SEND(rx_asr_send, rx_asr, rx_asa_fn, RX_AS)
SEND(rx_rar_send, rx_rar, rx_raa_fn, RX_RA)

/* ---- life ---- */

struct dia_client *dia_client_new(struct loop *l, uint32_t request_timeout_ms, uint32_t max_outstanding, uint32_t max_waiting)
{
	struct dia_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->box = redirect_cache_init(&c->redirects, 0, 0) == 0 ? mailbox_new(l, c) : NULL;
	if (!c->box) {
		redirect_cache_fini(&c->redirects);
		free(c);
		return NULL;
	}
	c->loop = l;
	c->timeout_ms = request_timeout_ms;
	c->max_outstanding = max_outstanding;
	c->max_waiting = max_waiting;
	list_init(&c->waiting);
	metrics_register(&m_waiting);
	metrics_register(&m_requests);
	metrics_register(&m_seconds);
	metrics_register(&m_late);
	metrics_register(&m_redirects);
	metrics_register(&m_shed);
	return c;
}

void dia_client_free(struct dia_client *c)
{
	if (!c)
		return;
	c->max_outstanding = 0;			/* nothing that waits is sent any more */
	for (uint32_t i = 0; i < c->n_slots; i++)
		if (c->slot[i])
			pending_drop(c->slot[i]);
	mailbox_close(c->box);
	redirect_cache_fini(&c->redirects);
	free(c->slot);
	free(c->gen);
	free(c);
}

int dia_client_redirects(struct dia_client *c, uint32_t max, uint32_t max_s)
{
	redirect_cache_fini(&c->redirects);
	return redirect_cache_init(&c->redirects, max, max_s);
}

void dia_client_watch(struct dia_client *c, dia_watch_fn fn, void *u)
{
	c->watch = fn;
	c->watch_u = u;
}

void dia_client_cancel(struct dia_client *c, uint64_t request)
{
	struct pending *p = pending_find(c, request);

	if (p)
		pending_drop(p);
}

void dia_client_each(struct dia_client *c, void (*fn)(void *arg, const struct dia_request_view *v), void *arg)
{
	uint64_t now = clock_mono_us();

	for (uint32_t i = 0; i < c->n_slots; i++) {
		const struct pending *p = c->slot[i];
		struct dia_request_view v;

		if (!p)
			continue;
		v = (struct dia_request_view){ pending_id(p), dia_commands[p->cmd].request_name, p->m != NULL, (now - p->sent_us) / 1000,
					       str_from_c(p->correlation) };
		fn(arg, &v);
	}
}

uint32_t dia_client_outstanding(const struct dia_client *c)
{
	return c->outstanding;
}
