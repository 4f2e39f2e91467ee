/* common/transport/transport.c - one worker's transport: life, listeners, choice of the way out, figures. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/transport/private.h"

const struct transport_limits transport_limits_default = {
	.max_connections = 10000,
	.idle_timeout_s = 3600,
	.frame_timeout_s = 30,
	.connect_timeout_ms = 4000,
	.max_queued_bytes = 1u << 20,
	.max_message_bytes = SIP_MSG_MAX_BYTES,
};

struct transport *transport_new(struct transport_group *g, uint16_t worker, struct loop *l, const struct transport_limits *lim,
				const struct transport_ops *ops, void *u)
{
	struct transport *t;

	if (worker >= g->n_workers)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->group = g;
	t->worker = worker;
	t->loop = l;
	t->lim = *lim;
	t->ops = ops;
	t->u = u;
	timer_init(&t->accept_timer, tcp_accept_again);
	if (htab_init(&t->by_remote, 64) < 0 || htab_init(&t->by_alias, 16) < 0) {
		htab_fini(&t->by_remote);
		free(t);
		return NULL;
	}
	box_open(t);
	return t;
}

void transport_set_filter(struct transport *t, bool (*fn)(void *u, const struct sip_flow *from, struct str raw))
{
	t->filter = fn;
}

void transport_free(struct transport *t)
{
	if (!t)
		return;
	box_close(t);
	timer_stop(&t->accept_timer);
	for (uint32_t i = 0; i < t->n_slots; i++)
		if (t->slot[i].c)
			conn_free(t->slot[i].c, -ECANCELED, false);
	for (unsigned i = 0; i < t->n_listeners; i++) {
		struct listener *ls = t->listener[i];

		if (ls->f.fd >= 0) {
			loop_fd_del(t->loop, &ls->f);
			close(ls->f.fd);
		}
		free(ls);
	}
	htab_fini(&t->by_remote);
	htab_fini(&t->by_alias);
	free(t->slot);
	free(t->free_slot);
	free(t->batch);
	free(t);
}

int socket_open(enum sip_proto proto, const struct addr *a, bool share)
{
	int type = (proto == SIP_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, one = 1, rc;
	int fd = socket(a->sa.sa_family, type, 0);

	if (fd < 0)
		return -errno;
	if ((proto != SIP_UDP && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0) ||
	    (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0) ||
	    (a->sa.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0) ||
	    bind(fd, &a->sa, addr_len(a)) < 0 || (!share && proto != SIP_UDP && listen(fd, 1) < 0)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* SO_REUSEPORT would let a second daemon of the same user share our port and take half of the traffic without a word:
 * the first worker binds once without it. */
static int check_free(struct transport *t, enum sip_proto proto, const struct addr *a)
{
	int fd;

	if (addr_port(a) == 0 || group_knows(t->group, proto, a))
		return 0;
	fd = socket_open(proto, a, false);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

int transport_listen(struct transport *t, enum sip_proto proto, const struct addr *a)
{
	struct listener *ls;
	socklen_t len = sizeof(ls->a);
	int rc;

	if (t->n_listeners == TP_MAX_LISTENERS)
		return -ENOSPC;
	if (proto == SIP_TLS && !t->group->tls)
		return -ENOTSUP;
	rc = check_free(t, proto, a);
	if (rc < 0)
		return rc;
	ls = calloc(1, sizeof(*ls));
	if (!ls)
		return -ENOMEM;
	ls->t = t;
	ls->proto = proto;
	ls->f.fd = rc = socket_open(proto, a, true);
	if (rc < 0)
		goto fail;
	if (getsockname(ls->f.fd, &ls->a.sa, &len) < 0)
		rc = -errno;
	else
		rc = proto == SIP_UDP ? udp_open(ls) : tcp_open(ls);
	if (rc < 0)
		goto fail;
	rc = group_add(t->group, proto, &ls->a);
	if (rc < 0) {
		loop_fd_del(t->loop, &ls->f);
		goto fail;
	}
	t->listener[t->n_listeners++] = ls;
	return 0;
fail:
	if (ls->f.fd >= 0)
		close(ls->f.fd);
	free(ls);
	return rc;
}

int transport_listen_source(struct transport *t, const struct addr *a)
{
	struct listener *ls;

	if (t->n_listeners == TP_MAX_LISTENERS)
		return -ENOSPC;
	if (addr_port(a) == 0 || addr_is_any(a))
		return -EINVAL;
	ls = calloc(1, sizeof(*ls));
	if (!ls)
		return -ENOMEM;
	ls->t = t;
	ls->proto = SIP_TCP;
	ls->a = *a;
	ls->source = true;
	ls->f.fd = -1;
	t->listener[t->n_listeners++] = ls;
	return 0;
}

void transport_stop_listening(struct transport *t)
{
	timer_stop(&t->accept_timer);
	for (unsigned i = 0; i < t->n_listeners; i++)
		if (t->listener[i]->proto != SIP_UDP)
			tcp_stop(t->listener[i]);
}

struct listener *listener_for(struct transport *t, enum sip_proto proto, const struct addr *local, int family)
{
	struct listener *host = NULL, *any = NULL;

	for (unsigned i = 0; i < t->n_listeners; i++) {
		struct listener *ls = t->listener[i];

		if (ls->proto != proto || ls->a.sa.sa_family != family)
			continue;
		if (addr_is_set(local) && addr_eq(&ls->a, local))
			return ls;
		if (ls->source)
			continue;
		if (!host && addr_is_set(local) && addr_host_eq(&ls->a, local))
			host = ls;
		if (!any)
			any = ls;
	}
	return host ? host : any;
}

int transport_local_for(struct transport *t, const struct sip_flow *to, struct addr *ret)
{
	struct listener *ls = listener_for(t, to->proto, &to->local, to->remote.sa.sa_family);
	socklen_t len = sizeof(*ret);
	struct addr a;
	int fd, rc = 0;

	if (!ls)
		return -EHOSTUNREACH;
	if (!addr_is_any(&ls->a)) {
		*ret = ls->a;
		return 0;
	}
	/* A wildcard listener: the kernel's routes tell the source, without a packet. */
	fd = socket(ls->a.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -EHOSTUNREACH;
	if (connect(fd, &to->remote.sa, addr_len(&to->remote)) < 0 || getsockname(fd, &a.sa, &len) < 0)
		rc = -EHOSTUNREACH;
	close(fd);
	if (rc == 0) {
		addr_set_port(&a, addr_port(&ls->a));
		*ret = a;
	}
	return rc;
}

/* A connection is its worker's; one that must leave from a given port there can be only once, so one worker has it. */
static unsigned worker_for(struct transport *t, const struct sip_flow *to)
{
	const struct listener *ls;

	if (to->conn)
		return to->worker < t->group->n_workers ? to->worker : t->worker;
	if (t->group->n_workers == 1 || !addr_is_set(&to->local))
		return t->worker;
	ls = listener_for(t, to->proto, &to->local, to->remote.sa.sa_family);
	return ls && ls->source ? (unsigned)(addr_hash(&to->remote) % t->group->n_workers) : t->worker;
}

int transport_send(struct transport *t, const struct sip_flow *to, struct bytes *wire, uint64_t origin)
{
	struct job *j;
	unsigned w;
	int rc;

	if (to->proto == SIP_UDP)
		return udp_send(t, to, wire);
	w = worker_for(t, to);
	if (w == t->worker)
		return stream_send(t, to, wire, origin, t->worker);
	j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	*j = (struct job){ .kind = JOB_SEND, .flow = *to, .wire = bytes_ref(wire), .origin = origin, .asker = t->worker };
	rc = box_post(t->group, (uint16_t)w, j);
	if (rc < 0)
		job_free(j);
	return rc;
}

void tell_error(struct transport *t, uint16_t asker, uint64_t origin, int err)
{
	struct job *j;

	if (origin == 0)
		return;
	if (asker == t->worker) {
		t->ops->error(t->u, origin, err);
		return;
	}
	j = calloc(1, sizeof(*j));
	if (!j)
		return;				/* the transaction's own timer tells it */
	*j = (struct job){ .kind = JOB_FAILED, .origin = origin, .err = err };
	if (box_post(t->group, asker, j) < 0)
		job_free(j);
}

uint64_t transport_kernel_drops(const struct transport *t)
{
	return t->stats.kernel_drops;
}

void transport_stats(const struct transport *t, struct transport_stats *ret)
{
	*ret = t->stats;
}

void transport_disconnect(struct transport *t)
{
	static const struct linger at_once = { .l_onoff = 1 };		/* RST: the port can connect again */

	for (uint32_t i = 0; i < t->n_slots; i++) {
		struct conn *c = t->slot[i].c;

		if (!c)
			continue;
		(void)setsockopt(c->f.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		conn_free(c, -ECONNABORTED, true);
	}
}

void transport_each(struct transport *t, uint32_t after, bool (*fn)(void *arg, const struct transport_view *v), void *arg)
{
	uint64_t now = loop_now_ms(t->loop);

	for (uint32_t i = after; i < t->n_slots; i++) {
		struct conn *c = t->slot[i].c;
		struct transport_view v;

		if (!c || c->connecting)
			continue;
		v = (struct transport_view){ c->flow, c->accepted, now - c->born_ms, now - c->active_ms, c->queued_bytes };
		if (!fn(arg, &v))
			return;
	}
}

bool transport_close(struct transport *t, uint32_t conn, uint32_t conn_gen)
{
	struct conn *c = conn_find(t, conn, conn_gen);

	if (c)
		conn_fail(c, -ECONNRESET);
	return c != NULL;
}
