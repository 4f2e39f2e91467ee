/* common/http/connections.c - how many connections one source may have, and how long a request may take.
 *
 * libmicrohttpd's own limits look at one address, and at the last octet that came: who owns a /64 has many addresses, and one octet in
 * 29 seconds keeps a request alive for ever (slowloris).  A connection without a request within http_config.request_ms of its beginning,
 * or of the end of the request before, is closed; so is one that does not take its answer in ANSWER_MS. */
#include <stdlib.h>
#include <sys/socket.h>
#include "common/http/private.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/hash.h"

#define REQUEST_MS 40000u		/* more than HTTP_IDLE_S: who is only idle meets that one */
#define ANSWER_MS 300000u

static METRIC_DEF(m_refused, "cscf_rest_connections_refused_total", METRIC_COUNTER, "REST connections that were refused or cut, by reason.", "reason", NULL);

struct http_conn {
	struct http_listener *l;
	struct MHD_Connection *c;
	struct timer deadline;
	uint64_t source;		/* 0: the unix socket */
};

uint64_t conns_source(const struct sockaddr *sa)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)sa;
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)sa;
	uint64_t h = sa->sa_family == AF_INET6 ? hash_str(str_make((const char *)&six->sin6_addr, 8))
					       : hash_str(str_make((const char *)&four->sin_addr, sizeof(four->sin_addr)));

	return h ? h : 1;
}

static struct http_source *source_find(struct http_server *s, uint64_t key)
{
	for (unsigned i = 0; i < s->n_sources; i++)
		if (s->source[i].key == key)
			return &s->source[i];
	return NULL;
}

enum MHD_Result conns_accept(void *u, const struct sockaddr *sa, socklen_t l)
{
	struct http_server *s = ((struct http_listener *)u)->s;
	const struct http_source *e = sa && l ? source_find(s, conns_source(sa)) : NULL;

	if (!e || e->n < HTTP_MAX_CONNECTIONS / 2)
		return MHD_YES;
	metric_add(&m_refused, "source", NULL, 1);
	return MHD_NO;
}

static void source_enter(struct http_server *s, uint64_t key)
{
	struct http_source *e = key ? source_find(s, key) : NULL;

	if (key && !e && s->n_sources < HTTP_MAX_CONNECTIONS) {
		e = &s->source[s->n_sources++];
		*e = (struct http_source){ key, 0 };
	}
	if (e)
		e->n++;
}

static void source_leave(struct http_server *s, uint64_t key)
{
	struct http_source *e = key ? source_find(s, key) : NULL;

	if (e && --e->n == 0)
		*e = s->source[--s->n_sources];
}

static void cut(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (info)
		shutdown(info->connect_fd, SHUT_RDWR);		/* libmicrohttpd sees the end of it, and cleans up */
}

static void on_deadline(struct timer *t)
{
	struct http_conn *k = container_of(t, struct http_conn, deadline);

	metric_add(&m_refused, "deadline", NULL, 1);
	log_info(LOG_REST, "a connection is cut: its request or answer takes too long");
	cut(k->c);
	http_server_run_soon(k->l->s);
}

static void due_in(struct http_conn *k, uint32_t ms)
{
	timer_start(loop_wheel(k->l->s->loop), &k->deadline, ms);
}

static uint32_t request_ms(const struct http_server *s)
{
	return s->request_ms ? s->request_ms : REQUEST_MS;
}

void conns_notify(void *u, struct MHD_Connection *c, void **ctx, enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct http_listener *l = u;
	struct http_conn *k = *ctx;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		k = calloc(1, sizeof(*k));
		*ctx = k;
		if (!k) {
			cut(c);
			return;
		}
		k->l = l;
		k->c = c;
		k->source = !l->trusted && info && info->client_addr ? conns_source(info->client_addr) : 0;
		source_enter(l->s, k->source);
		timer_init(&k->deadline, on_deadline);
		due_in(k, request_ms(l->s));
	} else if (k) {
		timer_stop(&k->deadline);
		source_leave(l->s, k->source);
		free(k);
		*ctx = NULL;
	}
}

static struct http_conn *conn_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

void conns_request(struct http_req *r)
{
	struct http_conn *k = conn_of(r->c);

	if (k)
		timer_stop(&k->deadline);
}

void conns_answer(struct http_req *r)
{
	struct http_conn *k = r->stream ? NULL : conn_of(r->c);

	if (k)
		due_in(k, ANSWER_MS);
}

void conns_next(struct MHD_Connection *c)
{
	struct http_conn *k = conn_of(c);

	if (k)
		due_in(k, request_ms(k->l->s));
}

void conns_init(void)
{
	metrics_register(&m_refused);
}
