/* common/daemon/stack.c - builds the workers from the configuration, starts and stops them. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/daemon/private.h"
#include "common/daemon/revisions.h"
#include "common/diameter/cx.h"
#include "common/log/log.h"
#include "common/util/clock.h"
#include "common/util/hash.h"
#include "common/util/rand.h"

#define DRAIN_STEP_MS 50
#define DRAIN_MAX_MS 5000

unsigned stack_n_workers(const struct stack *s)
{
	return s->n_workers;
}

struct worker *stack_worker(struct stack *s, unsigned i)
{
	return &s->workers[i].w;
}

struct store *stack_store(struct stack *s)
{
	return s->store;
}

const struct token_key *stack_token_key(const struct stack *s)
{
	return &s->token_key;
}

struct str stack_home_domain(const struct stack *s)
{
	return cfg_home_domain(s->config);
}

bool stack_is_home_domain(const struct stack *s, struct str host)
{
	const struct cfg_node *r = cfg_root(s->config);

	if (str_ieq(host, cfg_home_domain(s->config)))
		return true;
	for (size_t i = 0; i < cfg_list_len(r, "domain_aliases"); i++)
		if (str_ieq(host, cfg_strs_at(r, "domain_aliases", i)))
			return true;
	return false;
}

struct str stack_sip_name(const struct stack *s)
{
	return str_from_c(s->name);
}

const struct cfg *stack_config(const struct stack *s)
{
	return s->config;
}

struct loop *stack_main_loop(struct stack *s)
{
	return s->main_loop;
}

void stack_call_id(struct worker *w, char dst[STACK_CALL_ID_STRLEN])
{
	const struct stack *s = w->stack;

	do
		rand_token(dst, STACK_CALL_ID_STRLEN - 1);
	while (s->n_workers > 1 && transport_worker_of(s->group, str_from_c(dst)) != w->id);
}

struct worker *stack_worker_of_call(struct stack *s, struct str call_id)
{
	return &s->workers[s->n_workers > 1 ? transport_worker_of(s->group, call_id) : 0].w;
}

struct worker *stack_owner(struct stack *s, struct str key)
{
	return &s->workers[hash_seeded(key, s->owner_seed) % s->n_workers].w;
}

bool stack_is_self(const struct stack *s, const struct sip_uri *uri)
{
	struct str host, port;
	struct addr a;
	uint32_t n = 5060;

	if (uri->scheme != SIP_SCHEME_SIP && uri->scheme != SIP_SCHEME_SIPS)
		return false;
	if (sip_uri_host_addr(uri, &a) == 0) {
		for (unsigned i = 0; i < s->n_listeners; i++)
			if (addr_eq(&a, &s->listener[i].a))
				return true;
		/* A listener on every address: any of this host's is us.  Only then does this ask the kernel. */
		for (int proto = 0; s->group && proto < SIP_N_PROTOS; proto++)
			if (transport_is_local(s->group, (enum sip_proto)proto, &a))
				return true;
		return false;
	}
	str_cut(str_from_c(s->name), ':', &host, &port);
	if (!str_ieq(uri->host, host))
		return false;
	if (port.l && str_to_u32(port, &n) < 0)
		return false;
	if (uri->port == 0 || uri->port == n)
		return true;
	for (unsigned i = 0; i < s->n_listeners; i++)
		if (addr_port(&s->listener[i].a) == uri->port)
			return true;
	return false;
}

/* ---- building ---- */

static int read_listeners(struct stack *s)
{
	const struct cfg_node *r = cfg_root(s->config);
	size_t n = cfg_list_len(r, "sip.listen");

	for (size_t i = 0; i < n && s->n_listeners < STACK_MAX_LISTENERS; i++) {
		struct str proto, rest, text = cfg_strs_at(r, "sip.listen", i);

		str_cut(text, ':', &proto, &rest);
		if (sip_proto_from_name(proto, &s->listener[s->n_listeners].proto) < 0 ||
		    addr_parse_hostport(rest, 5060, &s->listener[s->n_listeners].a) < 0) {
			log_error(LOG_CONF, "sip.listen is not understood", LOG_S("value", text));
			return -EINVAL;
		}
		s->n_listeners++;
	}
	return s->n_listeners ? 0 : -EINVAL;
}

static int make_name(struct stack *s)
{
	struct str name = cfg_str(cfg_root(s->config), "sip.name");
	const struct addr *first = &s->listener[0].a;
	char text[512];
	struct addr literal;

	/* Always with the port: the name alone would be looked up as 5060 (RFC 3263 §4.2). */
	if (name.l == 0)
		addr_fmt(first, text);
	else if (addr_parse(name, addr_port(first), &literal) == 0)
		addr_fmt(&literal, text);
	else
		snprintf(text, sizeof(text), "%.*s:%u", STR_ARG(name), addr_port(first));
	s->name = strdup(text);
	return s->name ? 0 : -ENOMEM;
}

/* Of the same secret as the tokens: while that stays and the number of workers, a Call-ID of ours leads to the worker that made it. */
static int make_owner_seed(struct stack *s)
{
	unsigned char text[5 + sizeof(s->token_key.k)] = "owner", digest[EVP_MAX_MD_SIZE];

	memcpy(text + 5, s->token_key.k, sizeof(s->token_key.k));
	if (EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	memcpy(&s->owner_seed, digest, sizeof(s->owner_seed));
	transport_group_seed(s->group, s->owner_seed);
	return 0;
}

/* Before the privileges go: the user gets the files with the folder. */
static int open_revisions(struct stack *s)
{
	const struct cfg_node *r = cfg_root(s->config);

	s->revisions = revisions_open(cfg_cstr(r, "state.dir"), (unsigned)cfg_int(r, "state.config_revisions"));
	if (!s->revisions)
		return -ENOMEM;
	config_was_read(s);
	return 0;
}

static int restore(struct stack *s)
{
	uint64_t began = clock_mono_us();
	int rc;

	if (!s->store)
		return 0;
	for (unsigned i = 0; i < s->n_workers; i++)		/* what is left of each expiry counts from now */
		wheel_advance(s->workers[i].w.wheel, clock_mono_ms());
	rc = s->ops->restore(s->u, s, s->store);
	log_info(LOG_CORE, "state was read", LOG_U("ms", (clock_mono_us() - began) / 1000));
	return rc < 0 ? rc : store_start(s->store);
}

static int start_diameter(struct stack *s)
{
	const struct cfg_node *r = cfg_root(s->config);
	struct dia_peer_config peers[16];
	struct dia_config c = { .peers = peers, .rx = s->ops->uses_rx };
	int rc;

	if (!cfg_has(r, "diameter"))
		return 0;
	c.identity = cfg_cstr(r, "diameter.identity");
	c.realm = cfg_cstr(r, "diameter.realm");
	if (!c.realm || !*c.realm)
		c.realm = cfg_home_domain(s->config).p;
	if (cfg_has(r, "diameter.listen"))
		addr_parse_hostport(cfg_str(r, "diameter.listen"), 3868, &c.listen);
	c.request_timeout_ms = (uint32_t)cfg_int(r, "diameter.request_timeout_ms");
	c.max_outstanding = (uint32_t)cfg_int(r, "diameter.max_outstanding");
	c.watchdog_s = 6;
	c.doic = cfg_bool(r, "diameter.overload_reports") && !c.rx && str_eq(cfg_str(r, "diameter.hss_profile"), STR("standard"));
	for (size_t i = 0; i < cfg_list_len(r, "diameter.peers") && c.n_peers < 16; i++) {
		const struct cfg_node *p = cfg_list_at(r, "diameter.peers", i);

		peers[c.n_peers++] = (struct dia_peer_config){ cfg_cstr(p, "identity"), cfg_cstr(p, "realm"),
							       cfg_cstr(p, "address"), (uint16_t)cfg_int(p, "port") };
	}
	cx_set_destination(cfg_has(r, "diameter.destination_realm") ? cfg_cstr(r, "diameter.destination_realm") : NULL,
			   cfg_has(r, "diameter.destination_host") ? cfg_cstr(r, "diameter.destination_host") : NULL);
	rc = dia_start(&c);
	s->diameter = rc == 0;
	return rc;
}

static unsigned count_workers(const struct cfg *c)
{
	int64_t n = cfg_int(cfg_root(c), "workers");
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (n == 0)
		n = cores > 1 ? cores - 1 : 1;
	return n > STACK_MAX_WORKERS ? STACK_MAX_WORKERS : (unsigned)n;
}

static int open_listeners(struct stack *s)
{
	char text[ADDR_STRLEN];

	for (unsigned l = 0; l < s->n_listeners; l++) {
		for (unsigned i = 0; i < s->n_workers; i++) {
			int rc = transport_listen(s->workers[i].w.transport, s->listener[l].proto, &s->listener[l].a);

			if (rc < 0) {
				log_error(LOG_TP, "a listener cannot be opened",
					  LOG_C("proto", sip_proto_param(s->listener[l].proto)),
					  LOG_C("address", addr_fmt(&s->listener[l].a, text)),
					  LOG_C("error", strerror(-rc)));
				return rc;
			}
		}
	}
	for (unsigned i = 0; s->ops->listen && i < s->n_workers; i++) {
		int rc = s->ops->listen(&s->workers[i].w);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static void on_drain(struct timer *t);

static void on_reload(void *stack, const struct cfg *c)
{
	certificates_use(stack, c);
	rest_tokens_use(stack, c);
	config_was_read(stack);
}

/* For the watchdog: each worker has ticked lately.  Its tick is once a second; a loaded machine may make it late. */
static bool all_turn(void *stack)
{
	struct stack *s = stack;
	uint64_t now_ms = clock_mono_ms();

	for (unsigned i = 0; i < s->n_workers; i++) {
		uint64_t beat_ms = atomic_load_explicit(&s->workers[i].beat_ms, memory_order_relaxed);

		if (s->workers[i].started && now_ms > beat_ms + WORKER_SILENT_MS)
			return false;
	}
	return true;
}

int stack_start(struct stack **ret, struct daemon *d, const struct role_ops *ops, void *u)
{
	struct stack *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM;

	*ret = s;		/* the caller frees it in any case: roles reach it while it is built */
	if (!s)
		return rc;
	s->daemon = d;
	s->ops = ops;
	s->u = u;
	s->config = cfg_ref(d->config);
	s->main_loop = d->loop;
	timer_init(&s->drain_timer, on_drain);
	config_rest_init(s);
	s->n_workers = count_workers(s->config);
	s->workers = calloc(s->n_workers, sizeof(*s->workers));
	s->group = transport_group_new(s->n_workers);
	if (!s->workers || !s->group)
		return rc;
	if ((rc = certificates_use(s, s->config)) < 0 || (rc = guard_init(s)) < 0)
		return rc;
	d->stack = s;
	d->stack_reload = on_reload;
	d->stack_alive = all_turn;
	if ((rc = read_listeners(s)) < 0 || (rc = make_name(s)) < 0 || (rc = stack_load_key(s)) < 0 || (rc = make_owner_seed(s)) < 0 ||
	    (rc = stack_open_store(s)) < 0 || (rc = open_revisions(s)) < 0)
		return rc;
	if (ops->uses_diameter && (rc = start_diameter(s)) < 0)
		return rc;
	for (unsigned i = 0; i < s->n_workers; i++) {
		rc = worker_open(s, i);
		if (rc < 0) {
			log_error(LOG_CORE, "a worker cannot be made", LOG_C("error", strerror(-rc)));
			return rc;
		}
	}
	if ((rc = restore(s)) < 0 || (rc = open_listeners(s)) < 0 || (rc = stack_rest_open(s)) < 0)
		return rc;
	for (unsigned i = 0; i < s->n_workers; i++)
		if ((rc = worker_start(&s->workers[i])) < 0)
			return rc;
	return privileges_drop(cfg_cstr(cfg_root(s->config), "user"), cfg_cstr(cfg_root(s->config), "state.dir"));
}

/* ---- drain: new work gets 503, open transactions end ---- */

static void count_open(void *arg, const struct tx_view *v)
{
	unsigned *n = arg;

	/* Answered ones only absorb retransmissions, for half a minute: not worth the wait. */
	if (v->server && (strcmp(v->state, "trying") == 0 || strcmp(v->state, "proceeding") == 0))
		(*n)++;
}

static void count_busy(struct worker *w, void *arg)
{
	struct stack *s = arg;
	unsigned n = 0;

	tx_layer_each(w->tx, count_open, &n);
	atomic_fetch_add(&s->drain_busy, n);
	atomic_fetch_sub(&s->drain_asked, 1);
}

static void on_drain(struct timer *t)
{
	struct stack *s = container_of(t, struct stack, drain_timer);

	if (loop_now_ms(s->main_loop) >= s->drain_until_ms ||
	    (atomic_load(&s->drain_asked) == 0 && atomic_load(&s->drain_busy) == 0)) {
		s->drain_done(s->drain_arg);
		return;
	}
	if (atomic_load(&s->drain_asked) == 0) {
		atomic_store(&s->drain_busy, 0);
		atomic_store(&s->drain_asked, s->n_workers);
		for (unsigned i = 0; i < s->n_workers; i++)
			if (worker_post(&s->workers[i].w, count_busy, s) < 0)
				atomic_fetch_sub(&s->drain_asked, 1);
	}
	timer_start(loop_wheel(s->main_loop), t, DRAIN_STEP_MS);
}

void stack_drain(struct stack *s, void (*done)(void *), void *arg)
{
	s->drain_done = done;
	s->drain_arg = arg;
	atomic_store(&s->draining, true);
	s->drain_until_ms = loop_now_ms(s->main_loop) + DRAIN_MAX_MS;
	atomic_store(&s->drain_busy, 1);	/* not known yet */
	timer_start(loop_wheel(s->main_loop), &s->drain_timer, 0);
}

void stack_free(struct stack *s)
{
	if (!s)
		return;
	timer_stop(&s->drain_timer);
	timer_stop(&s->log_revert);
	s->daemon->stack_reload = NULL;
	s->daemon->stack_alive = NULL;
	http_server_free(s->http);	/* first: its routes look at all the rest */
	alarms_fini(s);
	store_unshare(s->store);
	for (unsigned i = 0; s->workers && i < s->n_workers; i++)
		worker_stop(&s->workers[i]);
	for (unsigned i = 0; s->workers && i < s->n_workers; i++)
		worker_close(&s->workers[i]);
	drain_fini(s);
	traces_fini(s);
	operations_fini(s);
	events_fini(s);
	store_close(s->store);
	revisions_free(s->revisions);
	transport_group_free(s->group);
	sources_free(s->sources);
	if (s->diameter)
		dia_stop();		/* last: whatever it does to the process, our work is done */
	free(s->workers);
	console_free(s->console);
	free(s->name);
	cfg_unref(s->config);
	free(s);
}
