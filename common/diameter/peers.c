/* common/diameter/peers.c - who is connected, since when, how it answers, and why not: what the library's hooks told of each peer. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "common/diameter/private.h"
#include "common/log/log.h"
#include "common/util/clock.h"

#define ROUTE_LAST (-1000)		/* callbacks of a lower priority are called later: what we say of a candidate counts */
#define MAX_PEERS 64			/* that we remember the past of */

/* What the hooks saw of each peer; the library keeps no history. */
static struct {
	pthread_mutex_t lock;
	size_t n;
	struct past {
		char identity[256], reason[128];
		uint64_t since_ms, answers, errors, timeouts;
		bool aside;		/* who runs us wants it to rest */
		uint64_t owes_since_ms;	/* the oldest request since it said anything; 0: it owes nothing */
		uint32_t mean_us, longest_us;
	} v[MAX_PEERS];
} past = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Under the lock; NULL: too many. */
static struct past *past_of(const char *identity)
{
	size_t i;

	for (i = 0; i < past.n && strcmp(past.v[i].identity, identity) != 0; i++)
		;
	if (i == MAX_PEERS)
		return NULL;
	if (i == past.n) {
		past.v[i] = (struct past){ 0 };
		snprintf(past.v[i].identity, sizeof(past.v[i].identity), "%s", identity);
		past.n++;
	}
	return &past.v[i];
}

static void remember(const char *identity, const char *reason)
{
	struct past *p;

	pthread_mutex_lock(&past.lock);
	p = past_of(identity);
	if (p) {
		snprintf(p->reason, sizeof(p->reason), "%s", reason);
		p->since_ms = clock_mono_ms();
		p->owes_since_ms = 0;
	}
	pthread_mutex_unlock(&past.lock);
}

void peer_answered(const char *identity, uint64_t us, bool error)
{
	uint32_t took = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
	struct past *p;

	pthread_mutex_lock(&past.lock);
	p = past_of(identity);
	if (p) {
		p->mean_us = p->answers ? p->mean_us - p->mean_us / 8 + took / 8 : took;
		p->longest_us = took > p->longest_us ? took : p->longest_us;
		p->answers++;
		p->errors += error;
	}
	pthread_mutex_unlock(&past.lock);
}

void peer_timed_out(const char *identity)
{
	struct past *p;

	pthread_mutex_lock(&past.lock);
	p = past_of(identity);
	if (p)
		p->timeouts++;
	pthread_mutex_unlock(&past.lock);
}

static void recall(struct dia_peer_view *v)
{
	pthread_mutex_lock(&past.lock);
	for (size_t i = 0; i < past.n; i++) {
		if (strcmp(past.v[i].identity, v->identity) != 0)
			continue;
		v->since_ms = past.v[i].since_ms;
		v->answers = past.v[i].answers;
		v->errors = past.v[i].errors;
		v->timeouts = past.v[i].timeouts;
		v->mean_us = past.v[i].mean_us;
		v->longest_us = past.v[i].longest_us;
		v->aside = past.v[i].aside;
		if (!v->open)
			snprintf(v->reason, sizeof(v->reason), "%s", past.v[i].reason);
	}
	pthread_mutex_unlock(&past.lock);
}

static void on_peer(enum fd_hook_type type, struct msg *m, struct peer_hdr *peer, void *other, struct fd_hook_permsgdata *pmd,
		    void *u)
{
	const char *who = peer ? peer->info.pi_diamid : "unknown peer", *why = other ? other : "connection lost";

	(void)m;
	(void)pmd;
	(void)u;
	if (type == HOOK_PEER_CONNECT_SUCCESS) {
		log_info(LOG_DIA, "peer is open", LOG_C("peer", who));
		remember(who, "");
	} else {
		log_warn(LOG_DIA, "peer is not connected", LOG_C("peer", who), LOG_C("why", why));
		remember(who, why);
	}
}

static void state_name(int state, char *dst, size_t size)
{
	const char *name = STATE_STR(state);
	size_t i;

	if (strncmp(name, "STATE_", 6) == 0)
		name += 6;
	for (i = 0; name[i] && i + 1 < size; i++)
		dst[i] = name[i] == '_' ? ' ' : (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
	dst[i] = '\0';
}

size_t dia_peers(struct dia_peer_view *ret, size_t max)
{
	size_t n = 0;

	if (!dia_node()->running)
		return 0;
	pthread_rwlock_rdlock(&fd_g_peers_rw);
	for (struct fd_list *li = fd_g_peers.next; li != &fd_g_peers && n < max; li = li->next) {
		struct peer_hdr *p = li->o;
		struct dia_peer_view *v = &ret[n++];
		int state = fd_peer_get_state(p);

		*v = (struct dia_peer_view){ .open = state == STATE_OPEN };
		snprintf(v->identity, sizeof(v->identity), "%s", p->info.pi_diamid);
		if (v->open && p->info.runtime.pir_realm)
			snprintf(v->realm, sizeof(v->realm), "%s", p->info.runtime.pir_realm);
		state_name(state, v->state, sizeof(v->state));
	}
	pthread_rwlock_unlock(&fd_g_peers_rw);
	for (size_t i = 0; i < n; i++)
		recall(&ret[i]);
	return n;
}

bool dia_any_open(void)
{
	bool open = false;

	if (!dia_node()->running)
		return false;
	pthread_rwlock_rdlock(&fd_g_peers_rw);
	for (struct fd_list *li = fd_g_peers.next; li != &fd_g_peers && !open; li = li->next)
		open = fd_peer_get_state(li->o) == STATE_OPEN;
	pthread_rwlock_unlock(&fd_g_peers_rw);
	return open;
}

bool dia_is_open(struct str identity)
{
	struct peer_hdr *p = NULL;

	return dia_node()->running && identity.l && fd_peer_getbyid((DiamId_t)(uintptr_t)identity.p, identity.l, 1, &p) == 0 && p &&
	       fd_peer_get_state(p) == STATE_OPEN;
}

int dia_peer_set_aside(struct str identity, bool aside)
{
	struct dia_peer_view v[MAX_PEERS];
	size_t n = dia_peers(v, MAX_PEERS), i = 0;
	struct past *p;

	while (i < n && !str_ieq_c(identity, v[i].identity))
		i++;
	if (i == n)
		return -ENOENT;
	pthread_mutex_lock(&past.lock);
	p = past_of(v[i].identity);
	if (p)
		p->aside = aside;
	pthread_mutex_unlock(&past.lock);
	return p ? 0 : -ENOENT;
}

/* ---- a peer that has stopped speaking: its watchdog (RFC 3539) takes two intervals to say so, a phone does not wait that long ---- */

static void on_message(enum fd_hook_type type, struct msg *m, struct peer_hdr *peer, void *other, struct fd_hook_permsgdata *pmd, void *u)
{
	struct msg_hdr *h;
	struct past *p;

	(void)other;
	(void)pmd;
	(void)u;
	if (!peer || fd_msg_hdr(m, &h) != 0)
		return;
	pthread_mutex_lock(&past.lock);
	p = past_of(peer->info.pi_diamid);
	if (p && type == HOOK_MESSAGE_RECEIVED)
		p->owes_since_ms = 0;
	else if (p && (h->msg_flags & CMD_FLAG_REQUEST) && h->msg_appl && !p->owes_since_ms)
		p->owes_since_ms = clock_mono_ms();
	pthread_mutex_unlock(&past.lock);
}

/* It does not speak, or is set aside. */
static bool is_passed_over(const char *identity, size_t l)
{
	uint64_t now = clock_mono_ms();
	bool over = false;

	pthread_mutex_lock(&past.lock);
	for (size_t i = 0; i < past.n && !over; i++) {
		const struct past *p = &past.v[i];

		over = str_ieq_c(str_make(identity, l), p->identity) &&
		       (p->aside || (p->owes_since_ms && now - p->owes_since_ms >= dia_node()->c.request_timeout_ms / 2));
	}
	pthread_mutex_unlock(&past.lock);
	return over;
}

bool peer_better_than(struct str identity)
{
	struct dia_peer_view v[MAX_PEERS];
	size_t n;

	if (!is_passed_over(identity.p, identity.l))
		return false;
	n = dia_peers(v, MAX_PEERS);
	for (size_t i = 0; i < n; i++)
		if (v[i].open && !str_ieq_c(identity, v[i].identity) && !is_passed_over(v[i].identity, strlen(v[i].identity)))
			return true;
	return false;
}

/* Others of the realm first; one that is passed over is still asked when there is nobody else. */
static int on_route(void *u, struct msg **m, struct fd_list *candidates)
{
	(void)u;
	(void)m;
	for (struct fd_list *li = candidates->next; li != candidates; li = li->next) {
		struct rtd_candidate *c = (struct rtd_candidate *)li;

		if (c->score > FD_SCORE_LOAD_BALANCE && is_passed_over(c->diamid, c->diamidlen))
			c->score = FD_SCORE_LOAD_BALANCE;
	}
	return 0;
}

/* Where nobody listens the library writes each message out in full for a log level that is off: a tenth of an I-CSCF's time. */
static void on_its_way(enum fd_hook_type type, struct msg *m, struct peer_hdr *peer, void *other, struct fd_hook_permsgdata *pmd, void *u)
{
	(void)type;
	(void)m;
	(void)peer;
	(void)other;
	(void)pmd;
	(void)u;
}

int peers_watch(void)
{
	struct fd_rt_out_hdl *route;
	struct fd_hook_hdl *h;

	int rc = fd_hook_register(HOOK_MASK(HOOK_PEER_CONNECT_SUCCESS, HOOK_PEER_CONNECT_FAILED), on_peer, NULL, NULL, &h);

	if (rc == 0)
		rc = fd_hook_register(HOOK_MASK(HOOK_MESSAGE_RECEIVED, HOOK_MESSAGE_SENT), on_message, NULL, NULL, &h);
	if (rc == 0)
		rc = fd_hook_register(HOOK_MASK(HOOK_MESSAGE_LOCAL, HOOK_MESSAGE_SENDING, HOOK_MESSAGE_ROUTING_FORWARD, HOOK_MESSAGE_ROUTING_LOCAL),
				      on_its_way, NULL, NULL, &h);
	if (rc == 0)
		rc = fd_rt_out_register(on_route, NULL, ROUTE_LAST, &route);
	return -rc;
}
