/* pcscf/ng_udp.c - one connected UDP socket for each media relay; see ng.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/log/log.h"
#include "common/util/list.h"
#include "pcscf/ng.h"

#define READ_AT_ONCE 64u		/* datagrams; the loop comes back for more */

struct ng_socket {
	struct loop_fd fd;
	struct ng_sockets *all;
	unsigned relay;
};
struct ng_sockets {
	struct loop *loop;
	struct ng *g;
	unsigned n;
	struct ng_socket socket[NG_MAX_RELAYS];
	char in[65536];
};

/* "Connection refused" is what the kernel heard of a datagram before: nobody listens there. */
static void on_readable(struct loop_fd *f, uint32_t events)
{
	struct ng_socket *s = container_of(f, struct ng_socket, fd);
	struct ng_sockets *all = s->all;

	(void)events;
	for (unsigned i = 0; i < READ_AT_ONCE; i++) {
		ssize_t l = recv(f->fd, all->in, sizeof(all->in), MSG_DONTWAIT);

		if (l < 0 && errno == EINTR)
			continue;
		if (l < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (l < 0) {
			ng_refused(all->g, s->relay);
			return;
		}
		ng_input(all->g, s->relay, str_make(all->in, (size_t)l));
	}
}

static int open_one(struct ng_sockets *all, unsigned i, const struct ng_relay *r)
{
	struct ng_socket *s = &all->socket[i];
	int fd = socket(r->address.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	if (fd < 0 || connect(fd, &r->address.sa, addr_len(&r->address)) < 0) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	s->all = all;
	s->relay = i;
	s->fd = (struct loop_fd){ .fd = fd, .events = EPOLLIN, .fn = on_readable };
	rc = loop_fd_add(all->loop, &s->fd);
	if (rc < 0)
		close(fd);
	return rc;
}

struct ng_sockets *ng_sockets_new(struct loop *l, struct ng_relay *relay, unsigned n)
{
	struct ng_sockets *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->loop = l;
	for (; all->n < n; all->n++) {
		int rc = open_one(all, all->n, &relay[all->n]);

		if (rc < 0) {
			log_error(LOG_SESS, "no socket to a media relay", LOG_C("relay", relay[all->n].name), LOG_C("error", strerror(-rc)));
			ng_sockets_free(all);
			return NULL;
		}
	}
	return all;
}

void ng_sockets_serve(struct ng_sockets *s, struct ng *g)
{
	s->g = g;
}

void ng_sockets_free(struct ng_sockets *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		loop_fd_del(s->loop, &s->socket[i].fd);
		close(s->socket[i].fd.fd);
	}
	free(s);
}

/* A send may report what became of the one before; then this one goes at the second try. */
void ng_sockets_send(void *u, unsigned relay, struct str octets)
{
	struct ng_sockets *all = u;
	int fd = all->socket[relay].fd.fd;

	if (send(fd, octets.p, octets.l, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ECONNREFUSED)
		(void)send(fd, octets.p, octets.l, MSG_DONTWAIT | MSG_NOSIGNAL);
}
